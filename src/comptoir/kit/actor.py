"""Who did it: kept in every history as (kind, id, label), with no foreign key, so that it outlives the person or channel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """What sort of actor changed something."""

    PERSON = "person"  #: a signed-in user
    TOKEN = "token"  # noqa: S105  #: an API token, labelled by its name
    CHANNEL = "channel"  #: something seen at a channel
    FLOW = "flow"  #: a run of ours
    SYSTEM = "system"  #: a command or the hub itself


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `label` is what a history shows for ever, even when the person is gone."""

    kind: ActorKind
    id: str
    label: str


SYSTEM = Actor(ActorKind.SYSTEM, "", "Comptoir")

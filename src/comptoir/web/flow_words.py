"""What flows are called on pages: the declaration's own title, or the kind where this process does not know it."""

from __future__ import annotations

from typing import Protocol

from comptoir.engine import flow
from comptoir.kit.actor import ActorKind


class Acted(Protocol):
    """A row that says who did it."""

    actor_kind: str
    actor_label: str


def title(kind: str) -> str:
    """The name of a flow for people."""
    known = flow.declared().get(kind)
    return str(known.title) if known else kind.replace("_", " ").capitalize()


def who(row: Acted) -> str:
    """Who did it: a flow by its title, anybody else by the name that was kept."""
    return title(row.actor_label) if row.actor_kind == ActorKind.FLOW else row.actor_label

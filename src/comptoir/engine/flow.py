"""The declaration of a flow, and the rows that channels get from it.

A flow is declared once with `@flow(...)` on its function; each channel that can carry it has a row with its own
schedule and cursor. Declarations are found by importing the modules that hold them, which `config/bootstrap.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from comptoir.channels.models import Channel
from comptoir.engine import schedule
from comptoir.engine.models import Flow, Lane
from comptoir.engine.schedule import hours, minutes
from comptoir.events.record import record
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM, Actor
from comptoir.kit.errors import BadInput

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from comptoir.channels.channel import OpenChannel
    from comptoir.engine.runs import RunContext

    Recipe = Callable[[RunContext, OpenChannel | None], None]

__all__ = [
    "HERE",
    "IN",
    "OUT",
    "Declaration",
    "Direction",
    "Lane",
    "declared",
    "ensure_flows",
    "find",
    "flow",
    "hours",
    "minutes",
    "set_schedule",
    "start_over",
    "switch",
]


class Direction(StrEnum):
    """Where a flow carries to."""

    IN = "in"  #: channel → hub
    OUT = "out"  #: hub → channel
    HERE = "here"  #: within the hub; the channel is not opened


IN, OUT, HERE = Direction.IN, Direction.OUT, Direction.HERE

Facts = Callable[[Sequence[int]], set[int]]
ChangedSince = Callable[[int, datetime], bool]


@dataclass(frozen=True)
class Declaration:
    """What the engine knows about one kind of flow."""

    kind: str
    recipe: Recipe
    direction: Direction
    title: str | _StrPromise
    needs: tuple[str, ...] = ()  # abilities that a connector must have
    lane: Lane = Lane.BULK
    every: int | None = None  # seconds
    cron: str = ""
    facts: Facts | None = None  # given channel ids: those with something to do now
    on_by_default: bool = True
    linger: float = 0.0  # seconds that a run waits for more facts before it ends
    writes: bool = False  # calls that change something at the channel: only in production
    previews: bool = False  # can say what it would do
    changed_since: ChangedSince | None = None  # whether what a preview of then said may be another now
    replays: bool = False  # keeps what it heard, so that it can be gone through again


_declared: dict[str, Declaration] = {}


def flow(
    kind: str,
    *,
    direction: Direction,
    title: str | _StrPromise,
    needs: Iterable[str] = (),
    lane: Lane = Lane.BULK,
    every: int | None = None,
    cron: str | None = None,
    facts: Facts | None = None,
    on_by_default: bool = True,
    linger: float = 0.0,
    writes: bool = False,
    previews: bool = False,
    changed_since: ChangedSince | None = None,
    replays: bool = False,
) -> Callable[[Recipe], Recipe]:
    """Declare the decorated function as the recipe of a flow. It says what; the engine owns when, again and how often."""

    def declare(recipe: Recipe) -> Recipe:
        known = _declared.get(kind)
        if known is not None and known.recipe.__qualname__ != recipe.__qualname__:
            raise ValueError(f"two flows are called {kind!r}")
        _declared[kind] = Declaration(
            kind=kind,
            recipe=recipe,
            direction=direction,
            title=title,
            needs=tuple(needs),
            lane=lane,
            every=every,
            cron=cron or "",
            facts=facts,
            on_by_default=on_by_default,
            linger=linger,
            writes=writes,
            previews=previews,
            changed_since=changed_since,
            replays=replays,
        )
        return recipe

    return declare


_replayer: Callable[[RunContext], None] | None = None


def set_up_replay(recipe: Callable[[RunContext], None]) -> None:
    """Say who goes through the inputs of an old run: above the engine, as it knows what runs are about."""
    global _replayer
    _replayer = recipe


def replayer() -> Callable[[RunContext], None]:
    """What carries out a replay."""
    if _replayer is None:
        raise BadInput("nothing here can replay a run", place="replay", value="", cure="set the parts up first")
    return _replayer


def declared() -> dict[str, Declaration]:
    """Every flow this process knows, by kind."""
    return dict(_declared)


def find(kind: str) -> Declaration:
    """The declaration of a kind; raises BadInput where there is none."""
    if kind not in _declared:
        raise BadInput(f"no flow is called {kind!r}", place="kind", value=kind, cure=", ".join(sorted(_declared)))
    return _declared[kind]


def ensure_flows(channel_id: int, kinds: Iterable[str]) -> list[Flow]:
    """Give a channel its rows for these kinds; rows that are there keep their schedule, switch and cursor."""
    at = clock.now()
    channel = Channel.objects.get(pk=channel_id)
    rows = []
    for kind in kinds:
        declaration = find(kind)
        row = Flow(
            channel=channel,
            kind=kind,
            lane=declaration.lane,
            enabled=declaration.on_by_default,
            every=declaration.every,
            cron=declaration.cron,
            timezone=channel.timezone,
            next_at=_first(declaration.every, declaration.cron, channel.timezone, at),
        )
        rows.append(row)
    Flow.objects.bulk_create(rows, ignore_conflicts=True)
    return list(Flow.objects.filter(channel=channel, kind__in=[row.kind for row in rows]).order_by("id"))


def set_schedule(
    flow_id: int, *, every: int | None, cron: str, timezone: str, at: datetime, actor: Actor = SYSTEM
) -> None:
    """Give a flow another schedule, or none; raises BadInput where it makes no sense."""
    schedule.check(every, cron, timezone)
    row = Flow.objects.get(pk=flow_id)
    before = {"every": row.every, "cron": row.cron, "timezone": row.timezone}
    after = {"every": every, "cron": cron, "timezone": timezone}
    if before != after:
        facts = {"flow": flow_id, "kind": row.kind, "channel": row.channel_id, "before": before, "after": after}
        record("engine.flow.scheduled", facts, actor=actor, at=at, subject=f"flow:{flow_id}")
    Flow.objects.filter(pk=flow_id).update(
        every=every, cron=cron, timezone=timezone, next_at=_first(every, cron, timezone, at)
    )


def switch(flow_id: int, on: bool, *, at: datetime, actor: Actor = SYSTEM) -> None:
    """Turn a flow on or off; turned on, one with an interval is due at once."""
    row = Flow.objects.get(pk=flow_id)
    if row.enabled != on:
        facts = {"flow": flow_id, "kind": row.kind, "channel": row.channel_id, "on": on}
        record("engine.flow.switched", facts, actor=actor, at=at, subject=f"flow:{flow_id}")
    values: dict[str, Any] = {"enabled": on}
    if on:
        values |= {"next_at": _first(row.every, row.cron, row.timezone, at), "waits_until": None, "failures": 0}
    Flow.objects.filter(pk=flow_id).update(**values)


def start_over(flow_id: int, *, at: datetime) -> None:
    """Let the next run begin at the beginning. Harmless: whatever comes again is known by its key."""
    Flow.objects.filter(pk=flow_id).update(cursor={}, empty_at=at)


def _first(every: int | None, cron: str, timezone: str, at: datetime) -> datetime | None:
    if every:
        return at
    return schedule.next_at(None, cron, timezone, after=at, last=None)

"""Write an event in the surrounding transaction and let set-based handlers react in it.

Handlers are registered by `config/bootstrap.py`; they run in the same transaction, get all facts of the event at once
and must work set-wise. Reactions that may wait are drained after commit by flows, from facts the handlers leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comptoir.events.models import Event
from comptoir.kit import sql
from comptoir.kit.actor import Actor

Handler = Callable[["Happened"], None]
_handlers: dict[str, list[Handler]] = {}


@dataclass(frozen=True, slots=True)
class Happened:
    """What a handler gets."""

    name: str
    facts: dict[str, Any]
    actor: Actor
    at: datetime


def on(name: str, handler: Handler) -> None:
    """Let `handler` react to events called `name`; registering it twice changes nothing."""
    handlers = _handlers.setdefault(name, [])
    if handler not in handlers:
        handlers.append(handler)


def record(name: str, facts: dict[str, Any], *, actor: Actor, at: datetime, subject: str = "") -> None:
    """Write that it happened. `name` is past tense with a grammar (`orders.order.placed`); `facts` are JSON values."""
    sql.execute(
        f"INSERT INTO {Event._meta.db_table} (name, subject, facts, actor_kind, actor_id, actor_label, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [name, subject, sql.Jsonb(facts), actor.kind.value, actor.id, actor.label, at],
    )
    happened = Happened(name, facts, actor, at)
    for handler in _handlers.get(name, ()):
        handler(happened)

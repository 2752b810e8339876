"""How an order moves: two axes, each a table of moves, and one function per axis that applies them.

The moves alone change no stock: `actions` calls them together with what belongs to the move (cancelling releases).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.orders import events
from comptoir.commerce.orders.errors import Blocked, MoveNotAllowed, NotToPrepare
from comptoir.commerce.orders.models import Preparation, Status
from comptoir.events.record import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

MOVES: Mapping[Status, Set[Status]] = {
    Status.PENDING: {Status.PROCESSING, Status.ON_HOLD, Status.CANCELLED},
    Status.PROCESSING: {Status.ON_HOLD, Status.COMPLETE, Status.CANCELLED},
    Status.ON_HOLD: {Status.PENDING, Status.PROCESSING, Status.CANCELLED},
    Status.COMPLETE: set(),  # final
    Status.CANCELLED: set(),  # final, but for a cancellation that the channel took back: REOPENS
}
REOPENS: Mapping[Status, Set[Status]] = {Status.CANCELLED: {Status.PROCESSING}}

OPEN = (Status.PENDING, Status.PROCESSING, Status.ON_HOLD)

PREPARATION_MOVES: Mapping[Preparation, Set[Preparation]] = {
    Preparation.NEW: {Preparation.PICKED, Preparation.PACKED, Preparation.SHIPPED},
    Preparation.PICKED: {Preparation.NEW, Preparation.PACKED, Preparation.SHIPPED},
    Preparation.PACKED: {Preparation.NEW, Preparation.PICKED, Preparation.SHIPPED},
    Preparation.SHIPPED: {Preparation.NEW, Preparation.PICKED, Preparation.PACKED},  # the rest has come in
}


@dataclass(frozen=True, slots=True)
class Locked:
    """An order whose row this transaction holds."""

    id: int
    number: str
    channel: int | None
    external_id: str | None
    external_status: str
    status: Status
    preparation: Preparation
    is_history: bool
    is_blocked: bool
    is_cancelled_there: bool
    accepted_as: str
    meaning_there: str
    hold_reason: str
    carrier: str
    carrier_name: str
    warehouses: tuple[int, ...]
    placed_at: datetime
    currency: str
    total: Decimal
    theirs: dict[str, Any] | None

    @property
    def facts(self) -> dict[str, Any]:
        """What every event about one order tells."""
        return {"order": self.id, "number": self.number, "channel": self.channel, "external_id": self.external_id}


def lock(order: int) -> Locked:
    """Lock one order. Orders are locked before anything of inventory, and several only in the order of their ids."""
    row = sql.one(
        "SELECT id, number, channel, external_id, external_status, status, preparation, is_history, is_blocked,"
        " is_cancelled_there, accepted_as, meaning_there, hold_reason, carrier, carrier_name, warehouses, placed_at, currency, total,"
        " theirs::text FROM orders_order WHERE id = %s FOR UPDATE",
        [order],
    )
    if row is None:
        raise BadInput("there is no such order", place="order", value=order, cure="look it up in the list of orders")
    return Locked(
        *(
            *row[:5],
            Status(row[5]),
            Preparation(row[6]),
            *row[7:15],
            tuple(row[15]),
            *row[16:-1],
            row[-1] and json.loads(row[-1]),
        )
    )


def move(order: int, to: Status, *, reason: str, actor: Actor, at: datetime, reopen: bool = False) -> Locked:
    """Move an order's status, or refuse by name and number; the order as it was. `reopen` allows what REOPENS says."""
    locked = lock(order)
    allowed = MOVES[locked.status] | (REOPENS.get(locked.status, set()) if reopen else set())
    if to not in allowed:
        raise MoveNotAllowed(locked.number, locked.status, to)
    sql.execute("UPDATE orders_order SET status = %s, changed_at = %s WHERE id = %s", [to.value, at, order])
    note(order, "moved", before=locked.status, after=to, reason=reason, actor=actor, at=at)
    record(
        events.MOVED,
        {**locked.facts, "before": locked.status.value, "after": to.value, "reason": reason},
        actor=actor,
        at=at,
        subject=f"order:{order}",
    )
    return locked


def set_preparation(order: int, to: Preparation, *, actor: Actor, at: datetime, reason: str = "") -> Locked:
    """Move the preparation of a processing order that nobody blocks; the order as it was. Of a cancelled one, what lies in
    a basket or box may only be put back."""
    locked = lock(order)
    if locked.status != Status.CANCELLED or to != Preparation.NEW:
        must_be_preparable(locked)
    if to not in PREPARATION_MOVES[locked.preparation]:
        raise MoveNotAllowed(locked.number, locked.preparation, to)
    sql.execute("UPDATE orders_order SET preparation = %s, changed_at = %s WHERE id = %s", [to.value, at, order])
    note(order, "prepared", before=locked.preparation, after=to, reason=reason, actor=actor, at=at)
    return locked


def must_be_preparable(order: Locked) -> None:
    """Refuse what nobody may prepare or ship: not processing, or blocked."""
    if order.status != Status.PROCESSING:
        raise NotToPrepare(order.number, order.status)
    if order.is_blocked:
        raise Blocked(order.number)


def note(
    order: int,
    what: str,
    *,
    actor: Actor,
    at: datetime,
    before: str = "",
    after: str = "",
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """One entry of an order's history."""
    sql.execute(
        "INSERT INTO orders_history"
        ' ("order_id", what, before, after, reason, facts, actor_kind, actor_id, actor_label, at)'
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            order,
            what,
            str(before),
            str(after),
            reason[:255],
            sql.Jsonb(dict(facts or {})),
            actor.kind.value,
            actor.id,
            actor.label,
            at,
        ],
    )

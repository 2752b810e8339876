"""Orders that were open while their shop's old process went on shipping: before the hub takes over, a person says of each
whether it is shipped here or has left already. The latter are closed without a movement when stock is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from comptoir.commerce.orders import actions, events
from comptoir.commerce.orders.status import OPEN, note
from comptoir.events.record import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor


class Choice(StrEnum):
    """What a person said of an open order."""

    HERE = "here"  #: it is shipped here
    LEFT = "left"  #: it has left already; it is closed when stock is counted


_OPEN = [status.value for status in OPEN]
BLOCKED = "left before"  # why nobody prepares it until it is closed


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """Open orders of a channel, by what was said of them."""

    undecided: int
    here: int
    left: int


def counted(channel: int) -> OpenOrders:
    """How many open orders a channel has."""
    found: dict[str, int] = dict(
        sql.rows(
            "SELECT taken_over, count(*) FROM orders_order WHERE channel = %s AND status = ANY(%s) GROUP BY 1",
            [channel, _OPEN],
        )
    )
    return OpenOrders(found.get("", 0), found.get(Choice.HERE, 0), found.get(Choice.LEFT, 0))


def choose(channel: int, choice: Choice, *, orders: Collection[int] | None = None, at: datetime, actor: Actor) -> int:
    """Say it of these open orders of a channel (None: of those of which nothing was said); of how many it is news.

    What was said may be changed until stock is counted. Nobody prepares an order that has left.
    """
    which = "taken_over = ''" if orders is None else "id = ANY(%(orders)s) AND taken_over <> %(choice)s"
    changed = [
        row[0]
        for row in sql.rows(
            "WITH due AS (SELECT id FROM orders_order WHERE channel = %(channel)s AND status = ANY(%(open)s)"
            f" AND {which} ORDER BY id FOR UPDATE)"
            " UPDATE orders_order o SET taken_over = %(choice)s, changed_at = %(at)s FROM due WHERE o.id = due.id"
            " RETURNING o.id",
            {"channel": channel, "choice": choice.value, "orders": list(orders or ()), "open": _OPEN, "at": at},
        )
    ]
    for order in sorted(changed):
        note(order, "taken_over", after=choice.value, actor=actor, at=at)
        if choice is Choice.LEFT:
            actions.block(order, reason=BLOCKED, at=at, actor=actor)
        elif _is_blocked_by_this(order):
            actions.unblock(order, reason="", is_decided=False, at=at, actor=actor)
    if changed:
        facts = {"channel": channel, "choice": choice.value, "orders": len(changed)}
        record(events.TAKEN_OVER, facts, actor=actor, at=at, subject=f"channel:{channel}")
    return len(changed)


def _is_blocked_by_this(order: int) -> bool:
    return bool(
        sql.value(
            "SELECT is_blocked AND (SELECT reason FROM orders_history h WHERE h.order_id = o.id AND what = 'blocked'"
            " ORDER BY id DESC LIMIT 1) = %s FROM orders_order o WHERE id = %s",
            [BLOCKED, order],
        )
    )


def left(channel: int) -> Mapping[int, list[int]]:
    """Open orders of a channel that have left, each with its lines."""
    return dict(
        sql.rows(
            "SELECT o.id, array_agg(l.id) FROM orders_order o JOIN orders_line l ON l.order_id = o.id"
            " WHERE o.channel = %s AND o.taken_over = 'left' AND o.status = ANY(%s) GROUP BY 1 ORDER BY 1",
            [channel, _OPEN],
        )
    )


def forget(channel: int) -> None:
    """The old process ships again from now on: what was said of open orders says nothing of later."""
    sql.execute(
        "UPDATE orders_order SET taken_over = '' WHERE channel = %s AND status = ANY(%s) AND taken_over = 'here'",
        [channel, _OPEN],
    )

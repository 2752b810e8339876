"""Reading orders: the lists in their tabs, the search, one order's page, where orders stand.

Every filter goes with the one sort (when it was placed, either way) and has an index with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.orders import differences, external
from comptoir.commerce.orders.external import Standing
from comptoir.commerce.orders.models import Preparation, Status
from comptoir.commerce.orders.records import ZERO
from comptoir.kit import paging, sql
from comptoir.kit.errors import BadInput

SHORTEST_SEARCH = 3
MOST_FOUND = 1000
MOST_COUNTED = 10_000


class Tab(StrEnum):
    """The saved views of the list."""

    PREPARE = "prepare"  #: something is reserved and may leave
    BACKORDER = "backorder"  #: something waits for goods
    HOLD = "hold"  #: waits for a person
    CHANGED = "changed"  #: changed at the channel: preparation waits
    ALL = "all"  #: every order


_HAS = 'EXISTS (SELECT FROM {} AS promise WHERE promise."order" = placed.id)'
TABS: Mapping[Tab, str] = {
    Tab.PREPARE: f"placed.status = 'processing' AND NOT placed.is_blocked AND {_HAS.format('inventory_reservation')}",
    Tab.BACKORDER: f"placed.status = 'processing' AND {_HAS.format('inventory_backorder')}",
    Tab.HOLD: "placed.status = 'on_hold'",
    Tab.CHANGED: "placed.is_blocked",
    Tab.ALL: "true",
}


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; empty fields do not choose."""

    tab: Tab = Tab.ALL
    status: Status | None = None
    channel: int | None = None
    preparation: Preparation | None = None
    search: str = ""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order in a list."""

    id: int
    number: str
    channel: int | None
    external_number: str
    status: Status
    preparation: Preparation
    is_blocked: bool
    buyer: str
    total: Decimal
    currency: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Ids that a search found; `is_cut` where there are more."""

    orders: tuple[int, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line with its state: what of it has left, is cancelled, reserved (and where), or waits for goods."""

    id: int
    position: int
    kind: str
    parent: int | None
    variant: int | None
    external_id: str
    sku: str
    name: str
    quantity: Decimal
    cancelled: Decimal
    shipped: Decimal
    unit_price: Decimal
    total: Decimal
    tax_rate: Decimal | None
    tax: Decimal | None
    discount: Decimal
    reserved: Mapping[int, Decimal] = field(default_factory=dict)  # warehouse -> quantity
    picked: frozenset[int] = frozenset()
    backordered: Decimal = ZERO

    @property
    def open(self) -> Decimal:
        """What is still to be served."""
        return self.quantity - self.cancelled - self.shipped

    @property
    def is_finished(self) -> bool:
        """Struck through: all of it has left or is cancelled."""
        return self.open == 0


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What happened, who did it, why."""

    what: str
    before: str
    after: str
    reason: str
    facts: Mapping[str, Any]
    actor_kind: str
    actor_label: str
    at: datetime


def orders(wanted: OrderFilter, after: str | None = None, *, size: int = 50) -> paging.Slice[OrderRow]:
    """A page of orders."""
    where, params = _where(wanted)
    if after is not None:
        params |= dict(zip(("placed_at", "id"), paging.decode(after, 2), strict=True))
        comparison = ">" if wanted.oldest_first else "<"
        where += f" AND (placed.placed_at, placed.id) {comparison} (%(placed_at)s::timestamptz, %(id)s::bigint)"
    direction = "ASC" if wanted.oldest_first else "DESC"
    rows = sql.rows(
        f"""
        SELECT placed.id, placed.number, placed.channel, placed.external_number, placed.status, placed.preparation,
               placed.is_blocked, coalesce(nullif(placed.buyer ->> 'company', ''), placed.buyer ->> 'name', ''),
               placed.total, placed.currency, placed.placed_at
        FROM orders_order AS placed WHERE {where}
        ORDER BY placed.placed_at {direction}, placed.id {direction} LIMIT %(size)s
        """,
        {**params, "size": size + 1},
    )
    items = [OrderRow(*(*row[:4], Status(row[4]), Preparation(row[5]), *row[6:])) for row in rows[:size]]
    last = paging.encode([items[-1].placed_at.isoformat(), items[-1].id]) if len(rows) > size else None
    return paging.Slice(items, last)


def count(wanted: OrderFilter) -> int:
    """How many orders there are; one more than MOST_COUNTED means: more than that."""
    where, params = _where(wanted)
    return int(
        sql.value(
            f"SELECT count(*) FROM (SELECT FROM orders_order AS placed WHERE {where} LIMIT %(most)s) AS counted",
            {**params, "most": MOST_COUNTED + 1},
        )
    )


@dataclass(frozen=True, slots=True)
class Short:
    """Orders to prepare that wait for goods: some of theirs are reserved, or none. `is_cut`: there are more of either."""

    partly: int
    wholly: int
    is_cut: bool


def short_of_goods(*, most: int) -> Short:
    """How many there are, of the first so many that wait. They are few among the orders: whoever walks these meets them
    seldom. What waits knows when its order was placed, and the index of orders to prepare has that."""
    partly, wholly, met = sql.rows(
        """
        SELECT count(*) FILTER (WHERE is_open AND has_goods), count(*) FILTER (WHERE is_open AND NOT has_goods), count(*) FROM (
            SELECT EXISTS (SELECT FROM inventory_reservation AS promise WHERE promise."order" = waits."order" OFFSET 0) AS has_goods,
                   EXISTS (SELECT FROM orders_order AS placed WHERE placed.placed_at = waits.placed_at
                       AND placed.id = waits."order" AND placed.status = 'processing' AND NOT placed.is_blocked OFFSET 0) AS is_open
            FROM (SELECT DISTINCT "order", placed_at FROM inventory_backorder LIMIT %(most)s) AS waits
            OFFSET 0
        ) AS met
        """,
        {"most": most + 1},
    )[0]
    return Short(partly, wholly, met > most)


def _where(wanted: OrderFilter) -> tuple[str, dict[str, Any]]:
    conditions, params = [TABS[wanted.tab]], dict[str, Any]()
    for name, value in (
        ("status", wanted.status),
        ("channel", wanted.channel),
        ("preparation", wanted.preparation),
    ):
        if value is not None:
            conditions.append(f"placed.{name} = %({name})s")
            params[name] = str(value) if isinstance(value, str) else value
    if wanted.search:
        conditions.append("placed.id = ANY (%(found)s)")
        params["found"] = list(search(wanted.search).orders)
    return " AND ".join(conditions), params


def search(text: str) -> Found:
    """Orders that a text may mean: our number, theirs, or who bought; at most a thousand, the newest."""
    wanted = text.strip().lower()
    if len(wanted) < SHORTEST_SEARCH:
        raise BadInput(
            f"a search needs {SHORTEST_SEARCH} characters", place="search", value=text, cure="type some more"
        )
    like = "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    # The offset keeps the planner from walking the orders by id until it happens on a match.
    rows = sql.rows(
        "SELECT id FROM (SELECT id FROM orders_order WHERE search LIKE %s OFFSET 0) AS found ORDER BY id DESC LIMIT %s",
        [like, MOST_FOUND + 1],
    )
    found = [row[0] for row in rows]
    return Found(tuple(found[:MOST_FOUND]), len(found) > MOST_FOUND)


def lines(order: int) -> list[LineRow]:
    """The lines of an order with their state, in their order."""
    standings = stock.reserved_by_line([order])
    rows = sql.rows(
        "SELECT id, position, kind, parent_id, variant_id, external_id, sku, name, quantity, cancelled, shipped,"
        " unit_price, total, tax_rate, tax, discount FROM orders_line WHERE order_id = %s ORDER BY position",
        [order],
    )
    return [
        LineRow(*(*row, standing.reserved, standing.picked, standing.backordered))
        if (standing := standings.get(row[0]))
        else LineRow(*row)
        for row in rows
    ]


def timeline(order: int) -> list[HistoryRow]:
    """What happened to an order, the latest first."""
    rows = sql.rows(
        "SELECT what, before, after, reason, facts::text, actor_kind, actor_label, at FROM orders_history"
        " WHERE order_id = %s ORDER BY id DESC",
        [order],
    )
    return [HistoryRow(*(*row[:4], json.loads(row[4]), *row[5:])) for row in rows]


def by_sale(channel: int, external_ids: Collection[str]) -> dict[str, int]:
    """External id of a sale -> our order; sales that are not here are left out."""
    rows = sql.rows(
        "SELECT external_id, id FROM orders_order WHERE channel = %s AND external_id = ANY (%s)",
        [channel, list(external_ids)],
    )
    return {row[0]: row[1] for row in rows}


@dataclass(frozen=True, slots=True)
class Stood:
    """Where an order stands, and what we last knew of its channel's version: enough to see that nothing has changed."""

    order: int
    number: str
    standing: Standing
    external_status: str
    meaning_there: str
    theirs: Mapping[str, Any] | None


def standings(channel: int, external_ids: Sequence[str]) -> dict[str, Stood]:
    """Where the orders of these sales stand, by external id; a page at a time, before any of them is followed."""
    rows = sql.rows(
        """
        SELECT placed.external_id, placed.id, placed.number, placed.status, placed.is_cancelled_there,
               EXISTS (SELECT FROM orders_line AS line WHERE line.order_id = placed.id AND line.shipped > 0),
               placed.external_status, placed.meaning_there, placed.theirs::text
        FROM orders_order AS placed WHERE placed.channel = %s AND placed.external_id = ANY (%s)
        """,
        [channel, list(external_ids)],
    )
    return {
        row[0]: Stood(
            row[1],
            row[2],
            external.standing(row[3], has_left=row[5], is_cancelled_there=row[4]),
            row[6],
            row[7],
            json.loads(row[8]) if row[8] else None,
        )
        for row in rows
    }


def cancelled_here_only(order: int, theirs: Mapping[str, Any] | None = None) -> list[tuple[str, Decimal]]:
    """Units that were cancelled here and that the channel still sells, by SKU: by the version of it that we agreed on, or
    by this snapshot of another (`differences.snapshot`)."""
    lines = sql.rows(
        "SELECT external_id, sku, quantity - cancelled, cancelled FROM orders_line"
        " WHERE order_id = %s AND parent_id IS NULL AND cancelled > 0 ORDER BY position",
        [order],
    )
    if theirs is None and lines:
        text = sql.value("SELECT theirs::text FROM orders_order WHERE id = %s", [order])
        theirs = json.loads(text) if text else None
    there = differences.units(theirs) if theirs else {}
    found = []
    for external_id, sku, ours, cancelled in lines:
        # A line that has no name there cannot be found there: what was cancelled of it stays ours to tell.
        sold = there.get(external_id, ZERO) if external_id and theirs else ours + cancelled
        if sold > ours:
            found.append((sku or external_id, min(sold - ours, cancelled)))
    return found

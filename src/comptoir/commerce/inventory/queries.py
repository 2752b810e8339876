"""Reading stock: figures, what stands behind them, and the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.inventory.records import LevelFigures, LineStanding
from comptoir.kit import paging, sql

ZERO = Decimal(0)


def levels(variants: Collection[int]) -> list[LevelFigures]:
    """The kept figures of these variants, by variant and warehouse."""
    return [
        LevelFigures(*row)
        for row in sql.rows(
            "SELECT variant_id, warehouse_id, on_hand, reserved, held FROM inventory_level"
            " WHERE variant_id = ANY (%s) ORDER BY variant_id, warehouse_id",
            [list(variants)],
        )
    ]


def available(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Decimal]:
    """(variant, warehouse) -> what may be promised; pairs never counted are 0. Below zero where more is held than there is."""
    asked = list(pairs)
    found = {(f.variant, f.warehouse): f.available for f in levels({variant for variant, _ in asked})}
    return {pair: found.get(pair, ZERO) for pair in asked}


def reserved_by_line(orders: Collection[int]) -> dict[int, LineStanding]:
    """How each line of these orders stands; lines without reservation and backorder are left out."""
    return _standings('"order"', orders)


def standing_of_lines(lines: Collection[int]) -> dict[int, LineStanding]:
    """How each of these lines stands; those without reservation and backorder are left out."""
    return _standings("line", lines)


def _standings(column: str, ids: Collection[int]) -> dict[int, LineStanding]:
    reserved: dict[int, dict[int, Decimal]] = {}
    picked: dict[int, set[int]] = {}
    waiting: dict[int, Decimal] = {}
    known: dict[int, tuple[int, int]] = {}
    for line, order, variant, warehouse, quantity, is_picked in sql.rows(
        'SELECT line, "order", variant_id, warehouse_id, quantity, is_picked FROM inventory_reservation'
        f" WHERE {column} = ANY (%s) ORDER BY line, id",
        [list(ids)],
    ):
        known[line] = (order, variant)
        reserved.setdefault(line, {})[warehouse] = quantity
        if is_picked:
            picked.setdefault(line, set()).add(warehouse)
    for line, order, variant, quantity in sql.rows(
        f'SELECT line, "order", variant_id, quantity FROM inventory_backorder WHERE {column} = ANY (%s)', [list(ids)]
    ):
        known[line] = (order, variant)
        waiting[line] = quantity
    return {
        line: LineStanding(
            order, variant, reserved.get(line, {}), frozenset(picked.get(line, ())), waiting.get(line, ZERO)
        )
        for line, (order, variant) in known.items()
    }


@dataclass(frozen=True, slots=True)
class Cause:
    """Units of a figure and what they are for: an order (and its line) or the source of a hold."""

    quantity: Decimal
    order: int | None = None
    line: int | None = None
    source: str = ""
    scope: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WarehouseStanding:
    """A variant in one warehouse, with the causes of its figures. Holds for one selling point alone are not in `held`."""

    warehouse: int
    code: str
    name: str
    on_hand: Decimal
    reserved: Decimal
    held: Decimal
    available: Decimal
    reserved_by: tuple[Cause, ...]
    held_by: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """All that explains a variant's stock."""

    variant: int
    warehouses: tuple[WarehouseStanding, ...]
    waiting: tuple[Cause, ...]


def standing(variant: int) -> Standing:
    """Where a variant's figures come from: warehouses, orders, held sales, and who waits."""
    reserved: dict[int, list[Cause]] = {}
    for warehouse, quantity, order, line in sql.rows(
        'SELECT warehouse_id, quantity, "order", line FROM inventory_reservation WHERE variant_id = %s'
        " ORDER BY placed_at, line",
        [variant],
    ):
        reserved.setdefault(warehouse, []).append(Cause(quantity, order, line))
    held: dict[int, list[Cause]] = {}
    for warehouse, quantity, source, scope, until in sql.rows(
        "SELECT warehouse_id, quantity, source, scope, until FROM inventory_hold WHERE variant_id = %s ORDER BY until, id",
        [variant],
    ):
        held.setdefault(warehouse, []).append(Cause(quantity, source=source, scope=scope, until=until))
    warehouses = tuple(
        WarehouseStanding(
            warehouse, code, name, on_hand, reserved_, held_, on_hand - reserved_ - held_,
            tuple(reserved.get(warehouse, ())), tuple(held.get(warehouse, ())),
        )
        for warehouse, code, name, on_hand, reserved_, held_ in sql.rows(
            "SELECT warehouse.id, code, name, on_hand, reserved, held FROM inventory_level AS level"
            " JOIN inventory_warehouse AS warehouse ON warehouse.id = level.warehouse_id"
            " WHERE level.variant_id = %s ORDER BY position, warehouse.id",
            [variant],
        )
    )  # fmt: skip
    waiting = tuple(
        Cause(quantity, order, line)
        for quantity, order, line in sql.rows(
            'SELECT quantity, "order", line FROM inventory_backorder WHERE variant_id = %s ORDER BY placed_at, line',
            [variant],
        )
    )
    return Standing(variant, warehouses, waiting)


_LATEST_MOVEMENTS = """
SELECT id, count(*) OVER (PARTITION BY variant_id) FROM unnest(%(variants)s::bigint[]) AS wanted (variant) CROSS JOIN LATERAL (
    SELECT id, variant_id FROM inventory_movement WHERE variant_id = wanted.variant ORDER BY id DESC LIMIT %(each)s + 1
) AS newest ORDER BY id DESC LIMIT %(most)s + 1
"""


def latest_movements(variants: Collection[int], *, most: int, fewest: int) -> tuple[tuple[int, ...], bool]:
    """The newest movements of these variants, at most so many, and whether they have more: of many variants only some of
    each are looked at, never fewer than `fewest`."""
    each = max(fewest, most // max(1, len(variants)))
    found = sql.rows(_LATEST_MOVEMENTS, {"variants": list(variants), "each": each, "most": most})
    is_cut = len(found) > most or any(number > each for _movement, number in found)
    return tuple(movement for movement, _number in found[:most]), is_cut


@dataclass(frozen=True, slots=True)
class MovementFilter:
    """Which movements; empty fields do not choose."""

    variant: int | None = None
    warehouse: int | None = None
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class MovementRow:
    """A line of the ledger, with what was on hand afterwards at each end."""

    id: int
    variant: int
    sku: str
    from_warehouse: int | None
    to_warehouse: int | None
    quantity: Decimal
    from_balance: Decimal | None
    to_balance: Decimal | None
    reason: str
    reference: str
    comment: str
    supplier: str
    actor_kind: str
    actor_label: str
    at: datetime


def movements(wanted: MovementFilter, after: str | None = None, *, size: int = 50) -> paging.Slice[MovementRow]:
    """The ledger, newest first: of one variant in the order of booking, else by the time it happened."""
    conditions, params = [], dict[str, Any](size=size + 1)
    for column, value, comparison in (
        ("movement.variant_id", wanted.variant, "="),
        ("movement.reason", wanted.reason or None, "="),
        ("movement.at", wanted.since, ">="),
        ("movement.at", wanted.until, "<"),
    ):
        if value is not None:
            name = f"p{len(params)}"
            conditions.append(f"{column} {comparison} %({name})s")
            params[name] = value
    if wanted.warehouse is not None:
        conditions.append("(movement.from_warehouse_id = %(warehouse)s OR movement.to_warehouse_id = %(warehouse)s)")
        params["warehouse"] = wanted.warehouse
    of_one = wanted.variant is not None
    order = "movement.id DESC" if of_one else "movement.at DESC, movement.id DESC"
    keys = ["id"] if of_one else ["at", "id"]
    if after is not None:
        place = paging.decode(after, len(keys))
        params |= dict(zip(keys, place, strict=True))
        conditions.append(
            "movement.id < %(id)s::bigint"
            if len(keys) == 1
            else "(movement.at, movement.id) < (%(at)s::timestamptz, %(id)s::bigint)"
        )
    found = [
        MovementRow(*row)
        for row in sql.rows(
            f"""
            SELECT movement.id, movement.variant_id, variant.sku, from_warehouse_id, to_warehouse_id, quantity,
                   from_balance, to_balance, reason, reference, comment, supplier, actor_kind, actor_label, at
            FROM inventory_movement AS movement JOIN catalog_variant AS variant ON variant.id = movement.variant_id
            WHERE {" AND ".join(conditions) or "true"}
            ORDER BY {order}
            LIMIT %(size)s
            """,
            params,
        )
    ]
    rest = len(found) > size
    items = found[:size]
    last = paging.encode([getattr(items[-1], key) for key in keys]) if rest else None
    return paging.Slice(items, last)


@dataclass(frozen=True, slots=True)
class KitLevel:
    """How many of a kit can be made, per warehouse and in all. `mixed`: its parts may come from several warehouses."""

    by_warehouse: dict[int, Decimal]
    mixed: Decimal
    mixes_warehouses: bool

    @property
    def total(self) -> Decimal:
        """What counts: the sum over warehouses, unless mixing is allowed."""
        return self.mixed if self.mixes_warehouses else sum(self.by_warehouse.values(), ZERO)


def kit_levels(kits: Collection[int], warehouses: Collection[int]) -> dict[int, KitLevel]:
    """How many of each kit its parts allow, from these warehouses; whole kits, never below zero. A kit whose parts are not
    known yet allows none."""
    parts: dict[int, dict[int, Decimal]] = {}
    mixes: dict[int, bool] = {}
    for kit, mixes_warehouses, part, quantity in sql.rows(
        "SELECT kit.id, kit.mixes_warehouses, part.part_id, part.quantity FROM catalog_variant AS kit"
        " LEFT JOIN (catalog_kitpart AS part JOIN catalog_variant AS stocked"
        "            ON stocked.id = part.part_id AND stocked.is_stocked) ON part.kit_id = kit.id"
        " WHERE kit.id = ANY (%s) AND kit.kind = 'kit'",
        [list(kits)],
    ):
        of_kit = parts.setdefault(kit, {})
        mixes[kit] = mixes_warehouses
        if part is not None:
            of_kit[part] = quantity
    wanted = {part for of_kit in parts.values() for part in of_kit}
    free = available((part, warehouse) for part in wanted for warehouse in warehouses)
    return {
        kit: KitLevel(
            {warehouse: _makes(of_kit, {part: free[part, warehouse] for part in of_kit}) for warehouse in warehouses},
            _makes(of_kit, {part: sum((max(ZERO, free[part, w]) for w in warehouses), ZERO) for part in of_kit}),
            mixes[kit],
        )
        for kit, of_kit in parts.items()
    }


def _makes(parts: dict[int, Decimal], free: dict[int, Decimal]) -> Decimal:
    return min((max(ZERO, free[part]) // quantity for part, quantity in parts.items()), default=ZERO)

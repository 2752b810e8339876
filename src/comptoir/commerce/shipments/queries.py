"""Reading shipments: for an order's page, for lists, and the parcel that a channel is told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from comptoir.kit import paging, sql


@dataclass(frozen=True, slots=True)
class ParcelFacts:
    """What telling a channel of a parcel needs. `lines` are by the channel's line ids: a kit counts when whole."""

    shipment: int
    number: str
    key: str
    order: int
    channel: int | None
    sale: str | None  # external id
    carrier: str
    carrier_name: str
    tracking: str
    tracking_url: str
    shipped_at: datetime
    completes: bool
    is_ours: bool
    lines: tuple[tuple[str, Decimal], ...]
    all_tracking: tuple[
        str, ...
    ]  # of every parcel of the sale by now, oldest first, also when an early one is told again


@dataclass(frozen=True, slots=True)
class ShipmentLineRow:
    """So much of a line, from one warehouse."""

    line: int
    sku: str
    name: str
    warehouse: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    """A parcel as a page shows it."""

    id: int
    number: str
    order: int
    order_number: str
    carrier_name: str
    tracking: str
    tracking_url: str
    is_ours: bool
    completes: bool
    shipped_at: datetime
    actor: str
    lines: tuple[ShipmentLineRow, ...] = ()


def parcel_facts(shipment: int) -> ParcelFacts | None:
    """The parcel to tell a channel of; None where there is no such shipment."""
    row = sql.one(
        """
        SELECT parcel.id, parcel.number, parcel.key, placed.id, placed.channel, placed.external_id, parcel.carrier,
               parcel.carrier_name, parcel.tracking, parcel.tracking_url, parcel.shipped_at, parcel.completes,
               parcel.is_ours
        FROM shipments_shipment AS parcel JOIN orders_order AS placed ON placed.id = parcel.order_id
        WHERE parcel.id = %s
        """,
        [shipment],
    )
    if row is None:
        return None
    # Of a kit, as many as this parcel makes whole: what had left with it, less what had left before it.
    lines = sql.rows(
        """
        WITH parcel AS (SELECT id, order_id FROM shipments_shipment WHERE id = %s),
        gone AS (
            SELECT line.id, line.external_id, line.parent_id, line.position,
                   coalesce(sum(left_.quantity) FILTER (WHERE left_.shipment_id = parcel.id), 0) AS now,
                   coalesce(sum(left_.quantity) FILTER (WHERE left_.shipment_id < parcel.id), 0) AS before,
                   line.quantity
            FROM parcel
            JOIN orders_line AS line ON line.order_id = parcel.order_id AND line.kind IN ('goods', 'part')
            LEFT JOIN shipments_shipmentline AS left_ ON left_.line_id = line.id
            GROUP BY line.id
        ),
        told AS (
            SELECT external_id, position, now AS quantity FROM gone WHERE parent_id IS NULL
            UNION ALL
            SELECT heading.external_id, heading.position,
                   floor(min((gone.before + gone.now) * heading.quantity / gone.quantity))
                   - floor(min(gone.before * heading.quantity / gone.quantity))
            FROM gone JOIN orders_line AS heading ON heading.id = gone.parent_id
            GROUP BY heading.id
        )
        SELECT external_id, sum(quantity) FROM told WHERE quantity > 0 AND external_id <> ''
        GROUP BY external_id ORDER BY min(position)
        """,
        [shipment],
    )
    tracking = sql.rows(
        "SELECT tracking FROM shipments_shipment WHERE order_id = %s AND tracking <> '' ORDER BY id",
        [row[3]],
    )
    told = tuple((line, quantity) for line, quantity in lines)
    return ParcelFacts(*(*row, told, tuple(dict.fromkeys(number for (number,) in tracking))))


_ROWS = """
    SELECT parcel.id, parcel.number, placed.id, placed.number, coalesce(nullif(parcel.carrier_name, ''), parcel.carrier),
           parcel.tracking, parcel.tracking_url, parcel.is_ours, parcel.completes, parcel.shipped_at, parcel.actor_label
    FROM shipments_shipment AS parcel JOIN orders_order AS placed ON placed.id = parcel.order_id
"""


def of_order(order: int) -> list[ShipmentRow]:
    """The parcels of an order, oldest first, with their lines."""
    return _with_lines(sql.rows(f"{_ROWS} WHERE parcel.order_id = %s ORDER BY parcel.id", [order]))


def recent(after: str | None = None, *, size: int = 50) -> paging.Slice[ShipmentRow]:
    """All parcels, the last to leave first."""
    where, params = "", []
    if after is not None:
        where, params = "WHERE (parcel.shipped_at, parcel.id) < (%s::timestamptz, %s::bigint)", paging.decode(after, 2)
    rows = sql.rows(f"{_ROWS} {where} ORDER BY parcel.shipped_at DESC, parcel.id DESC LIMIT %s", [*params, size + 1])
    items = _with_lines(rows[:size])
    place = paging.encode([items[-1].shipped_at.isoformat(), items[-1].id]) if len(rows) > size else None
    return paging.Slice(items, place)


def _with_lines(rows: Sequence[sql.Row]) -> list[ShipmentRow]:
    lines: dict[int, list[ShipmentLineRow]] = {}
    for shipment, *line in sql.rows(
        """
        SELECT left_.shipment_id, line.id, line.sku, line.name, coalesce(warehouse.name, ''), left_.quantity
        FROM shipments_shipmentline AS left_
        JOIN orders_line AS line ON line.id = left_.line_id
        LEFT JOIN inventory_warehouse AS warehouse ON warehouse.id = left_.warehouse_id
        WHERE left_.shipment_id = ANY (%s) ORDER BY line.position, left_.id
        """,
        [[row[0] for row in rows]],
    ):
        lines.setdefault(shipment, []).append(ShipmentLineRow(*line))
    return [ShipmentRow(*(*row, tuple(lines.get(row[0], ())))) for row in rows]

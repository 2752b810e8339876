"""What each channel should be told, and why. One statement computes any number of levels at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.channels.records import StockFigure
from comptoir.kit import sql

# Level told = Σ over the point's warehouses of (on hand − reserved − held) − buffer, at least 0, within minimum and
# maximum; at a physical figure plus the units of that shop's own orders that it still subtracts.
# It subtracts by listing, also where two of them are one variant here, until it is told of the parcel; where the answer to
# that was lost it may know already, so those units are not counted: rather too few on sale than too many.
# A kit counts per warehouse, then summed, unless its parts may be mixed. An alias has its master's stock.
_COMPUTED = """
wanted AS (
    SELECT o.id, o.point_id, o.variant_id, o.listing, o.ref, o.told, o.touched, o.refusals, o.staged_units,
           p.external_id AS point, p.figure, p.buffer, p.minimum, p.maximum, m.kind, m.mixes_warehouses, m.id AS stocked
    FROM offers_offer o
    JOIN offers_sellingpoint p ON p.id = o.point_id
    JOIN catalog_variant v ON v.id = o.variant_id
    JOIN catalog_variant m ON m.id = coalesce(v.alias_of_id, v.id)
    WHERE o.id {which}
),
part AS (
    SELECT id, point_id, stocked AS variant_id, 1::numeric AS quantity, false AS is_kit, false AS mixes FROM wanted WHERE kind <> 'kit'
    UNION ALL
    SELECT w.id, w.point_id, k.part_id, k.quantity, true, w.mixes_warehouses
    FROM wanted w JOIN catalog_kitpart k ON k.kit_id = w.stocked
    JOIN catalog_variant stocked ON stocked.id = k.part_id AND stocked.is_stocked -- a download is never short
    WHERE w.kind = 'kit'
),
free AS (
    SELECT part.id, part.variant_id, part.quantity AS per_kit, part.is_kit, part.mixes, pw.warehouse_id,
           coalesce(l.on_hand - l.reserved - l.held, 0) - coalesce((
               SELECT sum(h.quantity) FROM inventory_hold h
               WHERE h.scope = part.point_id AND h.variant_id = part.variant_id AND h.warehouse_id = pw.warehouse_id
           ), 0) AS units
    FROM part
    JOIN offers_pointwarehouse pw ON pw.point_id = part.point_id
    LEFT JOIN inventory_level l ON l.variant_id = part.variant_id AND l.warehouse_id = pw.warehouse_id
),
stock AS (
    SELECT id, sum(units) AS units FROM free WHERE NOT is_kit GROUP BY id
    UNION ALL
    SELECT id, sum(sets) FROM (
        SELECT id, min(floor(greatest(units, 0) / per_kit)) AS sets
        FROM free WHERE is_kit AND NOT mixes GROUP BY id, warehouse_id
    ) per_warehouse GROUP BY id
    UNION ALL
    SELECT id, min(floor(greatest(units, 0) / per_kit)) FROM (
        SELECT id, per_kit, sum(units) AS units FROM free WHERE is_kit AND mixes GROUP BY id, variant_id, per_kit
    ) per_part GROUP BY id
),
subtracted AS (
    SELECT w.id, sum(l.quantity - l.cancelled
        - CASE l.kind WHEN 'goods' THEN l.shipped - gone.untold ELSE coalesce(gone.kits, l.shipped) END) AS units
    FROM wanted w
    JOIN orders_order o ON o.selling_point = w.point_id AND NOT o.is_history AND o.status <> 'cancelled'
        AND o.meaning_there NOT IN ('shipped', 'cancelled', 'refunded')
    JOIN orders_line l ON l.order_id = o.id AND l.variant_id = w.stocked AND l.listing = w.listing AND l.kind IN ('goods', 'kit')
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(parcel.untold), 0) AS untold,
               floor(min((part.shipped - parcel.untold) * l.quantity / part.quantity)) AS kits
        FROM orders_line part
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(sl.quantity), 0) AS untold
            FROM shipments_shipmentline sl JOIN shipments_shipment s ON s.id = sl.shipment_id
            JOIN engine_effect e ON e.kind = 'tracking' AND e.key = 'shipment:' || s.id AND e.channel_id = o.channel
            WHERE sl.line_id = part.id AND s.is_ours AND e.state NOT IN ('done', 'dropped')
              AND NOT (e.state = 'called' AND e.next_at IS NOT NULL)
        ) parcel
        WHERE part.order_id = o.id
          AND (part.id = l.id AND l.kind = 'goods' OR part.parent_id = l.id AND part.kind = 'part')
    ) gone
    WHERE w.figure = 'physical'
    GROUP BY w.id
),
computed AS (
    SELECT w.id, w.listing, w.ref, w.point, w.variant_id, w.told, w.touched,
           least(greatest(coalesce(stock.units, 0) - w.buffer, w.minimum, 0), coalesce(w.maximum, 'Infinity'))
           + CASE WHEN w.figure = 'physical' THEN coalesce(subtracted.units, 0) + w.staged_units ELSE 0 END AS level,
           w.refusals
    FROM wanted w
    LEFT JOIN stock USING (id) LEFT JOIN subtracted USING (id)
)
"""
_LEVELS = f"WITH {_COMPUTED.replace('{which}', '= ANY(%(offers)s)')} SELECT * FROM computed ORDER BY id"

# Which of the loaded figures want a look: the level differs, the row is written by another ref, or nothing is told there.
_DIFFERING = f"""
WITH found AS MATERIALIZED (
    SELECT f.place, f.quantity, f.ref, o.id AS offer, o.ref AS known_ref,
           coalesce(o.is_active AND NOT o.owns_stock AND NOT (o.is_waiting AND o.told IS NULL AND o.refusals > 0), false)
               AS is_told
    FROM offers_figure_read f
    LEFT JOIN (
        SELECT o.*, p.external_id AS point, p.owns_stock FROM offers_offer o
        JOIN offers_sellingpoint p ON p.id = o.point_id WHERE p.channel_id = %(channel)s
    ) o ON o.point = f.point AND o.listing = f.listing
),
{_COMPUTED.replace("{which}", "IN (SELECT offer FROM found WHERE is_told)")}
SELECT found.place, found.is_told, coalesce(found.known_ref <> found.ref, false), computed.level
FROM found LEFT JOIN computed ON computed.id = found.offer
WHERE NOT found.is_told OR computed.level <> found.quantity OR found.known_ref <> found.ref
ORDER BY found.place
"""


@dataclass(frozen=True, slots=True)
class Level:
    """What an offer should be told now. `told` None: unknown. `touched` fences the answer (see `actions.told`)."""

    offer: int
    listing: str
    ref: str
    point: str
    variant: int
    told: Decimal | None
    touched: int
    level: Decimal
    failures: int = 0  # in a row so far


def levels(offers: Sequence[int]) -> list[Level]:
    """The level of each offer at this moment, in one statement, by id."""
    return [Level(*row) for row in sql.rows(_LEVELS, {"offers": list(offers)})]


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of figures that were held against our levels; the others agree."""

    differing: list[tuple[StockFigure, Decimal]]  # with the level that we would tell
    untold: list[StockFigure]  # nothing is told there, or it was refused and waits
    moved: list[StockFigure]  # written by another ref than we knew


def compare(channel: int, figures: Sequence[StockFigure]) -> Compared:
    """Hold figures read at a channel against the levels of this moment, however many, in one statement; wants an open
    transaction."""
    sql.load(
        "offers_figure_read",
        ("place", "listing", "point", "ref", "quantity"),
        ((place, one.listing, one.selling_point, one.ref, one.quantity) for place, one in enumerate(figures)),
        types=("int4", "text", "text", "text", "numeric"),
    )
    differing, untold, moved = [], [], []
    for place, is_told, is_moved, level in sql.rows(_DIFFERING, {"channel": channel}):
        figure = figures[place]
        if not is_told:
            untold.append(figure)
        elif level != figure.quantity:
            differing.append((figure, level))
        if is_moved:
            moved.append(figure)
    return Compared(differing, untold, moved)


_WAITING = """
SELECT o.id FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id
WHERE p.channel_id = %s AND NOT p.owns_stock AND o.is_waiting AND o.is_active AND o.id > %s
  AND (o.not_before IS NULL OR o.not_before <= %s) ORDER BY o.id LIMIT %s
"""


def waiting_ids(channel: int, *, after: int, size: int, at: datetime, lock: bool = False) -> list[int]:
    """Offers of a channel that wait to be told, by id; those refused lately wait longer. `lock`: for the transaction."""
    return [row[0] for row in sql.rows(_WAITING + ("FOR UPDATE OF o" if lock else ""), [channel, after, at, size])]


def channels_waiting(channels: Sequence[int], at: datetime) -> set[int]:
    """Which of these channels have an offer to tell."""
    return {
        row[0]
        for row in sql.rows(
            "SELECT c FROM unnest(%s::bigint[]) c WHERE EXISTS (SELECT 1 FROM offers_offer o"
            " JOIN offers_sellingpoint p ON p.id = o.point_id WHERE p.channel_id = c AND NOT p.owns_stock"
            " AND o.is_waiting AND o.is_active AND (o.not_before IS NULL OR o.not_before <= %s))",
            [list(channels), at],
        )
    }


def has_marks() -> bool:
    """Whether any change of stock has not been spread to offers yet."""
    return bool(sql.value("SELECT EXISTS (SELECT 1 FROM inventory_mark)"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much a channel has yet to be told. Undrained marks count: they will become waiting offers."""

    count: int
    oldest: datetime | None


def waiting(channel: int) -> Waiting:
    """Waiting offers of a channel and the age of the oldest, with what undrained marks will make wait."""
    row = sql.one(
        """
        WITH marked AS (
            SELECT DISTINCT variant AS id FROM inventory_mark
        ), touched AS (
            SELECT id FROM marked
            UNION SELECT kit_id FROM catalog_kitpart JOIN marked ON marked.id = part_id
            UNION SELECT v.id FROM catalog_variant v JOIN marked ON marked.id = v.alias_of_id
        )
        SELECT count(*), min(waiting_since) FROM offers_offer o
        JOIN offers_sellingpoint p ON p.id = o.point_id
        WHERE p.channel_id = %s AND NOT p.owns_stock AND o.is_active
          AND (o.is_waiting OR o.variant_id IN (SELECT id FROM touched))
        """,
        [channel],
    )
    assert row is not None  # noqa: S101 - an aggregate always has its row
    return Waiting(row[0], row[1])


def waiting_by_channel(*, most: int) -> dict[int, Waiting]:
    """The same for every channel at once, counted up to just above `most` at each point, without what marks will add."""
    rows = sql.rows(
        """
        SELECT p.channel_id, sum(counted.number)::bigint, min(oldest.since) FROM offers_sellingpoint p
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM (
            SELECT FROM offers_offer o WHERE o.point_id = p.id AND o.is_waiting AND o.is_active LIMIT %s) met) counted
        CROSS JOIN LATERAL (SELECT min(waiting_since) AS since FROM offers_offer o
            WHERE o.point_id = p.id AND o.is_waiting AND o.is_active) oldest
        WHERE NOT p.owns_stock GROUP BY p.channel_id
        """,
        [most + 1],
    )
    return {row[0]: Waiting(row[1], row[2]) for row in rows}


@dataclass(frozen=True, slots=True)
class Explained:
    """One channel's number for a variant, and every figure it comes from."""

    channel: int
    channel_name: str
    point: int
    point_name: str
    offer: int
    listing: str
    level: Decimal
    told: Decimal | None
    told_at: datetime | None
    told_run: int | None
    is_waiting: bool
    is_active: bool
    buffer: Decimal
    minimum: Decimal
    maximum: Decimal | None
    figure: str
    warehouses: list[dict[str, Any]]  # [{"id", "name", "on_hand", "reserved", "held", "own_held", "free"}]
    kind: str
    parts: list[dict[str, Any]]  # of a kit: [{"sku", "per_kit", "free"}]


def explain(variant: int) -> list[Explained]:
    """For each offer of a variant: the level that we would tell now, what was told, and the figures behind it."""
    offers = sql.rows(
        "SELECT o.id, c.id, c.name, p.id, p.name, o.listing, o.told, o.told_at, o.told_run, o.is_waiting OR EXISTS"
        " (SELECT 1 FROM inventory_mark m WHERE m.variant = o.variant_id OR m.variant = v.alias_of_id"
        "  OR m.variant IN (SELECT part_id FROM catalog_kitpart WHERE kit_id = v.id)),"
        " o.is_active, p.buffer, p.minimum, p.maximum, p.figure, v.kind, coalesce(v.alias_of_id, v.id)"
        " FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
        " JOIN channels_channel c ON c.id = p.channel_id JOIN catalog_variant v ON v.id = o.variant_id"
        " WHERE o.variant_id = %s ORDER BY c.id, p.id, o.id",
        [variant],
    )
    figures = {level.offer: level.level for level in levels([row[0] for row in offers])}
    found = []
    for row in offers:
        (offer, channel, channel_name, point, point_name, listing, told, told_at, told_run, is_waiting, is_active) = (
            row[:11]
        )
        buffer, minimum, maximum, figure, kind, stocked = row[11:]
        found.append(
            Explained(
                channel, channel_name, point, point_name, offer, listing, figures[offer], told, told_at, told_run,
                is_waiting, is_active, buffer, minimum, maximum, figure,
                _by_warehouse(point, stocked), kind, _parts(point, variant) if kind == "kit" else [],
            )
        )  # fmt: skip
    return found


def _by_warehouse(point: int, variant: int) -> list[dict[str, Any]]:
    names = ("id", "name", "on_hand", "reserved", "held", "own_held", "free")
    return [
        dict(zip(names, row, strict=True))
        for row in sql.rows(
            """
            SELECT w.id, w.name, coalesce(l.on_hand, 0), coalesce(l.reserved, 0), coalesce(l.held, 0), own.quantity,
                   coalesce(l.on_hand - l.reserved - l.held, 0) - own.quantity
            FROM offers_pointwarehouse pw JOIN inventory_warehouse w ON w.id = pw.warehouse_id
            LEFT JOIN inventory_level l ON l.warehouse_id = w.id AND l.variant_id = %(variant)s
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(quantity), 0) AS quantity FROM inventory_hold h
                WHERE h.scope = pw.point_id AND h.variant_id = %(variant)s AND h.warehouse_id = w.id
            ) own
            WHERE pw.point_id = %(point)s ORDER BY pw.position, w.id
            """,
            {"point": point, "variant": variant},
        )
    ]


def _parts(point: int, kit: int) -> list[dict[str, Any]]:
    return [
        {"variant": variant, "sku": sku, "per_kit": per_kit, "warehouses": _by_warehouse(point, variant)}
        for variant, sku, per_kit in sql.rows(
            "SELECT v.id, v.sku, k.quantity FROM catalog_kitpart k JOIN catalog_variant v ON v.id = k.part_id"
            " WHERE k.kit_id = %s ORDER BY v.sku",
            [kit],
        )
    ]


def linked(channel: int, listings: Sequence[str]) -> dict[str, int]:
    """Variant by listing, for those that are linked; also where the listing is gone: old sales still name it."""
    return dict(
        sql.rows(
            "SELECT external_id, variant_id FROM offers_link WHERE channel_id = %s AND kind = 'listing'"
            " AND external_id = ANY(%s)",
            [channel, list(listings)],
        )
    )


def mapped(channel: int, kind: str) -> dict[str, str]:
    """What a channel's statuses, carriers or payment methods are here; unmapped ones are left out."""
    return dict(
        sql.rows(
            "SELECT external_id, ours FROM offers_mapping WHERE channel_id = %s AND kind = %s AND ours <> ''",
            [channel, kind],
        )
    )


@dataclass(frozen=True, slots=True)
class PointSources:
    """A selling point and the warehouses that serve it, in order."""

    id: int
    external_id: str
    figure: str
    warehouses: tuple[int, ...]


def points(channel: int) -> dict[str, PointSources]:
    """The selling points of a channel by their external id."""
    return {
        row[1]: PointSources(row[0], row[1], row[2], tuple(row[3]))
        for row in sql.rows(
            "SELECT p.id, p.external_id, p.figure, coalesce(array_agg(pw.warehouse_id ORDER BY pw.position, pw.warehouse_id)"
            " FILTER (WHERE pw.id IS NOT NULL), '{}') FROM offers_sellingpoint p"
            " LEFT JOIN offers_pointwarehouse pw ON pw.point_id = p.id WHERE p.channel_id = %s GROUP BY p.id",
            [channel],
        )
    }

"""What each channel should be told, and why. One statement computes any number of levels at this moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
_LEVEL = """
least(greatest(
    CASE WHEN EXISTS (SELECT FROM catalog_variant v WHERE v.id = o.variant_id AND v.kind <> 'simple') THEN ({composed})
        ELSE coalesce({units}, 0) - {held} END
    - p.buffer, p.minimum, 0), coalesce(p.maximum, 'Infinity'))
+ CASE p.figure WHEN 'physical' THEN ({subtracted}) + o.staged_units ELSE 0 END
"""
_FREE = "coalesce(sum(l.on_hand - l.reserved - l.held), 0)"
# Units of sales that are no orders yet, set aside at this point alone. Most have none. (EXISTS, here and above, is looked
# up in a hash where there are thousands to ask about; a sum never is.)
_OWN = "inventory_hold h WHERE h.scope = p.id AND h.variant_id = {stocked}"
_HELD = f"""
CASE WHEN EXISTS (SELECT FROM {_OWN}) THEN (
    SELECT coalesce(sum(h.quantity), 0) FROM {_OWN}
    AND h.warehouse_id IN (SELECT warehouse_id FROM offers_pointwarehouse w WHERE w.point_id = p.id)
) ELSE 0 END
"""
# What each part of a kit has free in each warehouse of the point; a download is never short.
_PARTS = """
SELECT k.part_id, k.quantity AS per_kit, w.warehouse_id,
       coalesce(part.on_hand - part.reserved - part.held, 0) - coalesce((
           SELECT sum(h.quantity) FROM inventory_hold h
           WHERE h.scope = p.id AND h.variant_id = k.part_id AND h.warehouse_id = w.warehouse_id
       ), 0) AS units
FROM catalog_kitpart k
JOIN catalog_variant goods ON goods.id = k.part_id AND goods.is_stocked
JOIN offers_pointwarehouse w ON w.point_id = p.id
LEFT JOIN inventory_level part ON part.variant_id = k.part_id AND part.warehouse_id = w.warehouse_id
WHERE k.kit_id = stocked.id
"""
# Kits and aliases are few: looked up one by one, so that the others need no join with the catalogue.
_COMPOSED = f"""
SELECT CASE WHEN stocked.kind <> 'kit' THEN (
    SELECT {_FREE} FROM offers_pointwarehouse w
    JOIN inventory_level l ON l.warehouse_id = w.warehouse_id AND l.variant_id = stocked.id WHERE w.point_id = p.id
) - {_HELD.format(stocked="stocked.id")}
WHEN stocked.mixes_warehouses THEN (
    SELECT coalesce(min(floor(greatest(units, 0) / per_kit)), 0) FROM (
        SELECT per_kit, sum(units) AS units FROM ({_PARTS}) parts GROUP BY part_id, per_kit
    ) per_part
) ELSE (
    SELECT coalesce(sum(sets), 0) FROM (
        SELECT min(floor(greatest(units, 0) / per_kit)) AS sets FROM ({_PARTS}) parts GROUP BY warehouse_id
    ) per_warehouse
) END
FROM catalog_variant v JOIN catalog_variant stocked ON stocked.id = coalesce(v.alias_of_id, v.id)
WHERE v.id = o.variant_id
"""
# What sells well has thousands of lines, nearly all of orders that the shop has done with: their orders are looked up in a
# hash, and only lines of the others are read. (Without the OFFSET the two readings of a line are made one, by its row.)
_OPEN_THERE = (
    "NOT {0}.is_history AND {0}.status <> 'cancelled' AND {0}.meaning_there NOT IN ('shipped', 'cancelled', 'refunded')"
)
_SUBTRACTED = f"""
SELECT coalesce(sum(l.quantity - l.cancelled
    - CASE l.kind WHEN 'goods' THEN l.shipped - gone.untold ELSE coalesce(gone.kits, l.shipped) END), 0)
FROM (
    SELECT id FROM orders_line
    WHERE variant_id = (SELECT coalesce(v.alias_of_id, v.id) FROM catalog_variant v WHERE v.id = o.variant_id)
      AND (order_id IN (SELECT id FROM orders_order known WHERE {_OPEN_THERE.format("known")})) IS TRUE
    OFFSET 0
) its
JOIN orders_line l ON l.id = its.id
JOIN orders_order placed ON placed.id = l.order_id AND placed.selling_point = p.id AND {_OPEN_THERE.format("placed")}
CROSS JOIN LATERAL (
    SELECT coalesce(sum(parcel.untold), 0) AS untold,
           floor(min((part.shipped - parcel.untold) * l.quantity / part.quantity)) AS kits
    FROM orders_line part
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(sl.quantity), 0) AS untold
        FROM shipments_shipmentline sl JOIN shipments_shipment s ON s.id = sl.shipment_id
        JOIN engine_effect e ON e.kind = 'tracking' AND e.key = 'shipment:' || s.id AND e.channel_id = placed.channel
        WHERE sl.line_id = part.id AND s.is_ours AND e.state NOT IN ('done', 'dropped')
          AND NOT (e.state = 'called' AND e.next_at IS NOT NULL)
    ) parcel
    WHERE part.order_id = placed.id
      AND (part.id = l.id AND l.kind = 'goods' OR part.parent_id = l.id AND part.kind = 'part')
) gone
WHERE l.listing = o.listing AND l.kind IN ('goods', 'kit')
"""


def _level(units: str) -> str:
    """The level as an expression over an offer o, its point p and the units that are free of its variant there."""
    return _LEVEL.format(
        composed=_COMPOSED, held=_HELD.format(stocked="o.variant_id"), subtracted=_SUBTRACTED, units=units
    )


_LEVELS = f"""
SELECT o.id, o.listing, o.ref, p.external_id, o.variant_id, o.told, o.touched, {_level(_FREE)}, o.refusals
FROM offers_offer o
JOIN offers_sellingpoint p ON p.id = o.point_id
LEFT JOIN offers_pointwarehouse pw ON pw.point_id = p.id
LEFT JOIN inventory_level l ON l.variant_id = o.variant_id AND l.warehouse_id = pw.warehouse_id
WHERE o.id = ANY(%(offers)s) GROUP BY o.id, p.id ORDER BY o.id
"""


def _differing(units: str, stock: str = "") -> str:
    """Which of the figures put aside want a look: nothing is told there (the channel owns its stock, or refused and waits),
    the level differs, or the row is written by another ref."""
    return f"""
        SELECT listing, point, ref, quantity, is_told, is_told AND ref <> known_ref, CASE WHEN level <> quantity THEN level END
        FROM (
            SELECT f.ctid AS place, f.listing, f.point, f.quantity, f.ref, o.id IS NOT NULL AS is_told, o.ref AS known_ref,
                   {_level(units)} AS level
            FROM {{table}} f
            LEFT JOIN (offers_sellingpoint p JOIN offers_offer o ON o.point_id = p.id)
                ON p.channel_id = %(channel)s AND p.external_id = f.point AND o.listing = f.listing AND o.is_active
                AND NOT p.owns_stock AND NOT (o.is_waiting AND o.told IS NULL AND o.refusals > 0)
            {stock} OFFSET 0 -- the level is computed once for each
        ) compared
        WHERE NOT is_told OR level <> quantity OR ref <> known_ref ORDER BY place
    """


TOGETHER = 10_000  # figures copied in one go: a page of a thousand costs more in coming and going than in rows

# A few figures look their stock up; for many it is added up for the whole channel in passing, and where every point sells from
# one warehouse there is nothing to add up.
FEW = 5_000
_FEW = _differing(
    f"""(SELECT {_FREE} FROM offers_pointwarehouse w JOIN inventory_level l USING (warehouse_id)
         WHERE w.point_id = p.id AND l.variant_id = o.variant_id)"""
)
_MANY = _differing(
    "stock.units",
    f"""LEFT JOIN (
            SELECT w.point_id, l.variant_id, {_FREE} AS units FROM offers_sellingpoint mine
            JOIN offers_pointwarehouse w ON w.point_id = mine.id
            JOIN inventory_level l ON l.warehouse_id = w.warehouse_id
            WHERE mine.channel_id = %(channel)s GROUP BY w.point_id, l.variant_id
        ) stock ON stock.point_id = p.id AND stock.variant_id = o.variant_id""",
)
_MANY_OF_ONE = _differing(
    "coalesce(own.on_hand - own.reserved - own.held, 0)",
    """LEFT JOIN (offers_pointwarehouse place JOIN inventory_level own ON own.warehouse_id = place.warehouse_id)
       ON place.point_id = p.id AND own.variant_id = o.variant_id""",
)
_SELLS_FROM_SEVERAL = """
SELECT EXISTS (
    SELECT FROM offers_sellingpoint p JOIN offers_pointwarehouse w ON w.point_id = p.id
    WHERE p.channel_id = %s GROUP BY p.id HAVING count(*) > 1
)
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
    return [Level(*row) for row in sql.rows(_LEVELS, {"offers": list(offers)}, keep_plan=True)]


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of figures that were held against our levels; the others agree."""

    differing: list[tuple[StockFigure, Decimal]]  # with the level that we would tell
    untold: list[StockFigure]  # nothing is told there, or it was refused and waits
    moved: list[StockFigure]  # written by another ref than we knew


class Figures:
    """Figures read at a channel, put aside in this connection's temporary table until all of them are compared at once:
    a statement a page would look up what one statement reads in passing."""

    _COLUMNS = ("listing", "point", "ref", "quantity")
    _TYPES = ("text", "text", "text", "numeric")

    def __init__(self, channel: int, table: str = "offers_figure_read") -> None:
        self._channel = channel
        self._table = table
        self.count = 0
        self._coming: list[StockFigure] = []
        sql.fresh(self._table, self._COLUMNS, types=self._TYPES)

    def add(self, figures: Sequence[StockFigure]) -> None:
        """Put these aside; each listing at each point once."""
        self._coming += figures
        self.count += len(figures)
        if len(self._coming) >= TOGETHER:
            self._copy()

    def _copy(self) -> None:
        coming = self._coming
        columns: dict[str, list[Any]] = {
            "listing": [one.listing for one in coming],
            "point": [one.selling_point for one in coming],
            "ref": [one.ref for one in coming],
            "quantity": [one.quantity for one in coming],
        }
        sql.add(self._table, columns, types=self._TYPES)
        self._coming = []

    def compare(self) -> Compared:
        """Hold them against the levels of this moment; wants an open transaction."""
        self._copy()
        sql.analyze(self._table)
        sql.execute("SET LOCAL work_mem = '256MB'")  # a million rows are hashed: not on disk
        statement = self._statement().format(table=self._table)
        differing, untold, moved = [], [], []
        for listing, point, ref, quantity, is_told, is_moved, level in sql.rows(statement, {"channel": self._channel}):
            figure = StockFigure(listing=listing, selling_point=point, quantity=quantity, ref=ref)
            if not is_told:
                untold.append(figure)
            elif level is not None:
                differing.append((figure, level))
            if is_moved:
                moved.append(figure)
        return Compared(differing, untold, moved)

    def _statement(self) -> str:
        if self.count <= FEW:
            return _FEW
        # A warehouse that is added in this instant makes figures look wrong; they are read and compared again, as few.
        return _MANY if sql.value(_SELLS_FROM_SEVERAL, [self._channel]) else _MANY_OF_ONE

    def among(self, refs: Collection[str], listings: Collection[str]) -> list[StockFigure]:
        """Those that are written by one of these refs or are of one of these listings."""
        found = sql.rows(
            f"SELECT listing, point, ref, quantity FROM {self._table} WHERE ref = ANY(%s) OR listing = ANY(%s)",
            [sorted(refs), sorted(listings)],
        )
        return [StockFigure(listing=row[0], selling_point=row[1], ref=row[2], quantity=row[3]) for row in found]

    def forget(self) -> None:
        """They are dealt with; the next ones may come."""
        self.count = 0
        sql.fresh(self._table, self._COLUMNS, types=self._TYPES)


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

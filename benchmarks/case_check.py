"""Stock check: every figure of a channel that answers at once, held against the level of that instant; beside one SQL join
over the same figures, put into a table beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg

from benchmarks import measured
from benchmarks.case_push import MANY
from benchmarks.harness import Bench, Row, seconds, within
from comptoir.channels.records import Page, StockFigure

PAGE = 1_000  # figures, as PrestaShop's webservice gives them
WRONG = 10  # figures that differ

JOIN = """
SELECT f.listing, f.quantity, l.on_hand - l.reserved - l.held FROM measured_figure f
JOIN offers_sellingpoint p ON p.channel_id = %s AND p.external_id = f.point
JOIN offers_offer o ON o.point_id = p.id AND o.listing = f.listing AND o.is_active
JOIN offers_pointwarehouse w ON w.point_id = p.id
JOIN inventory_level l ON l.variant_id = o.variant_id AND l.warehouse_id = w.warehouse_id
WHERE f.quantity <> greatest(l.on_hand - l.reserved - l.held - p.buffer, p.minimum, 0)
"""


class Source:
    """The figures as a shop gives them; its pages are made beforehand, as its answers would be."""

    def __init__(self) -> None:
        self._by_ref: dict[str, Decimal] = {}
        self._pages: list[Page[StockFigure]] = []

    def show(self, figures: Sequence[tuple[str, Decimal]]) -> None:
        """These from now on."""
        self._by_ref = dict(figures)
        for start in range(0, len(figures), PAGE):
            items = [_figure(listing, quantity) for listing, quantity in figures[start : start + PAGE]]
            self._pages.append(Page(items=items, cursor={"from": start + PAGE}, seen=tuple(one.ref for one in items)))

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        return iter(self._pages[int(str(cursor.get("from", 0))) // PAGE :])

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        return Page(items=[_figure(ref, self._by_ref[ref]) for ref in refs], cursor={}, seen=tuple(refs))


def _figure(listing: str, quantity: Decimal) -> StockFigure:
    return StockFigure(listing=listing, selling_point="1", quantity=quantity, ref=listing)


def run(bench: Bench) -> list[Row]:
    """Seconds for all figures."""
    from comptoir.engine.models import Finding

    source = Source()
    it = measured.connect("check_stock", stock=source)
    count = bench.variants or bench.size(100_000, 2_000)

    def check() -> float:
        took = seconds(it.run)
        found = Finding.objects.filter(channel=it.channel, code="stock_differs", closed_at=None).count()
        if found != WRONG:
            raise RuntimeError(f"{found} differences were found, not {WRONG}")
        return took

    def join() -> float:
        differ: list[Any] = []
        took = seconds(lambda: differ.extend(connection.execute(JOIN, [it.channel.pk])))
        if len(differ) != WRONG:
            raise RuntimeError(f"the join found {len(differ)} differences, not {WRONG}")
        return took

    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(MANY, {"count": count, "warehouse": it.warehouse.pk, "point": it.point.pk})
        connection.execute(
            "UPDATE offers_offer o SET told = l.on_hand, is_waiting = false FROM inventory_level l"
            " WHERE o.point_id = %s AND l.variant_id = o.variant_id AND l.warehouse_id = %s",
            [it.point.pk, it.warehouse.pk],
        )
        connection.execute(
            "CREATE TABLE measured_figure AS SELECT o.listing, '1'::text AS point,"
            " CASE WHEN row_number() OVER (ORDER BY o.id) <= %s THEN o.told + 1 ELSE o.told END AS quantity"
            " FROM offers_offer o WHERE o.point_id = %s",
            [WRONG, it.point.pk],
        )
        connection.execute("VACUUM ANALYZE")
        source.show(connection.execute("SELECT listing, quantity FROM measured_figure").fetchall())
        ours, limit = bench.rounds(check, join)
    return [within(f"stock check, {count:,} offers", ours, limit, "s", 3)]

"""Push of waiting levels: calls beside the fewest that the channel's batch size allows, and what a level costs on our side."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence

import psycopg

from benchmarks import measured
from benchmarks.harness import Bench, Row, below, say, within
from comptoir.channels.records import Answer, Fate, LevelToTell

BATCH = 100  # levels in one call

MANY = """
WITH pages AS (
    INSERT INTO catalog_product (name, description, names, page_url, custom, owners, created_at, changed_at)
    SELECT 'Pushed ' || n, '', '{}', '', '{}', '{}', now(), now() FROM generate_series(1, %(count)s) n
    RETURNING id
), variants AS (
    INSERT INTO catalog_variant (product_id, sku, is_sku_generated, kind, options, unit, is_stocked, mixes_warehouses,
        enabled, discontinued, mpn, owners, created_at, changed_at)
    SELECT id, 'PUSH-' || id, false, 'simple', '{}', 'piece', true, false, true, false, '', '{}', now(), now() FROM pages
    RETURNING id
), levels AS (
    INSERT INTO inventory_level (variant_id, warehouse_id, on_hand, reserved, held)
    SELECT id, %(warehouse)s, id %% 50 + 1, 0, 0 FROM variants
)
INSERT INTO offers_offer (point_id, variant_id, listing, ref, is_waiting, touched, is_active, refusals, staged_units)
SELECT %(point)s, id, 'L' || id, 'L' || id, true, 0, true, 0, 0 FROM variants
"""


class Target:
    """A channel that answers at once: what is left is our own cost."""

    batch_size = BATCH

    def __init__(self) -> None:
        self.calls = 0
        self.levels = 0
        self.last = 0.0

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        self.calls += 1
        self.levels += len(levels)
        self.last = time.perf_counter()
        return [Answer(item=level.offer, fate=Fate.DONE) for level in levels]


def run(bench: Bench) -> list[Row]:
    """Calls, and milliseconds per level from the start of the run to its last call."""
    from comptoir.offers.models import Offer

    target = Target()
    it = measured.connect("push_stock", levels=target)
    count = bench.size(100_000, 2_000)
    figures: list[float] = []
    calls: list[int] = []
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute(MANY, {"count": count, "warehouse": it.warehouse.pk, "point": it.point.pk})
        for _round in range(1 if bench.quick else 3):
            connection.execute("UPDATE offers_offer SET is_waiting = true, told = NULL, touched = touched + 1")
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
            target.calls = target.levels = 0
            start = time.perf_counter()
            it.run()
            waiting = Offer.objects.filter(is_waiting=True).count()
            if target.levels != count or waiting:
                raise RuntimeError(f"{target.levels} of {count} levels were told, {waiting} wait")
            figures.append((target.last - start) / count * 1000)
            calls.append(target.calls)
    say("    " + ", ".join(f"{figure:.3f} ms" for figure in figures))
    return [
        within("push of waiting levels, calls", statistics.median(calls), math.ceil(count / BATCH), "calls", 1.1),
        below("push of waiting levels, our own cost", statistics.median(figures), "ms a level", 0.2),
    ]

"""One stock on shops of every kind: from the commit of a change to the write of the last of them, and from the moment at
which the hub has learnt of a sale at one to the last write at the others. Simulated shops, a process each; one worker."""

from __future__ import annotations

import contextlib
import statistics
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from benchmarks import shop as shops
from benchmarks.case_change import one_more
from benchmarks.harness import Bench, Row, below, wait_for
from comptoir.cli import demo_simulated as simulated

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

SKU = "BAG-040"  # everywhere, with many units
IDLE = 2.5  # seconds between two changes: longer than a push lingers


def run(bench: Bench) -> list[Row]:
    """Milliseconds at the median and of the slowest."""
    from comptoir.cli import demo_shop
    from comptoir.kit import sql

    shops.allow_private()
    with contextlib.ExitStack() as ends:
        there: list[simulated.Shop] = []
        for kind in simulated.kinds():
            there.append(simulated.start(kind, None))
            ends.callback(there[-1].end)
        _house()
        given = [{"kind": one.kind, "title": one.title, **one.told} for one in there]
        channels = demo_shop.connect_all(given, progress=lambda text: None)
        sql.execute(
            "UPDATE engine_flow SET next_at = NULL, enabled = kind IN ('push_stock', 'pull_sales', 'accept_sales')"
        )
        variant = int(sql.value("SELECT id FROM catalog_variant WHERE sku = %s", [SKU]))
        with shops.workers(1):
            changes = [_change(there, variant, number) for number in range(bench.size(20, 2))]
            sales = [_sale(there, channels, turn % len(there)) for turn in range(bench.size(20, len(there)))]
    count = len(there)
    return [
        below(f"stock change to the last of {count} shops, median", statistics.median(changes[1:]) * 1000, "ms", 150),
        below(f"stock change to the last of {count} shops, slowest", max(changes[1:]) * 1000, "ms", 500),
        below(f"sale learnt of to the last of {count} shops, median", statistics.median(sales) * 1000, "ms", 1000),
        below(f"sale learnt of to the last of {count} shops, slowest", max(sales) * 1000, "ms", 1000),
    ]


def _house() -> None:
    from comptoir.config import bootstrap
    from comptoir.flows import house
    from comptoir.kit import clock

    bootstrap.set_up()
    house.ensure_hub(at=clock.now())


def _last_writes(there: list[simulated.Shop]) -> list[int]:
    return [int(simulated.ask(one.url, "counters")["last_write"]) for one in there]


def _agree(there: list[simulated.Shop], wanted: int) -> bool | None:
    return all(simulated.trade(one.url, "shelf")[SKU] == wanted for one in there) or None


def _latest(there: list[simulated.Shop], before: list[int]) -> datetime:
    """When the last of the writes since then was made, by the shops' clock, which is ours."""
    stamps = [
        datetime.fromisoformat(one["at"])
        for shop, seq in zip(there, before, strict=True)
        for one in simulated.ask(shop.url, f"log?since={seq}")
    ]
    return max(stamps)


def _change(there: list[simulated.Shop], variant: int, number: int) -> float:
    """Seconds from a commit to the last write that it caused."""
    time.sleep(IDLE)  # so that each change finds the hub idle
    before, shown = _last_writes(there), int(simulated.trade(there[0].url, "shelf")[SKU])
    committed = one_more(variant, number, "shops")
    at = time.time() - (time.perf_counter() - committed)
    wait_for(lambda: _agree(there, shown + 1), 30, "not every shop shows the change")
    return _latest(there, before).timestamp() - at


def _sale(there: list[simulated.Shop], channels: list[Channel], which: int) -> float:
    """Seconds from the hub's learning of a sale to the last write at the other shops."""
    from comptoir.engine import runs
    from comptoir.engine.models import Flow, Trigger
    from comptoir.kit import clock, sql
    from comptoir.kit.actor import SYSTEM

    time.sleep(IDLE)  # so that each sale finds the hub idle
    others = [one for number, one in enumerate(there) if number != which] or there
    before, shown = _last_writes(others), int(simulated.trade(there[which].url, "shelf")[SKU])
    sale = simulated.trade(there[which].url, "buy", lines={SKU: 1})
    flow = Flow.objects.get(channel=channels[which], kind="pull_sales")
    runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=clock.now())
    wait_for(lambda: _agree(there, shown - 1), 30, "not every shop shows the sale")
    learnt: Any = sql.value(
        "SELECT seen_at FROM staging_stagedsale WHERE channel_id = %s AND external_id = %s", [channels[which].pk, sale]
    )
    stamps = [simulated.ask(one.url, f"log?since={seq}") for one, seq in zip(others, before, strict=True)]
    return _latest(others, before).timestamp() - learnt.timestamp() if any(stamps) else 0.0

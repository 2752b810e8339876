"""From the commit of a stock change to the channel's finished write, by a real worker and a shop on loopback; beside the
shop's own answer time. On an idle hub, and while a hundred changes a second come in."""

from __future__ import annotations

import statistics
import threading
import time

from benchmarks import shop as shops
from benchmarks.harness import Bench, Row, say

THINGS = 200
OPENING = 1_000
PER_SECOND = 100
WRITERS = 4  # connections that commit changes
IDLE = 2.5  # seconds between two changes: longer than a push lingers


def run(bench: Bench) -> list[Row]:
    """Milliseconds at the median and at the slowest hundredth."""
    from comptoir.kit import sql

    shop = shops.Shop(THINGS, OPENING)
    try:
        channel = shops.connect(shop, "watched")
        rows: list[tuple[int, int]] = [
            (int(ref), variant)
            for ref, variant in sql.rows(
                "SELECT o.ref, o.variant_id FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
                " WHERE p.channel_id = %s ORDER BY o.id",
                [channel.pk],
            )
        ]
        figures = dict.fromkeys(rows, OPENING)
        with shops.workers(1):
            one_more(*_next(figures, rows[0]), "warm")
            shop.wait_for(rows[0][0], figures[rows[0]])
            shop.answers.clear()
            idle = _idle(shop, figures, rows, bench.size(30, 2))
            quiet = list(shop.answers)
            shop.answers.clear()
            busy = _busy(shop, figures, rows, bench.size(30, 2))
            loaded = list(shop.answers)
    finally:
        shop.close()
    say(f"    {len(idle)} changes on an idle hub, {len(busy)} at {PER_SECOND} a second in {len(loaded)} writes")
    return [
        _row("stock change to channel write, idle, median", statistics.median(idle), statistics.median(quiet), 150),
        _row("stock change to channel write, idle, slowest hundredth", shops.share(idle, 0.99), shops.share(quiet, 0.99), 500),
        _row("stock change to channel write, 100 a second, median", statistics.median(busy), statistics.median(loaded), 150),
        _row(
            "stock change to channel write, 100 a second, slowest hundredth",
            shops.share(busy, 0.99), shops.share(loaded, 0.99), 500,
        ),
    ]  # fmt: skip


def _row(name: str, ours: float, beside: float, limit: float) -> Row:
    return Row(name, ours * 1000, beside * 1000, "ms", ours / beside, f"under {limit:g}", ours * 1000 < limit)


def _next(figures: dict[tuple[int, int], int], which: tuple[int, int]) -> tuple[int, int]:
    figures[which] += 1
    return which[1], figures[which]


def one_more(variant: int, figure: int, reference: str) -> float:
    """Book a unit as a person does, reactions and all; when it was committed."""
    from decimal import Decimal

    from django.db import transaction

    from comptoir.commerce.inventory import actions as inventory
    from comptoir.commerce.inventory.records import Receipt
    from comptoir.kit import clock
    from comptoir.kit.actor import SYSTEM

    committed = 0.0

    def note() -> None:
        nonlocal committed
        committed = time.perf_counter()

    with transaction.atomic():
        transaction.on_commit(note)  # the first of them, before any reaction
        warehouse = inventory.default_warehouse().pk
        receipt = Receipt(variant, warehouse, Decimal(1), f"bench:{variant}:{figure}:{reference}")
        inventory.receive([receipt], at=clock.now(), actor=SYSTEM)
    return committed


def _idle(
    shop: shops.Shop, figures: dict[tuple[int, int], int], rows: list[tuple[int, int]], count: int
) -> list[float]:
    waits = []
    for number in range(count):
        time.sleep(IDLE)  # so that each change finds the hub idle
        which = rows[number % len(rows)]
        committed = one_more(*_next(figures, which), "idle")
        waits.append(shop.wait_for(which[0], figures[which]) - committed)
    return waits


def _busy(
    shop: shops.Shop, figures: dict[tuple[int, int], int], rows: list[tuple[int, int]], seconds: int
) -> list[float]:
    """Changes at a steady pace from several connections, each with its own things."""
    booked: list[tuple[int, int, float]] = []
    start = time.perf_counter() + 0.2
    late: list[float] = []

    def write(number: int) -> None:
        from django.db import connection

        mine = rows[number::WRITERS]
        for turn in range(seconds * PER_SECOND // WRITERS):
            due = start + (turn * WRITERS + number) / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))  # a steady pace, whatever the last one took
            which = mine[turn % len(mine)]
            committed = one_more(*_next(figures, which), "busy")
            late.append(committed - due)
            booked.append((which[0], figures[which], committed))
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(f"    changes were committed {statistics.median(late) * 1000:.0f} ms after they were due (median)")
    return [shop.wait_for(row, figure) - committed for row, figure, committed in booked]

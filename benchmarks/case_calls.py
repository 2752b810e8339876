"""Calls of each kind of shop beside the fewest that its largest page or batch allows: a first reading of the catalogue, every
level told once, and a delta of new sales. What a call costs the shop differs; how many there are is what pace is spent on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import shop as shops
from benchmarks.harness import Bench, Row, within
from comptoir import connectors
from comptoir.channels.connector import Connector, OpenedClient
from comptoir.channels.errors import TryLater
from comptoir.channels.http import CallMade, HttpDoor
from comptoir.channels.records import LevelToTell, Page
from comptoir.cli import demo_simulated as simulated
from comptoir.simulators import server
from comptoir.simulators.__main__ import build

#: Rows that one call may carry by the platform's documents; where they name no limit, what small shops bear.
LARGEST: Mapping[str, Mapping[str, int]] = {
    "prestashop": {"catalogue": 50, "sales": 50},
    "shopify": {
        "catalogue": 10**9,
        "sales": 250,
    },  # a bulk operation holds any number; it is begun, looked at and fetched
    "woocommerce": {"catalogue": 100, "sales": 100},
    "magento": {"catalogue": 300, "sales": 300},
}
#: Calls that have to be made whatever the number of rows.
BESIDES = {"shopify": {"catalogue": 2}}
THINGS, SALES = 1_000, 120


def run(bench: Bench) -> list[Row]:
    """Calls, and how many times the fewest."""
    shops.allow_private()
    return [row for kind in connectors.NAMES for row in _of(kind, bench.size(THINGS, 100), bench.size(SALES, 10))]


def _of(kind: str, things: int, sales: int) -> list[Row]:
    card = connectors.find(kind)
    assert card is not None
    simulator = build(kind, world="empty")
    simulator.stock({f"THING-{number:05}": 5 for number in range(things)})
    with server.serve(simulator) as url:
        told = {"url": url, **simulator.describe()}
        calls: list[CallMade] = []

        def opened() -> OpenedClient:
            return _client(card, simulated.credentials(kind, told), calls)

        client = opened()
        client.probe.look_around()  # what is asked once per run, not per page, is not counted
        products = _counted(calls, lambda cursor: client.products.everything(cursor), simulator.clock)
        figures = [one for page in client.stock.figures({}) for one in page.items]
        levels = [
            LevelToTell(
                offer=number, listing=one.listing, selling_point=one.selling_point, ref=one.ref,
                level=one.quantity + 1, expected=one.quantity,
            )
            for number, one in enumerate(figures)
        ]  # fmt: skip
        before, size = len(calls), client.levels.batch_size
        for start in range(0, len(levels), size):
            client.levels.set_levels(levels[start : start + size])
        pushed = len(calls) - before
        cursor: dict[str, Any] = {}
        for page in client.sales.changed_since({}, start=None):
            cursor = page.cursor
        for _ in range(sales):
            simulator.buy({"THING-00000": 1})
        delta = _counted(calls, lambda at: client.sales.changed_since(at or cursor, start=None), simulator.clock)
    simulator.close()
    return [
        _row(f"{card.title}: calls to read {things:,} products", products, things, kind, "catalogue"),
        within(
            f"{card.title}: calls to tell {len(levels):,} levels", pushed, math.ceil(len(levels) / size), "calls", 1.1
        ),
        _row(f"{card.title}: calls to read {sales} new sales", delta, sales, kind, "sales"),
    ]


def _client(card: Connector, config: Mapping[str, Any], calls: list[CallMade]) -> OpenedClient:
    door = HttpDoor(may_write=lambda: True, fates=card.fates, allow_private=True, observer=calls.append)
    return card.connect(config, door)


def _counted(calls: list[CallMade], reading: Callable[[dict[str, Any]], Any], clock: Any) -> int:
    """Calls of a whole reading; where it is to be gone on with later, the shop's clock is moved there."""
    from datetime import timedelta

    before, cursor = len(calls), {}
    while True:
        try:
            page: Page[Any]
            for page in reading(cursor):
                cursor = page.cursor
        except TryLater as error:
            clock.advance(timedelta(seconds=error.wait or 1))
        else:
            return len(calls) - before


def _row(name: str, calls: int, rows: int, kind: str, what: str) -> Row:
    fewest = math.ceil(rows / LARGEST[kind][what]) + BESIDES.get(kind, {}).get(what, 0)
    return Row(name, calls, fewest, "calls", calls / fewest, "", None)

"""Reading sales while buyers buy, the shop changes orders and we crash: the last state of each is always read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from comptoir.channels.http import HttpDoor
from comptoir.channels.records import Page, Sale
from comptoir.connectors.prestashop import config
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.lookups import Lookups
from comptoir.connectors.prestashop.sales import PrestaShopSales
from comptoir.connectors.prestashop.simulator import DEMO_KEY, Line, PrestaShopSimulator
from comptoir.kit import clock

STATES = ("PS_OS_PAYMENT", "PS_OS_CANCELED", "PS_OS_SHIPPING", "PS_OS_BANKWIRE")
START = datetime(2026, 10, 25, 0, 20, tzinfo=UTC)  # 02:20 of summer time in Paris; at 03:00 it is 02:00 again


class Reading(RuleBasedStateMachine):
    """A shop and a reader with pages of three."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = clock.ManualClock(START)
        self.simulator = PrestaShopSimulator(world="empty", timezone="Europe/Paris")
        self.simulator.clock.set(START)
        self.product = self.simulator.state.add_product("P", reference="P", price="1", quantity=9999)
        self.kept: dict[str, str] = {}
        self.cursor: dict[str, Any] = {}
        self.pages: Iterator[Page[Sale]] | None = None

    def reader(self) -> PrestaShopSales:
        door = HttpDoor(may_write=lambda: False, simulator=self.simulator.wsgi)
        client = PrestaShopClient(config.read({"url": "http://shop.test", "key": DEMO_KEY}), door)
        return PrestaShopSales(client, Lookups(client), page=3)

    @rule(count=some.integers(1, 4))
    def buyers_buy(self, count: int) -> None:
        for _ in range(count):
            self.simulator.state.place_order([Line(self.product)])

    @precondition(lambda self: self.simulator.state.store.value("SELECT count(*) FROM orders"))
    @rule(which=some.integers(0, 1000), state=some.sampled_from(STATES))
    def the_shop_changes_an_order(self, which: int, state: str) -> None:
        ids = [row["id"] for row in self.simulator.state.dump()["orders"]]
        self.simulator.state.change_state(ids[which % len(ids)], state)

    @rule(minutes=some.sampled_from([1, 7, 30, 61, 300]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))
        self.simulator.clock.set(self.clock.now())

    @rule(keeps=some.booleans())
    def we_read_a_page_and_keep_it_or_crash(self, keeps: bool) -> None:
        with clock.using(self.clock):
            if self.pages is None:
                self.pages = self.reader().changed_since(self.cursor, start=None)
            page = next(self.pages, None)
        if page is None or not keeps:
            self.pages = None
            return
        self.keep(page)

    def keep(self, page: Page[Sale]) -> None:
        self.kept.update({sale.external_id: sale.status for sale in page.items})
        self.cursor = page.cursor

    @invariant()
    def the_cursor_is_small(self) -> None:
        assert len(str(self.cursor)) < 200

    def teardown(self) -> None:
        with clock.using(self.clock):
            for _ in range(2):  # what is left of the interval, then what came after it
                for page in self.reader().changed_since(self.cursor, start=None):
                    self.keep(page)
        there = {str(row["id"]): str(row["current_state"]) for row in self.simulator.state.dump()["orders"]}
        assert self.kept == there
        self.simulator.close()


TestReading = Reading.TestCase
TestReading.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)

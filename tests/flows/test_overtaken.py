"""A page that was asked for earlier and is kept later: what another flow has kept meanwhile is not made older again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from offer_world import AT, channel, offer, point, stock, variant, warehouse
from shop_world import World, connect

from comptoir.channels.records import Sale, SaleLine, SaleState
from comptoir.config import bootstrap
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine.models import Run
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import SellingPoint
from comptoir.simulators.exchange import Answer, Request
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale


class OvertakenShop(PrestaShopSimulator):
    """A shop in which something happens right after it has answered with a page of orders."""

    happens: Callable[[], None] | None = None

    def answer(self, request: Request, fault: str) -> Answer:
        answer = super().answer(request, fault)
        if self.happens is not None and request.path == "/api/orders" and request.parameter("display") == "full":
            happens, self.happens = self.happens, None
            happens()
        return answer


@pytest.fixture
def shop(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    doors["shop.test"] = OvertakenShop(version="8.2", world="empty", timezone="Europe/Paris")
    world = connect(doors["shop.test"], manual_clock)
    world.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()
    return world


@pytest.mark.parametrize(
    ("late", "other", "before", "after", "meaning"),
    [
        ("pull_sales", "retry_sales", "PS_OS_BANKWIRE", "PS_OS_PAYMENT", "paid"),
        ("retry_sales", "pull_sales", "PS_OS_BANKWIRE", "PS_OS_PAYMENT", "paid"),
        ("update_orders", "pull_sales", "PS_OS_PAYMENT", "PS_OS_SHIPPING", "shipped"),
    ],
)
def test_a_page_that_another_flow_has_overtaken_changes_nothing(
    shop: World, late: str, other: str, before: str, after: str, meaning: str
) -> None:
    assert isinstance(shop.shop, OvertakenShop)
    there = shop.shop.state.place_order([(1, 0, 2)], state=before)
    shop.pass_time(minutes=5)
    shop.drain()
    shop.pass_time(hours=1)

    def meanwhile() -> None:
        shop.pass_time(seconds=2)
        shop.shop.state.change_state(there, after)
        shop.run(other)
        shop.pass_time(seconds=2)

    shop.shop.happens = meanwhile
    run = Run.objects.get(pk=shop.run(late))
    assert shop.shop.happens is None
    row = StagedSale.objects.get(external_id=str(there))
    assert row.meaning == meaning
    assert (run.changed, run.unchanged, run.outcome) == (0, 1, "good")


@pytest.fixture
def cups(db: None) -> SellingPoint:
    """Five cups, sold at one shop."""
    bootstrap.set_up()
    place = warehouse("paris")
    cup = variant("CUP")
    stock(cup, place, 5)
    made = point(channel("a"), place)
    offer(cup, made, "1-0")
    return made


def sale(at: SellingPoint, quantity: int, changed_at: datetime) -> Sale:
    line = SaleLine(
        external_id="1-1", name="Cup", quantity=Decimal(quantity), unit_price=Decimal(5), total=Decimal(5 * quantity),
        listing="1-0", sku="CUP",
    )  # fmt: skip
    return Sale(
        external_id="1", number="1", status="paid", state=SaleState.PAID, placed_at=AT, changed_at=changed_at,
        currency="EUR", total=line.total, lines=(line,), selling_point=at.external_id,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked_at", "changed_at", "kept"),
    [
        pytest.param(10, -5, 2, id="asked for before, and older there"),
        pytest.param(10, 5, 1, id="asked for before, and newer there all the same"),
        pytest.param(60, -5, 1, id="asked for after: in autumn an hour comes twice"),
        pytest.param(None, -5, 1, id="of a file"),
    ],
)
def test_a_version_is_older_where_the_readings_overlapped_and_the_shop_says_so(
    cups: SellingPoint, asked_at: int | None, changed_at: int, kept: int
) -> None:
    def moment(seconds: int) -> datetime:
        return AT + timedelta(seconds=seconds)

    one, two = sale(cups, 1, moment(changed_at)), sale(cups, 2, moment(0))
    staging.stage(cups.channel, [two], raw={}, run=None, actor=SYSTEM, at=moment(30), asked_at=moment(20))
    staged = staging.stage(
        cups.channel, [one], raw={}, run=None, actor=SYSTEM, at=moment(70),
        asked_at=None if asked_at is None else moment(asked_at),
    )  # fmt: skip
    assert (staged.changed, staged.unchanged) == ((0, 1) if kept == 2 else (1, 0))
    assert StagedSale.objects.get().total == 5 * kept

"""A shop whose figures are physical, from the sale to the parcel: it subtracts its own open orders, so it is told them too."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from shop_world import World

from comptoir.channels.models import Channel
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Level
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.config import bootstrap
from comptoir.connectors.magento.simulator import MagentoSimulator
from comptoir.engine.models import Finding, PlanRow
from comptoir.flows import connecting, house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer, SellingPoint


def connected(shop: MagentoSimulator, doors: dict[str, Any], time: clock.ManualClock) -> World:
    """A Magento, connected as the wizard does it."""
    doors["shop.test"] = shop
    shop.clock.set(time.now())
    shop.stock({"CUP": 5})
    shop.state.place_order([("CUP", 1)], state="canceled")  # the ways of shipping are known from orders alone
    bootstrap.set_up()
    house.ensure_hub(at=time.now())
    config = {"url": "http://shop.test", **asdict(shop.keys)}
    row = connecting.connect(kind="magento", name="Shop", code="shop", config=config, actor=SYSTEM, at=time.now())
    Channel.objects.filter(pk=row.pk).update(calls_per_minute=60_000)  # a simulator bears it
    row.refresh_from_db()
    connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=time.now())
    return World(shop, row, time)  # type: ignore[arg-type]  # a world of any shop


@pytest.fixture
def magento(db: None, doors: dict[str, Any], manual_clock: clock.ManualClock) -> World:
    """A Magento with five cups, connected and counted, in production."""
    shop = MagentoSimulator(world="empty")
    world = connected(shop, doors, manual_clock)
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()
    return world


def later(world: World) -> None:
    world.pass_time(minutes=6)
    world.drain()


def figures(world: World) -> tuple[float, float]:
    """(what lies at the source, what the shop still sells)"""
    return world.shop.state.quantity("CUP"), world.shop.state.salable("CUP")


def test_two_out_of_five_unshipped_leave_five_at_the_source_and_three_on_sale(magento: World) -> None:
    sale = magento.shop.buy({"CUP": 2})
    later(magento)
    order = Order.objects.get(external_id=sale)
    level = Level.objects.get()
    assert (level.on_hand, level.reserved) == (5, 2)
    assert Offer.objects.get().told == 5
    assert figures(magento) == (5, 3)
    assert magento.shop.counters.effects["source_items"] == 0
    magento.run("check_stock")
    assert not Finding.objects.filter(code="stock_differs").exists()

    shipments.ship(order.pk, key="p-1", tracking="GB1", at=magento.at, actor=SYSTEM)
    later(magento)
    assert figures(magento) == (3, 3)
    assert magento.shop.parcels(sale) == ["GB1"]
    assert magento.shop.sold()[sale] == "shipped"
    assert (Level.objects.get().on_hand, Offer.objects.get().told) == (3, 3)
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_an_unpaid_sale_is_subtracted_there_and_held_here_until_it_is_given_up(magento: World) -> None:
    sale = magento.shop.buy({"CUP": 2}, paid=False)
    later(magento)
    assert (Offer.objects.get().told, figures(magento)) == (5, (5, 3))
    magento.shop.cancel(sale)
    magento.pass_time(hours=2)
    magento.drain()
    assert (Offer.objects.get().told, figures(magento)) == (5, (5, 5))


def test_what_breaks_is_taken_off_the_source_and_the_open_units_stay_in_it(magento: World) -> None:
    magento.shop.buy({"CUP": 2})
    later(magento)
    level = Level.objects.get()
    inventory.book(
        [Fact(level.variant_id, level.warehouse_id, Decimal(-1), "damage", "d-1")], at=magento.at, actor=SYSTEM
    )
    later(magento)
    assert figures(magento) == (4, 2)


def test_a_sale_that_came_in_before_its_listing_had_an_offer_is_counted_from_then_on(
    db: None, doors: dict[str, Any], manual_clock: clock.ManualClock
) -> None:
    """Another shop has brought the cup already, so the sale's line is known by its SKU and waits for nothing but money."""
    shop = MagentoSimulator(world="empty")
    world = connected(shop, doors, manual_clock)
    catalog.create_product("Cup", "CUP", at=world.at, actor=SYSTEM)
    shop.buy({"CUP": 2}, paid=False)
    world.run("pull_sales")
    assert not Offer.objects.exists()
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    later(world)
    assert Offer.objects.get().staged_units == 2
    assert (Offer.objects.get().told, figures(world)) == (5, (5, 3))


def test_without_sources_the_figure_is_sellable_and_an_order_needs_no_push(
    db: None, doors: dict[str, Any], manual_clock: clock.ManualClock
) -> None:
    shop = MagentoSimulator(world="empty", msi=False)
    world = connected(shop, doors, manual_clock)
    assert SellingPoint.objects.get(channel=world.channel).figure == "sellable"
    shop.buy({"CUP": 2})
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    level = Level.objects.get()
    assert (level.on_hand, level.reserved, Offer.objects.get().told) == (5, 2, 3)
    preview = world.preview("push_stock")
    assert not PlanRow.objects.filter(run=preview).exists()
    world.go_live()
    later(world)
    assert (shop.shelf(), shop.counters.writes.total()) == ({"CUP": 3}, 0)

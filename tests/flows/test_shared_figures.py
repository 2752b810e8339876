"""A WooCommerce shop in the hub: the whole round, and one figure that several variations share is one thing, told once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from kind_world import CALLS_PER_MINUTE
from shop_world import World

from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Level, Reservation
from comptoir.commerce.inventory.records import Count
from comptoir.commerce.orders.models import Order
from comptoir.config import bootstrap
from comptoir.connectors.woocommerce.simulator import WooCommerceSimulator
from comptoir.engine.models import Finding, Run
from comptoir.flows import connecting, house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer

BALANCED = {part: [] for part in house.BOOKS}


@pytest.fixture
def shop(db: None, doors: dict[str, Any], manual_clock: clock.ManualClock) -> World:
    """The demo shop as WooCommerce has it, its products, orders and stock read; still in test mode."""
    double = doors["shop.test"] = WooCommerceSimulator()
    double.clock.set(manual_clock.now())
    bootstrap.set_up()
    house.ensure_hub(at=manual_clock.now())
    row = connecting.connect(
        kind="woocommerce",
        name="Demo shop",
        code="woo",
        config={"url": "https://shop.test", "key": double.key, "secret": double.secret},
        actor=SYSTEM,
        at=manual_clock.now(),
    )
    Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
    row.refresh_from_db()
    connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=manual_clock.now())
    world = World(double, row, manual_clock)  # type: ignore[arg-type]  # a shop of another kind
    for kind in ("pull_products", "pull_stock_once"):
        run = Run.objects.get(pk=world.run(kind))
        assert run.status == "done", run.error
    world.drain()
    return world


@pytest.fixture
def live(shop: World) -> World:
    """In production."""
    shop.go_live()
    shop.drain()
    return shop


def open_codes() -> set[tuple[str, str]]:
    return set(Finding.objects.filter(closed_at__isnull=True, severity="error").values_list("code", "subject"))


def test_the_demo_shop_comes_in_whole_and_nothing_is_written_back_to_it_when_it_goes_live(shop: World) -> None:
    shelf = shop.shop.shelf()
    assert set(shelf) <= set(Variant.objects.values_list("sku", flat=True))
    assert Order.objects.filter(status="processing").count() >= 3
    before = dict(shop.shop.counters.writes)
    shop.go_live()
    shop.drain()
    assert shop.shop.shelf() == shelf
    assert dict(shop.shop.counters.writes) == before
    assert house.check_all() == BALANCED
    assert {code for code, _ in open_codes()} == {"unmapped_status"}  # of a plugin: a person says what it means


def test_variations_that_share_are_packs_of_the_one_thing_that_is_counted(shop: World) -> None:
    reel = Variant.objects.get(sku="RIB-210")
    assert (reel.kind, Level.objects.get(variant=reel).on_hand) == ("simple", 60)  # 58 and two of an open order
    for sku in ("RIB-210-GRE", "RIB-210-GOL", "RIB-210-RED"):
        one = Variant.objects.get(sku=sku)
        assert one.kind == "kit"
        assert not Offer.objects.filter(variant=one, is_active=True).exists()
    assert Offer.objects.filter(variant=reel, is_active=True).count() == 1


def test_any_of_them_sold_reserves_from_the_one_figure_and_it_is_told_once(live: World) -> None:
    reel = Variant.objects.get(sku="RIB-210")
    sale = live.shop.buy({"RIB-210-RED": 3, "RIB-210-GOL": 4})
    live.pass_time(minutes=10)
    live.drain()
    order = Order.objects.get(external_id=sale)
    parts = order.lines.filter(kind="part")
    assert set(parts.values_list("variant_id", "quantity")) == {(reel.pk, Decimal(3)), (reel.pk, Decimal(4))}
    reserved = Reservation.objects.filter(line__in=list(parts.values_list("pk", flat=True)))
    assert sum(one.quantity for one in reserved) == 7
    assert live.shop.shelf()["RIB-210-GRE"] == 51
    level = Level.objects.get(variant=reel)
    inventory.count(
        [Count(reel.pk, level.warehouse_id, level.on_hand + 9, "found behind the shelf")], at=live.at, actor=SYSTEM
    )
    before = live.shop.counters.writes.total()
    live.drain()
    assert live.shop.shelf()["RIB-210-GRE"] == live.shop.shelf()["RIB-210-RED"] == 60
    assert live.shop.counters.writes.total() == before + 1
    assert house.check_all() == BALANCED


def test_the_stock_check_is_content_with_figures_that_are_shared(live: World) -> None:
    run = Run.objects.get(pk=live.run("check_stock"))
    assert (run.status, run.outcome) == ("done", "good")
    assert "stock_differs" not in {code for code, _ in open_codes()}

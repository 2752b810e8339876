"""The hub's own flows on a Shopify: products by a bulk operation, a sale in, its levels and its parcel out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shop_world import NOW, World

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.commerce.shipments import actions as shipments
from comptoir.config import bootstrap
from comptoir.connectors.shopify.simulator import DEMO_CLIENT, DEMO_SECRET, ShopifySimulator
from comptoir.engine.models import Run
from comptoir.flows import connecting, house
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> Iterator[World]:
    time = clock.ManualClock(NOW)
    shop = ShopifySimulator()
    shop.clock.set(NOW)
    shop.state.quirks.bucket = shop.state.quirks.restore = 1_000_000.0

    def maker(**options: Any) -> HttpDoor:
        return HttpDoor(**{**options, "simulator": shop.wsgi, "allow_private": True})

    channels.set_up_doors(maker)
    with clock.using(time):
        bootstrap.set_up()
        house.ensure_hub(at=NOW)
        row = connecting.connect(
            kind="shopify",
            name="Demo shop",
            code="shopify",
            config={"url": "http://shop.test", "client_id": DEMO_CLIENT, "client_secret": DEMO_SECRET},
            actor=SYSTEM,
            at=NOW,
        )
        Channel.objects.filter(pk=row.pk).update(calls_per_minute=60_000)
        row.refresh_from_db()
        connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=NOW)
        yield World(shop, row, time)  # type: ignore[arg-type]
    channels.set_up_doors(HttpDoor)
    pace.close()


def test_a_bulk_operation_is_waited_for_and_every_product_comes(world: World) -> None:
    first = Run.objects.get(pk=world.run("update_products"))
    assert first.state["place"]["bulk"].startswith("gid://shopify/BulkOperation/")
    world.pass_time(seconds=10)
    world.drain("update_products")
    first.refresh_from_db()
    assert first.state.get("is_complete") is True
    assert sql.value("SELECT count(*) FROM offers_link WHERE kind = 'listing'") > 45
    assert len(world.shop.state.store.all("bulk")) == 1


def test_a_sale_moves_the_level_told_and_its_parcel_comes_back(world: World) -> None:
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()
    before = world.shop.shelf()["LAN-001"]
    sale = world.shop.buy({"LAN-001": 2})
    world.pass_time(minutes=6)
    world.run("pull_sales")
    world.drain()
    assert world.shop.shelf()["LAN-001"] == before - 2
    assert sql.value("SELECT count(*) FROM orders_order WHERE external_id = %s", [sale]) == 1
    told, level = sql.rows(
        "SELECT o.told, o.is_waiting FROM offers_offer o JOIN catalog_variant v ON v.id = o.variant_id WHERE v.sku = 'LAN-001'"
    )[0]
    assert (told, level) == (before - 2, False)
    order = sql.value("SELECT id FROM orders_order WHERE external_id = %s", [sale])
    shipments.ship(order, key="one", tracking="JD0140", at=world.at, actor=SYSTEM)
    world.drain()
    assert world.shop.parcels(sale) == ["JD0140"]
    assert world.shop.sold()[sale] == "shipped"

"""A PrestaShop shop in this process, connected to the hub: the whole round without a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import quick_doors
from shop_world import NOW, World, connect

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.kit import clock


@pytest.fixture
def manual_clock() -> Iterator[clock.ManualClock]:
    """Business time that moves when a test says so."""
    moved = clock.ManualClock(NOW)
    with clock.using(moved):
        yield moved


@pytest.fixture
def doors() -> Iterator[dict[str, PrestaShopSimulator]]:
    """Doors of this test lead to simulators in this process, by host name."""
    shops: dict[str, PrestaShopSimulator] = {}

    channels.set_up_doors(quick_doors.to(lambda *given: next(iter(shops.values())).wsgi(*given)))
    yield shops
    channels.set_up_doors(HttpDoor)
    pace.close()


@pytest.fixture
def world(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """The demo shop, connected, in test mode, nothing read yet."""
    doors["shop.test"] = PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London")
    return connect(doors["shop.test"], manual_clock)


@pytest.fixture
def stocked(world: World) -> World:
    """Products and sales are in and stock is counted; still in test mode."""
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    return world


@pytest.fixture
def live(stocked: World) -> World:
    """In production."""
    stocked.go_live()
    stocked.drain()
    return stocked

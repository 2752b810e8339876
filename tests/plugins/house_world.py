"""A running house for tests of pages: the demo shop in step with the hub, and the people who work there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shop_world import NOW, World, connect

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.kit import clock

HOSTILE = '<script>alert("x")</script>'
LONG = "A very long name that goes on " * 4
RIGHT_TO_LEFT = "מוצר לדוגמה ארוך"


@contextmanager
def running(*, live: bool = True) -> Iterator[World]:
    """The demo shop: products and sales are in, stock is counted, and (if live) levels are told."""
    shops: list[PrestaShopSimulator] = []

    def maker(**options: object) -> HttpDoor:
        return HttpDoor(simulator=shops[0].wsgi, allow_private=True, **options)  # type: ignore[arg-type]

    channels.set_up_doors(maker)
    time = clock.ManualClock(NOW)
    try:
        with clock.using(time):
            shops.append(PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London"))
            world = connect(shops[0], time)
            world.run("pull_products")
            world.run("pull_stock_once")
            world.drain()
            if live:
                world.go_live()
                world.drain()
            yield world
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()


def sell_something_unknown(world: World) -> str:
    """A sale of a product that the hub has never read; the external id of the sale."""
    product = world.shop.state.add_product(LONG, reference="NEW-777", price="9.00", quantity=4)
    order = world.shop.state.place_order([Line(product, quantity=2)], state="PS_OS_PAYMENT")
    world.pass_time(minutes=6)
    world.run("pull_sales")
    return str(order)

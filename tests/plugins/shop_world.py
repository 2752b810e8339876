"""A PrestaShop shop and the channel that it is here, for tests that go the whole way."""

from __future__ import annotations

import kind_world
from kind_world import NOW

from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.kit import clock

World = kind_world.World[PrestaShopSimulator]


def connect(
    shop: PrestaShopSimulator, time: clock.ManualClock, code: str = "shop", url: str = "http://shop.test"
) -> World:
    """Connect a shop as the wizard does."""
    config = {"url": url, "key": shop.key}
    return World(shop, kind_world.connect("prestashop", shop, time, config, code=code, name="Demo shop"), time)


__all__ = ["NOW", "World", "connect"]

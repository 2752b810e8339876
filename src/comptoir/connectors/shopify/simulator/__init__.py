"""The double of a Shopify shop. It shares nothing with our client, wire or mapping, so that a misunderstanding shows."""

from comptoir.connectors.shopify.simulator.app import (
    DEMO_CLIENT,
    DEMO_SECRET,
    DEMO_TOKEN,
    DOMAIN,
    ShopifySimulator,
)
from comptoir.connectors.shopify.simulator.postbox import Delivery
from comptoir.connectors.shopify.simulator.schema import VERSIONS, sdl
from comptoir.connectors.shopify.simulator.shop import HUB_SCOPES, Line

#: found by name by `python -m comptoir.simulators`
SIMULATOR = ShopifySimulator

__all__ = [
    "DEMO_CLIENT",
    "DEMO_SECRET",
    "DEMO_TOKEN",
    "DOMAIN",
    "HUB_SCOPES",
    "SIMULATOR",
    "VERSIONS",
    "Delivery",
    "Line",
    "ShopifySimulator",
    "sdl",
]

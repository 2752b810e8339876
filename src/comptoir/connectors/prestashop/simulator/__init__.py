"""The double of a PrestaShop shop. It shares nothing with our client, wire or mapping, so that a misunderstanding shows."""

from comptoir.connectors.prestashop.simulator.app import PrestaShopSimulator
from comptoir.connectors.prestashop.simulator.base import DEMO_KEY
from comptoir.connectors.prestashop.simulator.ordering import Line
from comptoir.connectors.prestashop.simulator.resources import (
    all_rights,
    hub_rights,
    pricing_rights,
    read_rights,
)

#: found by name by `python -m comptoir.simulators`
SIMULATOR = PrestaShopSimulator

__all__ = [
    "DEMO_KEY",
    "SIMULATOR",
    "Line",
    "PrestaShopSimulator",
    "all_rights",
    "hub_rights",
    "pricing_rights",
    "read_rights",
]

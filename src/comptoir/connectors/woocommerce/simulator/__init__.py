"""The double of a WooCommerce shop. It shares nothing with our client, wire or mapping, so that a misunderstanding shows."""

from comptoir.connectors.woocommerce.simulator.app import WooCommerceSimulator
from comptoir.connectors.woocommerce.simulator.shop import DEMO_KEY, DEMO_SECRET

#: found by name by `python -m comptoir.simulators`
SIMULATOR = WooCommerceSimulator

__all__ = ["DEMO_KEY", "DEMO_SECRET", "SIMULATOR", "WooCommerceSimulator"]

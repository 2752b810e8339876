"""WooCommerce's bench."""

from __future__ import annotations

from typing import Any

from connector_bench import Bench

from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET, WooCommerceSimulator


class WooCommerceBench(Bench):
    """The shop itself is `shop`."""

    kind = "woocommerce"
    config = {"url": "https://shop.test", "key": DEMO_KEY, "secret": DEMO_SECRET}
    resources = {"sales": "orders", "products": "products", "stock": "products"}
    simulator: WooCommerceSimulator

    def __init__(self, version: str = "10", world: str = "demo", **options: Any) -> None:
        super().__init__(version=version, world=world, **options)
        self.shop = self.simulator.state

    def make(self, **options: Any) -> WooCommerceSimulator:
        return WooCommerceSimulator(**options)

    def revoke(self) -> None:
        self.shop.revoke_key(DEMO_KEY)

    def add_suppliers(self, count: int, links: int = 0) -> None:
        """WooCommerce knows no suppliers: the suite finds that out next."""

    def served(self, what: str) -> set[str]:
        """A figure goes by its listing, with its product or with the variations of one."""
        found = super().served(what)
        if what != "stock":
            return found
        variations = self.simulator.counters.served_ids("variations")
        return {f"{one}-0" for one in found} | {str(one) for one in variations}


BENCH = WooCommerceBench

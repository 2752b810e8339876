"""Magento's bench."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from connector_bench import Bench

from comptoir.connectors.magento.simulator import Keys, Line, MagentoSimulator


class MagentoBench(Bench):
    """The shop itself is `shop`."""

    kind = "magento"
    config = {"url": "http://shop.test", **asdict(Keys.demo)}
    resources = {"sales": "orders", "products": "products", "stock": "source_items"}
    sku_is_required = True
    simulator: MagentoSimulator

    def __init__(self, version: str = "2.4.8", world: str = "demo", **options: Any) -> None:
        super().__init__(version=version, world=world, **options)
        self.shop = self.simulator.state

    def make(self, **options: Any) -> MagentoSimulator:
        return MagentoSimulator(**options)

    def sell(self, count: int = 1) -> list[str]:
        sku = self.shop.store.value("SELECT sku FROM products WHERE type_id = 'simple' ORDER BY entity_id")
        return [str(self.shop.place_order([Line(sku)])) for _ in range(count)]

    def add_suppliers(self, count: int, links: int = 0) -> None:
        """Magento has none."""

    def revoke(self) -> None:
        self.shop.revoke()


BENCH = MagentoBench

"""Shopify's bench."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from connector_bench import Bench

from comptoir.connectors.shopify.simulator import DEMO_CLIENT, DEMO_SECRET, ShopifySimulator


class ShopifyBench(Bench):
    """The shop itself is `shop`. Points are plenty and bulk operations are done at once, unless a test says otherwise."""

    kind = "shopify"
    config = {"url": "http://shop.test", "client_id": DEMO_CLIENT, "client_secret": DEMO_SECRET}
    resources = {"sales": "orders", "products": "products", "stock": "inventory_levels"}
    price_step = Decimal("0.01")  # the shop keeps as many places as its currency has
    simulator: ShopifySimulator

    def __init__(self, world: str = "demo", **options: Any) -> None:
        super().__init__(world=world, **options)
        self.shop = self.simulator.state
        self.shop.quirks.bucket = self.shop.quirks.restore = 1_000_000.0
        self.shop.quirks.bulk_seconds = 0.0

    def make(self, **options: Any) -> ShopifySimulator:
        return ShopifySimulator(**options)

    def add_suppliers(self, count: int, links: int = 0) -> None:
        """Shopify has none."""

    def revoke(self) -> None:
        self.shop.uninstall()

    def add_unknown_fields(self) -> None:
        """Lines of a bulk result stay as they are: they are read in pieces."""

        def enrich(value: Any) -> Any:
            if isinstance(value, dict):
                return {**{name: enrich(one) for name, one in value.items()}, "novelty": {"deep": 1}}
            return [enrich(one) for one in value] if isinstance(value, list) else value

        self.change_bodies(
            lambda path, body: body if path.endswith(".jsonl") else json.dumps(enrich(json.loads(body))).encode()
        )


BENCH = ShopifyBench

"""PrestaShop's bench."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connector_bench import Bench

from comptoir.channels.records import Parcel
from comptoir.connectors.prestashop.simulator import DEMO_KEY, Line, PrestaShopSimulator, pricing_rights


class PrestaShopBench(Bench):
    """The shop itself is `shop`."""

    kind = "prestashop"
    config = {"url": "http://shop.test", "key": DEMO_KEY}
    resources = {
        "sales": "orders",
        "products": "products",
        "stock": "stock_availables",
        "suppliers": "suppliers",
        "supplier_links": "product_suppliers",
    }
    simulator: PrestaShopSimulator

    def __init__(self, version: str = "8.2", world: str = "demo", **options: Any) -> None:
        super().__init__(version=version, world=world, **options)
        self.shop = self.simulator.state

    def make(self, **options: Any) -> PrestaShopSimulator:
        return PrestaShopSimulator(**options)

    def sell(self, count: int = 1) -> list[str]:
        product = self.shop.store.value("SELECT min(id) FROM products WHERE state = 1")
        return [str(self.shop.place_order([Line(product)])) for _ in range(count)]

    def add_suppliers(self, count: int, links: int = 0) -> None:
        made = [self.shop.add_supplier(f"Supplier {n}") for n in range(count)]
        if links:
            self.add_products(links)
            for product in self.shop.store.rows("SELECT id FROM products ORDER BY id DESC LIMIT ?", (links,)):
                self.shop.link_supplier(product["id"], made[0], reference=f"S-{product['id']}", price="1.00")

    def let_price(self) -> None:
        self.shop.add_key(DEMO_KEY, pricing_rights())

    def revoke(self) -> None:
        self.shop.revoke_key(DEMO_KEY)

    def add_unknown_fields(self) -> None:
        self.change_bodies(lambda path, body: body.replace(b"</id>", b"</id><novelty><deep>1</deep></novelty>"))

    def cut_bodies(self, path: str, times: int) -> None:
        """The next answers under a path end in the middle, and nothing says so."""
        left = [times]

        def change(asked: str, body: bytes) -> bytes:
            if asked != path or len(body) < 2_000 or not left[0]:
                return body
            left[0] -= 1
            return body[: len(body) // 2]

        self.change_bodies(change)

    def a_parcel(self, sale: str, tracking: str = "JD0140", **fields: Any) -> Parcel:
        return Parcel(
            **{
                "sale": sale,
                "key": "parcel-1",
                "carrier": "2",
                "carrier_name": "My carrier",
                "tracking": tracking,
                "tracking_url": "",
                "shipped_at": datetime(2026, 3, 1, tzinfo=UTC),
                "lines": (),
                "completes": True,
                **fields,
            }
        )


BENCH = PrestaShopBench

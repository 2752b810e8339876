"""Benches: a connector in front of its simulator, in process, with a door whose every call is seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from comptoir import connectors
from comptoir.channels.connector import OpenedClient
from comptoir.channels.http import CallMade, HttpDoor, Limits
from comptoir.channels.records import LevelToTell, Parcel, PriceToTell, StockFigure
from comptoir.connectors.prestashop.simulator import DEMO_KEY, Line, PrestaShopSimulator, pricing_rights


class PrestaShopBench:
    """What the contract suite asks of every connector's bench, and the shop itself for the connector's own tests."""

    kind = "prestashop"
    secret = DEMO_KEY

    def __init__(self, version: str = "8.2", world: str = "demo", **options: Any) -> None:
        self.simulator = PrestaShopSimulator(version, world, **options)
        self.shop = self.simulator.state
        self.calls: list[CallMade] = []
        self.production = True
        self.application: Callable[..., Any] = self.simulator.wsgi

    def door(self, **options: Any) -> HttpDoor:
        card = connectors.find(self.kind)
        assert card is not None
        return HttpDoor(
            **{
                "may_write": lambda: self.production,
                "fates": card.fates,
                "secrets": [DEMO_KEY],
                "observer": self.calls.append,
                "simulator": lambda *given: self.application(*given),
                "limits": Limits(body=4_000_000),
                **options,
            }
        )

    def open(self, door: HttpDoor | None = None, **config: Any) -> OpenedClient:
        card = connectors.find(self.kind)
        assert card is not None
        return card.connect({"url": "http://shop.test", "key": DEMO_KEY, **config}, door or self.door())

    # What every bench has ---------------------------------------------------------------------------------------

    def sell(self, count: int = 1) -> list[str]:
        """So many new paid sales; gives their external ids."""
        product = self.shop.store.value("SELECT min(id) FROM products WHERE state = 1")
        return [str(self.shop.place_order([Line(product)])) for _ in range(count)]

    def add_products(self, count: int) -> None:
        """So many simple products with stock."""
        self.shop.add_products(
            [{"name": f"Thing {n}", "reference": f"T-{n}", "price": "1.00", "quantity": 5} for n in range(count)]
        )

    def add_suppliers(self, count: int, links: int = 0) -> None:
        """So many suppliers, and so many things that one of them sells."""
        made = [self.shop.add_supplier(f"Supplier {n}") for n in range(count)]
        if links:
            self.add_products(links)
            for product in self.shop.store.rows("SELECT id FROM products ORDER BY id DESC LIMIT ?", (links,)):
                self.shop.link_supplier(product["id"], made[0], reference=f"S-{product['id']}", price="1.00")

    def let_price(self) -> None:
        """The merchant gives the key what a hub that owns prices needs."""
        self.shop.add_key(DEMO_KEY, pricing_rights())

    def priced(self, client: OpenedClient) -> list[tuple[str, str]]:
        """(listing, selling point) of a few things with prices."""
        point = client.probe.look_around().points[0].external_id
        page = next(client.products.everything({}))
        return [(one.external_id, point) for product in page.items for one in product.listings]

    def a_price(self, client: OpenedClient) -> PriceToTell:
        """Another price for the first of them."""
        listing, point = self.priced(client)[0]
        return PriceToTell(offer=1, listing=listing, selling_point=point, amount=Decimal("77.70"))

    def served(self, what: str) -> set[str]:
        """External ids of sales, products or figures that went over the wire."""
        resource = {
            "sales": "orders",
            "products": "products",
            "stock": "stock_availables",
            "suppliers": "suppliers",
            "supplier_links": "product_suppliers",
        }[what]
        return {str(one) for one in self.simulator.counters.served_ids(resource)}

    def forget_served(self) -> None:
        self.simulator.counters.served.clear()

    def writes_received(self) -> int:
        return self.simulator.counters.writes.total()

    def revoke(self) -> None:
        self.shop.revoke_key(DEMO_KEY)

    def throttle(self, seconds: int, times: int = 1) -> None:
        self.simulator.faults.add("throttled", retry_after=str(seconds), times=times)

    def answer_with_html(self) -> None:
        self.simulator.faults.add("html_page", times=None)

    def change_bodies(self, change: Callable[[str, bytes], bytes]) -> None:
        """From now on `change(path, body)` decides what goes out."""
        inner = self.application

        def wsgi(environ: Any, start_response: Any) -> list[bytes]:
            heads: list[Any] = []
            body = b"".join(inner(environ, lambda *given: heads.append(given)))
            start_response(heads[0][0], [one for one in heads[0][1] if one[0] != "Content-Length"])
            return [change(environ["PATH_INFO"], body)]

        self.application = wsgi

    def add_unknown_fields(self) -> None:
        """From now on every object has a field that nobody has heard of."""
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

    def a_level(self, figure: StockFigure) -> LevelToTell:
        return LevelToTell(
            offer=1,
            listing=figure.listing,
            selling_point=figure.selling_point,
            ref=figure.ref,
            level=figure.quantity + Decimal(1),
        )

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


BENCHES = {"prestashop": PrestaShopBench}


@pytest.fixture
def prestashop() -> type[PrestaShopBench]:
    """Make a PrestaShop of any version: `prestashop("1.7", world="empty")`."""
    return PrestaShopBench


@pytest.fixture(params=connectors.kinds())
def bench(request: pytest.FixtureRequest) -> Any:
    """One bench per card; a card without one is a failure, not a skip."""
    assert request.param in BENCHES, f"the connector {request.param} has no bench in tests/connectors/conftest.py"
    return BENCHES[request.param]()

"""WooCommerce's bench."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from connector_bench import Bench

from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET, WooCommerceSimulator
from comptoir.simulators.asking import Heard

BASIC = {"authorization": "Basic " + base64.b64encode(f"{DEMO_KEY}:{DEMO_SECRET}".encode()).decode()}


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

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        content: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        scheme: str = "https",
    ) -> Heard:
        """One request of the shop without any client of ours; by https and with the key unless told otherwise."""
        body = b"" if content is None else json.dumps(content).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": urlencode(query or {}),
            "HTTP_HOST": "shop.test",
            "wsgi.url_scheme": scheme,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in (BASIC if headers is None else headers).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        heads: list[Any] = []
        answer = b"".join(self.simulator.wsgi(environ, lambda *given: heads.append(given)))
        return Heard(int(heads[0][0].split(" ", 1)[0]), dict(heads[0][1]), answer)

    def v3(self, method: str, path: str, query: Mapping[str, Any] | None = None, content: Any = None) -> Any:
        """The same under wc/v3, as JSON."""
        return self.ask(method, f"/wp-json/wc/v3/{path}", query, content).json()

    def product(self, sku: str) -> int:
        """The id of a product by its SKU."""
        found = self.shop.store.value("SELECT id FROM objects WHERE kind = 'product' AND sku = ?", (sku,))
        assert found is not None, sku
        return int(found)

    def served(self, what: str) -> set[str]:
        """A figure goes by its listing, with its product or with the variations of one."""
        found = super().served(what)
        if what != "stock":
            return found
        variations = self.simulator.counters.served_ids("variations")
        return {f"{one}-0" for one in found} | {str(one) for one in variations}


BENCH = WooCommerceBench

"""The public client, written by others against real shops, gets along with the simulated one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET, WooCommerceSimulator
from comptoir.simulators.server import serve

woocommerce = pytest.importorskip("woocommerce")


@pytest.fixture(params=["8", "10"])
def sim(request: pytest.FixtureRequest) -> WooCommerceSimulator:
    return WooCommerceSimulator(version=request.param)


@pytest.fixture
def client(sim: WooCommerceSimulator) -> Iterator[Any]:
    """On a loopback port there is no TLS, so it signs."""
    with serve(sim) as url:
        yield woocommerce.API(url=url, consumer_key=DEMO_KEY, consumer_secret=DEMO_SECRET, version="wc/v3", timeout=20)


def test_it_signs_a_question_without_and_with_parameters(client: Any) -> None:
    assert client.get("products").status_code == 200
    found = client.get("products", params={"per_page": 100, "orderby": "id", "order": "asc", "sku": "LAN-001,MUG-020"})
    assert [one["sku"] for one in found.json()] == ["LAN-001", "MUG-020"]


def test_it_pages_by_the_headers(client: Any, sim: WooCommerceSimulator) -> None:
    first = client.get("orders", params={"per_page": 5})
    pages = int(first.headers["X-WP-TotalPages"])
    ids = {
        one["id"]
        for page in range(1, pages + 1)
        for one in client.get("orders", params={"per_page": 5, "page": page}).json()
    }
    assert len(ids) == int(first.headers["X-WP-Total"])
    assert {int(sale) for sale in sim.sold()} <= ids


def test_it_writes_stock_one_by_one_and_in_a_batch(client: Any, sim: WooCommerceSimulator) -> None:
    lantern, mug = (client.get("products", params={"sku": sku}).json()[0]["id"] for sku in ("LAN-001", "MUG-020"))
    assert client.put(f"products/{lantern}", {"stock_quantity": 3}).json()["stock_quantity"] == 3
    answer = client.post(
        "products/batch", {"update": [{"id": mug, "stock_quantity": 4}, {"id": 1, "stock_quantity": 4}]}
    )
    assert answer.status_code == 200
    assert "error" in answer.json()["update"][1]
    shelf = sim.shelf()
    assert (shelf["LAN-001"], shelf["MUG-020"]) == (3, 4)


def test_it_makes_a_product_and_completes_an_order(client: Any, sim: WooCommerceSimulator) -> None:
    made = client.post("products", {"name": "Candlestick", "sku": "CST-1", "regular_price": "12.00"})
    assert made.status_code == 201
    sale = sim.buy({"CAN-010": 1})
    assert client.put(f"orders/{sale}", {"status": "completed"}).json()["status"] == "completed"
    assert sim.sold()[sale] == "shipped"


def test_it_makes_and_ends_a_webhook(client: Any) -> None:
    made = client.post("webhooks", {"topic": "order.created", "delivery_url": "https://hub.test/x", "secret": "s"})
    assert made.status_code == 201
    assert client.delete(f"webhooks/{made.json()['id']}", params={"force": True}).status_code == 200
    assert client.get("webhooks").json() == []


def test_it_is_turned_away_with_a_wrong_secret(sim: WooCommerceSimulator) -> None:
    with serve(sim) as url:
        stranger = woocommerce.API(url=url, consumer_key=DEMO_KEY, consumer_secret="cs_wrong")
        refused = stranger.get("products")
    assert (refused.status_code, refused.json()["code"]) == (401, "woocommerce_rest_authentication_error")


def test_over_https_it_sends_the_keys_in_the_header_or_in_the_query(
    sim: WooCommerceSimulator, monkeypatch: Any
) -> None:
    """Without TLS on the port, what it would send is put to the simulator directly."""
    import io
    from urllib.parse import urlsplit

    import requests

    def sent(self: Any, request: Any, **_: Any) -> Any:
        place = urlsplit(request.url)
        environ = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": place.path,
            "QUERY_STRING": place.query,
            "HTTP_HOST": place.netloc,
            "wsgi.url_scheme": place.scheme,
            "wsgi.input": io.BytesIO(request.body or b""),
            **{"HTTP_" + name.upper().replace("-", "_"): text for name, text in request.headers.items()},
        }
        heads: list[Any] = []
        body = b"".join(sim.wsgi(environ, lambda *given: heads.append(given)))
        answer = requests.Response()
        answer.status_code = int(heads[0][0].split()[0])
        answer.raw = io.BytesIO(body)
        answer.request, answer.url = request, request.url
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", sent)
    for in_query in (False, True):
        client = woocommerce.API("https://shop.test", DEMO_KEY, DEMO_SECRET, query_string_auth=in_query)
        assert len(client.get("orders", params={"per_page": 2}).json()) == 2


def test_pictures_are_where_the_site_is_asked(client: Any) -> None:
    src = client.get("products", params={"sku": "LAN-001"}).json()[0]["images"][0]["src"]
    assert src.startswith(f"{client.url.rstrip('/')}/wp-content/uploads/")

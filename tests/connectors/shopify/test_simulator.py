"""The double itself: what it acknowledged it keeps, what it is asked it answers as the sheet says, and others can talk to it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import shopify as foreign

from comptoir.connectors.shopify import operations
from comptoir.connectors.shopify.simulator import DEMO_CLIENT, DEMO_SECRET, DEMO_TOKEN, DOMAIN, ShopifySimulator
from comptoir.simulators.asking import Asker
from comptoir.simulators.goods import GOODS
from comptoir.simulators.server import serve


def ask(sim: ShopifySimulator, text: str, version: str = "2026-07", /, **variables: Any) -> Any:
    body = json.dumps({"query": text, "variables": variables})
    headers = {"x-shopify-access-token": DEMO_TOKEN, "content-type": "application/json"}
    return Asker(sim.wsgi).ask("POST", f"/admin/api/{version}/graphql.json", body=body, headers=headers).json()


def test_the_demo_sells_what_every_demo_sells_and_has_orders_in_every_state() -> None:
    sim = ShopifySimulator()
    shelf = sim.shelf()
    assert {sku for sku, *_ in GOODS} <= set(shelf)
    assert set(sim.sold().values()) == {"unpaid", "paid", "shipped", "cancelled", "refunded"}
    assert ShopifySimulator(seed=3).dump().keys() == sim.dump().keys()
    skus = [row["sku"] for row in sim.state.store.all("variant")]
    assert "" in skus
    assert skus.count("DUP-500") == 2


def test_neutral_trade_is_said_in_skus() -> None:
    sim = ShopifySimulator(world="empty")
    sim.stock({"A": 5, "B": 2})
    paid, unpaid = sim.buy({"A": 2, "B": 1}), sim.buy({"A": 1}, paid=False)
    assert sim.shelf() == {"A": 2, "B": 1}
    assert sim.sold() == {paid: "paid", unpaid: "unpaid"}
    sim.pay(unpaid)
    sim.ship(paid, "AA1")
    assert sim.parcels(paid) == ["AA1"]
    sim.cancel(unpaid)
    assert sim.sold() == {paid: "shipped", unpaid: "cancelled"}
    assert sim.shelf() == {"A": 3, "B": 1}
    sim.stock({"A": 9})
    assert sim.shelf()["A"] == 9


def test_what_was_acknowledged_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    first = ShopifySimulator(state=path)
    first.stock({"LAN-001": 7})
    sale = first.buy({"LAN-001": 2})
    made = ask(first, operations.SUBSCRIBE, topic="ORDERS_CREATE", subscription={"uri": "https://hub.test/x"})
    assert not made["data"]["webhookSubscriptionCreate"]["userErrors"]
    dump, log = first.dump(), [one.as_dict() for one in first.counters.log]
    first.close()  # nothing is saved here: each write was in the file before its answer left
    second = ShopifySimulator(state=path)
    assert second.dump() == dump
    assert [one.as_dict() for one in second.counters.log] == log
    assert second.shelf()["LAN-001"] == 5
    assert int(second.buy({"LAN-001": 1})) > int(sale)
    with pytest.raises(RuntimeError, match="in use"):
        ShopifySimulator(state=path)
    second.close()


def test_an_action_that_fails_leaves_nothing_behind() -> None:
    sim = ShopifySimulator(world="empty")
    sim.stock({"A": 5})

    def fail_halfway() -> None:
        with sim.state.store.transaction():
            sim.stock({"A": 1})
            sim.state.pay(99)

    with pytest.raises(LookupError):
        fail_halfway()
    assert sim.shelf()["A"] == 5


def test_pages_end_and_sizes_have_a_limit() -> None:
    sim = ShopifySimulator()
    too_many = ask(sim, "{ orders(first: 251) { nodes { id } } }")
    assert "250" in too_many["errors"][0]["message"]
    assert "first or last" in ask(sim, "{ orders { nodes { id } } }")["errors"][0]["message"]
    ids: list[str] = []
    after = None
    while True:
        page = ask(sim, operations.ORDER_IDS.replace("first: 250", "first: 5"), after=after, query="test:false")
        ids += [one["legacyResourceId"] for one in page["data"]["orders"]["nodes"]]
        if not page["data"]["orders"]["pageInfo"]["hasNextPage"]:
            break
        after = page["data"]["orders"]["pageInfo"]["endCursor"]
    assert ids == list(dict.fromkeys(ids))
    assert len(ids) == len(sim.sold())


def test_a_time_without_quotes_is_no_filter_and_a_warning_says_so() -> None:
    sim = ShopifySimulator()
    query = operations.ORDER_IDS
    whole = ask(sim, query, query="test:false", after=None)["data"]["orders"]["nodes"]
    wrong = ask(sim, query, query="created_at:>=2099-01-01T00:00:00Z", after=None)
    assert wrong["data"]["orders"]["nodes"] == whole
    assert wrong["extensions"]["search"]
    right = ask(sim, query, query="created_at:>='2099-01-01T00:00:00Z'", after=None)
    assert right["data"]["orders"]["nodes"] == []


def test_points_are_taken_by_what_came_and_run_back_in() -> None:
    sim = ShopifySimulator()
    sim.clock.set(sim.clock.now())
    cost = ask(sim, operations.ORDERS, first=10, after=None, query="test:false")["extensions"]["cost"]
    assert cost["actualQueryCost"] < cost["requestedQueryCost"] <= 1000
    assert cost["throttleStatus"]["currentlyAvailable"] == 2000 - cost["actualQueryCost"]
    answer: Any = {}
    for _ in range(40):
        answer = ask(sim, operations.ORDERS, first=10, after=None, query="test:false")
        if "errors" in answer:
            break
    assert answer["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "data" not in answer
    assert answer["extensions"]["cost"]["actualQueryCost"] is None


def test_an_operation_above_the_most_points_is_refused_at_once() -> None:
    sim = ShopifySimulator()
    answer = ask(sim, operations.ORDERS, first=250, after=None, query="")
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_a_bulk_query_has_its_rules() -> None:
    sim = ShopifySimulator()

    def start(query: str) -> list[Any]:
        found: list[Any] = ask(sim, operations.BULK_START, query=query)["data"]["bulkOperationRunQuery"]["userErrors"]
        return found

    assert start("{ shop { name } }")
    assert start("{ products { edges { node { id } } } orders { edges { node { id } } } }")
    assert start("{ nothing { edges { node { id } } } }")
    assert start(operations.BULK_PRODUCTS) == []


def test_a_level_pushed_by_the_merchant_moves_the_products_stamp() -> None:
    sim = ShopifySimulator(world="empty")
    sim.stock({"A": 5})
    (product,) = sim.state.store.all("product")
    sim.clock.set(sim.clock.now().replace(year=2030))
    sim.buy({"A": 1})
    assert sim.state.store.get("product", product["id"])["updatedAt"].startswith("2030")


def test_the_token_of_the_client_credentials_grant_ends_after_a_day() -> None:
    sim = ShopifySimulator()
    form = f"client_id={DEMO_CLIENT}&client_secret={DEMO_SECRET}&grant_type=client_credentials"
    asker = Asker(sim.wsgi)
    given = asker.ask("POST", "/admin/oauth/access_token", body=form).json()
    assert given["expires_in"] == 86399
    headers = {"x-shopify-access-token": given["access_token"]}
    body = json.dumps({"query": "{ shop { name } }"})
    path = "/admin/api/2026-07/graphql.json"
    assert asker.ask("POST", path, body=body, headers=headers).status == 200
    sim.clock.set(sim.clock.now().replace(year=2030))
    assert asker.ask("POST", path, body=body, headers=headers).status == 401
    as_json = {"client_id": DEMO_CLIENT, "client_secret": "no", "grant_type": "client_credentials"}
    refused = asker.ask(
        "POST", "/admin/oauth/access_token", body=json.dumps(as_json), headers={"content-type": "application/json"}
    )
    assert refused.status == 400


def test_shopifys_own_python_library_talks_to_the_double() -> None:
    sim = ShopifySimulator()
    with serve(sim) as url, foreign.Session.temp(url.removeprefix("http://"), "2026-07", DEMO_TOKEN):
        foreign.ShopifyResource.set_site(f"{url}/admin/api/2026-07")
        answer = json.loads(
            foreign.GraphQL().execute("{ shop { myshopifyDomain } orders(first: 3) { nodes { name } } }")
        )
    assert answer["data"]["shop"]["myshopifyDomain"] == DOMAIN
    assert len(answer["data"]["orders"]["nodes"]) == 3


def test_the_courier_posts_deliveries_to_whoever_subscribed() -> None:
    sim = ShopifySimulator(world="empty")
    got: list[tuple[str, bytes]] = []
    came = threading.Event()

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers["X-Shopify-Hmac-Sha256"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            came.set()

        def log_message(self, *_: Any) -> None: ...

    hub = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{hub.server_address[1]}/hooks"
        ask(sim, operations.SUBSCRIBE, topic="ORDERS_CREATE", subscription={"uri": address})
        sim.deliver()
        sim.stock({"A": 5})
        sale = sim.buy({"A": 1})
        assert came.wait(20)
    finally:
        hub.shutdown()
        hub.server_close()
    digest, body = got[0]
    assert digest == sim.state.signature(body)
    assert str(json.loads(body)["id"]) == sale

"""Deliveries of the shop become hints only if they are signed; and the shop is asked for them, again where it gave up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, Refused, Unknown
from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET
from comptoir.connectors.woocommerce.webhooks import WooCommerceWebhooks

SECRET = "a secret of this channel"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b'{"id": 1207, "status": "processing", "novelty": {"deep": 1}}'
ADDRESS = "https://hub.test/hooks/token"


def headers(
    body: bytes = BODY, topic: str = "order.updated", *, secret: str = SECRET, delivery: str = "d1"
) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": topic.partition(".")[0],
        "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": delivery,
    }


def hint(given: dict[str, str], body: bytes = BODY) -> Any:
    return WooCommerceWebhooks().hint(given, body, SECRET, at=NOW)


def test_a_signed_delivery_names_what_changed() -> None:
    found = hint(headers())
    assert (found.event_id, found.topic, found.external_id) == ("d1", "sale", "1207")


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("order.created", {"id": 3, "status": "pending"}, ("sale", "3")),
        ("order.deleted", {"id": 3}, ("sale", "3")),
        ("order.restored", {"id": 3, "status": "trash"}, ("sale", "3")),
        ("order.updated", {"id": 3, "status": "checkout-draft"}, None),
        ("product.updated", {"id": 12, "type": "simple", "parent_id": 0}, ("product", "12")),
        ("product.updated", {"id": 34, "type": "variation", "parent_id": 12}, ("product", "12")),
        ("product.deleted", {"id": 12}, ("product", "12")),
        ("customer.updated", {"id": 5}, None),
        ("action.woocommerce_add_to_cart", {"action": "woocommerce_add_to_cart", "arg": 1}, None),
    ],
)
def test_what_each_topic_is_about(topic: str, body: dict[str, Any], expected: tuple[str, str] | None) -> None:
    raw = json.dumps(body).encode()
    found = hint(headers(raw, topic), raw)
    assert (found and (found.topic, found.external_id)) == expected


def test_a_twin_has_the_same_name_and_one_without_a_name_gets_one_of_its_own() -> None:
    assert hint(headers(delivery="twin")).event_id == hint(headers(delivery="twin")).event_id == "twin"
    nameless = {name: text for name, text in headers().items() if name != "X-WC-Webhook-Delivery-ID"}
    other = b'{"id": 1208}'
    unnamed = {name: text for name, text in headers(other).items() if name != "X-WC-Webhook-Delivery-ID"}
    assert hint(nameless).event_id == hint(nameless).event_id != hint(unnamed, other).event_id


def test_a_ping_is_answered_and_means_nothing() -> None:
    assert hint({"Content-Type": "application/x-www-form-urlencoded"}, b"webhook_id=42") is None


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, BODY),
        (headers(secret="another"), BODY),
        (headers(), BODY.replace(b"1207", b"1208")),
        ({**headers(), "X-WC-Webhook-Signature": "é"}, BODY),
        ({**headers(), "X-WC-Webhook-Signature": ""}, BODY),
        ({}, b"webhook_id=42&evil=1"),
        ({}, b"webhook_id="),
        (headers(b"[]"), b"[]"),
        (headers(b"\xff\xfe"), b"\xff\xfe"),
        (headers(b'{"name": "no id"}'), b'{"name": "no id"}'),
    ],
)
def test_anything_else_is_refused(given: dict[str, str], body: bytes) -> None:
    with pytest.raises(Refused):
        hint(given, body)


# -- asking the shop for them ----------------------------------------------------------------------------------------------


def test_what_the_simulated_shop_delivers_is_understood(woo: Any) -> None:
    bench = woo()
    target = bench.open().subscriptions
    for topic in target.topics:
        target.subscribe(topic, ADDRESS, SECRET)
    pings = bench.shop.deliveries()
    assert len(pings) == len(target.topics)
    assert [hint(one["headers"], one["body"]) for one in pings] == [None] * len(pings)
    for one in pings:
        bench.shop.delivered(one["id"], 200)
    (sale,) = bench.sell(1)
    bench.shop.edit_variation(bench.shop.variations_of(bench.product("CUS-200"))[0]["id"], weight="1")
    hints = [hint(one["headers"], one["body"]) for one in bench.shop.deliveries()]
    assert ("sale", sale) in {(one.topic, one.external_id) for one in hints}
    assert ("product", str(bench.product("CUS-200"))) in {(one.topic, one.external_id) for one in hints}


def test_one_that_the_shop_gave_up_is_seen_and_switched_on_again(woo: Any) -> None:
    bench = woo()
    target = bench.open().subscriptions
    target.subscribe("order.updated", ADDRESS, "an older secret")
    for one in bench.shop.deliveries():
        bench.shop.delivered(one["id"], 200)
    for _ in range(6):
        bench.shop.open_order(sale := int(bench.sell(1)[0]))
        bench.shop.edit_order(sale, customer_note="x")
        for one in bench.shop.deliveries():
            bench.shop.delivered(one["id"], 500)
    (before,) = target.listed(ADDRESS)
    assert not before.active
    target.subscribe("order.updated", ADDRESS, SECRET)
    (after,) = target.listed(ADDRESS)
    assert (after.external_id, after.active) == (before.external_id, True)
    bench.shop.edit_order(sale, customer_note="y")
    (one,) = bench.shop.deliveries()
    assert hint(one["headers"], one["body"]).external_id == str(sale)  # signed with the secret of now


def test_a_lost_answer_to_a_subscription_makes_no_second_one(woo: Any) -> None:
    bench = woo()
    target = bench.open().subscriptions
    bench.simulator.faults.add("reset_after", method="POST", path="*/webhooks")
    with pytest.raises(Unknown):
        target.subscribe("order.created", ADDRESS, SECRET)
    target.subscribe("order.created", ADDRESS, SECRET)
    assert len(target.listed(ADDRESS)) == 1


def test_more_webhooks_than_a_page_holds_are_all_looked_at(woo: Any) -> None:
    bench = woo()
    for number in range(120):
        bench.shop.add_webhook("order.created", f"https://other.test/{number}", "x", ping=False)
    target = bench.open().subscriptions
    target.subscribe("order.created", ADDRESS, SECRET)
    assert [one.topic for one in target.listed(ADDRESS)] == ["order.created"]


def test_a_key_that_may_not_manage_the_shop_is_told_so(woo: Any) -> None:
    bench = woo()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, manages=False)
    with pytest.raises(NotLetIn) as caught:
        bench.open().subscriptions.listed(ADDRESS)
    assert caught.value.facts["right"] == "webhooks: GET"


def test_the_demo_shop_posts_its_deliveries_from_a_thread(woo: Any) -> None:
    bench = woo()
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.put((self.headers.get("X-WC-Webhook-Topic", ""), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    hub = HTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=hub.serve_forever)
    thread.start()
    courier = bench.simulator.courier
    try:
        bench.shop.add_webhook("order.created", f"http://127.0.0.1:{hub.server_port}/in?x=1", SECRET)
        bench.simulator.deliver()
        assert heard.get(timeout=30)[1].startswith(b"webhook_id=")
        (sale,) = bench.sell(1)
        topic, body = heard.get(timeout=30)
        assert (topic, str(json.loads(body)["id"])) == ("order.created", sale)
    finally:
        courier.stop()
        hub.shutdown()
        thread.join()
        hub.server_close()
    dead = bench.shop.add_webhook("order.created", f"http://127.0.0.1:{hub.server_port}/", SECRET, ping=False)
    bench.sell(1)
    courier.deliver()
    assert bench.shop.store.get("webhook", dead)["doc"]["failures"] == 1

"""Deliveries of the double, taken as hints: signed, twice, out of order, refused; and subscriptions that the shop drops."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from comptoir.channels.errors import Refused
from comptoir.connectors.shopify.simulator import DEMO_SECRET, DEMO_TOKEN, Delivery, Line
from comptoir.connectors.shopify.webhooks import TOPICS, ShopifyWebhooks
from comptoir.kit import clock

ADDRESS = "https://hub.test/hooks/shopify/7"


@pytest.fixture
def bench(shopify: Any) -> Any:
    made = shopify("empty")
    client = made.open()
    for topic in client.subscriptions.topics:
        client.subscriptions.subscribe(topic, ADDRESS, "whatever")
    return made


def thing(bench: Any) -> int:
    product = bench.shop.add_product("Thing", [{"sku": "A", "price": "5.00", "quantity": 9}])
    return int(bench.shop.store.get("product", product)["variants"][0])


def hint(delivery: Delivery, secret: str = DEMO_SECRET) -> Any:
    return ShopifyWebhooks().hint(delivery.headers, delivery.body, secret, at=clock.now())


def hints(bench: Any) -> list[tuple[str, str]]:
    return [(one.topic, one.external_id) for one in map(hint, bench.shop.deliveries()) if one is not None]


def test_everything_that_happens_to_an_order_names_the_sale(bench: Any) -> None:
    variant = thing(bench)
    bench.shop.deliveries()
    order = bench.shop.place_order([Line(variant, 2)], financial="PENDING")
    (line,) = (row["id"] for row in bench.shop.store.get("order", order)["lines"])
    acts: list[Callable[[], Any]] = [
        lambda: bench.shop.pay(order),
        lambda: bench.shop.edit_order(order, {line: 1}),
        lambda: bench.shop.refund(order, {line: 1}, restock="NO_RESTOCK"),
        lambda: bench.shop.cancel(order),
    ]
    item = bench.shop.store.get("variant", variant)["item"]
    place = bench.shop.locations()[0]["id"]
    assert set(hints(bench)) == {("sale", str(order)), ("stock", f"{item}@{place}")}
    for act in acts:
        act()
        told = set(hints(bench))
        assert ("sale", str(order)) in told
        assert told <= {("sale", str(order)), ("stock", f"{item}@{place}")}


def test_a_product_and_a_level_are_named_as_our_pages_name_them(bench: Any) -> None:
    variant = thing(bench)
    told = hints(bench)
    product = bench.shop.store.get("variant", variant)["product"]
    assert ("product", str(product)) in told
    (figure,) = next(iter(bench.open().stock.figures({}))).items
    bench.shop.set_stock(variant, 4)
    assert ("stock", figure.ref) in hints(bench)


def test_what_was_undone_is_not_told(bench: Any) -> None:
    variant = thing(bench)
    bench.shop.deliveries()

    def fail_halfway() -> None:
        with bench.shop.store.transaction():
            bench.shop.set_stock(variant, 1)
            bench.shop.pay(99)

    with pytest.raises(LookupError):
        fail_halfway()
    assert bench.shop.deliveries() == []


def test_the_same_delivery_has_the_same_id_whatever_comes_between(bench: Any) -> None:
    bench.shop.place_order([Line(thing(bench))])
    taken = bench.shop.deliveries()
    forth = [hint(one).event_id for one in taken]
    back = [hint(one).event_id for one in reversed(taken)]
    assert forth == back[::-1]
    assert len(set(forth)) == len(taken)


@pytest.mark.parametrize("spoil", ["body", "signature", "secret", "none"])
def test_what_is_not_signed_is_refused(bench: Any, spoil: str) -> None:
    bench.shop.place_order([Line(thing(bench))])
    one = bench.shop.deliveries()[0]
    headers, body, secret = dict(one.headers), one.body, DEMO_SECRET
    if spoil == "body":
        body += b" "
    elif spoil == "signature":
        headers["X-Shopify-Hmac-Sha256"] = "é"
    elif spoil == "secret":
        secret = "shpss_other"
    else:
        del headers["X-Shopify-Hmac-Sha256"]
    with pytest.raises(Refused):
        ShopifyWebhooks().hint(headers, body, secret, at=clock.now())


def test_headers_without_the_x_and_in_any_case_are_taken(bench: Any) -> None:
    bench.shop.place_order([Line(thing(bench))])
    one = bench.shop.deliveries()[-1]
    plain = {name.lower().removeprefix("x-"): text for name, text in one.headers.items()}
    assert ShopifyWebhooks().hint(plain, one.body, DEMO_SECRET, at=clock.now()) == hint(one)


@pytest.mark.parametrize(
    ("topic", "body", "fate"),
    [
        ("app/uninstalled", {"id": 1}, None),
        ("locations/update", {"id": 1}, None),
        ("orders/updated", {}, Refused),
        ("orders/updated", {"id": True}, Refused),
        ("orders/updated", {"id": "1; DROP"}, Refused),
        ("orders/updated", [1], Refused),
        ("orders/edited", {"order_edit": {"order_id": 12}}, ("sale", "12")),
        ("refunds/create", {"id": 3, "order_id": 9_007_199_254_740_993}, ("sale", "9007199254740993")),
        ("inventory_levels/update", {"inventory_item_id": 5, "location_id": None}, Refused),
    ],
)
def test_what_is_in_a_delivery(bench: Any, topic: str, body: Any, fate: Any) -> None:
    content = json.dumps(body).encode()
    headers = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Webhook-Id": "w-1",
        "X-Shopify-Hmac-Sha256": bench.shop.signature(content),
    }
    if fate is Refused:
        with pytest.raises(Refused):
            ShopifyWebhooks().hint(headers, content, DEMO_SECRET, at=clock.now())
        return
    found = ShopifyWebhooks().hint(headers, content, DEMO_SECRET, at=clock.now())
    assert (None if found is None else (found.topic, found.external_id)) == fate


def test_after_eight_failures_the_shop_drops_a_subscription_and_it_is_asked_for_again(bench: Any) -> None:
    client = bench.open()
    variant = thing(bench)
    bench.shop.deliveries()
    for _ in range(8):
        bench.shop.set_stock(variant, 1)
        bench.shop.deliver(lambda delivery: 500)
    missing = set(TOPICS) - {one.topic for one in client.subscriptions.listed(ADDRESS)}
    assert "INVENTORY_LEVELS_UPDATE" in missing
    for topic in missing:
        client.subscriptions.subscribe(topic, ADDRESS, "")
    assert {one.topic for one in client.subscriptions.listed(ADDRESS)} == set(TOPICS)


def test_a_delivery_that_fails_comes_again_with_its_id(bench: Any) -> None:
    bench.shop.place_order([Line(thing(bench))])
    seen: list[str] = []

    def refuse(delivery: Delivery) -> int:
        seen.append(hint(delivery).event_id)
        return 503

    bench.shop.deliver(refuse)
    first, seen[:] = list(seen), []
    assert bench.shop.deliver(lambda delivery: (seen.append(hint(delivery).event_id), 200)[1]) == len(first)
    assert seen == first
    assert bench.shop.deliveries() == []


def test_a_subscription_whose_answer_was_lost_is_not_made_twice(bench: Any) -> None:
    client = bench.open()
    client.subscriptions.subscribe("ORDERS_CREATE", ADDRESS, "")  # it is there: nothing to say
    assert len(client.subscriptions.listed(ADDRESS)) == len(TOPICS)


def test_without_the_client_secret_nothing_is_subscribed(shopify: Any) -> None:
    client = shopify("empty").open(client_id="", client_secret="", token=DEMO_TOKEN)
    with pytest.raises(Refused, match="client secret"):
        client.subscriptions.subscribe("ORDERS_CREATE", ADDRESS, "")

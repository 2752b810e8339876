"""What happens in the simulated shop: stock that follows statuses, batches, refunds, parcels, webhooks, and a state that lasts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from comptoir.connectors.woocommerce.simulator import WooCommerceSimulator
from comptoir.simulators.goods import GOODS


def a_thing(bench: Any, quantity: int = 10, **fields: Any) -> int:
    return int(bench.shop.add_product("Cup", sku="CUP", price="5.00", quantity=quantity, **fields))


# -- stock follows statuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "left"),
    [
        (["processing"], 8),
        (["on-hold"], 8),
        (["pending"], 10),
        (["failed"], 10),
        (["on-hold", "processing", "completed"], 8),  # once, however often it moves
        (["processing", "cancelled"], 10),
        (["processing", "cancelled", "cancelled"], 10),
        (["processing", "cancelled", "processing"], 8),
        (["on-hold", "pending"], 10),
        (["on-hold", "failed"], 8),
        (["processing", "refunded"], 8),
    ],
)
def test_stock_is_taken_and_given_back_once(woo: Any, statuses: list[str], left: int) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    order = bench.shop.place_order([{"product": cup, "quantity": 2}], status=statuses[0])
    for status in statuses[1:]:
        bench.v3("PUT", f"orders/{order}", content={"status": status})
    assert bench.shop.figure(cup) == left


def test_a_shared_figure_is_lowered_by_each_variation(woo: Any) -> None:
    bench = woo()
    ribbon = bench.product("RIB-210")
    before = bench.shop.figure(ribbon)
    for one in bench.shop.variations_of(ribbon)[:2]:
        bench.shop.place_order([{"product": ribbon, "variation": one["id"], "quantity": 3}])
    assert bench.shop.figure(ribbon) == before - 6


def test_cash_on_delivery_is_processing_and_unpaid(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    orders = {method: bench.shop.place_order([{"product": cup}], payment_method=method) for method in ("cod", "stripe")}
    paid = {method: bench.v3("GET", f"orders/{one}")["date_paid_gmt"] for method, one in orders.items()}
    assert paid["cod"] is None
    assert paid["stripe"]


def test_a_partial_refund_leaves_the_status_and_names_the_lines(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    order = bench.shop.place_order([{"product": cup, "quantity": 3}])
    line = bench.v3("GET", f"orders/{order}")["line_items"][0]["id"]
    bench.shop.refund(order, {line: 1})
    shown = bench.v3("GET", f"orders/{order}")
    assert (shown["status"], shown["refunds"][0]["total"]) == ("processing", "-6.00")
    (refund,) = bench.v3("GET", f"orders/{order}/refunds")
    assert refund["line_items"][0]["quantity"] == -1
    assert refund["line_items"][0]["meta_data"][0]["value"] == str(line)
    assert bench.shop.figure(cup) == 8  # one came back on the shelf
    bench.shop.cancel(order)
    assert bench.shop.figure(cup) == 10  # and only the other two with the rest


def test_a_deleted_product_leaves_its_line_without_sku(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    order = bench.shop.place_order([{"product": cup}])
    bench.shop.delete_product(cup)
    (line,) = bench.v3("GET", f"orders/{order}")["line_items"]
    assert (line["sku"], line["product_id"], line["name"]) == (None, 0, "Cup")


# -- batches -------------------------------------------------------------------------------------------------------------


def test_a_batch_answers_200_and_names_what_failed(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    heard = bench.ask(
        "POST",
        "/wp-json/wc/v3/products/batch",
        content={"update": [{"id": cup, "stock_quantity": 7}, {"id": 987654, "stock_quantity": 1}]},
    )
    assert heard.status == 200
    good, bad = heard.json()["update"]
    assert good["stock_quantity"] == 7
    assert (bad["id"], bad["error"]["code"]) == (987654, "woocommerce_rest_product_invalid_id")


def test_more_than_a_hundred_objects_are_refused_as_a_whole(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    heard = bench.ask(
        "POST", "/wp-json/wc/v3/products/batch", content={"update": [{"id": cup, "stock_quantity": 1}] * 101}
    )
    assert (heard.status, heard.json()["code"]) == (413, "woocommerce_rest_request_entity_too_large")
    assert bench.shop.figure(cup) == 10


def test_an_empty_batch_is_no_write(woo: Any) -> None:
    bench = woo()
    assert bench.ask("POST", "/wp-json/wc/v3/products/batch", content={}).status == 200
    assert bench.writes_received() == 0


def test_a_heavy_batch_is_partly_done(woo: Any) -> None:
    bench = woo(world="empty")
    bench.add_products(10)
    bench.shop.set_quirk("weighs", 4)
    rows = [{"id": one["id"], "stock_quantity": 1} for one in bench.v3("GET", "products", {"per_page": 10})]
    assert bench.ask("POST", "/wp-json/wc/v3/products/batch", content={"update": rows}).status == 500
    assert sorted(bench.simulator.shelf().values()) == [1] * 4 + [5] * 6


def test_stock_without_counting_is_nothing_and_the_shop_wide_switch_wins_in_silence(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    shown = bench.v3("PUT", f"products/{cup}", content={"manage_stock": False})
    assert (shown["manage_stock"], shown["stock_quantity"]) == (False, None)
    assert bench.v3("PUT", f"products/{cup}", content={"stock_quantity": 3})["stock_quantity"] is None
    assert (
        bench.v3("PUT", f"products/{cup}", content={"manage_stock": True, "stock_quantity": 3})["stock_quantity"] == 3
    )
    bench.shop.configure("woocommerce_manage_stock", "no")
    heard = bench.ask("PUT", f"/wp-json/wc/v3/products/{cup}", content={"stock_quantity": 9})
    assert (heard.status, heard.json()["stock_quantity"]) == (200, 3)


def test_telling_a_variation_that_it_counts_cuts_it_loose_from_its_product(woo: Any) -> None:
    bench = woo()
    ribbon = bench.product("RIB-210")
    one = bench.shop.variations_of(ribbon)[0]["id"]
    path = f"products/{ribbon}/variations/{one}"
    assert bench.v3("PUT", path, content={"stock_quantity": 5})["manage_stock"] == "parent"
    loose = bench.v3("PUT", path, content={"manage_stock": True, "stock_quantity": 5})
    assert (loose["manage_stock"], loose["stock_quantity"]) == (True, 5)
    assert bench.shop.figure(ribbon) == 58


def test_an_increment_counts_where_no_quantity_is_sent(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    assert bench.v3("PUT", f"products/{cup}", content={"inventory_delta": -3})["stock_quantity"] == 7


def test_a_sku_is_unique_over_products_and_variations(woo: Any) -> None:
    bench = woo()
    heard = bench.ask("POST", "/wp-json/wc/v3/products", content={"name": "Twin", "sku": "CUS-200-SAN-40"})
    assert (heard.status, heard.json()["code"]) == (400, "product_invalid_sku")


# -- parcels -------------------------------------------------------------------------------------------------------------


def test_fulfillments_are_there_from_10_1_and_only_where_they_are_switched_on(woo: Any) -> None:
    for version, plugin, status in (("9", True, 404), ("10", False, 404), ("10", True, 200), ("11", True, 200)):
        bench = woo(version)
        order = bench.sell(1)[0]
        if plugin:
            bench.shop.add_plugin("fulfillments")
        heard = bench.ask("GET", f"/wp-json/wc/v3/orders/{order}/fulfillments")
        assert heard.status == status
        assert status == 200 or heard.json()["code"] == "rest_no_route"


def test_a_fulfillment_needs_items_of_its_order(woo: Any) -> None:
    bench = woo()
    bench.shop.add_plugin("fulfillments")
    order = bench.sell(1)[0]
    path = f"/wp-json/wc/v3/orders/{order}/fulfillments"
    for items in ([], [{"item_id": 999999, "qty": 1}]):
        content = {"status": "fulfilled", "is_fulfilled": True, "meta_data": [{"key": "_items", "value": items}]}
        assert bench.ask("POST", path, content=content).status == 400


@pytest.mark.parametrize(("plugin", "namespace"), [("shipment-tracking", "wc-shipment-tracking"), ("ast", "wc-ast")])
def test_a_tracking_plugin_shows_its_namespace_and_keeps_parcels_in_the_order(
    woo: Any, plugin: str, namespace: str
) -> None:
    bench = woo()
    order = bench.sell(1)[0]
    path = f"/wp-json/{namespace}/v3/orders/{order}/shipment-trackings"
    assert bench.ask("GET", path).status == 404
    bench.shop.add_plugin(plugin)
    assert f"{namespace}/v3" in bench.ask("GET", "/wp-json/", headers={}).json()["namespaces"]
    made = bench.ask("POST", path, content={"tracking_provider": "DHL", "tracking_number": "JD1"})
    assert made.status == 201
    assert made.json()["tracking_id"]
    assert bench.simulator.parcels(order) == ["JD1"]
    assert bench.v3("GET", f"orders/{order}")["meta_data"][0]["key"] == "_wc_shipment_tracking_items"


# -- webhooks ------------------------------------------------------------------------------------------------------------


def test_a_webhook_begins_with_a_ping_that_nobody_signed(woo: Any) -> None:
    bench = woo()
    made = bench.v3("POST", "webhooks", content={"topic": "order.updated", "delivery_url": "https://hub.test/x"})
    (ping,) = bench.shop.deliveries()
    assert ping["body"] == f"webhook_id={made['id']}".encode()
    assert "X-WC-Webhook-Signature" not in ping["headers"]


def test_a_delivery_is_signed_and_twins_have_one_id_each(woo: Any) -> None:
    bench = woo()
    for _ in range(2):
        bench.shop.add_webhook("order.created", "https://hub.test/x", "hush", ping=False)
    order = bench.sell(1)[0]
    one, other = bench.shop.deliveries()
    digest = base64.b64encode(hmac.new(b"hush", one["body"], hashlib.sha256).digest()).decode()
    assert one["headers"]["X-WC-Webhook-Signature"] == digest
    assert one["headers"]["X-WC-Webhook-Topic"] == "order.created"
    assert f'"id": {order}'.encode() in one["body"]
    assert one["headers"]["X-WC-Webhook-Delivery-ID"] != other["headers"]["X-WC-Webhook-Delivery-ID"]


def test_more_than_five_failures_in_a_row_switch_a_webhook_off_and_nothing_is_tried_again(woo: Any) -> None:
    bench = woo()
    hook = bench.shop.add_webhook("order.created", "https://hub.test/x", "hush", ping=False)
    for status in (500, 500, 500, 500, 500, 200, 500, 500, 500, 500, 500, 0):
        bench.sell(1)
        (one,) = bench.shop.deliveries()
        assert bench.shop.store.get("webhook", hook)["status"] == "active"
        bench.shop.delivered(one["id"], status)
        assert bench.shop.deliveries() == []
    assert bench.shop.store.get("webhook", hook)["status"] == "disabled"
    bench.sell(1)
    assert bench.shop.deliveries() == []


def test_every_saved_product_says_so_even_if_nothing_changed(woo: Any) -> None:
    bench = woo(world="empty")
    cup = a_thing(bench)
    bench.shop.add_webhook("product.updated", "https://hub.test/x", "hush", ping=False)
    bench.v3("PUT", f"products/{cup}", content={"stock_quantity": 10})
    assert len(bench.shop.deliveries()) == 1


# -- a state that lasts --------------------------------------------------------------------------------------------------


def test_the_state_file_holds_every_acknowledged_write_and_is_held_alone(tmp_path: Path, woo: Any) -> None:
    path = tmp_path / "shop.sqlite"
    bench = woo(state=path)
    lantern = bench.product("LAN-001")
    bench.v3("PUT", f"products/{lantern}", content={"stock_quantity": 3})
    sale = bench.sell(1)[0]
    with pytest.raises(RuntimeError, match="in use"):
        WooCommerceSimulator(state=path)
    bench.simulator.close()
    again = WooCommerceSimulator(state=path)
    assert again.shelf()["LAN-001"] == 3
    assert sale in again.sold()
    assert again.counters.writes["products"] == 1
    again.close()


def test_the_demo_shop_sells_what_every_demo_shop_sells_and_the_same_seed_makes_the_same_shop(woo: Any) -> None:
    shelf = woo().simulator.shelf()
    assert {sku for sku, *_ in GOODS} <= set(shelf)
    assert woo().simulator.shelf() == shelf
    assert set(woo().simulator.sold().values()) == {"paid", "unpaid", "shipped", "cancelled", "refunded"}


def test_what_any_shop_can_do_is_done_here(woo: Any) -> None:
    shop = woo().simulator
    shop.stock({"NEW-1": 4, "LAN-001": 9})
    unpaid = shop.buy({"NEW-1": 1, "RIB-210-RED": 2}, paid=False)
    assert (shop.sold()[unpaid], shop.shelf()["NEW-1"]) == ("unpaid", 3)
    shop.pay(unpaid)
    assert shop.sold()[unpaid] == "paid"
    shop.ship(unpaid, "JD0140")
    assert (shop.sold()[unpaid], shop.parcels(unpaid)) == ("shipped", ["JD0140"])
    other = shop.buy({"LAN-001": 9})
    shop.cancel(other)
    assert (shop.sold()[other], shop.shelf()["LAN-001"]) == ("cancelled", 9)

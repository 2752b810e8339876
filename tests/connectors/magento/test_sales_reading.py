"""Orders of the simulated shop as sales: rows that are two, states that are not paid, sums, times, and everything untidy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, NotUnderstood, TryLater
from comptoir.channels.http import Limits
from comptoir.channels.records import ChargeKind, LineKind, Page, Sale, SaleState
from comptoir.connectors.magento.simulator import Line
from comptoir.kit import clock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def read(bench: Any, cursor: dict[str, Any] | None = None, **config: Any) -> tuple[dict[str, Sale], list[Page[Sale]]]:
    pages = list(bench.open(**config).sales.changed_since(cursor or {}, start=None))
    return {sale.external_id: sale for page in pages for sale in page.items}, pages


def odd(pages: list[Page[Any]]) -> dict[str, str]:
    return {one.subject: one.code for page in pages for one in page.odd}


def parts(sale: Sale) -> Decimal:
    return sum((line.total for line in sale.lines), sum((charge.amount for charge in sale.charges), Decimal(0)))


@pytest.fixture
def shop(magento: Any) -> Any:
    bench = magento(world="empty")
    bench.simulator.stock({"CUP": 50, "POT": 50})
    return bench


def change_order(bench: Any, order: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the answer hold something that our double would never say."""

    def changed(path: str, body: bytes) -> bytes:
        if "/V1/orders" not in path:
            return body
        content = json.loads(body)
        for row in content.get("items", [content]):
            if row.get("entity_id") == order and "items" in row:
                change(row)
        return json.dumps(content).encode()

    bench.change_bodies(changed)


def test_every_sale_of_a_demo_shop_adds_up(magento: Any) -> None:
    sales, pages = read(magento())
    assert len(sales) == 12
    assert {sale.external_id: parts(sale) - sale.total for sale in sales.values()} == dict.fromkeys(sales, Decimal(0))
    assert {sale.state for sale in sales.values()} >= {
        SaleState.PAID, SaleState.UNPAID, SaleState.SHIPPED, SaleState.CANCELLED, SaleState.REFUNDED,
    }  # fmt: skip
    assert not odd(pages)


def test_of_a_configurable_the_parent_has_the_money_and_the_child_says_what_it_is(shop: Any) -> None:
    _, (small, _) = shop.shop.add_configurable(
        "Shirt", sku="SH", variants=[{"sku": f"SH-{one}", "quantity": 9, "options": {"Size": one}} for one in "SM"]
    )
    order = shop.shop.place_order([Line("SH-S", 2, discount="1.50"), Line("CUP")])
    sale = read(shop)[0][str(order)]
    shirt, cup = sale.lines
    assert (shirt.listing, shirt.sku, shirt.name, shirt.quantity) == (str(small), "SH-S", "Shirt", 2)
    assert (shirt.unit_price, shirt.total, shirt.discount, shirt.tax_rate) == (6, Decimal("10.50"), Decimal("1.50"), 20)
    assert shirt.external_id == str(shop.shop.order(order)["items"][0]["item_id"])
    assert cup.sku == "CUP"
    assert parts(sale) == sale.total


def test_a_configurable_whose_child_is_lost_is_matched_by_its_sku(shop: Any) -> None:
    shop.shop.add_configurable("Shirt", sku="SH", variants=[{"sku": "SH-S", "quantity": 9, "options": {"Size": "S"}}])
    order = shop.shop.place_order([Line("SH-S")])
    change_order(shop, order, lambda row: row["items"].pop())
    (line,) = read(shop)[0][str(order)].lines
    assert (line.listing, line.sku, line.kind) == ("", "SH-S", LineKind.GOODS)


@pytest.mark.parametrize("price_type", ["0", "1"])
def test_of_a_bundle_each_part_is_a_line_wherever_the_money_is(shop: Any, price_type: str) -> None:
    bundle = [{"title": "Cups", "links": [("CUP", 2)]}, {"title": "Pot", "links": [("POT", 1)]}]
    shop.shop.add_product(
        "Box", sku="BOX", price="10", kind="bundle", bundle=bundle, attributes={"price_type": price_type}
    )
    order = shop.shop.place_order([Line("BOX", 3)])
    sale = read(shop)[0][str(order)]
    goods = {line.sku: line.quantity for line in sale.lines if line.kind is LineKind.GOODS}
    assert goods == {"CUP": 6, "POT": 3}
    assert [line.kind for line in sale.lines if line.kind is not LineKind.GOODS] == [LineKind.TEXT] * int(price_type)
    assert parts(sale) == sale.total


def test_a_download_is_a_service(shop: Any) -> None:
    shop.shop.add_product("Guide", sku="GUIDE", kind="downloadable", quantity=9)
    order = shop.shop.place_order([("GUIDE", 1)])
    sale = read(shop)[0][str(order)]
    assert [line.kind for line in sale.lines] == [LineKind.SERVICE]
    assert (sale.charges, sale.shipping, sale.state) == ((), None, SaleState.SHIPPED)


@pytest.mark.parametrize(
    ("state", "method", "offline", "meaning"),
    [
        ("new", "banktransfer", "", SaleState.UNPAID),
        ("new", "cashondelivery", "cashondelivery, checkmo", SaleState.PAID),
        ("pending_payment", "stripe_payments", "stripe_payments", SaleState.UNPAID),
        ("payment_review", "stripe_payments", "", SaleState.UNPAID),
        ("processing", "stripe_payments", "", SaleState.PAID),
        ("complete", "stripe_payments", "", SaleState.SHIPPED),
        ("closed", "stripe_payments", "", SaleState.REFUNDED),
        ("canceled", "stripe_payments", "", SaleState.CANCELLED),
        ("holded", "stripe_payments", "", SaleState.UNPAID),
    ],
)
def test_the_state_decides_and_the_status_is_a_label(
    shop: Any, state: str, method: str, offline: str, meaning: SaleState
) -> None:
    order = shop.shop.place_order([("CUP", 1)], state=state, method=method, status="my_own_label")
    sale = read(shop, offline=offline)[0][str(order)]
    assert (sale.state, sale.status, sale.status_name) == (meaning, f"{state}/my_own_label", "my_own_label")
    assert sale.takes_stock == (state not in ("closed", "canceled"))


def test_processing_is_not_paid_while_money_is_only_authorised(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)], state="new")
    shop.shop.set_state(order, "processing")
    assert read(shop)[0][str(order)].state is SaleState.UNPAID
    shop.shop.invoice(order)
    sale = read(shop)[0][str(order)]
    assert (sale.state, sale.payments[0].amount) == (SaleState.PAID, sale.total)


def test_a_state_of_a_module_is_nobodys_guess(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    shop.shop.set_state(order, "rejected", "rejected")
    assert read(shop)[0][str(order)].state is SaleState.UNKNOWN


def test_what_the_shop_ships_is_told_by_fetching_though_no_stamp_moves(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 3), ("POT", 1)])
    _, pages = read(shop)
    cup, pot = (row["item_id"] for row in shop.shop.order(order)["items"])
    shop.simulator.clock.advance(timedelta(hours=2))
    shop.shop.ship_order(order, [{"order_item_id": cup, "qty": 2}], tracks=[{"track_number": "GB1", "title": "x"}])
    again, _ = read(shop, pages[-1].cursor)
    assert str(order) not in again or again[str(order)].changed_at < shop.simulator.clock.now() - timedelta(hours=1)
    client = shop.open()
    (sale,) = client.sales.fetch([str(order)]).items
    assert (sale.shipped_lines, sale.tracking, sale.state) == ({str(cup): 2}, ("GB1",), SaleState.PAID)
    shop.shop.ship_order(order, tracks=[{"track_number": "GB2", "title": "x"}])
    (sale,) = client.sales.fetch([str(order)]).items
    assert (sale.shipped_lines, sale.tracking) == ({str(cup): 3, str(pot): 1}, ("GB1", "GB2"))
    assert sale.state is SaleState.SHIPPED


def test_shipped_and_not_yet_invoiced_has_left_all_the_same(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 1)], state="new", method="cashondelivery")
    shop.shop.ship_order(order)
    sale = read(shop)[0][str(order)]
    assert (sale.status, sale.state) == ("processing/processing", SaleState.SHIPPED)


def test_refunded_and_cancelled_units_are_told_per_line(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 3)])
    shop.shop.refund(order, {shop.shop.order(order)["items"][0]["item_id"]: 2})
    (line,) = read(shop)[0][str(order)].lines
    assert (line.quantity, line.refunded) == (3, 2)


def test_amounts_are_exact_and_in_the_orders_own_currency(shop: Any) -> None:
    order = shop.shop.place_order([Line("CUP", 3, price="0.10")], currency="EUR", rate="1.1735", shipping="4.95")
    sale = read(shop)[0][str(order)]
    assert (sale.currency, sale.rate, sale.total) == ("EUR", Decimal("1.1735"), Decimal("5.25"))
    assert [(charge.kind, charge.amount) for charge in sale.charges] == [(ChargeKind.SHIPPING, Decimal("4.95"))]


def test_a_discount_that_takes_tax_along_still_adds_up(shop: Any) -> None:
    """Tax after discount: 12.00 with tax, 10 % off: the rows say net 10, tax 1.80, discount 1.20, compensation 0.20."""
    order = shop.shop.place_order([Line("CUP", price="12.00")], shipping="0")

    def discounted(row: dict[str, Any]) -> None:
        row |= {"discount_amount": -1.2, "tax_amount": 1.8, "grand_total": 10.8}
        row["items"][0] |= {"tax_amount": 1.8, "discount_amount": 1.2, "discount_tax_compensation_amount": 0.2}

    change_order(shop, order, discounted)
    sale = read(shop)[0][str(order)]
    assert (sale.lines[0].total, sale.lines[0].tax, sale.total) == (Decimal("10.8"), Decimal("1.8"), Decimal("10.8"))
    assert parts(sale) == sale.total


def test_a_sale_carries_what_the_hub_needs_to_ship_it(shop: Any) -> None:
    order = shop.shop.place_order(
        [("CUP", 1)],
        customer={"id": 7, "firstname": "Jean", "lastname": "Moulin", "email": "jean@example.org", "taxvat": "FR32"},
        address={"company": "Café du Coin", "street": ["1 rue X", "", "3e étage"], "country_id": "FR", "city": "Lyon",
                 "postcode": "69001", "region_code": "69"},
        pickup="relay-7",
        comment="Ring twice.",
    )  # fmt: skip
    sale = read(shop)[0][str(order)]
    assert sale.shipping is not None
    assert sale.billing is not None
    assert (sale.shipping.name, sale.shipping.lines, sale.shipping.country) == (
        "Jean Moulin",
        ("1 rue X", "3e étage"),
        "FR",
    )
    assert (sale.billing.vat_number, sale.buyer.email, sale.buyer.external_id) == ("FR32", "jean@example.org", "7")
    assert (sale.carrier, sale.carrier_name) == ("flatrate_flatrate", "Flat Rate - Fixed")
    assert (sale.pickup_point, sale.note, sale.selling_point) == ("relay-7", "Ring twice.", "default")
    assert sale.number == shop.shop.order(order)["increment_id"]


def test_an_order_belongs_to_the_first_enabled_source_of_its_websites_stock(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 1)]))
    shop.shop.add_source("closed", priority=0, enabled=False)
    shop.shop.add_source("annex", priority=0)
    assert read(shop)[0][order].selling_point == "annex"


def test_each_website_sells_and_ships_from_its_own_stock(shop: Any) -> None:
    shop.shop.add_stock(2, "French stock", ["fr"])
    shop.shop.add_source("lyon", stock=2)
    shop.shop.set_quantity("CUP", 4, "lyon")
    store = shop.shop.add_store("french", "fr")
    order, other = str(shop.shop.place_order([("CUP", 2)], store=store)), str(shop.shop.place_order([("CUP", 1)]))
    sales, _ = read(shop)
    assert (sales[order].selling_point, sales[other].selling_point) == ("lyon", "default")
    assert (shop.shop.salable("CUP", 2), shop.shop.salable("CUP")) == (2, 49)
    shop.open().tracking.confirm(shop.a_parcel(order))
    assert (shop.shop.quantity("CUP", "lyon"), shop.shop.quantity("CUP"), shop.shop.salable("CUP", 2)) == (2, 50, 2)


def test_stamps_are_utc_whatever_the_shops_time_zone(magento: Any) -> None:
    bench = magento(world="empty", timezone="America/New_York")
    bench.simulator.stock({"CUP": 5})
    bench.simulator.clock.set(NOON)
    order = bench.shop.place_order([("CUP", 1)])
    assert read(bench)[0][str(order)].placed_at == NOON


def test_rows_that_shift_while_pages_are_read_are_neither_lost_nor_doubled(shop: Any) -> None:
    orders = [str(shop.shop.place_order([("CUP", 1)])) for _ in range(250)]
    seen: list[str] = []
    pages = shop.open().sales.changed_since({}, start=None)
    for page in pages:
        seen += page.seen
        shop.simulator.clock.advance(timedelta(seconds=30))
        shop.shop.add_comment(int(page.seen[0]), "changed")  # falls out of the interval: comes with the next reading
    assert seen == orders


@pytest.mark.parametrize("quirk", ["items_null", "last_page_forever"])
def test_readings_end_however_a_version_ends_its_lists(magento: Any, quirk: str) -> None:
    bench = magento()
    bench.shop.set_quirk(quirk)
    sales, pages = read(bench)
    assert (len(sales), len(pages)) == (12, 1)
    bench.shop.store.execute("DELETE FROM orders")
    assert read(bench) == ({}, [])


def test_a_page_of_fewer_rows_than_asked_for_is_not_the_end_where_the_count_says_more(shop: Any) -> None:
    orders = {str(shop.shop.place_order([("CUP", 1)])) for _ in range(150)}

    def thinned(path: str, body: bytes) -> bytes:
        content = json.loads(body)
        if path.endswith("/V1/orders") and len(content["items"]) == 100:
            del content["items"][60:]  # a plug-in of the shop takes rows out of the page
        return json.dumps(content).encode()

    shop.change_bodies(thinned)
    assert read(shop)[0].keys() == orders


def test_a_list_that_does_not_move_on_is_not_read_for_ever(shop: Any) -> None:
    for _ in range(120):
        shop.shop.place_order([("CUP", 1)])
    first: list[bytes] = []

    def stuck(path: str, body: bytes) -> bytes:
        if path.endswith("/V1/orders") and len(json.loads(body)["items"]) > 1:
            first.append(body)
            return first[0]
        return body

    shop.change_bodies(stuck)
    with pytest.raises(NotUnderstood, match="holds none"):
        read(shop)


def test_a_stamp_from_the_future_is_told_and_does_not_hide_what_comes_next(shop: Any) -> None:
    shop.simulator.clock.set(NOON)
    with clock.using(clock.ManualClock(NOON)):
        late = str(shop.shop.place_order([("CUP", 1)], placed_at=NOON + timedelta(days=2)))
        _, pages = read(shop)
        assert odd(pages) == {"clock:sale": "clock_ahead"}
        new = str(shop.shop.place_order([("CUP", 1)]))
        assert {late, new} <= read(shop, pages[-1].cursor)[0].keys()


def test_fetching_named_sales_leaves_out_those_that_are_gone(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 1)]))
    page = shop.open().sales.fetch([order, "999999", "not-an-id", order])
    assert [sale.external_id for sale in page.items] == [order]
    assert page.seen == (order,)


def test_a_page_of_a_hundred_sales_takes_few_calls(shop: Any) -> None:
    shop.simulator.stock({"CUP": 100})
    for _ in range(100):
        shop.shop.place_order([("CUP", 1)], state="complete")
    shop.calls.clear()
    read(shop)
    assert len(shop.calls) <= 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda row: row.pop("grand_total"), "malformed_sale"),
        (lambda row: row.update(grand_total="much"), "malformed_sale"),
        (lambda row: row.update(created_at="yesterday"), "malformed_sale"),
        (lambda row: row.update(items=None), "malformed_sale"),
        (lambda row: row["items"][0].update(qty_ordered=-1), "malformed_sale"),
        (lambda row: row["items"][0].pop("item_id"), "malformed_sale"),
        (lambda row: row.update(base_to_order_rate=0), "malformed_sale"),
        (lambda row: row.update(order_currency_code="?"), "unknown_currency"),
    ],
)
def test_one_bad_sale_is_a_finding_and_the_rest_of_the_page_goes_on(
    shop: Any, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    good, bad = (shop.shop.place_order([("CUP", 1)]) for _ in range(2))
    change_order(shop, bad, change)
    sales, pages = read(shop)
    assert list(sales) == [str(good)]
    assert odd(pages) == {f"sale:{bad}": code}
    assert {str(good), str(bad)} == {one for page in pages for one in page.seen}


@pytest.mark.parametrize("absent", ["payment", "extension_attributes", "billing_address", "total_due", "status"])
def test_what_a_shop_leaves_out_is_done_without(shop: Any, absent: str) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    change_order(shop, order, lambda row: row.update({absent: None}))
    sale = read(shop)[0][str(order)]
    assert (sale.state, len(sale.lines)) == (SaleState.PAID, 1)


def test_an_empty_object_may_come_as_an_empty_list(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    change_order(shop, order, lambda row: row.update(extension_attributes=[], billing_address=[]))
    sale = read(shop)[0][str(order)]
    assert (sale.shipping, sale.billing, sale.state) == (None, None, SaleState.PAID)


def test_an_order_without_rows_comes_in_and_waits_for_a_person(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    change_order(shop, order, lambda row: row.update(items=[]))
    assert read(shop)[0][str(order)].lines == ()


def test_numbers_in_quotes_are_numbers(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    change_order(shop, order, lambda row: row.update(grand_total="10.8000", store_id="1", customer_id=None))
    assert read(shop)[0][str(order)].total == Decimal("10.8")


def test_an_order_that_breaks_the_json_is_found_and_named_and_the_others_come_in(shop: Any) -> None:
    orders = [shop.shop.place_order([("CUP", 1)]) for _ in range(9)]
    bad = orders[4]

    def broken(path: str, body: bytes) -> bytes:
        whole = b'"increment_id"' in body
        return body.replace(f'"entity_id":{bad},"inc'.encode(), f'"entity_id":{bad},,"inc'.encode()) if whole else body

    shop.change_bodies(broken)
    sales, pages = read(shop)
    assert sales.keys() == {str(one) for one in orders if one != bad}
    assert odd(pages) == {f"sale:{bad}": "unreadable_answer"}


def test_a_page_cut_short_once_is_read_in_halves(shop: Any) -> None:
    orders = {str(shop.shop.place_order([("CUP", 1)])) for _ in range(20)}
    left = [1]

    def cut(path: str, body: bytes) -> bytes:
        if len(body) > 5_000 and left[0]:
            left[0] -= 1
            return body[: len(body) // 2]
        return body

    shop.change_bodies(cut)
    sales, pages = read(shop)
    assert sales.keys() == orders
    assert not odd(pages)


def test_a_sale_that_is_too_large_is_named_with_size_and_limit_and_the_others_come_in(shop: Any) -> None:
    small, large = (shop.shop.place_order([("CUP", 1)]) for _ in range(2))
    shop.shop.edit_order(large, customer_note="x" * 60_000)
    client = shop.open(shop.door(limits=Limits(body=30_000)))
    (page,) = client.sales.changed_since({}, start=None)
    assert [sale.external_id for sale in page.items] == [str(small)]
    (one,) = page.odd
    assert (one.code, one.subject, one.facts["limit"]) == ("unreadable_answer", f"sale:{large}", 30_000)


def test_without_the_right_to_see_shipments_sales_come_in_and_it_is_said(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 1)], state="complete"))
    shop.shop.set_rights(["Magento_Sales::shipment"])
    sales, pages = read(shop)
    assert sales[order].tracking == ()
    (one,) = (one for page in pages for one in page.odd)
    assert (one.code, one.severity, one.facts) == ("right_missing", "info", {"right": "Magento_Sales::shipment"})


def test_a_shipment_that_makes_no_sense_is_named_and_its_sale_comes_in(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 1)], state="complete"))
    shop.change_bodies(lambda path, body: body.replace(b'"order_id":1,"tracks"', b'"order_id":"?","tracks"'))
    sales, pages = read(shop)
    assert (sales[order].state, sales[order].tracking) == (SaleState.SHIPPED, ())
    assert odd(pages) == {"shipment:1": "malformed_row"}


def test_a_source_that_makes_no_sense_is_named_and_the_others_count(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 1)]))
    shop.shop.add_source("annex", priority=0)
    shop.change_bodies(lambda path, body: body.replace(b'"source_code":"annex","name"', b'"source_code":[7],"name"'))
    sales, pages = read(shop)
    assert sales[order].selling_point == "default"
    assert "malformed_row" in odd(pages).values()


def test_a_missing_right_on_something_needed_is_named(shop: Any) -> None:
    shop.shop.set_rights(["Magento_Sales::actions_view"])
    with pytest.raises(NotLetIn) as caught:
        read(shop)
    assert caught.value.facts["right"] == "Magento_Sales::actions_view"
    assert "%resources" not in str(caught.value)


@pytest.mark.parametrize("fault", ["time_out_before", "reset_before", "status_before"])
def test_a_broken_reading_is_try_later(shop: Any, fault: str) -> None:
    shop.simulator.faults.add(fault)
    with pytest.raises(TryLater):
        read(shop)

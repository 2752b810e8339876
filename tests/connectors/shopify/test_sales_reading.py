"""Orders as sales: money to the cent, what was edited, given back and shipped, and lists that change while they are read."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn
from comptoir.channels.records import ChargeKind, LineKind, Sale, SaleState
from comptoir.connectors.shopify.simulator import Line


def one(bench: Any, order: int, **config: Any) -> Sale:
    (sale,) = bench.open(**config).sales.fetch([str(order)]).items
    assert isinstance(sale, Sale)
    return sale


def thing(bench: Any, price: str = "19.99", units: int = 100, **more: Any) -> int:
    product = bench.shop.add_product("Thing", [{"sku": f"X-{price}", "price": price, "quantity": units, **more}])
    return int(bench.shop.store.get("product", product)["variants"][0])


def parts(sale: Sale) -> Decimal:
    return sum((line.total for line in sale.lines), Decimal(0)) + sum((one.amount for one in sale.charges), Decimal(0))


def lines_of(bench: Any, order: int) -> list[int]:
    return [line["id"] for line in bench.shop.store.get("order", order)["lines"]]


UNTIDY = [
    {"lines": [("19.99", 3, ("7.01",))]},
    {"lines": [("0.07", 13, ("0.11", "0.03")), ("333.33", 3, ("100.00",))], "shipping": "4.99"},
    {"lines": [("9.95", 7, ())], "shipping": "0", "tip": "3.33"},
    {"lines": [("12.34", 1, ("12.34",))], "shipping": "5.67", "duties": "8.91"},
    {"lines": [("1.11", 9, ("0.10",))], "fees": [("Bag levy", "0.17")], "gift_card_used": "3.00"},
]


@pytest.mark.parametrize("included", [True, False], ids=["with tax", "without tax"])
@pytest.mark.parametrize("given", UNTIDY)
def test_lines_and_charges_make_the_total_to_the_cent(shopify: Any, given: dict[str, Any], included: bool) -> None:
    bench = shopify("empty")
    bench.shop.configure(taxesIncluded=included)
    how = dict(given)
    lines = [Line(thing(bench, price), units, discounts=cuts) for price, units, cuts in how.pop("lines")]
    sale = one(bench, bench.shop.place_order(lines, **how))
    assert parts(sale) == sale.total
    assert sale.currency == "GBP"
    assert sale.rate == 1
    tip = [charge.amount for charge in sale.charges if charge.kind is ChargeKind.TIP]
    assert tip == ([Decimal(given["tip"])] if "tip" in given else [])
    for line, (price, units, cuts) in zip(sale.lines, given["lines"], strict=True):
        assert line.discount == sum(map(Decimal, cuts), Decimal(0))
        assert line.tax_rate == Decimal(20)
        if included:
            assert line.total == Decimal(price) * units - line.discount
        else:
            assert line.total == Decimal(price) * units - line.discount + (line.tax or 0)


def test_a_gift_card_used_is_a_payment_and_one_sold_is_a_line_of_its_kind(shopify: Any) -> None:
    bench = shopify("empty")
    card = bench.shop.add_product("Gift card", [{"price": "25.00", "tracked": False}], gift_card=True)
    variant = bench.shop.store.get("product", card)["variants"][0]
    sale = one(bench, bench.shop.place_order([Line(variant), Line(thing(bench))], gift_card_used="10.00"))
    assert [line.kind for line in sale.lines] == [LineKind.GIFT_CARD, LineKind.GOODS]
    assert sale.lines[0].tax_rate is None
    assert [(paid.method, paid.amount) for paid in sale.payments] == [
        ("gift_card", Decimal("10.00")),
        ("shopify_payments", sale.total - 10),
    ]


def test_only_money_that_came_in_is_a_payment(shopify: Any) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench))], financial="AUTHORIZED")
    assert one(bench, order).payments == ()
    assert one(bench, order).payment_method == "shopify_payments"
    bench.shop.pay(order)
    row = bench.shop.store.get("order", order)
    failed = {**row["transactions"][-1], "id": 5, "status": "FAILURE"}
    change = {**row["transactions"][-1], "id": 6, "kind": "CHANGE", "amount": "2.00"}
    bench.shop.store.change("order", order, transactions=[*row["transactions"], failed, change])
    assert [paid.amount for paid in one(bench, order).payments] == [one(bench, order).total, Decimal("-2.00")]


def test_a_buyer_who_pays_in_another_currency_is_booked_in_the_shops(shopify: Any) -> None:
    bench = shopify("empty")
    sale = one(bench, bench.shop.place_order([Line(thing(bench))], presentment="EUR", rate="1.17"))
    assert (sale.currency, sale.total) == ("GBP", Decimal("24.79"))


@pytest.mark.parametrize(
    ("financial", "state", "authorized"),
    [
        ("PAID", SaleState.PAID, "no"),
        ("PENDING", SaleState.UNPAID, "no"),
        ("PARTIALLY_PAID", SaleState.UNPAID, "no"),
        ("AUTHORIZED", SaleState.UNPAID, "no"),
        ("AUTHORIZED", SaleState.PAID, "yes"),
        ("VOIDED", SaleState.UNPAID, "no"),
        ("EXPIRED", SaleState.UNPAID, "no"),
        (None, SaleState.UNPAID, "no"),
    ],
)
def test_what_the_financial_status_means(
    shopify: Any, financial: str | None, state: SaleState, authorized: str
) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench))])
    bench.shop.store.change("order", order, financial=financial)
    sale = one(bench, order, authorized=authorized)
    assert sale.state is state
    assert sale.takes_stock
    assert sale.status == f"{financial or ''}/UNFULFILLED"


def test_every_status_of_the_demo_is_listed_by_the_probe_with_the_same_meaning(shopify: Any) -> None:
    bench = shopify()
    known = {one.external_id: one.state for one in bench.open().probe.look_around().statuses}
    met: set[str] = set()
    for page in bench.open().sales.changed_since({}, start=None):
        for sale in page.items:
            assert known[sale.status] is sale.state
            met.add(sale.state)
    assert met == {SaleState.PAID, SaleState.UNPAID, SaleState.SHIPPED, SaleState.CANCELLED, SaleState.REFUNDED}


def test_units_edited_away_are_not_bought_and_the_total_follows(shopify: Any) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench, "10.00"), 4, discounts=("3.00",)), Line(thing(bench, "7.77"), 1)])
    first, second = lines_of(bench, order)
    bench.shop.edit_order(order, {first: 1, second: 1}, [Line(thing(bench, "2.50"), 2)])
    sale = one(bench, order)
    assert [line.quantity for line in sale.lines] == [3, 2]
    assert sale.lines[0].total == Decimal("27.75")
    assert parts(sale) == sale.total
    assert sale.state is SaleState.PAID


def test_units_given_back_stay_bought_and_are_told_as_refunded(shopify: Any) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench, "10.00"), 4)])
    (line,) = lines_of(bench, order)
    bench.shop.refund(order, {line: 1})
    sale = one(bench, order)
    assert (sale.lines[0].quantity, sale.lines[0].refunded) == (4, 1)
    assert parts(sale) == sale.total
    assert sale.state is SaleState.PAID
    bench.shop.refund(order, {line: 3}, all_of_it=True)
    assert one(bench, order).state is SaleState.REFUNDED
    assert one(bench, order).lines[0].refunded == 4


def test_a_cancelled_order_says_so_and_gives_its_units_back(shopify: Any) -> None:
    bench = shopify("empty")
    variant = thing(bench, units=10)
    order = bench.shop.place_order([Line(variant, 3)])
    assert bench.shop.available(variant) == 7
    bench.shop.cancel(order)
    sale = one(bench, order)
    assert (sale.state, sale.status, sale.takes_stock) == (SaleState.CANCELLED, "CANCELLED", False)
    assert bench.shop.available(variant) == 10


def test_what_was_shipped_is_told_by_line_with_its_numbers(shopify: Any) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench, "1.00"), 2), Line(thing(bench, "2.00"), 1)])
    (fulfilment,) = bench.shop.fulfillment_orders(order)
    bench.shop.fulfil([(fulfilment["id"], {fulfilment["lines"][0]["id"]: 1})], tracking={"number": "AA1"})
    first, second = lines_of(bench, order)
    sale = one(bench, order)
    assert (sale.state, sale.tracking, sale.shipped_lines) == (SaleState.PAID, ("AA1",), {str(first): 1})
    bench.shop.ship_in_shop(order, "BB2")
    sale = one(bench, order)
    assert (sale.state, sale.tracking) == (SaleState.SHIPPED, ("AA1", "BB2"))
    assert sale.shipped_lines == {str(first): 2, str(second): 1}


def test_a_line_without_a_variant_is_matched_by_its_sku_or_is_text(shopify: Any) -> None:
    bench = shopify("empty")
    variant = thing(bench)
    order = bench.shop.place_order(
        [
            Line(variant),
            Line(title="Engraving", price="3.00", sku=None),
            Line(title="By phone", price="4.00", sku="P-1"),
        ]
    )
    bench.shop.delete_product(bench.shop.store.get("variant", variant)["product"])
    gone, text, by_sku = one(bench, order).lines
    assert (gone.listing, gone.sku, gone.kind) == ("", "X-19.99", LineKind.GOODS)
    assert (text.kind, text.name) == (LineKind.TEXT, "Engraving")
    assert (by_sku.kind, by_sku.sku) == (LineKind.GOODS, "P-1")


def test_more_lines_than_a_page_holds_are_all_there(shopify: Any) -> None:
    bench = shopify("empty")
    variants = [thing(bench, f"{n}.11") for n in range(1, 54)]
    order = bench.shop.place_order([Line(variant, 2) for variant in variants])
    kept = lines_of(bench, order)
    bench.shop.refund(order, dict.fromkeys(kept[:30], 1), restock="NO_RESTOCK")
    bench.shop.ship_in_shop(order, "AA1")
    sale = one(bench, order)
    assert len(sale.lines) == len(sale.shipped_lines) == 53
    assert sum(line.refunded for line in sale.lines) == 30
    assert parts(sale) == sale.total


def test_where_a_sale_took_its_units(shopify: Any) -> None:
    bench = shopify("empty")
    home = bench.shop.locations()[0]["id"]
    other = bench.shop.add_location("Hill Road")
    variant = thing(bench, "1.00", {home: 0, other: 5})
    assert one(bench, bench.shop.place_order([Line(variant)])).selling_point == str(other)
    assert one(bench, bench.shop.place_order([Line(variant)], location=home)).selling_point == str(home)
    digital = thing(bench, "2.00", 0, tracked=False, requires_shipping=False)
    sale = one(bench, bench.shop.place_order([Line(digital)], shipping_title=""))
    assert (sale.selling_point, sale.lines[0].kind, sale.carrier) == (str(home), LineKind.SERVICE, "")


def test_protected_data_may_all_be_null(shopify: Any) -> None:
    bench = shopify("empty")
    scopes = [scope for scope in bench.shop.settings["scopes"] if scope != "read_customers"]
    order = bench.shop.place_order([Line(thing(bench))], customer={"id": 7, "firstName": "A"}, address={})
    bench.shop.configure(scopes=scopes)
    sale = one(bench, order)
    assert sale.buyer.external_id == ""
    assert sale.shipping is not None
    assert sale.shipping.country == ""


def test_test_orders_are_left_out(shopify: Any) -> None:
    bench = shopify("empty")
    order = bench.shop.place_order([Line(thing(bench))], test=True)
    client = bench.open()
    assert client.sales.fetch([str(order)]).items == []
    assert [page.items for page in client.sales.changed_since({}, start=None)] == [[]]
    now = bench.simulator.clock.now()
    assert list(client.sales.placed_between(now - timedelta(hours=1), now + timedelta(hours=1))) == [[]]


# -- lists -----------------------------------------------------------------------------------------------------------------


def read(bench: Any, cursor: dict[str, Any], **options: Any) -> tuple[list[Sale], dict[str, Any]]:
    found: list[Sale] = []
    for page in bench.open().sales.changed_since(cursor, start=options.get("start")):
        found += page.items
        cursor = page.cursor
    return found, cursor


def test_a_change_that_the_index_shows_late_is_read_with_the_overlap(shopify: Any) -> None:
    bench = shopify("empty")
    bench.shop.quirks.index_lag = 20.0
    variant, clock = thing(bench), bench.simulator.clock
    start = clock.now().replace(microsecond=0)
    clock.set(start)
    early = bench.shop.place_order([Line(variant)])
    clock.set(start + timedelta(seconds=30))
    late = bench.shop.place_order([Line(variant)], placed_at=start - timedelta(seconds=10))
    found, cursor = read(bench, {})
    assert {sale.external_id for sale in found} >= {str(early)}
    bench.shop.pay(early)  # the newest change is hidden: the cursor must not run ahead of it
    clock.set(start + timedelta(minutes=2))
    found, cursor = read(bench, cursor)
    assert {str(early), str(late)} <= {sale.external_id for sale in found} | {str(late)}
    assert str(early) in {sale.external_id for sale in found}


def test_every_reading_asks_in_utc_with_quotes_and_nothing_is_misunderstood(shopify: Any) -> None:
    bench = shopify(timezone="Asia/Kolkata")
    _, cursor = read(bench, {})
    read(bench, cursor)
    list(bench.open().products.changed_since({}))
    now = bench.simulator.clock.now()
    list(bench.open().sales.placed_between(now - timedelta(days=1), now))
    assert bench.simulator.search_warnings == []


def test_the_first_reading_begins_where_it_is_told(shopify: Any) -> None:
    bench = shopify("empty")
    variant, now = thing(bench), bench.simulator.clock.now()
    bench.shop.place_order([Line(variant)], placed_at=now - timedelta(days=9))
    new = bench.shop.place_order([Line(variant)])
    found, _ = read(bench, {}, start=now - timedelta(days=1))
    assert [sale.external_id for sale in found] == [str(new)]


def test_a_stamp_from_the_future_hides_nothing_that_comes_before_it(shopify: Any) -> None:
    bench = shopify("empty")
    variant = thing(bench)
    odd = bench.shop.place_order([Line(variant)])
    bench.shop.store.change("order", odd, updatedAt="2099-01-01T00:00:00Z")
    _, cursor = read(bench, {})
    new = bench.shop.place_order([Line(variant)])
    found, _ = read(bench, cursor)
    assert str(new) in {sale.external_id for sale in found}


BAD: list[dict[str, Any]] = [
    {"createdAt": "yesterday"},
    {"totalPriceSet": None},
    {"totalPriceSet": {"shopMoney": {"amount": "many", "currencyCode": "GBP"}}},
    {"currencyCode": 5},
    {"lineItems": None},
    {"lineItems": {"nodes": [{"id": "gid://shopify/LineItem/1"}]}},
]


@pytest.mark.parametrize("spoiled", BAD)
def test_one_order_that_cannot_be_read_does_not_stop_the_others(shopify: Any, spoiled: dict[str, Any]) -> None:
    bench = shopify("empty")
    variant = thing(bench)
    bad, good = (bench.shop.place_order([Line(variant)]) for _ in range(2))

    def spoil(path: str, body: bytes) -> bytes:
        content = json.loads(body)
        for row in ((content.get("data") or {}).get("orders") or {}).get("nodes") or ():
            if row["id"].endswith(str(bad)):
                row.update(spoiled)
        return json.dumps(content).encode()

    bench.change_bodies(spoil)
    pages = list(bench.open().sales.changed_since({}, start=None))
    assert [sale.external_id for page in pages for sale in page.items] == [str(good)]
    (odd,) = [odd for page in pages for odd in page.odd]
    assert (odd.code, odd.subject) == ("malformed_sale", f"sale:{bad}")
    assert {str(bad), str(good)} == {seen for page in pages for seen in page.seen}
    assert str(bad) in pages[0].raw


def test_ids_that_are_none_are_not_asked_for(shopify: Any) -> None:
    bench = shopify("empty")
    assert bench.open().sales.fetch(["", "x", "12.5", "gid://shopify/Order/1", "99"]).items == []


def test_a_missing_scope_is_named(shopify: Any) -> None:
    bench = shopify()
    bench.shop.configure(scopes=["read_locations", "read_products"])
    with pytest.raises(NotLetIn) as caught:
        next(bench.open().sales.changed_since({}, start=None))
    assert caught.value.facts["right"] == "read_orders"

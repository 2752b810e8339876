"""Orders of the simulated shop as sales: sums, states, times, shifting pages, and everything untidy that shops hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotUnderstood, TryLater
from comptoir.channels.http import Limits
from comptoir.channels.records import ChargeKind, Page, Rounding, Sale, SaleState
from comptoir.kit import clock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ORDERS = "/wp-json/wc/v3/orders"


def read(bench: Any, cursor: dict[str, Any] | None = None, **config: Any) -> tuple[dict[str, Sale], list[Page[Sale]]]:
    pages = list(bench.open(**config).sales.changed_since(cursor or {}, start=None))
    return {sale.external_id: sale for page in pages for sale in page.items}, pages


def odd(pages: list[Page[Any]]) -> dict[str, str]:
    return {one.subject: one.code for page in pages for one in page.odd}


def difference(sale: Sale) -> Decimal:
    lines = sum((line.total for line in sale.lines), Decimal(0))
    return lines + sum((charge.amount for charge in sale.charges), Decimal(0)) - sale.total


@pytest.mark.parametrize("includes", ["yes", "no"])
@pytest.mark.parametrize(("at_subtotal", "rounding"), [("no", Rounding.LINE), ("yes", Rounding.TOTAL)])
def test_lines_shipping_fees_and_coupons_add_up_to_the_total(
    woo: Any, includes: str, at_subtotal: str, rounding: Rounding
) -> None:
    bench = woo(world="empty")
    bench.shop.configure("woocommerce_prices_include_tax", includes)
    bench.shop.configure("woocommerce_tax_round_at_subtotal", at_subtotal)
    lines = [
        {"product": bench.shop.add_product(f"P{n}", sku=f"P{n}", price=price, quantity=99), "quantity": 3}
        for n, price in enumerate(("0.33", "7.77", "12.05", "10"))
    ]
    order = bench.shop.place_order(
        lines, shipping="4.80", fees=[("Handling", "1.15"), ("Goodwill", "-2.00")], coupon="10"
    )
    sale = read(bench)[0][str(order)]
    assert abs(difference(sale)) <= Decimal("0.005") * len(sale.lines)
    assert [charge.kind for charge in sale.charges] == [ChargeKind.SHIPPING, ChargeKind.FEE, ChargeKind.DISCOUNT]
    assert [charge.name for charge in sale.charges] == ["Flat rate", "Handling", "Goodwill"]
    assert all(line.discount > 0 for line in sale.lines)  # a coupon is in the lines, and nowhere else
    assert sale.rounding is rounding


@pytest.mark.parametrize(
    ("status", "method", "state", "takes_stock"),
    [
        ("processing", "stripe", SaleState.PAID, True),
        ("processing", "cod", SaleState.PAID, True),
        ("processing", "cheque", SaleState.UNPAID, True),
        ("completed", "stripe", SaleState.SHIPPED, True),
        ("on-hold", "bacs", SaleState.UNPAID, True),
        ("pending", "stripe", SaleState.UNPAID, False),
        ("failed", "stripe", SaleState.UNPAID, False),
        ("cancelled", "bacs", SaleState.CANCELLED, False),
        ("partial-payment", "stripe", SaleState.UNKNOWN, True),
    ],
)
def test_what_a_status_means(woo: Any, status: str, method: str, state: SaleState, takes_stock: bool) -> None:
    bench = woo(world="empty")
    bench.shop.add_status("partial-payment", "Partially paid")
    cup = bench.shop.add_product("Cup", sku="CUP", price="1", quantity=9)
    order = bench.shop.place_order([{"product": cup}], status=status, payment_method=method)
    sale = read(bench)[0][str(order)]
    assert (sale.state, sale.takes_stock) == (state, takes_stock)
    assert sale.status_name == ("Partially paid" if status == "partial-payment" else "")


def test_which_payment_methods_are_good_unpaid_is_the_merchants_choice(woo: Any) -> None:
    bench = woo(world="empty")
    cup = bench.shop.add_product("Cup", sku="CUP", price="1", quantity=9)
    orders = {
        method: str(bench.shop.place_order([{"product": cup}], payment_method=method)) for method in ("cod", "cheque")
    }
    for chosen, good in (("cod", {"cod"}), ("cheque; cod", {"cod", "cheque"}), ("", set())):
        sales = read(bench, good_methods=chosen)[0]
        assert {method for method, one in orders.items() if sales[one].state is SaleState.PAID} == good


def test_a_basket_that_nobody_placed_never_comes_in(woo: Any) -> None:
    bench = woo()
    drafts = {str(row["id"]) for row in bench.shop.dump()["order"] if row["status"] == "checkout-draft"}
    sales, pages = read(bench)
    assert drafts
    assert not drafts & set(sales)
    assert drafts <= {one for page in pages for one in page.seen}
    client = bench.open()
    assert client.sales.fetch(sorted(drafts)).items == []
    since = datetime(2000, 1, 1, tzinfo=UTC)
    listed = {one for ids in client.sales.placed_between(since, clock.now() + timedelta(hours=1)) for one in ids}
    assert listed == set(sales)


def test_what_was_thrown_away_is_cancelled_and_not_gone(woo: Any) -> None:
    bench = woo()
    (order,) = bench.sell(1)
    bench.shop.trash_order(int(order))
    page = bench.open().sales.fetch([order, "999999", "not a number"])
    assert [(sale.external_id, sale.state) for sale in page.items] == [(order, SaleState.CANCELLED)]
    assert page.seen == (order,)


def test_refunded_units_are_told_per_line(woo: Any) -> None:
    bench = woo(world="empty")
    things = [bench.shop.add_product(f"P{n}", sku=f"P{n}", price="3", quantity=99) for n in range(2)]
    order = bench.shop.place_order([{"product": one, "quantity": 5} for one in things])
    first, second = (line["id"] for line in bench.shop.store.get("order", order)["doc"]["lines"])
    bench.shop.refund(order, {first: 2})
    bench.shop.refund(order, {first: 1, second: 4})
    bench.shop.refund(order, amount="1.00", reason="Goodwill")
    sale = read(bench)[0][str(order)]
    assert [line.refunded for line in sale.lines] == [3, 4]
    assert sale.state is SaleState.PAID
    bench.shop.refund(order, amount=bench.shop.store.get("order", order)["doc"]["total"])
    assert read(bench)[0][str(order)].state is SaleState.REFUNDED


def test_only_orders_with_refunds_are_asked_for_them(woo: Any) -> None:
    bench = woo(world="empty")
    bench.sell(30)
    bench.calls.clear()
    read(bench)
    assert len(bench.calls) == 2  # the page, and how the shop rounds


def test_a_sale_carries_what_the_hub_needs_to_ship_it(woo: Any) -> None:
    bench = woo(world="empty")
    lamp = bench.shop.add_product("Lamp", sku="LAMP", price="10", quantity=9, global_unique_id="5012345000008")
    who = {"first_name": "Jean", "last_name": "Moulin", "company": "Café SARL", "country": "FR", "city": "Lyon"}
    order = bench.shop.place_order(
        [{"product": lamp, "quantity": 2}],
        instance=3,
        shipping="6",
        billing=who,
        customer_note="Ring twice",
        number="2026-0042",
        meta_data=[
            {"key": "_billing_vat_number", "value": "FR32123456789"},
            {"key": "_wc_shipment_tracking_items", "value": [{"tracking_number": "JD1"}, {"tracking_number": "JD2"}]},
        ],
    )
    sale = read(bench)[0][str(order)]
    assert sale.shipping is not None
    assert (sale.shipping.name, sale.shipping.city, sale.shipping.country) == ("Jean Moulin", "Lyon", "FR")
    assert sale.shipping.vat_number == "FR32123456789"
    assert (sale.buyer.email, sale.buyer.company) == ("jean@example.org", "Café SARL")
    assert (sale.carrier, sale.carrier_name) == ("flat_rate:3", "Europe tracked")
    assert (sale.number, sale.external_id, sale.note) == ("2026-0042", str(order), "Ring twice")
    assert sale.tracking == ("JD1", "JD2")
    (line,) = sale.lines
    assert (line.sku, line.barcode, line.listing) == ("LAMP", "5012345000008", f"{lamp}-0")
    assert (line.total, line.unit_price, line.tax, line.tax_rate) == (24, 12, 4, 20)
    (payment,) = sale.payments
    assert (payment.method, payment.amount, payment.reference) == ("stripe", sale.total, "ch_1")


def test_a_line_of_a_deleted_product_keeps_its_name_and_waits_for_a_person(woo: Any) -> None:
    bench = woo(world="empty")
    cup = bench.shop.add_product("Cup", sku="CUP", price="1", quantity=9)
    order = bench.shop.place_order([{"product": cup}])
    bench.shop.delete_product(cup)
    (line,) = read(bench)[0][str(order)].lines
    assert (line.name, line.listing, line.sku) == ("Cup", "", "")


# -- times and pages -------------------------------------------------------------------------------------------------------


def test_no_sale_is_missed_when_an_hour_comes_twice(woo: Any) -> None:
    """Europe/Paris, 25 October 2026: 02:00 to 03:00 is passed twice."""
    bench = woo(world="empty", timezone="Europe/Paris")
    cup = bench.shop.add_product("Cup", sku="CUP", price="1", quantity=999)
    start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    placed: set[str] = set()
    found: set[str] = set()
    cursor: dict[str, Any] = {}
    manual = clock.ManualClock(start)
    with clock.using(manual):
        for _ in range(40):  # every ten minutes, from 01:00 of summer to 06:40 of winter
            manual.advance(timedelta(minutes=10))
            bench.simulator.clock.set(manual.now())
            placed.add(str(bench.shop.place_order([{"product": cup}])))
            for page in bench.open().sales.changed_since(cursor, start=start):
                found |= {sale.external_id for sale in page.items}
                cursor = page.cursor
            assert found == placed


def test_filters_are_gmt_without_a_zone_and_say_so(woo: Any) -> None:
    bench = woo(timezone="America/New_York")
    list(bench.open().sales.changed_since({}, start=datetime(2026, 1, 1, 5, 0, tzinfo=UTC)))
    asked = [call.url for call in bench.calls if "modified_after" in call.url]
    assert asked
    assert all("modified_after=2026-01-01T05%3A00%3A00&dates_are_gmt=true" in url for url in asked)


def test_a_second_reading_overlaps_and_an_opened_order_comes_as_it_was(woo: Any) -> None:
    bench = woo(world="empty")
    manual = clock.ManualClock(NOON)
    with clock.using(manual):
        bench.simulator.clock.set(NOON)
        (order,) = bench.sell(1)
        first, pages = read(bench)
        manual.advance(timedelta(hours=1))
        bench.simulator.clock.set(manual.now())
        bench.shop.open_order(int(order))
        again, later = read(bench, pages[-1].cursor)
        assert again[order] != first[order]
        assert {
            name for name in Sale.__struct_fields__ if getattr(again[order], name) != getattr(first[order], name)
        } == {"changed_at"}
        for seen in ({order}, set()):  # what was touched at the very end is within the overlap, and then it is over
            manual.advance(timedelta(hours=1))
            bench.simulator.clock.set(manual.now())
            sales, later = read(bench, later[-1].cursor)
            assert set(sales) == seen


@pytest.mark.parametrize("what", ["trash", "touch", "join"])
def test_pages_that_shift_while_they_are_read_lose_no_sale(woo: Any, what: str) -> None:
    bench = woo(world="empty")
    expected = set(bench.sell(130))
    client = bench.open()
    found: set[str] = set()
    cursor: dict[str, Any] = {}
    for number, page in enumerate(client.sales.changed_since({}, start=NOON)):
        found |= {sale.external_id for sale in page.items}
        cursor = page.cursor
        first = int(page.items[0].external_id) if page.items else 0
        if what == "trash" and number == 0:
            for place in range(7):
                bench.shop.trash_order(first + place)
        elif what == "touch" and first:
            bench.shop.open_order(first)
        elif what == "join":
            expected |= set(bench.sell(2))
    for page in client.sales.changed_since(cursor, start=NOON):
        found |= {sale.external_id for sale in page.items}
    assert expected <= found


def test_a_resumed_page_finds_its_place_although_rows_before_it_have_left(woo: Any) -> None:
    bench = woo(world="empty")
    expected = bench.sell(130)
    first = next(bench.open().sales.changed_since({}, start=NOON))
    for order in expected[:60]:
        bench.shop.trash_order(int(order))
    rest = [
        sale.external_id for page in bench.open().sales.changed_since(first.cursor, start=NOON) for sale in page.items
    ]
    assert [sale.external_id for sale in first.items] == expected[:50]
    assert rest == expected[60:]


def test_a_shop_that_ignores_the_filters_is_read_whole_and_right(woo: Any) -> None:
    bench = woo("6")
    bench.shop.set_quirk("ignores_modified")
    sales, pages = read(bench)
    assert read(bench, pages[-1].cursor)[0] == sales


def test_a_clock_that_is_ahead_is_told_and_hides_nothing_once_it_is_right(woo: Any) -> None:
    bench = woo(world="empty")
    manual = clock.ManualClock(NOON)
    with clock.using(manual):
        bench.simulator.clock.set(NOON + timedelta(days=400))
        (strange,) = bench.sell(1)
        sales, pages = read(bench)
        assert strange in sales
        assert odd(pages)["clock:sale"] == "clock_ahead"
        manual.advance(timedelta(minutes=1))
        bench.simulator.clock.set(manual.now())
        (later,) = bench.sell(1)
        assert later in read(bench, pages[-1].cursor)[0]


def test_a_list_that_does_not_move_on_ends_with_a_complaint(woo: Any) -> None:
    bench = woo(world="empty")
    bench.sell(60)
    inner = bench.application

    def deaf(environ: dict[str, Any], start_response: Any) -> Any:
        environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("offset=", "skip=")
        return inner(environ, start_response)

    bench.application = deaf
    with pytest.raises(NotUnderstood, match="does not move on"):
        read(bench)


def test_fetching_named_sales_leaves_out_those_that_are_gone_and_keeps_the_answer(woo: Any) -> None:
    bench = woo()
    one, other = bench.sell(2)
    page = bench.open().sales.fetch([other, one, "999999", "not a number", other])
    assert {sale.external_id for sale in page.items} == {one, other} == set(page.seen)
    assert json.loads(page.raw[one])["line_items"][0]["name"] == page.items[0].lines[0].name


# -- untidy input ----------------------------------------------------------------------------------------------------------


def spoil(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda order: order.update(fields)


def spoil_line(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda order: order["line_items"][0].update(fields)


def spoiled(bench: Any, order: str, change: Callable[[dict[str, Any]], None]) -> None:
    def enrich(path: str, body: bytes) -> bytes:
        if path != ORDERS:
            return body
        rows = json.loads(body)
        for row in rows:
            if str(row["id"]) == order and "total" in row:
                change(row)
        return json.dumps(rows).encode()

    bench.change_bodies(enrich)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (spoil(total="a lot"), "malformed_sale"),
        (spoil(total="NaN"), "malformed_sale"),
        (spoil(total=""), "malformed_sale"),
        (spoil(total=None), "malformed_sale"),
        (spoil(total=[1]), "malformed_row"),
        (spoil(date_created_gmt="2026-13-45T99:00:00"), "malformed_sale"),
        (spoil(date_created_gmt=None), "malformed_sale"),
        (spoil(currency="pounds"), "unknown_currency"),
        (spoil(currency=""), "unknown_currency"),
        (spoil(line_items="none"), "malformed_row"),
        (spoil_line(quantity="many"), "malformed_sale"),
        (spoil_line(quantity=-1), "malformed_sale"),
        (spoil_line(total=None), "malformed_sale"),
    ],
)
def test_one_bad_sale_is_a_finding_and_the_rest_of_the_page_goes_on(
    woo: Any, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    bench = woo(world="empty")
    orders = bench.sell(12)
    spoiled(bench, orders[5], change)
    sales, pages = read(bench)
    assert odd(pages) == {f"sale:{orders[5]}": code}
    assert set(sales) == set(orders) - {orders[5]}
    assert orders[5] in {one for page in pages for one in page.seen}


@pytest.mark.parametrize(
    "change",
    [
        spoil(shipping=[], meta_data=[]),
        spoil(billing=[], shipping=None),
        spoil(customer_note=None, transaction_id=None, payment_method=None),
        spoil(billing={"first_name": "Ada", "address_1": 12, "postcode": 69001, "phone": 33.5, "country": None}),
        spoil(number=42, fee_lines=None, refunds=None),
        spoil(total=12.5),
        spoil_line(sku=None, global_unique_id=None, meta_data=None),
        spoil_line(quantity="1.5"),
        spoil_line(quantity=0),
        spoil(meta_data=[{"id": 1, "key": "_wc_shipment_tracking_items", "value": "broken"}]),
    ],
)
def test_what_plugins_and_php_make_of_a_field_is_borne(woo: Any, change: Callable[[dict[str, Any]], None]) -> None:
    bench = woo(world="empty")
    (order,) = bench.sell(1)
    spoiled(bench, order, change)
    sales, pages = read(bench)
    assert set(sales) == {order}
    assert odd(pages) == {}


def test_a_refund_that_cannot_be_read_holds_its_sale_back(woo: Any) -> None:
    bench = woo(world="empty")
    orders = bench.sell(2)
    line = bench.shop.store.get("order", int(orders[0]))["doc"]["lines"][0]["id"]
    bench.shop.refund(int(orders[0]), {line: 1}, restock=False)
    bench.shop.change_status(int(orders[0]), "processing")
    bench.change_bodies(lambda path, body: body.replace(b'"quantity": -1', b'"quantity": "some"'))
    sales, pages = read(bench)
    assert set(sales) == {orders[1]}
    assert odd(pages) == {f"sale:{orders[0]}": "malformed_sale"}


@pytest.mark.parametrize("kind", ["malformed", "truncated_quietly", "huge"])
def test_a_page_that_cannot_be_read_once_is_read_in_halves(woo: Any, kind: str) -> None:
    bench = woo()
    expected, _ = read(bench)
    if kind == "truncated_quietly":
        left = [2]

        def cut(path: str, body: bytes) -> bytes:
            if path != ORDERS or len(body) < 2_000 or not left[0]:
                return body
            left[0] -= 1
            return body[: len(body) // 2]

        bench.change_bodies(cut)
    else:
        bench.simulator.faults.add(kind, path=ORDERS, query="offset=0", size=5_000_000)
    sales, pages = read(bench)
    assert sales == expected
    assert not odd(pages)


def test_a_sale_that_is_too_large_is_named_with_size_and_limit_and_the_others_come_in(woo: Any) -> None:
    bench = woo(world="empty")
    orders = bench.sell(14)
    bench.shop.edit_order(int(orders[3]), customer_note="x" * 300_000)
    client = bench.open(bench.door(limits=Limits(body=200_000)))
    pages = list(client.sales.changed_since({}, start=None))
    (found,) = [one for page in pages for one in page.odd]
    assert (found.subject, found.code, found.facts["limit"]) == (f"sale:{orders[3]}", "unreadable_answer", 200_000)
    assert found.facts["size"] > 300_000
    assert len([sale for page in pages for sale in page.items]) == 13


@pytest.mark.parametrize("fault", ["time_out_before", "reset_after", "truncated", "status_before"])
def test_a_broken_reading_is_try_later(woo: Any, fault: str) -> None:
    bench = woo()
    bench.simulator.faults.add(fault, path=ORDERS)
    with pytest.raises(TryLater):
        read(bench)


def test_a_key_that_may_not_see_settings_reads_sales_all_the_same_and_says_so(woo: Any) -> None:
    from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET

    bench = woo(world="empty")
    bench.sell(2)
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, manages=False)
    sales, pages = read(bench)
    assert len(sales) == 2
    assert odd(pages) == {"shop": "right_missing"}

"""Orders of the simulated shop as sales: sums, states, times, and everything untidy that shops hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, NotUnderstood, TryLater
from comptoir.channels.http import Limits
from comptoir.channels.records import ChargeKind, LineKind, Page, Rounding, Sale, SaleState
from comptoir.connectors.prestashop.simulator import DEMO_KEY, Line, hub_rights
from comptoir.kit import clock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def read(bench: Any, cursor: dict[str, Any] | None = None, **config: Any) -> tuple[dict[str, Sale], list[Page[Sale]]]:
    pages = list(bench.open(**config).sales.changed_since(cursor or {}, start=None))
    return {sale.external_id: sale for page in pages for sale in page.items}, pages


def odd(pages: list[Page[Any]]) -> dict[str, str]:
    return {one.subject: one.code for page in pages for one in page.odd}


def difference(sale: Sale) -> Decimal:
    return (
        sum((line.total for line in sale.lines), sum((charge.amount for charge in sale.charges), Decimal(0)))
        - sale.total
    )


@pytest.mark.parametrize(("round_type", "rounding"), [(1, Rounding.UNIT), (2, Rounding.LINE), (3, Rounding.TOTAL)])
def test_lines_and_charges_add_up_to_the_total_in_every_rounding(
    prestashop: Any, round_type: int, rounding: Rounding
) -> None:
    bench = prestashop(world="empty")
    products = [
        bench.shop.add_product(f"P{n}", reference=f"P{n}", price=price, quantity=99)
        for n, price in enumerate(("0.333", "7.777777", "12.05"))
    ]
    order = bench.shop.place_order(
        [Line(one, quantity=3) for one in products],
        shipping="4.80",
        wrapping="2.00",
        discounts="3.50",
        round_type=round_type,
    )
    sales, _ = read(bench)
    sale = sales[str(order)]
    assert abs(difference(sale)) <= Decimal("0.005") * len(sale.lines)
    assert {charge.kind for charge in sale.charges} == {ChargeKind.SHIPPING, ChargeKind.WRAPPING, ChargeKind.DISCOUNT}
    assert sale.rounding is rounding


def test_what_a_state_means_comes_from_its_flags_and_the_shops_settings(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=99)
    wanted = {
        "PS_OS_PAYMENT": (SaleState.PAID, True),
        "PS_OS_OUTOFSTOCK_PAID": (SaleState.PAID, True),
        "PS_OS_BANKWIRE": (SaleState.UNPAID, True),
        "PS_OS_SHIPPING": (SaleState.SHIPPED, True),
        "PS_OS_CANCELED": (SaleState.CANCELLED, False),
        "PS_OS_REFUND": (SaleState.REFUNDED, True),
        "PS_OS_ERROR": (SaleState.UNPAID, False),
    }
    orders = {name: str(bench.shop.place_order([Line(product)], state=name)) for name in wanted}
    sales, _ = read(bench)
    assert {name: (sales[one].state, sales[one].takes_stock) for name, one in orders.items()} == wanted


def test_a_merchant_who_moved_cancelled_to_another_id_is_understood(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=99)
    bench.shop.configure("PS_OS_CANCELED", "14")
    order = bench.shop.place_order([Line(product)], state=14)
    assert read(bench)[0][str(order)].state is SaleState.CANCELLED


def test_a_virtual_product_is_a_service_and_a_pack_is_a_kit(prestashop: Any) -> None:
    bench = prestashop()
    by_reference = {row["reference"]: row["id"] for row in bench.shop.dump()["products"]}
    gone = bench.shop.add_product("Gone", reference="GONE", price="1", quantity=9)
    order = bench.shop.place_order([Line(by_reference["GVC-400"]), Line(by_reference["PCK-300"]), Line(gone)])
    bench.shop.delete_product(gone)
    kinds = [line.kind for line in read(bench)[0][str(order)].lines]
    assert kinds == [LineKind.SERVICE, LineKind.KIT, LineKind.GOODS]


def test_a_sale_carries_what_the_hub_needs_to_ship_it(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    shop = bench.shop
    product = shop.add_product("Lamp", reference="LAMP", price="10", quantity=9, ean13="5012345000008")
    customer = shop.add_customer("Jean", "Moulin", company="Café SARL")
    address = shop.add_address(
        customer, country="US", city="Lyon", postcode="69001", vat_number="FR32", id_state=1, phone="+33 1"
    )
    order = shop.place_order(
        [Line(product, quantity=2)], customer=customer, address=address, carrier=2, message="Ring twice", currency="EUR"
    )
    shop.edit_address(address, city="Elsewhere")  # a used address is replaced, not changed
    shop.edit_carrier(2, name="My renamed carrier")
    sale = read(bench)[0][str(order)]
    assert sale.shipping is not None
    assert (sale.shipping.city, sale.shipping.country, sale.shipping.state) == ("Lyon", "US", "NY")
    assert (sale.buyer.name, sale.buyer.company) == ("Jean Moulin", "Café SARL")
    assert (sale.carrier, sale.note, sale.currency) == ("2", "Ring twice", "EUR")
    assert sale.rate == Decimal("1.17")
    assert (sale.lines[0].sku, sale.lines[0].barcode, sale.lines[0].listing) == (
        "LAMP",
        "5012345000008",
        f"{product}-0",
    )
    assert sale.lines[0].tax_rate == 20
    assert sale.group in sale.number
    assert f"#{order}" in sale.number
    assert [payment.amount for payment in sale.payments] == [sale.total]


def test_a_carrier_edited_between_two_sales_keeps_its_name_for_us(prestashop: Any) -> None:
    bench = prestashop()
    client = bench.open()
    pages = list(client.sales.changed_since({}, start=None))
    new = bench.shop.edit_carrier(2, name="Renamed")
    product = bench.shop.store.value("SELECT min(id) FROM products")
    order = bench.shop.place_order([Line(product)], carrier=new)
    page = client.sales.fetch([str(order)])
    assert (page.items[0].carrier, page.items[0].carrier_name) == ("2", "Renamed")
    assert pages


def test_refunded_units_are_told_per_line(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=99)
    order = bench.shop.place_order([Line(product, quantity=5)])
    bench.shop.refund_lines(order, {bench.shop.details(order)[0]["id"]: 2})
    assert read(bench)[0][str(order)].lines[0].refunded == 2


def test_split_orders_of_one_checkout_do_not_both_claim_its_payment(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="10", quantity=99)
    orders = [bench.shop.place_order([Line(product, quantity=n)], reference="SPLITTING") for n in (1, 2)]
    sales, _ = read(bench)
    for one in orders:
        sale = sales[str(one)]
        assert sale.group == "SPLITTING"
        assert sum(payment.amount for payment in sale.payments) == sale.total


def test_no_sale_is_missed_when_an_hour_comes_twice(prestashop: Any) -> None:
    """Europe/Paris, 25 October 2026: 02:00 to 03:00 is passed twice."""
    bench = prestashop(world="empty", timezone="Europe/Paris")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=999)
    start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    placed: set[str] = set()
    found: set[str] = set()
    cursor: dict[str, Any] = {}
    manual = clock.ManualClock(start)
    with clock.using(manual):
        for _ in range(40):  # every ten minutes, from 01:00 of summer to 06:40 of winter
            manual.advance(timedelta(minutes=10))
            bench.simulator.clock.set(manual.now())
            placed.add(str(bench.shop.place_order([Line(product)])))
            for page in bench.open().sales.changed_since(cursor, start=start):
                found |= {sale.external_id for sale in page.items}
                cursor = page.cursor
            assert found == placed


def test_the_interval_holds_digits_only_and_the_shops_own_time(prestashop: Any) -> None:
    bench = prestashop(timezone="America/New_York")
    start = datetime(2026, 1, 1, 5, 0, tzinfo=UTC)
    list(bench.open().sales.changed_since({}, start=start))
    asked = [call.url for call in bench.calls if "filter%5Bdate_upd%5D" in call.url]
    assert asked
    assert all("2026-01-01%2000%3A00%3A00" in url and "date=1" in url for url in asked)


def test_a_stamp_from_the_future_is_told_and_does_not_hide_what_comes_next(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=99)
    manual = clock.ManualClock(NOON)
    with clock.using(manual):
        bench.simulator.clock.set(NOON)
        strange = bench.shop.place_order([Line(product)])
        bench.shop.store.update("orders", strange, date_upd="2037-01-01 00:00:00")
        sales, pages = read(bench)
        assert str(strange) in sales
        assert odd(pages)["clock:sale"] == "clock_ahead"
        manual.advance(timedelta(minutes=1))
        bench.simulator.clock.set(manual.now())
        later = bench.shop.place_order([Line(product)])
        assert str(later) in read(bench, pages[-1].cursor)[0]


def test_a_page_of_fifty_sales_takes_few_calls(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    product = bench.shop.add_product("P", reference="P", price="1", quantity=9999)
    bench.shop.place_orders([{"lines": [Line(product)]} for _ in range(250)])
    client = bench.open()
    pages = client.sales.changed_since({}, start=None)
    next(pages)
    per_page = []
    for _ in range(3):
        before = len(bench.calls)
        next(pages)
        per_page.append(len(bench.calls) - before)
    assert max(per_page) <= 7, per_page


def test_fetching_named_sales_leaves_out_those_that_are_gone(prestashop: Any) -> None:
    bench = prestashop()
    page = bench.open().sales.fetch(["3", "1", "999999", "not a number", "3"])
    assert {sale.external_id for sale in page.items} == {"1", "3"}
    assert set(page.seen) == {"1", "3"}
    raw = json.loads(page.raw["1"])
    assert raw["order"]["id"] == "1"
    assert raw["order_details"][0]["product_name"] == next(s for s in page.items if s.external_id == "1").lines[0].name


# -- untidy input ----------------------------------------------------------------------------------------------------


def spoil(table: str, column: str, value: str) -> Callable[[Any, int], None]:
    return lambda shop, row: shop.store.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, row))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (spoil("orders", "total_paid_tax_incl", "a lot"), "malformed_row"),
        (spoil("orders", "total_paid_tax_incl", "NaN"), "malformed_row"),
        (spoil("orders", "total_paid_tax_incl", ""), "malformed_row"),
        (spoil("orders", "date_add", "2026-13-45 99:00:00"), "malformed_sale"),
        (spoil("orders", "id_currency", "77"), "unknown_currency"),
    ],
)
def test_one_bad_sale_is_a_finding_and_the_rest_of_the_page_goes_on(
    prestashop: Any, change: Callable[[Any, int], None], code: str
) -> None:
    bench = prestashop()
    change(bench.shop, 5)
    sales, pages = read(bench)
    assert odd(pages)["sale:5"] == code
    assert "5" not in sales
    assert "5" in {one for page in pages for one in page.seen}
    assert len(sales) == 13


def test_a_sale_with_an_unreadable_line_waits_as_a_whole(prestashop: Any) -> None:
    bench = prestashop()
    line = bench.shop.details(6)[0]["id"]
    bench.shop.store.execute("UPDATE order_details SET total_price_tax_incl = 'x' WHERE id = ?", (line,))
    sales, pages = read(bench)
    assert "6" not in sales
    assert odd(pages)["sale:6"] == "malformed_sale"


def test_a_currency_without_a_code_is_unknown(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.store.execute("UPDATE currencies SET iso_code = '??' WHERE id = 1")
    sales, pages = read(bench)
    assert not sales
    assert set(odd(pages).values()) >= {"unknown_currency"}


@pytest.mark.parametrize("kind", ["malformed", "truncated_quietly", "huge"])
def test_a_page_that_cannot_be_read_once_is_read_in_halves(prestashop: Any, kind: str) -> None:
    bench = prestashop()
    expected, _ = read(bench)
    if kind == "truncated_quietly":
        bench.cut_bodies("/api/orders", 2)
    else:
        bench.simulator.faults.add(kind, path="/api/orders", query="display=full", size=5_000_000)
    sales, pages = read(bench)
    assert sales == expected
    assert not odd(pages)


def test_an_order_that_breaks_the_xml_is_found_and_named_and_the_others_come_in(prestashop: Any) -> None:
    bench = prestashop()
    reference = bench.shop.order(7)["reference"].encode()
    bench.change_bodies(lambda path, body: body.replace(reference, b"]]>&broken<"))
    sales, pages = read(bench)
    assert len(sales) == 13
    assert odd(pages) == {"sale:7": "unreadable_answer"}
    assert "7" in {one for page in pages for one in page.seen}


def test_control_characters_and_notices_around_the_xml_do_no_harm(prestashop: Any) -> None:
    bench = prestashop()
    expected, _ = read(bench)
    notice, comment = b"<br/>Notice: Undefined index\n", b"\n<!-- 0.2 s -->"
    bench.change_bodies(lambda path, body: notice + body.replace(b"</id>", b"\x0b</id>") + comment)
    sales, pages = read(bench)
    assert sales == expected
    assert set(odd(pages).values()) == {"junk_in_answer"}


ENTITY = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'


@pytest.mark.parametrize(
    "document",
    [
        f'<?xml version="1.0"?>{ENTITY}<prestashop><orders>&a;</orders></prestashop>'.encode(),
        b'<?xml version="1.0" encoding="cp037"?>' + f"{ENTITY}<prestashop>&a;</prestashop>".encode("cp037"),
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x [+ADwAIQ-ENTITY a "aaaa">]><prestashop>&a;</prestashop>',
    ],
    ids=["plain", "ebcdic", "utf-7"],
)
def test_entities_are_not_expanded_however_they_are_hidden(prestashop: Any, document: bytes) -> None:
    bench = prestashop()
    bench.change_bodies(lambda path, body: document)
    with pytest.raises(NotUnderstood):
        read(bench)


def test_a_sale_that_is_too_large_is_named_with_size_and_limit_and_the_others_come_in(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.store.execute("UPDATE orders SET note = ? WHERE id = 4", ("x" * 300_000,))
    client = bench.open(bench.door(limits=Limits(body=200_000)))
    pages = list(client.sales.changed_since({}, start=None))
    (found,) = [one for page in pages for one in page.odd]
    assert (found.subject, found.code, found.facts["limit"]) == ("sale:4", "unreadable_answer", 200_000)
    assert found.facts["size"] > 300_000
    assert len([sale for page in pages for sale in page.items]) == 13


@pytest.mark.parametrize("resource", ["order_details", "addresses", "customers", "order_carriers", "order_payments"])
def test_what_surrounds_a_page_is_read_in_halves_too(prestashop: Any, resource: str) -> None:
    bench = prestashop()
    expected, _ = read(bench)
    bench.cut_bodies(f"/api/{resource}", 2)
    sales, pages = read(bench)
    assert sales == expected
    assert not odd(pages)


def test_a_missing_right_on_something_optional_is_said_and_the_sales_come_in(prestashop: Any) -> None:
    bench = prestashop()
    rights = hub_rights()
    del rights["messages"]
    del rights["order_payments"]
    bench.shop.add_key(DEMO_KEY, rights)
    sales, pages = read(bench)
    assert len(sales) == 14
    assert {one.facts["right"] for page in pages for one in page.odd} == {"messages: GET", "order_payments: GET"}


def test_a_missing_right_on_something_needed_is_named(prestashop: Any) -> None:
    bench = prestashop()
    rights = hub_rights()
    del rights["order_details"]
    bench.shop.add_key(DEMO_KEY, rights)
    with pytest.raises(NotLetIn) as caught:
        read(bench)
    assert caught.value.facts["right"] == "order_details: GET"


@pytest.mark.parametrize("fault", ["time_out_before", "reset_after", "truncated", "status_before"])
def test_a_broken_reading_is_try_later(prestashop: Any, fault: str) -> None:
    bench = prestashop()
    bench.simulator.faults.add(fault, path="/api/order_details")
    with pytest.raises(TryLater):
        read(bench)


# -- several shops ---------------------------------------------------------------------------------------------------


def test_sales_of_every_chosen_shop_name_the_place_that_holds_their_stock(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    shop = bench.shop
    alone = shop.add_shop("Alone")
    first = shop.add_shop("Sharing one", share_stock=True)
    second = shop.add_shop("Sharing two", group=shop.group_of(first))
    product = shop.add_product("P", reference="P", price="1", quantity=99, shops=[1, alone, first, second])
    orders = {one: str(shop.place_order([Line(product)], shop=one)) for one in (1, alone, first, second)}
    group = f"group-{shop.group_of(first)}"
    sales, _ = read(bench)
    assert {sales[order].selling_point for order in orders.values()} == {"1", str(alone), group}
    assert sales[orders[first]].selling_point == sales[orders[second]].selling_point == group
    chosen, pages = read(bench, shops=f"1,{alone}")
    assert set(chosen) == {orders[1], orders[alone]}
    assert {one for page in pages for one in page.seen} == set(chosen)
    assert set(read(bench, shops=str(alone))[0]) == {orders[alone]}

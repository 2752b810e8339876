"""Answers as real shops give them, with their plugins' additions, become neutral records: no calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import ChargeKind, Rounding, SaleState
from comptoir.connectors.woocommerce import mapping, wire

#: Prices with 21 % tax in them, a coupon of 10 %, two parcels' carriage, a fee that takes away, and what plugins leave behind.
ORDER = r"""
{"id": 51877, "parent_id": 0, "status": "processing", "currency": "EUR", "version": "9.8.5", "prices_include_tax": true,
 "date_created": "2026-03-29T03:30:12", "date_created_gmt": "2026-03-29T01:30:12",
 "date_modified": "2026-03-29T03:31:02", "date_modified_gmt": "2026-03-29T01:31:02",
 "discount_total": "3.057851", "discount_tax": "0.640000", "shipping_total": "9.834711", "shipping_tax": "2.070000",
 "cart_tax": "5.360000", "total": "42.780000", "total_tax": "7.430000", "customer_id": 318, "order_key": "wc_order_x",
 "billing": {"first_name": "Núria", "last_name": " Puig ", "company": "", "address_1": "Carrer de la Llum, 3",
   "address_2": "2n 1a", "city": "Girona", "state": "GI", "postcode": "17001", "country": "ES",
   "email": "nuria@example.org", "phone": "+34 600 000 000"},
 "shipping": {"first_name": "", "last_name": "", "company": "", "address_1": "", "address_2": "", "city": "", "state": "",
   "postcode": "", "country": "", "phone": ""},
 "payment_method": "redsys", "payment_method_title": "Tarjeta &amp; Bizum", "transaction_id": "",
 "customer_note": "", "date_completed": null, "date_paid": "2026-03-29T03:30:40", "date_completed_gmt": null,
 "date_paid_gmt": "2026-03-29T01:30:40", "number": "2026/0042",
 "meta_data": [{"id": 1, "key": "_vat_number", "value": "ES12345678Z"}, {"id": 2, "key": "_wcpdf_data", "value": {"a": [1]}},
   {"id": 3, "key": "is_vat_exempt", "value": "no"}],
 "line_items": [
  {"id": 901, "name": "Samarreta - M, Blau", "product_id": 77, "variation_id": 79, "quantity": 2, "tax_class": "",
   "subtotal": "24.793388", "subtotal_tax": "5.210000", "total": "22.314050", "total_tax": "4.690000",
   "taxes": [{"id": 1, "total": "4.685950", "subtotal": "5.206611"}],
   "meta_data": [{"id": 11, "key": "pa_talla", "value": "m", "display_key": "Talla", "display_value": "M"},
     {"id": 12, "key": "_reduced_stock", "value": "2"}],
   "sku": "SAM-M-B", "price": 11.157025, "image": {"id": 5, "src": ""}, "parent_name": "Samarreta"},
  {"id": 902, "name": "Postal", "product_id": 80, "variation_id": 0, "quantity": 1, "tax_class": "",
   "subtotal": "5.785124", "subtotal_tax": "1.210000", "total": "5.206612", "total_tax": "1.090000", "taxes": [],
   "meta_data": [], "sku": null, "price": 5.206612, "image": null, "parent_name": null}],
 "tax_lines": [{"id": 903, "rate_code": "ES-IVA-1", "rate_id": 1, "label": "IVA", "compound": false, "tax_total": "5.36",
   "shipping_tax_total": "2.07", "rate_percent": 21, "meta_data": []}],
 "shipping_lines": [
  {"id": 904, "method_title": "SEUR 24h", "method_id": "seur", "instance_id": "12", "total": "5.702479",
   "total_tax": "1.200000", "taxes": [], "meta_data": [{"id": 13, "key": "Items", "value": "Samarreta &times; 2"}]},
  {"id": 905, "method_title": "Correus", "method_id": "flat_rate:3", "instance_id": "3", "total": "4.132232",
   "total_tax": "0.870000", "taxes": [], "meta_data": []}],
 "fee_lines": [{"id": 906, "name": "Saldo", "tax_class": "", "tax_status": "taxable", "amount": "-2", "total": "-2.000000",
   "total_tax": "-0.420000", "taxes": [], "meta_data": []}],
 "coupon_lines": [{"id": 907, "code": "primavera", "discount": "3.06", "discount_tax": "0.64", "meta_data": []}],
 "refunds": [{"id": 51900, "reason": "", "total": "-14.82"}], "payment_url": "https://x", "is_editable": false,
 "needs_payment": false, "needs_processing": true, "currency_symbol": "\u20ac", "_links": {"self": [{"href": "https://x"}]}}
"""
REFUND = r"""
{"id": 51900, "date_created_gmt": "2026-03-30T08:00:00", "amount": "14.82", "reason": "", "refunded_payment": true,
 "meta_data": [], "line_items": [{"id": 908, "name": "Samarreta - M, Blau", "product_id": 77, "variation_id": 79,
   "quantity": -1, "total": "-11.16", "total_tax": "-2.34", "meta_data": [%s], "sku": "SAM-M-B"}]}
"""
NAMES = mapping.Names(currency="EUR", prices_include_tax=True, weight_unit="g", categories={3: ("Roba", "Samarretes")})


def order(**changed: Any) -> wire.Order:
    return wire.typed(wire.Order, json.dumps({**json.loads(ORDER), **changed}).encode())


def refund(meta: str = '{"id": 14, "key": "_refunded_item_id", "value": "901"}') -> wire.Refund:
    return wire.typed(wire.Refund, (REFUND % meta).encode())


def test_a_real_order_is_a_sale_whose_parts_add_up() -> None:
    sale = mapping.sale(order(), mapping.SaleContext(refunds=[refund()]))
    assert (sale.external_id, sale.number, sale.state) == ("51877", "2026/0042", SaleState.PAID)
    assert (sale.placed_at, sale.currency, sale.total) == (
        datetime(2026, 3, 29, 1, 30, 12, tzinfo=UTC),
        "EUR",
        Decimal("42.78"),
    )
    parts = sum((line.total for line in sale.lines), Decimal(0)) + sum((one.amount for one in sale.charges), Decimal(0))
    assert abs(parts - sale.total) <= Decimal("0.005") * len(sale.lines)
    assert sale.rounding is Rounding.LINE
    shirt, card = sale.lines
    assert (shirt.listing, shirt.sku, shirt.quantity, shirt.refunded) == ("77-79", "SAM-M-B", 2, 1)
    assert (shirt.total, shirt.unit_price, shirt.tax_rate) == (
        Decimal("27.00405"),
        Decimal("13.502025"),
        Decimal("21.0"),
    )
    assert shirt.discount == Decimal("2.999338")
    assert (card.listing, card.sku, card.refunded) == ("80-0", "", 0)
    assert [(one.kind, one.name) for one in sale.charges] == [
        (ChargeKind.SHIPPING, "SEUR 24h"),
        (ChargeKind.SHIPPING, "Correus"),
        (ChargeKind.DISCOUNT, "Saldo"),
    ]
    assert (sale.carrier, sale.carrier_name) == ("seur:12", "SEUR 24h")
    assert sale.billing is not None
    assert sale.shipping == sale.billing  # the shop has no other address
    assert (sale.billing.name, sale.billing.lines) == ("Núria Puig", ("Carrer de la Llum, 3", "2n 1a"))
    assert sale.billing.vat_number == "ES12345678Z"
    (payment,) = sale.payments
    assert (payment.method, payment.amount, payment.paid_at) == (
        "redsys",
        sale.total,
        datetime(2026, 3, 29, 1, 30, 40, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "meta", ["", '{"id": 14, "key": "_refunded_item_id", "value": ""}', '{"id": 1, "key": "x", "value": [1]}']
)
def test_a_refund_that_does_not_name_its_line_is_known_by_what_was_sold(meta: str) -> None:
    sale = mapping.sale(order(), mapping.SaleContext(refunds=[refund(meta)]))
    assert [line.refunded for line in sale.lines] == [1, 0]


def test_a_method_that_holds_its_instance_already_is_not_given_it_twice() -> None:
    assert mapping.carrier_id("flat_rate:3", "3") == "flat_rate:3"
    assert mapping.carrier_id("flat_rate", 3) == "flat_rate:3"
    assert mapping.carrier_id("local_pickup", "") == "local_pickup"


@pytest.mark.parametrize("lines", [[], None])
def test_an_order_without_lines_or_payment_is_one_all_the_same(lines: Any) -> None:
    bare = order(line_items=lines, shipping_lines=None, fee_lines=None, date_paid_gmt=None, status="pending")
    sale = mapping.sale(bare, mapping.SaleContext())
    assert (sale.lines, sale.charges, sale.payments, sale.carrier) == ((), (), (), "")
    assert (sale.state, sale.takes_stock) == (SaleState.UNPAID, False)


@pytest.mark.parametrize("value", ["1e400", "Infinity", "1,50", "€ 3", "0x10", [], {}])
def test_an_amount_that_is_no_number_is_not_guessed(value: Any) -> None:
    with pytest.raises(NotUnderstood):
        mapping.sale(order(total_tax=value, total=value), mapping.SaleContext())


def product(**changed: Any) -> wire.Product:
    plain = {
        "id": 77,
        "name": "Samarreta",
        "type": "variable",
        "status": "publish",
        "sku": "SAM",
        "permalink": "https://shop.example/p/samarreta/",
        "date_modified_gmt": "2026-03-01T10:00:00",
        "description": "",
        "short_description": "<p>De cotó</p>",
        "regular_price": "",
        "manage_stock": False,
        "weight": "180",
        "tax_status": "taxable",
        "tax_class": "",
        "categories": [{"id": 3, "name": "Samarretes", "slug": "s"}, {"id": 9, "name": "Noves", "slug": "n"}],
        "images": [{"id": 5, "src": "https://cdn.example/a.jpg"}, {"id": 6, "src": "https://cdn.example/a.jpg"}],
        "variations": [79, 80],
    }
    return wire.typed(wire.Product, json.dumps({**plain, **changed}).encode())


def variation(**changed: Any) -> wire.Variation:
    plain = {
        "id": 79,
        "status": "publish",
        "sku": "SAM-M",
        "regular_price": "15.00",
        "manage_stock": True,
        "stock_quantity": 4,
        "weight": "",
        "tax_class": "",
        "image": {"id": 7, "src": "https://cdn.example/m.jpg"},
        "attributes": [{"id": 0, "name": "Talla", "option": "M"}, {"id": 1, "name": "Color", "option": ""}],
    }
    return wire.typed(wire.Variation, json.dumps({**plain, **changed}).encode())


def test_a_real_variable_product() -> None:
    item, odd = mapping.product(
        product(), [variation(), variation(id=80, sku="SAM", status="private", image=[])], NAMES
    )
    first, second = item.listings
    assert (first.external_id, first.options, first.weight) == ("77-79", {"Talla": "M"}, Decimal("0.180"))
    assert first.images == ("https://cdn.example/m.jpg",)
    assert (second.sku, second.enabled, second.images) == ("", False, ())
    assert item.categories == (("Roba", "Samarretes"), ("Noves",))
    assert [one.ref for one in item.images] == ["https://cdn.example/a.jpg"]
    assert item.description == "<p>De cotó</p>"
    assert [(one.code, one.subject) for one in odd] == [("product_without_sku", "listing:77-80")]


@pytest.mark.parametrize(
    ("parent", "own", "listings"),
    [
        (True, "parent", ["77-0", "77-79"]),
        (True, True, ["77-79"]),  # each counts itself: the product's figure means nothing
        (False, True, ["77-79"]),
        (False, False, ["77-79"]),
        ("yes", "parent", ["77-0", "77-79"]),
    ],
)
def test_the_shared_figure_is_a_listing_only_where_somebody_shares_it(
    parent: Any, own: Any, listings: list[str]
) -> None:
    item, _ = mapping.product(product(manage_stock=parent), [variation(manage_stock=own)], NAMES)
    assert [one.external_id for one in item.listings] == listings


def test_a_product_without_variations_yet_has_no_listings() -> None:
    item, _ = mapping.product(product(variations=[]), [], NAMES)
    assert item.listings == ()


@pytest.mark.parametrize(
    ("amount", "text"), [("12.5000", "12.5"), ("8", "8"), ("100", "100"), ("0.0000014", "0.000001"), ("0", "0")]
)
def test_prices_go_out_without_zeros_that_say_nothing(amount: str, text: str) -> None:
    assert mapping.price_text(Decimal(amount)) == text


@pytest.mark.parametrize(("level", "whole"), [("4.999", 4), ("0.5", 0), ("7", 7)])
def test_levels_go_out_whole_and_rounded_down(level: str, whole: int) -> None:
    assert mapping.whole(Decimal(level)) == whole


@pytest.mark.parametrize("listing", ["", "12", "12-", "-3", "12-x", "12-3-4", "a-b", "12--3"])
def test_what_is_no_listing_is_said_so(listing: str) -> None:
    with pytest.raises(ValueError, match="not a listing"):
        mapping.listing_pair(listing)


@pytest.mark.parametrize(
    ("body", "junk"),
    [
        (b'  [{"id": 1}]\n', ""),
        (b'\xef\xbb\xbf[{"id": 1}]', "\ufeff"),
        (b'<br />Notice: [x] {y}\n[{"id": 1}]', "<br />Notice: [x] {y}"),
        (b'[{"id": 1}]<!-- 0.2 s -->', "<!-- 0.2 s -->"),
    ],
)
def test_json_is_found_among_what_php_says(body: bytes, junk: str) -> None:
    found, told = wire.document(body)
    assert wire.identities(found) == [1]  # type: ignore[arg-type]
    assert told == junk


@pytest.mark.parametrize(
    "body", [b"", b"<html>[1]</html>x", b'[{"id": 1}', b'{"id": 1}}', b"null and void", b"\xff\xfe"]
)
def test_what_is_no_json_is_kept_and_not_understood(body: bytes) -> None:
    with pytest.raises(NotUnderstood) as caught:
        wire.document(body)
    assert "answer" in caught.value.facts

"""The pure translation: small shapes in, our records out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Rounding, SaleState
from comptoir.connectors.prestashop import mapping, reading, wire
from comptoir.connectors.prestashop.mapping import SaleContext, States

PARIS = ZoneInfo("Europe/Paris")
STATES = States(
    rows={
        2: wire.OrderState(id=2, name="Paid", logable=True, paid=True),
        4: wire.OrderState(id=4, name="Shipped", logable=True, paid=True, shipped=True),
        6: wire.OrderState(id=6, name="Cancelled"),
        9: wire.OrderState(id=9, name="Backorder, paid", paid=True),
        10: wire.OrderState(id=10, name={1: "Bank wire", 2: "Virement"}),
        21: wire.OrderState(id=21, name="Valid by a module", logable=True),
    },
    cancelled=6,
    refunded=7,
    error=8,
    language=2,
)


def an_order(**fields: object) -> wire.Order:
    given_fields: dict[str, object] = {
        "id": 7,
        "id_currency": 1,
        "date_add": "2026-07-01 12:00:00",
        "date_upd": "2026-07-01 12:30:00",
        "total_paid_tax_incl": Decimal("12.000000"),
        "current_state": 2,
        **fields,
    }
    return wire.Order(**given_fields)  # type: ignore[arg-type]  # each test names what differs


def around(**fields: object) -> SaleContext:
    given_fields: dict[str, object] = {
        "zone": PARIS,
        "states": STATES,
        "currency": "EUR",
        "selling_point": "1",
        **fields,
    }
    return SaleContext(**given_fields)  # type: ignore[arg-type]  # each test names what differs


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        (2, SaleState.PAID),
        (4, SaleState.SHIPPED),
        (6, SaleState.CANCELLED),
        (7, SaleState.REFUNDED),
        (9, SaleState.PAID),
        (10, SaleState.UNPAID),
        (21, SaleState.PAID),
        (0, SaleState.UNKNOWN),
        (99, SaleState.UNKNOWN),
    ],
)
def test_a_state_means_what_its_flags_say(state: int, meaning: SaleState) -> None:
    assert STATES.meaning(state) is meaning


def test_a_shop_without_settings_for_cancelled_takes_no_state_for_it() -> None:
    assert States(rows=STATES.rows).meaning(6) is SaleState.UNPAID
    assert States(rows=STATES.rows).meaning(0) is SaleState.UNKNOWN


def test_shop_time_becomes_utc_and_an_order_without_reference_has_a_number() -> None:
    sale = mapping.sale(an_order(current_state=10), around())
    assert sale.placed_at == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert (sale.number, sale.group, sale.status_name) == ("#7", "", "Virement")


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 9])
def test_a_rounding_that_nobody_knows_is_taken_by_line(kind: int) -> None:
    expected = {1: Rounding.UNIT, 3: Rounding.TOTAL}.get(kind, Rounding.LINE)
    assert mapping.sale(an_order(round_type=kind), around()).rounding is expected


def test_a_free_order_has_no_charges_and_no_division_by_zero() -> None:
    line = wire.OrderDetail(
        id=1,
        id_order=7,
        product_id=3,
        product_quantity=1,
        unit_price_tax_incl=Decimal(0),
        total_price_tax_incl=Decimal(0),
        total_price_tax_excl=Decimal(0),
    )
    sale = mapping.sale(an_order(total_paid_tax_incl=Decimal(0)), around(details=[line]))
    assert (sale.charges, sale.lines[0].tax_rate, sale.payments) == ((), None, ())


@pytest.mark.parametrize(
    "stamp", ["", "0000-00-00 00:00:00", "2026-07-01", "2026-07-01T12:00:00Z", "2026-02-30 10:00:00"]
)
def test_a_time_that_is_none_is_not_understood(stamp: str) -> None:
    with pytest.raises(NotUnderstood):
        mapping.sale(an_order(date_add=stamp), around())


def test_a_negative_quantity_is_not_a_sale() -> None:
    line = wire.OrderDetail(
        id=1,
        id_order=7,
        product_id=3,
        product_quantity=-1,
        unit_price_tax_incl=Decimal(1),
        total_price_tax_incl=Decimal(-1),
    )
    with pytest.raises(NotUnderstood):
        mapping.sale(an_order(), around(details=[line]))


@given(
    some.datetimes(datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2027-01-01"), timezones=some.just(UTC))
)
@settings(max_examples=200, deadline=None)
def test_a_time_there_and_back_is_the_same_or_the_first_of_two(at: datetime) -> None:
    """Only in the repeated hour of autumn may an hour be lost: less than the overlap of a reading."""
    at = at.replace(microsecond=0)
    back = reading.to_utc(reading.to_shop(at, PARIS), PARIS)
    assert at - reading.OVERLAP < back <= at


@given(some.lists(some.text(min_size=0, max_size=80), max_size=6))
@settings(max_examples=200, deadline=None)
def test_tracking_numbers_always_fit_and_the_newest_is_among_them(numbers: list[str]) -> None:
    text = mapping.tracking_text(numbers)
    assert len(text) <= 64
    assert all((sign.isascii() and sign.isalnum()) or sign in mapping.TRACKING_SIGNS for sign in text)
    kept = [one for one in (mapping.tracking_text([number]) for number in dict.fromkeys(numbers)) if one]
    if kept:
        assert text.endswith(kept[-1])


@pytest.mark.parametrize(("level", "whole"), [("3", 3), ("2.999", 2), ("0.5", 0), ("0", 0), ("-1.5", -2)])
def test_levels_are_whole_and_never_rounded_up(level: str, whole: int) -> None:
    assert mapping.whole(Decimal(level)) == whole


def test_an_empty_element_counts_as_absent_and_unknown_ones_are_left_alone() -> None:
    body = b"""<?xml version="1.0"?><prestashop xmlns:xlink="http://www.w3.org/1999/xlink"><product>
      <id><![CDATA[5]]></id><price>1.5</price><weight></weight><name><language id="1">A</language><language id="2"/></name>
      <novelty><deep>1</deep></novelty>
      <associations><images nodeType="image"><image xlink:href="x"><id>9</id></image></images><combinations/></associations>
    </product></prestashop>"""
    root, junk = wire.parse(body)
    product = wire.typed(wire.Product, root[0])
    assert (product.id, product.price, product.weight, product.name) == (5, Decimal("1.5"), 0, {1: "A"})
    assert [image.id for image in product.associations.images] == [9]
    assert junk == ""


@pytest.mark.parametrize("row", ["<id>5</id>", "<id>x</id><price>1</price>", "<id>5</id><price>dear</price>", ""])
def test_a_field_that_is_missing_or_wrong_is_named(row: str) -> None:
    root, _ = wire.parse(f"<?xml version='1.0'?><prestashop><product>{row}</product></prestashop>".encode())
    with pytest.raises(NotUnderstood) as caught:
        wire.typed(wire.Product, root[0])
    assert "price" in str(caught.value) or "id" in str(caught.value)


def test_values_to_send_are_escaped_and_bare_of_blanks() -> None:
    sent = wire.document("stock_available", [{"id": 1, "location": 'a<b>&"'}])
    assert sent.endswith(
        b'<stock_available><id>1</id><location>a&lt;b&gt;&amp;"</location></stock_available></prestashop>'
    )

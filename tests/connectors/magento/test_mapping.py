"""Pure translation, on its own: times, numbers, rows of orders in every combination."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import LineKind, SaleState
from comptoir.connectors.magento import mapping, reading, wire
from comptoir.connectors.magento.client import chunks, coded, criteria

ORDER: dict[str, Any] = {
    "entity_id": 7, "state": "processing", "status": "processing", "created_at": "2026-03-01 10:00:00",
    "updated_at": "2026-03-01 10:00:00", "order_currency_code": "EUR", "grand_total": Decimal(12), "total_due": 0, "items": [],
}  # fmt: skip


def an_order(*items: dict[str, Any], **fields: Any) -> wire.Order:
    return wire.typed(wire.Order, {**ORDER, "items": list(items), **fields})


def a_row(item_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "qty_ordered": 1,
        "product_id": item_id,
        "sku": f"S{item_id}",
        "product_type": "simple",
        **fields,
    }


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - aware below
def test_a_time_there_and_back_is_the_same_to_the_second(at: datetime) -> None:
    moment = at.replace(microsecond=0, tzinfo=UTC)
    assert reading.to_utc(reading.to_shop(moment)) == moment


@pytest.mark.parametrize("stamp", ["", "0000-00-00 00:00:00", "2026-03-01T10:00:00", "now"])
def test_a_time_that_is_none_is_not_understood(stamp: str) -> None:
    with pytest.raises(NotUnderstood):
        reading.to_utc(stamp)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=0, max_value=10**9))
def test_an_amount_is_what_stands_in_the_text(amount: Decimal) -> None:
    assert wire.decode(f'{{"x": {amount:f}}}'.encode())["x"] == amount
    assert wire.decode(wire.encode({"x": amount}))["x"] == amount


@given(st.lists(st.text(min_size=1, max_size=64), max_size=300))
def test_values_asked_for_in_parts_are_all_asked_for_and_no_address_is_too_long(values: list[str]) -> None:
    found = list(chunks(values))
    assert [one for chunk in found for one in chunk] == values
    assert all(len(coded(",".join(chunk))) <= 4_500 for chunk in found)


def test_criteria_are_groups_of_alternatives_sorts_and_a_page() -> None:
    found = criteria([("a", "gt", "1"), [("b", "eq", "2"), ("c", "in", "3,4")]], ["-d", "e"], 5, 2)
    assert found["searchCriteria[filterGroups][0][filters][0][field]"] == "a"
    assert found["searchCriteria[filterGroups][1][filters][1][conditionType]"] == "in"
    assert found["searchCriteria[sortOrders][0][direction]"] == "DESC"
    assert found["searchCriteria[sortOrders][1][field]"] == "e"
    assert (found["searchCriteria[pageSize]"], found["searchCriteria[currentPage]"]) == ("5", "2")


@pytest.mark.parametrize(
    ("fields", "meaning"),
    [
        ({}, SaleState.PAID),
        ({"total_due": Decimal("0.01")}, SaleState.UNPAID),
        ({"total_due": Decimal("0.01"), "total_paid": 12}, SaleState.PAID),
        ({"total_due": None, "total_paid": 11}, SaleState.UNPAID),
        ({"total_due": 12, "payment": {"method": "cashondelivery"}}, SaleState.PAID),
        ({"state": "payment_review"}, SaleState.UNPAID),
        ({"state": "received"}, SaleState.UNKNOWN),
    ],
)
def test_processing_is_paid_only_where_money_or_the_merchant_says_so(
    fields: dict[str, Any], meaning: SaleState
) -> None:
    order = an_order(a_row(1), **{name: value for name, value in fields.items() if value is not None})
    if fields.get("total_due", 0) is None:
        order = wire.typed(
            wire.Order, {name: value for name, value in {**ORDER, **fields}.items() if value is not None}
        )
    assert mapping.meaning(order, frozenset({"cashondelivery"})) is meaning


def test_a_row_whose_parent_is_not_there_stands_for_itself() -> None:
    (line,) = mapping.lines_of(an_order(a_row(1, parent_item_id=99)))
    assert (line.product, line.sku, line.kind) == (1, "S1", LineKind.GOODS)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"product_type": "virtual"}, LineKind.SERVICE),
        ({"product_type": "downloadable"}, LineKind.SERVICE),
        ({"product_type": "giftcard"}, LineKind.GIFT_CARD),
        ({"product_type": "grouped"}, LineKind.GOODS),
        ({"is_virtual": 1}, LineKind.SERVICE),
    ],
)
def test_a_line_is_what_its_type_says(row: dict[str, Any], kind: LineKind) -> None:
    assert [line.kind for line in mapping.lines_of(an_order(a_row(1, **row)))] == [kind]


def test_a_line_without_its_tax_says_what_it_can() -> None:
    order = an_order(a_row(1, qty_ordered=2, row_total=10, row_total_incl_tax=12, discount_amount=1))
    (line,) = mapping.sale(order, offline=frozenset(), selling_point="").lines
    assert (line.total, line.tax, line.discount) == (11, None, 1)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9))
def test_what_has_left_is_never_more_than_said_and_open_units_never_grow(
    ordered: int, shipped: int, refunded: int
) -> None:
    row = a_row(1, qty_ordered=ordered, qty_shipped=min(shipped, ordered), qty_refunded=min(refunded, ordered))
    order = an_order(row, total_due=5)
    has_left = mapping.meaning(order, frozenset()) is SaleState.SHIPPED
    assert has_left == (shipped > 0 and mapping.open_units(order.items[0]) <= 0)

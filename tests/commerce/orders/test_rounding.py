"""A difference that the channel's own rounding explains, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.commerce.orders.rounding import Explained, Mode, Unexplained, explain
from comptoir.kit.money import to_minor


@dataclass(frozen=True)
class Priced:
    unit_price: Decimal
    total: Decimal


def priced(unit: str, quantity: int = 1, total: str | None = None) -> Priced:
    price = Decimal(unit)
    return Priced(price, Decimal(total) if total else price * quantity)


@pytest.mark.parametrize(
    ("total", "lines", "charges", "currency", "mode", "difference"),
    [
        ("10.00", [priced("10.00")], [], "EUR", "line", "0"),
        ("10.00", [priced("3.333333", 3)], [], "EUR", "total", "0"),  # right to the cent
        ("14.90", [priced("10.00")], ["4.90"], "EUR", "line", "0"),
        ("7.90", [priced("10.00")], ["-2.10"], "EUR", "line", "0"),
        ("6.68", [priced("3.335"), priced("3.335")], [], "EUR", "line", "0.010"),  # 3.34 + 3.34
        ("6.68", [priced("3.335"), priced("3.335")], [], "EUR", "unit", "0.010"),
        ("20.01", [priced("6.67"), priced("6.67"), priced("6.66")], [], "EUR", "total", "0.01"),  # shown rounded
        ("1001", [priced("333.4"), priced("333.4"), priced("333.4")], [], "JPY", "line", "0.8"),
        ("1.001", [priced("0.5002"), priced("0.5002")], [], "TND", "line", "0.0006"),
    ],
)
def test_explained(
    total: str, lines: list[Priced], charges: list[str], currency: str, mode: str, difference: str
) -> None:
    answer = explain(Decimal(total), lines, map(Decimal, charges), currency, mode)
    assert answer == Explained(Decimal(difference))


@pytest.mark.parametrize(
    ("total", "lines", "charges", "mode"),
    [
        ("10.01", [priced("10.00")], [], "total"),  # more than half a cent for one line
        ("20.01", [priced("10.00"), priced("10.00")], [], "line"),  # whole cents: nothing was rounded
        ("20.01", [priced("10.00"), priced("10.00")], [], "unit"),
        ("9.99", [priced("3.333333", 3)], [], "unit"),  # a cent on one line is more than the rule allows
        ("6.69", [priced("3.335"), priced("3.335")], [], "line"),
        ("14.89", [priced("10.00")], ["4.90"], "total"),
        ("5.00", [], [], "total"),
    ],
)
def test_unexplained(total: str, lines: list[Priced], charges: list[str], mode: str) -> None:
    answer = explain(Decimal(total), lines, map(Decimal, charges), "EUR", mode)
    assert isinstance(answer, Unexplained)
    assert answer.difference == Decimal(total) - sum((x.total for x in lines), Decimal(0)) - sum(map(Decimal, charges))


def test_a_mode_that_does_not_exist_is_no_explanation() -> None:
    with pytest.raises(ValueError, match="sometimes"):
        explain(Decimal(2), [priced("1")], [], "EUR", "sometimes")


amounts = st.decimals(min_value=0, max_value=500, places=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(amounts, min_size=1, max_size=20), st.sampled_from(["EUR", "JPY", "TND"]))
def test_lines_rounded_one_by_one_are_always_explained(prices: list[Decimal], currency: str) -> None:
    lines = [Priced(price, price) for price in prices]
    total = sum((to_minor(price, currency) for price in prices), Decimal(0))
    answer = explain(total, lines, [], currency, Mode.LINE)
    assert isinstance(answer, Explained)
    sum_ = sum(prices, Decimal(0)) + answer.difference
    assert to_minor(sum_, currency) == total


@settings(max_examples=200, deadline=None)
@given(st.lists(amounts, min_size=1, max_size=20), st.sampled_from(list(Mode)), amounts)
def test_no_mode_ever_explains_more_than_half_a_cent_per_line(prices: list[Decimal], mode: Mode, off: Decimal) -> None:
    lines = [Priced(price, price) for price in prices]
    total = to_minor(sum(prices, Decimal(0)) + off, "EUR")
    answer = explain(total, lines, [], "EUR", mode)
    if isinstance(answer, Explained):
        assert abs(answer.difference) <= Decimal("0.005") * len(prices)

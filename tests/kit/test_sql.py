"""Rows and JSON on their way to PostgreSQL: what goes in comes out, whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comptoir.kit import sql

COLUMNS = ("place", "name", "amount", "is_it", "maybe")
TYPES = ("int4", "text", "numeric", "bool", "text")

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
AMOUNTS = st.decimals(allow_infinity=False, allow_nan=False, min_value=-(10**9), max_value=10**9)
ROWS = st.lists(st.tuples(TEXTS, AMOUNTS, st.booleans(), st.none() | TEXTS), max_size=30)


def there_and_back(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with transaction.atomic():
        sql.load("copied", COLUMNS, [(place, *row) for place, row in enumerate(rows)], types=TYPES)
        return sql.rows("SELECT name, amount, is_it, maybe FROM copied ORDER BY place")


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_what_is_copied_comes_back_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    assert there_and_back(rows) == rows


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["\\N", "\\.", "a\tb", "a\nb", "a\r\nb", "\\", "", "\\\\N", "é日\u2028"])
def test_what_means_something_to_copy_is_only_text(text: str) -> None:
    rows = [("tame", Decimal("1.5"), True, text), (text, Decimal(2), False, None)]
    assert there_and_back(rows) == rows


@pytest.mark.django_db
def test_a_value_that_only_an_adapter_can_say_takes_the_row_with_it() -> None:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with transaction.atomic():
        sql.load("copied", ("at", "ids"), [(at, [1, 2]), (None, None)], types=("timestamptz", "int4[]"))
        assert sql.rows("SELECT at, ids FROM copied ORDER BY at NULLS LAST") == [(at, [1, 2]), (None, None)]


@pytest.mark.django_db
def test_a_nul_is_refused_as_data() -> None:
    with pytest.raises(DataError):
        there_and_back([("a\0b", Decimal(1), True, None)])


@pytest.mark.django_db
def test_more_rows_than_are_put_into_words_at_once_all_arrive() -> None:
    rows = [(f"row {number}", Decimal(number), number % 2 == 0, None) for number in range(sql.TOGETHER * 2 + 1)]
    assert there_and_back(rows) == rows


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("\\u0000", "\\u0000"),
        ("\\\0", "\\\N{REPLACEMENT CHARACTER}"),
        ("é", "é"),
    ],
)
def test_a_zero_becomes_a_sign_and_what_only_looks_like_one_stays(text: str, kept: str) -> None:
    assert sql.value("SELECT %s::jsonb->>'answer'", [sql.as_json({"answer": text})]) == kept

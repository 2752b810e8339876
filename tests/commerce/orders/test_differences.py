"""What the channel changes in a sale that we have accepted, and what people do about it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from comptoir.commerce.orders import actions, differences, queries
from comptoir.commerce.orders.errors import AlreadyLeft, MoveNotAllowed, TotalsDiffer
from comptoir.commerce.orders.models import Charge, History, Status
from comptoir.commerce.orders.records import NewCharge, NewLine, NewOrder, Severity
from comptoir.commerce.shipments import actions as shipments

from .builders import (
    ANNA,
    NOON,
    available,
    backordered,
    books_are_right,
    kit,
    line,
    lines,
    new,
    place,
    receive,
    reserved,
    the,
    variant,
    warehouse,
)

pytestmark = pytest.mark.django_db

HOME = {"name": "Zoé", "city": "Lyon", "lines": ["1 rue A"], "postcode": "69001"}


@pytest.fixture
def paris() -> int:
    return warehouse("paris")


@pytest.fixture
def mug(paris: int) -> int:
    mug = variant("MUG")
    receive(mug, paris, 5)
    return mug


@pytest.fixture
def spoon(paris: int) -> int:
    spoon = variant("SPOON")
    receive(spoon, paris, 5)
    return spoon


@pytest.fixture
def sale(mug: int, paris: int) -> NewOrder:
    return new(line(mug, 3, external_id="a"), warehouses=(paris,), shipping=HOME)


def accepted(sale: NewOrder) -> int:
    order = place(sale)[0].order
    assert order is not None
    return order


def as_json(sale: NewOrder) -> dict[str, Any]:
    """The neutral sale as staging keeps it: numbers as text, fields that we never look at."""
    return {
        "lines": [
            {"external_id": x.external_id, "sku": x.sku, "quantity": f"{x.quantity:.2f}", "refunded": str(x.refunded)}
            for x in sale.lines
        ],
        "shipping": {**sale.shipping, "company": "", "phone": ""} if sale.shipping else None,
        "total": f"{sale.total:.6f}",
        "note": "whatever",
    }


def changed(sale: NewOrder, *lines: NewLine, **fields: Any) -> NewOrder:
    lines = lines or sale.lines
    charges: tuple[NewCharge, ...] = fields.get("charges", sale.charges)
    total = sum((x.total for x in lines), Decimal(0)) + sum((c.amount for c in charges), Decimal(0))
    return replace(sale, lines=lines, **{"total": total, **fields})


def test_the_same_sale_spelt_otherwise_is_no_change(sale: NewOrder) -> None:
    order = accepted(sale)
    assert actions.compare(order, as_json(sale), at=NOON, actor=ANNA) == []
    assert not the(order).is_blocked


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda s: changed(s, replace(s.lines[0], quantity=Decimal(2), total=Decimal(30))),
            [("a", {"quantity": "3", "refunded": "0"}, {"quantity": "2", "refunded": "0"})],
        ),
        (
            lambda s: changed(s, replace(s.lines[0], refunded=Decimal(1))),
            [("a", {"quantity": "3", "refunded": "0"}, {"quantity": "3", "refunded": "1"})],
        ),
        (lambda s: changed(s, s.lines[0], line(None, external_id="b", price="0")), [("b", None, {"quantity": "1"})]),
        (lambda s: replace(s, lines=()), [("a", {"quantity": "3"}, None)]),
    ],
)
def test_changed_lines_and_refunds_are_one_error_with_both_versions_and_preparation_waits(
    change: Any, expected: Any, sale: NewOrder
) -> None:
    order = accepted(sale)
    for _ in range(2):
        [finding] = actions.compare(order, as_json(change(sale)), at=NOON, actor=ANNA)
        assert (finding.code, finding.severity, finding.subject) == ("changed_there", Severity.ERROR, f"order:{order}")
        assert [x["line"] for x in finding.facts["lines"]] == [name for name, _, _ in expected]
        for found, (_, before, after) in zip(finding.facts["lines"], expected, strict=True):
            assert before is None if found["before"] is None else before.items() <= found["before"].items()
            assert after is None if found["after"] is None else after.items() <= found["after"].items()
    assert the(order).is_blocked
    assert History.objects.filter(order_id=order, what="blocked").count() == 1


def test_a_changed_address_says_both(sale: NewOrder) -> None:
    order = accepted(sale)
    [finding] = actions.compare(order, as_json(replace(sale, shipping={**HOME, "city": "Nice"})), at=NOON, actor=ANNA)
    before, after = finding.facts["fields"]["shipping"]
    assert (before["city"], after["city"]) == ("Lyon", "Nice")


def test_what_people_change_here_is_no_change_there(sale: NewOrder) -> None:
    order = accepted(sale)
    actions.cancel_line(lines(order)[0].pk, Decimal(1), reason="", at=NOON, actor=ANNA)
    actions.change_address(order, {"city": "Nice"}, at=NOON, actor=ANNA)
    assert actions.compare(order, as_json(sale), at=NOON, actor=ANNA) == []


def test_a_change_after_everything_left_is_information(sale: NewOrder) -> None:
    order = accepted(sale)
    shipments.ship(order, key="a", at=NOON, actor=ANNA)
    refunded = changed(sale, replace(sale.lines[0], refunded=Decimal(1)))
    [finding] = actions.compare(order, as_json(refunded), at=NOON, actor=ANNA)
    assert (finding.code, finding.severity) == ("changed_there_after_leaving", Severity.INFO)
    assert not the(order).is_blocked


def test_keeping_ours_is_not_asked_again_until_they_change_it_again(sale: NewOrder) -> None:
    order = accepted(sale)
    theirs = replace(sale, shipping={**HOME, "city": "Nice"})
    actions.compare(order, as_json(theirs), at=NOON, actor=ANNA)
    actions.keep_ours(order, as_json(theirs), at=NOON, actor=ANNA, reason="phoned them")
    assert not the(order).is_blocked
    assert actions.compare(order, as_json(theirs), at=NOON, actor=ANNA) == []
    assert actions.compare(order, as_json(sale), at=NOON, actor=ANNA) != []


def test_taking_theirs_changes_what_has_not_left_in_one_history_entry(sale: NewOrder, spoon: int, mug: int) -> None:
    order = accepted(sale)
    theirs = changed(
        sale,
        replace(sale.lines[0], quantity=Decimal(1), total=Decimal(10)),
        line(spoon, 2, external_id="b"),
        charges=(NewCharge(kind="shipping", amount=Decimal(5)),),
        shipping={**HOME, "city": "Nice"},
    )
    actions.compare(order, as_json(theirs), at=NOON, actor=ANNA)
    assert actions.take_theirs(order, theirs, at=NOON, actor=ANNA) == Status.PROCESSING
    assert [(x.external_id, x.quantity, x.total) for x in lines(order)] == [("a", 1, 10), ("b", 2, 20)]
    assert (the(order).total, the(order).shipping["city"], the(order).is_blocked) == (35, "Nice", False)
    assert (available(mug), available(spoon), reserved(order)) == (4, 3, 3)
    assert Charge.objects.get(order_id=order).amount == 5
    [told] = [row for row in queries.timeline(order) if row.what == "took_theirs"]
    assert (told.facts["before"]["total"], told.facts["after"]["total"]) == ("30", "35")
    assert actions.compare(order, as_json(theirs), at=NOON, actor=ANNA) == []
    assert books_are_right()


def test_taking_theirs_again_changes_nothing(sale: NewOrder, mug: int) -> None:
    order = accepted(sale)
    theirs = changed(sale, replace(sale.lines[0], quantity=Decimal(4), total=Decimal(40)))
    actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
    actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
    assert (reserved(order), available(mug), len(lines(order))) == (4, 1, 1)
    assert books_are_right()


def test_wanting_more_loses_nothing_to_who_waits(sale: NewOrder, mug: int, paris: int) -> None:
    order = accepted(sale)
    waiting = accepted(new(line(mug, 4), warehouses=(paris,), day=1))
    theirs = changed(sale, replace(sale.lines[0], quantity=Decimal(4), total=Decimal(40)))
    actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
    assert (reserved(order), backordered(order)) == (3, 1)
    assert (reserved(waiting), backordered(waiting)) == (2, 2)
    assert books_are_right()


def test_more_than_there_is_is_backordered(sale: NewOrder) -> None:
    order = accepted(sale)
    theirs = changed(sale, replace(sale.lines[0], quantity=Decimal(8), total=Decimal(80)))
    actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
    assert (reserved(order), backordered(order)) == (5, 3)
    assert books_are_right()


def test_a_line_gone_there_is_cancelled_and_costs_nothing(sale: NewOrder, spoon: int, mug: int) -> None:
    order = accepted(sale)
    actions.take_theirs(order, changed(sale, line(spoon, 1, external_id="b")), at=NOON, actor=ANNA)
    assert [(x.external_id, x.cancelled, x.total) for x in lines(order)] == [("a", 3, 0), ("b", 0, 10)]
    assert available(mug) == 5
    assert books_are_right()


def test_a_line_that_became_another_product_is_replaced(sale: NewOrder, spoon: int, mug: int) -> None:
    order = accepted(sale)
    actions.take_theirs(order, changed(sale, line(spoon, 3, external_id="a")), at=NOON, actor=ANNA)
    assert [(x.variant_id, x.quantity - x.cancelled) for x in lines(order)] == [(mug, 0), (spoon, 3)]
    assert books_are_right()


def test_kits_change_with_their_parts(mug: int, spoon: int, paris: int) -> None:
    pair = kit({mug: 1, spoon: 1})
    sale = new(line(pair, 1, external_id="k"), warehouses=(paris,))
    order = accepted(sale)
    for quantity in (3, 2):
        theirs = changed(sale, line(pair, quantity, external_id="k"))
        actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
        assert [x.quantity for x in lines(order)] == [quantity] * 3
        assert (available(mug), available(spoon)) == (5 - quantity, 5 - quantity)
        assert books_are_right()


def test_what_has_left_cannot_be_taken_out(sale: NewOrder, spoon: int, paris: int) -> None:
    order = accepted(sale)
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(2))], key="a", at=NOON, actor=ANNA)
    fewer = changed(sale, replace(sale.lines[0], quantity=Decimal(1), total=Decimal(10)))
    for theirs in (fewer, changed(sale, line(spoon, 1, external_id="b"))):
        with pytest.raises(AlreadyLeft):
            actions.take_theirs(order, theirs, at=NOON, actor=ANNA)
    exactly = changed(sale, replace(sale.lines[0], quantity=Decimal(2), total=Decimal(20)))
    assert actions.take_theirs(order, exactly, at=NOON, actor=ANNA) == Status.COMPLETE
    assert books_are_right()


def test_a_sale_reopened_there_comes_back_with_theirs(sale: NewOrder, mug: int) -> None:
    order = accepted(sale)
    shipments.follow(order, "cancelled", at=NOON, actor=ANNA)
    assert available(mug) == 5
    assert actions.take_theirs(order, sale, at=NOON, actor=ANNA) == Status.PROCESSING
    assert (reserved(order), the(order).is_cancelled_there) == (3, False)
    assert books_are_right()
    shipments.follow(order, "cancelled", at=NOON, actor=ANNA)
    assert the(order).status == Status.CANCELLED


def test_what_we_cancelled_is_not_reopened(sale: NewOrder) -> None:
    order = accepted(sale)
    actions.cancel(order, reason="", at=NOON, actor=ANNA)
    with pytest.raises(MoveNotAllowed):
        actions.take_theirs(order, sale, at=NOON, actor=ANNA)


def test_a_version_that_does_not_add_up_is_refused(sale: NewOrder) -> None:
    order = accepted(sale)
    with pytest.raises(TotalsDiffer):
        actions.take_theirs(order, replace(sale, total=Decimal(1)), at=NOON, actor=ANNA)


def test_nothing_is_compared_where_theirs_was_never_known() -> None:
    assert not differences.compare(None, {"lines": {}, "shipping": None, "total": "1"})

"""What a status at the channel does: every cell of the table, followed on a real order, twice."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from comptoir.commerce.orders import actions, external
from comptoir.commerce.orders.actions import Followed
from comptoir.commerce.orders.external import Effect, Meaning, Movement, Standing, reaction
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.orders.records import Intake, Severity
from comptoir.commerce.shipments import actions as shipments
from comptoir.commerce.shipments.models import Shipment

from .builders import (
    ANNA,
    NOON,
    available,
    books_are_right,
    line,
    lines,
    on_hand,
    placed,
    receive,
    reserved,
    the,
    variant,
    warehouse,
)

HERE = [standing for standing in Standing if standing != Standing.NOT_HERE]

# By the rules in words, written down apart from the table: move, movement, finding, severity, effect.
BLOCKS = {
    ("unpaid", "processing"): "unpaid_there",
    ("unpaid", "partly_shipped"): "unpaid_there",
    ("unpaid", "held_partly_shipped"): "unpaid_there",
    ("cancelled", "partly_shipped"): "cancelled_there_after_leaving",
    ("cancelled", "held_partly_shipped"): "cancelled_there_after_leaving",
    ("refunded", "pending"): "refunded_there",
    ("refunded", "processing"): "refunded_there",
    ("refunded", "partly_shipped"): "refunded_there",
    ("refunded", "on_hold"): "refunded_there",
    ("refunded", "held_partly_shipped"): "refunded_there",
}
EXPECTED: dict[tuple[str, str], tuple[str, str, str, str, str]] = {
    **{cell: ("", "none", code, "error", "block") for cell, code in BLOCKS.items()},
    ("paid", "pending"): ("processing", "none", "", "", "none"),
    ("paid", "cancelled"): ("", "none", "cancelled_here_only", "error", "tell_cancelled"),
    ("unpaid", "cancelled"): ("", "none", "cancelled_here_only", "error", "tell_cancelled"),
    ("paid", "cancelled_there"): ("", "none", "reopened_there", "error", "none"),
    ("unpaid", "complete"): ("", "none", "unpaid_there_after_leaving", "error", "none"),
    ("shipped", "processing"): ("complete", "ship", "shipped_there", "info", "none"),
    ("shipped", "partly_shipped"): ("complete", "ship", "shipped_there", "info", "none"),
    ("shipped", "pending"): ("complete", "ship", "shipped_there_while_held", "error", "none"),
    ("shipped", "on_hold"): ("complete", "ship", "shipped_there_while_held", "error", "none"),
    ("shipped", "held_partly_shipped"): ("complete", "ship", "shipped_there_while_held", "error", "none"),
    ("shipped", "cancelled"): ("", "none", "shipped_there_cancelled_here", "error", "none"),
    ("shipped", "cancelled_there"): ("", "none", "shipped_there_cancelled_here", "error", "none"),
    ("cancelled", "pending"): ("cancelled", "release", "cancelled_there", "info", "none"),
    ("cancelled", "processing"): ("cancelled", "release", "cancelled_there", "info", "none"),
    ("cancelled", "on_hold"): ("cancelled", "release", "cancelled_there", "info", "none"),
    ("cancelled", "complete"): ("", "none", "cancelled_there_after_leaving", "error", "none"),
    ("refunded", "complete"): ("", "none", "refunded_after_leaving", "info", "none"),
    **{(meaning.value, "not_here"): ("", "none", "", "", "stage") for meaning in Meaning},
}


@pytest.mark.parametrize(("meaning", "standing"), list(product(Meaning, Standing)))
def test_every_cell_says_what_the_rules_say(meaning: Meaning, standing: Standing) -> None:
    cell = reaction(meaning, standing)
    severity = cell.severity.value if cell.severity else ""
    assert (cell.move, cell.movement.value, cell.finding, severity, cell.effect.value) == EXPECTED.get(
        (meaning.value, standing.value), ("", "none", "", "", "none")
    )


def test_every_finding_has_its_cure_and_every_cure_its_finding() -> None:
    raised = {cell.finding for row in external.TABLE.values() for cell in row.values()} - {""}
    beside_the_table = {
        "cancelled_there_while_prepared",
        "shipped_there_unbooked",
        "changed_there",
        "changed_there_after_leaving",
        "line_cancelled_here_only",
        "order_gone_there",
    }
    assert raised | beside_the_table == set(external.CURES)


def test_the_page_of_the_docs_is_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "order-status.md"
    assert page.read_text() == external.page(), (
        "python -m comptoir.commerce.orders.external > docs/reference/order-status.md"
    )


@pytest.fixture
def paris() -> int:
    return warehouse("paris")


@pytest.fixture
def mug(paris: int) -> int:
    mug = variant("MUG")
    receive(mug, paris, 5)
    return mug


def standing_order(standing: Standing, mug: int, paris: int) -> int:
    """An order of 3 out of 5 that stands so."""
    order = placed(line(mug, 3), warehouses=(paris,))
    one = [(lines(order)[0].pk, paris, Decimal(1))]
    match standing:
        case Standing.PENDING:
            Order.objects.filter(pk=order).update(status="pending")
        case Standing.PARTLY_SHIPPED:
            shipments.ship(order, one, key="ours", at=NOON, actor=ANNA)
        case Standing.ON_HOLD:
            actions.hold(order, reason="", at=NOON, actor=ANNA)
        case Standing.HELD_PARTLY_SHIPPED:
            shipments.ship(order, one, key="ours", at=NOON, actor=ANNA)
            actions.hold(order, reason="", at=NOON, actor=ANNA)
        case Standing.COMPLETE:
            shipments.ship(order, key="ours", at=NOON, actor=ANNA)
        case Standing.CANCELLED:
            actions.cancel(order, reason="", at=NOON, actor=ANNA)
        case Standing.CANCELLED_THERE:
            follow(order, Meaning.CANCELLED)
    return order


def follow(order: int, meaning: Meaning, **set_as: bool) -> Followed:
    return shipments.follow(order, meaning, external_status=f"status {meaning}", at=NOON, actor=ANNA, **set_as)


@pytest.mark.django_db
@pytest.mark.parametrize(("meaning", "standing"), list(product(Meaning, HERE)))
def test_every_cell_on_a_real_order_once_and_again(meaning: Meaning, standing: Standing, mug: int, paris: int) -> None:
    order = standing_order(standing, mug, paris)
    Order.objects.filter(pk=order).update(accepted_as="")  # nobody has let anything pass
    before = the(order)
    gone = 5 - on_hand(mug)
    cell = reaction(meaning, standing)

    followed = follow(order, meaning, can_tell=False)

    assert followed.standing == standing
    assert [(f.code, f.severity) for f in followed.findings] == (
        [(cell.finding, cell.severity)] if cell.finding else []
    )
    after = the(order)
    assert after.status == (cell.move or before.status)
    assert after.external_status == f"status {meaning}"
    assert after.is_blocked == (cell.effect == Effect.BLOCK)
    match cell.movement:
        case Movement.SHIP:
            assert on_hand(mug) == 2
            assert [s.is_ours for s in Shipment.objects.filter(order_id=order).exclude(key="ours")] == [False]
        case Movement.RELEASE:
            assert (on_hand(mug), available(mug), after.is_cancelled_there) == (5, 5, True)
        case Movement.NONE:
            assert 5 - on_hand(mug) == gone
    assert books_are_right()

    state = (Order.objects.filter(pk=order).values().get(), on_hand(mug), available(mug), Shipment.objects.count())
    follow(order, meaning, can_tell=False)
    assert (
        Order.objects.filter(pk=order).values().get(),
        on_hand(mug),
        available(mug),
        Shipment.objects.count(),
    ) == state


@pytest.mark.django_db
def test_a_cancellation_of_ours_is_told_until_the_shop_agrees(mug: int, paris: int) -> None:
    order = standing_order(Standing.CANCELLED, mug, paris)
    told = follow(order, Meaning.PAID)
    assert (told.tells, told.findings[0].severity) == (True, Severity.RETRY)
    cannot = follow(order, Meaning.PAID, can_tell=False)
    assert (cannot.tells, cannot.findings[0].severity) == (False, Severity.ERROR)
    assert follow(order, Meaning.CANCELLED).findings == ()


@pytest.mark.django_db
def test_shipped_there_is_asked_about_where_the_channel_is_set_so(mug: int, paris: int) -> None:
    order = standing_order(Standing.PROCESSING, mug, paris)
    followed = follow(order, Meaning.SHIPPED, books_shipments=False)
    assert [(f.code, f.severity) for f in followed.findings] == [("shipped_there_unbooked", Severity.ERROR)]
    assert (on_hand(mug), the(order).status) == (5, Status.PROCESSING)


@pytest.mark.django_db
def test_goods_in_a_basket_are_put_back_when_the_channel_cancels(mug: int, paris: int) -> None:
    order = standing_order(Standing.PROCESSING, mug, paris)
    actions.pick(order, at=NOON, actor=ANNA)
    followed = follow(order, Meaning.CANCELLED)
    assert [(f.code, f.severity) for f in followed.findings] == [("cancelled_there_while_prepared", Severity.ERROR)]
    assert the(order).status == Status.CANCELLED


@pytest.mark.django_db
def test_what_the_import_rule_let_in_says_nothing_new_until_it_changes(mug: int, paris: int) -> None:
    order = placed(line(mug, 3), warehouses=(paris,), meaning="unpaid")
    assert follow(order, Meaning.UNPAID).findings == ()
    assert follow(order, Meaning.UNKNOWN).findings == ()
    assert follow(order, Meaning.UNPAID).findings == ()
    assert follow(order, Meaning.PAID).findings == ()
    assert [f.code for f in follow(order, Meaning.UNPAID).findings] == ["unpaid_there"]
    assert the(order).is_blocked


@pytest.mark.django_db
def test_what_a_person_let_pass_is_not_asked_again_until_it_changes(mug: int, paris: int) -> None:
    order = standing_order(Standing.PROCESSING, mug, paris)
    assert [f.code for f in follow(order, Meaning.REFUNDED).findings] == ["refunded_there"]
    actions.unblock(order, reason="a gift", at=NOON, actor=ANNA)
    assert follow(order, Meaning.REFUNDED).findings == ()
    assert not the(order).is_blocked
    follow(order, Meaning.PAID)
    assert [f.code for f in follow(order, Meaning.REFUNDED).findings] == ["refunded_there"]


@pytest.mark.django_db
def test_refusing_a_late_cancellation_closes_it(mug: int, paris: int) -> None:
    order = standing_order(Standing.COMPLETE, mug, paris)
    assert follow(order, Meaning.CANCELLED).findings
    actions.agree(order, reason="they keep it", at=NOON, actor=ANNA)
    assert follow(order, Meaning.CANCELLED).findings == ()


@pytest.mark.django_db
def test_an_order_that_came_in_finished_is_not_asked_about(mug: int, paris: int) -> None:
    for intake, meaning in ((Intake.HISTORY, "refunded"), (Intake.CANCEL, "paid"), (Intake.HISTORY, "cancelled")):
        order = placed(line(mug), warehouses=(paris,), intake=intake, meaning=meaning)
        assert follow(order, Meaning(meaning)).findings == ()


@pytest.mark.django_db
def test_a_reopened_sale_is_asked_about_and_may_be_kept_cancelled(mug: int, paris: int) -> None:
    order = standing_order(Standing.CANCELLED_THERE, mug, paris)
    assert [f.code for f in follow(order, Meaning.PAID).findings] == ["reopened_there"]
    actions.agree(order, reason="too late", at=NOON, actor=ANNA)
    assert follow(order, Meaning.PAID).findings == ()
    assert reserved(order) == 0


@pytest.mark.django_db
def test_a_page_of_statuses_is_noted_at_once_and_takes_back_what_was_let_pass(mug: int, paris: int) -> None:
    first = placed(line(mug), warehouses=(paris,), meaning="unpaid", external_status="1")
    second = placed(line(mug), warehouses=(paris,), meaning="unpaid", external_status="1")
    seen = {"statuses": {first: "2", second: "1"}, "meanings": {first: "paid", second: "unpaid"}}
    assert actions.note_external_status(**seen, at=NOON) == 1
    assert actions.note_external_status(**seen, at=NOON) == 0
    assert (the(first).external_status, the(first).meaning_there, the(second).meaning_there) == ("2", "paid", "unpaid")
    assert [f.code for f in follow(first, Meaning.UNPAID).findings] == ["unpaid_there"]
    assert follow(second, Meaning.UNPAID).findings == ()

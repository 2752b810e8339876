"""Every move of an order, every refusal, and what belongs to each."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from comptoir.commerce.inventory.models import Reservation
from comptoir.commerce.orders import actions, events, queries, status
from comptoir.commerce.orders.errors import AlreadyLeft, Blocked, MoveNotAllowed, NotToPrepare, TooMuch
from comptoir.commerce.orders.models import History, Order, Preparation, Status
from comptoir.commerce.orders.records import Intake
from comptoir.commerce.shipments import actions as shipments
from comptoir.events.models import Event
from comptoir.kit.errors import BadInput

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
    placed,
    receive,
    reserved,
    the,
    variant,
    warehouse,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def paris() -> int:
    return warehouse("paris")


@pytest.fixture
def mug(paris: int) -> int:
    mug = variant("MUG")
    receive(mug, paris, 5)
    return mug


@pytest.fixture
def order(mug: int, paris: int) -> int:
    return placed(line(mug, 3), warehouses=(paris,))


ALLOWED = {
    ("pending", "processing"),
    ("pending", "on_hold"),
    ("pending", "cancelled"),
    ("processing", "on_hold"),
    ("processing", "complete"),
    ("processing", "cancelled"),
    ("on_hold", "pending"),
    ("on_hold", "processing"),
    ("on_hold", "cancelled"),
}


@pytest.mark.parametrize(("before", "after"), list(product(Status.values, Status.values)))
def test_every_move_of_the_status(before: str, after: str, order: int) -> None:
    Order.objects.filter(pk=order).update(status=before)
    if (before, after) in ALLOWED:
        status.move(order, Status(after), reason="because", actor=ANNA, at=NOON)
        told = History.objects.filter(order_id=order).latest("id")
        assert (told.what, told.before, told.after, told.reason, told.actor_label) == (
            "moved",
            before,
            after,
            "because",
            "Anna",
        )
        assert Event.objects.get(name=events.MOVED).facts["after"] == after
        return
    with pytest.raises(MoveNotAllowed) as refused:
        status.move(order, Status(after), reason="", actor=ANNA, at=NOON)
    assert (refused.value.number, refused.value.before, refused.value.after) == (the(order).number, before, after)
    assert the(order).status == before
    assert not Event.objects.filter(name=events.MOVED).exists()


@pytest.mark.parametrize(("before", "after"), list(product(Preparation.values, Preparation.values)))
def test_every_move_of_the_preparation(before: str, after: str, order: int) -> None:
    Order.objects.filter(pk=order).update(preparation=before)
    if before == after:
        with pytest.raises(MoveNotAllowed):
            actions.set_preparation(order, Preparation(after), at=NOON, actor=ANNA)
    else:
        actions.set_preparation(order, Preparation(after), at=NOON, actor=ANNA)
        assert the(order).preparation == after
        assert the(order).status == Status.PROCESSING


def test_an_order_that_does_not_exist_is_said_so() -> None:
    with pytest.raises(BadInput):
        status.lock(10**9)


def test_a_held_order_keeps_its_reservation_and_goes_on_where_it_was(order: int, mug: int) -> None:
    actions.hold(order, reason="asks for another colour", at=NOON, actor=ANNA)
    assert (the(order).status, the(order).hold_reason, available(mug)) == ("on_hold", "asks for another colour", 2)
    assert actions.unhold(order, at=NOON, actor=ANNA) == Status.PROCESSING
    assert the(order).hold_reason == ""
    assert books_are_right()


def test_a_pending_order_that_was_held_is_pending_again(order: int) -> None:
    Order.objects.filter(pk=order).update(status="pending")
    actions.hold(order, reason="", at=NOON, actor=ANNA)
    assert actions.unhold(order, at=NOON, actor=ANNA) == Status.PENDING


def test_an_order_that_came_in_held_is_let_go_to_processing(mug: int, paris: int) -> None:
    order = placed(line(mug), warehouses=(paris,), intake=Intake.HOLD)
    assert actions.unhold(order, at=NOON, actor=ANNA) == Status.PROCESSING


def test_a_held_order_of_services_completes_when_it_is_let_go() -> None:
    order = placed(line(None, kind="service"), intake=Intake.HOLD)
    assert the(order).status == Status.ON_HOLD
    assert actions.unhold(order, at=NOON, actor=ANNA) == Status.COMPLETE
    assert books_are_right()


def test_what_is_not_held_cannot_be_let_go(order: int) -> None:
    with pytest.raises(MoveNotAllowed):
        actions.unhold(order, at=NOON, actor=ANNA)


def test_cancelling_frees_the_units_for_who_waits(order: int, mug: int, paris: int) -> None:
    waiting = placed(line(mug, 4), warehouses=(paris,), day=1)
    assert backordered(waiting) == 2
    actions.cancel(order, reason="changed their mind", at=NOON, actor=ANNA)
    assert (the(order).status, reserved(order), backordered(waiting), available(mug)) == ("cancelled", 0, 0, 1)
    event = Event.objects.get(name=events.CANCELLED)
    assert (event.facts["is_ours"], event.facts["external_id"]) == (True, the(order).external_id)
    assert books_are_right()


def test_a_cancelled_order_is_final(order: int) -> None:
    actions.cancel(order, reason="", at=NOON, actor=ANNA)
    for refused in (
        lambda: actions.cancel(order, reason="", at=NOON, actor=ANNA),
        lambda: actions.hold(order, reason="", at=NOON, actor=ANNA),
        lambda: actions.unhold(order, at=NOON, actor=ANNA),
        lambda: actions.cancel_rest(order, reason="", at=NOON, actor=ANNA),
        lambda: actions.cancel_line(lines(order)[0].pk, reason="", at=NOON, actor=ANNA),
        lambda: actions.change_carrier(order, "dhl", at=NOON, actor=ANNA),
    ):
        with pytest.raises(MoveNotAllowed):
            refused()


def test_an_order_of_which_something_has_left_is_not_cancelled(order: int, paris: int) -> None:
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(1))], key="a", at=NOON, actor=ANNA)
    with pytest.raises(AlreadyLeft) as refused:
        actions.cancel(order, reason="", at=NOON, actor=ANNA)
    assert refused.value.number == the(order).number
    assert the(order).status == Status.PROCESSING


def test_cancelling_the_rest_completes_what_has_partly_left(order: int, mug: int, paris: int) -> None:
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(1))], key="a", at=NOON, actor=ANNA)
    assert actions.cancel_rest(order, reason="no more", at=NOON, actor=ANNA) == Status.COMPLETE
    assert (the(order).preparation, available(mug)) == ("shipped", 4)
    assert books_are_right()


def test_cancelling_part_of_a_line_first_takes_what_waits(mug: int, paris: int) -> None:
    order = placed(line(mug, 7), warehouses=(paris,))
    assert actions.cancel_line(lines(order)[0].pk, Decimal(3), reason="", at=NOON, actor=ANNA) == Status.PROCESSING
    assert (reserved(order), backordered(order)) == (4, 0)
    assert Event.objects.get(name=events.LINE_CANCELLED).facts["quantity"] == "3.000"
    assert books_are_right()


def test_cancelling_the_last_line_cancels_the_order(order: int) -> None:
    assert actions.cancel_line(lines(order)[0].pk, reason="", at=NOON, actor=ANNA) == Status.CANCELLED
    assert books_are_right()


def test_cancelling_all_goods_but_not_the_service_completes(mug: int, paris: int) -> None:
    order = placed(line(mug), line(None, kind="service"), warehouses=(paris,))
    assert actions.cancel_line(lines(order)[0].pk, reason="", at=NOON, actor=ANNA) == Status.COMPLETE
    assert books_are_right()


def test_more_than_is_open_of_a_line_is_not_cancelled(order: int) -> None:
    for asked in (Decimal(4), Decimal(0), Decimal(-1)):
        with pytest.raises(TooMuch):
            actions.cancel_line(lines(order)[0].pk, asked, reason="", at=NOON, actor=ANNA)
    with pytest.raises(BadInput):
        actions.cancel_line(lines(order)[0].pk, Decimal("0.0001"), reason="", at=NOON, actor=ANNA)
    with pytest.raises(BadInput):
        actions.cancel_line(10**9, reason="", at=NOON, actor=ANNA)


def test_cancelling_kits_cancels_their_parts_and_no_part_alone(mug: int, paris: int) -> None:
    order = placed(line(kit({mug: 2}), 2), warehouses=(paris,))
    heading, part = lines(order)
    with pytest.raises(BadInput):
        actions.cancel_line(part.pk, reason="", at=NOON, actor=ANNA)
    actions.cancel_line(heading.pk, Decimal(1), reason="", at=NOON, actor=ANNA)
    assert [x.cancelled for x in lines(order)] == [1, 2]
    assert (reserved(order), available(mug)) == (2, 3)
    assert actions.cancel_line(heading.pk, reason="", at=NOON, actor=ANNA) == Status.CANCELLED
    assert books_are_right()


def test_a_cancelled_held_order_of_which_nothing_is_left_is_cancelled(order: int) -> None:
    actions.hold(order, reason="", at=NOON, actor=ANNA)
    assert actions.cancel_rest(order, reason="", at=NOON, actor=ANNA) == Status.CANCELLED
    assert books_are_right()


def test_a_partly_shipped_held_order_without_rest_completes_when_let_go(order: int, paris: int) -> None:
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(1))], key="a", at=NOON, actor=ANNA)
    actions.hold(order, reason="", at=NOON, actor=ANNA)
    assert actions.cancel_rest(order, reason="", at=NOON, actor=ANNA) == Status.ON_HOLD
    assert actions.unhold(order, at=NOON, actor=ANNA) == Status.COMPLETE
    assert books_are_right()


def test_a_picked_order_is_the_last_to_lose_its_units(order: int) -> None:
    actions.pick(order, at=NOON, actor=ANNA)
    assert (the(order).preparation, Reservation.objects.get(order=order).is_picked) == ("picked", True)
    actions.pack(order, at=NOON, actor=ANNA)
    assert the(order).preparation == "packed"
    actions.put_back(order, at=NOON, actor=ANNA)
    assert (the(order).preparation, Reservation.objects.get(order=order).is_picked) == ("new", False)


def test_a_blocked_order_is_not_prepared_until_a_person_says_so(order: int) -> None:
    assert actions.block(order, reason="address differs", at=NOON, actor=ANNA)
    assert not actions.block(order, reason="address differs", at=NOON, actor=ANNA)
    for refused in (
        lambda: actions.pick(order, at=NOON, actor=ANNA),
        lambda: actions.pack(order, at=NOON, actor=ANNA),
        lambda: shipments.ship(order, key="a", at=NOON, actor=ANNA),
    ):
        with pytest.raises(Blocked):
            refused()
    assert actions.unblock(order, at=NOON, actor=ANNA)
    assert not actions.unblock(order, at=NOON, actor=ANNA)
    actions.pick(order, at=NOON, actor=ANNA)


def test_only_a_processing_order_is_prepared(order: int) -> None:
    actions.hold(order, reason="", at=NOON, actor=ANNA)
    with pytest.raises(NotToPrepare):
        actions.pick(order, at=NOON, actor=ANNA)


def test_a_line_moves_to_another_warehouse_as_far_as_it_is_there(mug: int, paris: int, order: int) -> None:
    lyon = warehouse("lyon")
    receive(mug, lyon, 2)
    [moved] = lines(order)
    assert actions.move_line_to_warehouse(moved.pk, lyon, at=NOON, actor=ANNA) == 2
    assert queries.lines(order)[0].reserved == {lyon: 2}
    assert backordered(order) == 1
    assert books_are_right()


def test_a_line_that_leaves_no_shelf_moves_nowhere(paris: int, mug: int) -> None:
    order = placed(line(None, kind="service"), line(mug), warehouses=(paris,))
    with pytest.raises(BadInput):
        actions.move_line_to_warehouse(lines(order)[0].pk, paris, at=NOON, actor=ANNA)


def test_carrier_and_address_change_with_both_versions_in_the_history(order: int) -> None:
    actions.change_carrier(order, "dhl", "DHL", at=NOON, actor=ANNA)
    actions.change_address(order, {"city": "Lyon"}, at=NOON, actor=ANNA)
    assert (the(order).carrier, the(order).carrier_name, the(order).shipping) == ("dhl", "DHL", {"city": "Lyon"})
    told = {row.what: row.facts for row in queries.timeline(order)}
    assert told["carrier_changed"] == {"before": "", "after": "dhl"}
    assert told["address_changed"] == {"before": None, "after": {"city": "Lyon"}}


def test_the_list_knows_its_tabs_and_pages_through(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    changed = placed(line(mug, 1), warehouses=(paris,), day=0)
    ready = placed(line(mug, 1), warehouses=(paris,), day=1)
    short = placed(line(mug, 9), warehouses=(paris,), day=2)
    held = placed(line(mug, 1), warehouses=(paris,), intake=Intake.HOLD, day=3)
    actions.block(changed, reason="", at=NOON, actor=ANNA)
    tabs = {tab: {row.id for row in queries.orders(queries.OrderFilter(tab)).items} for tab in queries.Tab}
    assert tabs == {
        queries.Tab.PREPARE: {ready, short},
        queries.Tab.BACKORDER: {short},
        queries.Tab.HOLD: {held},
        queries.Tab.CHANGED: {changed},
        queries.Tab.ALL: {ready, short, held, changed},
    }
    for oldest_first in (False, True):
        seen, after = [], None
        while True:
            page = queries.orders(queries.OrderFilter(oldest_first=oldest_first), after, size=1)
            seen += [row.id for row in page.items]
            after = page.after
            if after is None:
                break
        assert seen == ([changed, ready, short, held] if oldest_first else [held, short, ready, changed])
    assert queries.count(queries.OrderFilter(queries.Tab.HOLD)) == 1


def test_orders_are_found_by_number_their_number_and_buyer(mug: int, paris: int) -> None:
    order = placed(
        line(mug),
        warehouses=(paris,),
        external_number="XKBKNABJK",
        buyer={"name": "Zoé 100% Müller", "email": "z@x.fr"},
    )
    placed(line(mug), warehouses=(paris,))
    for text in (the(order).number, "xkbkn", "ZOÉ", "müller", "0% m"):
        assert queries.search(text).orders == (order,)
        assert [row.id for row in queries.orders(queries.OrderFilter(search=text)).items] == [order]
    assert queries.search("z_é").orders == ()
    with pytest.raises(BadInput):
        queries.search("zo")


def test_standings_of_a_page_of_sales(order: int, mug: int, paris: int) -> None:
    cancelled = placed(line(mug), warehouses=(paris,), intake=Intake.CANCEL)
    answer = place(new(line(mug), warehouses=(paris,), channel=99))[0]
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(1))], key="a", at=NOON, actor=ANNA)
    ids = [the(order).external_id or "", the(cancelled).external_id or "", answer.external_id or "", "nobody"]
    found = queries.standings(3, ids)
    assert {sale: stood.standing.value for sale, stood in found.items()} == {
        ids[0]: "partly_shipped",
        ids[1]: "cancelled_there",
    }
    assert queries.by_sale(3, ids) == {ids[0]: order, ids[1]: cancelled}

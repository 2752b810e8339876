"""Goods leave: once, only what is reserved, and everybody who must know is told."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connections, transaction
from tests.commerce.orders.builders import (
    ANNA,
    NOON,
    backordered,
    books_are_right,
    kit,
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

from comptoir.commerce.inventory.models import Movement
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders import events as order_events
from comptoir.commerce.orders import queries as order_queries
from comptoir.commerce.orders.errors import NotToPrepare, TooMuch
from comptoir.commerce.orders.models import Status
from comptoir.commerce.shipments import actions, events, queries
from comptoir.commerce.shipments.errors import KeyTaken, NothingToShip, NotReserved
from comptoir.commerce.shipments.models import Shipment, ShipmentLine
from comptoir.events.models import Event
from comptoir.kit.errors import BadInput

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
    return placed(line(mug, 3, external_id="a"), warehouses=(paris,), carrier="dhl", carrier_name="DHL")


def ship(order: int, *leaving: tuple[int, int, int], key: str = "k", **fields: str) -> Shipment:
    given = [(line, warehouse, Decimal(quantity)) for line, warehouse, quantity in leaving]
    return actions.ship(order, given or None, key=key, at=NOON, actor=ANNA, **fields)


def test_everything_reserved_leaves_and_the_order_completes(order: int, mug: int, paris: int) -> None:
    parcel = ship(order, tracking=" 1Z 999 ", tracking_url="https://dhl.example/1Z999")
    assert (parcel.number, parcel.completes, parcel.is_ours) == (f"{the(order).number}-1", True, True)
    assert (parcel.carrier, parcel.carrier_name, parcel.tracking) == ("dhl", "DHL", "1Z 999")
    assert (the(order).status, the(order).preparation, lines(order)[0].shipped) == ("complete", "shipped", 3)
    [row] = ShipmentLine.objects.all()
    moved = Movement.objects.get(reason="shipment")
    assert (moved.reference, moved.quantity, moved.from_warehouse_id) == (f"shipment:{parcel.pk}:{row.pk}", 3, paris)
    assert on_hand(mug) == 2
    assert books_are_right()


def test_the_event_says_what_flows_need(order: int) -> None:
    parcel = ship(order, tracking="1Z")
    facts = Event.objects.get(name=events.SHIPPED).facts
    assert facts == {
        "order": order,
        "number": the(order).number,
        "channel": 3,
        "external_id": the(order).external_id,
        "shipment": parcel.pk,
        "tracking": "1Z",
        "completes": True,
        "is_ours": True,
        "gaps": [],
        "taken_back": [],
    }
    served = Event.objects.get(name=order_events.SERVED).facts
    assert (served["order"], served["completes"]) == (order, True)


def test_the_same_key_again_is_the_same_parcel_and_writes_nothing(order: int, mug: int) -> None:
    first = ship(order)
    before = (Event.objects.count(), Movement.objects.count(), on_hand(mug))
    assert ship(order).pk == first.pk
    assert (Event.objects.count(), Movement.objects.count(), on_hand(mug)) == before


def test_a_key_of_another_orders_parcel_is_refused(order: int, mug: int, paris: int) -> None:
    ship(order)
    with pytest.raises(KeyTaken):
        ship(placed(line(mug), warehouses=(paris,)))


def test_part_of_an_order_leaves_and_the_order_stays_processing(order: int, mug: int, paris: int) -> None:
    [mugs] = lines(order)
    orders.pick(order, at=NOON, actor=ANNA)
    parcel = ship(order, (mugs.pk, paris, 1))
    assert not parcel.completes
    assert (the(order).status, the(order).preparation, reserved(order)) == ("processing", "new", 2)
    last = ship(order, key="k2")
    assert (last.number, last.completes) == (f"{the(order).number}-2", True)
    assert the(order).status == Status.COMPLETE
    assert books_are_right()


def test_what_waits_for_goods_leaves_when_they_have_come(mug: int, paris: int) -> None:
    order = placed(line(mug, 7), warehouses=(paris,))
    assert not ship(order).completes
    assert (the(order).preparation, reserved(order), backordered(order)) == ("shipped", 0, 2)
    with pytest.raises(NothingToShip):
        ship(order, key="k2")
    receive(mug, paris, 2)
    orders.pick(order, at=NOON, actor=ANNA)
    assert ship(order, key="k2").completes
    assert books_are_right()


def test_a_line_leaves_from_two_warehouses_with_a_movement_each(mug: int, paris: int) -> None:
    lyon = warehouse("lyon")
    receive(mug, lyon, 2)
    order = placed(line(mug, 7), warehouses=(paris, lyon))
    ship(order)
    assert sorted(Movement.objects.filter(reason="shipment").values_list("from_warehouse_id", "quantity")) == [
        (paris, 5),
        (lyon, 2),
    ]
    assert books_are_right()


def test_only_what_is_reserved_there_is_shipped(order: int, mug: int, paris: int) -> None:
    lyon = warehouse("lyon")
    receive(mug, lyon, 5)
    [mugs] = lines(order)
    for leaving in ((mugs.pk, paris, 4), (mugs.pk, lyon, 1)):
        with pytest.raises(NotReserved) as refused:
            ship(order, leaving)
        assert refused.value.number == the(order).number
    with pytest.raises(NotReserved):
        ship(order, (mugs.pk, paris, 2), (mugs.pk, paris, 2))
    assert not Shipment.objects.exists()


def test_only_a_processing_order_is_shipped(order: int) -> None:
    orders.hold(order, reason="", at=NOON, actor=ANNA)
    with pytest.raises(NotToPrepare):
        ship(order)
    orders.cancel(order, reason="", at=NOON, actor=ANNA)
    with pytest.raises(NotToPrepare):
        ship(order)


def test_lines_of_another_order_and_headings_do_not_leave(order: int, mug: int, paris: int) -> None:
    other = placed(line(kit({mug: 1})), warehouses=(paris,))
    for foreign in (lines(other)[0].pk, lines(other)[1].pk, 10**9):
        with pytest.raises(BadInput):
            ship(order, (foreign, paris, 1))
    with pytest.raises(BadInput):
        actions.ship(order, [(lines(order)[0].pk, paris, Decimal(0))], key="k", at=NOON, actor=ANNA)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tracking": "x" * 65}, "tracking"),
        ({"tracking": "<b>1Z</b>"}, "tracking"),
        ({"tracking": "1Z\n2Z"}, "tracking"),
        ({"tracking": "é"}, "tracking"),
        ({"tracking_url": "javascript:alert(1)"}, "tracking_url"),
        ({"tracking_url": "https://"}, "tracking_url"),
        ({"tracking_url": "https://x.example/a b"}, "tracking_url"),
        ({"tracking_url": "https://x.example/" + "a" * 500}, "tracking_url"),
        ({"key": ""}, "key"),
        ({"key": "k" * 121}, "key"),
    ],
)
def test_bad_tracking_is_refused_and_names_its_place(fields: dict[str, str], place: str, order: int) -> None:
    with pytest.raises(BadInput) as refused:
        ship(order, **fields)
    assert refused.value.facts["place"] == place
    assert refused.value.facts["cure"]
    assert not Shipment.objects.exists()


def test_services_are_served_with_the_last_parcel(mug: int, paris: int) -> None:
    order = placed(line(mug, 2), line(None, kind="service"), warehouses=(paris,))
    ship(order, (lines(order)[0].pk, paris, 1))
    assert [x.shipped for x in lines(order)] == [1, 0]
    ship(order, key="k2")
    assert [x.shipped for x in lines(order)] == [2, 1]
    assert books_are_right()


def test_a_kit_has_left_when_its_last_part_has(mug: int, paris: int) -> None:
    spoon = variant("SPOON")
    receive(spoon, paris, 9)
    order = placed(line(kit({mug: 1, spoon: 2}), 2, external_id="kit"), warehouses=(paris,))
    heading, of_mug, of_spoon = lines(order)
    first = ship(order, (of_mug.pk, paris, 2), (of_spoon.pk, paris, 3))
    assert [x.shipped for x in lines(order)] == [1, 2, 3]
    last = ship(order, key="k2")
    assert [x.shipped for x in lines(order)] == [2, 2, 4]
    told = [queries.parcel_facts(parcel.pk) for parcel in (first, last)]
    assert [facts.lines for facts in told if facts] == [(("kit", Decimal(1)),), (("kit", Decimal(1)),)]
    assert heading.kind == "kit"
    assert books_are_right()


def test_the_parcel_to_tell_names_the_channels_lines_and_all_tracking_so_far(mug: int, paris: int) -> None:
    order = placed(line(mug, 2, external_id="a"), line(mug, 1, external_id="b"), warehouses=(paris,), sale="991")
    first = ship(order, (lines(order)[0].pk, paris, 1), tracking="T1")
    last = ship(order, key="k2", tracking="T2", carrier="ups", carrier_name="UPS")
    told = queries.parcel_facts(first.pk)
    assert told
    assert (told.sale, told.channel, told.key, told.lines, told.completes) == ("991", 3, "k", (("a", 1),), False)
    assert told.all_tracking == ("T1", "T2")
    told = queries.parcel_facts(last.pk)
    assert told
    assert (told.carrier, told.lines, told.completes) == ("ups", (("a", 1), ("b", 1)), True)
    assert told.all_tracking == ("T1", "T2")
    assert queries.parcel_facts(10**9) is None


def test_parcels_of_an_order_and_the_latest(order: int, mug: int, paris: int) -> None:
    ship(order, (lines(order)[0].pk, paris, 1))
    ship(order, key="k2")
    rows = queries.of_order(order)
    assert [(row.number[-2:], [x.quantity for x in row.lines], row.actor) for row in rows] == [
        ("-1", [1], "Anna"),
        ("-2", [2], "Anna"),
    ]
    page = queries.recent(size=1)
    assert [row.number[-2:] for row in page.items] == ["-2"]
    page = queries.recent(page.after, size=1)
    assert ([row.number[-2:] for row in page.items], page.after) == (["-1"], None)


def test_a_tracking_number_may_come_late(order: int) -> None:
    parcel = ship(order)
    for _ in range(2):
        actions.change_tracking(parcel.pk, "1Z", at=NOON, actor=ANNA)
    assert Shipment.objects.get().tracking == "1Z"
    assert Event.objects.filter(name=events.TRACKING_CHANGED).count() == 1
    assert next(row.what for row in order_queries.timeline(order)) == "tracking_changed"


# Shipped with the shop's own screen


def test_shipped_there_is_booked_once_and_not_told_back(order: int, mug: int) -> None:
    for _ in range(2):
        parcel = actions.book_shipped_there(order, tracking="THEIRS", at=NOON, actor=ANNA)
        assert parcel
        assert (parcel.is_ours, parcel.completes, parcel.tracking) == (False, True, "THEIRS")
    assert on_hand(mug) == 2
    assert the(order).status == Status.COMPLETE
    assert Event.objects.get(name=events.SHIPPED).facts["is_ours"] is False
    assert books_are_right()


def test_shipped_there_though_nothing_was_here_is_a_fact_with_a_named_gap(mug: int, paris: int) -> None:
    order = placed(line(mug, 7), warehouses=(paris,))
    actions.book_shipped_there(order, at=NOON, actor=ANNA)
    assert on_hand(mug) == 0
    assert Movement.objects.get(reason="difference").quantity == 2
    assert Event.objects.get(name=events.SHIPPED).facts["gaps"] == [[mug, paris, "2.000"]]
    assert books_are_right()


def test_shipped_there_takes_from_others_what_was_promised_to_them(mug: int, paris: int) -> None:
    younger = placed(line(mug, 5), warehouses=(paris,), day=1)
    order = placed(line(mug, 2), warehouses=(paris,), day=2)
    actions.book_shipped_there(order, at=NOON, actor=ANNA)
    assert (reserved(younger), backordered(younger)) == (3, 2)
    assert Event.objects.get(name=events.SHIPPED).facts["taken_back"] == [[younger, lines(younger)[0].pk, "2.000"]]
    assert books_are_right()


def test_shipped_there_in_part_and_then_as_a_whole(order: int, mug: int) -> None:
    [mugs] = lines(order)
    for _ in range(2):
        actions.book_shipped_there(order, {mugs.pk: Decimal(1)}, key="there:f1", at=NOON, actor=ANNA)
    assert (lines(order)[0].shipped, the(order).status) == (1, "processing")
    for _ in range(2):
        actions.book_shipped_there(order, at=NOON, actor=ANNA)
    assert (lines(order)[0].shipped, the(order).status, on_hand(mug)) == (3, "complete", 2)
    assert books_are_right()


def test_a_kit_shipped_there_leaves_by_its_parts(mug: int, paris: int) -> None:
    order = placed(line(kit({mug: 2}), 2), warehouses=(paris,))
    actions.book_shipped_there(order, {lines(order)[0].pk: Decimal(1)}, key="f1", at=NOON, actor=ANNA)
    assert [x.shipped for x in lines(order)] == [1, 2]
    assert books_are_right()


def test_more_than_was_sold_is_not_booked_as_shipped_there(order: int) -> None:
    with pytest.raises(TooMuch):
        actions.book_shipped_there(order, {lines(order)[0].pk: Decimal(4)}, key="f1", at=NOON, actor=ANNA)
    with pytest.raises(BadInput):
        actions.book_shipped_there(order, {10**9: Decimal(1)}, key="f1", at=NOON, actor=ANNA)


def test_shipped_there_of_a_cancelled_order_books_nothing(order: int, mug: int) -> None:
    orders.cancel(order, reason="", at=NOON, actor=ANNA)
    assert actions.book_shipped_there(order, at=NOON, actor=ANNA) is None
    assert on_hand(mug) == 5


def test_a_held_order_shipped_there_is_complete(order: int) -> None:
    orders.hold(order, reason="", at=NOON, actor=ANNA)
    actions.book_shipped_there(order, at=NOON, actor=ANNA)
    assert the(order).status == Status.COMPLETE
    assert [row.after for row in reversed(order_queries.timeline(order)) if row.what == "moved"] == [
        "on_hold",
        "processing",
        "complete",
    ]


@pytest.mark.django_db(transaction=True)
def test_two_people_shipping_the_same_order_send_it_once() -> None:
    paris = warehouse("paris")
    mug = variant("MUG")
    receive(mug, paris, 100)
    for round_ in range(10):
        order = placed(line(mug, 3), warehouses=(paris,))
        start = threading.Barrier(2)
        outcomes: list[str] = []

        def work(order: int, key: str, start: threading.Barrier, outcomes: list[str]) -> None:
            try:
                start.wait()
                with transaction.atomic():
                    ship(order, key=key)
                outcomes.append("shipped")
            except NotToPrepare:
                outcomes.append("refused")
            finally:
                connections.close_all()

        keys = [f"{round_}-a", f"{round_}-b"] if round_ % 2 else [f"{round_}-a"] * 2
        threads = [threading.Thread(target=work, args=(order, key, start, outcomes)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == (["refused", "shipped"] if round_ % 2 else ["shipped", "shipped"])
    assert on_hand(mug) == 70
    assert Shipment.objects.count() == 10
    assert books_are_right()

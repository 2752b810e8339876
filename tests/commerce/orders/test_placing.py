"""Sales become orders, once for ever."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connections, transaction

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Hold, Movement, Reservation
from comptoir.commerce.inventory.records import HoldWanted
from comptoir.commerce.orders import events
from comptoir.commerce.orders.errors import NotAcceptable, NotEnough, TotalsDiffer
from comptoir.commerce.orders.models import Charge, History, Line, LineKind, Order, Payment, Preparation, Status
from comptoir.commerce.orders.records import Intake, NewCharge, NewPayment
from comptoir.events.models import Event

from .builders import (
    ANNA,
    NOON,
    SHOP,
    available,
    backordered,
    books_are_right,
    kit,
    line,
    lines,
    new,
    on_hand,
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


def test_a_valid_sale_reserves_what_is_there_and_waits_for_the_rest(mug: int, paris: int) -> None:
    answer = place(new(line(mug, 7), warehouses=(paris,)))[0]
    assert (answer.created, answer.status, answer.reserved, answer.backordered) == (True, "processing", 5, 2)
    assert answer.order is not None
    assert (reserved(answer.order), backordered(answer.order), available(mug)) == (5, 2, 0)
    assert books_are_right()


def test_numbers_are_ours_and_go_up(mug: int, paris: int) -> None:
    first, second = place(new(line(mug), warehouses=(paris,)), new(line(mug), warehouses=(paris,)))
    assert int(first.number) > 100_000
    assert int(second.number) == int(first.number) + 1


def test_a_channel_may_keep_its_numbers_unless_somebody_has_it(mug: int, paris: int) -> None:
    kept, taken = place(
        new(line(mug), warehouses=(paris,), number="WEB-1"), new(line(mug), warehouses=(paris,), number="WEB-1")
    )
    assert kept.number == "WEB-1"
    assert int(taken.number) > 100_000


def test_the_same_sale_again_is_the_same_order_and_writes_nothing(mug: int, paris: int) -> None:
    sale = new(line(mug, 2), warehouses=(paris,), sale="900")
    first = place(sale)[0]
    before = (Line.objects.count(), History.objects.count(), Event.objects.count(), available(mug))
    again = place(sale, replace(sale, total=Decimal(99)))
    assert [(a.order, a.created, a.number) for a in again] == [(first.order, False, first.number)] * 2
    assert (Line.objects.count(), History.objects.count(), Event.objects.count(), available(mug)) == before


def test_the_same_sale_twice_in_one_page_is_one_order(mug: int, paris: int) -> None:
    sale = new(line(mug, 2), warehouses=(paris,), sale="901")
    first, second = place(sale, sale)
    assert (first.created, second.created, first.order) == (True, False, second.order)
    assert Order.objects.count() == 1
    assert available(mug) == 3


def test_the_same_id_in_another_channel_is_another_sale(mug: int, paris: int) -> None:
    sale = new(line(mug), warehouses=(paris,), sale="902")
    assert place(sale)[0].order != place(replace(sale, channel=SHOP + 1))[0].order


def test_orders_of_our_own_have_no_sale_and_are_always_new(mug: int, paris: int) -> None:
    ours = new(line(mug), warehouses=(paris,), channel=None, external_id=None, external_number="")
    first, second = place(ours, ours)
    assert first.order != second.order


def test_an_older_sale_on_the_same_page_is_served_first(mug: int, paris: int) -> None:
    younger, older = place(new(line(mug, 4), warehouses=(paris,), day=2), new(line(mug, 4), warehouses=(paris,), day=1))
    assert (older.reserved, younger.reserved, younger.backordered) == (4, 1, 3)


def test_an_alias_reserves_its_master_and_keeps_the_sku_as_sold(mug: int, paris: int) -> None:
    alias = variant("MUG-B", kind="alias", alias_of_id=mug)
    order = placed(line(alias, 2, sku="MUG-B"), warehouses=(paris,))
    assert [(x.variant_id, x.sku) for x in lines(order)] == [(mug, "MUG-B")]
    assert available(mug) == 3


def test_a_kit_is_a_heading_and_its_parts_reserve(mug: int, paris: int) -> None:
    spoon = variant("SPOON")
    receive(spoon, paris, 3)
    order = placed(line(kit({mug: 1, spoon: 2}), 2, "30.00"), warehouses=(paris,))
    heading, of_mug, of_spoon = lines(order)
    assert (heading.kind, heading.quantity, heading.total) == (LineKind.KIT, 2, 60)
    assert (of_mug.kind, of_mug.parent_id, of_mug.quantity, of_mug.total) == (LineKind.PART, heading.pk, 2, 0)
    assert (of_spoon.variant_id, of_spoon.quantity) == (spoon, 4)
    assert (reserved(order), backordered(order)) == (5, 1)
    assert books_are_right()


def test_an_alias_of_a_kit_brings_the_kits_parts(mug: int, paris: int) -> None:
    alias = variant(kind="alias", alias_of_id=kit({mug: 2}))
    order = placed(line(alias, 1), warehouses=(paris,))
    assert [x.kind for x in lines(order)] == [LineKind.KIT, LineKind.PART]
    assert available(mug) == 3


def test_services_and_gift_cards_reserve_nothing_and_complete_without_a_parcel() -> None:
    engraving = variant("ENGRAVE", is_stocked=False)
    order = placed(line(engraving), line(None, kind="gift_card"), line(None, kind="text"))
    assert the(order).status == Status.COMPLETE
    assert [x.kind for x in lines(order)] == [LineKind.SERVICE, LineKind.GIFT_CARD, LineKind.TEXT]
    assert not Reservation.objects.exists()
    assert books_are_right()


@pytest.mark.parametrize(
    ("intake", "status", "has", "invoice"),
    [
        (Intake.VALID, Status.PROCESSING, 2, False),
        (Intake.INVOICE, Status.PROCESSING, 2, True),
        (Intake.HOLD, Status.ON_HOLD, 2, False),
        (Intake.CANCEL, Status.CANCELLED, 0, False),
        (Intake.COMPLETE, Status.COMPLETE, 0, True),
        (Intake.HISTORY, Status.COMPLETE, 0, True),
    ],
)
def test_each_import_rule(intake: Intake, status: Status, has: int, invoice: bool, mug: int, paris: int) -> None:
    order = placed(line(mug, 2), line(None, kind="service"), warehouses=(paris,), intake=intake)
    row = the(order)
    assert (row.status, reserved(order), row.invoice_wanted) == (status, has, invoice)
    assert on_hand(mug) == (3 if intake == Intake.COMPLETE else 5)
    assert row.is_history == (intake == Intake.HISTORY)
    assert (row.preparation == Preparation.SHIPPED) == (status == Status.COMPLETE)
    assert [x.cancelled for x in lines(order)] == ([2, 1] if intake == Intake.CANCEL else [0, 0])
    assert [x.shipped for x in lines(order)] == ([2, 1] if status == Status.COMPLETE else [0, 0])
    assert books_are_right()


def test_coming_in_complete_books_one_movement_per_line_whatever_is_repeated(mug: int, paris: int) -> None:
    sale = new(line(mug, 1), line(mug, 2), warehouses=(paris,), intake=Intake.COMPLETE)
    place(sale)
    place(sale)
    assert [m.quantity for m in Movement.objects.filter(reason="shipment").order_by("quantity")] == [1, 2]
    assert on_hand(mug) == 2


def test_coming_in_complete_is_refused_for_that_sale_alone(mug: int, paris: int) -> None:
    inventory.hold([HoldWanted("3:big", mug, Decimal(1), (paris,), None, NOON)], at=NOON, actor=ANNA)
    answers = place(
        new(line(mug, 2), warehouses=(paris,), intake=Intake.COMPLETE, day=0),
        new(
            line(mug, 9, sku="MUG"), warehouses=(paris,), intake=Intake.COMPLETE, day=1, sale="big", releases=("3:big",)
        ),
        new(line(mug, 1), warehouses=(paris,), intake=Intake.COMPLETE, day=2),
        new(line(mug, 1), warehouses=(paris,), day=3),
    )
    assert [a.created for a in answers] == [True, False, True, True]
    refusal = answers[1].refusal
    assert isinstance(refusal, NotEnough)
    assert refusal.number == "PS-big"
    assert set(refusal.short) == {"MUG"}
    assert on_hand(mug) == 2
    assert Hold.objects.filter(source="3:big").exists()  # it still waits in staging
    assert not Order.objects.filter(external_id="big").exists()
    assert books_are_right()


def test_what_a_sale_held_goes_to_its_order(mug: int, paris: int) -> None:
    inventory.hold([HoldWanted("3:77", mug, Decimal(5), (paris,), None, NOON)], at=NOON, actor=ANNA)
    assert available(mug) == 0
    answer = place(new(line(mug, 5), warehouses=(paris,), sale="77", releases=("3:77",)))[0]
    assert answer.reserved == 5
    assert not Hold.objects.exists()


def test_a_sale_that_comes_in_cancelled_gives_its_hold_back(mug: int, paris: int) -> None:
    inventory.hold([HoldWanted("3:78", mug, Decimal(5), (paris,), None, NOON)], at=NOON, actor=ANNA)
    place(new(line(mug, 5), warehouses=(paris,), sale="78", releases=("3:78",), intake=Intake.CANCEL))
    assert available(mug) == 5


def test_charges_payments_and_history_come_along(mug: int, paris: int) -> None:
    order = placed(
        line(mug, 2, "10.00"),
        warehouses=(paris,),
        charges=(
            NewCharge(kind="shipping", amount=Decimal("4.90")),
            NewCharge(kind="discount", amount=Decimal("-2.00")),
        ),
        payments=(NewPayment(method="card", amount=Decimal("22.90"), paid_at=NOON),),
    )
    assert the(order).total == Decimal("22.90")
    assert list(Charge.objects.filter(order_id=order).values_list("kind", "amount").order_by("id")) == [
        ("shipping", Decimal("4.90")),
        ("discount", Decimal("-2.00")),
    ]
    assert Payment.objects.get(order_id=order).amount == Decimal("22.90")
    told = History.objects.get(order_id=order)
    assert (told.what, told.after, told.facts, told.actor_label) == (
        "placed",
        "processing",
        {"intake": "valid"},
        "Anna",
    )


def test_one_event_tells_of_the_whole_page(mug: int, paris: int) -> None:
    answers = place(*(new(line(mug), warehouses=(paris,)) for _ in range(3)))
    event = Event.objects.get(name=events.PLACED)
    assert event.facts["orders"] == [a.order for a in answers]
    assert event.facts["intakes"] == {"valid": 3}


def test_totals_that_do_not_add_up_refuse_that_sale_alone(mug: int, paris: int) -> None:
    good, bad = place(
        new(line(mug), warehouses=(paris,)), new(line(mug, price="10.00"), warehouses=(paris,), total=Decimal("10.01"))
    )
    assert good.created
    assert isinstance(bad.refusal, TotalsDiffer)
    assert bad.refusal.facts["total"] == "10.01"


def test_a_total_right_to_the_cent_comes_in_unrounded(mug: int, paris: int) -> None:
    order = placed(line(mug, 3, "3.333333", total=Decimal("9.999999")), warehouses=(paris,), total=Decimal("10.00"))
    assert the(order).total == 10
    assert books_are_right()


@pytest.mark.parametrize(
    ("change", "place_"),
    [
        ({"variant": None}, "line x1"),
        ({"variant": 10**9}, "line x1"),
        ({"quantity": Decimal("0.5")}, "line x1"),
        ({"quantity": Decimal("1.0001")}, "line x1"),
        ({"quantity": Decimal(0)}, "line x1"),
        ({"quantity": Decimal("NaN")}, "line x1"),
        ({"kind": "junk"}, "line x1"),
        ({"sku": "x" * 81}, "line x1"),
        ({"total": Decimal("1e20")}, "line x1"),
    ],
)
def test_a_line_that_cannot_be_kept_refuses_its_sale_and_names_the_place(
    change: dict[str, object], place_: str, mug: int, paris: int
) -> None:
    bad = replace(line(mug, external_id="x1"), **change)
    answers = place(new(bad, warehouses=(paris,)), new(line(mug), warehouses=(paris,)))
    assert isinstance(answers[0].refusal, NotAcceptable)
    assert answers[0].refusal.facts["place"] == place_
    assert answers[1].created


@pytest.mark.parametrize(
    ("change", "place_"),
    [
        ({"external_id": "x" * 81}, "external_id"),
        ({"external_id": None}, "external_id"),
        ({"currency": "EURO"}, "currency"),
        ({"carrier": "a\0b"}, "carrier"),
        ({"rate": Decimal("NaN")}, "amount"),
        ({"warehouses": ()}, "warehouses"),
        ({"meaning": "perhaps"}, "meaning"),
        ({"charges": (NewCharge(kind="junk", amount=Decimal(0)),)}, "charges"),
    ],
)
def test_a_sale_that_cannot_be_kept_is_refused_and_the_page_goes_on(
    change: dict[str, object], place_: str, mug: int, paris: int
) -> None:
    bad = replace(new(line(mug), warehouses=(paris,), external_number="7"), **change)
    answers = place(bad, new(line(mug), warehouses=(paris,)))
    assert isinstance(answers[0].refusal, NotAcceptable)
    assert answers[0].refusal.facts["place"] == place_
    assert answers[1].created


def test_long_names_and_stray_nul_characters_are_cut_not_refused(mug: int, paris: int) -> None:
    order = placed(line(mug, name="Mug\0" * 100), warehouses=(paris,), note="a\0b", payment_name="p" * 200)
    assert (the(order).note, len(the(order).payment_name), len(lines(order)[0].name)) == ("ab", 120, 255)


def test_a_kit_without_parts_is_refused(paris: int) -> None:
    answer = place(new(line(kit({})), warehouses=(paris,)))[0]
    assert isinstance(answer.refusal, NotAcceptable)


def test_an_empty_page_is_no_event() -> None:
    assert place() == []
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_sales_make_each_order_once() -> None:
    paris = warehouse("paris")
    mug = variant("MUG")
    receive(mug, paris, 1000)
    for round_ in range(8):
        sales = [new(line(mug), warehouses=(paris,), sale=f"{round_}-{i}") for i in range(20)]
        start = threading.Barrier(2)
        created: list[int] = []
        errors: list[BaseException] = []

        def work(page: list[object]) -> None:
            try:
                start.wait()  # noqa: B023 -- both threads end within the round
                with transaction.atomic():
                    answers = place(*page)  # type: ignore[arg-type]
                created.append(sum(a.created for a in answers))  # noqa: B023
                assert all(a.order for a in answers)
            except BaseException as error:  # noqa: BLE001 -- shown by the test's thread
                errors.append(error)  # noqa: B023
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(page,)) for page in (sales, sales[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sum(created) == 20
    assert Order.objects.count() == 160
    assert Reservation.objects.count() == 160
    assert books_are_right()

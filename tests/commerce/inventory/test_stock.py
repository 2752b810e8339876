"""The rules of stock, with their numbers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import DatabaseError

from comptoir.commerce.inventory import actions, queries
from comptoir.commerce.inventory.errors import HasStock, NotCounted
from comptoir.commerce.inventory.models import Movement
from comptoir.commerce.inventory.records import Count, Demand, Filled, Gap, HoldWanted, Receipt, TakenBack, Transfer
from comptoir.events.models import Event
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

from .builders import (
    NOON,
    books_are_right,
    count_as,
    demand,
    fact,
    figures,
    has,
    hold,
    marks,
    number,
    receive,
    reserve,
    ship,
    variant,
    waits,
    warehouse,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug() -> int:
    return variant()


@pytest.fixture
def paris() -> int:
    return warehouse("paris")


@pytest.fixture
def new_york() -> int:
    return warehouse("new-york")


# Receiving


def test_what_is_received_is_on_hand_and_a_repeated_reference_is_reported_and_ignored(mug: int, paris: int) -> None:
    assert receive(mug, paris, 5, "po:1").booked == ("po:1",)
    again = receive(mug, paris, 7, "po:1")
    assert (again.booked, again.repeated) == ((), ("po:1",))
    assert figures(mug, paris) == (5, 0, 0, 5)
    assert books_are_right()


def test_the_same_reference_twice_in_one_page_is_one_movement(mug: int, paris: int) -> None:
    receipts = [Receipt(mug, paris, Decimal(5), "po:1"), Receipt(mug, paris, Decimal(5), "po:1")]
    outcome = actions.receive(receipts, at=NOON, actor=SYSTEM)
    assert (outcome.booked, outcome.repeated) == (("po:1",), ("po:1",))
    assert figures(mug, paris) == (5, 0, 0, 5)


def test_a_repeat_leaves_no_mark_and_no_event(mug: int, paris: int) -> None:
    receive(mug, paris, 5, "po:1")
    assert marks() == [mug]
    events = Event.objects.count()
    receive(mug, paris, 5, "po:1")
    assert marks() == []
    assert Event.objects.count() == events


def test_a_page_of_receipts_is_one_event_and_one_mark_per_variant(mug: int, paris: int, new_york: int) -> None:
    other = variant()
    before = Event.objects.count()
    receipts = [Receipt(v, w, Decimal(2), f"po:{v}:{w}") for v in (mug, other) for w in (paris, new_york)]
    actions.receive(receipts, at=NOON, actor=SYSTEM)
    assert marks() == sorted([mug, other])
    assert Event.objects.count() == before + 1


def test_backorders_are_filled_oldest_first_by_the_receipt_that_brings_the_goods(mug: int, paris: int) -> None:
    newest, oldest, middle = demand(mug, 2, paris, day=3), demand(mug, 2, paris, day=1), demand(mug, 2, paris, day=2)
    reserve(newest, oldest, middle)
    outcome = receive(mug, paris, 3)
    assert outcome.filled == (
        Filled(oldest.line, oldest.order, mug, Decimal(2)),
        Filled(middle.line, middle.order, mug, Decimal(1)),
    )
    assert [waits(d.line) for d in (oldest, middle, newest)] == [0, 1, 2]
    assert figures(mug, paris) == (3, 3, 0, 0)
    assert books_are_right()


def test_goods_fill_only_lines_that_may_be_served_from_where_they_arrive(mug: int, paris: int, new_york: int) -> None:
    only_paris, both = demand(mug, 1, paris, day=1), demand(mug, 1, paris, new_york, day=2)
    reserve(only_paris, both)
    receive(mug, new_york, 5)
    assert (has(only_paris.line), has(both.line)) == ({}, {new_york: 1})
    assert books_are_right()


# Reserving


def test_a_line_is_reserved_from_several_warehouses(mug: int, paris: int, new_york: int) -> None:
    receive(mug, paris, 1)
    receive(mug, new_york, 1)
    line = demand(mug, 2, paris, new_york)
    assert reserve(line) == {line.line: Decimal(2)}
    assert has(line.line) == {paris: 1, new_york: 1}


def test_the_last_piece_goes_to_the_older_order_and_the_other_waits(mug: int, paris: int) -> None:
    receive(mug, paris, 1)
    newer, older = demand(mug, 1, paris, day=2), demand(mug, 1, paris, day=1)
    assert reserve(newer, older) == {newer.line: Decimal(0), older.line: Decimal(1)}
    assert (waits(newer.line), waits(older.line)) == (1, 0)


def test_reserving_a_line_again_changes_nothing(mug: int, paris: int) -> None:
    receive(mug, paris, 3)
    line = demand(mug, 5, paris)
    first = reserve(line)
    marks()
    assert reserve(line) == first == {line.line: Decimal(3)}
    assert (figures(mug, paris), waits(line.line), marks()) == ((3, 3, 0, 0), 2, [])


def test_held_units_are_not_reserved_for_others(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    hold("3:1042", mug, 2, paris)
    line = demand(mug, 5, paris)
    assert reserve(line) == {line.line: Decimal(3)}
    assert figures(mug, paris) == (5, 3, 2, 0)
    assert books_are_right()


def test_a_negative_quantity_no_warehouse_and_a_fraction_of_a_piece_are_refused(mug: int, paris: int) -> None:
    for quantity in ("-1", "0", "0.5", "1.0001", "99999999999"):
        with pytest.raises(BadInput) as refusal:
            reserve(demand(mug, quantity, paris))
        assert refusal.value.facts["place"] == "quantity"
    with pytest.raises(BadInput):
        reserve(demand(mug, 1))
    cloth = variant(unit="m")
    receive(cloth, paris, "2.125")
    line = demand(cloth, "0.125", paris)
    assert reserve(line) == {line.line: Decimal("0.125")}


def test_kits_and_aliases_have_no_stock_of_their_own(mug: int, paris: int) -> None:
    kit = variant(kind="kit")
    alias = variant(kind="alias", alias_of_id=mug)
    for composed in (kit, alias):
        with pytest.raises(NotCounted):
            receive(composed, paris, 1)


# Held units


def test_two_of_five_held_for_an_unpaid_sale_leave_three_until_it_is_paid_or_abandoned(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    hold("3:1", mug, 2, paris)
    assert figures(mug, paris) == (5, 0, 2, 3)
    actions.release_holds(["3:1"], at=NOON, actor=SYSTEM)
    assert figures(mug, paris) == (5, 0, 0, 5)
    hold("3:2", mug, 2, paris)
    line = demand(mug, 2, paris)
    reserve(line, releasing=["3:2"])
    assert figures(mug, paris) == (5, 2, 0, 3)
    assert books_are_right()


def test_units_freed_by_acceptance_go_to_the_accepted_sale_before_anybody_who_waits(mug: int, paris: int) -> None:
    receive(mug, paris, 2)
    hold("3:1", mug, 2, paris)
    older = demand(mug, 1, paris, day=1)
    reserve(older)
    assert waits(older.line) == 1
    accepted = demand(mug, 1, paris, day=2)
    reserve(accepted, releasing=["3:1"])
    assert (has(accepted.line), has(older.line)) == ({paris: 1}, {paris: 1})
    assert books_are_right()


def test_the_first_of_two_sales_that_hold_the_last_piece_to_be_paid_gets_it(mug: int, paris: int) -> None:
    receive(mug, paris, 1)
    hold("3:1", mug, 1, paris)
    hold("4:1", mug, 1, paris)
    assert figures(mug, paris) == (1, 0, 2, -1)
    first, second = demand(mug, 1, paris), demand(mug, 1, paris)
    assert reserve(first, releasing=["4:1"]) == {first.line: Decimal(1)}
    assert reserve(second, releasing=["3:1"]) == {second.line: Decimal(0)}
    assert books_are_right()


def test_holding_again_replaces_what_a_sale_held(mug: int, paris: int) -> None:
    other = variant()
    receive(mug, paris, 5)
    receive(other, paris, 5)
    until = NOON + timedelta(days=3)
    both = [HoldWanted("3:1", v, Decimal(2), (paris,), None, until) for v in (mug, other)]
    actions.hold(both, at=NOON, actor=SYSTEM)
    marks()
    actions.hold(both, at=NOON, actor=SYSTEM)
    assert marks() == []
    hold("3:1", mug, 3, paris)
    assert (figures(mug, paris), figures(other, paris)) == ((5, 0, 3, 2), (5, 0, 0, 5))
    assert books_are_right()


def test_a_hold_takes_what_is_available_by_warehouse_and_the_rest_of_the_first(
    mug: int, paris: int, new_york: int
) -> None:
    receive(mug, paris, 1)
    receive(mug, new_york, 2)
    hold("3:1", mug, 5, paris, new_york)
    assert (figures(mug, paris), figures(mug, new_york)) == ((1, 0, 3, -2), (2, 0, 2, 0))
    assert books_are_right()


def test_a_hold_for_one_selling_point_leaves_the_level_and_marks_the_variant(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    marks()
    hold("3:1", mug, 2, paris, scope=7)
    assert (figures(mug, paris), marks()) == ((5, 0, 0, 5), [mug])
    hold("3:1", mug, 2, paris)  # from now on everywhere
    assert figures(mug, paris) == (5, 0, 2, 3)
    hold("3:1", mug, 2, paris, scope=7)
    assert figures(mug, paris) == (5, 0, 0, 5)
    assert books_are_right()


def test_holds_end_after_their_days_and_serve_those_who_wait(mug: int, paris: int) -> None:
    receive(mug, paris, 2)
    hold("3:1", mug, 2, paris, days=3)
    hold("3:2", mug, 1, paris, days=5)
    line = demand(mug, 1, paris)
    reserve(line)
    assert actions.expire_holds(at=NOON + timedelta(days=2), actor=SYSTEM) == ()
    assert actions.expire_holds(at=NOON + timedelta(days=3), actor=SYSTEM) == ("3:1",)
    assert has(line.line) == {paris: 1}
    assert figures(mug, paris) == (2, 1, 1, 0)
    assert books_are_right()


# Releasing


def test_a_line_gives_up_what_it_waits_for_before_what_it_has(mug: int, paris: int) -> None:
    receive(mug, paris, 3)
    line, next_in_line = demand(mug, 5, paris, day=1), demand(mug, 1, paris, day=2)
    reserve(line, next_in_line)
    assert actions.release({line.line: Decimal(3)}, at=NOON, actor=SYSTEM) == {line.line: Decimal(3)}
    assert (has(line.line), waits(line.line), has(next_in_line.line)) == ({paris: 2}, 0, {paris: 1})
    assert books_are_right()


def test_a_cancelled_line_frees_everything_once(mug: int, paris: int, new_york: int) -> None:
    receive(mug, paris, 1)
    receive(mug, new_york, 1)
    line = demand(mug, 3, paris, new_york)
    reserve(line)
    assert actions.release({line.line: None}, at=NOON, actor=SYSTEM) == {line.line: Decimal(3)}
    assert actions.release({line.line: None}, at=NOON, actor=SYSTEM) == {line.line: Decimal(0)}
    assert (figures(mug, paris), figures(mug, new_york)) == ((1, 0, 0, 1), (1, 0, 0, 1))
    assert books_are_right()


def test_what_is_picked_is_given_up_last(mug: int, paris: int, new_york: int) -> None:
    receive(mug, paris, 1)
    line = demand(mug, 2, paris, new_york)
    reserve(line)
    assert actions.mark_picked([line.line], at=NOON, actor=SYSTEM) == 1
    receive(mug, new_york, 1)
    actions.release({line.line: Decimal(1)}, at=NOON, actor=SYSTEM)
    assert has(line.line) == {paris: 1}
    assert queries.standing_of_lines([line.line])[line.line].picked == {paris}


# Shipping


def test_a_shipment_takes_the_goods_and_the_promise_once(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    line = demand(mug, 2, paris)
    reserve(line)
    ship(line.line, mug, paris, 2, "shipment:1")
    assert ship(line.line, mug, paris, 2, "shipment:1").repeated == ("shipment:1",)
    assert (figures(mug, paris), has(line.line)) == ((3, 0, 0, 3), {})
    assert books_are_right()


def test_goods_shipped_from_a_warehouse_without_the_promise_free_the_promise_elsewhere(
    mug: int, paris: int, new_york: int
) -> None:
    receive(mug, paris, 2)
    receive(mug, new_york, 2)
    line = demand(mug, 2, paris, new_york)
    reserve(line)
    outcome = ship(line.line, mug, new_york, 2)
    assert (outcome.taken_back, outcome.gaps) == ((), ())
    assert (figures(mug, paris), figures(mug, new_york)) == ((2, 0, 0, 2), (0, 0, 0, 0))
    assert books_are_right()


def test_a_shipment_of_units_promised_to_another_order_is_booked_and_the_other_waits(mug: int, paris: int) -> None:
    receive(mug, paris, 1)
    first, second = demand(mug, 1, paris, day=1), demand(mug, 1, paris, day=2)
    reserve(first, second)
    outcome = ship(second.line, mug, paris, 1)
    assert outcome.taken_back == (TakenBack(first.line, first.order, mug, Decimal(1)),)
    assert (figures(mug, paris), waits(first.line), waits(second.line)) == ((0, 0, 0, 0), 1, 0)
    assert books_are_right()


# Physical facts


def test_damage_takes_promises_back_from_the_newest_order_not_yet_picked(mug: int, paris: int) -> None:
    receive(mug, paris, 3)
    oldest, middle, newest = (demand(mug, 1, paris, day=day) for day in (1, 2, 3))
    reserve(oldest, middle, newest)
    actions.mark_picked([newest.line], at=NOON, actor=SYSTEM)
    outcome = fact(mug, paris, -1)
    assert outcome.taken_back == (TakenBack(middle.line, middle.order, mug, Decimal(1)),)
    assert (has(newest.line), waits(middle.line), has(oldest.line)) == ({paris: 1}, 1, {paris: 1})
    assert books_are_right()


def test_promises_in_a_basket_give_way_only_when_nothing_else_is_left(mug: int, paris: int) -> None:
    receive(mug, paris, 1)
    line = demand(mug, 1, paris)
    reserve(line)
    actions.mark_picked([line.line], at=NOON, actor=SYSTEM)
    assert fact(mug, paris, -1).taken_back == (TakenBack(line.line, line.order, mug, Decimal(1), was_picked=True),)
    assert books_are_right()


def test_a_promise_taken_back_is_given_again_from_another_warehouse(mug: int, paris: int, new_york: int) -> None:
    receive(mug, paris, 2)
    receive(mug, new_york, 1)
    line = demand(mug, 2, paris, new_york)
    reserve(line)
    outcome = fact(mug, paris, -2)
    assert outcome.taken_back == (TakenBack(line.line, line.order, mug, Decimal(1)),)
    assert (outcome.filled, has(line.line), waits(line.line)) == ((), {new_york: 1}, 1)
    assert books_are_right()


def test_a_till_sale_of_goods_that_nobody_knew_of_books_the_gap_first(mug: int, paris: int) -> None:
    receive(mug, paris, 1)
    line = demand(mug, 1, paris)
    reserve(line)
    outcome = fact(mug, paris, -3, "sale", "till:9")
    assert outcome.gaps == (Gap(mug, paris, Decimal(2), "till:9"),)
    assert outcome.taken_back == (TakenBack(line.line, line.order, mug, Decimal(1)),)
    assert figures(mug, paris) == (0, 0, 0, 0)
    booked = list(Movement.objects.order_by("id").values_list("reason", "quantity", "reference")[1:])
    assert booked == [("difference", Decimal(2), "till:9:difference"), ("sale", Decimal(3), "till:9")]
    assert fact(mug, paris, -3, "sale", "till:9").gaps == ()
    assert books_are_right()


def test_a_count_books_the_difference_and_is_not_booked_again_after_goods_have_moved(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    count_as(mug, paris, 3, "count:1")
    assert figures(mug, paris) == (3, 0, 0, 3)
    count_as(mug, paris, 3, "count:2")  # agrees: nothing moves, and it is remembered
    receive(mug, paris, 4)
    for ref in ("count:1", "count:2"):
        assert count_as(mug, paris, 3, ref).repeated == (ref,)
    assert figures(mug, paris) == (7, 0, 0, 7)
    assert books_are_right()


def test_a_count_above_what_is_on_hand_serves_those_who_wait(mug: int, paris: int) -> None:
    line = demand(mug, 2, paris)
    reserve(line)
    assert count_as(mug, paris, 3).filled == (Filled(line.line, line.order, mug, Decimal(2)),)


def test_a_transfer_moves_goods_and_the_promises_that_stand_on_them(mug: int, paris: int, new_york: int) -> None:
    receive(mug, paris, 2)
    movable, fixed = demand(mug, 1, paris, new_york, day=2), demand(mug, 1, paris, day=1)
    reserve(movable, fixed)
    move = Transfer(mug, paris, new_york, Decimal(1), "transfer:1")
    outcome = actions.transfer([move], at=NOON, actor=SYSTEM)
    assert (outcome.taken_back, has(movable.line), has(fixed.line)) == ((), {new_york: 1}, {paris: 1})
    assert actions.transfer([move], at=NOON, actor=SYSTEM).repeated == ("transfer:1",)
    assert books_are_right()
    with pytest.raises(BadInput):
        actions.transfer([Transfer(mug, paris, paris, Decimal(1), "transfer:2")], at=NOON, actor=SYSTEM)


# Opening stock


def test_a_shop_that_shows_seven_with_three_unshipped_orders_opens_with_ten(mug: int, paris: int) -> None:
    lines = [demand(mug, 1, paris, day=day) for day in range(3)]
    actions.opening([Receipt(mug, paris, Decimal(7 + 3), "opening:3:24")], at=NOON, actor=SYSTEM)
    reserve(*lines)
    assert figures(mug, paris) == (10, 3, 0, 7)


def test_a_re_base_books_differences_only(mug: int, paris: int) -> None:
    receive(mug, paris, 10)
    line = demand(mug, 4, paris)
    reserve(line)
    other = variant()
    receive(other, paris, 2)
    figures_there = [Count(mug, paris, Decimal(3), "rebase:1:a"), Count(other, paris, Decimal(2), "rebase:1:b")]
    outcome = actions.re_base(figures_there, at=NOON, actor=SYSTEM)
    assert outcome.taken_back == (TakenBack(line.line, line.order, mug, Decimal(1)),)
    assert Movement.objects.filter(reason="rebase").count() == 1
    assert figures(mug, paris) == (3, 3, 0, 0)
    assert books_are_right()


# The ledger only grows


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE inventory_movement SET quantity = 1",
        "DELETE FROM inventory_movement",
        "TRUNCATE inventory_movement CASCADE",
    ],
)
def test_postgresql_refuses_to_change_a_movement(mug: int, paris: int, attempt: str) -> None:
    receive(mug, paris, 2)
    sql.execute(
        "SET CONSTRAINTS ALL IMMEDIATE"
    )  # a table with checks waiting for the commit could not be truncated anyway
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        sql.execute(attempt)
    assert Movement.objects.count() == 1


def test_postgresql_refuses_more_reserved_than_there_is(mug: int, paris: int) -> None:
    receive(mug, paris, 2)
    with pytest.raises(IntegrityError, match="level_reserved_on_hand"), transaction.atomic():
        sql.execute("UPDATE inventory_level SET reserved = 3")


# Reading


def test_the_ledger_is_read_in_pages_with_the_balance_after_each_movement(mug: int, paris: int, new_york: int) -> None:
    for quantity in (5, 1, 3):
        receive(mug, paris, quantity)
    fact(mug, paris, -2)
    actions.transfer([Transfer(mug, paris, new_york, Decimal(4), "t:1")], at=NOON, actor=SYSTEM)
    for wanted in (queries.MovementFilter(variant=mug), queries.MovementFilter(warehouse=paris)):
        rows, after = [], None
        while True:
            page = queries.movements(wanted, after, size=2)
            rows += page.items
            after = page.after
            if after is None:
                break
        balances = [row.to_balance if row.to_warehouse == paris else row.from_balance for row in rows]
        assert balances == [3, 7, 9, 6, 5]
        assert rows[0].to_balance == 4


def test_a_variants_standing_names_every_order_and_sale_behind_its_figures(mug: int, paris: int) -> None:
    receive(mug, paris, 5)
    hold("3:1042", mug, 2, paris)
    line = demand(mug, 4, paris, order=77)
    reserve(line)
    standing = queries.standing(mug)
    (here,) = standing.warehouses
    assert (here.on_hand, here.reserved, here.held, here.available) == (5, 3, 2, 0)
    assert [(c.order, c.line, c.quantity) for c in here.reserved_by] == [(77, line.line, 3)]
    assert [(c.source, c.quantity) for c in here.held_by] == [("3:1042", 2)]
    assert [(c.order, c.quantity) for c in standing.waiting] == [(77, 1)]
    assert queries.available([(mug, paris), (mug, 999)]) == {(mug, paris): 0, (mug, 999): 0}


def test_a_kit_is_counted_per_warehouse_then_summed_unless_mixing_is_allowed(paris: int, new_york: int) -> None:
    cup, saucer, kit = variant(), variant(), variant()
    actions.make_kit(kit, {cup: Decimal(1), saucer: Decimal(2)}, at=NOON, actor=SYSTEM)
    receive(cup, paris, 3)
    receive(saucer, paris, 3)
    receive(cup, new_york, 1)
    receive(saucer, new_york, 5)
    level = queries.kit_levels([kit], [paris, new_york])[kit]
    assert (level.by_warehouse, level.total, level.mixed) == ({paris: 1, new_york: 1}, 2, 4)
    incomplete = variant(kind="kit")  # its parts are not known yet
    assert queries.kit_levels([incomplete], [paris])[incomplete].total == 0


def test_a_variant_with_a_history_becomes_neither_alias_nor_kit(mug: int, paris: int) -> None:
    fresh = variant()
    receive(mug, paris, 1)
    with pytest.raises(HasStock):
        actions.make_alias(mug, fresh, at=NOON, actor=SYSTEM)
    with pytest.raises(HasStock):
        actions.make_kit(mug, {fresh: Decimal(1)}, at=NOON, actor=SYSTEM)
    waiting = demand(fresh, 1, paris)
    reserve(waiting)
    with pytest.raises(HasStock):
        actions.make_alias(fresh, mug, at=NOON, actor=SYSTEM)
    actions.release({waiting.line: None}, at=NOON, actor=SYSTEM)
    actions.make_alias(fresh, mug, at=NOON, actor=SYSTEM)
    with pytest.raises(NotCounted):
        reserve(Demand(number(), 1, fresh, Decimal(1), (paris,), NOON))


def test_the_default_warehouse_is_made_once_and_can_be_renamed() -> None:
    main = actions.default_warehouse()
    actions.rename_warehouse(main.pk, "Shop floor", at=NOON, actor=SYSTEM)
    assert actions.default_warehouse().pk == main.pk
    assert actions.default_warehouse().name == "Shop floor"
    new = actions.create_warehouse("lyon", "Lyon", at=NOON, actor=SYSTEM)
    assert actions.create_warehouse("lyon", "Lyon", at=NOON, actor=SYSTEM).pk == new.pk

"""Stock between a shop and the hub, with the numbers of the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest
from shop_world import World, connect

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Hold, Level
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders.models import Order
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine.models import Finding, PlanRow, Run
from comptoir.flows import house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers.models import Offer
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale


@pytest.fixture
def small(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """A shop with nothing in it, connected, in test mode."""
    doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    return connect(doors["shop.test"], manual_clock)


def count_and_go_live(world: World) -> None:
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()


def level_writes(world: World) -> int:
    return world.shop.counters.writes["stock_availables"]


def told(world: World) -> Iterable[Decimal | None]:
    return list(Offer.objects.filter(is_active=True).order_by("id").values_list("told", flat=True))


def test_opening_stock_adds_what_open_orders_have_taken_and_the_first_preview_is_empty(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    for _ in range(3):
        small.shop.state.place_order([(cup, 0, 1)])
    assert small.shop.state.stock(cup) == 7
    small.run("pull_products")
    small.run("pull_stock_once")
    level = Level.objects.get()
    assert (level.on_hand, level.reserved) == (10, 3)
    assert told(small) == [7]
    preview = small.preview("push_stock")
    assert list(PlanRow.objects.filter(run=preview)) == []
    assert small.shop.counters.writes.total() == 0


def test_counting_again_in_production_is_refused(small: World) -> None:
    small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    count_and_go_live(small)
    run = Run.objects.get(pk=small.run("pull_stock_once"))
    assert (run.status, run.error["code"]) == ("failed", "conflict")
    assert Level.objects.get().on_hand == 10


def test_an_unpaid_sale_holds_its_units_until_it_is_abandoned(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    small.shop.state.place_order([(cup, 0, 2)], state="PS_OS_BANKWIRE")
    small.pass_time(minutes=5)
    small.drain()
    assert (Hold.objects.get().quantity, told(small), small.shop.state.stock(cup)) == (2, [3], 3)
    small.pass_time(days=3, minutes=10)
    small.drain()
    assert (Hold.objects.count(), told(small), small.shop.state.stock(cup)) == (0, [5], 5)


def test_a_paid_sale_is_reserved_and_no_push_was_needed(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    order = small.shop.state.place_order([(cup, 0, 2)], state="PS_OS_BANKWIRE")
    small.pass_time(minutes=5)
    small.drain()
    before = level_writes(small)
    small.shop.state.pay(order)
    small.pass_time(minutes=5)
    small.drain()
    level = Level.objects.get()
    assert (level.reserved, level.held, told(small), small.shop.state.stock(cup)) == (2, 0, [3], 3)
    assert level_writes(small) == before
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_a_sale_seen_makes_what_was_told_unknown_even_if_our_number_did_not_move(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    before = level_writes(small)
    small.shop.state.place_order([(cup, 0, 2)])
    small.pass_time(minutes=5)
    small.drain()
    assert (told(small), small.shop.state.stock(cup)) == ([3], 3)
    assert level_writes(small) == before + 1  # it was said, although the shop had it so


def test_a_cancellation_there_gives_units_back_to_everyone(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    order = small.shop.state.place_order([(cup, 0, 2)])
    small.pass_time(minutes=5)
    small.drain()
    small.shop.state.cancel(order)
    small.pass_time(minutes=5)
    small.drain()
    assert Order.objects.get().status == "cancelled"
    assert (told(small), small.shop.state.stock(cup)) == ([5], 5)
    assert Finding.objects.get(code="cancelled_there").severity == "info"


def test_the_stock_check_names_a_difference_after_a_second_look_and_writes_nothing(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    before = level_writes(small)
    small.shop.state.set_stock(cup, 9)  # somebody typed it into the shop
    small.run("check_stock")
    found = Finding.objects.get(code="stock_differs", closed_at__isnull=True)
    assert (found.facts["there"], found.facts["ours"]) == ("9", "5")
    assert (level_writes(small), small.shop.state.stock(cup)) == (before, 9)
    offers.tell_again(small.channel.pk, at=small.at, actor=SYSTEM)
    small.drain("push_stock")
    small.run("check_stock")
    found.refresh_from_db()
    assert (small.shop.state.stock(cup), found.closed_at is not None) == (5, True)


def test_the_stock_check_takes_sales_in_first(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    small.pass_time(minutes=1)
    small.shop.state.place_order([(cup, 0, 2)])
    small.run("check_stock")
    assert not Finding.objects.filter(code="stock_differs", closed_at__isnull=True).exists()
    assert Order.objects.count() == 1


def test_zeros_that_nobody_sold_wait_for_a_person(small: World) -> None:
    for number in range(20):
        small.shop.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=5)
    count_and_go_live(small)
    before = level_writes(small)
    place = small.channel.points.get()
    empty = inventory.create_warehouse("empty", "Empty", at=small.at, actor=SYSTEM)
    offers.set_sources(place.pk, [empty.pk], at=small.at)
    small.drain("push_stock")
    assert level_writes(small) == before
    found = Finding.objects.get(code="suspicious_levels", closed_at__isnull=True)
    assert (found.facts["levels"], found.severity) == (20, "error")
    from comptoir.flows import levels

    levels.approve_suspicious(small.channel.pk)
    small.drain("push_stock")
    assert set(told(small)) == {Decimal(0)}


def test_zeros_that_the_ledger_explains_go_out(small: World) -> None:
    for number in range(20):
        small.shop.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=5)
    count_and_go_live(small)
    small.pass_time(minutes=5)
    inventory.book(
        [
            Fact(level.variant_id, level.warehouse_id, -level.on_hand, "damage", f"flood:{level.pk}")
            for level in Level.objects.all()
        ],
        at=small.at,
        actor=SYSTEM,
    )
    small.drain("push_stock")
    assert set(told(small)) == {Decimal(0)}
    assert not Finding.objects.filter(code="suspicious_levels").exists()


def test_units_that_only_their_own_shop_may_hold_stay_on_sale_elsewhere(small: World) -> None:
    small.channel.hold_scope = "own"
    small.channel.save()
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    small.shop.state.place_order([(cup, 0, 2)], state="PS_OS_BANKWIRE")
    small.pass_time(minutes=5)
    small.drain()
    assert Hold.objects.get().scope == small.channel.points.get().pk
    assert (Level.objects.get().held, told(small)) == (0, [3])


def test_an_abandoned_sale_is_looked_at_hourly_then_daily_then_given_up(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=5)
    count_and_go_live(small)
    order = small.shop.state.place_order([(cup, 0, 2)], state="PS_OS_BANKWIRE")
    small.pass_time(minutes=5)
    small.drain()
    row = StagedSale.objects.get()
    assert row.next_look_at == row.changed_at + timedelta(hours=1)
    small.pass_time(days=8)
    small.drain()
    row.refresh_from_db()
    assert row.next_look_at == small.at + timedelta(days=1)
    small.pass_time(days=23)
    small.drain()
    row.refresh_from_db()
    assert (row.state, row.next_look_at) == ("closed", None)
    assert Finding.objects.get(code="sale_given_up").severity == "info"
    assert not Finding.objects.filter(code="sale_unpaid", closed_at__isnull=True).exists()
    small.shop.state.pay(order)  # a late payment opens it again
    small.pass_time(minutes=10)
    small.drain()
    row.refresh_from_db()
    assert (row.state, Order.objects.get().status) == ("accepted", "processing")


def test_units_given_back_before_a_sale_came_in_are_not_sent(small: World) -> None:
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    count_and_go_live(small)
    order = small.shop.state.place_order([(cup, 0, 2)])
    row = small.shop.state.details(order)[0]
    small.shop.state.refund_lines(order, {row["id"]: 1}, restock=True)
    small.pass_time(minutes=5)
    small.drain()
    line = Order.objects.get().lines.get()
    assert (line.quantity, line.cancelled, Level.objects.get().reserved) == (2, 1, 1)
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_what_was_open_when_stock_was_counted_is_booked_out_when_it_has_left(small: World) -> None:
    small.channel.accepts_by_itself = False
    small.channel.save()
    cup = small.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    order = small.shop.state.place_order([(cup, 0, 3)])
    small.pass_time(minutes=5)
    small.run("pull_products")
    small.run("pull_stock_once")
    assert Level.objects.get().on_hand == 10
    small.pass_time(minutes=5)
    small.shop.state.ship_in_shop(order)  # somebody ships it with the shop's own screen before we accept it
    small.pass_time(minutes=5)
    small.drain()
    staging.approve([StagedSale.objects.get().pk], actor=SYSTEM, at=small.at)
    small.drain()
    assert StagedSale.objects.get().rule == "complete"
    assert (Level.objects.get().on_hand, Level.objects.get().reserved) == (7, 0)
    assert house.check_all() == {part: [] for part in house.BOOKS}

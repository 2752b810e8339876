"""Going live with orders in flight: what the old process shipped is closed without a movement, the rest is shipped here."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_world import World, connect

from comptoir.commerce.inventory.models import Backorder, Level, Movement, Reservation
from comptoir.commerce.orders import takeover
from comptoir.commerce.orders.models import Order
from comptoir.commerce.orders.takeover import Choice
from comptoir.commerce.shipments.models import Shipment
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine.models import Effect, Finding, Flow, PlanRow, Run
from comptoir.flows import connecting, house, stock
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import Conflict
from comptoir.offers.models import Offer

BALANCED = {part: [] for part in house.BOOKS}


@pytest.fixture
def tested(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """Ten cups counted, three orders of one in flight, of which the old process ships the first without telling the shop."""
    shop = doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    world = connect(shop, manual_clock)
    cup = shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    for _ in range(3):
        shop.state.place_order([(cup, 0, 1)])
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    return world


def plan_of(run: int) -> list[tuple[str, str | None, str | None]]:
    return list(PlanRow.objects.filter(run=run).order_by("id").values_list("kind", "old", "new"))


def test_orders_in_flight_are_asked_for_one_by_one_and_the_first_difference_is_empty(tested: World) -> None:
    first, second, third = Order.objects.order_by("id")
    with pytest.raises(Conflict, match="orders_undecided"):
        connecting.go_live(tested.channel, actor=SYSTEM, at=tested.at)
    run = Run.objects.get(pk=tested.run("take_over"))
    assert (run.status, run.error["facts"]["orders"]) == ("failed", 3)
    takeover.choose(tested.channel.pk, Choice.LEFT, orders=[first.pk], at=tested.at, actor=SYSTEM)
    takeover.choose(tested.channel.pk, Choice.HERE, at=tested.at, actor=SYSTEM)
    first.refresh_from_db()
    assert (first.is_blocked, first.status) == (True, "processing"), "nobody prepares it meanwhile"
    with pytest.raises(Conflict, match="orders_not_closed"):
        connecting.go_live(tested.channel, actor=SYSTEM, at=tested.at)
    run = Run.objects.get(pk=tested.run("take_over"))
    assert (run.status, run.outcome, plan_of(run.pk)) == ("done", "good", [])
    first.refresh_from_db()
    assert (first.status, first.is_blocked, first.lines.get().shipped) == ("complete", False, 1)
    assert not Movement.objects.filter(reason="shipment").exists()
    level = Level.objects.get()
    assert (level.on_hand, level.reserved) == (9, 2), "figure 7, two of its units are shipped here"
    assert (tested.shop.state.stock(1), Offer.objects.get().told) == (7, 7)
    assert not Effect.objects.exists(), "the shop hears of no parcel"
    connecting.go_live(tested.channel, actor=SYSTEM, at=tested.at)
    tested.drain()
    assert tested.shop.counters.writes.total() == 0
    assert house.check_all() == BALANCED
    assert {second.pk, third.pk} == set(Reservation.objects.values_list("order", flat=True))


def test_what_has_left_gives_no_unit_to_somebody_who_waits(tested: World) -> None:
    """The last units: a promise that ends without a movement must not look like goods on the shelf."""
    shop = tested.shop
    shop.state.place_order([(1, 0, 7)])
    tested.pass_time(minutes=5)
    tested.drain()
    assert Level.objects.get().reserved == 10
    shop.state.set_stock(1, 0)
    shop.state.place_order([(1, 0, 2)])  # sold although nothing is there
    tested.pass_time(minutes=5)
    tested.drain()
    assert Backorder.objects.get().quantity == 2
    first = Order.objects.order_by("id").first()
    assert first is not None
    takeover.choose(tested.channel.pk, Choice.LEFT, orders=[first.pk], at=tested.at, actor=SYSTEM)
    takeover.choose(tested.channel.pk, Choice.HERE, at=tested.at, actor=SYSTEM)
    tested.shop.state.set_stock(1, -2)  # as it shows: two were sold that nobody has
    run = Run.objects.get(pk=tested.run("take_over"))
    assert run.status == "done", run.error
    level = Level.objects.get()
    assert (level.on_hand, level.reserved) == (9, 9)
    assert Backorder.objects.get().quantity == 2
    assert not Finding.objects.filter(code="promise_taken_back").exists()
    assert house.check_all() == BALANCED


def test_what_was_said_can_be_said_otherwise_until_stock_is_counted(tested: World) -> None:
    order = Order.objects.order_by("id").first()
    assert order is not None
    for choice, is_blocked in ((Choice.LEFT, True), (Choice.HERE, False), (Choice.LEFT, True), (Choice.LEFT, True)):
        takeover.choose(tested.channel.pk, choice, orders=[order.pk], at=tested.at, actor=SYSTEM)
        order.refresh_from_db()
        assert (order.taken_over, order.is_blocked) == (choice, is_blocked)
    assert takeover.counted(tested.channel.pk) == takeover.OpenOrders(undecided=2, here=0, left=1)
    takeover.choose(tested.channel.pk, Choice.LEFT, at=tested.at, actor=SYSTEM)
    tested.run("take_over")
    assert takeover.choose(tested.channel.pk, Choice.HERE, orders=[order.pk], at=tested.at, actor=SYSTEM) == 0
    assert set(Order.objects.values_list("status", flat=True)) == {"complete"}
    assert Shipment.objects.filter(is_ours=False).count() == 3
    assert (Level.objects.get().on_hand, Level.objects.get().reserved) == (7, 0)


def test_back_in_test_the_next_going_live_asks_again(tested: World) -> None:
    tested.go_live()
    connecting.back_to_test(tested.channel, actor=SYSTEM, at=tested.at)
    assert takeover.counted(tested.channel.pk).undecided == 3
    assert Offer.objects.get().told is None


def test_a_preview_of_counting_changes_nothing(tested: World) -> None:
    takeover.choose(tested.channel.pk, Choice.LEFT, at=tested.at, actor=SYSTEM)
    tested.shop.state.set_stock(1, 5)
    run = tested.preview("pull_stock_once")
    assert plan_of(run) == [("stock", "10", "5"), *[("order", "open", "complete")] * 3]
    assert (Level.objects.get().on_hand, Level.objects.get().reserved) == (10, 3)
    assert set(Order.objects.values_list("status", flat=True)) == {"processing"}


def test_in_production_only_an_approved_difference_is_booked_once(tested: World) -> None:
    tested.go_live()
    tested.drain()
    order = Order.objects.order_by("id").first()
    assert order is not None
    tested.shop.state.set_stock(1, 4)  # somebody typed it into the shop: three less than we told
    preview = tested.preview("pull_stock_once")
    assert plan_of(preview) == [("stock", "10", "7")]
    assert Run.objects.get(pk=tested.run("pull_stock_once")).status == "failed"
    run = stock.approve(preview, at=tested.at, actor=SYSTEM)
    tested.drain("pull_stock_once")
    assert (Run.objects.get(pk=run).status, Level.objects.get().on_hand, Level.objects.get().reserved) == ("done", 7, 3)
    assert Movement.objects.filter(reason="rebase").get().quantity == Decimal(3)
    assert Offer.objects.get().told == 4
    assert Run.objects.get(pk=tested.run("pull_stock_once")).status == "failed", "one approval is one count"
    tested.pass_time(hours=2)
    with pytest.raises(Conflict, match="too old"):
        stock.approve(preview, at=tested.at, actor=SYSTEM)
    assert Flow.objects.get(kind="pull_stock_once").cursor == {}
    assert house.check_all() == BALANCED


def test_a_count_in_production_goes_by_what_differs_from_the_level(tested: World) -> None:
    """Buffer and other shops' promises stay what they are: only the difference is a fact."""
    tested.go_live()
    point = tested.channel.points.get()
    point.buffer = Decimal(2)
    point.save()
    tested.drain()
    connecting.offers.tell_again(tested.channel.pk, at=tested.at, actor=SYSTEM)
    tested.drain("push_stock")
    assert tested.shop.state.stock(1) == 5
    tested.shop.state.set_stock(1, 6)
    assert plan_of(tested.preview("pull_stock_once")) == [("stock", "10", "11")]
    tested.shop.state.set_stock(1, 5)
    assert plan_of(tested.preview("pull_stock_once")) == []

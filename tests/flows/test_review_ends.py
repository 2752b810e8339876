"""Whatever is open ends: findings, blocks, rows that were repaired, promises that nobody can keep."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from shop_world import World, connect

from comptoir.channels.models import Channel, Health
from comptoir.commerce.catalog.models import ProductImage, Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Mark
from comptoir.commerce.inventory.records import Count, Fact, Receipt
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine import effects, findings
from comptoir.engine.models import Effect, Finding, Run
from comptoir.flows import connecting, imports
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer, SellingPoint
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale


@pytest.fixture
def empty(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    return connect(doors["shop.test"], manual_clock)


@pytest.fixture
def shop(empty: World) -> World:
    """Live, with ten cups."""
    empty.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    count_and_go_live(empty)
    return empty


def count_and_go_live(world: World) -> None:
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()


def later(world: World) -> None:
    world.pass_time(minutes=5)
    world.drain()


def sold(world: World, quantity: int = 2) -> tuple[int, Order]:
    there = world.shop.state.place_order([(1, 0, quantity)])
    later(world)
    return there, Order.objects.get(external_id=str(there))


def open_codes(**which: object) -> set[str]:
    return set(Finding.objects.filter(closed_at__isnull=True, **which).values_list("code", flat=True))


def test_an_order_that_is_well_again_at_its_shop_waits_no_more(shop: World) -> None:
    there, order = sold(shop)
    shop.shop.state.change_state(there, "PS_OS_REFUND")
    later(shop)
    order.refresh_from_db()
    assert (order.is_blocked, open_codes()) == (True, {"refunded_there"})
    shop.shop.state.change_state(there, "PS_OS_PAYMENT")
    later(shop)
    order.refresh_from_db()
    assert (order.is_blocked, open_codes()) == (False, set())


def test_what_a_person_blocked_is_not_let_go_by_the_shop(shop: World) -> None:
    there, order = sold(shop)
    orders.block(order.pk, reason="ask the customer", at=shop.at, actor=SYSTEM)
    shop.shop.state.change_state(there, "PS_OS_PREPARATION")
    later(shop)
    order.refresh_from_db()
    assert order.is_blocked


def test_a_cancellation_that_the_shop_took_back_is_for_a_person(shop: World) -> None:
    there, order = sold(shop)
    orders.cancel(order.pk, reason="no", at=shop.at, actor=SYSTEM)
    later(shop)
    assert Effect.objects.get(kind="cancel").state == "done"
    shop.shop.state.change_state(there, "PS_OS_PAYMENT")
    later(shop)
    assert Finding.objects.get(code="cancelled_here_only", closed_at__isnull=True).severity == "error"


def seen_again(world: World, there: int, state: str) -> None:
    """The shop writes the same status once more: another version that says nothing new."""
    world.shop.state.change_state(there, state)
    later(world)


def test_goods_in_a_box_are_asked_for_until_somebody_has_put_them_back(shop: World) -> None:
    there, order = sold(shop)
    orders.pick(order.pk, at=shop.at, actor=SYSTEM)
    for _ in range(2):
        seen_again(shop, there, "PS_OS_CANCELED")
        assert open_codes() == {"cancelled_there_while_prepared"}
    seen_again(shop, there, "PS_OS_PAYMENT")
    assert open_codes() == {"cancelled_there_while_prepared", "reopened_there"}
    seen_again(shop, there, "PS_OS_CANCELED")
    assert open_codes() == {"cancelled_there_while_prepared"}
    orders.put_back(order.pk, at=shop.at, actor=SYSTEM)
    order.refresh_from_db()
    assert (order.status, order.preparation, open_codes()) == ("cancelled", "new", set())


def test_what_left_while_it_was_on_hold_is_asked_about_until_somebody_has_looked(shop: World) -> None:
    there, order = sold(shop)
    orders.hold(order.pk, reason="fraud?", at=shop.at, actor=SYSTEM)
    for _ in range(2):
        seen_again(shop, there, "PS_OS_SHIPPING")
        assert open_codes() == {"shipped_there_while_held"}
    orders.agree(order.pk, reason="it was no fraud", at=shop.at, actor=SYSTEM)
    assert open_codes() == set()


def test_a_sale_that_was_reopened_there_and_stays_cancelled_here_is_asked_about_once(shop: World) -> None:
    there, order = sold(shop)
    seen_again(shop, there, "PS_OS_CANCELED")
    seen_again(shop, there, "PS_OS_PAYMENT")
    assert open_codes() == {"reopened_there"}
    sale = StagedSale.objects.get(order=order.pk).sale
    orders.keep_ours(order.pk, sale, at=shop.at, actor=SYSTEM)
    assert open_codes() == set()
    seen_again(shop, there, "PS_OS_PREPARATION")
    assert open_codes() == set()


def test_an_order_on_hold_is_still_unpaid(shop: World) -> None:
    there, order = sold(shop)
    seen_again(shop, there, "PS_OS_BANKWIRE")
    assert open_codes() == {"unpaid_there"}
    orders.hold(order.pk, reason="phone them", at=shop.at, actor=SYSTEM)
    seen_again(shop, there, "PS_OS_BANKWIRE")
    order.refresh_from_db()
    assert (order.is_blocked, open_codes()) == (True, {"unpaid_there"})
    orders.cancel(order.pk, reason="no money", at=shop.at, actor=SYSTEM)
    assert "unpaid_there" not in open_codes()


def test_a_cancellation_that_was_refused_is_over_when_the_shop_has_it(shop: World) -> None:
    there, order = sold(shop)
    orders.cancel(order.pk, reason="no", at=shop.at, actor=SYSTEM)
    Finding.objects.create(
        channel=shop.channel, code="cancel_refused", subject=f"order:{order.pk}", severity="error",
        first_at=shop.at, last_at=shop.at,
    )  # fmt: skip
    seen_again(shop, there, "PS_OS_CANCELED")
    assert open_codes() == set()


def test_a_line_cancelled_here_is_for_a_person_until_the_shop_sells_no_more_of_it(shop: World) -> None:
    there, order = sold(shop, 3)
    line = order.lines.get()
    orders.cancel_line(line.pk, Decimal(1), reason="broken", at=shop.at, actor=SYSTEM)
    orders.cancel_line(line.pk, Decimal(1), reason="broken too", at=shop.at, actor=SYSTEM)
    found = Finding.objects.get(closed_at__isnull=True)
    assert (found.code, found.severity, found.facts["units"]) == ("line_cancelled_here_only", "error", "2 × CUP")
    assert (found.facts["sku"], found.facts["number"]) == ("CUP", order.number)
    seen_again(shop, there, "PS_OS_PREPARATION")
    assert open_codes() == {"line_cancelled_here_only"}
    (detail,) = shop.shop.state.details(there)
    shop.shop.state.refund_lines(there, {detail["id"]: 1})
    later(shop)
    assert "line_cancelled_here_only" in open_codes()
    orders.keep_ours(order.pk, StagedSale.objects.get(order=order.pk).sale, at=shop.at, actor=SYSTEM)
    shop.shop.state.refund_lines(there, {detail["id"]: 1})
    later(shop)
    order.refresh_from_db()
    assert (open_codes(), order.is_blocked) == (set(), False)  # it is now there as it is here: nobody is asked


def test_a_line_that_is_the_whole_order_is_told_as_its_cancellation(shop: World) -> None:
    _, order = sold(shop, 3)
    orders.cancel_line(order.lines.get().pk, reason="broken", at=shop.at, actor=SYSTEM)
    assert open_codes() == set()
    assert Effect.objects.get(kind="cancel").state == "wanted"


def test_units_that_the_shop_gave_back_before_the_sale_came_in_are_nobodys_business(shop: World) -> None:
    there = shop.shop.state.place_order([(1, 0, 3)])
    shop.shop.state.refund_lines(there, {shop.shop.state.details(there)[0]["id"]: 1})
    later(shop)
    assert Order.objects.get(external_id=str(there)).lines.get().cancelled == 1
    assert open_codes() == set()


def test_an_order_that_the_shop_has_lost_is_an_error_once_and_over_when_it_is_back(shop: World) -> None:
    there, order = sold(shop)
    _, other = sold(shop)
    store = shop.shop.state.store

    def lose_and_ask() -> None:
        store.execute("UPDATE orders SET id = 9999 WHERE id = ?", (there,))
        for _ in range(2):
            shop.pass_time(hours=1)
            shop.run("update_orders")

    lose_and_ask()
    found = Finding.objects.get(closed_at__isnull=True)
    assert (found.code, found.subject, found.severity) == ("order_gone_there", f"order:{order.pk}", "error")
    store.execute("UPDATE orders SET id = ? WHERE id = 9999", (there,))
    shop.pass_time(hours=1)
    shop.run("update_orders")
    assert open_codes() == set()
    lose_and_ask()
    assert open_codes() == {"order_gone_there"}
    findings.close_by_hand([found.pk], "it is gone for good", actor=SYSTEM, at=shop.at)
    shop.pass_time(hours=1)
    shop.run("update_orders")
    assert open_codes() == set()
    assert other.pk != order.pk


def test_a_lost_order_that_was_cancelled_is_nobodys_business(shop: World) -> None:
    there, order = sold(shop)
    shop.shop.state.store.execute("DELETE FROM orders WHERE id = ?", (there,))
    shop.run("update_orders")
    assert open_codes() == {"order_gone_there"}
    orders.cancel(order.pk, reason="gone", at=shop.at, actor=SYSTEM)
    assert open_codes() == set()


def test_a_lost_promise_is_over_when_it_is_kept_or_nobody_waits(shop: World) -> None:
    cup = Variant.objects.get()
    main = inventory.default_warehouse().pk
    _, first = sold(shop)
    _, second = sold(shop)
    inventory.adjust([Fact(cup.pk, main, Decimal(-10), "adjustment", "broken")], at=shop.at, actor=SYSTEM)
    assert Finding.objects.filter(code="promise_taken_back", closed_at__isnull=True).count() == 2
    inventory.receive([Receipt(cup.pk, main, Decimal(1), "r1")], at=shop.at, actor=SYSTEM)
    assert Finding.objects.filter(code="promise_taken_back", closed_at__isnull=True).count() == 2
    inventory.receive([Receipt(cup.pk, main, Decimal(1), "r2")], at=shop.at, actor=SYSTEM)
    assert Finding.objects.get(code="promise_taken_back", closed_at__isnull=True).subject == f"order:{second.pk}"
    orders.cancel(second.pk, reason="no", at=shop.at, actor=SYSTEM)
    assert "promise_taken_back" not in open_codes()
    assert first.pk != second.pk


def test_units_out_of_nowhere_are_explained_by_a_count(shop: World) -> None:
    cup = Variant.objects.get()
    main = inventory.default_warehouse().pk
    inventory.adjust([Fact(cup.pk, main, Decimal(-12), "adjustment", "gone")], at=shop.at, actor=SYSTEM)
    assert "units_out_of_nowhere" in open_codes()
    inventory.count([Count(cup.pk, main, Decimal(0), "shelf")], at=shop.at, actor=SYSTEM)
    assert "units_out_of_nowhere" not in open_codes()


def test_a_right_that_was_given_and_a_warning_that_is_over_are_no_findings(empty: World) -> None:
    seen = connecting.ask_around(empty.channel)
    lacking = msgspec.structs.replace(seen, missing_rights=("order_histories: POST",), warnings=("version_hidden",))
    connecting.keep_surroundings(empty.channel, lacking, actor=SYSTEM, at=empty.at)
    assert {"right_missing", "version_hidden"} <= open_codes()
    connecting.keep_surroundings(empty.channel, seen, actor=SYSTEM, at=empty.at)
    assert not {"right_missing", "version_hidden"} & open_codes()


def test_a_sale_of_a_file_is_accepted_when_it_was_repaired(empty: World, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("order,date,sku,quantity,price\n1,2026-01-04,NEW,2,1\n")
    imports.import_sales(file, mapped={}, timezone="UTC", currency="EUR", actor=SYSTEM, at=empty.at)
    row = StagedSale.objects.get(state="repair")
    empty.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    empty.run("pull_products")
    cup = Variant.objects.get()
    staging.map_line(row.pk, row.anomalies[0]["line"], cup.pk, actor=SYSTEM, at=empty.at)
    empty.drain()
    row.refresh_from_db()
    assert row.state == "accepted"


def test_a_sale_of_a_file_that_is_never_paid_is_given_up(empty: World, tmp_path: Path) -> None:
    empty.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    empty.run("pull_products")
    file = tmp_path / "sales.csv"
    when = f"{empty.at:%Y-%m-%d %H:%M}"
    file.write_text(f"order,date,sku,quantity,price,paid\n1,{when},CUP,2,5,no\n")
    imports.import_sales(file, mapped={}, timezone="UTC", currency="EUR", actor=SYSTEM, at=empty.at)
    row = StagedSale.objects.get(external_id="1")
    assert row.state == "retry"
    for _ in range(2):
        empty.pass_time(days=1)
        empty.drain("age_file_sales")
        row.refresh_from_db()
        assert (row.state, row.next_look_at) == ("retry", empty.at + timedelta(hours=1))
    empty.pass_time(days=31)
    empty.drain("age_file_sales")
    row.refresh_from_db()
    assert (row.state, row.next_look_at) == ("closed", None)
    assert open_codes(subject="sale:1") == {"sale_given_up"}
    assert Run.objects.filter(flow__kind="age_file_sales", outcome="good").count() == 3
    file.write_text(f"order,date,sku,quantity,price,paid\n1,{when},CUP,2,5,yes\n")
    imports.import_sales(file, mapped={}, timezone="UTC", currency="EUR", actor=SYSTEM, at=empty.at)
    row.refresh_from_db()
    assert row.state == "accepted"


def test_levels_set_aside_stay_an_error_while_others_go_out(empty: World) -> None:
    for number in range(40):
        empty.shop.state.add_product(f"Cup {number}", reference=f"CUP{number}", price="5.00", quantity=5)
    count_and_go_live(empty)
    aside, others = list(Offer.objects.order_by("id"))[:12], list(Offer.objects.order_by("id"))[12:28]
    SellingPoint.objects.update(buffer=5)  # nobody sold these, and each would become 0
    Offer.objects.filter(pk__in=[one.pk for one in aside]).update(is_waiting=True)
    empty.run("push_stock")
    assert "suspicious_levels" in open_codes()
    SellingPoint.objects.update(buffer=0)
    Offer.objects.filter(pk__in=[one.pk for one in others]).update(is_waiting=True, told=4)
    empty.pass_time(minutes=1)
    empty.run("push_stock")
    assert "suspicious_levels" in open_codes()
    empty.pass_time(hours=1)
    Offer.objects.filter(pk__in=[one.pk for one in others]).update(is_waiting=True, told=4)
    empty.run("push_stock")
    assert "suspicious_levels" not in open_codes()


def test_marks_are_spread_while_the_only_shop_does_not_let_us_in(shop: World) -> None:
    Channel.objects.filter(pk=shop.channel.pk).update(health=Health.LOCKED_OUT)
    cup = Variant.objects.get()
    inventory.receive([Receipt(cup.pk, inventory.default_warehouse().pk, Decimal(1), "r1")], at=shop.at, actor=SYSTEM)
    assert Mark.objects.exists()
    shop.drain()
    assert not Mark.objects.exists()
    assert Offer.objects.get().is_waiting


def test_a_parcel_of_an_order_that_the_shop_has_lost_keeps_no_other_waiting(shop: World) -> None:
    lost, first = sold(shop)
    _, second = sold(shop)
    for order in (first, second):
        shipments.ship(order.pk, key=f"k{order.pk}", tracking="T1", at=shop.at, actor=SYSTEM)
    Effect.objects.filter(subject=f"order:{first.pk}").update(state="called", calls=1)  # its answer was lost
    shop.shop.state.store.execute("DELETE FROM orders WHERE id = ?", (lost,))
    shop.pass_time(seconds=1)
    shop.drain("push_tracking")
    states = dict(Effect.objects.filter(kind="tracking").values_list("subject", "state"))
    assert states == {f"order:{first.pk}": "refused", f"order:{second.pk}": "done"}
    assert "tracking_refused" in open_codes()


def test_a_parcel_that_cannot_be_put_together_keeps_no_other_waiting(shop: World) -> None:
    _, order = sold(shop)
    effects.want(shop.channel.pk, "tracking", "shipment:0", "order:0", {"shipment": 0, "number": "?"}, at=shop.at)
    effects.want(shop.channel.pk, "cancel", "order:0", "order:0", {}, at=shop.at)
    shipments.ship(order.pk, key="k", tracking="T1", at=shop.at, actor=SYSTEM)
    shop.pass_time(seconds=1)
    for _ in range(2):
        shop.drain("push_tracking", "push_cancellations")
    assert open_codes() == {"tracking_broken", "cancel_broken"}
    states = set(Effect.objects.values_list("kind", "state"))
    assert states == {("tracking", "wanted"), ("tracking", "done"), ("cancel", "wanted")}


def test_every_change_of_a_number_is_told_also_back_to_what_it_was(shop: World) -> None:
    there, order = sold(shop)
    parcel = shipments.ship(order.pk, key="k", tracking="A", at=shop.at, actor=SYSTEM)
    for told, number in enumerate(["A", "B", "A", "B", "B"], 1):
        shipments.change_tracking(parcel.pk, number, at=shop.at, actor=SYSTEM)
        shop.pass_time(seconds=10)
        shop.drain("push_tracking")
        (carrier,) = [one for one in shop.shop.state.dump()["order_carriers"] if one["id_order"] == there]
        assert carrier["tracking_number"] == number
        assert Effect.objects.filter(kind="tracking", state="done").count() == min(told, 4)


def test_a_number_that_is_corrected_does_not_take_away_those_of_later_parcels(shop: World) -> None:
    there, order = sold(shop, 2)
    line, main = order.lines.get().pk, inventory.default_warehouse().pk
    first = shipments.ship(order.pk, [(line, main, Decimal(1))], key="1", tracking="T1", at=shop.at, actor=SYSTEM)
    shop.drain("push_tracking")
    shipments.ship(order.pk, key="2", tracking="T2", at=shop.at, actor=SYSTEM)
    shop.drain("push_tracking")
    shipments.change_tracking(first.pk, "T9", at=shop.at, actor=SYSTEM)
    shop.drain("push_tracking")
    (carrier,) = [one for one in shop.shop.state.dump()["order_carriers"] if one["id_order"] == there]
    assert ("T9" in carrier["tracking_number"], "T2" in carrier["tracking_number"]) == (True, True)


def test_a_picture_that_is_too_large_keeps_no_other_waiting(empty: World) -> None:
    product = empty.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=1)
    for _ in range(2):
        empty.shop.state.add_image(product)
    empty.run("pull_products")
    empty.shop.faults.add("huge", path=f"*/images/products/{product}/1", times=None, size=60 * 1024 * 1024)
    empty.run("pull_images")
    assert Finding.objects.filter(code="image_missing", closed_at__isnull=True).count() == 1
    assert ProductImage.objects.filter(image__isnull=False).count() == 1

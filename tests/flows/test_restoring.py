"""A hub that came back from a backup believes nothing it told, asks before it repeats, and writes only where it was resumed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from shop_world import World

from comptoir.channels import channel as channels
from comptoir.channels.models import Channel
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line
from comptoir.engine.models import Effect, Finding, Run
from comptoir.flows import house, restoring
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import ConfigError
from comptoir.offers.models import Offer


def restore(world: World, taken_at: datetime) -> list[str]:
    with transaction.atomic():
        return restoring.after_restore(taken_at=taken_at, facts={}, actor=SYSTEM, at=world.at)


def resume(world: World) -> None:
    world.channel.refresh_from_db()
    with transaction.atomic():
        channels.pause_writes(world.channel, False, actor=SYSTEM, at=world.at)


def sold(world: World) -> Order:
    sale = world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT")
    world.pass_time(minutes=6)
    world.run("pull_sales")
    return Order.objects.get(channel=world.channel.pk, external_id=str(sale))


def shipped(world: World) -> Order:
    order = sold(world)
    with transaction.atomic():
        shipments.ship(
            order.pk, key=f"proof:{order.pk}", carrier=order.carrier, tracking="JD7", at=world.at, actor=SYSTEM
        )
    return order


def writes(world: World) -> int:
    return len(world.shop.counters.log)


def test_whatever_is_due_nothing_is_written_before_somebody_resumes(live: World) -> None:
    taken_at = live.at
    shipped(live)  # a parcel to tell, and a level
    live.shop.state.place_order([Line(2, quantity=1)], state="PS_OS_PAYMENT")
    before, orders = writes(live), Order.objects.count()
    restore(live, taken_at)
    for _ in range(3):
        live.pass_time(hours=2)
        live.drain()
    assert writes(live) == before
    assert Order.objects.count() == orders + 1, "what was sold since came in"
    assert Offer.objects.filter(is_active=True, is_waiting=False).count() == 0
    finding = Finding.objects.get(code="restored", closed_at=None)
    assert finding.severity == "error"

    resume(live)
    live.drain()
    assert writes(live) > before
    assert not Finding.objects.filter(code="restored", closed_at=None).exists()
    assert not Offer.objects.filter(is_active=True, is_waiting=True).exists()
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_a_parcel_that_was_told_after_the_backup_is_not_told_again(live: World) -> None:
    order = shipped(live)
    live.drain()
    told = [one for one in live.shop.counters.log if one.resource in ("order_carriers", "order_histories")]
    assert told
    # In the backup it was still to be told.
    Effect.objects.filter(subject=f"order:{order.pk}").update(state="wanted", calls=0, called_at=None, finished_at=None)
    restore(live, live.at - timedelta(hours=1))
    resume(live)
    live.pass_time(minutes=1)
    live.drain()
    assert [one for one in live.shop.counters.log if one.resource in ("order_carriers", "order_histories")] == told
    found = list(Effect.objects.filter(subject=f"order:{order.pk}").values_list("state", "calls"))
    assert found == [("done", 0)] * len(found), "the shop was asked, and nothing was called"
    assert found


def test_what_left_with_the_shops_own_screen_meanwhile_is_booked(live: World) -> None:
    order = sold(live)
    restore(live, live.at)
    live.shop.state.ship_in_shop(int(order.external_id), "JD8")
    live.pass_time(hours=2)
    live.drain()
    order.refresh_from_db()
    assert order.status == "complete"
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_runs_of_before_are_over_and_no_worker_of_before_can_write(live: World) -> None:
    flow = Run.objects.filter(flow__kind="pull_sales").latest("id").flow
    run = Run.objects.create(flow=flow, trigger="person", status="running", queued_at=live.at, attempt=3, worker="old")
    restore(live, live.at)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.finished_at) == ("cancelled", 4, live.at)
    assert house.check_all()["engine"] == []


def test_the_longer_ago_the_more_numbers_are_left_out(live: World) -> None:
    def left_out(days: int) -> int:
        before = sql.value("SELECT last_value FROM orders_number")
        restore(live, live.at - timedelta(days=days))
        return int(sql.value("SELECT last_value FROM orders_number") - before)

    assert left_out(0) == restoring.NUMBERS_LEFT_OUT
    sql.execute("UPDATE orders_order SET placed_at = %s", [live.at - timedelta(days=101)])
    usual = Order.objects.count()
    assert left_out(100) == restoring.NUMBERS_LEFT_OUT + usual * 10


def test_a_channel_whose_credentials_cannot_be_read_is_named_and_cured_by_typing_them(live: World) -> None:
    Channel.objects.filter(pk=live.channel.pk).update(sealed=b"sealed with a key that is lost")
    live.channel.refresh_from_db()
    assert restore(live, live.at) == ["shop"]
    assert Finding.objects.filter(code="credentials_unreadable", closed_at=None).count() == 1

    with pytest.raises(ConfigError), transaction.atomic():
        channels.correct(live.channel, {"url": "http://shop.test"}, actor=SYSTEM, at=live.at)
    live.channel.refresh_from_db()
    with transaction.atomic():
        channels.correct(live.channel, {"key": live.shop.key}, actor=SYSTEM, at=live.at)
    assert not Finding.objects.filter(code="credentials_unreadable", closed_at=None).exists()
    assert channels.config_of(live.channel)["key"] == live.shop.key
    assert Run.objects.get(pk=live.run("pull_sales")).status == "done"

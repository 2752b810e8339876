"""Two at once on the same sale, the same order, the same offers: nothing twice, nobody in the other's way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import connections, transaction
from offer_world import AT, channel, offer, point, push, stock, variant, warehouse

from comptoir.channels.models import Channel
from comptoir.channels.records import Sale, SaleLine, SaleState
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Hold, Level
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order
from comptoir.config import bootstrap
from comptoir.engine import runs
from comptoir.engine.models import Flow, Trigger
from comptoir.flows import following
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers.models import Offer, SellingPoint
from comptoir.staging import accept as acceptance
from comptoir.staging import actions as staging
from comptoir.staging import books
from comptoir.staging.models import StagedSale


@pytest.fixture
def shop(db: None) -> SellingPoint:
    """Five cups, sold at one shop."""
    bootstrap.set_up()
    place = warehouse("paris")
    cup = variant("CUP")
    stock(cup, place, 5)
    made = point(channel("a"), place)
    offer(cup, made, "1-0")
    return made


def sale(shop: SellingPoint, number: int, quantity: int, state: SaleState = SaleState.PAID) -> Sale:
    line = SaleLine(
        external_id=f"{number}-1", name="Cup", quantity=Decimal(quantity), unit_price=Decimal(5),
        total=Decimal(5 * quantity), listing="1-0", sku="CUP",
    )  # fmt: skip
    return Sale(
        external_id=str(number), number=str(number), status=state.value, state=state, placed_at=AT, changed_at=AT,
        currency="EUR", total=line.total, lines=(line,), selling_point=shop.external_id,
    )  # fmt: skip


def stage(shop: SellingPoint, *sales: Sale) -> staging.Staged:
    return staging.stage(shop.channel, sales, raw={}, run=None, actor=SYSTEM, at=AT)


def accept(of: Channel) -> None:
    acceptance.accept(of, actor=SYSTEM, at=AT)


def aside(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    """Do it in a transaction of another thread."""

    def carry_out() -> Any:
        try:
            with transaction.atomic():
                return work()
        finally:
            connections.close_all()

    return pool.submit(carry_out)


def until_somebody_waits() -> None:
    waits = (
        "SELECT count(*) FROM pg_locks w WHERE NOT granted AND EXISTS (SELECT FROM pg_locks o JOIN pg_database d"
        " ON d.oid = o.database AND d.datname = current_database() WHERE o.pid = w.pid)"
    )
    while not sql.value(waits):
        sql.value("SELECT pg_sleep(0.02)::text")


@pytest.mark.django_db(transaction=True)
def test_a_new_sale_that_two_flows_see_at_once_is_one_order_with_one_promise(shop: SellingPoint) -> None:
    seen = sale(shop, 1, 2)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            stage(shop, seen)
            other = aside(pool, lambda: stage(shop, seen))
            until_somebody_waits()
            accept(shop.channel)
        assert other.result(20).unchanged == 1
    row, level = StagedSale.objects.get(), Level.objects.get()
    assert (row.state, row.order, level.reserved, level.held) == ("accepted", Order.objects.get().pk, 2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_page_of_sales_and_a_person_at_one_of_its_orders_do_not_wait_in_a_circle(shop: SellingPoint) -> None:
    stage(shop, sale(shop, 1, 2))
    accept(shop.channel)
    order = Order.objects.get()
    flow = Flow.objects.create(channel=shop.channel, kind="pull_sales", lane="live")
    run = runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=AT)
    claim = runs._claim(run, "test")
    assert claim is not None
    context = runs.RunContext(claim, asked_to_stop=runs.never)

    def page() -> None:
        staged = stage(shop, sale(shop, 1, 2, SaleState.SHIPPED), sale(shop, 2, 1, SaleState.UNPAID))
        following.follow(context, shop.channel, staged.follow)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            orders.block(order.pk, reason="looked at", at=AT, actor=SYSTEM)  # a person has the order
            other = aside(pool, page)
            until_somebody_waits()
            inventory.release({order.lines.get().pk: Decimal(1)}, at=AT, actor=SYSTEM)  # and wants its stock
        other.result(20)
    order.refresh_from_db()
    assert (order.status, Level.objects.get().on_hand, Hold.objects.get().quantity) == ("complete", 3, 1)


@pytest.mark.django_db(transaction=True)
def test_a_push_locks_offers_by_id_as_everybody_does(shop: SellingPoint) -> None:
    pot = variant("POT")
    first, second = Offer.objects.get(), offer(pot, shop, "2-0")
    push(shop.channel)
    # The first is to be sent, the second is settled.
    Offer.objects.update(is_waiting=True)
    Offer.objects.filter(pk=first.pk).update(told=1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            sql.execute("SELECT FROM offers_offer WHERE id = %s FOR UPDATE", [first.pk])
            other = aside(pool, lambda: offers.take(shop.channel_id, after=0, size=10, at=AT))
            until_somebody_waits()
            sql.execute("SELECT FROM offers_offer WHERE id = %s FOR UPDATE", [second.pk])
        batch = other.result(20)
    assert ([level.offer for level in batch.send], batch.settled) == ([first.pk], 1)


@pytest.mark.parametrize(("rule", "state"), [("retry", "retry"), ("none", "information")])
def test_a_sale_that_is_not_ready_after_all_is_looked_at_again_or_frees_its_units(
    shop: SellingPoint, rule: str, state: str
) -> None:
    stage(shop, sale(shop, 1, 2))
    offers.map_to(shop.channel_id, "status", "paid", rule, at=AT, actor=SYSTEM)  # while the page was being kept
    accept(shop.channel)
    assert StagedSale.objects.get().state == state
    assert staging.due(shop.channel_id, at=AT) == (["1"] if state == "retry" else [])
    assert Level.objects.get().held == (2 if state == "retry" else 0)
    assert books.check_books() == []


def test_a_person_who_took_one_total_has_not_taken_another(shop: SellingPoint) -> None:
    Channel.objects.filter(pk=shop.channel_id).update(accepts_by_itself=False)
    odd = msgspec.structs.replace(sale(shop, 1, 2), total=Decimal(11))
    stage(shop, odd)
    row = StagedSale.objects.get()
    staging.accept_total(row.pk, actor=SYSTEM, at=AT)
    row.refresh_from_db()
    assert row.state == "ready"
    stage(shop, msgspec.structs.replace(odd, note="gift", changed_at=AT + timedelta(minutes=1)))
    row.refresh_from_db()
    assert row.state == "ready"
    stage(shop, msgspec.structs.replace(odd, total=Decimal(300)))
    row.refresh_from_db()
    assert (row.state, [one["code"] for one in row.anomalies]) == ("repair", ["total_differs"])

"""Sales of a shop of any kind: one order each, whatever is delivered how often, and its own doings are booked once."""

from __future__ import annotations

from collections import Counter

import pytest
from kind_world import SKUS, STOCK, KindWorld

from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments.models import Shipment
from comptoir.engine.models import Flow, Run
from comptoir.flows import house
from comptoir.webhooks.models import Delivery

pytestmark = pytest.mark.needs("products", "sales", "stock")


def books_are_right() -> bool:
    return house.check_all() == {part: [] for part in house.BOOKS}


def hint(world: KindWorld, sale: str, event: str) -> None:
    Delivery.objects.create(channel=world.channel, event_id=event, topic="sale", external_id=sale, body=b"")


@pytest.mark.survives("webhooks delivered twice, or a hundred times")
def test_one_sale_seen_a_hundred_times_is_one_order(live: KindWorld) -> None:
    sale = live.shop.buy({SKUS[0]: 2})
    live.learn()
    if live.has("drain_inbox"):
        for number in range(100):
            hint(live, sale, f"again-{number}")
        assert Run.objects.get(pk=live.run("drain_inbox")).status == "done"
        assert not Delivery.objects.filter(drained_at__isnull=True).exists()
    for _ in range(3):  # and its page once more, from the very beginning
        Flow.objects.filter(channel=live.channel, kind="pull_sales").update(cursor={})
        live.learn()
        live.run("update_orders")
    assert Counter(Order.objects.values_list("external_id", flat=True)) == {sale: 1}
    assert live.free()[SKUS[0]] == STOCK - 2
    assert books_are_right()


@pytest.mark.survives("a lost webhook")
def test_a_sale_that_no_webhook_told_of_comes_with_the_next_look(live: KindWorld) -> None:
    sale = live.shop.buy({SKUS[0]: 1})
    live.pass_time(minutes=6)
    live.drain()  # by its schedule; nobody was told of anything
    assert live.order(sale).status == "processing"


@pytest.mark.survives("webhooks out of order")
@pytest.mark.needs("webhooks")
def test_hints_in_any_order_leave_what_the_shop_says_now(live: KindWorld) -> None:
    sale, other = live.shop.buy({SKUS[0]: 1}, paid=False), live.shop.buy({SKUS[1]: 1})
    live.shop.pay(sale)
    live.shop.cancel(other)
    live.pass_time(minutes=1)
    for number, one in enumerate((other, sale, other, sale)):  # "cancelled", "paid", "placed", "placed"
        hint(live, one, f"late-{number}")
    live.run("drain_inbox")
    live.drain("accept_sales")
    assert list(Order.objects.values_list("external_id", "status")) == [(sale, "processing")]
    assert live.free() == {**dict.fromkeys(SKUS, STOCK), SKUS[0]: STOCK - 1}
    assert books_are_right()


@pytest.mark.survives("an unpaid sale whose units were already taken off")
def test_an_unpaid_sale_holds_its_units_and_becomes_an_order_once_it_is_paid(live: KindWorld) -> None:
    sale = live.shop.buy({SKUS[0]: 2}, paid=False)
    live.learn()
    assert not Order.objects.exists()
    live.drain("push_stock")
    assert live.shop.shelf()[SKUS[0]] == STOCK - 2
    live.shop.pay(sale)
    live.learn(hours=2)
    live.run("retry_sales")
    live.drain("accept_sales")
    assert live.order(sale).status == "processing"
    live.drain("push_stock")
    assert live.shop.shelf()[SKUS[0]] == live.free()[SKUS[0]] == STOCK - 2
    assert books_are_right()


@pytest.mark.survives("an order cancelled in the shop")
def test_a_sale_cancelled_there_is_cancelled_here_and_its_units_are_on_sale_again(live: KindWorld) -> None:
    sale = live.shop.buy({SKUS[0]: 2})
    live.learn()
    live.drain("push_stock")
    assert live.shop.shelf()[SKUS[0]] == live.free()[SKUS[0]] == STOCK - 2
    live.call_off(sale)
    live.drain("push_stock")
    assert live.order(sale).status == "cancelled"
    assert live.shop.shelf()[SKUS[0]] == live.free()[SKUS[0]] == STOCK
    assert live.shop.sold()[sale] in ("cancelled", "refunded")
    assert books_are_right()


@pytest.mark.survives("an order shipped with the shop's own screen")
def test_a_sale_shipped_there_is_booked_once(live: KindWorld) -> None:
    sale = live.shop.buy({SKUS[0]: 2})
    live.learn()
    live.shop.ship(sale, "THERE-1")
    for _ in range(3):
        Flow.objects.filter(channel=live.channel, kind="pull_sales").update(cursor={})
        live.learn()
        live.run("update_orders")
    live.drain()
    order = live.order(sale)
    assert order.status == "complete"
    assert Shipment.objects.filter(order_id=order.pk).count() == 1
    assert live.free()[SKUS[0]] == live.shop.shelf()[SKUS[0]] == STOCK - 2
    assert live.shop.parcels(sale) == ["THERE-1"]
    assert books_are_right()

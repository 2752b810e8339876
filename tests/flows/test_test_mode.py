"""Test mode reads and never writes, whoever asks; production writes; a preview writes in neither."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import transaction
from shop_world import World, connect

from comptoir.channels import channel as channels
from comptoir.channels.channel import OpenChannel
from comptoir.channels.errors import WritesRefused
from comptoir.channels.models import Channel
from comptoir.channels.records import LevelToTell
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Receipt
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders import takeover
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine import flow
from comptoir.engine.flow import Direction
from comptoir.engine.models import Flow, PlanRow, Run
from comptoir.flows import shipping
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer
from comptoir.webhooks.models import Delivery

WRITING = {"push_stock": "stock_availables", "push_tracking": "order_carriers", "push_cancellations": "order_histories"}


def give_every_flow_something_to_do(world: World) -> None:
    """A hint, a new product with a picture, goods received, one order shipped here and one cancelled here."""
    product = world.shop.state.add_product("Vase", reference="VASE", price="9.00", quantity=4, images=1)
    sales = [world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT") for _ in range(2)]
    world.shop.state.place_order([Line(2, quantity=1)], state="PS_OS_BANKWIRE")
    world.pass_time(minutes=40)
    world.run("pull_products")
    world.run("pull_sales")
    Delivery.objects.create(channel=world.channel, event_id="e1", topic="sale", external_id=str(sales[0]), body=b"")
    world.shop.state.add_product(f"Jug {product}", reference="JUG", price="9.00", quantity=4, images=1)
    shipped, cancelled = (Order.objects.get(channel=world.channel.pk, external_id=str(sale)) for sale in sales)
    variant = Offer.objects.filter(point__channel=world.channel, is_active=True).earliest("id").variant_id
    with transaction.atomic():
        receipt = Receipt(variant, inventory.default_warehouse().pk, Decimal(3), "proof:receipt")
        inventory.receive([receipt], at=world.at, actor=SYSTEM)
        shipments.ship(shipped.pk, key="proof", carrier=shipped.carrier, tracking="JD7", at=world.at, actor=SYSTEM)
        orders.cancel(cancelled.pk, reason="proof", at=world.at, actor=SYSTEM)
    world.pass_time(hours=2)


def test_in_test_mode_every_flow_reads_and_not_one_write_arrives(stocked: World) -> None:
    give_every_flow_something_to_do(stocked)
    kinds = list(Flow.objects.filter(channel=stocked.channel).values_list("kind", flat=True))
    assert set(kinds) > {*WRITING, "pull_products", "pull_sales", "check_stock", "drain_inbox", "pull_images"}
    for kind in kinds:
        requests = stocked.shop.counters.as_dict()["requests"]
        takeover.choose(stocked.channel.pk, takeover.Choice.HERE, at=stocked.at, actor=SYSTEM)
        row = Run.objects.get(pk=stocked.run(kind))
        assert (row.status, row.error) == ("done", None), kind
        if flow.find(kind).direction is Direction.IN:
            assert stocked.shop.counters.as_dict()["requests"] > requests, kind
            assert row.calls["read"] > 0, kind
        if kind in WRITING:
            assert row.is_preview, kind
            assert PlanRow.objects.filter(run=row).exists(), kind
        assert row.calls.get("write", 0) == 0, kind
    stocked.drain()
    assert stocked.shop.counters.writes.total() == 0

    # The same flows, the same facts, in production.
    stocked.go_live()
    for kind in WRITING:
        before = stocked.shop.counters.writes[WRITING[kind]]
        row = Run.objects.get(pk=stocked.run(kind))
        assert (row.status, row.is_preview, row.error) == ("done", False, None), kind
        assert stocked.shop.counters.writes[WRITING[kind]] > before, kind
        assert row.calls["write"] > 0, kind
        assert row.outcome == "good", kind
    assert stocked.shop.counters.effects["order_carriers"] == 1


def _levels(opened: OpenChannel) -> None:
    offer = Offer.objects.filter(point__channel=opened.ref, is_active=True).exclude(ref="").earliest("id")
    point = offer.point.external_id
    level = LevelToTell(
        offer=offer.pk, listing=offer.listing, selling_point=point, ref=offer.ref, level=Decimal(1), expected=None
    )
    opened.client.levels.set_levels([level])


def _tracking(opened: OpenChannel) -> None:
    effect = opened.row.effects.get(kind="tracking")
    opened.client.tracking.confirm(shipping.parcel_of(effect.facts["shipment"]))


def _cancelling(opened: OpenChannel) -> None:
    opened.client.cancelling.cancel(str(opened.row.effects.get(kind="cancel").facts["sale"]))


WRITES: list[Callable[[OpenChannel], None]] = [_levels, _tracking, _cancelling]


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_each_write_called_directly_is_refused_at_the_door(
    db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock, version: str
) -> None:
    doors["shop.test"] = PrestaShopSimulator(version=version, world="demo", timezone="Europe/London")
    world = connect(doors["shop.test"], manual_clock)
    for kind in ("pull_products", "pull_stock_once"):
        world.run(kind)
    give_every_flow_something_to_do(world)

    def refused(*, writes: bool = True) -> None:
        row = Channel.objects.get(pk=world.channel.pk)
        for write in WRITES:
            with channels.opened(row, writes=writes) as opened, pytest.raises(WritesRefused):
                write(opened)
        assert world.shop.counters.writes.total() == 0

    refused()  # in test mode
    world.go_live()
    refused(writes=False)  # in production, to a preview
    world.channel.refresh_from_db()
    channels.pause_writes(world.channel, True, actor=SYSTEM, at=world.at)
    refused()
    channels.pause_writes(world.channel, False, actor=SYSTEM, at=world.at)
    Channel.objects.filter(pk=world.channel.pk).update(archived_at=world.at)
    refused()
    Channel.objects.filter(pk=world.channel.pk).update(archived_at=None)
    for done, write in enumerate(WRITES):
        with channels.opened(Channel.objects.get(pk=world.channel.pk)) as opened:
            write(opened)
        assert world.shop.counters.writes.total() > done


def test_a_preview_in_production_writes_nothing(live: World) -> None:
    give_every_flow_something_to_do(live)
    before = live.shop.counters.writes.total()
    for kind in WRITING:
        row = Run.objects.get(pk=live.preview(kind))
        assert (row.status, row.is_preview, row.error) == ("done", True, None), kind
        assert PlanRow.objects.filter(run=row).exists(), kind
    assert live.shop.counters.writes.total() == before

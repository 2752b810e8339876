"""A channel's settings are changed through a difference, and a channel comes to rest and back without losing anything."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_world import World, connect

from comptoir.channels import channel as channels
from comptoir.channels.models import Channel
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Hold, Level
from comptoir.commerce.orders.models import Order
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine.models import Effect, Finding, Run
from comptoir.events.models import Event
from comptoir.flows import connecting, house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.offers import trying
from comptoir.offers.models import Offer, PointWarehouse
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale

BALANCED = {part: [] for part in house.BOOKS}


@pytest.fixture
def selling(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """A live shop with three cups of five each, of which one is sold and not paid yet, and one is paid."""
    shop = doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    world = connect(shop, manual_clock)
    cups = [shop.state.add_product(f"Cup {n}", reference=f"CUP-{n}", price="5.00", quantity=5) for n in (1, 2, 3)]
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    shop.state.place_order([(cups[0], 0, 2)], state="PS_OS_BANKWIRE")
    shop.state.place_order([(cups[1], 0, 1)])
    world.pass_time(minutes=5)
    world.drain()
    return world


def told(world: World) -> list[Decimal | None]:
    return list(Offer.objects.order_by("id").values_list("told", flat=True))


def test_other_limits_are_computed_and_undone(selling: World) -> None:
    point = selling.channel.points.get()
    here = list(point.sources.values_list("warehouse", flat=True))
    empty = inventory.create_warehouse("empty", "Empty", at=selling.at, actor=SYSTEM)
    events, offers = Event.objects.count(), list(Offer.objects.order_by("id").values())
    none = {"minimum": Decimal(0), "maximum": None}

    more = trying.levels_if(point.pk, warehouses=here, buffer=Decimal(3), **none)
    assert [(one.sku, one.before, one.after) for one in more.first] == [
        ("CUP-1", 3, 0), ("CUP-2", 4, 1), ("CUP-3", 5, 2),
    ]  # fmt: skip
    assert (more.changed, more.to_zero, more.looked_at, more.is_cut) == (3, 1, 3, False)
    away = trying.levels_if(point.pk, warehouses=[empty.pk], buffer=Decimal(0), **none, shown=1)
    assert (away.changed, away.to_zero, len(away.first)) == (3, 3, 1)
    same = trying.levels_if(point.pk, warehouses=here, buffer=Decimal(0), minimum=Decimal(0), maximum=Decimal(9))
    assert (same.changed, same.first) == (0, ())
    with pytest.raises(BadInput, match="do not fit"):
        trying.levels_if(point.pk, warehouses=here, buffer=Decimal(-1), **none)

    point.refresh_from_db()
    assert (point.buffer, point.maximum, list(PointWarehouse.objects.values_list("warehouse", flat=True))) == (
        0,
        None,
        here,
    )
    assert (Event.objects.count(), list(Offer.objects.order_by("id").values())) == (events, offers)


def test_another_mapping_of_a_status_is_tried_on_the_sales_that_wait(selling: World) -> None:
    row = StagedSale.objects.get(order=None)
    before = StagedSale.objects.filter(pk=row.pk).values().get()
    moved = staging.status_if(selling.channel, row.external_status, "hold", actor=SYSTEM, at=selling.at)
    assert [(one.before, one.after, one.sales) for one in moved] == [("retry", "ready", 1)]
    assert staging.status_if(selling.channel, "no such status", "hold", actor=SYSTEM, at=selling.at) == []
    assert StagedSale.objects.filter(pk=row.pk).values().get() == before
    assert Order.objects.count() == 1


def test_an_archived_channel_rests_and_is_taken_up_where_it_was(selling: World) -> None:
    assert (Hold.objects.count(), Level.objects.filter(reserved__gt=0).count()) == (1, 1)
    order, token = Order.objects.get(), selling.channel.webhook_token
    connecting.archive(selling.channel, actor=SYSTEM, at=selling.at)
    connecting.archive(Channel.objects.get(pk=selling.channel.pk), actor=SYSTEM, at=selling.at)
    row = Channel.objects.get(pk=selling.channel.pk)
    assert (row.mode, bytes(row.sealed), row.archived_at) == ("test", b"", selling.at)
    assert (Hold.objects.count(), told(selling)) == (0, [None] * 3)
    assert not Finding.objects.filter(channel=row, closed_at__isnull=True).exists()
    calls, runs = selling.shop.counters.reads.total(), Run.objects.count()
    selling.pass_time(hours=5)
    selling.drain()
    assert (selling.shop.counters.reads.total(), Run.objects.filter(flow__channel=row).count()) == (calls, runs)
    from comptoir.commerce.shipments import actions as shipments

    shipments.ship(order.pk, key="after", at=selling.at, actor=SYSTEM)
    assert not Effect.objects.exclude(state="dropped").exists(), "the shop hears no more of it"

    selling.shop.state.place_order([(3, 0, 1)])
    tried = channels.draft(
        kind="prestashop",
        name="Again",
        code="",
        config={"url": "http://shop.test", "key": selling.shop.key},
        at=selling.at,
    )
    seen = connecting.ask_around(tried)
    again = connecting.keep(tried, seen, step="found", actor=SYSTEM, at=selling.at)
    assert (again.pk, again.name, again.mode, again.archived_at) == (row.pk, "Demo shop", "test", None)
    assert again.webhook_token != token
    Channel.objects.filter(pk=again.pk).update(connecting="")
    selling.pass_time(minutes=10)
    selling.drain()
    assert Order.objects.count() == 2
    assert Hold.objects.count() == 1, "the unpaid sale counts again"
    assert house.check_all() == BALANCED

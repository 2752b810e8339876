"""At a shop of any kind: test mode reads and never writes, production writes, and what a preview says is what is sent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from kind_world import SKUS, KindWorld

from comptoir.channels import channel as channels
from comptoir.channels.connector import Figure
from comptoir.channels.errors import WritesRefused
from comptoir.channels.records import LevelToTell
from comptoir.commerce.orders import takeover
from comptoir.engine import flow
from comptoir.engine.flow import Direction
from comptoir.engine.models import PlanRow, Run
from comptoir.flows import shipping
from comptoir.kit.actor import SYSTEM
from comptoir.offers import queries
from comptoir.offers.models import Offer
from comptoir.webhooks.models import Delivery

pytestmark = pytest.mark.needs("products", "sales", "stock")

#: Flows that tell, and what they tell of in `give_all_something_to_do`.
TELLING = ("push_stock", "push_tracking", "push_cancellations")


def give_all_something_to_do(world: KindWorld) -> tuple[str, str]:
    """A hint, a new thing, goods counted in, an open order, one shipped here and one cancelled here: (shipped, cancelled)."""
    shipped, cancelled = world.shop.buy({SKUS[0]: 1}), world.shop.buy({SKUS[1]: 2})
    world.shop.buy({SKUS[2]: 1}, paid=False)
    world.shop.buy({SKUS[2]: 1})
    world.learn(minutes=40)
    Delivery.objects.create(channel=world.channel, event_id="e1", topic="sale", external_id=shipped, body=b"")
    world.shop.stock({"JUG": 4})
    world.book(3)
    world.send(shipped, "JD7")
    world.cancel(cancelled)
    world.pass_time(hours=2)
    return shipped, cancelled


@pytest.mark.survives("a click while the channel is in test mode")
def test_in_test_mode_every_flow_reads_and_not_one_write_arrives(stocked: KindWorld) -> None:
    _, cancelled = give_all_something_to_do(stocked)
    kinds = sorted(stocked.flows())
    for kind in kinds:
        requests = stocked.shop.counters.as_dict()["requests"]
        takeover.choose(stocked.channel.pk, takeover.Choice.HERE, at=stocked.at, actor=SYSTEM)
        row = Run.objects.get(pk=stocked.run(kind))
        assert (row.status, row.error) == ("done", None), kind
        assert row.calls.get("write", 0) == 0, kind
        if flow.find(kind).direction is Direction.IN and kind != "pull_images":  # these things have no pictures
            assert stocked.shop.counters.as_dict()["requests"] > requests, kind
        if kind in TELLING:
            assert row.is_preview, kind
            assert PlanRow.objects.filter(run=row).exists(), kind
    stocked.drain()
    assert stocked.writes() == 0

    stocked.go_live()  # the same flows, the same facts
    for kind in set(TELLING) & set(kinds):
        before = stocked.writes()
        row = Run.objects.get(pk=stocked.run(kind))
        assert (row.status, row.is_preview, row.error) == ("done", False, None), kind
        assert row.outcome == "good" or stocked.refused(cancelled), kind  # some want what is paid refunded
        assert stocked.writes() > before, kind
        assert row.calls["write"] > 0, kind


@pytest.mark.survives("a pause in the middle of the day")
def test_a_paused_channel_is_written_to_by_nobody(live: KindWorld) -> None:
    give_all_something_to_do(live)
    live.channel.refresh_from_db()
    channels.pause_writes(live.channel, True, actor=SYSTEM, at=live.at)
    before = live.writes()
    with channels.opened(live.channel) as opened:
        [level] = queries.levels([Offer.objects.filter(point__channel=live.channel, is_active=True)[0].pk])
        if opened.client.levels is not None:
            with pytest.raises(WritesRefused):
                opened.client.levels.set_levels(
                    [
                        LevelToTell(
                            offer=level.offer,
                            listing=level.listing,
                            selling_point=level.point,
                            ref=level.ref,
                            level=level.level + 1,
                        )
                    ]
                )
        if opened.client.tracking is not None:
            shipment = live.channel.effects.get(kind="tracking").facts["shipment"]
            with pytest.raises(WritesRefused):
                opened.client.tracking.confirm(shipping.parcel_of(shipment))
        if opened.client.cancelling is not None:
            with pytest.raises(WritesRefused):
                opened.client.cancelling.cancel(str(live.channel.effects.get(kind="cancel").facts["sale"]))
    assert live.writes() == before


@pytest.mark.survives("a preview that says one thing and a push that does another")
def test_what_arrives_is_what_the_preview_said(live: KindWorld) -> None:
    shipped, cancelled = give_all_something_to_do(live)
    live.drain("pull_sales", "accept_sales", "pull_products")
    there, writes = live.shop.shelf(), live.writes()
    told = {
        kind: list(
            PlanRow.objects.filter(run_id=live.preview(kind)).values_list("kind", "subject", "field", "new", "facts")
        )
        for kind in TELLING
        if live.has(kind)
    }
    assert live.writes() == writes
    if "push_stock" in told:
        skus = dict(Offer.objects.filter(point__channel=live.channel).values_list("listing", "variant__sku"))
        assert told["push_stock"]
        live.run("push_stock")
        levels = {skus[row[4]["listing"]]: Decimal(row[3]) for row in told["push_stock"]}
        after = live.shop.shelf()
        assert {sku for sku in after if after[sku] != there[sku]} <= set(levels)
        # A shop that subtracts its own open sales does so until it is told that one of them is cancelled.
        known = set(levels) if live.bench.card.figure is Figure.SELLABLE else set(levels) - {SKUS[1]}
        assert {sku: after[sku] for sku in known} == {sku: live.free().get(sku, 0) for sku in known}
        assert live.bench.card.figure is not Figure.SELLABLE or {sku: after[sku] for sku in levels} == levels
        assert all(after[sku] != there[sku] for sku in SKUS)
    if "push_tracking" in told:
        assert [row[3] for row in told["push_tracking"]] == ["JD7"]
        live.run("push_tracking")
        assert live.shop.parcels(shipped) == ["JD7"]
        assert live.shop.sold()[shipped] == "shipped"
    if "push_cancellations" in told:
        assert [row[3] for row in told["push_cancellations"]] == ["cancelled"]
        live.run("push_cancellations")
        assert live.shop.sold()[cancelled] == "cancelled" or live.refused(cancelled)
    live.drain("push_stock")  # a shop that takes units back itself is told once more
    if live.shop.sold()[cancelled] == "cancelled":
        assert live.shop.shelf() | live.free() == live.shop.shelf()
    for kind in told:
        assert not PlanRow.objects.filter(run_id=live.preview(kind)).exists(), kind

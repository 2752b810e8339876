"""What a webhook about stock means: the figure is looked at, and only one that is not what we told is told again."""

from __future__ import annotations

import pytest
from shop_world import World

from comptoir.engine.models import Run
from comptoir.offers.models import Offer
from comptoir.webhooks.models import Delivery

SKU = "LAN-001"


@pytest.fixture
def told(live: World) -> Offer:
    """An offer whose level stands at the shop."""
    offer = Offer.objects.get(point__channel=live.channel, variant__sku=SKU)
    assert offer.told is not None
    assert not offer.is_waiting
    return offer


def hint(world: World, external_id: str, topic: str = "stock") -> Run:
    Delivery.objects.create(
        channel=world.channel, event_id=f"{topic}:{external_id}", topic=topic, external_id=external_id, body=b"{}"
    )
    return Run.objects.get(pk=world.run("drain_inbox"))


@pytest.mark.parametrize("by", ["listing", "ref"])
def test_the_echo_of_our_own_push_moves_nothing(live: World, told: Offer, by: str) -> None:
    before = live.shop.counters.writes.total()
    assert hint(live, getattr(told, by)).status == "done"
    live.drain("push_stock")
    now = Offer.objects.get(pk=told.pk)
    assert (now.told, now.is_waiting, now.touched) == (told.told, False, told.touched)
    assert live.shop.counters.writes.total() == before


@pytest.mark.parametrize("by", ["listing", "ref"])
def test_a_figure_that_somebody_typed_there_is_told_again(live: World, told: Offer, by: str) -> None:
    live.shop.stock({SKU: int(told.told or 0) + 7})
    hint(live, getattr(told, by))
    now = Offer.objects.get(pk=told.pk)
    assert (now.told, now.is_waiting) == (None, True)
    live.drain("push_stock")
    assert live.shop.shelf()[SKU] == int(told.told or 0)


def test_a_hint_about_a_thing_that_nobody_knows_is_dealt_with(live: World, told: Offer) -> None:
    assert hint(live, "no such figure").status == "done"
    assert not Delivery.objects.filter(drained_at__isnull=True).exists()

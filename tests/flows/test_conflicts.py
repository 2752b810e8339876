"""A shop that compares before it sets: a level that meets another figure than we believed is computed again, with the sale
behind it known, and never written over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from shop_world import World

from comptoir import connectors
from comptoir.channels import registry
from comptoir.channels.records import Answer, Fate, LevelToTell
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Reason
from comptoir.commerce.inventory.records import Fact
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine.models import Run
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer

SKU = "LAN-001"


@dataclass
class Comparing:
    """StockTarget of a shop that sets a figure only over the one that was expected."""

    shop: PrestaShopSimulator
    skus: dict[str, str]
    batch_size: int = 50

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        shelf, answers = self.shop.shelf(), []
        for level in levels:
            sku = self.skus.get(level.listing, "")
            there = shelf.get(sku)
            if level.expected is not None and there is not None and level.expected != there:
                answers.append(Answer(item=level.offer, fate=Fate.CONFLICT))
                continue
            if sku:
                self.shop.stock({sku: int(level.level)})
            answers.append(Answer(item=level.offer, fate=Fate.DONE))
        return answers


@pytest.fixture
def comparing(live: World) -> Iterator[Comparing]:
    card = connectors.find("prestashop")
    assert card is not None
    offers = Offer.objects.filter(point__channel=live.channel, is_active=True).select_related("variant")
    target = Comparing(live.shop, {one.listing: one.variant.sku for one in offers})
    able = replace(card, connect=lambda config, door: replace(card.connect(config, door), levels=target))
    registry.set_up(lambda kind: able if kind == "prestashop" else None, lambda: ("prestashop",))
    yield target
    registry.set_up(connectors.find, connectors.kinds)


def receive(world: World, offer: Offer, units: int) -> None:
    with transaction.atomic():
        warehouse = offer.point.warehouses.get()
        fact = Fact(offer.variant_id, warehouse.pk, Decimal(units), Reason.ADJUSTMENT, "count:1")
        inventory.adjust([fact], at=world.at, actor=SYSTEM)


def test_a_sale_that_we_did_not_know_is_learnt_of_before_its_level_is_told(live: World, comparing: Comparing) -> None:
    offer = Offer.objects.select_related("point").get(point__channel=live.channel, variant__sku=SKU)
    before = int(offer.told or 0)
    live.pass_time(minutes=3)
    live.shop.buy({SKU: 2})
    receive(live, offer, 5)
    run = Run.objects.get(pk=live.run("push_stock"))
    assert (run.parked, run.failed) == (1, 0)
    assert live.shop.shelf()[SKU] == before - 2  # not written over
    offer.refresh_from_db()
    assert (offer.told, offer.is_waiting) == (None, True)
    assert offer.not_before is not None
    assert timedelta(0) < offer.not_before - live.at <= timedelta(seconds=5)
    live.pass_time(seconds=6)
    live.run("pull_sales")
    live.drain("push_stock")
    assert live.shop.shelf()[SKU] == before + 5 - 2
    offer.refresh_from_db()
    assert (offer.told, offer.is_waiting) == (Decimal(before + 5 - 2), False)

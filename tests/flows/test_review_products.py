"""What a complete reading may retire: only what is really gone, and nothing for ever."""

from __future__ import annotations

from itertools import chain, repeat

import pytest
from shop_world import World, connect

from comptoir.commerce.catalog.models import Variant
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine import runs
from comptoir.engine.models import Finding, Flow, Run, Trigger
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Link, Offer


@pytest.fixture
def shelf(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """A live shop with eight products, an hour after they came in."""
    doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    world = connect(doors["shop.test"], manual_clock)
    for number in range(1, 9):
        world.shop.state.add_product(f"Cup {number}", reference=f"CUP{number}", price="5.00", quantity=10)
    world.run("pull_products")
    world.run("pull_stock_once")
    world.drain()
    world.go_live()
    world.drain()
    world.pass_time(hours=1)
    return world


def gone() -> list[str]:
    return list(Link.objects.filter(kind="listing", gone_at__isnull=False).values_list("external_id", flat=True))


def hide(world: World, product: int) -> None:
    world.shop.state.store.execute("UPDATE products SET id = -id WHERE id = ?", (product,))


def show(world: World, product: int) -> None:
    world.shop.state.store.execute("UPDATE products SET id = -id WHERE id = ?", (-product,))


def test_what_another_flow_read_during_a_complete_reading_is_not_missing(shelf: World) -> None:
    flow = Flow.objects.get(channel=shelf.channel, kind="update_products")
    whole = runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=shelf.at)
    stops = chain([False, True], repeat(True))
    runs.execute(whole, "first", asked_to_stop=lambda: next(stops))  # it has kept its page, and its worker ends
    assert Run.objects.get(pk=whole).status == "queued"
    shelf.pass_time(minutes=10)
    shelf.shop.state.edit_product(3, reference="CUP3-NEW")
    shelf.run("pull_products")
    new = shelf.shop.state.add_product("Pot", reference="POT", price="9.00", quantity=1)
    shelf.pass_time(minutes=1)
    shelf.run("pull_products")
    runs.execute(whole, "second")
    assert Run.objects.get(pk=whole).status == "done"
    assert gone() == []
    assert not Variant.objects.filter(retired_at__isnull=False).exists()
    assert Link.objects.filter(external_id=f"{new}-0").exists()


def test_a_listing_that_comes_back_unchanged_is_told_levels_again(shelf: World) -> None:
    hide(shelf, 3)
    shelf.run("update_products")
    assert gone() == ["3-0"]
    assert not Offer.objects.get(listing="3-0").is_active
    assert Finding.objects.filter(code="listing_gone", closed_at__isnull=True).count() == 1
    show(shelf, 3)
    shelf.pass_time(days=1)
    shelf.run("update_products")
    assert gone() == []
    offer = Offer.objects.get(listing="3-0")
    assert (offer.is_active, offer.is_waiting, offer.told) == (True, True, None)
    assert offer.variant.retired_at is None
    assert not Finding.objects.filter(code="listing_gone", closed_at__isnull=True).exists()


def test_a_product_that_cannot_be_read_tonight_is_a_finding_and_not_missing(shelf: World) -> None:
    shelf.shop.state.store.execute("UPDATE products SET price = 'abc' WHERE id = 3")
    shelf.run("update_products")
    assert Finding.objects.filter(subject="product:3", severity="error", closed_at__isnull=True).exists()
    assert gone() == []
    assert Offer.objects.get(listing="3-0").is_active

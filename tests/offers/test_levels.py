"""What a shop is told, with the numbers of the rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from offer_world import AT, channel, level, offer, point, push, run_of, stock, variant, warehouse

from comptoir.channels.records import Answer, Fate
from comptoir.commerce.catalog.models import Kind
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Reservation
from comptoir.commerce.inventory.records import Demand, Fact, HoldWanted
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.offers import actions as offers
from comptoir.offers import queries
from comptoir.offers.models import Offer

pytestmark = pytest.mark.django_db


def test_two_warehouses_are_summed_and_an_order_takes_one_from_each() -> None:
    cup, paris, york = variant("CUP"), warehouse("paris"), warehouse("york")
    stock(cup, paris, 1)
    stock(cup, york, 1)
    told = offer(cup, point(channel("a"), paris, york))
    assert level(told) == 2
    reserved = inventory.reserve([Demand(1, 1, cup.pk, Decimal(2), (paris.pk, york.pk), AT)], at=AT, actor=SYSTEM)
    assert reserved == {1: 2}
    assert set(Reservation.objects.values_list("warehouse__code", "quantity")) == {("paris", 1), ("york", 1)}
    assert level(told) == 0


def test_a_warehouse_that_a_point_does_not_sell_from_is_left_out() -> None:
    cup, paris, york = variant("CUP"), warehouse("paris"), warehouse("york")
    stock(cup, paris, 3)
    stock(cup, york, 4)
    assert level(offer(cup, point(channel("a"), york))) == 4


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 5),
        ({"buffer": 2}, 3),
        ({"buffer": 9}, 0),
        ({"maximum": 3}, 3),
        ({"buffer": 1, "maximum": 3}, 3),
        ({"minimum": 8}, 8),
        ({"buffer": 9, "minimum": 1}, 1),
    ],
)
def test_buffer_minimum_and_maximum(limits: dict[str, int], expected: int) -> None:
    cup, paris = variant("CUP"), warehouse("paris")
    stock(cup, paris, 5)
    assert level(offer(cup, point(channel("a"), paris, **limits))) == expected


def test_a_kit_counts_per_warehouse_then_summed_unless_mixing_is_allowed() -> None:
    cup, saucer, paris, york = variant("CUP"), variant("SAUCER"), warehouse("paris"), warehouse("york")
    stock(cup, paris, 5)
    stock(saucer, york, 5)
    stock(cup, york, 3)
    box = variant("BOX", kind=Kind.KIT, parts={cup: 2, saucer: 1})
    told = offer(box, point(channel("a"), paris, york))
    assert level(told) == 1  # york alone has both: three cups make one box
    box.mixes_warehouses = True
    box.save()
    assert level(told) == 4


def test_an_alias_has_its_masters_stock_and_a_kit_without_parts_has_none() -> None:
    cup, paris = variant("CUP"), warehouse("paris")
    stock(cup, paris, 7)
    shop = point(channel("a"), paris)
    assert level(offer(variant("MUG", kind=Kind.ALIAS, master=cup), shop)) == 7
    assert level(offer(variant("EMPTY", kind=Kind.KIT), shop)) == 0


def test_units_held_for_a_sale_count_everywhere_or_at_its_own_point() -> None:
    cup, paris = variant("CUP"), warehouse("paris")
    stock(cup, paris, 5)
    own, other = point(channel("a"), paris), point(channel("b"), paris)
    here, there = offer(cup, own), offer(cup, other)
    until = AT + timedelta(days=3)
    inventory.hold([HoldWanted("1:7", cup.pk, Decimal(2), (paris.pk,), None, until)], at=AT, actor=SYSTEM)
    assert (level(here), level(there)) == (3, 3)
    inventory.hold([HoldWanted("1:7", cup.pk, Decimal(2), (paris.pk,), own.pk, until)], at=AT, actor=SYSTEM)
    assert (level(here), level(there)) == (3, 5)
    inventory.expire_holds(at=until, actor=SYSTEM)
    assert (level(here), level(there)) == (5, 5)


def test_a_physical_figure_keeps_the_units_that_its_shop_subtracts_itself() -> None:
    cup, paris = variant("CUP"), warehouse("paris")
    stock(cup, paris, 5)
    source = point(channel("m"), paris, figure="physical")
    there = offer(cup, source)
    assert level(there) == 5
    # Two units in sales that are not orders here yet, held by us and subtracted by the shop: it shows 5 - 2 = 3.
    until = AT + timedelta(days=3)
    inventory.hold([HoldWanted("1:7", cup.pk, Decimal(2), (paris.pk,), None, until)], at=AT, actor=SYSTEM)
    offers.set_staged_units(source.channel_id, {(there.listing, source.external_id): Decimal(2)}, at=AT)
    assert level(there) == 5


def test_only_what_differs_from_what_was_told_is_sent() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    told = offer(cup, point(shop, paris))
    assert push(shop) == {told.listing: 5}
    inventory.book([Fact(cup.pk, paris.pk, Decimal(-1), "damage", "d1")], at=AT, actor=SYSTEM)
    inventory.book([Fact(cup.pk, paris.pk, Decimal(1), "adjustment", "d2")], at=AT, actor=SYSTEM)
    assert push(shop) == {}
    inventory.book([Fact(cup.pk, paris.pk, Decimal(-1), "damage", "d3")], at=AT, actor=SYSTEM)
    assert push(shop) == {told.listing: 4}


def test_a_mark_reaches_kits_aliases_and_kits_sold_under_an_alias() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 4)
    place = point(shop, paris)
    box = variant("BOX", kind=Kind.KIT, parts={cup: 2})
    listings = {one.listing for one in (offer(cup, place), offer(box, place), offer(variant("MUG", kind=Kind.ALIAS, master=cup), place),
                                        offer(variant("CASE", kind=Kind.ALIAS, master=box), place))}  # fmt: skip
    assert set(push(shop)) == listings
    stock(cup, paris, 2)
    assert push(shop) == {"CUP-0": 6, "BOX-0": 3, "MUG-0": 6, "CASE-0": 3}


def test_what_is_being_told_is_unknown_until_it_is_answered() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    told = offer(cup, point(shop, paris))
    push(shop)
    stock(cup, paris, 1)
    while offers.drain(at=AT):
        pass
    batch = offers.take(shop.pk, after=0, size=50, at=AT)
    assert [one.level for one in batch.send] == [6]
    # The worker dies here; meanwhile a unit is lost, so that the level is 5 again, as it was told before.
    inventory.book([Fact(cup.pk, paris.pk, Decimal(-1), "damage", "d1")], at=AT, actor=SYSTEM)
    told.refresh_from_db()
    assert (told.told, told.is_waiting) == (None, True)
    assert push(shop) == {told.listing: 5}


def test_what_changed_during_the_call_stays_waiting_and_is_not_believed() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    told = offer(cup, point(shop, paris))
    while offers.drain(at=AT):
        pass
    batch = offers.take(shop.pk, after=0, size=50, at=AT)
    offers.forget_told(shop.pk, [told.listing], at=AT)  # a sale is seen while the call is out
    offers.told(run_of(shop).pk, batch.send, [Answer(item=told.pk, fate=Fate.DONE)], at=AT)
    told.refresh_from_db()
    assert (told.told, told.is_waiting) == (None, True)


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.UNKNOWN])
def test_a_failed_level_waits_longer_each_time_and_goes_at_once_when_it_changes(fate: Fate) -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    told = offer(cup, point(shop, paris))
    push(shop, fate)
    waits = []
    for _ in range(3):
        told.refresh_from_db()
        assert told.told is None
        assert told.not_before is not None
        waits.append(told.not_before - AT)
        assert queries.waiting_ids(shop.pk, after=0, size=9, at=AT) == []
        Offer.objects.update(not_before=None)
        push(shop, fate)
    assert waits == sorted(set(waits))
    stock(cup, paris, 1)
    assert push(shop) == {told.listing: 6}


def test_a_conflict_is_computed_again_not_resent() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    told = offer(cup, point(shop, paris))
    push(shop, Fate.CONFLICT)
    stock(cup, paris, 1)
    assert push(shop) == {told.listing: 6}


def test_other_limits_make_every_offer_of_the_point_wait() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    place = point(shop, paris)
    told = offer(cup, place)
    push(shop)
    offers.set_limits(place.pk, buffer=Decimal(1), minimum=Decimal(0), maximum=None, at=AT, actor=SYSTEM)
    assert push(shop) == {told.listing: 4}
    with pytest.raises(BadInput):
        offers.set_limits(place.pk, buffer=Decimal(0), minimum=Decimal(5), maximum=Decimal(2), at=AT, actor=SYSTEM)


def test_a_listing_that_means_another_variant_forgets_what_was_told() -> None:
    cup, pot, paris, shop = variant("CUP"), variant("POT"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    stock(pot, paris, 5)
    place = point(shop, paris)
    offer(cup, place, "9-0")
    push(shop)
    offer(pot, place, "9-0")
    assert push(shop) == {"9-0": 5}  # the same number, but it had to be said again


def test_an_undrained_mark_counts_as_waiting() -> None:
    cup, paris, shop = variant("CUP"), warehouse("paris"), channel("a")
    stock(cup, paris, 5)
    offer(cup, point(shop, paris))
    push(shop)
    assert queries.waiting(shop.pk).count == 0
    stock(cup, paris, 1)
    assert queries.waiting(shop.pk).count == 1
    explained = queries.explain(cup.pk)[0]
    assert (explained.level, explained.told, explained.is_waiting) == (6, 5, True)
    assert explained.warehouses[0]["free"] == 6

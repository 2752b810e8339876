"""A shop of any kind does what it is told and its answer is lost: whoever repeats asks first, and nothing is done twice."""

from __future__ import annotations

import itertools

import pytest
from kind_world import SKUS, KindWorld

from comptoir.engine.models import Effect, Run
from comptoir.flows import house
from comptoir.offers.models import Offer

pytestmark = pytest.mark.needs("products", "sales", "stock")

MOST_WRITES = 12


def finish(world: KindWorld, kind: str, run: int) -> Run:
    """The run, and those after it, until nothing is left to tell."""
    for _ in range(4):
        world.pass_time(hours=2)
        world.drain(kind)
    row = Run.objects.filter(pk=run).first() or Run.objects.filter(flow__kind=kind).latest("pk")
    assert row.status == "done", row.error
    return row


@pytest.mark.survives("levels that arrive although no answer comes")
@pytest.mark.needs("levels")
def test_levels_whose_answer_was_lost_are_told_until_they_are_known_to_stand(live: KindWorld) -> None:
    for number in itertools.count(1):
        assert number < MOST_WRITES
        live.book(number)
        with live.answer_hidden(number) as hidden:
            run = live.run("push_stock")
        if not hidden:
            break
        live.book(-1)  # what is to be told has changed meanwhile
        finish(live, "push_stock", run)
        assert live.shop.shelf() == live.free(), number
        assert not Offer.objects.filter(point__channel=live.channel, is_waiting=True).exists()
    assert number > 1, "no write was ever hidden"


@pytest.mark.survives("a parcel that arrives although no answer comes")
@pytest.mark.needs("tracking")
def test_a_parcel_whose_answer_was_lost_is_asked_about_and_told_once(live: KindWorld) -> None:
    needed = 0
    for number in itertools.count():  # at 0 no answer is lost: what a parcel takes
        assert number < MOST_WRITES
        sale = live.shop.buy({SKUS[0]: 1})
        live.learn()
        live.send(sale, f"JD{number:04}")
        before = live.shop.counters.effects.total()
        with live.answer_hidden(number) as hidden:
            run = live.run("push_tracking")
        if number and not hidden:
            break
        finish(live, "push_tracking", run)
        assert live.shop.parcels(sale) == [f"JD{number:04}"], number
        assert live.shop.sold()[sale] == "shipped", number
        assert set(Effect.objects.filter(kind="tracking").values_list("state", flat=True)) == {"done"}
        done = live.shop.counters.effects.total() - before
        needed = needed or done
        assert done == needed, f"asked before it is repeated, so that nothing happens twice: {number}"
    assert number > 1, "no write was ever hidden"
    live.learn()
    assert house.check_all() == {part: [] for part in house.BOOKS}


@pytest.mark.survives("a cancellation that arrives although no answer comes")
@pytest.mark.needs("cancelling")
def test_a_cancellation_whose_answer_was_lost_is_asked_about_and_told_once(live: KindWorld) -> None:
    for number in itertools.count(1):
        assert number < MOST_WRITES
        sale = live.shop.buy({SKUS[0]: 1})
        live.learn()
        live.cancel(sale)
        with live.answer_hidden(number) as hidden:
            run = live.run("push_cancellations")
        if not hidden:
            break
        finish(live, "push_cancellations", run)
        # A shop may want what is paid refunded: then somebody is told so.
        assert live.shop.sold()[sale] == "cancelled" or live.refused(sale), number
    assert number > 1, "no write was ever hidden"
    live.learn()
    live.drain("push_stock")
    if set(live.shop.sold().values()) == {"cancelled"}:
        assert live.shop.shelf() == live.free()

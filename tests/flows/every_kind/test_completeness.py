"""What a shop's list of changes passes over in silence is named by ids, and comes in."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from kind_world import SKUS, KindWorld

from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Flow, Run
from comptoir.staging.models import StagedSale

pytestmark = pytest.mark.needs("products", "sales", "stock")


@pytest.mark.survives("a sale that no list of changes has")
def test_each_sale_dropped_at_random_is_named_and_fetched(live: KindWorld) -> None:
    chance = random.Random(11)
    live.shop.stock({SKUS[0]: 500})
    live.pass_time(days=2)
    live.shop.buy({SKUS[0]: 1})
    live.learn()  # from here on the list is read from a cursor
    dropped = []
    for _ in range(6):
        live.shop.buy({SKUS[0]: 1})
        if chance.random() < 0.6:
            # Stamped with a time that has long been read, as by an index that lagged or a clock that was set.
            live.shop.clock.set(live.at - timedelta(hours=chance.randint(6, 30)))
            dropped.append(live.shop.buy({SKUS[0]: 1}))
            live.shop.clock.set(live.at)
        live.learn()
    assert dropped
    assert not StagedSale.objects.filter(external_id__in=dropped).exists()
    live.pass_time(hours=1)
    run = Run.objects.get(pk=live.run("check_sales"))
    assert (run.status, run.failed) == ("done", 0)
    told = Flow.objects.get(channel=live.channel, kind="check_sales").cursor
    assert sorted(told["missing"]) == sorted(dropped)
    assert (told["lost"], told["only_here"]) == ([], [])
    assert told["there"] == len(live.shop.sold())
    live.drain("accept_sales")
    assert Order.objects.filter(external_id__in=dropped).count() == len(dropped)

"""Untidy answers of a shop of any kind: the run says what and where, nothing is half done, and the next one heals it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from kind_world import SKUS, KindWorld

from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Finding, Flow, Run
from comptoir.flows import house
from comptoir.offers.models import Link
from comptoir.staging.models import StagedSale

pytestmark = pytest.mark.needs("products", "sales", "stock")

PATIENCE = 10  # how often what may pass is tried again before a run gives up


def open_findings(*codes: str) -> list[str]:
    # A sale that was cancelled before it came in is an Info: by such a one the carriers of some kinds are learnt.
    found = Finding.objects.filter(closed_at__isnull=True).exclude(code="sale_not_imported")
    return sorted((found.filter(code__in=codes) if codes else found).values_list("code", flat=True))


def until_it_ends(world: KindWorld, kind: str) -> Run:
    run = Run.objects.get(pk=world.run(kind))
    for _ in range(PATIENCE):
        if run.status != "queued":
            break
        world.pass_time(minutes=10)
        world.drain(kind)
        run.refresh_from_db()
    return run


FLOWS = [
    pytest.param("pull_sales", marks=pytest.mark.needs("sales")),
    pytest.param("pull_products", marks=pytest.mark.needs("products")),
    pytest.param("check_stock", marks=pytest.mark.needs("stock")),
]
UNREADABLE = [
    pytest.param("malformed", marks=pytest.mark.survives("a malformed answer")),
    pytest.param("truncated", marks=pytest.mark.survives("an answer that ends in the middle")),
    pytest.param("html_page", marks=pytest.mark.survives("HTML instead of an answer")),
    pytest.param("huge", marks=pytest.mark.survives("an answer of 40 MB")),
]


@pytest.mark.parametrize("fault", UNREADABLE)
@pytest.mark.parametrize("flow", FLOWS)
def test_an_unreadable_answer_fails_the_run_and_says_where_and_the_next_one_heals(
    stocked: KindWorld, flow: str, fault: str
) -> None:
    stocked.pass_time(hours=1)
    sale = stocked.shop.buy({SKUS[0]: 1})
    stocked.shop.stock({"JUG": 4})
    cursor = Flow.objects.get(channel=stocked.channel, kind=flow).cursor
    orders, links = Order.objects.count(), Link.objects.count()
    stocked.shop.faults.add(fault, times=None)
    run = until_it_ends(stocked, flow)
    assert run.status == "failed", run.error
    [named] = Finding.objects.filter(closed_at__isnull=True, subject=f"flow:{flow}")
    assert named.code == ("channel_unreachable" if fault == "truncated" else "not_understood")
    assert named.facts["url"]
    assert named.facts["text"]
    assert Flow.objects.get(channel=stocked.channel, kind=flow).cursor == cursor
    assert (Order.objects.count(), Link.objects.count()) == (orders, links)

    stocked.shop.faults.clear()
    stocked.pass_time(hours=1)
    run = until_it_ends(stocked, flow)
    assert (run.status, run.outcome) == ("done", "good"), run.error
    assert open_findings("not_understood", "channel_unreachable") == []
    if flow == "pull_sales":
        assert stocked.order(sale).status == "processing"
    assert house.check_all() == {part: [] for part in house.BOOKS}


@pytest.mark.survives("throttling")
@pytest.mark.parametrize("flow", FLOWS)
def test_a_throttled_run_waits_and_loses_nothing(stocked: KindWorld, flow: str) -> None:
    stocked.pass_time(hours=1)
    sale = stocked.shop.buy({SKUS[0]: 1})
    stocked.bench.throttle(1)
    run = until_it_ends(stocked, flow)
    assert (run.status, run.outcome) == ("done", "good"), run.error
    assert stocked.shop.counters.faults.total() > 0
    if flow == "pull_sales":
        assert stocked.order(sale).status == "processing"
    assert open_findings() == []


@pytest.mark.survives("a clock that is ahead")
def test_a_clock_that_is_wrong_hides_nothing(stocked: KindWorld) -> None:
    stocked.pass_time(hours=1)
    stocked.shop.clock.set(stocked.at + timedelta(days=40))
    ahead = stocked.shop.buy({SKUS[0]: 1})
    stocked.learn(hours=1)  # the clock is put right meanwhile
    after = stocked.shop.buy({SKUS[1]: 1})
    stocked.learn(hours=1)
    last = stocked.shop.buy({SKUS[2]: 1})
    stocked.learn(hours=1)
    placed = StagedSale.objects.filter(external_id__in=[ahead, after, last])
    states = dict(placed.values_list("external_id", "state"))
    assert states == {ahead: "repair", after: "accepted", last: "accepted"}
    assert "future_date" in open_findings()  # a person is asked about what was sold tomorrow


@pytest.mark.survives("daylight saving")
@pytest.mark.parametrize("month", [3, 10])
def test_the_night_of_daylight_saving_hides_no_sale(stocked: KindWorld, month: int) -> None:
    """Hours that do not exist, and hours that come twice, in the shop's own zone."""
    year = stocked.at.year + 1
    end = stocked.at.replace(year=year, month=month, day=31, hour=23, minute=0)
    night = end - timedelta(days=(end.weekday() + 1) % 7)  # its last Sunday
    stocked.pass_time(seconds=(night - timedelta(days=1) - stocked.at).total_seconds())
    stocked.run("pull_sales")
    placed = []
    for _ in range(10):  # from Saturday evening on, half an hour apart
        placed.append(stocked.shop.buy({SKUS[0]: 1}))
        stocked.learn(minutes=30)
    assert set(Order.objects.values_list("external_id", flat=True)) == set(placed)


@pytest.mark.needs("products")
@pytest.mark.unless("sku_is_required")
@pytest.mark.survives("products without a SKU")
def test_a_thing_without_a_sku_gets_one_of_ours_and_is_named(stocked: KindWorld) -> None:
    before = set(Link.objects.filter(kind="listing").values_list("external_id", flat=True))
    stocked.pass_time(hours=1)
    stocked.shop.stock({"": 5})
    run = Run.objects.get(pk=stocked.run("pull_products"))
    assert (run.outcome, run.created) == ("good", 1)
    [made] = Link.objects.filter(kind="listing").exclude(external_id__in=before)
    assert made.variant is not None
    assert made.variant.sku == f"{stocked.channel.code}-{made.external_id}"
    assert open_findings() == ["product_without_sku"]


@pytest.mark.survives("a revoked key")
def test_a_revoked_key_stops_the_channel_and_says_so(stocked: KindWorld) -> None:
    stocked.bench.revoke()
    stocked.pass_time(hours=1)
    run = until_it_ends(stocked, "pull_sales")
    assert run.status == "failed"
    stocked.channel.refresh_from_db()
    assert stocked.channel.health == "locked_out"
    requests = stocked.shop.counters.as_dict()["requests"]
    stocked.pass_time(minutes=10)
    assert stocked.drain("pull_sales", "update_orders", "pull_products") == []
    assert stocked.shop.counters.as_dict()["requests"] == requests

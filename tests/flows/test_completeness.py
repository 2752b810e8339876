"""Whether every order is here is told by ids: what a channel passed over in silence is named and fetched."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from shop_world import World

from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Finding, Flow, Run
from comptoir.staging.models import StagedSale


def buy(world: World) -> str:
    return world.shop.buy({"BAG-040": 1})


def behind_the_cursor(world: World) -> str:
    """A sale that the shop stamps with a time long read: no list of changes will ever show it."""
    world.shop.clock.set(world.at - timedelta(hours=random.Random(world.shop.counters.requests).randint(5, 40)))
    sale = buy(world)
    world.shop.clock.set(world.at)
    return sale


def kept(world: World) -> dict[str, object]:
    return Flow.objects.get(channel=world.channel, kind="check_sales").cursor


def finding(world: World) -> Finding | None:
    return Finding.objects.filter(channel=world.channel, code="sales_missing", closed_at__isnull=True).first()


def test_nothing_is_missing_and_the_page_can_say_between_when(live: World) -> None:
    buy(live)
    live.run("pull_sales")
    live.pass_time(hours=1)
    run = Run.objects.get(pk=live.run("check_sales"))
    assert (run.status, run.outcome) == ("done", "good")
    there = len(live.shop.sold())
    assert (kept(live)["there"], kept(live)["missing"], kept(live)["lost"]) == (there, [], [])
    assert run.seen == run.unchanged == there
    assert finding(live) is None


def test_each_sale_that_was_passed_over_is_named_and_comes_in(live: World) -> None:
    live.run("pull_sales")
    chance = random.Random(7)
    lost = []
    for _ in range(30):
        buy(live)
        if chance.random() < 0.4:
            lost.append(behind_the_cursor(live))
        live.run("pull_sales")
        live.pass_time(minutes=20)
    assert len(lost) > 5
    assert not StagedSale.objects.filter(channel=live.channel, external_id__in=lost).exists()
    run = Run.objects.get(pk=live.run("check_sales"))
    assert sorted(kept(live)["missing"]) == sorted(lost)  # type: ignore[call-overload]
    assert kept(live)["lost"] == []
    assert Order.objects.filter(channel=live.channel.pk, external_id__in=lost).count() == len(lost)
    said = finding(live)
    assert said is not None
    assert (said.severity, said.facts["sales"]) == ("info", len(lost))
    assert run.seen == run.created + run.changed + run.unchanged + run.skipped + run.parked + run.failed
    live.pass_time(hours=1)
    live.run("check_sales")
    assert finding(live) is None


def test_counts_that_agree_do_not_hide_one_lost_and_one_too_many(live: World) -> None:
    live.run("pull_sales")
    (last, *_) = sorted(live.shop.sold(), key=int, reverse=True)
    lost = behind_the_cursor(live)
    live.shop.state.store.execute("DELETE FROM orders WHERE id = ?", (int(last),))  # gone there, still here
    live.pass_time(hours=1)
    live.run("check_sales")
    assert kept(live)["missing"] == [lost]
    assert kept(live)["only_here"] == [last]


def test_a_sale_that_is_listed_and_cannot_be_had_is_an_error(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    live.run("pull_sales")
    lost = behind_the_cursor(live)
    inner = live.shop.wsgi

    def without_it(environ: dict[str, object], start_response: object) -> object:
        query = str(environ["QUERY_STRING"])
        if "order" in str(environ["PATH_INFO"]) and "filter%5Bid%5D=%5B" in query and lost in query:
            environ["QUERY_STRING"] = query.replace(lost, "0")
        return inner(environ, start_response)

    monkeypatch.setattr(live.shop, "wsgi", without_it)
    live.pass_time(hours=1)
    run = Run.objects.get(pk=live.run("check_sales"))
    said = finding(live)
    assert said is not None
    assert (said.severity, said.facts["lost"], said.facts["named"]) == ("error", 1, lost)
    assert run.failed == 1


def test_sales_before_the_first_day_that_was_chosen_are_not_missed(live: World) -> None:
    live.run("pull_sales")
    live.channel.sales_from = live.at - timedelta(hours=2)
    live.channel.save(update_fields=["sales_from"])
    behind_the_cursor(live)
    live.pass_time(minutes=30)
    live.run("check_sales")
    assert kept(live)["missing"] == []

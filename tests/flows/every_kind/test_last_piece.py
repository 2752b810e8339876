"""One stock, a shop of every kind there is: the last piece is promised once, and every shop shows what the others sold."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import kind_world
import pytest
from conformance import abilities
from kind_world import KindWorld
from proof_children import children

from comptoir import connectors
from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Run
from comptoir.flows import house
from comptoir.kit import clock, sql

PLENTY = "PLENTY"
LAST = "LAST-OF-ALL"
KINDS = tuple(kind for kind in connectors.kinds() if {"products", "sales", "stock", "levels"} <= abilities(kind))
#: Each kind beside each other one; a hub with one kind has two shops of it.
PLACES = KINDS if len(KINDS) > 1 else KINDS * 2
PAIRS = list(itertools.combinations(range(len(PLACES)), 2))
GOODS = {PLENTY: 40, LAST: 1, **{f"LAST-{first}-{second}": 1 for first, second in PAIRS}}


@pytest.fixture
def shops(transactional_db: None, manual_clock: clock.ManualClock) -> Iterator[tuple[list[KindWorld], str]]:
    """Every kind, in production, fed by one stock; and where other processes reach them."""
    with kind_world.street(on_a_port=True) as (street, url):
        worlds = [
            kind_world.take_live(kind_world.open_kind(street, kind, manual_clock, GOODS, code=f"{kind}-{number}"))
            for number, kind in enumerate(PLACES)
        ]
        yield worlds, url


def pass_time(worlds: list[KindWorld]) -> None:
    worlds[0].pass_time(minutes=10)
    for world in worlds[1:]:
        world.shop.clock.set(world.at)


def shows_what_is_free(worlds: list[KindWorld]) -> None:
    free = worlds[0].free()
    assert {world.channel.code: world.shop.shelf() for world in worlds} == {
        world.channel.code: free for world in worlds
    }
    assert house.check_all() == {part: [] for part in house.BOOKS}


@pytest.mark.kill
@pytest.mark.survives("two shops that sell the last piece in the same instant")
def test_of_those_who_sell_the_last_piece_in_one_instant_one_has_it(shops: tuple[list[KindWorld], str]) -> None:
    worlds, url = shops
    assert all(world.shop.shelf() == GOODS for world in worlds)
    sold: dict[str, list[tuple[KindWorld, str]]] = {LAST: [(world, world.shop.buy({LAST: 1})) for world in worlds]}
    for first, second in PAIRS:
        sku = f"LAST-{first}-{second}"
        sold[sku] = [(world, world.shop.buy({sku: 1})) for world in (worlds[first], worlds[second])]
    pass_time(worlds)
    with ExitStack() as ends:  # a process for each shop, all at once
        them = [ends.enter_context(children()) for _ in worlds]
        for one in them:
            one.reach(url)
        runs = [world.ask("pull_sales") for world in worlds]
        started = [one.start(run, worlds[0].at) for one, run in zip(them, runs, strict=True)]
        assert [one.wait(pid) for one, pid in zip(them, started, strict=True)] == [0] * len(worlds)
    assert set(Run.objects.filter(pk__in=runs).values_list("status", "outcome")) == {("done", "good")}
    worlds[0].drain()
    for sku, sales in sold.items():
        orders = [world.order(sale) for world, sale in sales]
        assert {order.status for order in orders} == {"processing"}
        reserved = [
            int(
                sql.value('SELECT coalesce(sum(quantity), 0) FROM inventory_reservation WHERE "order" = %s', [order.pk])
            )
            for order in orders
        ]
        assert Counter(reserved) == {1: 1, 0: len(sales) - 1}, sku
    assert worlds[0].free() == {PLENTY: GOODS[PLENTY], **dict.fromkeys(sold, 0)}
    shows_what_is_free(worlds)


@pytest.mark.survives("a sale in one shop that the others do not know of")
def test_what_one_shop_sells_is_gone_from_every_other_once_the_hub_knows(shops: tuple[list[KindWorld], str]) -> None:
    worlds, _ = shops
    for number, world in enumerate(worlds, 1):
        sale = world.shop.buy({PLENTY: number})
        pass_time(worlds)
        world.run("pull_sales")
        worlds[0].drain("push_stock")
        assert world.order(sale).status == "processing"
        assert worlds[0].free()[PLENTY] == GOODS[PLENTY] - sum(range(number + 1))
        shows_what_is_free(worlds)
    for world in worlds:
        world.call_off(*Order.objects.filter(channel=world.channel.pk).values_list("external_id", flat=True))
        pass_time(worlds)
        worlds[0].drain("push_stock")
        shows_what_is_free(worlds)
    assert worlds[0].free() == GOODS
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}

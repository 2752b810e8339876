"""A process killed at any instruction costs time, never data: struck at every commit and every call of a real flow in
turn, with a shop that lives elsewhere and remembers what really arrived."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
import quick_doors
import shop_world
from django.db import transaction
from proof_children import KILLED, STRIKES, Children, children, lease_runs_out
from shop_world import World

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Price, PriceList
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders.models import Order
from comptoir.commerce.purchasing.models import SupplierProduct
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop import mapping
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator, pricing_rights
from comptoir.engine import queue
from comptoir.engine.models import Effect, Flow, Run
from comptoir.flows import house
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers import prices, queries
from comptoir.offers.models import Offer, OfferPrice, SellingPoint
from comptoir.simulators import server
from comptoir.staging.models import StagedSale

pytestmark = [pytest.mark.kill]

EACH = [[strike] for strike in STRIKES]
# Between two reads nothing of ours changes, so dying after one is dying before the next: both in one life.
READING = [[("commit", "before")], [("commit", "after")], [("call", "before"), ("call", "after")]]
# One that compares before it writes: killed where the world has changed, and again while it is resumed.
TWICE = [[("commit", "before"), ("commit", "after")], [("call", "before"), ("call", "after")]]

STOCK = 500


@pytest.fixture(scope="module")
def them(django_db_setup: None) -> Iterator[Children]:
    """Children on the tests' database."""
    with children() as started:
        yield started


@pytest.fixture
def far(transactional_db: None, manual_clock: clock.ManualClock) -> Iterator[Callable[[str], World]]:
    """A small shop on a port of its own, in production: what it saw survives whoever is killed."""
    with contextlib.ExitStack() as ends:

        def open_shop(version: str = "8.2") -> World:
            shop = PrestaShopSimulator(version=version, world="empty", timezone="Europe/London")
            shop.clock.set(manual_clock.now())
            for number in range(3):
                shop.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=STOCK)
            url = ends.enter_context(server.serve(shop))
            channels.set_up_doors(quick_doors.to(None))
            ends.callback(channels.set_up_doors, HttpDoor)
            ends.callback(pace.close)
            world = shop_world.connect(shop, manual_clock, url=url)
            for kind in ("pull_products", "pull_stock_once", "pull_sales"):
                world.run(kind)
            world.go_live()
            world.drain()
            return world

        yield open_shop


def until_unkilled(
    them: Children,
    world: World,
    kind: str,
    *,
    prepare: Callable[[], object],
    meanwhile: Callable[[], object] | None = None,
    check: Callable[[int, str], None],
    strikes: Sequence[Sequence[tuple[str, str]]] = EACH,
) -> Counter[str]:
    """Kill a run at its n-th commit or call, let another process resume it, check; n = 1, 2, … until nothing strikes.

    A strike of several is for a run that is killed again while it is resumed. `meanwhile` is what happens between the
    first death and the resumption. The number of runs that died, by where they first did.
    """
    deaths: Counter[str] = Counter()
    for blows in strikes:
        for number in itertools.count(1):
            where = f"{kind} killed at {number}: {blows}"
            world.pass_time(hours=3)
            prepare()
            run = world.ask(kind)
            ended = [them.wait(them.start(run, world.at, (*blows[0], number)))]
            if meanwhile is not None:
                meanwhile()
            for blow in [*blows[1:], None]:
                if ended[-1] == KILLED:
                    lease_runs_out(run)
                elif meanwhile is None or blow is not None:
                    continue
                if Run.objects.get(pk=run).status == "done":  # killed when all was said and done
                    if meanwhile is None:
                        continue
                    run = world.ask(kind)  # what came since is another run's
                ended.append(them.wait(them.start(run, world.at, (*blow, number) if blow else None)))
            assert set(ended) <= {0, KILLED}, where
            row = Run.objects.get(pk=run)
            assert (row.status, row.outcome) in {("done", "good"), ("done", "partial")}, (where, row.error)
            check(run, where)
            assert house.check_all() == {part: [] for part in house.BOOKS}, where
            if ended[0] == 0:
                break
            deaths[blows[0][0]] += 1
    return deaths


def test_an_import_of_products_killed_anywhere_brings_each_once(them: Children, far: Callable[..., World]) -> None:
    world = far()
    made: list[int] = []
    since = 0

    def prepare() -> None:
        nonlocal since
        made[:] = [
            world.shop.state.add_product(
                f"Bowl {next(names)}", reference=f"BOWL-{next(names)}", price="5.00", quantity=3
            )
            for _ in range(3)
        ]
        since = world.shop.counters.as_dict()["last_served"]

    def check(run: int, where: str) -> None:
        here = [
            int(row[0])
            for row in sql.rows(
                "SELECT l.external_id FROM offers_link l JOIN catalog_product p ON p.id = l.product_id"
                " WHERE l.channel_id = %s AND l.kind = 'product' AND l.external_id = ANY(%s) ORDER BY l.id",
                [world.channel.pk, [str(one) for one in made]],
            )
        ]
        assert sorted(here) == made, where
        assert world.shop.counters.served_ids("products", since) >= set(made), where
        total = sql.one("SELECT count(*), count(DISTINCT lower(sku)) FROM catalog_variant")
        assert total == (len(world.shop.state.dump()["products"]),) * 2, where
        row = Run.objects.get(pk=run)
        assert (row.created, row.seen - row.unchanged) == (3, 3), where  # the newest stamp is read again: an overlap
        assert Flow.objects.get(pk=row.flow_id).cursor == row.cursor_after, where

    deaths = until_unkilled(them, world, "pull_products", prepare=prepare, check=check, strikes=READING)
    assert deaths["commit"] >= 6
    assert deaths["call"] >= 6


def test_an_import_of_sales_killed_anywhere_makes_one_order_of_each(them: Children, far: Callable[..., World]) -> None:
    world = far()
    paid: list[int] = []
    unpaid: list[int] = []
    since = 0

    def prepare() -> None:
        nonlocal since
        paid[:] = [
            world.shop.state.place_order([Line(product, quantity=2)], state="PS_OS_PAYMENT") for product in (1, 2)
        ]
        unpaid[:] = [world.shop.state.place_order([Line(3, quantity=1)], state="PS_OS_BANKWIRE")]
        since = world.shop.counters.as_dict()["last_served"]

    def check(run: int, where: str) -> None:
        served = {str(one) for one in world.shop.counters.served_ids("orders", since)}
        new = {str(one) for one in (*paid, *unpaid)}
        assert served >= new, where
        staged = dict(
            StagedSale.objects.filter(channel=world.channel, external_id__in=new).values_list("external_id", "state")
        )
        assert staged == {**{str(one): "accepted" for one in paid}, **{str(one): "retry" for one in unpaid}}, where
        orders = Order.objects.filter(channel=world.channel.pk, external_id__in=new)
        assert Counter(orders.values_list("external_id", flat=True)) == Counter(map(str, paid)), where
        row = Run.objects.get(pk=run)
        assert (row.created, row.parked, row.seen - row.unchanged) == (2, 1, 3), where
        assert Flow.objects.get(pk=row.flow_id).cursor == row.cursor_after, where

    deaths = until_unkilled(them, world, "pull_sales", prepare=prepare, check=check, strikes=READING)
    assert deaths["commit"] >= 6
    assert deaths["call"] >= 16
    everything = {str(row["id"]) for row in world.shop.state.dump()["orders"]}
    assert set(StagedSale.objects.values_list("external_id", flat=True)) == everything


def test_acceptance_killed_anywhere_makes_one_order_of_each_sale(them: Children, far: Callable[..., World]) -> None:
    world = far()
    placed: list[int] = []

    def prepare() -> None:
        Channel.objects.filter(pk=world.channel.pk).update(accepts_by_itself=False)
        placed[:] = [
            world.shop.state.place_order([Line(product, quantity=1)], state="PS_OS_PAYMENT")
            for product in (1, 2, 3, 1, 2)
        ]
        world.run("pull_sales")
        Channel.objects.filter(pk=world.channel.pk).update(accepts_by_itself=True)

    def check(run: int, where: str) -> None:
        orders = Order.objects.filter(channel=world.channel.pk, external_id__in=[str(one) for one in placed])
        assert Counter(orders.values_list("external_id", flat=True)) == Counter(map(str, placed)), where
        reserved = sql.value(
            'SELECT sum(quantity) FROM inventory_reservation WHERE "order" = ANY(%s)', [[one.pk for one in orders]]
        )
        assert reserved == 5, where
        assert Run.objects.get(pk=run).created == 5, where

    commits = [[strike] for strike in STRIKES if strike[0] == "commit"]  # it calls nobody
    deaths = until_unkilled(them, world, "accept_sales", prepare=prepare, check=check, strikes=commits)
    assert deaths["commit"] >= 8


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_a_push_killed_anywhere_leaves_the_shop_with_our_levels(
    them: Children, far: Callable[..., World], version: str
) -> None:
    world = far(version)

    def check(run: int, where: str) -> None:
        assert levels_there(world) == levels_here(world), where
        assert not Offer.objects.filter(is_waiting=True).exists(), where

    # Back to the level that was told before: who still believes it would tell the shop nothing.
    deaths = until_unkilled(
        them, world, "push_stock", prepare=lambda: book(world, 3), meanwhile=lambda: book(world, -3), check=check
    )
    assert deaths["commit"] >= 6
    assert deaths["call"] >= 3


def test_a_push_of_prices_killed_anywhere_leaves_the_shop_with_our_prices(
    them: Children, far: Callable[..., World]
) -> None:
    world = far()
    world.shop.state.add_key(world.shop.key, pricing_rights())
    own = PriceList.objects.get().pk
    point = SellingPoint.objects.get(channel=world.channel).pk
    rules = {"price_list": own, "rate": None, "most_share": 100, "most_change": 1000}
    with transaction.atomic(), queue.without_wakeups():
        prices.set_rules(point, owns_price=False, **rules, at=world.at, actor=SYSTEM)
    world.run("push_prices")

    def cost(amount: str) -> None:
        """Every cup costs so much from now on."""
        with transaction.atomic(), queue.without_wakeups():
            for variant in Offer.objects.filter(point=point).values_list("variant", flat=True):
                catalog.set_price(variant, own, Decimal(amount), at=world.at, actor=SYSTEM)

    def check(run: int, where: str) -> None:
        there = {Decimal(row["price"]) for row in world.shop.state.dump()["products"]}
        assert there == set(Price.objects.values_list("amount", flat=True)), where
        assert not OfferPrice.objects.filter(is_waiting=True).exists(), where
        assert set(OfferPrice.objects.values_list("told", flat=True)) == there, where

    # Back to the price that was told before: who still believes it would tell the shop nothing.
    deaths = until_unkilled(
        them,
        world,
        "push_prices",
        prepare=lambda: cost("6.25"),
        meanwhile=lambda: cost("5.00"),
        check=check,
        strikes=TWICE,
    )
    assert deaths["commit"] >= 4
    assert deaths["call"] >= 3


def test_what_suppliers_sell_killed_anywhere_comes_in_once(them: Children, far: Callable[..., World]) -> None:
    world = far()
    state = world.shop.state

    seller = state.add_supplier("North")
    rows = [state.link_supplier(product, seller, price="2.00") for product in (1, 2, 3)]
    world.run("pull_suppliers")

    def prepare() -> None:
        for row in rows:
            state.store.update("product_suppliers", row, product_supplier_reference=f"R{next(names)}")

    def check(run: int, where: str) -> None:
        there = state.store.rows("SELECT product_supplier_reference AS reference FROM product_suppliers")
        here = SupplierProduct.objects.filter(gone_at__isnull=True).values_list("reference", flat=True)
        assert sorted(here) == sorted(row["reference"] for row in there), where
        assert Run.objects.get(pk=run).changed + Run.objects.get(pk=run).created == len(rows), where

    deaths = until_unkilled(them, world, "pull_supplier_links", prepare=prepare, check=check, strikes=TWICE)
    assert deaths["commit"] >= 3


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_a_parcel_is_told_once_however_often_its_teller_is_killed(
    them: Children, far: Callable[..., World], version: str
) -> None:
    world = far(version)
    told: list[tuple[str, str]] = []

    def prepare() -> None:
        told[:] = [sell_and_ship(world)]

    def check(run: int, where: str) -> None:
        dump = world.shop.state.dump()
        for sale, number in told:
            parcels = [row["tracking_number"] for row in dump["order_carriers"] if str(row["id_order"]) == sale]
            assert parcels == [number], where
            steps = [row["id_order_state"] for row in dump["order_histories"] if str(row["id_order"]) == sale]
            assert len(steps) == len(set(steps)) == 2, (where, steps)  # paid, shipped
            changes = Counter(
                (str(change["resource"]), str(change["id"]))
                for written in world.shop.counters.log
                for change in written.changes
                if change["resource"] == "order_carriers" and str(change["id"]) in _carrier_rows(dump, sale)
            )
            assert set(changes.values()) == {1}, (where, changes)
        assert set(Effect.objects.values_list("state", flat=True)) == {"done"}, where

    deaths = until_unkilled(them, world, "push_tracking", prepare=prepare, check=check)
    # Some died after the shop had it all: the next one asked, and told nothing.
    assert Run.objects.filter(flow__kind="push_tracking", unchanged=1, changed=0).exists()
    assert deaths["commit"] >= 4
    assert deaths["call"] >= 6


names = itertools.count()


def book(world: World, delta: int) -> None:
    """So many more, or fewer, of everything the shop sells."""
    variants = Offer.objects.filter(point__channel=world.channel, is_active=True).values_list("variant", flat=True)
    facts = [
        Fact(one, inventory.default_warehouse().pk, Decimal(delta), "adjustment", f"proof:{next(names)}")
        for one in variants
    ]
    with transaction.atomic(), queue.without_wakeups():
        inventory.book(facts, at=world.at, actor=SYSTEM)


def sell_and_ship(world: World) -> tuple[str, str]:
    """A sale whose parcel has left and is to be told: (sale, tracking number)."""
    sale = world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT")
    world.run("pull_sales")
    order = Order.objects.get(channel=world.channel.pk, external_id=str(sale))
    number = f"JD{sale:08d}"
    with transaction.atomic(), queue.without_wakeups():
        shipments.ship(order.pk, key=f"proof:{sale}", carrier=order.carrier, tracking=number, at=world.at, actor=SYSTEM)
    return str(sale), number


def all_there_is(world: World) -> dict[str, object]:
    """A digest of every table of ours, and what the shop was made to write."""
    tables = sql.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname ~ '^(engine|staging|orders|inventory|shipments|offers|events|catalog)_' ORDER BY 1"
    )
    found: dict[str, object] = {
        name: sql.value(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t")
        for (name,) in tables
    }
    return {**found, "shop": len(world.shop.counters.log)}


def _carrier_rows(dump: dict[str, Any], sale: str) -> set[str]:
    return {str(row["id"]) for row in dump["order_carriers"] if str(row["id_order"]) == sale}


def levels_there(world: World) -> dict[str, Decimal]:
    """The shop's figures by listing."""
    return {
        mapping.listing_id(row["id_product"], row["id_product_attribute"]): Decimal(row["quantity"])
        for row in world.shop.state.dump()["stock"]
    }


def levels_here(world: World) -> dict[str, Decimal]:
    """What we would tell now, by listing."""
    offers = Offer.objects.filter(point__channel=world.channel, is_active=True).values_list("id", flat=True)
    return {level.listing: level.level for level in queries.levels(list(offers))}


def test_an_import_stopped_past_its_lease_changes_nothing_when_it_goes_on(
    them: Children, far: Callable[..., World]
) -> None:
    world = far()

    def prepare() -> None:
        world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT")

    def read_on() -> None:
        world.pass_time(hours=3)
        prepare()
        world.run("pull_sales")  # and the cursor moves on

    stops = until_never_stopped(
        them, world, "pull_sales", prepare=prepare, afterwards=read_on,
        strikes=[("commit", "after", None), ("commit", "before", 3)],
    )  # fmt: skip
    assert stops >= 6


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_a_parcel_is_told_once_although_its_teller_was_only_asleep(
    them: Children, far: Callable[..., World], version: str
) -> None:
    world = far(version)

    def prepare() -> None:
        sell_and_ship(world)

    stops = until_never_stopped(
        them, world, "push_tracking", prepare=prepare, strikes=[("commit", "after", None), ("commit", "before", 3)]
    )
    assert stops >= 4
    dump = world.shop.state.dump()
    for order in dump["orders"]:
        steps = [row["id_order_state"] for row in dump["order_histories"] if row["id_order"] == order["id"]]
        assert len(steps) == len(set(steps)) == 2


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_levels_sent_by_a_process_that_woke_too_late_are_told_again(
    them: Children, far: Callable[..., World], version: str
) -> None:
    """Between its last look and the first byte nothing can stop it: what it overwrote must heal."""
    world = far(version)
    delta = itertools.cycle([3, -3])
    strikes = [("commit", "after", None), ("commit", "before", 3), ("call", "before", None), ("call", "after", None)]
    stops = until_never_stopped(
        them, world, "push_stock", strikes=strikes, heals=True,
        prepare=lambda: book(world, next(delta)), meanwhile=lambda: book(world, 1),
    )  # fmt: skip
    assert stops >= 10


def until_never_stopped(
    them: Children,
    world: World,
    kind: str,
    *,
    prepare: Callable[[], object],
    strikes: Sequence[tuple[str, str, int | None]],
    meanwhile: Callable[[], object] | None = None,
    afterwards: Callable[[], object] | None = None,
    heals: bool = False,
) -> int:
    """Stop a run at its n-th commit or call, let another process take it over and end it, then let the first go on: it
    may change nothing, or (`heals`) only what the next run puts right. `meanwhile` is before the take-over, `afterwards`
    before it goes on. How many runs were stopped."""
    stops = 0
    for what, when, only in strikes:
        for number in itertools.count(1) if only is None else [only]:
            where = f"{kind} stopped {when} {what} {number}"
            world.pass_time(hours=3)
            prepare()
            run = world.ask(kind)
            sleeper = them.start(run, world.at, (what, when, number), signal.SIGSTOP)
            if them.wait(sleeper) is not None:
                break
            stops += 1
            if meanwhile is not None:
                meanwhile()
            lease_runs_out(run)
            assert them.wait(them.start(run, world.at)) == 0, where
            row = Run.objects.get(pk=run)
            assert row.status == "done", where
            if afterwards is not None:
                afterwards()
            before = all_there_is(world)
            os.kill(sleeper, signal.SIGCONT)
            them.wait(sleeper)
            if what == "commit":  # it looks whose run it is before each write
                assert len(world.shop.counters.log) == before["shop"], where
            if heals:
                world.drain("push_stock")
                assert levels_there(world) == levels_here(world), where
            else:
                assert all_there_is(world) == before, where
            assert house.check_all() == {part: [] for part in house.BOOKS}, where
    return stops

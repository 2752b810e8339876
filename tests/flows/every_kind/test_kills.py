"""A process killed at any commit or call costs time, never data, whatever kind of shop is at the other end: the shop lives
in another process than the killed, and remembers what really arrived."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import kind_world
import pytest
from kind_world import SKUS, KindWorld
from proof_children import KILLED, Children, children, lease_runs_out

from comptoir.channels.models import Channel
from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Effect, Flow, Run
from comptoir.flows import house
from comptoir.kit import clock, sql
from comptoir.offers.models import Offer
from comptoir.staging.models import StagedSale

pytestmark = [
    pytest.mark.kill,
    pytest.mark.needs("products", "sales", "stock"),
    pytest.mark.survives("a process killed at any moment"),
]

# Each is one run, killed where it stands and again while it is resumed: two deaths in one life find what one finds, in half
# the time. Between two reads nothing of ours changes, so that a reading is not killed at each of its calls.
COMMITS = [("commit", "before"), ("commit", "after")]
CALLS = [("call", "before"), ("call", "after")]

Strike = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def them(django_db_setup: None) -> Iterator[Children]:
    """Children on the tests' database."""
    with children() as started:
        yield started


@pytest.fixture
def far(transactional_db: None, manual_clock: clock.ManualClock, them: Children, kind: str) -> Iterator[KindWorld]:
    """A small shop of each kind on a port, in production."""
    with kind_world.street(on_a_port=True) as (street, url):
        them.reach(url)
        yield kind_world.take_live(kind_world.open_kind(street, kind, manual_clock))


def until_unkilled(
    them: Children,
    world: KindWorld,
    kind: str,
    strikes: Sequence[Strike],
    *,
    prepare: Callable[[], object],
    check: Callable[[str], None],
    step: int = 1,
) -> Counter[str]:
    """Kill a run at its n-th commit or call, and whoever resumes it at its own n-th, let a third end it, check; n = 1, 2, …
    until nothing strikes. The number of deaths, by where they were."""
    deaths: Counter[str] = Counter()
    for blows in strikes:
        for number in itertools.count(1, step):
            where = f"{kind} killed at {number}: {blows}"
            world.pass_time(hours=3)
            prepare()
            run = world.ask(kind)
            died = 0
            for blow in [*blows, None]:
                if Run.objects.get(pk=run).status == "done":  # killed when all was said and done
                    break
                ended = them.wait(them.start(run, world.at, (*blow, number) if blow else None))
                assert ended in {0, KILLED}, where
                if ended == KILLED:
                    died += 1
                    lease_runs_out(run)
            row = Run.objects.get(pk=run)
            assert (row.status, row.outcome) in {("done", "good"), ("done", "partial")}, (where, row.error)
            check(where)
            assert house.check_all() == {part: [] for part in house.BOOKS}, where
            if not died:
                break
            deaths[blows[0][0]] += died
    return deaths


def test_sales_imported_by_whoever_is_killed_are_one_order_each(them: Children, far: KindWorld) -> None:
    paid: list[str] = []
    unpaid: list[str] = []

    def prepare() -> None:
        paid[:] = [far.shop.buy({sku: 2}) for sku in SKUS]
        unpaid[:] = [far.shop.buy({SKUS[0]: 1}, paid=False)]

    def check(where: str) -> None:
        states = StagedSale.objects.filter(external_id__in=[*paid, *unpaid]).values_list("external_id", "state")
        assert dict(states) == {**dict.fromkeys(paid, "accepted"), **dict.fromkeys(unpaid, "retry")}, where
        orders = Order.objects.filter(external_id__in=[*paid, *unpaid]).values_list("external_id", flat=True)
        assert Counter(orders) == Counter(paid), where
        flow = Flow.objects.get(channel=far.channel, kind="pull_sales")
        assert flow.cursor == Run.objects.filter(flow=flow).latest("pk").cursor_after, where

    deaths = until_unkilled(them, far, "pull_sales", [COMMITS], prepare=prepare, check=check)
    deaths += until_unkilled(them, far, "pull_sales", [CALLS], prepare=prepare, check=check, step=5)
    assert deaths["commit"] >= 4
    assert deaths["call"] >= 1
    assert set(far.shop.sold()) == set(StagedSale.objects.values_list("external_id", flat=True))


def test_sales_accepted_by_whoever_is_killed_are_one_order_each(them: Children, far: KindWorld) -> None:
    placed: list[str] = []

    def prepare() -> None:
        Channel.objects.filter(pk=far.channel.pk).update(accepts_by_itself=False)
        placed[:] = [far.shop.buy({sku: 1}) for sku in SKUS]
        far.run("pull_sales")
        Channel.objects.filter(pk=far.channel.pk).update(accepts_by_itself=True)

    def check(where: str) -> None:
        orders = Order.objects.filter(external_id__in=placed)
        assert Counter(orders.values_list("external_id", flat=True)) == Counter(placed), where
        reserved = sql.value(
            'SELECT sum(quantity) FROM inventory_reservation WHERE "order" = ANY(%s)', [[one.pk for one in orders]]
        )
        assert reserved == len(placed), where

    deaths = until_unkilled(them, far, "accept_sales", [COMMITS], prepare=prepare, check=check)  # it calls nobody
    assert deaths["commit"] >= 4


@pytest.mark.needs("levels")
def test_levels_pushed_by_whoever_is_killed_are_ours(them: Children, far: KindWorld) -> None:
    delta = itertools.cycle([3, -3])  # back to what was told before: who still believes it would tell nothing

    def check(where: str) -> None:
        assert far.shop.shelf() == far.free(), where
        assert not Offer.objects.filter(is_waiting=True).exists(), where

    deaths = until_unkilled(
        them, far, "push_stock", [COMMITS, CALLS], prepare=lambda: far.book(next(delta)), check=check
    )
    assert deaths["commit"] >= 4
    assert deaths["call"] >= 2


@pytest.mark.needs("tracking")
def test_a_parcel_told_by_whoever_is_killed_is_told_once(them: Children, far: KindWorld) -> None:
    told: dict[str, str] = {}
    effects = [0]
    each: set[int] = set()

    def prepare() -> None:
        sale = far.shop.buy({SKUS[0]: 1})
        far.learn()
        told[sale] = f"JD{len(told):06}"
        far.send(sale, told[sale])
        effects[0] = far.shop.counters.effects.total()

    def check(where: str) -> None:
        assert {sale: far.shop.parcels(sale) for sale in told} == {sale: [number] for sale, number in told.items()}
        assert {far.shop.sold()[sale] for sale in told} == {"shipped"}, where
        assert set(Effect.objects.filter(kind="tracking").values_list("state", flat=True)) == {"done"}, where
        each.add(far.shop.counters.effects.total() - effects[0])
        assert len(each) == 1, f"{where}: not the same happened at the shop each time"

    deaths = until_unkilled(them, far, "push_tracking", [COMMITS, CALLS], prepare=prepare, check=check)
    assert deaths["commit"] >= 4
    assert deaths["call"] >= 2
    # Some died after the shop had it all: the next one asked, and told nothing.
    assert Run.objects.filter(flow__kind="push_tracking", unchanged=1, changed=0).exists()

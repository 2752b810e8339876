"""Anything may happen to stock and to what is told, in any order: each number can be recomputed from its causes."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from offer_world import AT, channel, offer, point, run_of, variant, warehouse

from comptoir.channels.records import Answer, Fate
from comptoir.commerce.catalog.models import Kind
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Demand, Fact, HoldWanted, Receipt
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers import checks, queries
from comptoir.offers.models import Offer
from comptoir.offers.queries import Level

which = st.integers(0, 1)
quantities = st.integers(1, 5).map(Decimal)
fates = st.sampled_from([Fate.DONE, Fate.DONE, Fate.REFUSED, Fate.UNKNOWN, Fate.CONFLICT])


class Shops(RuleBasedStateMachine):
    """Two shops with one and two warehouses sell two things, a box of both and an alias. The model adds up causes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.numbers = count(1)
        self.on_hand: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
        self.out: list[tuple[int, list[Level]]] = []  # batches whose answer has not come yet
        self.there: dict[int, Decimal | None] = {}  # what each shop really shows, by offer; None: who knows

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    @initialize(buffer=st.integers(0, 2))
    def open(self, buffer: int) -> None:
        self.places = [warehouse(f"w{next(self.numbers)}-{id(self)}") for _ in range(2)]
        self.things = [variant(f"T{n}-{id(self)}") for n in range(2)]
        box = variant(f"BOX-{id(self)}", kind=Kind.KIT, parts={self.things[0]: 2, self.things[1]: 1})
        alias = variant(f"ALIAS-{id(self)}", kind=Kind.ALIAS, master=self.things[0])
        self.shops = [channel(f"s{n}-{id(self)}") for n in range(2)]
        self.points = [point(self.shops[0], *self.places, buffer=buffer), point(self.shops[1], self.places[0])]
        self.buffers = {self.points[0].pk: Decimal(buffer), self.points[1].pk: Decimal(0)}
        for place in self.points:
            for thing in (*self.things, box, alias):
                self.there[offer(thing, place).pk] = None

    # What happens to stock ------------------------------------------------------------------------------------------

    @rule(v=which, w=which, quantity=quantities)
    def receive(self, v: int, w: int, quantity: Decimal) -> None:
        thing, place = self.things[v].pk, self.places[w].pk
        inventory.receive([Receipt(thing, place, quantity, f"r{id(self)}:{next(self.numbers)}")], at=AT, actor=SYSTEM)

    @rule(v=which, w=which, quantity=quantities)
    def lose(self, v: int, w: int, quantity: Decimal) -> None:
        thing, place = self.things[v].pk, self.places[w].pk
        inventory.book(
            [Fact(thing, place, -quantity, "damage", f"l{id(self)}:{next(self.numbers)}")], at=AT, actor=SYSTEM
        )

    @rule(v=which, quantity=quantities)
    def order(self, v: int, quantity: Decimal) -> None:
        number = next(self.numbers) + id(self) % 10**9 * 1000
        demand = Demand(number, number, self.things[v].pk, quantity, tuple(p.pk for p in self.places), AT)
        inventory.reserve([demand], at=AT, actor=SYSTEM)

    @rule(v=which, quantity=quantities, own=st.booleans(), sale=which)
    def hold(self, v: int, quantity: Decimal, own: bool, sale: int) -> None:
        wanted = HoldWanted(
            f"{self.shops[0].pk}:{sale}", self.things[v].pk, quantity, tuple(p.pk for p in self.places),
            self.points[0].pk if own else None, AT + timedelta(days=3),
        )  # fmt: skip
        inventory.hold([wanted], at=AT, actor=SYSTEM)

    @rule(sale=which)
    def let_go(self, sale: int) -> None:
        inventory.release_holds([f"{self.shops[0].pk}:{sale}"], at=AT, actor=SYSTEM)

    # What happens to what is told -----------------------------------------------------------------------------------

    @rule()
    def drain(self) -> None:
        offers.drain(at=AT)

    @rule(s=which)
    def call(self, s: int) -> None:
        """A batch goes out; its effect takes place now, its answer comes later, or never."""
        batch = offers.take(self.shops[s].pk, after=0, size=3, at=AT + timedelta(days=9))
        if batch.send:
            self.out.append((s, batch.send))

    @rule(fate=fates, n=st.integers(0, 3), has_effect=st.booleans())
    def answer(self, fate: Fate, n: int, has_effect: bool) -> None:
        if not self.out:
            return
        s, batch = self.out.pop(n % len(self.out))
        for level in batch:
            if fate is Fate.DONE or (fate is Fate.UNKNOWN and has_effect):
                self.there[level.offer] = level.level
        offers.told(run_of(self.shops[s]).pk, batch, [Answer(item=one.offer, fate=fate) for one in batch], at=AT)
        # One push at a time per shop: whatever else was out for it belongs to a worker that died.
        self.out = [one for one in self.out if one[0] != s]

    @rule(n=st.integers(0, 3), has_effect=st.booleans())
    def die(self, n: int, has_effect: bool) -> None:
        """The worker dies before it can record the answer."""
        if self.out:
            _, batch = self.out.pop(n % len(self.out))
            if has_effect:
                for level in batch:
                    self.there[level.offer] = level.level

    @rule(s=which, v=which)
    def sell_there(self, s: int, v: int) -> None:
        """The shop sells one: its figure moves, and once we see it we no longer believe what we told."""
        listing = f"{self.things[v].sku}-0"
        row = Offer.objects.get(point=self.points[s], listing=listing)
        if self.there[row.pk]:
            self.there[row.pk] = self.there[row.pk] - 1  # type: ignore[operator]
        offers.forget_told(self.shops[s].pk, [listing], at=AT)

    # What must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def each_level_can_be_recomputed_from_its_causes(self) -> None:
        if not hasattr(self, "points"):
            return
        free = self._free()
        for row in Offer.objects.filter(pk__in=self.there).select_related("variant", "point"):
            places = [source.warehouse_id for source in row.point.sources.order_by("position")]
            if row.variant.kind == Kind.KIT:
                units = Decimal(
                    sum(
                        min(
                            int(max(free[part.part_id, place, row.point_id], Decimal(0)) // part.quantity)
                            for part in row.variant.parts.all()
                        )
                        for place in places
                    )
                )
            else:
                stocked = row.variant.alias_of_id or row.variant_id
                units = sum((free[stocked, place, row.point_id] for place in places), Decimal(0))
            expected = max(units - self.buffers[row.point_id], Decimal(0))
            assert queries.levels([row.pk])[0].level == expected

    def _free(self) -> dict[tuple[int, int, int], Decimal]:
        """Free units from the ledger, the promises and the holds themselves, not from kept balances."""
        from comptoir.commerce.inventory.models import Hold, Movement, Reservation

        free: dict[tuple[int, int, int], Decimal] = defaultdict(Decimal)
        for place in self.points:
            for moved in Movement.objects.filter(variant__in=self.things):
                if moved.to_warehouse_id:
                    free[moved.variant_id, moved.to_warehouse_id, place.pk] += moved.quantity
                if moved.from_warehouse_id:
                    free[moved.variant_id, moved.from_warehouse_id, place.pk] -= moved.quantity
            for promise in Reservation.objects.filter(variant__in=self.things):
                free[promise.variant_id, promise.warehouse_id, place.pk] -= promise.quantity
            for held in Hold.objects.filter(variant__in=self.things):
                if held.scope in (None, place.pk):
                    free[held.variant_id, held.warehouse_id, place.pk] -= held.quantity
        return free

    @invariant()
    def nothing_is_forgotten(self) -> None:
        if hasattr(self, "points"):
            assert checks.check_books() == []

    @invariant()
    def what_we_believe_is_what_stands_there(self) -> None:
        for row in Offer.objects.filter(pk__in=self.there, told__isnull=False):
            assert self.there[row.pk] == row.told


@pytest.mark.django_db
def test_offers_on_random_histories() -> None:
    run_state_machine_as_test(
        Shops,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )

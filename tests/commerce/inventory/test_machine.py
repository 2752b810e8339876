"""Anything may happen to stock in any order, and again: the books stay right, and a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from comptoir.commerce.inventory import actions, checks, queries
from comptoir.commerce.inventory.models import Backorder, Hold, Level, Movement, Reservation
from comptoir.commerce.inventory.records import Count, Demand, Fact, HoldWanted, Pick, Receipt, Transfer
from comptoir.kit.actor import SYSTEM

from .builders import NOON, number, variant, warehouse

variants = st.integers(0, 1)
warehouses = st.integers(0, 1)
quantities = st.integers(1, 6).map(Decimal)
places = st.sampled_from([(0,), (1,), (0, 1), (1, 0)])
days = st.integers(0, 9)
sources = st.sampled_from(["3:1", "3:2", "4:1"])


class Stock(RuleBasedStateMachine):
    """Two variants in two warehouses. Every call is kept, so that any earlier one can be made again."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.today = 0
        self.lines: list[Demand] = []
        self.booked: list[Callable[[], Any]] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    @initialize()
    def open_shop(self) -> None:
        self.variants = [variant(), variant()]
        self.warehouses = [warehouse(), warehouse()]

    @property
    def at(self) -> Any:
        return NOON + timedelta(days=self.today)

    def book(self, act: Callable[[], Any]) -> None:
        act()
        self.booked.append(act)

    @rule(v=variants, w=warehouses, quantity=quantities)
    def receive(self, v: int, w: int, quantity: Decimal) -> None:
        receipt = Receipt(self.variants[v], self.warehouses[w], quantity, f"r{number()}")
        self.book(lambda: actions.receive([receipt], at=NOON, actor=SYSTEM))

    @rule(v=variants, quantity=quantities, where=places, day=days, releasing=st.sets(sources, max_size=2))
    def reserve(self, v: int, quantity: Decimal, where: tuple[int, ...], day: int, releasing: set[str]) -> None:
        line = number()
        asked = tuple(self.warehouses[w] for w in where)
        wanted = Demand(line, line, self.variants[v], quantity, asked, NOON + timedelta(days=day))
        given = actions.reserve([wanted], releasing=releasing, at=self.at, actor=SYSTEM)
        assert given[line] <= quantity
        self.lines.append(wanted)

    @rule(
        v=variants, quantity=quantities, where=places, source=sources, scope=st.sampled_from([None, None, 7]), day=days
    )
    def hold(self, v: int, quantity: Decimal, where: tuple[int, ...], source: str, scope: int | None, day: int) -> None:
        asked = tuple(self.warehouses[w] for w in where)
        wanted = HoldWanted(source, self.variants[v], quantity, asked, scope, NOON + timedelta(days=day))
        for _again in range(2):
            actions.hold([wanted], at=self.at, actor=SYSTEM)
            assert sum(h.quantity for h in Hold.objects.filter(source=source)) == quantity

    @rule(source=sources)
    def release_hold(self, source: str) -> None:
        actions.release_holds([source], at=self.at, actor=SYSTEM)
        assert not Hold.objects.filter(source=source).exists()

    @rule(ahead=st.integers(0, 3))
    def expire(self, ahead: int) -> None:
        self.today += ahead
        actions.expire_holds(at=self.at, actor=SYSTEM)
        assert not Hold.objects.filter(until__lte=self.at).exists()

    @rule(place=st.integers(0), quantity=st.none() | quantities)
    def release(self, place: int, quantity: Decimal | None) -> None:
        if self.lines:
            actions.release({self.lines[place % len(self.lines)].line: quantity}, at=self.at, actor=SYSTEM)

    @rule(place=st.integers(0), is_picked=st.booleans())
    def pick(self, place: int, is_picked: bool) -> None:
        if self.lines:
            line = self.lines[place % len(self.lines)].line
            actions.mark_picked([line], is_picked=is_picked, at=self.at, actor=SYSTEM)

    @rule(place=st.integers(0), w=warehouses, quantity=quantities)
    def ship(self, place: int, w: int, quantity: Decimal) -> None:
        if self.lines:
            wanted = self.lines[place % len(self.lines)]
            pick = Pick(wanted.line, wanted.variant, self.warehouses[w], quantity, f"s{number()}")
            self.book(lambda: actions.ship([pick], at=NOON, actor=SYSTEM))

    @rule(v=variants, w=warehouses, quantity=quantities)
    def damage(self, v: int, w: int, quantity: Decimal) -> None:
        fact = Fact(self.variants[v], self.warehouses[w], -quantity, "damage", f"d{number()}")
        self.book(lambda: actions.book([fact], at=NOON, actor=SYSTEM))

    @rule(v=variants, w=warehouses, counted=st.integers(0, 6).map(Decimal))
    def count(self, v: int, w: int, counted: Decimal) -> None:
        count = Count(self.variants[v], self.warehouses[w], counted, f"c{number()}")
        self.book(lambda: actions.count([count], at=NOON, actor=SYSTEM))
        assert queries.levels([count.variant])
        assert Level.objects.get(variant=count.variant, warehouse=count.warehouse).on_hand == counted

    @rule(v=variants, w=warehouses, quantity=quantities)
    def transfer(self, v: int, w: int, quantity: Decimal) -> None:
        move = Transfer(self.variants[v], self.warehouses[w], self.warehouses[1 - w], quantity, f"t{number()}")
        self.book(lambda: actions.transfer([move], at=NOON, actor=SYSTEM))

    @rule(place=st.integers(0))
    def repeat(self, place: int) -> None:
        """Any movement again; and a line that still has something to wait for or to get, reserved again."""
        before = state()
        if self.booked:
            self.booked[place % len(self.booked)]()
        standing = queries.standing_of_lines([d.line for d in self.lines])
        actions.reserve([d for d in self.lines if d.line in standing], at=self.at, actor=SYSTEM)
        assert state() == before

    @invariant()
    def books_are_right(self) -> None:
        assert checks.check_books() == []


def state() -> list[list[tuple[Any, ...]]]:
    """All there is of stock."""
    return [
        sorted(Level.objects.values_list("variant", "warehouse", "on_hand", "reserved", "held")),
        sorted(Reservation.objects.values_list("line", "warehouse", "quantity")),
        sorted(Backorder.objects.values_list("line", "quantity")),
        sorted(Hold.objects.values_list("source", "variant", "warehouse", "quantity")),
        [(Movement.objects.count(),)],
    ]


@pytest.mark.django_db
def test_the_books_are_right_whatever_happens_in_whatever_order() -> None:
    run_state_machine_as_test(
        Stock,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=False,
        ),
    )

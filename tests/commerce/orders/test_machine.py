"""Orders and parcels in any order of events: nothing is ever lost, doubled or shipped twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.models import Movement
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders import actions
from comptoir.commerce.orders.external import Meaning
from comptoir.commerce.orders.models import History, Order, Status
from comptoir.commerce.orders.records import Intake, NewOrder
from comptoir.commerce.shipments import actions as shipments
from comptoir.commerce.shipments.models import Shipment, ShipmentLine
from comptoir.kit.errors import ComptoirError, Conflict

from .builders import ANNA, NOON, books_are_right, kit, line, lines, new, number, place, receive, variant, warehouse

few = st.integers(min_value=1, max_value=3)


class Orders(RuleBasedStateMachine):
    """Sales come in, people and channels change their minds, goods come and go."""

    placed: Bundle[NewOrder] = Bundle("placed")

    @initialize()
    def begin(self) -> None:
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.warehouses = [warehouse(), warehouse()]
        self.mugs = [variant(), variant()]
        self.pair = kit({self.mugs[0]: 1, self.mugs[1]: 2})
        self.at = NOON
        self.parcels: list[tuple[int, str]] = []
        self.received: dict[int, int] = dict.fromkeys(self.mugs, 0)
        for mug in self.mugs:
            self.goods_come_in(mug_=self.mugs.index(mug), where=0, quantity=2)

    def teardown(self) -> None:
        if hasattr(self, "undo"):
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @rule(mug_=st.integers(0, 1), where=st.integers(0, 1), quantity=few)
    def goods_come_in(self, mug_: int, where: int, quantity: int) -> None:
        receive(self.mugs[mug_], self.warehouses[where], quantity)

    @rule(mug_=st.integers(0, 1), where=st.integers(0, 1), quantity=few)
    def goods_are_found_damaged(self, mug_: int, where: int, quantity: int) -> None:
        fact = Fact(self.mugs[mug_], self.warehouses[where], Decimal(-quantity), "damage", f"damage:{number()}")
        inventory.book([fact], at=self.at, actor=ANNA)

    @rule(
        target=placed,
        what=st.lists(st.integers(0, 2), min_size=1, max_size=3),
        quantity=few,
        with_service=st.booleans(),
        intake=st.sampled_from([Intake.VALID, Intake.VALID, Intake.HOLD, Intake.COMPLETE, Intake.CANCEL]),
        both=st.booleans(),
    )
    def a_sale_comes_in(
        self, what: list[int], quantity: int, with_service: bool, intake: Intake, both: bool
    ) -> NewOrder:
        self.at += timedelta(minutes=1)
        sold = [line([*self.mugs, self.pair][i], quantity) for i in what]
        if with_service:
            sold.append(line(None, kind="service"))
        sale = new(*sold, warehouses=tuple(self.warehouses if both else self.warehouses[:1]), intake=intake)
        sale = replace(sale, placed_at=self.at)
        place(sale)
        return sale

    @rule(sale=placed)
    def the_same_sale_comes_in_again(self, sale: NewOrder) -> None:
        before = (Order.objects.count(), History.objects.count(), Movement.objects.count())
        answer = place(sale)[0]
        if answer.refusal is None and not answer.created:
            assert (Order.objects.count(), History.objects.count(), Movement.objects.count()) == before

    def tries(self, action: Any, *args: Any, **kwargs: Any) -> None:
        """Do it or be refused, and then nothing was half done."""
        before = (History.objects.count(), Movement.objects.count(), Shipment.objects.count())
        try:
            with transaction.atomic():
                action(*args, at=self.at, actor=ANNA, **kwargs)
        except (Conflict, ComptoirError):
            assert (History.objects.count(), Movement.objects.count(), Shipment.objects.count()) == before

    def order_of(self, sale: NewOrder) -> int:
        order = Order.objects.filter(external_id=sale.external_id).values_list("pk", flat=True).first()
        return order or 0

    @rule(
        sale=placed,
        action=st.sampled_from(
            ["hold", "unhold", "cancel", "cancel_rest", "block", "unblock", "pick", "pack", "put_back"]
        ),
    )
    def a_person_acts(self, sale: NewOrder, action: str) -> None:
        reason = {} if action in {"pick", "pack"} else {"reason": "because"}
        self.tries(getattr(actions, action), self.order_of(sale), **reason)

    @rule(sale=placed, place_=st.integers(0, 5), quantity=few)
    def a_line_is_cancelled(self, sale: NewOrder, place_: int, quantity: int) -> None:
        found = lines(self.order_of(sale))
        if found:
            self.tries(actions.cancel_line, found[place_ % len(found)].pk, Decimal(quantity), reason="because")

    @rule(sale=placed, place_=st.integers(0, 5), where=st.integers(0, 1))
    def a_line_moves_to_another_warehouse(self, sale: NewOrder, place_: int, where: int) -> None:
        found = lines(self.order_of(sale))
        if found:
            self.tries(actions.move_line_to_warehouse, found[place_ % len(found)].pk, self.warehouses[where])

    @rule(sale=placed)
    def everything_reserved_leaves(self, sale: NewOrder) -> None:
        order, key = self.order_of(sale), f"k{number()}"
        self.parcels.append((order, key))
        self.tries(shipments.ship, order, key=key)

    @rule(sale=placed, place_=st.integers(0, 5), where=st.integers(0, 1), quantity=few)
    def part_of_it_leaves(self, sale: NewOrder, place_: int, where: int, quantity: int) -> None:
        order, key = self.order_of(sale), f"k{number()}"
        found = lines(order)
        if found:
            self.parcels.append((order, key))
            leaving = [(found[place_ % len(found)].pk, self.warehouses[where], Decimal(quantity))]
            self.tries(shipments.ship, order, leaving, key=key)

    @rule(which=st.integers(0, 50))
    def a_parcel_is_sent_again(self, which: int) -> None:
        if not self.parcels:
            return
        order, key = self.parcels[which % len(self.parcels)]
        if not Shipment.objects.filter(key=key).exists():
            return
        before = (History.objects.count(), Movement.objects.count(), Shipment.objects.count())
        shipments.ship(order, key=key, at=self.at, actor=ANNA)
        assert (History.objects.count(), Movement.objects.count(), Shipment.objects.count()) == before

    @rule(sale=placed, meaning=st.sampled_from(list(Meaning)), books=st.booleans())
    def a_status_is_seen_there(self, sale: NewOrder, meaning: Meaning, books: bool) -> None:
        order = self.order_of(sale)
        if not order:
            return
        for _ in range(2):
            shipments.follow(order, meaning, books_shipments=books, at=self.at, actor=ANNA)

    @rule(sale=placed, quantity=few, target_=st.integers(0, 1))
    def theirs_is_taken(self, sale: NewOrder, quantity: int, target_: int) -> None:
        first = line([*self.mugs][target_], quantity, external_id=sale.lines[0].external_id)
        theirs = replace(sale, lines=(first, *sale.lines[1:]))
        theirs = replace(theirs, total=sum((x.total for x in theirs.lines), Decimal(0)))
        self.tries(actions.take_theirs, self.order_of(sale), theirs)

    @rule(sale=consumes(placed))
    def nobody_touches_it_any_more(self, sale: NewOrder) -> None:
        pass

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if hasattr(self, "undo"):
            assert books_are_right()

    @invariant()
    def nothing_leaves_twice(self) -> None:
        if not hasattr(self, "undo"):
            return
        for order in Order.objects.all():
            for row in lines(order.pk):
                sent = sum((x.quantity for x in ShipmentLine.objects.filter(line=row)), Decimal(0))
                assert sent <= row.quantity - row.cancelled or order.is_history
                if row.kind in {"goods", "part"} and order.status in {Status.COMPLETE, Status.CANCELLED}:
                    assert row.quantity == row.cancelled + row.shipped
        for figure in stock.levels(self.mugs):
            assert 0 <= figure.reserved <= figure.on_hand


@pytest.fixture
def _database(db: None) -> Iterator[None]:
    return


@pytest.mark.usefixtures("_database")
def test_orders_and_parcels_in_any_order_of_events() -> None:
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )

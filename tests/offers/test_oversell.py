"""Two shops of different figure kinds sell the same units through the real flows, on random histories with delays and
lost answers: whatever is sold too much is explained by what the shop's figure could not know at that moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from oversell_world import AT, CUPS, Fault, ModelShop, ShopSale, World, connectable

from comptoir.channels.models import Channel, Mode
from comptoir.channels.records import Fate, SaleState
from comptoir.commerce.catalog.models import Kind, KitPart, Product, Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact, Receipt
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.commerce.shipments.models import ShipmentLine
from comptoir.config import bootstrap
from comptoir.engine import flow, queue, runs
from comptoir.engine.models import Flow, RunStatus, Trigger
from comptoir.flows import house
from comptoir.kit import clock, ids, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers.models import Offer, SellingPoint
from comptoir.staging import actions as staging

KINDS = ("pull_sales", "accept_sales", "push_stock", "push_tracking", "push_cancellations")
EFFECTS = ("push_tracking", "push_cancellations")

which = st.integers(0, 1)
listings = st.sampled_from(sorted(CUPS))
few = st.integers(1, 3)
place = st.integers(0, 50)
answers = st.sampled_from([(Fate.DONE, True), (Fate.DONE, True), (Fate.UNKNOWN, True), (Fate.UNKNOWN, False)])
faults = st.sampled_from(
    [(Fate.DONE, True), (Fate.DONE, True), (Fate.UNKNOWN, True), (Fate.UNKNOWN, False), (Fate.CONFLICT, False)]
)


class TwoShops(RuleBasedStateMachine):
    """One shelf, two shops. `World` knows what is true, the shops what they were told, the hub what it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count(1)
        self.undo = ExitStack()
        self.undo.enter_context(transaction.atomic())
        self.undo.callback(transaction.set_rollback, True)
        self.time = clock.ManualClock(AT)
        self.undo.enter_context(clock.using(self.time))
        self.undo.enter_context(queue.without_wakeups())
        self.world = World()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None and self.world.shops:  # every history that went well ends in quiet
                self.settle()
                self.once_everything_is_known_each_shop_offers_just_what_is_free()
        finally:
            self.undo.close()

    @initialize(units=st.integers(3, 9), buffer=st.sampled_from([0, 0, 1]))
    def open(self, units: int, buffer: int) -> None:
        bootstrap.set_up()
        shops = [ModelShop("sells", "sellable", self.world), ModelShop("holds", "physical", self.world)]
        self.undo.enter_context(connectable({shop.name: shop for shop in shops}))
        self.world.shops = shops
        self.buffers = [buffer, 0]
        warehouse = inventory.create_warehouse(f"w-{ids.token()[:8]}", "Shelf", at=AT, actor=SYSTEM)
        self.warehouse = warehouse.pk
        cup = self._variant("CUP")
        self.cup = cup.pk
        mug = self._variant("MUG", kind=Kind.ALIAS, alias_of=cup)
        box = self._variant("BOX", kind=Kind.KIT)
        KitPart.objects.create(kit=box, part=cup, quantity=CUPS["BOX"])
        self.channels = [self._channel(shop, own) for shop, own in zip(shops, self.buffers, strict=True)]
        for channel in self.channels:
            offers.link_listings(
                channel.pk,
                [
                    offers.ListingSeen(one.sku.partition("-")[0], one.pk, one.sku, True)
                    for one in (cup, mug, box)
                ],
                run=None, at=AT,
            )  # fmt: skip
        if units:
            self.receive(units)
        for s in (0, 1):
            self._push(s)

    def _variant(self, code: str, **about: Any) -> Variant:
        page = Product.objects.create(name=code, created_at=AT, changed_at=AT)
        sku = f"{code}-{ids.token()[:8]}"
        return Variant.objects.create(product=page, sku=sku, created_at=AT, changed_at=AT, **about)

    def _channel(self, shop: ModelShop, buffer: int) -> Channel:
        channel = Channel.objects.create(
            name=shop.name, code=f"{shop.name}-{ids.token()[:8].lower()}", kind=shop.name, mode=Mode.PRODUCTION,
            hold_days=3000, webhook_token=ids.token(), created_at=AT,
        )  # fmt: skip
        point = SellingPoint.objects.create(
            channel=channel, external_id="1", name="Shop", figure=shop.figure, buffer=buffer,
            stock_initialised_at=AT - timedelta(days=1),
        )  # fmt: skip
        offers.set_sources(point.pk, [self.warehouse], at=AT)
        flow.ensure_flows(channel.pk, KINDS)
        return channel

    def _run(self, s: int, kind: str) -> None:
        facts = flow.find(kind).facts
        if facts is not None and not facts([self.channels[s].pk]):
            return  # nobody would have started it
        row = Flow.objects.get(channel=self.channels[s], kind=kind)
        run = runs.request(row.pk, Trigger.PERSON, SYSTEM, at=self.time.now())
        assert runs.execute(run, "model") == RunStatus.DONE

    def _pick(self, s: int, n: int, *states: SaleState) -> ShopSale | None:
        some = [sale for sale in self.world.shops[s].sales.values() if sale.state in states]
        return some[n % len(some)] if some else None

    def _order(self, s: int, sale: ShopSale) -> Order | None:
        return Order.objects.filter(channel=self.channels[s].pk, external_id=sale.id).first()

    # What happens in the shops ----------------------------------------------------------------------------------------

    @rule(s=which, listing=listings, quantity=few, is_paid=st.booleans())
    def sell(self, s: int, listing: str, quantity: int, is_paid: bool) -> None:
        """A customer buys, and we read of it at once."""
        self.buy(s, listing, quantity, is_paid, True)

    @rule(s=which, listing=listings, quantity=few, is_paid=st.sampled_from([True, True, False]), is_read=st.booleans())
    def buy(self, s: int, listing: str, quantity: int, is_paid: bool, is_read: bool) -> None:
        """A customer buys what the shop thinks that it has; we may read of it at once."""
        shop = self.world.shops[s]
        quantity = min(quantity, shop.salable(listing))
        if quantity > 0:
            self.world.tale.append(f"{shop.name} sells {quantity} {listing}")
            shop.buy(listing, quantity, is_paid=is_paid)
            if is_read:
                self._learn(s, list(shop.sales)[-1:])

    @rule(s=which, n=place, what=st.sampled_from(["pay", "cancel", "ship"]))
    def change_there(self, s: int, n: int, what: str) -> None:
        """The customer pays or cancels, or somebody ships it with the shop's own screen."""
        {"pay": self.pay, "cancel": self.cancel_there, "ship": self.ship_there}[what](s, n)

    def pay(self, s: int, n: int) -> None:
        if sale := self._pick(s, n, SaleState.UNPAID):
            sale.state = SaleState.PAID

    def cancel_there(self, s: int, n: int) -> None:
        if sale := self._pick(s, n, SaleState.UNPAID, SaleState.PAID):
            self.world.tale.append(f"{self.world.shops[s].name} cancels {sale.id}")
            self.world.shops[s].cancel_there(sale)

    def ship_there(self, s: int, n: int) -> None:
        sale = self._pick(s, n, SaleState.PAID)
        if sale and not sale.left and self.world.on_hand >= sale.quantity * CUPS[sale.listing]:
            self.world.tale.append(f"{self.world.shops[s].name} ships {sale.id}")
            self.world.shops[s].ship_there(sale)

    # What happens on the shelf ----------------------------------------------------------------------------------------

    @rule(quantity=few, is_as_many=st.booleans(), comes=st.booleans())
    def move(self, quantity: int, is_as_many: bool, comes: bool) -> None:
        (self.receive if comes else self.lose)(quantity, is_as_many)

    def receive(self, quantity: int, is_as_many: bool = False) -> None:
        """Goods come in; often just as many as moved last, so that our number looks as if nothing had happened."""
        quantity = self._as_many(quantity) if is_as_many else quantity
        self.world.on_hand += quantity
        self.world.happened(quantity)
        self.world.tale.append(f"{quantity} come in")
        receipt = Receipt(self.cup, self.warehouse, Decimal(quantity), f"in:{ids.token()}")
        inventory.receive([receipt], at=self.time.now(), actor=SYSTEM)

    def lose(self, quantity: int, is_as_many: bool = False) -> None:
        quantity = min(self._as_many(quantity) if is_as_many else quantity, self.world.on_hand)
        if quantity:
            self.world.on_hand -= quantity
            self._book(-quantity)

    def _as_many(self, otherwise: int) -> int:
        return self.world.changes[-1].cups if self.world.changes else otherwise

    def _book(self, cups: int) -> None:
        self.world.happened(abs(cups))
        self.world.tale.append(f"{cups} are booked")
        fact = Fact(self.cup, self.warehouse, Decimal(cups), "damage", f"out:{ids.token()}")
        inventory.book([fact], at=self.time.now(), actor=SYSTEM)

    # What the hub does ------------------------------------------------------------------------------------------------

    @rule(s=which, order=st.randoms(use_true_random=False), share=st.sampled_from([0.4, 1.0]))
    def learn(self, s: int, order: Any, share: float) -> None:
        """Read some sales of a shop, in any order, the first of them twice."""
        shown = [key for key in self.world.shops[s].sales if order.random() < share]
        order.shuffle(shown)
        if shown:
            self._learn(s, shown + shown[:1])

    def _learn(self, s: int, shown: list[str]) -> None:
        self.world.tale.append(f"we read {shown} of {self.world.shops[s].name}")
        self.world.shops[s].shown = shown
        self._run(s, "pull_sales")

    @rule(
        s=which,
        fault=faults,
        other=which,
        listing=listings,
        meanwhile=st.sampled_from(["", "", "buy", "cancel", "lose", "learn"]),
    )
    def push(self, s: int, fault: tuple[Fate, bool], other: int, listing: str, meanwhile: str) -> None:
        """Tell a shop its levels; something may happen before they arrive, and the answer may get lost."""
        happens = {
            "buy": lambda: self.buy(other, listing, 2, is_paid=True, is_read=False),
            "cancel": lambda: self.cancel_there(other, 0),
            "lose": lambda: self.lose(1),
            "learn": lambda: self._learn(1 - s, list(self.world.shops[1 - s].sales)),
        }
        self.world.shops[s].fault = Fault(*fault, meanwhile=happens.get(meanwhile))
        self._push(s)
        self.world.shops[s].fault = Fault()

    def _push(self, s: int) -> None:
        shop, known = self.world.shops[s], set(self.world.known)
        shop.written.clear()
        self._run(s, "push_stock")
        self.world.tale.append(f"we tell {shop.name} {shop.figures}")
        for listing in set(CUPS) - shop.written:
            if self._told(s, listing):  # it stands there already: its figure counts in what we know
                shop.knows[listing] |= known

    def _told(self, s: int, listing: str) -> bool:
        return Offer.objects.filter(
            point__channel=self.channels[s], listing=listing, is_waiting=False, told__isnull=False
        ).exists()

    @rule(s=which, n=place, most=st.sampled_from([0, 1, 9]))
    def serve(self, s: int, n: int, most: int) -> None:
        """We ship an order, wholly or in part, or cancel it."""
        if most:
            self.ship(s, n, most)
        else:
            self.cancel_here(s, n)

    def ship(self, s: int, n: int, most: int) -> None:
        """A parcel of ours leaves with what is reserved, or a part of it."""
        shop = self.world.shops[s]
        sale = self._pick(s, n, SaleState.PAID)
        order = self._order(s, sale) if sale else None
        if sale is None or order is None or order.status != "processing" or order.is_blocked:
            return
        if sale.left and not order.lines.filter(shipped__gt=0).exists():
            return  # it has left there, and we do not know it yet: nobody finds it on the shelf
        reserved = sql.rows(
            "SELECT r.line, r.warehouse_id, r.quantity FROM inventory_reservation r JOIN orders_line l ON l.id = r.line"
            " WHERE l.order_id = %s",
            [order.pk],
        )
        cups = sum(min(int(quantity), most) for _, _, quantity in reserved)
        if not reserved or cups > self.world.on_hand:
            return
        parts = [(line, warehouse, min(quantity, Decimal(most))) for line, warehouse, quantity in reserved]
        parcel = shipments.ship(order.pk, parts, key=ids.token(), at=self.time.now(), actor=SYSTEM)
        left = sum(int(line.quantity) for line in ShipmentLine.objects.filter(shipment=parcel))
        sale.left += left
        self.world.on_hand -= left
        self.world.happened(left)
        self.world.tale.append(f"we ship {left} of {shop.name} {sale.id}")

    def cancel_here(self, s: int, n: int) -> None:
        sale = self._pick(s, n, SaleState.PAID, SaleState.UNPAID)
        order = self._order(s, sale) if sale else None
        if sale is None or order is None or order.status != "processing":
            return
        if order.lines.filter(shipped__gt=0).exists():
            return
        self.world.happened(sale.quantity * CUPS[sale.listing])
        sale.is_cancelled_here = True
        self.world.tale.append(f"we cancel {self.world.shops[s].name} {sale.id}")
        orders.cancel(order.pk, reason="a person says so", at=self.time.now(), actor=SYSTEM)

    @rule(
        s=which,
        kind=st.sampled_from(EFFECTS),
        fault=answers,
    )
    def tell(self, s: int, kind: str, fault: tuple[Fate, bool]) -> None:
        """Parcels or cancellations are told; the answer to the first may get lost."""
        self.world.shops[s].fault = Fault(*fault)
        self._tell(s, kind)
        self.world.shops[s].fault = Fault()

    def _tell(self, s: int, kind: str) -> None:
        shop = self.world.shops[s]
        self.world.tale.append(f"{kind} at {shop.name}")
        self._run(s, kind)
        for (key,) in sql.rows(
            "SELECT p.key FROM engine_effect e JOIN shipments_shipment p ON e.key = 'shipment:' || p.id"
            " WHERE e.channel_id = %s AND e.kind = 'tracking' AND e.state = 'done'",
            [self.channels[s].pk],
        ):
            self.world.confirmed(shop, key)
        for (sale,) in sql.rows(
            "SELECT facts->>'sale' FROM engine_effect WHERE channel_id = %s AND kind = 'cancel' AND state = 'done'",
            [self.channels[s].pk],
        ):
            self.world.learned(shop, {sale})

    def settle(self) -> None:
        """Nothing new for a while: everything is read, told and, where the hub asks for one, decided by a person."""
        for _again in range(2):
            self.time.advance(timedelta(minutes=90))
            for s, shop in enumerate(self.world.shops):
                if shop.sales:
                    self._learn(s, list(shop.sales))
                staging.recheck(self.channels[s], actor=SYSTEM, at=self.time.now())
                self._run(s, "accept_sales")
                self._decide(s)
                for kind in EFFECTS:
                    self._tell(s, kind)
            for s in (0, 1):
                self._push(s)
        assert self._is_quiet(), self.world.tale
        assert {part: found for part, found in house.check_all().items() if found} == {}

    def _decide(self, s: int) -> None:
        for sale in self.world.shops[s].sales.values():
            order = self._order(s, sale)
            if order and sale.state is SaleState.CANCELLED and order.status == "processing":
                orders.cancel_rest(order.pk, reason="they want no more", at=self.time.now(), actor=SYSTEM)
            if sale.is_not_booked:
                self._book(-sale.left)
                sale.is_adjusted = True
                self.world.learned(self.world.shops[s], {sale.id})

    # For histories written by hand

    def learn_all(self) -> None:
        for s, shop in enumerate(self.world.shops):
            if shop.sales:
                self._learn(s, list(shop.sales))

    def push_both(self) -> None:
        for s in (0, 1):
            self._push(s)

    # What must hold ---------------------------------------------------------------------------------------------------

    def _is_quiet(self) -> bool:
        return (
            self.world.is_learned()
            and not sql.value("SELECT EXISTS (SELECT FROM inventory_mark)")
            and not sql.value("SELECT EXISTS (SELECT FROM engine_effect WHERE state IN ('wanted', 'called'))")
            and all(self._told(s, listing) for s in (0, 1) for listing in CUPS)
        )

    @invariant()
    def once_everything_is_known_each_shop_offers_just_what_is_free(self) -> None:
        if not self.world.shops or not self._is_quiet():
            return
        free = max(0, self.world.free)
        for shop, buffer in zip(self.world.shops, self.buffers, strict=True):
            expected = {listing: max(0, free // cups - buffer) for listing, cups in CUPS.items()}
            assert {listing: shop.salable(listing) for listing in CUPS} == expected, (shop.name, self.world.tale)


@pytest.fixture
def two(db: None) -> Iterator[TwoShops]:
    """Six units on the shelf; shop 0 has sellable figures, shop 1 physical ones."""
    machine = TwoShops()
    machine.open(6, 0)
    try:
        yield machine
        machine.settle()
        machine.once_everything_is_known_each_shop_offers_just_what_is_free()
    finally:
        machine.undo.close()


def offered(two: TwoShops, s: int) -> dict[str, int]:
    return {listing: two.world.shops[s].salable(listing) for listing in CUPS}


def test_a_physical_shop_subtracts_what_was_sold_under_one_name_from_that_name_alone(two: TwoShops) -> None:
    two.buy(1, "CUP", 2, is_paid=True, is_read=True)
    two.push_both()
    assert offered(two, 1) == offered(two, 0) == {"CUP": 4, "MUG": 4, "BOX": 2}


def test_a_kit_leaves_a_physical_shop_with_the_news_of_its_parcel(two: TwoShops) -> None:
    two.buy(1, "BOX", 2, is_paid=True, is_read=True)
    two.ship(1, 0, 2)  # one box of the two
    two.push_both()
    assert offered(two, 1) == {"CUP": 2, "MUG": 2, "BOX": 1}
    two.tell(1, "push_tracking", (Fate.DONE, True))
    two.push_both()
    assert offered(two, 1) == {"CUP": 2, "MUG": 2, "BOX": 1}


def test_what_was_cancelled_there_after_a_part_had_left_is_on_sale_once_a_person_lets_it_go(two: TwoShops) -> None:
    two.buy(1, "CUP", 3, is_paid=True, is_read=True)
    two.ship(1, 0, 1)
    two.tell(1, "push_tracking", (Fate.DONE, True))
    two.cancel_there(1, 0)
    two.learn_all()
    two.push_both()
    assert offered(two, 1)["CUP"] == 3  # of five on the shelf, two are still promised here


def test_a_sale_that_left_there_and_waits_for_a_person_is_not_on_sale_again(two: TwoShops) -> None:
    two.buy(1, "CUP", 4, is_paid=True, is_read=False)
    two.buy(0, "CUP", 6, is_paid=True, is_read=True)  # sold too much: nobody knew of the first
    two.ship_there(1, 0)
    two.learn_all()  # the order of the other shop has reserved all: this one cannot be booked out
    two.receive(2)
    two.receive(6)
    two.push_both()
    assert two.world.free == 4
    assert offered(two, 1) == offered(two, 0) == {"CUP": 4, "MUG": 4, "BOX": 2}


def test_while_nobody_knows_whether_the_shop_heard_of_a_parcel_too_few_are_on_sale_rather_than_too_many(
    two: TwoShops,
) -> None:
    two.buy(1, "CUP", 2, is_paid=True, is_read=True)
    two.ship(1, 0, 9)
    two.tell(1, "push_tracking", (Fate.UNKNOWN, True))  # it had heard
    two.push_both()
    assert offered(two, 1)["CUP"] == 4
    two.buy(1, "MUG", 2, is_paid=True, is_read=True)
    two.ship(1, 1, 9)
    two.tell(1, "push_tracking", (Fate.UNKNOWN, False))  # it had not
    two.push_both()
    assert offered(two, 1)["MUG"] == 0


def test_units_that_a_shop_puts_back_when_we_cancel_are_not_on_sale_twice(two: TwoShops) -> None:
    two.buy(0, "CUP", 2, is_paid=True, is_read=True)
    two.cancel_here(0, 0)
    two.push_both()
    two.tell(0, "push_cancellations", (Fate.DONE, True))
    two.push_both()
    assert offered(two, 0)["CUP"] == 6


def test_a_sale_is_no_reason_to_believe_a_figure_because_our_number_has_not_moved(two: TwoShops) -> None:
    two.buy(0, "CUP", 2, is_paid=True, is_read=True)
    two.push_both()
    two.cancel_there(0, 0)
    two.learn_all()
    two.lose(2)  # our number is what it was, theirs is two above
    two.push_both()
    assert offered(two, 0)["CUP"] == 4


@pytest.mark.django_db
def test_what_is_sold_too_much_was_sold_before_the_shop_could_know() -> None:
    run_state_machine_as_test(
        TwoShops,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # shrinking takes minutes; the tale of a failure is short as it is
            report_multiple_bugs=False,
        ),
    )

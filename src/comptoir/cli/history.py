"""A real retail year, day by day through the real flows: what the shop's customers did, what the house did, what came of it.

Everything happens in this process: the simulated shop answers in process, its clock and the hub's are moved together,
and flows are drained at a few moments of each day. docs/explanation/real-year.md says what is played and why.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from datetime import time as hour
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptoir.cli.history_shop import URL, RetailShop
from comptoir.cli.screen import say
from comptoir.kit import clock, heap
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.simulators.retail import records
from comptoir.simulators.retail.file import Kind, UnreadableHistory
from comptoir.simulators.retail.player import RetailYear
from comptoir.simulators.retail.supply import SHOP_ZONE

if TYPE_CHECKING:
    from comptoir.channels.models import Channel
    from comptoir.cli.history_report import Report

CODE = "retail"
MORNING, GOODS_TOLD, NOON, EVENING = hour(5, 10), hour(6, 5), hour(12, 30), hour(20, 30)

#: Schedules that this merchant has set, so that a year takes minutes; flows that wait for facts run as those come.
SCHEDULES = {
    "pull_sales": "30 12,20 * * *",
    "retry_sales": "30 12,20 * * *",
    "pull_products": "5 5 * * *",  # pages are made at five
    "update_products": "15 3 6 * *",
    "update_orders": "0 2 6 * *",
    "check_stock": "30 2 * * 1",
    "check_books": "0 4 * * 1",
}


def play(folder: Path, *, until: str | None) -> dict[str, Any]:
    """Play every `sales-*.csv.gz` of a folder; the report. `balanced` only where everything adds up."""
    from comptoir.cli.history_report import Report
    from comptoir.engine import queue

    began = time.monotonic()
    year = _read(folder, until)
    first = year.catalogue()[0].created_at
    moved = clock.ManualClock(first - timedelta(hours=1))
    shop = RetailShop(moved.now())
    say(f"{len(year.catalogue())} products, {len(year.receipts())} deliveries, from {first:%Y-%m-%d}")
    with clock.using(moved), queue.without_wakeups(), shop.doors(), heap.settled():
        house = House(shop, moved, deque(year.receipts()))
        report = Report(shop)
        for day in year.days():
            report.morning(day)
            house.live(day)
            report.evening(day, house.day)
            _progress(report, began)
        house.close(day.date + timedelta(days=1))
        return report.finish(house.channel, seconds=time.monotonic() - began)


def _read(folder: Path, until: str | None) -> RetailYear:
    files = sorted(folder.glob("sales-*.csv.gz"))
    if not files:
        raise BadInput(
            "no history here", place="--history", value=str(folder), cure="a folder with files called sales-*.csv.gz"
        )
    try:
        last = date.fromisoformat(until) if until else None
    except ValueError as error:
        raise BadInput("not a day", place="--until", value=until, cure="such as 2010-12-14") from error
    year = RetailYear(files, last)
    try:
        if not year.catalogue():
            raise BadInput("nothing was sold", place="--until", value=until or "", cure="a later day")
    except UnreadableHistory as error:
        raise BadInput(str(error), place="--history", value=str(folder), cure="the files as published") from error
    return year


def _progress(report: Report, began: float) -> None:
    today = report.days[-1]
    accepted, units = today["accepted"], today["units"]
    say(
        f"{today['date']}  {today['file']['invoices']:4} invoices  {accepted['orders']:4} accepted"
        f"  {units['shipped']:6} units shipped  {units['closing']:7} in stock  {today['orders_waiting_for_goods']:4} wait"
        f"  {time.monotonic() - began:7.1f} s"
    )


class House:
    """The merchant's people and the hub: they receive goods, correct stock, decide, ship, and let the flows run."""

    def __init__(self, shop: RetailShop, moved: clock.ManualClock, receipts: deque[records.Receipt]) -> None:
        self._shop = shop
        self._clock = moved
        self._receipts = receipts
        self._variants: dict[str, int] = {}
        self._warehouse = 0
        self._channel: Channel | None = None
        self.day: dict[str, Any] = {}

    @property
    def channel(self) -> Channel:
        """The shop as a channel; there is none before the first morning."""
        if self._channel is None:
            raise LookupError("the shop is not connected yet")
        return self._channel

    def live(self, day: records.Day) -> None:
        """One trading day."""
        self.day = {"shipments": 0, "decided": 0, "corrections": 0}
        pages_at = self._at(day.date, MORNING)
        early = [event for event in day.events if event.at < pages_at]
        self._shop.happen(early)
        self._connect_or_look(pages_at)
        self._in_the_warehouse(early)
        self._receive(self._at(day.date, GOODS_TOLD))
        self._look(self._at(day.date, GOODS_TOLD))
        rest = [event for event in day.events if event.at >= pages_at]
        noon = self._at(day.date, NOON)
        evening = max(self._at(day.date, EVENING), day.events[-1].at + timedelta(minutes=10))
        for events, looks_at in (
            ([event for event in rest if event.at <= noon], noon),
            ([event for event in rest if event.at > noon], evening),
        ):
            self._happen(events)
            self._look(looks_at)
        self.day["backordered"] = _waiting_lines()
        self._decide()
        self._ship(day.date)
        self._look(evening + timedelta(minutes=30))

    def close(self, day: date) -> None:
        """The night after the last day: a last look at everything."""
        from comptoir.cli import demo_shop

        self._look(self._at(day, MORNING))
        for kind in ("pull_sales", "check_stock"):
            demo_shop.run_now(self.channel, kind)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _at(self, day: date, when: hour) -> datetime:
        return datetime.combine(day, when, tzinfo=SHOP_ZONE)

    def _move_to(self, at: datetime) -> None:
        if at > self._clock.now():
            self._clock.set(at)
            self._shop.simulator.clock.set(self._clock.now())

    def _look(self, at: datetime, kinds: list[str] | None = None) -> None:
        """Let everything run that is due or has something to do, as workers would."""
        from comptoir.engine import inline

        self._move_to(at)
        inline.drain(self._clock.now(), kinds=kinds)

    # -- the first morning ---------------------------------------------------------------------------------------------

    def _connect_or_look(self, at: datetime) -> None:
        if self._channel is None:
            self._move_to(at)
            self._open()
        else:
            self._look(at)

    def _open(self) -> None:
        """Connect the shop, read it, count its stock (there is none yet) and go live."""
        from django.db import transaction

        from comptoir.channels.channel import note_health
        from comptoir.cli import demo_shop
        from comptoir.commerce.inventory import actions as inventory
        from comptoir.engine import flow
        from comptoir.engine.models import Flow
        from comptoir.flows import connecting

        at = self._clock.now()
        with transaction.atomic():
            row = connecting.connect(
                kind="prestashop",
                name="Retail shop",
                code=CODE,
                config={"url": URL, "key": self._shop.simulator.key},
                actor=SYSTEM,
                at=at,
            )
            for kind, cron in SCHEDULES.items():
                for one in Flow.objects.filter(kind=kind):
                    flow.set_schedule(one.pk, every=None, cron=cron, timezone=str(SHOP_ZONE), at=at)
        seen = connecting.ask_around(row)
        with transaction.atomic():
            connecting.keep_surroundings(row, seen, actor=SYSTEM, at=at)
            note_health(row.pk, None, at=at)
        demo_shop.run_now(row, "pull_products")
        demo_shop.run_now(row, "pull_stock_once")
        with transaction.atomic():
            row.refresh_from_db()
            connecting.go_live(row, actor=SYSTEM, at=at, undecided="here")
            self._warehouse = inventory.default_warehouse().pk
        self._channel = row

    # -- the warehouse -------------------------------------------------------------------------------------------------

    def _variant(self, reference: str) -> int:
        from comptoir.kit import sql

        key = reference.lower()
        if key not in self._variants:
            self._variants.update(sql.rows("SELECT lower(sku), id FROM catalog_variant"))
        return self._variants[key]

    def _receive(self, until: datetime) -> None:
        from django.db import transaction

        from comptoir.commerce.inventory import actions as inventory
        from comptoir.commerce.inventory.records import Receipt

        while self._receipts and self._receipts[0].at <= until:
            arrived = self._receipts.popleft()
            self._move_to(arrived.at)
            with transaction.atomic():
                inventory.receive(
                    [
                        Receipt(
                            self._variant(code), self._warehouse, Decimal(units), f"receipt:{arrived.reference}:{code}"
                        )
                        for code, units in arrived.units.items()
                    ],
                    at=arrived.at,
                    actor=SYSTEM,
                )

    def _happen(self, events: Iterable[records.Event]) -> None:
        """What customers did goes to the shop, what happened in the warehouse or on paper to the hub, in the order of time."""
        for_the_shop: list[records.Event] = []
        for event in events:
            if isinstance(event, records.StockCorrected | records.CancellationWithoutOrigin):
                self._shop.happen(for_the_shop)
                for_the_shop = []
                self._move_to(event.at)
                self._in_the_warehouse([event])
            else:
                for_the_shop.append(event)
        self._shop.happen(for_the_shop)

    def _in_the_warehouse(self, events: Iterable[records.Event]) -> None:
        for event in events:
            if isinstance(event, records.StockCorrected):
                self._correct(event)
            elif isinstance(event, records.CancellationWithoutOrigin):
                self._stage(event)

    def _correct(self, event: records.StockCorrected) -> None:
        """A physical fact: booked whatever we thought was there."""
        from django.db import transaction

        from comptoir.commerce.inventory import actions as inventory
        from comptoir.commerce.inventory.models import Reason
        from comptoir.commerce.inventory.records import Fact

        reason = Reason.DAMAGE if event.quantity < 0 else Reason.ADJUSTMENT
        fact = Fact(
            self._variant(event.page),
            self._warehouse,
            Decimal(event.quantity),
            reason,
            f"correction:{event.reference}",
            event.note,
        )
        with transaction.atomic():
            inventory.book([fact], at=event.happened_at, actor=SYSTEM)
        self.day["corrections"] += 1

    def _stage(self, event: records.CancellationWithoutOrigin) -> None:
        """A cancellation of which nobody knows the sale: a row that a person must look at, never a negative sale."""
        from django.db import transaction

        from comptoir.channels.records import Buyer, LineKind, Rounding, Sale, SaleLine, SaleState
        from comptoir.engine import findings
        from comptoir.engine.models import Severity
        from comptoir.staging import actions as staging

        sale = Sale(
            external_id=event.document,
            number=event.document,
            status="credit",
            status_name="Credit note",
            state=SaleState.PAID,
            placed_at=event.at,
            changed_at=event.at,
            currency=records.CURRENCY,
            total=event.amount,
            rounding=Rounding.TOTAL,
            buyer=Buyer(external_id=event.customer or "", name=f"Customer {event.customer or 'Guest'}"),
            takes_stock=False,
            origin="?",
            lines=tuple(
                SaleLine(
                    external_id=str(place),
                    name=line.description or line.code,
                    sku=line.code,
                    quantity=Decimal(line.quantity),
                    unit_price=line.unit_price,
                    total=line.quantity * line.unit_price,
                    kind=LineKind.GOODS if line.kind is Kind.GOODS else LineKind.TEXT,
                )
                for place, line in enumerate(event.lines, 1)
            ),
        )
        with transaction.atomic():
            staged = staging.stage(self.channel, [sale], raw={}, run=None, actor=SYSTEM, at=event.at)
            findings.report(
                [
                    findings.Report(self.channel.pk, one.code, one.subject, Severity(one.severity), one.facts)
                    for one in staged.findings
                ],
                at=event.at,
            )

    # -- the evening ---------------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """A person looks at orders that the shop changed while they were open: money was paid back for a part of them. The
        file does not say that the goods were given up, so they are sent as ordered."""
        from django.db import transaction

        from comptoir.commerce.orders import actions as orders
        from comptoir.commerce.orders.models import Order, Status
        from comptoir.engine import findings
        from comptoir.staging.models import StagedSale

        at = self._clock.now()
        for order in Order.objects.filter(is_blocked=True, status=Status.PROCESSING).order_by("pk"):
            staged = StagedSale.objects.get(order=order.pk)
            with transaction.atomic():
                orders.keep_ours(order.pk, staged.sale, reason="money given back, goods sent", at=at, actor=SYSTEM)
                findings.close(self.channel.pk, [f"order:{order.pk}"], ["changed_there"], at=at)
            self.day["decided"] += 1

    def _ship(self, day: date) -> None:
        """Whatever is reserved leaves, one parcel an order."""
        from django.db import transaction

        from comptoir.commerce.shipments import actions as shipments
        from comptoir.kit import sql

        at = self._clock.now()
        ready = sql.rows(
            "SELECT o.id, o.carrier FROM orders_order o WHERE o.status = 'processing' AND NOT o.is_blocked"
            ' AND EXISTS (SELECT FROM inventory_reservation r WHERE r."order" = o.id) ORDER BY o.placed_at, o.id'
        )
        for order, carrier in ready:
            with transaction.atomic():
                shipments.ship(
                    order,
                    key=f"{day}:{order}",
                    carrier=carrier,
                    tracking=f"GB{day:%y%m%d}{order:07}",
                    at=at,
                    actor=SYSTEM,
                )
        self.day["shipments"] = len(ready)


def _waiting_lines() -> dict[int, int]:
    """Lines that wait for goods, with their orders."""
    from comptoir.kit import sql

    return dict(sql.rows('SELECT line, "order" FROM inventory_backorder'))

"""One whole round with simulated shops of every kind, without a browser, and what it came to: for CI and for the curious.

Products and pictures in, stock counted with orders in flight, sales in, staged, accepted, reserved, levels pushed to every
shop, one order of each shipped with its tracking number confirmed, stock checked; then everything that must always be true
is verified.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptoir.cli import demo_shop
from comptoir.cli import demo_simulated as simulated
from comptoir.cli.screen import say
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

TRACKING = "JD0146000"
#: What every demo shop sells, counted in pieces: the figures of all of them must agree in the end.
SOLD_EVERYWHERE = ("BAG-040", "BAG-041", "CAN-010", "PAR-100")


def play(folder: Path) -> dict[str, Any]:
    """Do the round; the report. `balanced` only where nothing at all is broken."""
    began = time.monotonic()
    with contextlib.ExitStack() as ends:
        shops: list[simulated.Shop] = []
        for kind in simulated.kinds():
            shops.append(simulated.start(kind, folder / f"{kind}.sqlite"))
            ends.callback(shops[-1].end)
        given = [{"kind": shop.kind, "title": shop.title, **shop.told} for shop in shops]
        pairs = list(zip(demo_shop.connect_all(given, progress=say), shops, strict=True))
        broken = [problem for _row, shop in pairs for problem in _test_mode_wrote_nothing(shop)]
        broken += _first_preview(pairs[0][0])
        say("Customers buy; one order of each shop is shipped")
        for row, shop in pairs:
            broken += _sell_and_ship(row, shop)
        broken += _all_agree(shops)
        say("Comparing stock")
        for row, shop in pairs:
            demo_shop.run_now(row, "check_stock")
            broken += _compare(row, shop)
        broken += books()
        counts = {shop.kind: simulated.ask(shop.url, "counters") for shop in shops}
        return {
            "balanced": not broken,
            "seconds": round(time.monotonic() - began, 1),
            "broken": broken,
            "flows": flows(),
            "orders": orders(),
            "findings": findings(),
            "simulator": {**_together(list(counts.values())), "shops": counts},
        }


def _together(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """The counts of all shops added up."""
    return {
        **{
            name: dict(sum((Counter(one[name]) for one in counts), Counter()))
            for name in ("reads", "writes", "effects")
        },
        **{
            name: sum(one[name] for one in counts) for name in ("requests", "read_total", "write_total", "effect_total")
        },
    }


def _test_mode_wrote_nothing(shop: simulated.Shop) -> list[str]:
    writes = simulated.ask(shop.url, "log")
    return [f"test mode wrote {len(writes)} times to {shop.title}"] if writes else []


def _first_preview(row: Channel) -> list[str]:
    """Right after counting, the shop shows what we would tell, but for what other shops' open orders have reserved."""
    from comptoir.engine.models import PlanRow

    run = demo_shop.run_now(row, "push_stock", preview=True)
    lines = list(PlanRow.objects.filter(run_id=run).values_list("label", "old", "new"))
    unexplained = [line for line in lines if float(line[2] or "inf") > float(line[1] or 0)]
    return [f"the first preview tells more than the shop shows: {unexplained[:5]}"] if unexplained else []


def _sell_and_ship(row: Channel, shop: simulated.Shop) -> list[str]:
    from django.db import transaction

    from comptoir.commerce.orders.models import Order, Status
    from comptoir.commerce.shipments import actions as shipments
    from comptoir.engine import inline

    bought, other = SOLD_EVERYWHERE[:2]
    sale = simulated.trade(shop.url, "buy", lines={bought: 2, other: 2})
    simulated.trade(shop.url, "buy", lines={bought: 2}, paid=False)
    demo_shop.run_now(row, "pull_sales")
    inline.drain(clock.now(), kinds=["accept_sales", "push_stock"])
    order = Order.objects.filter(channel=row.pk, external_id=sale, status=Status.PROCESSING, is_blocked=False).first()
    if order is None:
        return [f"{shop.title}: sale {sale} was not ready to ship"]
    tracking = f"{TRACKING}{row.pk}"
    with transaction.atomic():
        shipments.ship(
            order.pk, key=f"once:{row.pk}", carrier=order.carrier, tracking=tracking, at=clock.now(), actor=SYSTEM
        )
    inline.drain(clock.now(), kinds=["push_tracking", "push_stock"])
    order.refresh_from_db()
    told = simulated.trade(shop.url, "parcels", sale=sale)
    there = simulated.trade(shop.url, "sold")[sale]
    if (order.status, told, there) != (Status.COMPLETE, [tracking], "shipped"):
        return [f"{shop.title} was not told of order {order.number}: {told}, {there}; ours is {order.status}"]
    return []


def _all_agree(shops: list[simulated.Shop]) -> list[str]:
    """One stock: a buyer sees the same figure in every shop."""
    shelves = {shop.title: simulated.trade(shop.url, "shelf") for shop in shops}
    return [
        f"the shops disagree on {sku}: {figures}"
        for sku in SOLD_EVERYWHERE
        if len(set((figures := {title: shelf.get(sku) for title, shelf in shelves.items()}).values())) > 1
    ]


def _compare(row: Channel, shop: simulated.Shop) -> list[str]:
    """What we hold against what the shop holds, by ids and by figures."""
    from comptoir.engine.models import Finding
    from comptoir.offers.models import Offer
    from comptoir.staging.models import StagedSale

    there = set(simulated.trade(shop.url, "sold"))
    here = set(StagedSale.objects.filter(channel=row).values_list("external_id", flat=True))
    broken = [f"sales of {shop.title} missing here: {sorted(there - here)}"] if there - here else []
    waiting = Offer.objects.filter(point__channel=row, is_active=True, is_waiting=True).count()
    if waiting:
        broken.append(f"{waiting} levels of {shop.title} still wait")
    differing = list(
        Finding.objects.filter(channel=row, code="stock_differs", closed_at__isnull=True).values_list(
            "subject", "facts"
        )
    )
    return broken + ([f"stock differs at {shop.title}: {differing}"] if differing else [])


def books() -> list[str]:
    from comptoir.engine.models import Outcome, Run, RunStatus
    from comptoir.flows import house

    broken = [f"{part}: {asdict(one)}" for part, breaches in house.check_all().items() for one in breaches]
    open_or_failed = Run.objects.select_related("flow").exclude(status=RunStatus.DONE)
    broken += [f"run {run.pk} of {run.flow.kind} is {run.status}: {run.error}" for run in open_or_failed]
    unbalanced = Run.objects.select_related("flow").filter(outcome=Outcome.UNBALANCED)
    broken += [f"run {run.pk} of {run.flow.kind} does not balance" for run in unbalanced]
    return broken


def flows() -> dict[str, Any]:
    """Counts by kind of flow, over all its runs."""
    from django.db.models import Count, Sum

    from comptoir.engine.models import Run

    names = ("seen", "created", "changed", "unchanged", "skipped", "parked", "failed")
    rows = (
        Run.objects.values_list("flow__kind")
        .annotate(Count("id"), *(Sum(name) for name in names))
        .order_by("flow__kind")
    )
    return {row[0]: dict(zip(("runs", *names), row[1:], strict=True)) for row in rows}


def orders() -> dict[str, Any]:
    """Orders by status, staged sales by state, reservations and backorders."""
    from comptoir.commerce.inventory.models import Backorder, Reservation
    from comptoir.commerce.orders.models import Order
    from comptoir.staging.models import StagedSale

    return {
        "orders": dict(Counter(Order.objects.values_list("status", flat=True))),
        "staged": dict(Counter(StagedSale.objects.values_list("state", flat=True))),
        "reservations": Reservation.objects.count(),
        "backorders": Backorder.objects.count(),
    }


def findings() -> list[dict[str, Any]]:
    """Open findings by code and severity."""
    from django.db.models import Count

    from comptoir.engine.models import Finding

    rows = (
        Finding.objects.filter(closed_at__isnull=True)
        .values_list("code", "severity")
        .annotate(Count("id"))
        .order_by("code")
    )
    return [{"code": code, "severity": severity, "subjects": subjects} for code, severity, subjects in rows]

"""One whole round with a simulated shop, without a browser, and what it came to: for CI and for the curious.

Products and pictures in, stock counted with orders in flight, sales in, staged, accepted, reserved, levels pushed, one
order shipped with its tracking number confirmed, stock checked; then everything that must always be true is verified.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptoir.cli import demo, demo_shop
from comptoir.cli.screen import say
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

TRACKING = "JD014600003"


def play(folder: Path) -> dict[str, Any]:
    """Do the round; the report. `balanced` only where nothing at all is broken."""
    began = time.monotonic()
    process, url, key = demo.start_shop(folder / "shop.sqlite")
    try:
        row = demo_shop.connect(url, key, progress=say)
        broken = _test_mode_wrote_nothing(url)
        broken += _first_preview(row)
        say("Customers buy; one order is shipped")
        broken += _sell_and_ship(row, url)
        say("Comparing stock")
        demo_shop.run_now(row, "check_stock")
        broken += _compare(row, url)
        broken += books()
        return {
            "balanced": not broken,
            "seconds": round(time.monotonic() - began, 1),
            "broken": broken,
            "flows": flows(),
            "orders": orders(),
            "findings": findings(),
            "simulator": demo.ask_shop(url, "counters"),
        }
    finally:
        process.terminate()
        process.wait()


def _test_mode_wrote_nothing(url: str) -> list[str]:
    writes = demo.ask_shop(url, "log")
    return [f"test mode wrote {len(writes)} times"] if writes else []


def _first_preview(row: Channel) -> list[str]:
    """Right after counting, the shop shows what we would tell: the first difference is empty."""
    from comptoir.engine.models import PlanRow

    run = demo_shop.run_now(row, "push_stock", preview=True)
    lines = list(PlanRow.objects.filter(run_id=run).values_list("label", "old", "new"))
    return [f"the first preview is not empty: {lines[:5]}"] if lines else []


def _sell_and_ship(row: Channel, url: str) -> list[str]:
    from django.db import transaction

    from comptoir.commerce.orders.models import Order, Status
    from comptoir.commerce.shipments import actions as shipments
    from comptoir.engine import inline

    state = demo.ask_shop(url, "state")
    stock = [one for one in state["stock"] if int(one["quantity"]) >= 4 and one["id_product"] <= 20]
    bought = [
        {"product": one["id_product"], "attribute": one["id_product_attribute"], "quantity": 2} for one in stock[:2]
    ]
    demo.act(url, "place_order", lines=bought)
    demo.act(url, "place_order", lines=bought[:1], state="PS_OS_BANKWIRE")
    demo_shop.run_now(row, "pull_sales")
    inline.drain(clock.now(), kinds=["accept_sales", "push_stock"])
    order = (
        Order.objects.filter(channel=row.pk, status=Status.PROCESSING, is_blocked=False).order_by("-placed_at").first()
    )
    if order is None:
        return ["no order was ready to ship"]
    with transaction.atomic():
        shipments.ship(order.pk, key="once", carrier=order.carrier, tracking=TRACKING, at=clock.now(), actor=SYSTEM)
    inline.drain(clock.now(), kinds=["push_tracking", "push_stock"])
    order.refresh_from_db()
    told = [one for one in demo.ask_shop(url, "state")["order_carriers"] if one["tracking_number"] == TRACKING]
    if order.status != Status.COMPLETE or len(told) != 1 or str(told[0]["id_order"]) != order.external_id:
        return [f"the shop was not told of order {order.number}: {told}, ours is {order.status}"]
    return []


def _compare(row: Channel, url: str) -> list[str]:
    """What we hold against what the shop holds, by ids and by figures."""
    from comptoir.engine.models import Finding
    from comptoir.offers.models import Offer
    from comptoir.staging.models import StagedSale

    state = demo.ask_shop(url, "state")
    there = {str(one["id"]) for one in state["orders"]}
    here = set(StagedSale.objects.filter(channel=row).values_list("external_id", flat=True))
    broken = [f"sales missing here: {sorted(there - here)}"] if there - here else []
    waiting = Offer.objects.filter(point__channel=row, is_active=True, is_waiting=True).count()
    if waiting:
        broken.append(f"{waiting} levels still wait")
    differing = list(
        Finding.objects.filter(channel=row, code="stock_differs", closed_at__isnull=True).values_list(
            "subject", "facts"
        )
    )
    return broken + ([f"stock differs: {differing}"] if differing else [])


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

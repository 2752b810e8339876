"""What the hub does for itself, shown as flows of its own pseudo-channel so that there is one place to look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import HUB, Channel, Health, Mode
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import checks as inventory_checks
from comptoir.commerce.orders import checks as order_checks
from comptoir.commerce.shipments import checks as shipment_checks
from comptoir.engine import books as engine_books
from comptoir.engine.flow import HERE, Lane, ensure_flows, flow, hours, minutes
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.flows import alerts, books, reporting, retention
from comptoir.kit import ids
from comptoir.kit.breach import Breach
from comptoir.kit.settings import settings
from comptoir.offers import checks as offer_checks
from comptoir.staging import actions as staging
from comptoir.staging import books as staging_books
from comptoir.webhooks import inbox

AT_ONCE = 500  # sales of files looked at in one step

#: Every part that keeps books, and how it looks them over.
BOOKS: dict[str, Callable[[], list[Breach]]] = {
    "inventory": inventory_checks.check_books,
    "orders": order_checks.check_books,
    "shipments": shipment_checks.check_books,
    "offers": offer_checks.check_books,
    "staging": staging_books.check_books,
    "engine": engine_books.check_books,
    "channels": books.check_books,
}

KINDS = (
    "check_books",
    "expire_holds",
    "spread_changes",
    "forget_deliveries",
    "accept_sales",
    "age_file_sales",
    retention.KIND,
    alerts.KIND,
)


def ensure_hub(*, at: datetime) -> Channel:
    """The hub's own pseudo-channel with its flows; made at first start."""
    row, _made = Channel.objects.get_or_create(
        code=HUB,
        defaults={
            "name": "Comptoir",
            "kind": HUB,
            "mode": Mode.TEST,  # it has nothing to write to
            "health": Health.GOOD,
            "webhook_token": ids.token(),
            "created_at": at,
        },
    )
    ensure_flows(row.pk, KINDS)
    return row


def check_all() -> dict[str, list[Breach]]:
    """Look over the books of every part: what does not hold, by part."""
    return {part: check() for part, check in BOOKS.items()}


@flow("check_books", direction=HERE, title=_("Books"), needs=("hub",), cron="0 4 * * *")
def check_books(run: RunContext, channel: OpenChannel | None) -> None:
    """Verify on live data what must always be true; each breach is an Error."""
    for part, breaches in check_all().items():
        with run.checkpoint():
            run.count(seen=1, unchanged=0 if breaches else 1, failed=1 if breaches else 0)
            if not breaches:
                run.resolved([f"books:{part}"])
            else:
                first = breaches[0]
                run.found(
                    "books_broken", f"books:{part}", Severity.ERROR,
                    breaches=len(breaches), first=first.code, about=first.subject, figures=first.facts,
                )  # fmt: skip


@flow(
    "expire_holds",
    direction=HERE,
    title=_("Units set aside too long"),
    needs=("hub",),
    lane=Lane.LIVE,
    every=minutes(10),
)
def expire_holds(run: RunContext, channel: OpenChannel | None) -> None:
    """Free what unpaid sales have set aside for longer than their channel allows."""
    while True:
        with run.checkpoint():
            freed = inventory.expire_holds(at=run.at, actor=run.actor)
            run.count(seen=len(freed), changed=len(freed))
        if not freed:
            return


@flow(
    "age_file_sales",
    direction=HERE,
    title=_("Unpaid sales of files"),
    needs=("hub",),
    every=hours(1),
)
def age_file_sales(run: RunContext, channel: OpenChannel | None) -> None:
    """Nobody can be asked about sales that came in with a file: those that no later file pays are given up in time."""
    row = Channel.objects.get(pk=run.channel_id)
    while due := staging.due(row.pk, at=run.at, limit=AT_ONCE):
        with run.checkpoint():
            looked = staging.looked(row, due, actor=run.actor, at=run.at)
            run.count(seen=looked.parked + looked.skipped, unchanged=looked.parked, skipped=looked.skipped)
            reporting.report_staged(run, looked)


@flow("forget_deliveries", direction=HERE, title=_("Old deliveries of shops"), needs=("hub",), cron="30 4 * * *")
def forget_deliveries(run: RunContext, channel: OpenChannel | None) -> None:
    """Delete what webhooks brought long ago and was dealt with."""
    gone = inbox.FORGET_AT_ONCE
    while gone == inbox.FORGET_AT_ONCE:
        with run.checkpoint():
            gone = inbox.forget(
                before=run.at - timedelta(days=settings().keep_deliveries_days), limit=inbox.FORGET_AT_ONCE
            )
            run.count(seen=gone, changed=gone)

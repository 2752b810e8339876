"""Suppliers come in, and what they sell: both are read whole, since a shop keeps no dates of their changes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Channel
from comptoir.channels.records import Page, Supplier, SupplierListing
from comptoir.commerce.purchasing import actions as purchasing
from comptoir.commerce.purchasing import queries as bought
from comptoir.commerce.purchasing.records import Became, Imported, SupplierWanted, SupplyWanted
from comptoir.engine.flow import IN, flow
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.flows import reporting
from comptoir.offers import queries as offered

MOST_SHARE = Decimal("0.2")  # of what a channel had that one reading may lack before it is doubted
CODES = ("malformed_row", "unreadable_answer", "unknown_currency")


@flow(
    "pull_suppliers",
    direction=IN,
    title=_("Suppliers"),
    needs=("suppliers",),
    cron="30 4 * * *",
    on_by_default=False,
    replays=True,
)
def pull_suppliers(run: RunContext, channel: OpenChannel | None) -> None:
    """Bring the suppliers of a channel in. What a person here has changed of one stays."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    if not run.state.get("is_complete"):
        for page in channel.client.suppliers.everything(run.state.get("place", {})):
            with run.checkpoint(state={**run.state, **_place(run, page)}):
                _keep_suppliers(run, channel.row, page)
        with run.checkpoint(state={**run.state, "is_complete": True}):
            pass
    _retire_missing(run, channel.ref, "suppliers")


@flow(
    "pull_supplier_links",
    direction=IN,
    title=_("What suppliers sell"),
    needs=("suppliers", "supplier_links"),
    cron="45 4 * * *",
    on_by_default=False,
    replays=True,
)
def pull_supplier_links(run: RunContext, channel: OpenChannel | None) -> None:
    """Bring in what each supplier of a channel calls and charges for its listings, and which is the default one."""
    assert channel is not None  # noqa: S101
    if not run.state.get("is_complete"):
        for page in channel.client.supplier_links.everything(run.state.get("place", {})):
            with run.checkpoint(state={**run.state, **_place(run, page)}):
                _keep_links(run, channel.row, page)
        with run.checkpoint(state={**run.state, "is_complete": True}):
            pass
    _retire_missing(run, channel.ref, "products")


def _place(run: RunContext, page: Page[Supplier] | Page[SupplierListing]) -> dict[str, object]:
    """Where the reading goes on, and whether all of it could be read."""
    return {
        "place": page.cursor,
        "lacks_right": bool(run.state.get("lacks_right")) or any(odd.code == "right_missing" for odd in page.odd),
    }


def _keep_suppliers(run: RunContext, channel: Channel, page: Page[Supplier]) -> None:
    reporting.count_unread(run, page, (one.external_id for one in page.items))
    reporting.report_odd(run, channel, page.odd, [f"supplier:{one.external_id}" for one in page.items], CODES)
    _has_right(run, page, "suppliers")
    found = purchasing.import_suppliers(
        channel.pk,
        [SupplierWanted(one.external_id, one.name, one.enabled, one.email, one.currency) for one in page.items],
        run=run.id,
        at=run.at,
        actor=run.actor,
    )
    _unread_are_there(run, channel.pk, page, [one.external_id for one in page.items], "suppliers")
    _count(run, found)


def _keep_links(run: RunContext, channel: Channel, page: Page[SupplierListing]) -> None:
    reporting.count_unread(run, page, (one.external_id for one in page.items))
    reporting.report_odd(run, channel, page.odd, [f"supplier_link:{one.external_id}" for one in page.items], CODES)
    _has_right(run, page, "product_suppliers")
    suppliers = bought.suppliers_by_link(channel.pk, {one.supplier for one in page.items})
    variants = offered.linked(channel.pk, sorted({listing for one in page.items for listing in one.listings}))
    wanted: list[SupplyWanted] = []
    matched: list[str] = []
    strangers: list[str] = []
    for one in page.items:
        supplier = suppliers.get(one.supplier)
        here = [variants[listing] for listing in one.listings if listing in variants]
        subject = f"supplier_link:{one.external_id}"
        if supplier is None or not here:
            strangers.append(one.external_id)
            if supplier is None:
                run.found("supplier_unknown", subject, Severity.RETRY, supplier=one.supplier, reference=one.reference)
            else:
                listings = ", ".join(one.listings)
                run.found("supplied_unknown", subject, Severity.RETRY, listing=listings, reference=one.reference)
            continue
        matched.append(subject)
        wanted += [
            SupplyWanted(one.external_id, supplier, variant, one.reference, one.price, one.currency, one.is_default)
            for variant in here
        ]
    run.resolved(matched, codes=("supplier_unknown", "supplied_unknown"))
    run.count(seen=len(strangers), parked=len(strangers))
    found = purchasing.import_products(channel.pk, wanted, run=run.id, at=run.at, actor=run.actor)
    known = [one.key for one in wanted]
    _unread_are_there(run, channel.pk, page, known, "products")
    _count(run, found)


def _unread_are_there(
    run: RunContext, channel: int, page: Page[Supplier] | Page[SupplierListing], read: Sequence[str], what: str
) -> None:
    """What was on the wire and could not be read or matched is not missing there."""
    purchasing.seen(channel, run.id, set(page.seen) - set(read), what=what)


def _has_right(run: RunContext, page: Page[Supplier] | Page[SupplierListing], resource: str) -> None:
    if not any(odd.code == "right_missing" for odd in page.odd):
        run.resolved([f"shop:{resource}"], codes=("right_missing",))


def _count(run: RunContext, found: Imported) -> None:
    run.count(
        seen=len(found.outcomes),
        created=found.count(Became.CREATED),
        changed=found.count(Became.CHANGED),
        unchanged=found.count(Became.UNCHANGED),
    )


def _retire_missing(run: RunContext, channel: int, what: str) -> None:
    """What a complete reading did not hold is marked as gone there, unless that is too much to be believed."""
    if run.state.get("lacks_right"):
        return  # nothing was read, so nothing is missing
    subject = f"channel:{channel}:{what}"
    with run.checkpoint():
        missing, total = purchasing.retire_missing(channel, run.id, what=what, most_share=MOST_SHARE, at=run.at)
        if missing > 1 and missing > MOST_SHARE * total:
            run.found("suppliers_shrank", subject, Severity.ERROR, missing=missing, of=total)
        else:
            run.resolved([subject], codes=("suppliers_shrank",))

"""Sales come in: new and changed ones, unpaid ones looked at again, open orders followed, ready ones accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Channel
from comptoir.channels.records import Named, Page, Sale
from comptoir.engine.flow import HERE, IN, Lane, flow, hours, minutes
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.flows import following, reporting
from comptoir.kit import clock, sql
from comptoir.offers import actions as offers
from comptoir.staging import accept as acceptance
from comptoir.staging import actions as staging

FETCH = 50  # sales asked for by id in one go


@flow(
    "pull_sales",
    direction=IN,
    title=_("New and changed orders"),
    needs=("sales",),
    lane=Lane.LIVE,
    every=minutes(5),
    replays=True,
)
def pull_sales(run: RunContext, channel: OpenChannel | None) -> None:
    """Bring every new or changed sale of a channel into staging, and accept what is ready."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    is_first = True
    for asked_at, page in asked(channel.client.sales.changed_since(run.cursor, start=channel.row.sales_from)):
        with run.checkpoint(page.cursor):
            if is_first:
                reporting.clock_is_right(run, "sale")
                is_first = False
            keep_sales(run, channel.row, page, asked_at)
        accept_ready(run, channel.row)


@flow(
    "retry_sales",
    direction=IN,
    title=_("Unpaid orders, looked at again"),
    needs=("sales",),
    lane=Lane.LIVE,
    every=hours(1),
    replays=True,
)
def retry_sales(run: RunContext, channel: OpenChannel | None) -> None:
    """Ask for sales that were not paid or valid yet: hourly at first, then daily, then given up."""
    assert channel is not None  # noqa: S101
    while ids := staging.due(channel.ref, at=run.at, limit=FETCH):
        asked_at = clock.now()
        page = channel.client.sales.fetch(ids)
        with run.checkpoint():
            keep_sales(run, channel.row, page, asked_at)
            reporting.report_staged(run, staging.looked(channel.row, ids, actor=run.actor, at=run.at))
            for gone in sorted(set(ids) - set(page.seen)):
                run.found("sale_gone", f"sale:{gone}", Severity.INFO)
        accept_ready(run, channel.row)


@flow(
    "update_orders",
    direction=IN,
    title=_("Status of open orders"),
    needs=("sales",),
    every=hours(1),
    replays=True,
)
def update_orders(run: RunContext, channel: OpenChannel | None) -> None:
    """Ask for every order that is open here, since a shop's own list of changes may have passed one over."""
    assert channel is not None  # noqa: S101
    after = int(run.state.get("after", 0))
    while open_ones := _open_orders(channel.ref, after):
        asked_at = clock.now()
        page = channel.client.sales.fetch([external_id for _, external_id in open_ones])
        after = open_ones[-1][0]
        with run.checkpoint(state={"after": after}):
            keep_sales(run, channel.row, page, asked_at)
            _report_gone(run, channel.ref, open_ones, set(page.seen))
        accept_ready(run, channel.row)


def _report_gone(run: RunContext, channel: int, asked_for: Sequence[tuple[int, str]], seen: set[str]) -> None:
    """Orders of ours that the shop does not have any more: said once, since what a person closed by hand stays so."""
    run.resolved([f"order:{order}" for order, sale in asked_for if sale in seen], codes=("order_gone_there",))
    gone = {f"order:{order}": sale for order, sale in asked_for if sale not in seen}
    if not gone:
        return
    said = sql.rows(
        "SELECT subject FROM engine_finding WHERE channel_id = %s AND code = 'order_gone_there' AND subject = ANY(%s)"
        " AND (closed_at IS NULL OR closed_by <> '')",
        [channel, list(gone)],
    )
    for subject in gone.keys() - {row[0] for row in said}:
        run.found("order_gone_there", subject, Severity.ERROR, sale=gone[subject])


def _open_orders(channel: int, after: int) -> list[tuple[int, str]]:
    rows = sql.rows(
        "SELECT id, external_id FROM orders_order WHERE channel = %s AND id > %s"
        " AND status IN ('pending', 'processing', 'on_hold') ORDER BY id LIMIT %s",
        [channel, after, FETCH],
    )
    return [(row[0], row[1]) for row in rows]


@flow(
    "accept_sales",
    direction=HERE,
    title=_("Accept staged orders"),
    needs=("sales",),
    lane=Lane.LIVE,
    facts=acceptance.channels_ready,
)
def accept_sales(run: RunContext, channel: OpenChannel | None) -> None:
    """Accept what is ready: by itself, or because a person said yes."""
    row = Channel.objects.get(pk=run.channel_id)
    accept_ready(run, row, counted=True)


def asked(pages: Iterable[Page[Sale]]) -> Iterator[tuple[datetime, Page[Sale]]]:
    """Each page with the instant before it was asked for."""
    coming = iter(pages)
    while True:
        asked_at = clock.now()
        try:
            page = next(coming)
        except StopIteration:
            return
        yield asked_at, page


def keep_sales(run: RunContext, channel: Channel, page: Page[Sale], asked_at: datetime) -> None:
    """Stage a page and follow what changed in orders that are here already; within a checkpoint."""
    reporting.count_unread(run, page, (sale.external_id for sale in page.items))
    reporting.report_odd(
        run, channel, page.odd, [f"sale:{sale.external_id}" for sale in page.items], reporting.SALE_CODES
    )
    staged = staging.stage(channel, page.items, raw=page.raw, run=run.id, actor=run.actor, at=run.at, asked_at=asked_at)
    run.count(
        seen=len({sale.external_id for sale in page.items}),
        created=staged.created,
        changed=staged.changed,
        unchanged=staged.unchanged,
        skipped=staged.skipped,
        parked=staged.parked,
    )
    reporting.report_staged(run, staged)
    following.follow(run, channel, staged.follow)
    _meet_payments(channel.pk, page.items, run.at)


def _meet_payments(channel: int, sales: Sequence[Sale], at: datetime) -> None:
    """Remember payment methods met for the first time: few channels list them, and people map what sales name."""
    met = {
        paid.method[:120]: (paid.label or paid.method)[:160] for sale in sales for paid in sale.payments if paid.method
    }
    known = sql.rows(
        "SELECT external_id FROM offers_mapping WHERE channel_id = %s AND kind = 'payment' AND external_id = ANY(%s)",
        [channel, sorted(met)],
    )
    if new := sorted(met.keys() - {row[0] for row in known}):
        offers.see(channel, "payment", [Named(external_id=method, name=met[method]) for method in new], at=at)


def accept_ready(run: RunContext, channel: Channel, *, counted: bool = False) -> None:
    """Accept until nothing is ready; a page a step. Sales that a pull has counted are not counted again."""
    while True:
        with run.checkpoint():
            accepted = acceptance.accept(channel, actor=run.actor, at=run.at)
            if counted:
                run.count(seen=accepted.looked_at, created=len(accepted.placed), parked=accepted.back_to_repair)
            run.resolved(accepted.resolved)
            for one in accepted.findings:
                run.found(one.code, one.subject, Severity(one.severity), **one.facts)
        if accepted.looked_at < acceptance.PAGE:
            return


def fetch_sales(run: RunContext, channel: OpenChannel, external_ids: Sequence[str]) -> set[str]:
    """Fetch and keep these sales, within steps of their own; the ids that the channel knew."""
    known: set[str] = set()
    for start in range(0, len(external_ids), FETCH):
        asked_at = clock.now()
        page = channel.client.sales.fetch(external_ids[start : start + FETCH])
        with run.checkpoint():
            keep_sales(run, channel.row, page, asked_at)
        known.update(page.seen)
    accept_ready(run, channel.row)
    return known

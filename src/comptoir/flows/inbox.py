"""Hints from channels become fetched things: what a webhook says is never believed, only looked up."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.engine.flow import IN, Lane, flow
from comptoir.engine.runs import RunContext
from comptoir.flows.products import keep_products, report_odd
from comptoir.flows.sales import fetch_sales
from comptoir.kit import sql
from comptoir.offers import actions as offers
from comptoir.webhooks import inbox

BATCH = 200


@flow(
    "drain_inbox",
    direction=IN,
    title=_("Hints from the shop"),
    needs=("webhooks",),
    lane=Lane.LIVE,
    facts=inbox.channels_due,
    linger=1.0,
    replays=True,
)
def drain_inbox(run: RunContext, channel: OpenChannel | None) -> None:
    """Fetch what deliveries speak of, each thing once however many speak of it."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    while due := inbox.due(channel.ref, BATCH):
        by_topic: dict[str, list[str]] = {}
        for delivery in due:
            by_topic.setdefault(delivery.topic, []).append(delivery.external_id)
        if sales := list(dict.fromkeys(by_topic.get("sale", ()))):
            fetch_sales(run, channel, sales)
        if channel.client.products is not None and (products := list(dict.fromkeys(by_topic.get("product", ())))):
            page = channel.client.products.fetch(products)
            with run.checkpoint():
                report_odd(run, page)
                keep_products(run, channel.row, page.items)
        with run.checkpoint():
            # Somebody changed a figure there: what we told is no longer believed.
            offers.forget_told(channel.ref, _listings(channel.ref, by_topic.get("stock", ())), at=run.at)
            inbox.drained([one for delivery in due for one in delivery.deliveries], at=run.at)


def _listings(channel: int, told: list[str] | tuple[str, ...]) -> list[str]:
    """Listings meant by a hint, which may name the listing or its product."""
    return [
        row[0]
        for row in sql.rows(
            "SELECT external_id FROM offers_link WHERE channel_id = %s AND kind = 'listing'"
            " AND (external_id = ANY(%s) OR split_part(external_id, '-', 1) = ANY(%s))",
            [channel, list(told), list(told)],
        )
    ]

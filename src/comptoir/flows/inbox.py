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
                report_odd(run, channel.row, page)
                keep_products(run, channel.row, page.items)
        changed = _changed_figures(channel, list(dict.fromkeys(by_topic.get("stock", ()))))
        with run.checkpoint():
            # Somebody changed a figure there: what we told is no longer believed.
            offers.forget_told(channel.ref, changed, at=run.at)
            inbox.drained([one for delivery in due for one in delivery.deliveries], at=run.at)


def _changed_figures(channel: OpenChannel, told: list[str]) -> list[str]:
    """Listings meant by hints of stock whose figure is not what we told: a hint may be the echo of our own push. It names the
    listing, its product, or what the figure is written by."""
    found = (
        sql.rows(
            "SELECT external_id, '' FROM offers_link WHERE channel_id = %(channel)s AND kind = 'listing'"
            " AND (external_id = ANY(%(told)s) OR split_part(external_id, '-', 1) = ANY(%(told)s))"
            " UNION SELECT o.listing, o.ref FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
            " WHERE p.channel_id = %(channel)s AND o.ref = ANY(%(told)s)",
            {"channel": channel.ref, "told": told},
        )
        if told
        else []
    )
    listings = sorted({row[0] for row in found})
    if channel.client.stock is None or not listings:
        return listings
    refs = sql.rows(
        "SELECT o.ref, o.listing FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
        " WHERE p.channel_id = %s AND o.listing = ANY(%s)",
        [channel.ref, listings],
    )
    known = [ref for ref, _listing in refs if ref]
    unknown = {
        listing for ref, listing in refs if not ref
    }  # never told, or told by other means: nothing to compare with
    return (
        sorted({*offers.surprising(channel.ref, channel.client.stock.fetch(known).items), *unknown})
        if known
        else listings
    )

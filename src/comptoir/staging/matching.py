"""What must be known to examine a page of sales, gathered in a few statements for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from comptoir.channels.records import Sale
from comptoir.commerce.orders import rounding
from comptoir.kit import sql
from comptoir.offers import queries as offers
from comptoir.staging.checks import Known


def gather(channel: int, sales: Sequence[Sale]) -> Known:
    """Links, SKUs, barcodes, points and mappings that this page could need."""
    listings = sorted({line.listing for sale in sales for line in sale.lines if line.listing})
    skus = sorted({line.sku.lower() for sale in sales for line in sale.lines if line.sku})
    barcodes = sorted({line.barcode for sale in sales for line in sale.lines if line.barcode})
    by_listing = offers.linked(channel, listings)
    by_sku: dict[str, int] = dict(
        sql.rows("SELECT lower(sku), id FROM catalog_variant WHERE lower(sku) = ANY(%s)", [skus]) if skus else []
    )
    remembered = sql.rows(
        "SELECT lower(external_id), ours::bigint FROM offers_mapping WHERE channel_id = %s AND kind = 'sku' AND ours <> ''"
        " AND lower(external_id) = ANY(%s)",
        [channel, skus],
    )
    by_sku.update(remembered)  # what a person said of this channel's SKU goes before a SKU of ours that looks alike
    by_barcode: dict[str, int] = dict(
        sql.rows("SELECT code, variant_id FROM catalog_barcode WHERE code = ANY(%s)", [barcodes]) if barcodes else []
    )
    variants = sorted({*by_listing.values(), *by_sku.values(), *by_barcode.values()})
    points = offers.points(channel)
    return Known(
        by_listing=by_listing,
        by_sku=by_sku,
        by_barcode=by_barcode,
        doubtful={
            row[0]
            for row in sql.rows(
                "SELECT substr(subject, 9) FROM engine_finding WHERE channel_id = %s AND code = 'duplicate_sku'"
                " AND closed_at IS NULL AND subject = ANY(%s)"
                # What a person set apart is nothing of ours, whatever its SKU.
                " UNION ALL SELECT external_id FROM offers_listed WHERE channel_id = %s AND decided = 'apart'"
                " AND external_id = ANY(%s)",
                [
                    channel,
                    [f"listing:{listing}" for listing in listings if listing not in by_listing],
                    channel,
                    listings,
                ],
            )
        },
        hollow={
            row[0]
            for row in sql.rows(
                "SELECT v.id FROM catalog_variant v JOIN catalog_variant m ON m.id = coalesce(v.alias_of_id, v.id)"
                " WHERE v.id = ANY(%s) AND m.kind = 'kit' AND NOT EXISTS (SELECT FROM catalog_kitpart WHERE kit_id = m.id)",
                [variants],
            )
        },
        units=dict(sql.rows("SELECT id, unit FROM catalog_variant WHERE id = ANY(%s)", [variants]) if variants else []),
        points=points,
        counting_since=dict(
            sql.rows("SELECT id, stock_initialised_at FROM offers_sellingpoint WHERE channel_id = %s", [channel])
        ),
        statuses=offers.mapped(channel, "status"),
        carriers=offers.mapped(channel, "carrier"),
        explain=explained,
    )


def explained(sale: Sale) -> Decimal | None:
    """The difference between the channel's total and its parts where its rounding mode explains it; None where not."""
    found = rounding.explain(
        sale.total, sale.lines, [charge.amount for charge in sale.charges], sale.currency, sale.rounding.value
    )
    return found.difference if isinstance(found, rounding.Explained) else None

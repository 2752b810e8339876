"""Reading the catalogue, a page of ids at a time."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal

from comptoir.commerce.catalog.records import Found, VariantSummary
from comptoir.kit import sql
from comptoir.kit.errors import BadInput

SHORTEST_SEARCH = 3
MOST_FOUND = 1000


def expand(variants: Collection[int]) -> dict[int, list[tuple[int, Decimal]]]:
    """What each variant takes from stock: a kit its parts, an alias its master, a simple one itself. An alias of a kit
    takes the kit's parts. What is not stocked takes nothing."""
    expanded: dict[int, list[tuple[int, Decimal]]] = {variant: [] for variant in variants}
    for variant, stocked, quantity in sql.rows(
        """
        SELECT asked.id, stocked.id, COALESCE(part.quantity, 1)
        FROM catalog_variant AS asked
        JOIN catalog_variant AS master ON master.id = COALESCE(asked.alias_of_id, asked.id)
        LEFT JOIN catalog_kitpart AS part ON master.kind = 'kit' AND part.kit_id = master.id
        JOIN catalog_variant AS stocked ON stocked.id = CASE master.kind WHEN 'kit' THEN part.part_id ELSE master.id END
        WHERE asked.id = ANY (%s) AND stocked.is_stocked
        ORDER BY asked.id, part.id
        """,
        [list(variants)],
    ):
        expanded[variant].append((stocked, quantity))
    return expanded


def affected_by(variants: Collection[int]) -> dict[int, set[int]]:
    """Whose availability depends on each of these stocked variants: itself, kits with it as a part, aliases of any of them."""
    affected: dict[int, set[int]] = {variant: {variant} for variant in variants}
    for stocked, dependent in sql.rows(
        """
        WITH direct AS (
            SELECT asked.id AS stocked, asked.id AS dependent FROM unnest(%s::bigint[]) AS asked (id)
            UNION SELECT part.part_id, part.kit_id FROM catalog_kitpart AS part WHERE part.part_id = ANY (%s)
        )
        SELECT stocked, dependent FROM direct
        UNION SELECT direct.stocked, alias.id FROM direct JOIN catalog_variant AS alias ON alias.alias_of_id = direct.dependent
        """,
        [list(variants), list(variants)],
    ):
        affected[stocked].add(dependent)
    return affected


def by_sku(skus: Collection[str]) -> dict[str, int]:
    """Given SKU -> variant, whatever the case; unknown ones are left out."""
    return dict(
        sql.rows(
            "SELECT asked.sku, variant.id FROM unnest(%s::text[]) AS asked (sku)"
            " JOIN catalog_variant AS variant ON lower(variant.sku) = lower(asked.sku)",
            [list(skus)],
        )
    )


def by_barcode(barcodes: Collection[str]) -> dict[str, int]:
    """Barcode -> variant; unknown ones are left out."""
    return dict(sql.rows("SELECT code, variant_id FROM catalog_barcode WHERE code = ANY (%s)", [list(barcodes)]))


def summaries(variants: Collection[int]) -> dict[int, VariantSummary]:
    """These variants as lists show them."""
    return {
        number: VariantSummary(number, product, sku, name, json.loads(options), *rest)
        for number, product, sku, name, options, *rest in sql.rows(
            """
            SELECT variant.id, product.id, variant.sku, product.name, variant.options, variant.kind, variant.unit,
                   variant.is_stocked, variant.enabled, variant.retired_at IS NOT NULL
            FROM catalog_variant AS variant JOIN catalog_product AS product ON product.id = variant.product_id
            WHERE variant.id = ANY (%s)
            """,
            [list(variants)],
        )
    }


def search(text: str) -> Found:
    """Variants whose SKU, product name or barcode holds `text`, at most a thousand; best matched by SKU first."""
    wanted = text.strip().lower()
    if len(wanted) < SHORTEST_SEARCH:
        raise BadInput(
            f"a search needs {SHORTEST_SEARCH} characters", place="search", value=text, cure="type some more"
        )
    like = "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found = [
        variant
        for (variant,) in sql.rows(
            """
            SELECT id FROM (
                (SELECT id, 0 AS rank FROM catalog_variant WHERE lower(sku) = %(wanted)s)
                UNION ALL (SELECT variant_id, 1 FROM catalog_barcode WHERE code = %(wanted)s)
                UNION ALL (SELECT id, 2 FROM catalog_variant WHERE lower(sku) LIKE %(like)s LIMIT %(most)s)
                UNION ALL (SELECT variant.id, 3 FROM catalog_product AS product
                           JOIN catalog_variant AS variant ON variant.product_id = product.id
                           WHERE lower(product.name) LIKE %(like)s LIMIT %(most)s)
            ) AS found GROUP BY id ORDER BY min(rank), id LIMIT %(most)s
            """,
            {"wanted": wanted, "like": like, "most": MOST_FOUND + 1},
        )
    ]
    return Found(tuple(found[:MOST_FOUND]), len(found) > MOST_FOUND)

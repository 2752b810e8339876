"""Reading suppliers and what they sell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from comptoir.kit import sql


def suppliers_by_link(channel: int, external_ids: Collection[str]) -> dict[str, int]:
    """Our supplier by the id that a channel gives it; unknown ones are left out."""
    return dict(
        sql.rows(
            "SELECT external_id, supplier_id FROM purchasing_supplierlink WHERE channel = %s AND external_id = ANY(%s)",
            [channel, sorted(external_ids)],
        )
    )


@dataclass(frozen=True, slots=True)
class Supply:
    """One supplier of a variant."""

    id: int
    supplier: int
    code: str
    name: str
    enabled: bool
    reference: str
    price: Decimal | None
    currency: str
    pack_units: Decimal
    minimum: Decimal
    is_primary: bool
    gone_at: datetime | None


def suppliers_of(variant: int) -> list[Supply]:
    """Who sells a variant, the primary one first."""
    return [
        Supply(*row)
        for row in sql.rows(
            "SELECT p.id, s.id, s.code, s.name, s.enabled, p.reference, p.price, p.currency, p.pack_units, p.minimum,"
            " p.is_primary, p.gone_at FROM purchasing_supplierproduct p JOIN purchasing_supplier s ON s.id = p.supplier_id"
            " WHERE p.variant_id = %s ORDER BY NOT p.is_primary, s.name, p.id",
            [variant],
        )
    ]


def counts(suppliers: Collection[int], *, most: int) -> dict[int, int]:
    """How many variants each of these sells; of each, counting stops at `most`."""
    return dict(
        sql.rows(
            "SELECT id, (SELECT count(*) FROM (SELECT FROM purchasing_supplierproduct WHERE supplier_id = asked.id LIMIT %s)"
            " AS met) FROM unnest(%s::bigint[]) AS asked (id)",
            [most, sorted(suppliers)],
        )
    )

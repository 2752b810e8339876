"""What other settings of a selling point would make of its levels: computed as they would be, and undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from comptoir.kit import sql
from comptoir.offers import actions, queries

STEP = 5_000  # offers computed in one statement
MOST = 200_000  # offers looked at: who has more is told so


@dataclass(frozen=True, slots=True)
class Changed:
    """A level before and after."""

    sku: str
    listing: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """How many levels of a point would be others, and the first of them."""

    looked_at: int
    is_cut: bool
    changed: int
    to_zero: int
    first: tuple[Changed, ...]


def levels_if(
    point: int,
    *,
    warehouses: Sequence[int],
    buffer: Decimal,
    minimum: Decimal,
    maximum: Decimal | None,
    shown: int = 50,
) -> Difference:
    """What `set_sources` and `set_limits` would change. Refuses what they refuse; nothing stays."""
    ids = [
        row[0]
        for row in sql.rows(
            "SELECT id FROM offers_offer WHERE point_id = %s AND is_active ORDER BY id LIMIT %s", [point, MOST + 1]
        )
    ]
    with transaction.atomic():
        before = _levels(ids[:MOST])
        actions.place_sources(point, warehouses)
        actions.place_limits(point, buffer=buffer, minimum=minimum, maximum=maximum)
        found = [
            (level, was) for level in _levels(ids[:MOST]).values() if (was := before[level.offer].level) != level.level
        ]
        transaction.set_rollback(True)
    first = found[:shown]
    skus: dict[int, str] = dict(
        sql.rows("SELECT id, sku FROM catalog_variant WHERE id = ANY(%s)", [[level.variant for level, _was in first]])
    )
    return Difference(
        looked_at=min(len(ids), MOST),
        is_cut=len(ids) > MOST,
        changed=len(found),
        to_zero=sum(not level.level for level, _was in found),
        first=tuple(Changed(skus[level.variant], level.listing, was, level.level) for level, was in first),
    )


def _levels(ids: Sequence[int]) -> dict[int, queries.Level]:
    return {
        level.offer: level for start in range(0, len(ids), STEP) for level in queries.levels(ids[start : start + STEP])
    }

"""Small makers of what catalogue tests need."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.catalog import actions
from comptoir.commerce.catalog.records import ProductWanted, Upserted, VariantWanted
from comptoir.kit.actor import SYSTEM

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP, OTHER_SHOP = 3, 4


def listing(sku: str, key: str = "", **fields: Any) -> VariantWanted:
    """A listing of a shop."""
    return VariantWanted(key or f"l:{sku}", sku, **fields)


def page(*variants: VariantWanted, key: str = "p:1", name: str = "Mug", **fields: Any) -> ProductWanted:
    """A product page of a shop."""
    return ProductWanted(key, name, variants, **fields)


def bring_in(*products: ProductWanted, channel: int = SHOP) -> Upserted:
    """A page of products comes in."""
    return actions.upsert_products(channel, products, at=NOON, actor=SYSTEM)


def problems(outcome: Upserted) -> list[tuple[str, str]]:
    """What was untidy: code and key."""
    return [(problem.code, problem.key) for problem in outcome.problems]


def one(outcome: Upserted) -> int:
    """The id of the only variant."""
    (answer,) = outcome.variants.values()
    assert answer.id is not None
    return answer.id


EUROS = Decimal("8.333333")

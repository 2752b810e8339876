"""Levels: what is on hand, promised, set aside and available, by variant and warehouse."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Lower
from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import needs
from comptoir.api.pages import Asked, Number, Page, page
from comptoir.commerce.inventory.models import Level, Warehouse

router = Router(tags=["levels"], auth=needs(Scope.STOCK_READ))


class LevelOut(Schema):
    """A variant's stock in one warehouse. Available = on hand - reserved - held; below zero where more is held than is left."""

    variant: int
    sku: str
    warehouse: str
    on_hand: Number
    reserved: Number
    held: Number
    available: Number


@router.get("/levels", response=Page[LevelOut], summary="Levels, by id; kits and aliases have none of their own")
def levels(
    request: HttpRequest,
    place: Asked,
    sku: str | None = None,
    variant: int | None = None,
    warehouse: str | None = None,
) -> dict[str, Any]:
    rows = Level.objects.select_related("variant", "warehouse")
    if sku is not None:
        rows = rows.annotate(sku_in_lower_case=Lower("variant__sku")).filter(sku_in_lower_case=sku.lower())
    if variant is not None:
        rows = rows.filter(variant_id=variant)
    if warehouse is not None:
        rows = rows.filter(warehouse__in=list(Warehouse.objects.filter(code=warehouse).values_list("pk", flat=True)))
    return page(rows, ("id",), place, _shown)


def _shown(row: Level) -> dict[str, Any]:
    return {
        "variant": row.variant_id,
        "sku": row.variant.sku,
        "warehouse": row.warehouse.code,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "held": row.held,
        "available": row.on_hand - row.reserved - row.held,
    }

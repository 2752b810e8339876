"""Variants and their prices."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import needs
from comptoir.api.errors import NotThere
from comptoir.api.pages import Asked, Moment, Number, Page, page
from comptoir.commerce.catalog.models import Variant

router = Router(tags=["variants"], auth=needs(Scope.CATALOG_READ))


class PriceOut(Schema):
    """What it costs in one list."""

    price_list: str
    currency: str
    tax_included: bool
    amount: Number


class PartOut(Schema):
    """What is in a kit."""

    variant: int
    quantity: Number


class VariantOut(Schema):
    """What is stocked and counted."""

    id: int
    sku: str
    kind: str
    alias_of: int | None
    product: int
    name: str
    options: dict[str, Any]
    unit: str
    weight: Number | None
    barcodes: list[str]
    prices: list[PriceOut]
    parts: list[PartOut]
    is_stocked: bool
    enabled: bool
    discontinued: bool
    retired_at: Moment | None
    changed_at: Moment


@router.get("/variants", response=Page[VariantOut], summary="Variants, by id")
def variants(
    request: HttpRequest, place: Asked, sku: str | None = None, barcode: str | None = None, product: int | None = None
) -> dict[str, Any]:
    rows = _whole()
    if sku is not None:
        rows = rows.annotate(sku_in_lower_case=Lower("sku")).filter(sku_in_lower_case=sku.lower())
    if barcode is not None:
        rows = rows.filter(barcodes__code=barcode)
    if product is not None:
        rows = rows.filter(product_id=product)
    return page(rows, ("id",), place, _shown)


@router.get("/variants/{id}", response=VariantOut, summary="One variant")
def variant(request: HttpRequest, id: int) -> dict[str, Any]:
    row = _whole().filter(pk=id).first()
    if row is None:
        raise NotThere("there is no such variant")
    return _shown(row)


def _whole() -> QuerySet[Variant]:
    return Variant.objects.select_related("product").prefetch_related("barcodes", "prices__price_list", "parts")


def _shown(row: Variant) -> dict[str, Any]:
    return {
        "id": row.pk,
        "sku": row.sku,
        "kind": row.kind,
        "alias_of": row.alias_of_id,
        "product": row.product_id,
        "name": row.product.name,
        "options": row.options,
        "unit": row.unit,
        "weight": row.weight,
        "barcodes": sorted(barcode.code for barcode in row.barcodes.all()),
        "prices": [
            {
                "price_list": price.price_list.code,
                "currency": price.price_list.currency,
                "tax_included": price.price_list.tax_included,
                "amount": price.amount,
            }
            for price in row.prices.all()
        ],
        "parts": [{"variant": part.part_id, "quantity": part.quantity} for part in row.parts.all()],
        "is_stocked": row.is_stocked,
        "enabled": row.enabled,
        "discontinued": row.discontinued,
        "retired_at": row.retired_at,
        "changed_at": row.changed_at,
    }

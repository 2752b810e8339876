"""Suppliers and what they sell; prices by list."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Lower
from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import needs
from comptoir.api.errors import NotThere
from comptoir.api.pages import Asked, Moment, Number, Page, page
from comptoir.commerce.catalog.models import Price, PriceList
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct

router = Router(tags=["purchasing"])


class SupplierOut(Schema):
    """Somebody who sells to us."""

    id: int
    code: str
    name: str
    email: str
    currency: str
    lead_days: int | None
    minimum_order: Number | None
    notes: str
    enabled: bool
    changed_at: Moment


class SupplierProductOut(Schema):
    """A variant as a supplier sells it. `price` is of one unit, without tax."""

    id: int
    supplier: int
    supplier_code: str
    variant: int
    sku: str
    reference: str
    price: Number | None
    currency: str
    pack_units: Number
    minimum: Number
    is_primary: bool
    gone_at: Moment | None
    changed_at: Moment


class PriceListOut(Schema):
    """Prices of one currency, all with tax or all without."""

    code: str
    name: str
    currency: str
    tax_included: bool


class PriceInListOut(Schema):
    """What a variant costs in a list; six decimals are kept."""

    price_list: str
    variant: int
    sku: str
    amount: Number
    currency: str
    tax_included: bool


@router.get("/suppliers", response=Page[SupplierOut], auth=needs(Scope.PURCHASING_READ), summary="Suppliers, by id")
def suppliers(
    request: HttpRequest, place: Asked, code: str | None = None, enabled: bool | None = None
) -> dict[str, Any]:
    rows = Supplier.objects.all()
    if code is not None:
        rows = rows.annotate(code_in_lower_case=Lower("code")).filter(code_in_lower_case=code.lower())
    if enabled is not None:
        rows = rows.filter(enabled=enabled)
    return page(rows, ("id",), place, _supplier)


@router.get("/suppliers/{id}", response=SupplierOut, auth=needs(Scope.PURCHASING_READ), summary="One supplier")
def supplier(request: HttpRequest, id: int) -> dict[str, Any]:
    row = Supplier.objects.filter(pk=id).first()
    if row is None:
        raise NotThere("there is no such supplier")
    return _supplier(row)


@router.get(
    "/supplier-products",
    response=Page[SupplierProductOut],
    auth=needs(Scope.PURCHASING_READ),
    summary="What suppliers sell, by id",
)
def supplier_products(
    request: HttpRequest, place: Asked, supplier: int | None = None, variant: int | None = None, sku: str | None = None
) -> dict[str, Any]:
    rows = SupplierProduct.objects.select_related("supplier", "variant")
    if supplier is not None:
        rows = rows.filter(supplier_id=supplier)
    if variant is not None:
        rows = rows.filter(variant_id=variant)
    if sku is not None:
        rows = rows.annotate(sku_in_lower_case=Lower("variant__sku")).filter(sku_in_lower_case=sku.lower())
    return page(rows, ("id",), place, _product)


@router.get("/price-lists", response=list[PriceListOut], auth=needs(Scope.CATALOG_READ), summary="Every list of prices")
def price_lists(request: HttpRequest) -> list[dict[str, Any]]:
    names = tuple(PriceListOut.model_fields)
    return list(PriceList.objects.order_by("id").values(*names))


@router.get(
    "/price-lists/{code}/prices",
    response=Page[PriceInListOut],
    auth=needs(Scope.CATALOG_READ),
    summary="The prices of a list, by id",
)
def prices(request: HttpRequest, place: Asked, code: str, sku: str | None = None) -> dict[str, Any]:
    of = PriceList.objects.filter(code=code).first()
    if of is None:
        raise NotThere("there is no such list of prices")
    rows = Price.objects.filter(price_list=of).select_related("variant", "price_list")
    if sku is not None:
        rows = rows.annotate(sku_in_lower_case=Lower("variant__sku")).filter(sku_in_lower_case=sku.lower())
    return page(rows, ("id",), place, _price)


def _supplier(row: Supplier) -> dict[str, Any]:
    return {name: getattr(row, "pk" if name == "id" else name) for name in SupplierOut.model_fields}


def _product(row: SupplierProduct) -> dict[str, Any]:
    plain = ("reference", "price", "currency", "pack_units", "minimum", "is_primary", "gone_at", "changed_at")
    return {
        "id": row.pk,
        "supplier": row.supplier_id,
        "supplier_code": row.supplier.code,
        "variant": row.variant_id,
        "sku": row.variant.sku,
        **{name: getattr(row, name) for name in plain},
    }


def _price(row: Price) -> dict[str, Any]:
    return {
        "price_list": row.price_list.code,
        "variant": row.variant_id,
        "sku": row.variant.sku,
        "amount": row.amount,
        "currency": row.price_list.currency,
        "tax_included": row.price_list.tax_included,
    }

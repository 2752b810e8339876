"""Purchasing: suppliers, one of them with what it sells, and the files of both."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as __
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.records import Found
from comptoir.commerce.purchasing import actions, queries
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.kit import clock
from comptoir.web import answers, cells, exports, lists
from comptoir.web.inventory import known, variants_by_code
from comptoir.web.prices import exact


def _state(row: Supplier) -> str:
    return cells.badge("good", __("Active")) if row.enabled else cells.badge("closed", __("Off"))


def _search(text: str) -> Found:
    rows = Supplier.objects.alias(lower_name=Lower("name"), lower_code=Lower("code"))
    wanted = text.lower()
    return lists.bounded(rows.filter(Q(lower_name__contains=wanted) | Q(lower_code__contains=wanted)))


SUPPLIERS = lists.Listing(
    columns=(
        lists.Column(
            __("Supplier"), lambda r: cells.two(cells.link(reverse("supplier", args=[r.pk]), r.name), r.code), "a"
        ),
        lists.Column(__("State"), _state, "b"),
        lists.Column(__("E-mail"), lambda r: r.email or cells.NOTHING, "c"),
        lists.Column(__("Currency"), lambda r: r.currency or cells.NOTHING),
        lists.Column(
            __("Lead time"), lambda r: cells.NOTHING if r.lead_days is None else cells.duration(r.lead_days * 86400)
        ),
        lists.Column(__("Known at"), lambda r: cells.name(", ".join(r.known_at))),
        lists.Column(__("Products"), lambda r: lists.counted(r.sells), "d", is_number=True),
    ),
    sorts=(
        lists.Sort("name", __("By name"), ("name", "id")),
        lists.Sort("newest", __("Newest first"), ("-id",)),
    ),
    filters=(
        lists.Filter(
            "state",
            __("Every state"),
            lambda: [("on", __("Active")), ("off", __("Off"))],
            lambda rows, v: rows.filter(enabled=v == "on"),
        ),
    ),
    search=_search,
    search_hint=__("Name or code"),
    empty=lists.Empty(
        __("No suppliers yet"),
        __("They come from a shop that keeps them, with the flow “Suppliers”, or are written down here."),
    ),
    fill=lambda rows: _fill_suppliers(rows),
)


def _fill_suppliers(rows: Sequence[Supplier]) -> None:
    sells = queries.counts([row.pk for row in rows], most=lists.COUNT_TO + 1)
    names = _known_at([row.pk for row in rows])
    for row in rows:
        row.sells = sells.get(row.pk, 0)  # type: ignore[attr-defined]
        row.known_at = names.get(row.pk, [])  # type: ignore[attr-defined]


def _known_at(suppliers: Sequence[int]) -> dict[int, list[str]]:
    """The channels that have these suppliers too."""
    links = list(
        Supplier.objects.filter(pk__in=suppliers, links__gone_at__isnull=True)
        .values_list("pk", "links__channel")
        .distinct()
    )
    names = dict(Channel.objects.filter(pk__in={channel for _pk, channel in links}).values_list("pk", "name"))
    found: dict[int, list[str]] = {}
    for pk, channel in links:
        if channel in names:
            found.setdefault(pk, []).append(names[channel])
    return found


def _price(row: SupplierProduct) -> str:
    return exact(row.price, row.currency)


def _which(row: SupplierProduct) -> str:
    if row.gone_at is not None:
        return cells.badge("closed", __("Gone at the shop"))
    return cells.badge("good", __("Primary")) if row.is_primary else cells.badge("plain", __("Also"))


PRODUCTS = lists.Listing(
    columns=(
        lists.Column("SKU", lambda r: cells.link(reverse("supplier_product", args=[r.pk]), r.variant.sku), "a"),
        lists.Column(__("Product"), lambda r: cells.name(r.variant.product.name), "c"),
        lists.Column(__("Its reference"), lambda r: cells.name(r.reference)),
        lists.Column(__("Buying price"), _price, "b", is_number=True),
        lists.Column(__("Units per pack"), lambda r: cells.quantity(r.pack_units), is_number=True),
        lists.Column(__("At least"), lambda r: cells.quantity(r.minimum), is_number=True),
        lists.Column(__("Supplier"), _which, "d"),
    ),
    sorts=(
        lists.Sort("first", __("Oldest first"), ("supplier_id", "id")),
        lists.Sort("last", __("Newest first"), ("-supplier_id", "-id")),
    ),
    search=catalog.search,
    found_in="variant",
    search_hint=__("SKU, barcode or name"),
    empty=lists.Empty(
        __("It sells nothing of yours yet"),
        __("What it sells comes from a shop, with the flow “What suppliers sell”, or is written down here."),
    ),
)


@require_GET
@needs(Right.SEE_PURCHASING)
def suppliers(request: PersonRequest) -> HttpResponse:
    """The list."""
    return render(request, "purchasing/suppliers.html", {"list": SUPPLIERS.show(request, Supplier.objects.all())})


@require_GET
@needs(Right.SEE_PURCHASING)
def supplier(request: PersonRequest, pk: int) -> HttpResponse:
    """One of them, and what it sells."""
    it = get_object_or_404(Supplier, pk=pk)
    rows = SupplierProduct.objects.filter(supplier__gte=pk, supplier__lte=pk).select_related("variant__product")
    context = {
        "supplier": it,
        "minimum": exact(it.minimum_order, it.currency),
        "known_at": _known_at([pk]).get(pk, []),
        "list": PRODUCTS.show(request, rows),
    }
    return render(request, "purchasing/supplier.html", context)


class SupplierForm(forms.Form):
    """What is written down of a supplier."""

    name = forms.CharField(label=__("Name"), max_length=120)
    code = forms.CharField(
        label=__("Code"), max_length=40, required=False, help_text=__("for files and papers; empty: made of the name")
    )
    email = forms.EmailField(label=__("E-mail"), required=False, help_text=__("where orders go"))
    currency = forms.CharField(label=__("Currency"), max_length=3, required=False, help_text=__("of its prices: EUR"))
    lead_days = forms.IntegerField(
        label=__("Lead time, days"), min_value=0, max_value=actions.LONGEST_LEAD, required=False,
        help_text=__("from the order to the arrival"),
    )  # fmt: skip
    minimum_order = forms.DecimalField(
        label=__("Minimum order"), max_digits=14, decimal_places=6, min_value=Decimal(0), required=False, localize=True,
        help_text=__("in its currency"),
    )  # fmt: skip
    notes = forms.CharField(label=__("Notes"), max_length=10_000, required=False, widget=forms.Textarea)
    enabled = forms.BooleanField(label=__("Something may be bought there"), required=False, initial=True)


@needs(Right.CHANGE_PURCHASING)
def new_supplier(request: PersonRequest) -> HttpResponse:
    """Write one down."""
    form = SupplierForm(request.POST or None)
    made = None
    if form.is_valid():
        with answers.attempt(request, _("Saved.")):
            made = actions.create_supplier(**form.cleaned_data, at=clock.now(), actor=answers.actor(request.user))
    if made is not None:
        return redirect("supplier", made.pk)
    return render(request, "purchasing/edit.html", {"form": form, "title": _("A new supplier"), "supplier": None})


@needs(Right.CHANGE_PURCHASING)
def edit_supplier(request: PersonRequest, pk: int) -> HttpResponse:
    """Change what is written down; what a person changed is not written over by a shop."""
    it = get_object_or_404(Supplier, pk=pk)
    known_now = {name: getattr(it, name) for name in SupplierForm.base_fields}
    form = SupplierForm(request.POST or None, initial=known_now)
    is_saved = False
    if form.is_valid():
        with answers.attempt(request, _("Saved.")):
            given = {**form.cleaned_data, "code": form.cleaned_data["code"] or it.code}
            actions.edit_supplier(pk, **given, at=clock.now(), actor=answers.actor(request.user))
            is_saved = True
    if is_saved:
        return redirect("supplier", pk)
    return render(request, "purchasing/edit.html", {"form": form, "title": it.name, "supplier": it})


class ProductForm(forms.Form):
    """What a supplier calls and charges for one thing."""

    reference = forms.CharField(label=__("Its reference"), max_length=80, required=False)
    price = forms.DecimalField(
        label=__("Buying price"), max_digits=14, decimal_places=6, min_value=Decimal(0), required=False, localize=True,
        help_text=__("of one unit, without tax"),
    )  # fmt: skip
    currency = forms.CharField(
        label=__("Currency"), max_length=3, required=False, help_text=__("empty: that of the supplier")
    )
    pack_units = forms.DecimalField(
        label=__("Units per pack"),
        max_digits=12,
        decimal_places=3,
        min_value=Decimal("0.001"),
        initial=1,
        localize=True,
    )
    minimum = forms.DecimalField(
        label=__("At least"), max_digits=12, decimal_places=3, min_value=Decimal(0), initial=0, localize=True,
        help_text=__("units in one order"),
    )  # fmt: skip
    is_primary = forms.BooleanField(label=__("Primary supplier of it"), required=False)


class NewProductForm(ProductForm):
    """The same, for a variant that is named first."""

    sku = forms.CharField(label=__("SKU or barcode"), max_length=80)
    field_order = ("sku",)


@needs(Right.CHANGE_PURCHASING)
def add_product(request: PersonRequest, pk: int) -> HttpResponse:
    """Write down that it sells a variant."""
    it = get_object_or_404(Supplier, pk=pk)
    form = NewProductForm(request.POST or None, initial={"currency": it.currency, "sku": request.GET.get("sku", "")})
    is_saved = False
    if form.is_valid():
        with answers.attempt(request, _("Saved.")):
            given = dict(form.cleaned_data)
            sku = given.pop("sku").strip()
            variant = known(variants_by_code([sku]), sku, "SKU")
            given["is_primary"] = given["is_primary"] or None  # the first one is the primary one anyway
            actions.link_product(pk, variant, **given, at=clock.now(), actor=answers.actor(request.user))
            is_saved = True
    if is_saved:
        return redirect("supplier", pk)
    return render(request, "purchasing/product.html", {"form": form, "supplier": it, "product": None})


def _typed(value: Any) -> Any:
    """A value as somebody would type it: figures without the zeros that say nothing, still figures, so that the field writes
    them in the language that it will read."""
    return Decimal(f"{value.normalize():f}") if isinstance(value, Decimal) else value


@needs(Right.SEE_PURCHASING)
def product(request: PersonRequest, pk: int) -> HttpResponseBase:
    """What it calls and charges for one thing; whoever may changes it here."""
    it = get_object_or_404(SupplierProduct.objects.select_related("supplier", "variant__product"), pk=pk)
    form = ProductForm(
        request.POST or None, initial={name: _typed(getattr(it, name)) for name in ProductForm.base_fields}
    )
    if request.method == "POST":
        return _save_product(request, it, form)
    return render(request, "purchasing/product.html", {"form": form, "supplier": it.supplier, "product": it})


@needs(Right.CHANGE_PURCHASING)
def _save_product(request: PersonRequest, it: SupplierProduct, form: ProductForm) -> HttpResponse:
    is_saved = False
    if form.is_valid():
        with answers.attempt(request, _("Saved.")):
            actions.edit_product(it.pk, **form.cleaned_data, at=clock.now(), actor=answers.actor(request.user))
            is_saved = True
    if is_saved:
        return redirect("supplier", it.supplier_id)
    return render(request, "purchasing/product.html", {"form": form, "supplier": it.supplier, "product": it})


@require_POST
@needs(Right.CHANGE_PURCHASING)
def remove_product(request: PersonRequest, pk: int) -> HttpResponse:
    """It sells this no longer."""
    it = get_object_or_404(SupplierProduct, pk=pk)
    with answers.attempt(request, _("Removed.")):
        actions.unlink_product(pk, at=clock.now(), actor=answers.actor(request.user))
    return redirect("supplier", it.supplier_id)


@require_GET
@needs(Right.SEE_PURCHASING)
def export_suppliers(request: PersonRequest) -> HttpResponse:
    """All suppliers as a file."""
    query = (
        f"SELECT {exports.cell('code')} AS code, {exports.cell('name')} AS name, {exports.cell('email')} AS email, currency,"
        " lead_days, minimum_order, enabled FROM purchasing_supplier ORDER BY name, id"
    )
    return exports.csv("suppliers.csv", query, [])


@require_GET
@needs(Right.SEE_PURCHASING)
def export_products(request: PersonRequest) -> HttpResponse:
    """What suppliers sell as a file: of one of them, or of all."""
    text = request.GET.get("supplier", "")
    only = int(text) if text.isdigit() and len(text) < 18 else None
    query = (
        f"SELECT {exports.cell('s.code')} AS supplier, {exports.cell('v.sku')} AS sku, {exports.cell('p.reference')} AS reference,"
        " p.price, p.currency, p.pack_units, p.minimum, p.is_primary FROM purchasing_supplierproduct p"
        " JOIN purchasing_supplier s ON s.id = p.supplier_id JOIN catalog_variant v ON v.id = p.variant_id"
        " WHERE %s::bigint IS NULL OR p.supplier_id = %s::bigint ORDER BY s.code, v.sku"
    )
    return exports.csv("supplier-products.csv", query, [only, only])

"""Variants: the list, and one variant with where it stands, what each channel was told and why, and its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Sum
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Kind, Variant
from comptoir.commerce.inventory.models import Backorder, Hold, Level, Movement, Reservation, Warehouse
from comptoir.commerce.orders.models import Order
from comptoir.commerce.purchasing import queries as purchasing
from comptoir.kit.money import ZERO
from comptoir.offers import queries as offers
from comptoir.web import cells, lists, prices, words

LEDGER = 25
CAUSES = 25  # orders and sales that are shown behind a figure: of more the page says so


def _state(variant: Variant) -> str:
    if variant.retired_at:
        return cells.badge("closed", _("Retired"))
    if not variant.enabled:
        return cells.badge("closed", _("Off sale"))
    return cells.badge("done", _("On sale"))


def _quantity(name: str) -> Any:
    return lambda variant: cells.quantity(variant.stock.get(name, ZERO) if variant.kind == Kind.SIMPLE else None)


_COUNTED = {"kind": Kind.SIMPLE, "is_stocked": True}  # the others stand on no shelf

STATES = {
    "sale": (_("On sale"), lambda rows: rows.filter(enabled=True, retired_at__isnull=True)),
    "off": (_("Off sale"), lambda rows: rows.filter(enabled=False)),
    "retired": (_("Retired"), lambda rows: rows.filter(retired_at__isnull=False)),
}
STOCK = {
    "some": (_("In stock"), lambda rows: rows.filter(**_COUNTED)),
    "none": (_("Nothing on hand"), lambda rows: rows.filter(**_COUNTED)),
    "backorder": (_("Backordered"), lambda rows: rows.filter(Exists(Backorder.objects.filter(variant=OuterRef("pk"))))),
}
# Without the OFFSET it becomes a join, for which all levels are read.
_HAS_STOCK = "EXISTS (SELECT FROM inventory_level level WHERE level.variant_id = {row}.id AND level.has_stock OFFSET 0)"
_STOCK_PROBES = {"some": _HAS_STOCK, "none": f"NOT {_HAS_STOCK}"}

VARIANTS = lists.Listing(
    columns=(
        lists.Column("SKU", lambda v: cells.link(reverse("variant", args=[v.pk]), v.sku), "a"),
        lists.Column(_("Product"), lambda v: cells.two(cells.name(v.product.name), options(v)), "c"),
        lists.Column(_("Kind"), lambda v: words.of(Kind, v.kind)),
        lists.Column(_("State"), _state),
        lists.Column(_("On hand"), _quantity("on_hand"), "b", is_number=True),
        lists.Column(_("Reserved"), _quantity("reserved"), is_number=True),
        lists.Column(_("Held"), _quantity("held"), is_number=True),
        lists.Column(_("Available"), _quantity("available"), "d", is_number=True),
    ),
    sorts=(
        lists.Sort("sku", _("By SKU"), ("sku_in_lower_case",)),
        lists.Sort("newest", _("Newest first"), ("-id",)),
    ),
    filters=(
        lists.Filter("kind", _("Every kind"), lambda: words.choices(Kind), lambda rows, v: rows.filter(kind=v)),
        lists.Filter(
            "state",
            _("Every state"),
            lambda: [(k, w) for k, (w, _n) in STATES.items()],
            lambda rows, v: STATES[v][1](rows),
        ),
        lists.Filter(
            "stock",
            _("Any stock"),
            lambda: [(k, w) for k, (w, _n) in STOCK.items()],
            lambda rows, v: STOCK[v][1](rows),
            probe=lambda v: _STOCK_PROBES.get(v, ""),
            count_to=lists.PROBED_TO,
        ),
    ),
    search=catalog.search,
    search_hint=_("SKU, barcode or name"),
    empty=lists.Empty(
        _("No products yet"),
        _("Products come from the channel that owns them, or from a file. Connect a channel and run its product flow."),
        "channels",
        _("Open channels"),
    ),
    fill=lambda rows: _fill_stock(rows),
)


def options(variant: Variant) -> str:
    """ "Size: M, Colour: red"."""
    return ", ".join(f"{name}: {value}" for name, value in variant.options.items())


def _fill_stock(rows: Sequence[Variant]) -> None:
    stock: dict[int, dict[str, Decimal]] = {}
    levels = Level.objects.filter(variant__in=rows).values("variant")
    for level in levels.annotate(on=Sum("on_hand"), re=Sum("reserved"), he=Sum("held")):
        on, reserved, held = level["on"], level["re"], level["he"]
        figures = {"on_hand": on, "reserved": reserved, "held": held, "available": on - reserved - held}
        stock[level["variant"]] = figures
    for row in rows:
        row.stock = stock.get(row.pk, {})  # type: ignore[attr-defined]


@require_GET
@needs(Right.SEE_CATALOG)
def variants(request: PersonRequest) -> HttpResponse:
    """The list."""
    rows = Variant.objects.select_related("product").annotate(sku_in_lower_case=Lower("sku"))
    shown = VARIANTS.show(request, rows)
    return render(request, "variants/list.html", {"list": shown})


@require_GET
@needs(Right.SEE_CATALOG)
def variant(request: PersonRequest, pk: int) -> HttpResponse:
    """What it is, where it stands, and why each channel shows what it shows."""
    it = get_object_or_404(Variant.objects.select_related("product__brand", "alias_of"), pk=pk)
    counted = it.alias_of_id or it.pk
    promises = list(
        Reservation.objects.filter(variant=counted)
        .select_related("warehouse")
        .order_by("placed_at", "line")[: CAUSES + 1]
    )
    waits = list(Backorder.objects.filter(variant=counted).order_by("placed_at", "line")[: CAUSES + 1])
    holds = list(Hold.objects.filter(variant=counted).select_related("warehouse").order_by("until", "id")[: CAUSES + 1])
    numbers = order_numbers([row.order for row in promises] + [row.order for row in waits])
    for promise in promises:
        promise.number = numbers.get(promise.order, "")  # type: ignore[attr-defined]
    for wait in waits:
        wait.number = numbers.get(wait.order, "")  # type: ignore[attr-defined]
    context = {
        "variant": it,
        "options": options(it),
        "is_counted": it.is_stocked and it.kind == Kind.SIMPLE,
        "levels": _levels(counted, promises),
        "explained": offers.explain(it.pk),
        "promises": promises[:CAUSES],
        "waits": waits[:CAUSES],
        "holds": holds[:CAUSES],
        "causes": CAUSES,
        "cut": {
            name for name, rows in (("promises", promises), ("waits", waits), ("holds", holds)) if len(rows) > CAUSES
        },
        "ledger": _ledger(counted),
        "parts": list(it.parts.select_related("part__product").order_by("id")),
        "supplies": [
            {"supply": one, "price": prices.exact(one.price, one.currency)} for one in purchasing.suppliers_of(it.pk)
        ],
        **prices.of_variant(it),
    }
    return render(request, "variants/variant.html", context)


def order_numbers(ids: Sequence[int]) -> dict[int, str]:
    """Numbers of orders by id, in one query."""
    return dict(Order.objects.filter(pk__in=set(ids)).values_list("pk", "number")) if ids else {}


def _levels(variant: int, promises: Sequence[Reservation]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    known = {level.warehouse_id: level for level in Level.objects.filter(variant=variant)}
    for warehouse in Warehouse.objects.order_by("position", "id"):
        level = known.get(warehouse.pk)
        if level is None and not warehouse.is_active:
            continue
        on, reserved, held = (level.on_hand, level.reserved, level.held) if level else (ZERO, ZERO, ZERO)
        mine = [promise for promise in promises if promise.warehouse_id == warehouse.pk]
        rows.append(
            {
                "warehouse": warehouse,
                "on_hand": on,
                "reserved": reserved,
                "held": held,
                "available": on - reserved - held,
                "promises": mine,
            }
        )
    totals = {key: sum((row[key] for row in rows), ZERO) for key in ("on_hand", "reserved", "held", "available")}
    return {"rows": rows, "totals": totals}


def _ledger(variant: int) -> list[dict[str, Any]]:
    """The newest movements with the balance after each: today's on hand, walked backwards."""
    balance: Decimal = Level.objects.filter(variant=variant).aggregate(n=Sum("on_hand"))["n"] or ZERO
    rows: list[dict[str, Any]] = []
    movements = Movement.objects.filter(variant=variant).select_related("from_warehouse", "to_warehouse")
    for movement in movements.order_by("-id")[:LEDGER]:
        came = movement.quantity if movement.to_warehouse_id else ZERO
        went = movement.quantity if movement.from_warehouse_id else ZERO
        rows.append({"movement": movement, "change": came - went, "balance": balance})
        balance -= came - went
    return rows

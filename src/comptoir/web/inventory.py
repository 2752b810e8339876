"""Inventory: levels, movements, receiving and adjusting."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import F, OrderBy
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as __
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.records import Found
from comptoir.commerce.inventory import actions
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.models import Level, Movement, Reason, Warehouse
from comptoir.commerce.inventory.records import Fact, Receipt
from comptoir.kit import clock, ids
from comptoir.kit.errors import BadInput
from comptoir.web import answers, cells, flow_words, lists, words

TYPED_ROWS = 6
CSV_ROWS = 20_000


def _warehouses() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in Warehouse.objects.order_by("position", "id").values_list("pk", "name")]


def _variant_cell(row: Any) -> str:
    return cells.link(reverse("variant", args=[row.variant_id]), row.variant.sku)


STOCK = {
    "some": (__("In stock"), lambda rows: rows.filter(has_stock=True)),
    "reserved": (__("With reservations"), lambda rows: rows.filter(has_reserved=True)),
    "over": (__("Nothing available"), lambda rows: rows.filter(is_used_up=True)),
}

LEVELS = lists.Listing(
    columns=(
        lists.Column("SKU", _variant_cell, "a"),
        lists.Column(__("Product"), lambda r: cells.name(r.variant.product.name), "c"),
        lists.Column(__("Warehouse"), lambda r: cells.name(r.warehouse.name)),
        lists.Column(__("On hand"), lambda r: cells.quantity(r.on_hand), "b", is_number=True),
        lists.Column(__("Reserved"), lambda r: cells.quantity(r.reserved), is_number=True),
        lists.Column(__("Held"), lambda r: cells.quantity(r.held), is_number=True),
        lists.Column(__("Available"), lambda r: cells.quantity(r.on_hand - r.reserved - r.held), "d", is_number=True),
    ),
    sorts=(
        lists.Sort("first", __("First counted first"), ("id",)),
        lists.Sort("last", __("Last counted first"), ("-id",)),
    ),
    filters=(
        lists.Filter(
            "warehouse",
            __("Every warehouse"),
            _warehouses,
            lambda rows, v: lists.alike(rows, warehouse_id=int(v)),
            leads=lambda goes_down: OrderBy(F("warehouse_id"), descending=goes_down),
        ),
        lists.Filter(
            "stock",
            __("Any stock"),
            lambda: [(k, w) for k, (w, _n) in STOCK.items()],
            lambda rows, v: STOCK[v][1](rows),
        ),
    ),
    search=catalog.search,
    found_in="variant",
    search_hint=__("SKU, barcode or name"),
    empty=lists.Empty(
        __("Nothing is counted yet"),
        __("Levels begin with the opening stock of a channel, or with goods that you receive."),
        "receive",
        __("Receive goods"),
    ),
)

MOVEMENTS = lists.Listing(
    columns=(
        lists.Column(__("When"), lambda m: cells.moment(m.at), "d"),
        lists.Column("SKU", _variant_cell, "a"),
        lists.Column(__("Why"), lambda m: cells.two(words.of(Reason, m.reason), m.comment or m.reference), "c"),
        lists.Column(__("From"), lambda m: cells.name(m.from_warehouse.name if m.from_warehouse else "")),
        lists.Column(__("To"), lambda m: cells.name(m.to_warehouse.name if m.to_warehouse else "")),
        lists.Column(__("Who"), lambda m: cells.name(flow_words.who(m))),
        lists.Column(__("Quantity"), lambda m: cells.quantity(m.quantity), "b", is_number=True),
    ),
    sorts=(
        lists.Sort("newest", __("Newest first"), ("-at", "-id")),
        lists.Sort("oldest", __("Oldest first"), ("at", "id")),
    ),
    filters=(
        lists.Filter(
            "reason", __("Every reason"), lambda: words.choices(Reason), lambda rows, v: rows.filter(reason=v)
        ),
    ),
    search=lambda text: _search_movements(text),
    search_hint=__("SKU, barcode or name"),
    empty=lists.Empty(
        __("Nothing has moved yet"),
        __("Every unit that comes, goes or is corrected leaves a line here for ever."),
        "receive",
        __("Receive goods"),
    ),
)


def _search_movements(text: str) -> Found:
    """The newest movements of what a text may mean; of many variants some of each, as one alone may have moved more often
    than is looked at."""
    variants = catalog.search(text)
    ids, is_cut = stock.latest_movements(variants.ids, most=lists.SEARCH_TO, fewest=lists.PAGE)
    return Found(ids, is_cut or variants.is_cut)


@require_GET
@needs(Right.SEE_STOCK)
def inventory(request: PersonRequest) -> HttpResponse:
    """Levels by variant and warehouse."""
    rows = Level.objects.select_related("variant__product", "warehouse")
    return render(request, "inventory/list.html", {"list": LEVELS.show(request, rows), "here": "levels"})


@require_GET
@needs(Right.SEE_STOCK)
def movements(request: PersonRequest) -> HttpResponse:
    """The ledger of everything."""
    rows = Movement.objects.select_related("variant", "from_warehouse", "to_warehouse")
    return render(request, "inventory/list.html", {"list": MOVEMENTS.show(request, rows), "here": "movements"})


class WarehouseField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    """A choice of warehouses, by name."""

    def label_from_instance(self, obj: Warehouse) -> str:
        """Its name."""
        return obj.name


class Reception(forms.Form):
    """What came in; the goods themselves are rows beside it, typed or as a file."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    warehouse = WarehouseField(Warehouse.objects.filter(is_active=True).order_by("position", "id"), empty_label=None)
    supplier = forms.CharField(max_length=120, required=False)
    comment = forms.CharField(max_length=255, required=False)
    file = forms.FileField(required=False)


@needs(Right.CHANGE_STOCK)
def receive(request: PersonRequest) -> HttpResponse:
    """Goods come in: typed, or a CSV with the columns sku and quantity. The key makes a form sent twice one reception."""
    actions.default_warehouse()
    form = Reception(request.POST or None, request.FILES or None, initial={"key": ids.token(9)})
    typed = list(zip(request.POST.getlist("sku"), request.POST.getlist("quantity"), strict=False))
    if form.is_valid():
        given = form.cleaned_data
        booked = None
        with answers.attempt(request):
            lines = read_csv(given["file"]) if given["file"] else _typed(typed)
            booked = actions.receive(_receipts(lines, given), at=clock.now(), actor=answers.actor(request.user))
        if booked is not None:
            answers.say(request, _received(len(booked.booked), len(booked.filled), len(booked.repeated)))
            return redirect("movements")
    typed += [("", "")] * (TYPED_ROWS - len(typed))
    if request.GET.get("sku"):
        typed[0] = (request.GET["sku"][:80], "")
    return render(request, "inventory/receive.html", {"form": form, "typed": typed})


def _received(new: int, served: int, repeated: int) -> str:
    parts = [ngettext("Received %(n)d line.", "Received %(n)d lines.", new) % {"n": new}]
    if served:
        parts.append(
            ngettext("%(n)d backordered line was served.", "%(n)d backordered lines were served.", served)
            % {"n": served}
        )
    if repeated:
        parts.append(_("This reception was booked already; nothing was booked twice."))
    return " ".join(parts)


def _typed(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(_("row %(n)d") % {"n": n}, sku.strip(), count) for n, (sku, count) in enumerate(rows, 1) if sku.strip()]


def read_csv(file: UploadedFile[bytes]) -> list[tuple[str, str, str]]:
    """(place, sku, quantity) of each row; says row and column where it cannot be read."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(_("the file is not UTF-8 text"), place=file.name, cure=_("save it as CSV UTF-8")) from error
    first = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    for wanted in ("sku", "quantity"):
        if wanted not in names:
            raise BadInput(_("a column is missing"), place=_("row 1"), value=first.strip()[:80], cure=f"{wanted}")
    lines = []
    for row in rows:
        if rows.line_num > CSV_ROWS:
            raise BadInput(_("too many rows"), place=file.name, cure=_("at most %(n)d in one file") % {"n": CSV_ROWS})
        sku = (row[names["sku"]] or "").strip()
        if sku:
            lines.append((_("row %(n)d") % {"n": rows.line_num}, sku, (row[names["quantity"]] or "").strip()))
    return lines


def _receipts(lines: Sequence[tuple[str, str, str]], given: dict[str, Any]) -> list[Receipt]:
    if not lines:
        raise BadInput(_("nothing to receive"), cure=_("type a SKU and a quantity, or choose a file"))
    found = variants_by_code([sku for _place, sku, _count in lines])
    receipts = []
    for n, (place, sku, count) in enumerate(lines, 1):
        variant = known(found, sku, place)
        number = parse_quantity(count, place)
        if number <= 0:
            raise BadInput(
                _("goods that come in are above zero"), place=place, value=count, cure=_("a number above zero")
            )
        receipts.append(
            Receipt(
                variant,
                given["warehouse"].pk,
                number,
                f"reception:{given['key']}:{n}",
                given["supplier"],
                given["comment"],
            )
        )
    return receipts


def variants_by_code(codes: Sequence[str]) -> dict[str, int]:
    """Variants by SKU, whatever the case, or else by barcode, in two queries."""
    return catalog.by_barcode(codes) | catalog.by_sku(codes)


def known(found: dict[str, int], sku: str, place: str) -> int:
    """The variant, or a refusal that names the row."""
    if sku not in found:
        raise BadInput(
            _("no variant has this SKU or barcode"), place=place, value=sku, cure=_("look it up under Products")
        )
    return found[sku]


def parse_quantity(text: str, place: str) -> Decimal:
    """A number as people type it: with comma or point. Refused where nobody can know which of the two it is."""
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+", text.strip()):
        raise BadInput(_("is the comma a decimal one?"), place=place, value=text, cure=_("1250, or 1.25"))
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation as error:
        raise BadInput(_("not a number"), place=place, value=text, cure="12") from error
    if not number.is_finite():
        raise BadInput(_("not a number"), place=place, value=text, cure="12")
    return number


def chosen_warehouses(given: QueryDict, name: str) -> list[int]:
    """The warehouses that were ticked under a name, in the order of the form; what is none of ours is passed over."""
    known = set(Warehouse.objects.values_list("pk", flat=True))
    return [int(text) for text in given.getlist(name) if text.isdigit() and int(text) in known]


class Adjustment(forms.Form):
    """A correction and why."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    sku = forms.CharField(max_length=80)
    warehouse = WarehouseField(Warehouse.objects.order_by("position", "id"), empty_label=None)
    change = forms.DecimalField(max_digits=14, decimal_places=3, localize=True)
    comment = forms.CharField(max_length=255)


@needs(Right.CHANGE_STOCK)
def adjust(request: PersonRequest) -> HttpResponse:
    """A person corrects a figure, up or down, and says why."""
    actions.default_warehouse()
    form = Adjustment(request.POST or None, initial={"key": ids.token(9), "sku": request.GET.get("sku", "")})
    if form.is_valid():
        given = form.cleaned_data
        variant = None
        with answers.attempt(request, _("Adjusted.")):
            found = known(variants_by_code([given["sku"].strip()]), given["sku"].strip(), "SKU")
            fact = Fact(
                found,
                given["warehouse"].pk,
                given["change"],
                Reason.ADJUSTMENT,
                f"adjustment:{given['key']}",
                given["comment"],
            )
            actions.adjust([fact], at=clock.now(), actor=answers.actor(request.user))
            variant = found
        if variant is not None:
            return redirect("variant", variant)
    return render(request, "inventory/adjust.html", {"form": form})

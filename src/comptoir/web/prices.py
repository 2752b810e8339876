"""Prices: lists, what a variant costs in each, and by which rules a channel is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as __
from django.views.decorators.http import require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels import registry
from comptoir.channels.models import HUB, Channel, Mode
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Price, PriceList, Variant
from comptoir.engine import runs
from comptoir.engine.models import Finding, Flow, Trigger
from comptoir.flows import prices as flow
from comptoir.flows import taxes
from comptoir.kit import clock
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.money import minor_unit
from comptoir.offers import prices
from comptoir.offers.models import Mapping, SellingPoint
from comptoir.web import answers, cells, findings_words, lists
from comptoir.web.inventory import parse_quantity

MOST_LISTS = 200  # lists of prices that a page offers to choose from


def exact(amount: Decimal | None, currency: str) -> str:
    """A price with all of its decimals that say something, as it is kept and told."""
    if amount is None:
        return cells.NOTHING
    plain = amount.normalize()
    places = max(-int(minor_unit(currency).as_tuple().exponent), -int(plain.as_tuple().exponent))
    number = formats.number_format(plain, places, use_l10n=True, force_grouping=True)
    return f"{number}\N{NO-BREAK SPACE}{currency}".strip()


def taxed(included: bool | None) -> Any:
    """Whether prices hold the tax."""
    return "" if included is None else __("with tax") if included else __("without tax")


# -- lists of prices -----------------------------------------------------------------------------------------------------

LISTS = lists.Listing(
    columns=(
        lists.Column(__("Name"), lambda r: cells.two(cells.name(r.name), r.code), "a"),
        lists.Column(__("Currency"), lambda r: r.currency, "b"),
        lists.Column(__("Tax"), lambda r: taxed(r.tax_included), "c"),
        lists.Column(__("Prices"), lambda r: lists.counted(r.prices), "d", is_number=True),
        lists.Column(__("Told to"), lambda r: cells.name(", ".join(r.told_to))),
    ),
    sorts=(lists.Sort("first", __("Oldest first"), ("id",)),),
    empty=lists.Empty(
        __("No prices yet"), __("Lists come with the products of a channel, or are made here for prices of your own.")
    ),
    fill=lambda rows: _fill_lists(rows),
)


def _fill_lists(rows: Sequence[PriceList]) -> None:
    counted = {row.pk: Price.objects.filter(price_list=row)[: lists.COUNT_TO + 1].count() for row in rows}
    points = SellingPoint.objects.filter(price_list__in=rows, owns_price=False, channel__archived_at__isnull=True)
    told: dict[int, list[str]] = {}
    for price_list, channel, point in points.values_list("price_list", "channel__name", "name").order_by("id"):
        told.setdefault(price_list or 0, []).append(channel if channel == point else f"{channel} · {point}")
    for row in rows:
        row.prices = counted.get(row.pk, 0)  # type: ignore[attr-defined]
        row.told_to = told.get(row.pk, [])  # type: ignore[attr-defined]


@needs(Right.SEE_CATALOG)
def price_lists(request: PersonRequest) -> HttpResponseBase:
    """All of them; whoever may change prices makes another."""
    if request.method == "POST":
        return _make_list(request)
    shown = LISTS.show(request, PriceList.objects.all())
    return render(request, "prices/lists.html", {"list": shown})


@needs(Right.CHANGE_PRICES)
def _make_list(request: PersonRequest) -> HttpResponse:
    given = request.POST
    with answers.attempt(request, _("Made.")):
        name, currency = given.get("name", "").strip()[:120], given.get("currency", "").strip().upper()
        if not name:
            raise BadInput(_("a list has a name"), place=_("name"))
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise BadInput(_("a currency has three letters"), place=_("currency"), value=currency, cure="EUR")
        code = slugify(name)[:40] or "prices"
        if PriceList.objects.filter(code=code).exists():
            raise BadInput(_("a list is called so already"), place=_("name"), value=name)
        catalog.price_list(code, name, currency, tax_included=given.get("tax") == "included")
    return redirect("price_lists")


# -- a variant -----------------------------------------------------------------------------------------------------------


def of_variant(it: Variant) -> dict[str, Any]:
    """What the page of a variant says about prices: each list, and what each channel was told."""
    known = {price.price_list_id: price.amount for price in it.prices.all()}
    owner = it.owners.get("price")
    names = dict(Channel.objects.filter(pk=owner).values_list("pk", "name")) if owner else {}
    return {
        "price_rows": [
            {
                "list": one,
                "amount": known.get(one.pk),
                "shown": exact(known.get(one.pk), one.currency),
                "tax": taxed(one.tax_included),
            }
            for one in PriceList.objects.order_by("id")[:MOST_LISTS]
        ],
        "price_owner": names.get(owner or 0, ""),
        "told_prices": [
            {
                "row": row,
                "list_price": exact(row.amount, row.list_currency or ""),
                "list_tax": taxed(row.list_tax_included),
                "told": exact(row.told, row.currency),
                "there": exact(row.there, row.currency),
                "tax": taxed(row.tax_included),
            }
            for row in prices.explain(it.pk)
        ],
    }


@require_POST
@needs(Right.CHANGE_PRICES)
def set_price(request: PersonRequest, pk: int) -> HttpResponse:
    """A person says what a variant costs in a list. From then on it is kept here: no reading of a channel writes over it."""
    it = get_object_or_404(Variant, pk=pk)
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    with answers.attempt(request, _("Saved. Where the hub owns prices, this one is told.")):
        text = given.get("amount", "").strip()
        chosen = get_object_or_404(PriceList, pk=int(given["list"]) if given.get("list", "").isdigit() else 0)
        amount = parse_quantity(text, chosen.name) if text else None
        if catalog.set_price(it.pk, chosen.pk, amount, at=at, actor=who) and "price" in it.owners:
            catalog.set_owner("price", None, variant=it.pk, at=at, actor=who)
    return redirect(f"{reverse('variant', args=[pk])}#prices")


# -- a channel -----------------------------------------------------------------------------------------------------------


def settings(it: Channel) -> dict[str, Any] | None:
    """What the settings of a channel say about prices; nothing where its prices cannot be told."""
    if it.kind == HUB or "prices" not in registry.find(it.kind).abilities:
        return None
    aside = Finding.objects.filter(channel=it, code__in=flow.LOOK_CODES, closed_at__isnull=True).first()
    return {
        "points": list(SellingPoint.objects.filter(channel=it).order_by("id")),
        "lists": list(PriceList.objects.order_by("id")[:MOST_LISTS]),
        "taxes": any(row.rate is None for row in taxes.rows(it)),
        "aside": findings_words.title(aside.code, aside.facts) if aside else "",
    }


@require_POST
@needs(Right.CHANGE_CHANNELS)
def set_rules(request: PersonRequest, code: str, pk: int) -> HttpResponse:
    """Who owns prices at a selling point, by which list and rate they are told, and when a push waits for a person. Of a live
    channel the difference is shown first."""
    it = get_object_or_404(Channel, code=code)
    point = get_object_or_404(SellingPoint, pk=pk, channel=it)
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    preview = None
    with answers.attempt(
        request, _("Saved. Prices are compared with the next run; the preview shows what would change.")
    ):
        rate = given.get("rate", "").strip()
        chosen = given.get("list", "")
        is_changed = prices.set_rules(
            point.pk,
            owns_price=given.get("owner") != "hub",
            price_list=int(chosen) if chosen.isdigit() else None,
            rate=parse_quantity(rate, _("rate")) if rate else None,
            most_share=_percent(given.get("most_share", ""), _("share")),
            most_change=_percent(given.get("most_change", ""), _("change")),
            at=at,
            actor=who,
        )
        if is_changed and given.get("owner") == "hub" and it.mode == Mode.PRODUCTION:
            flow.look_first(it.pk, point.pk, at=at)
            preview = _difference(it, actor=who, at=at)
    if preview is not None:
        return redirect("run", preview)
    return redirect(f"{reverse('channel_settings', args=[code])}#prices")


def _difference(it: Channel, *, actor: Actor, at: datetime) -> int | None:
    """Ask what the prices of a channel would be by its new rules: the run."""
    row = Flow.objects.filter(channel=it, kind="push_prices").first()
    return None if row is None else runs.request(row.pk, Trigger.PERSON, actor, preview=True, at=at)


def _percent(text: str, place: str) -> int:
    number = parse_quantity(text, place)
    if number != number.to_integral_value():
        raise BadInput(_("whole percent"), place=place, value=text, cure="10")
    return int(number)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def state_tax(request: PersonRequest, code: str) -> HttpResponse:
    """The tax rate of one of the channel's classes, as a person states it; empty: as the channel says. Of a live channel the
    difference is shown first."""
    it = get_object_or_404(Channel, code=code)
    known = get_object_or_404(Mapping, channel=it, kind="tax", external_id=request.POST.get("class", ""))
    at, who = clock.now(), answers.actor(request.user)
    preview = None
    with answers.attempt(
        request, _("Saved. Prices are compared with the next run; the preview shows what would change.")
    ):
        rate = tax_rate(request.POST.get("rate", ""))
        if flow.state_tax(it, known.external_id, rate, at=at, actor=who) and it.mode == Mode.PRODUCTION:
            preview = _difference(it, actor=who, at=at)
    if preview is not None:
        return redirect("run", preview)
    return redirect(f"{reverse('channel_mappings', args=[code])}#taxes")


def tax_rate(text: str) -> Decimal | None:
    """A rate as it is typed, in percent; nothing: as the channel says."""
    text = text.strip().removesuffix("%").strip()
    return parse_quantity(text, _("tax rate")) if text else None


@require_POST
@needs(Right.CHANGE_CHANNELS)
def let_through(request: PersonRequest, code: str) -> HttpResponse:
    """A person has looked at prices that change much: they are told."""
    it = get_object_or_404(Channel, code=code)
    with answers.attempt(request, _("They are told with the next run.")):
        flow.let_through(it.pk)
    return redirect(f"{reverse('channel_settings', args=[code])}#prices")

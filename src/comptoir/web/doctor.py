"""The mapping doctor's page: what does not fit, those with most sales at risk first, each with its repair right there."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels.models import Channel
from comptoir.commerce.catalog.records import Found
from comptoir.flows import doctor, matching
from comptoir.kit import clock, spreadsheets
from comptoir.kit.errors import BadInput
from comptoir.offers.models import Basis, Doubt, Listed
from comptoir.web import answers, cells, doctor_words, lists
from comptoir.web import matching as matching_page

EXPORTED = 2_000  # rows fetched at a time


def _find(code: str) -> Channel:
    return get_object_or_404(Channel, code=code, archived_at__isnull=True)


def _what(row: Doubt) -> str:
    return cells.two(cells.name(row.label), doctor_words.sentence(row.code, row.facts))


def _risk(row: Doubt) -> str:
    worth = cells.money(row.risk, row.channel.currency or "EUR") if row.basis != Basis.NOTHING else cells.NOTHING
    return cells.two(worth, doctor_words.basis(row))


def _repair(row: Doubt) -> SafeString:
    """Opened where it stands; without scripts a page of its own."""
    url = reverse("doubt", args=[row.channel.code, row.pk])
    return format_html(
        '<details class="causes repair"><summary>{}</summary><div hx-get="{}" hx-trigger="toggle from:closest details once">'
        '<a href="{}">{}</a></div></details>',
        gettext("Repair"),
        url,
        url,
        pgettext("a link", "Open"),
    )


def _ignored(row: Doubt) -> str:
    return cells.two(cells.moment(row.ignored_at), f"{row.ignored_by}: {row.ignored_note}")


DOUBTS = lists.Listing(
    columns=(
        lists.Column(_("What does not fit"), _what, "a"),
        lists.Column(_("Kind"), lambda d: doctor_words.kind(d.code), "c"),
        lists.Column(_("At risk"), _risk, "b", is_number=True),
        lists.Column(_("Repair"), _repair, "e"),
    ),
    sorts=(lists.Sort("risk", _("Most at risk first"), ("-basis", "-risk", "-id")),),
    filters=(
        lists.Filter(
            "code", _("Every kind"), lambda: list(doctor_words.KINDS.items()), lambda rows, v: rows.filter(code=v)
        ),
        lists.Filter("state", _("To look at"), lambda: [("ignored", _("Ignored"))], lambda rows, _v: rows),
    ),
    search_hint=_("SKU or name"),
    empty=lists.Empty(
        _("Everything fits"),
        _("What the products of this channel and yours disagree about is listed here, before anything is written."),
    ),
)
NOT_READ = lists.Empty(
    _("Nothing is known yet"),
    _("Read the products of the channel first: what they and yours disagree about is listed here."),
)
TO_LOOK_AT = replace(DOUBTS, columns=DOUBTS.columns[:3])


def _rows(request: PersonRequest, it: Channel) -> QuerySet[Doubt]:
    ignored = request.GET.get("state") == "ignored"
    return Doubt.objects.filter(channel=it, ignored_at__isnull=not ignored).select_related("channel")


def _search(it: Channel, text: str) -> Found:
    return lists.bounded(_called(Doubt.objects.filter(channel=it), text))


def _called(rows: QuerySet[Doubt], text: str) -> QuerySet[Doubt]:
    """Those whose SKU or name holds a text, as the index has them."""
    return rows.alias(in_lower_case=Lower("label")).filter(in_lower_case__contains=text.lower())


@require_GET
@needs(Right.SEE_CHANNELS)
def doubts(request: PersonRequest, code: str) -> HttpResponse:
    """What does not fit between this channel and the hub."""
    it = _find(code)
    may_change = allows(request.user, Right.CHANGE_CHANNELS)
    listing = DOUBTS if may_change else TO_LOOK_AT
    if request.GET.get("state") == "ignored":
        listing = replace(listing, columns=(*listing.columns, lists.Column(_("Ignored"), _ignored, "d")))
    about = matching_page.overview(it)
    if not about["listings"]:
        listing = replace(listing, empty=NOT_READ)
    shown = replace(listing, search=lambda text: _search(it, text)).show(request, _rows(request, it))
    query = request.GET.copy()
    query.pop("after", None)
    context = {
        **about,
        "list": shown,
        "may_change": may_change,
        "export": f"{reverse('doctor_export', args=[code])}?{query.urlencode()}",
    }
    return render(request, "doctor/list.html", context)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def examine(request: PersonRequest, code: str) -> HttpResponse:
    """Look again, without asking the shop."""
    it = _find(code)
    with answers.attempt(request, gettext("Looked again.")):
        matching.examine(it.pk, at=clock.now())
    return redirect("doctor", code)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def doubt(request: PersonRequest, code: str, pk: int) -> HttpResponse:
    """One doubt with the ways to settle it."""
    it = _find(code)
    if request.method == "POST":
        with answers.attempt(request):
            _settle(request, it, pk)
        return answers.back(request, "doctor", code)
    row = get_object_or_404(Doubt.objects.select_related("channel", "variant"), channel=it, pk=pk)
    listed = Listed.objects.filter(channel=it, external_id=row.listing).select_related("variant").first()
    context = {"channel": it, "doubt": doctor_words.worded(row), "row": listed, "at_risk": _risk(row)}
    template = "doctor/repair.html" if request.headers.get("HX-Request") else "doctor/doubt.html"
    return render(request, template, context)


def _settle(request: PersonRequest, it: Channel, pk: int) -> None:
    row = Doubt.objects.filter(channel=it, pk=pk).first()
    if row is None:  # another tab, or another decision, has settled it
        answers.say(request, gettext("This is settled already."))
        return
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    match given.get("what"):
        case "ignore":
            doctor.ignore(it, pk, given.get("reason", ""), actor=who, at=at)
            answers.say(request, gettext("Ignored. It stays findable under “Ignored”."))
        case "heed":
            doctor.heed(it, pk)
            answers.say(request, gettext("It is among those to look at again."))
        case "listing" if row.variant_id is not None:
            listed = _their_listing(it, given.get("listing", ""))
            said = matching.link(it, {listed.external_id: row.variant_id}, actor=who, at=at)
            matching_page.tell(request, it, said, at)
        case _:
            one = Listed.objects.filter(channel=it, external_id=row.listing).first() if row.listing else None
            if one is None:
                raise BadInput(
                    gettext("the channel has no such listing any more"), place=gettext("listing"), value=row.listing
                )
            matching_page.decide(request, it, one)


def _their_listing(it: Channel, text: str) -> Listed:
    """The listing that a person means by its id or its SKU there."""
    text = text.replace("\0", "").strip()
    rows = list(Listed.objects.filter(channel=it, external_id=text)[:1])
    rows = rows or list(Listed.objects.filter(channel=it, sku__iexact=text).exclude(sku="")[:2])
    if len(rows) != 1:
        words = gettext("several listings have this SKU") if rows else gettext("no listing has this id or SKU")
        raise BadInput(words, place=gettext("listing"), value=text[:80], cure=gettext("give its id there"))
    return rows[0]


# -- as a file -----------------------------------------------------------------------------------------------------------


@require_GET
@needs(Right.SEE_CHANNELS)
def export(request: PersonRequest, code: str) -> HttpResponseBase:
    """The list as CSV, filtered as it is on the page."""
    it = _find(code)
    rows = _rows(request, it)
    wanted = request.GET.get("code", "")
    if wanted in doctor_words.KINDS:
        rows = rows.filter(code=wanted)
    if len(text := lists.typed(request.GET.get("q", ""))) >= lists.SEARCH_FROM:
        rows = _called(rows, text)
    file = tempfile.SpooledTemporaryFile(max_size=4 * 1024 * 1024)  # noqa: SIM115 - closed with the answer
    text_file = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    sheet = csv.writer(text_file)
    sheet.writerow(_HEAD)
    with transaction.atomic():
        for row in rows.order_by("-basis", "-risk", "-id").select_related("variant").iterator(EXPORTED):
            sheet.writerow([spreadsheets.cell(value) for value in _line(row)])
    text_file.detach()  # else it would close the file before it is sent
    file.seek(0)
    return FileResponse(
        file, as_attachment=True, filename=f"doctor-{it.code}.csv", content_type="text/csv; charset=utf-8"
    )


_HEAD = (
    "kind",
    "what",
    "listing",
    "label",
    "our_sku",
    "at_risk",
    "currency",
    "units",
    "ranked_by",
    "ignored",
    "reason",
)


def _line(row: Doubt) -> tuple[Any, ...]:
    return (
        doctor_words.kind(row.code),
        doctor_words.sentence(row.code, row.facts),
        row.listing,
        row.label,
        row.variant.sku if row.variant else "",
        row.risk,
        row.channel.currency,
        cells.plain(row.units),
        Basis(row.basis).name.lower(),
        row.ignored_at.isoformat() if row.ignored_at else "",
        row.ignored_note,
    )

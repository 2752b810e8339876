"""Staging: the grid of sales that wait, repaired where they stand, accepted or rejected one by one or together."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels.records import sale_from_json
from comptoir.commerce.catalog.models import Variant
from comptoir.engine import findings, runs
from comptoir.engine.models import Severity
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.offers.models import Mapping
from comptoir.staging import actions
from comptoir.staging.checks import ANOMALIES, match
from comptoir.staging.matching import gather
from comptoir.staging.models import StagedSale, State
from comptoir.web import answers, cells, channel_names, findings_words, lists, variants, words
from comptoir.web.inventory import known, variants_by_code

#: Accepts what a person said yes to; started at once, not at its next turn.
ACCEPTS = "accept_sales"


def _anomalies(row: StagedSale) -> SafeString | str:
    said = [(findings_words.title(one["code"], one.get("facts", {})),) for one in row.anomalies[:3]]
    more = len(row.anomalies) - 3
    if more > 0:
        said.append((ngettext("and %(n)d more", "and %(n)d more", more) % {"n": more},))
    return format_html_join("", '<span class="anomaly">{}</span>', said) or cells.NOTHING


def _state(row: StagedSale) -> str:
    if row.state == State.READY and not row.is_approved and not row.channel.accepts_by_itself:
        return cells.badge("retry", _("Waits for your yes"))
    return cells.badge(row.state, words.of(State, row.state))


def _buyer(row: StagedSale) -> str:
    return cells.name(row.buyer)


GRID = lists.Listing(
    columns=(
        lists.Column(
            _("Sale"), lambda s: cells.two(cells.link(reverse("staged", args=[s.pk]), s.number), s.channel.name), "a"
        ),
        lists.Column(_("Placed"), lambda s: cells.moment(s.placed_at), "d"),
        lists.Column(_("Buyer"), _buyer),
        lists.Column(_("Status there"), lambda s: cells.name(s.status_name or s.external_status)),
        lists.Column(_("State"), _state, "b"),
        lists.Column(_("What is missing"), _anomalies, "c"),
        lists.Column(_("Total"), lambda s: cells.money(s.total, s.currency), is_number=True),
    ),
    sorts=(
        lists.Sort("newest", _("Newest first"), ("-placed_at", "-id")),
        lists.Sort("oldest", _("Oldest first"), ("placed_at", "id")),
    ),
    filters=(
        lists.Filter("channel", _("Every channel"), channel_names.choices, lambda rows, v: rows.filter(channel=int(v))),
        lists.Filter(
            "anomaly",
            _("Every reason"),
            lambda: [(code, findings_words.title(code, {})) for code in ANOMALIES],
            lambda rows, v: rows.filter(~Q(anomalies=[]), anomalies__contains=[{"code": v}]),  # as the index says
        ),
    ),
    search=lambda text: lists.bounded(
        StagedSale.objects.alias(in_lower_case=Lower("number")).filter(
            Q(in_lower_case__startswith=text.lower()) | Q(channel__in=list(channel_names.all_names()), external_id=text)
        )
    ),
    search_hint=_("Number of the sale"),
    empty=lists.Empty(
        _("Nothing waits here"),
        _("Sales land here when a channel reports them. Most are accepted by themselves; what needs you stays."),
        "channels",
        _("Open channels"),
    ),
    selects="bulk",
)

TABS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "repair": (_("Needs you"), (State.REPAIR,)),
    "ready": (pgettext_lazy("sales", "Ready"), (State.READY,)),
    "retry": (pgettext_lazy("sales", "Waits for payment"), (State.RETRY,)),
    "accepted": (pgettext_lazy("sales", "Accepted"), (State.ACCEPTED,)),
    "out": (pgettext_lazy("sales", "Not imported"), (State.INFORMATION, State.REJECTED, State.CLOSED)),
}
DECIDABLE = ("repair", "ready", "retry")


@require_GET
@needs(Right.SEE_STAGING)
def staging(request: PersonRequest) -> HttpResponse:
    """The grid, by state."""
    tab = request.GET.get("tab", "repair")
    tab = tab if tab in TABS else "repair"
    rows = StagedSale.objects.filter(state__in=TABS[tab][1]).select_related("channel").defer("raw", "sale")
    may_decide = tab in DECIDABLE and allows(request.user, Right.ACCEPT_SALES)
    listed = GRID if may_decide else READ_ONLY
    if not allows(request.user, Right.SEE_BUYERS):
        listed = replace(listed, columns=[column for column in listed.columns if column.cell is not _buyer])
    shown = listed.show(request, rows)
    tabs = {name: title for name, (title, _states) in TABS.items()}
    return render(
        request,
        "staging/list.html",
        {"list": shown, "tabs": tabs, "tab": tab, "tab_field": "tab", "may_decide": may_decide},
    )


READ_ONLY = lists.Listing(**{**GRID.__dict__, "selects": ""})


@require_GET
@needs(Right.SEE_STAGING)
def staged(request: PersonRequest, pk: int) -> HttpResponse:
    """One sale: what it says, what is missing, and the repair right there."""
    it = get_object_or_404(StagedSale.objects.select_related("channel"), pk=pk)
    sale = sale_from_json(it.sale)
    known = gather(it.channel_id, [sale])
    matched = {line.external_id: match(line, known) for line in sale.lines}
    ours = Variant.objects.in_bulk([v for v in matched.values() if v])
    by_line: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for anomaly in it.anomalies:
        by_line[anomaly.get("line") or ""].append(findings_words.anomaly(anomaly))
    lines = [
        {
            "line": line,
            "variant": ours.get(matched[line.external_id] or 0),
            "anomalies": by_line[line.external_id],
            "needs_sku": any(a["code"] == "unknown_sku" for a in by_line[line.external_id]),
        }
        for line in sale.lines
    ]
    context = {
        "staged": it,
        "sale": sale,
        "lines": lines,
        "anomalies": by_line[""],
        "carriers": carriers_of_ours(),
        "rules": findings_words.RULES,
        "is_open": it.order is None,
        "may_decide": allows(request.user, Right.ACCEPT_SALES) and it.order is None,
        "may_see_buyer": allows(request.user, Right.SEE_BUYERS),
        "order_number": _order_number(it),
    }
    return render(request, "staging/staged.html", context)


def _order_number(it: StagedSale) -> str:
    return variants.order_numbers([it.order]).get(it.order, "") if it.order else ""


def carriers_of_ours() -> list[str]:
    """Carriers of ours that any mapping names so far."""
    return sorted(set(Mapping.objects.filter(kind="carrier").exclude(ours="").values_list("ours", flat=True)))


@require_GET
@needs(Right.SEE_BUYERS)
def staged_raw(request: PersonRequest, pk: int) -> HttpResponse:
    """The sale exactly as the channel sent it, and as we understood it."""
    it = get_object_or_404(StagedSale.objects.select_related("channel"), pk=pk)
    context = {"staged": it, "raw": _indented(it.raw), "neutral": json.dumps(it.sale, indent=2, ensure_ascii=False)}
    return render(request, "staging/raw.html", context)


def _indented(text: str) -> str:
    """What a channel sent, as people read it: JSON in lines, anything else as it came."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


@require_GET
@needs(Right.SEE_STAGING)
def staged_source(request: PersonRequest, source: str) -> HttpResponse:
    """From what a hold is called (channel:external id) to its sale."""
    channel, _colon, external_id = source.partition(":")
    it = get_object_or_404(StagedSale, channel=int(channel) if channel.isdigit() else 0, external_id=external_id)
    return redirect("staged", it.pk)


def tell(channel: int, result: actions.Staged, at: datetime) -> None:
    """Findings follow what a repair came to, as they follow a run."""
    findings.close(channel, result.resolved, at=at)
    findings.report(
        [findings.Report(channel, one.code, one.subject, Severity(one.severity), one.facts) for one in result.findings],
        at=at,
    )
    runs.start_after_commit(ACCEPTS, [channel])


@require_POST
@needs(Right.ACCEPT_SALES)
def repair(request: PersonRequest, pk: int) -> HttpResponse:
    """Map what the sale names; the next one with the same is understood by itself."""
    it = get_object_or_404(StagedSale.objects.select_related("channel"), pk=pk)
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    with answers.attempt(request):
        sale = sale_from_json(it.sale)
        match given.get("what"):
            case "line":
                variant = _variant(given.get("sku", "").strip())
                result = actions.map_line(pk, given.get("line", ""), variant, actor=who, at=at)
            case "carrier":
                result = actions.map_carrier(it.channel, sale.carrier, given.get("carrier", ""), actor=who, at=at)
            case "status":
                result = actions.map_status(it.channel, sale.status, given.get("rule", ""), actor=who, at=at)
            case "total":
                result = actions.accept_total(pk, actor=who, at=at)
            case what:
                raise BadInput(gettext("nothing can be repaired so"), place="what", value=what or "")
        tell(it.channel_id, result, at)
        answers.say(request, _repaired(result))
    return redirect("staged", pk)


def _repaired(result: actions.Staged) -> str:
    words = ngettext("Remembered. %(n)d sale can go on.", "Remembered. %(n)d sales can go on.", result.changed)
    return words % {"n": result.changed}


def _variant(sku: str) -> int:
    return known(variants_by_code([sku]), sku, "SKU")


@require_POST
@needs(Right.ACCEPT_SALES)
def decide(request: PersonRequest) -> HttpResponse:
    """Yes or no, to one sale or to many."""
    picked = [int(pk) for pk in request.POST.getlist("picked") if pk.isdigit()][:1000]
    at, who = clock.now(), answers.actor(request.user)
    with answers.attempt(request):
        if not picked:
            raise BadInput(gettext("pick at least one sale"))
        rows = list(StagedSale.objects.filter(pk__in=picked).values_list("channel_id", "external_id"))
        if request.POST.get("answer") == "reject":
            actions.reject(picked, request.POST.get("reason", ""), actor=who, at=at)
            _close(rows, at)
            answers.say(
                request, ngettext("%(n)d sale rejected.", "%(n)d sales rejected.", len(picked)) % {"n": len(picked)}
            )
        else:
            now = actions.approve(picked, actor=who, at=at)
            runs.start_after_commit(ACCEPTS, {channel for channel, _id in rows})
            answers.say(request, _approved(now, len(picked)))
    return answers.back(request, "staging")


def _close(rows: Sequence[tuple[int, str]], at: datetime) -> None:
    by_channel: dict[int, list[str]] = defaultdict(list)
    for channel, external_id in rows:
        by_channel[channel].append(f"sale:{external_id}")
    for channel, subjects in sorted(by_channel.items()):
        findings.close(channel, subjects, at=at)


def _approved(now: int, all_: int) -> str:
    words = ngettext("%(n)d sale is being accepted.", "%(n)d sales are being accepted.", now) % {"n": now}
    later = all_ - now
    if later:
        words += " " + ngettext(
            "%(n)d goes on as soon as it is repaired.", "%(n)d go on as soon as they are repaired.", later
        ) % {"n": later}
    return words

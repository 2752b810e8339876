"""Findings: what someone should read, grouped by what it is and where, each group with the way to its cure."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels.models import Channel
from comptoir.commerce.orders.models import Order
from comptoir.engine import findings as engine
from comptoir.engine.models import Finding, Severity
from comptoir.offers.models import Link
from comptoir.staging.models import StagedSale
from comptoir.web import cells, channel_names, findings_words, lists, words


def groups(channel: int | None = None, severity: Severity | None = None) -> list[dict[str, Any]]:
    """Open findings by (code, channel) in words, worst first."""
    channels = Channel.objects.in_bulk()
    shown = []
    for group in engine.open_groups(channel, severity):
        row = channels.get(group.channel or 0)
        facts = group.facts
        url, leads_to = findings_words.place(group.code, row.code if row else None)
        shown.append(
            {
                "group": group,
                "channel": row,
                "severity_words": words.of(Severity, group.severity),
                "title": findings_words.title(group.code, facts),
                "others": group.subjects - 1,
                "is_cut": group.subjects == engine.GROUP_STOPS_AT,
                "cure": findings_words.cure(group.code, facts),
                "url": url,
                "url_words": leads_to,
                "all_url": f"{reverse('findings_all')}?code={group.code}&channel={group.channel or ''}",
            }
        )
    return shown


@require_GET
@needs(Right.SEE_CHANNELS)
def findings(request: PersonRequest) -> HttpResponse:
    """Open ones, in groups."""
    return render(request, "findings/groups.html", {"groups": groups()})


def _subject(row: Finding) -> str:
    url = getattr(row, "url", "")
    return cells.link(url, row.subject) if url else cells.name(row.subject)


ALL = lists.Listing(
    columns=(
        lists.Column(_("Severity"), lambda f: cells.badge(f.severity, words.of(Severity, f.severity)), "b"),
        lists.Column(
            _("What"),
            lambda f: cells.two(findings_words.title(f.code, f.facts), findings_words.cure(f.code, f.facts)),
            "a",
        ),
        lists.Column(_("About"), _subject, "c"),
        lists.Column(_("Channel"), lambda f: cells.name(f.channel.name if f.channel else "")),
        lists.Column(_("Times"), lambda f: f"{f.count:,}", is_number=True),
        lists.Column(_("Last"), lambda f: cells.moment(f.last_at), "d"),
        lists.Column(_("Resolved"), lambda f: cells.moment(f.closed_at)),
    ),
    sorts=(lists.Sort("latest", _("Latest first"), ("-last_at", "-id")),),
    filters=(
        lists.Filter(
            "severity", _("Every severity"), lambda: words.choices(Severity), lambda rows, v: rows.filter(severity=v)
        ),
        lists.Filter(
            "state",
            _("Open and resolved"),
            lambda: [("open", _("Open")), ("closed", _("Resolved"))],
            lambda rows, v: rows.filter(closed_at__isnull=v == "open"),
        ),
        lists.Filter("channel", _("Every channel"), channel_names.choices, lambda rows, v: rows.filter(channel=int(v))),
        lists.Filter(
            "code",
            _("Every kind"),
            lambda: [(code, findings_words.title(code, {})) for code in engine.codes()],
            lambda rows, v: rows.filter(code=v),
        ),
    ),
    search=lambda text: lists.bounded(
        Finding.objects.alias(in_lower_case=Lower("subject")).filter(in_lower_case__contains=text.lower())
    ),
    search_hint=_("What it is about"),
    empty=lists.Empty(_("Nothing was found yet"), _("Runs leave a finding here for whatever someone should read.")),
    fill=lambda rows: link_subjects(rows),
)


def link_subjects(rows: Any) -> None:
    """Lead subjects that are sales or orders to their pages, three queries for the page."""
    channels = {r.channel_id for r in rows if r.channel_id}
    sales = {r.subject[5:] for r in rows if r.subject.startswith("sale:")}
    staged = StagedSale.objects.filter(channel__in=channels, external_id__in=sales) if sales else ()
    by_sale = {(s.channel_id, s.external_id): s.pk for s in staged.only("channel_id", "external_id")} if staged else {}
    orders = {int(r.subject[6:]) for r in rows if r.subject.startswith("order:") and r.subject[6:].isdigit()}
    numbers = dict(Order.objects.filter(pk__in=orders).values_list("pk", "number")) if orders else {}
    listings = {r.subject[8:].partition("@")[0] for r in rows if r.subject.startswith("listing:")}
    linked = Link.objects.filter(channel__in=channels, kind="listing", external_id__in=listings) if listings else None
    by_listing = {(k.channel_id, k.external_id): k.variant_id for k in linked} if linked is not None else {}
    for row in rows:
        kind, _colon, key = row.subject.partition(":")
        if kind == "sale" and (row.channel_id, key) in by_sale:
            row.url = reverse("staged", args=[by_sale[row.channel_id, key]])
        elif kind == "listing" and (variant := by_listing.get((row.channel_id, key.partition("@")[0]))):
            row.url = reverse("variant", args=[variant])
        elif kind == "order" and key.isdigit() and int(key) in numbers:
            row.url = reverse("order", args=[numbers[int(key)]])


@require_GET
@needs(Right.SEE_CHANNELS)
def findings_all(request: PersonRequest) -> HttpResponse:
    """Every finding, open or resolved, one by one."""
    rows = Finding.objects.select_related("channel")
    return render(request, "findings/all.html", {"list": ALL.show(request, rows)})

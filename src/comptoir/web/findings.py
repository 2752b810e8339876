"""Findings: what someone should read, grouped by what it is and where, each group with the way to its cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.models import User
from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels.models import Channel
from comptoir.commerce.orders import status
from comptoir.commerce.orders.models import Order
from comptoir.engine import findings as engine
from comptoir.engine.models import Finding, Severity
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.offers.models import Link
from comptoir.staging.models import StagedSale
from comptoir.web import answers, cells, channel_names, findings_words, lists, words

SEVERITIES = (Severity.ERROR, Severity.RETRY, Severity.INFO)


def groups(user: User, channel: int | None = None, severity: Severity | None = None) -> list[dict[str, Any]]:
    """Open findings by (code, channel) in words, worst first, for somebody who may close them or not."""
    may_close = allows(user, Right.CLOSE_FINDINGS)
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
                "may_close": may_close and group.severity is not Severity.INFO,  # nobody is asked to act
                "all_url": f"{reverse('findings_all')}?state=open&code={group.code}&channel={group.channel or ''}",
            }
        )
    return shown


@require_GET
@needs(Right.SEE_CHANNELS)
def findings(request: PersonRequest) -> HttpResponse:
    """Open ones, in groups."""
    return render(request, "findings/groups.html", {"groups": groups(request.user)})


def _subject(row: Finding) -> str:
    url = getattr(row, "url", "")
    words = findings_words.about(row.subject)
    return cells.link(url, words) if url else cells.name(words)


def _resolved(row: Finding) -> str:
    """When, and by whom where it did not close by itself."""
    if not row.closed_by:
        return cells.moment(row.closed_at)
    return cells.two(
        cells.moment(row.closed_at), f"{row.closed_by}: {row.closed_note}" if row.closed_note else row.closed_by
    )


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
        lists.Column(_("Times"), lambda f: cells.number(f.count), is_number=True),
        lists.Column(_("Last"), lambda f: cells.moment(f.last_at), "d"),
        lists.Column(_("Resolved"), _resolved),
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
    selects="done",
)
ALL_TO_READ = replace(ALL, selects="")


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
    may_close = allows(request.user, Right.CLOSE_FINDINGS)
    shown = (ALL if may_close else ALL_TO_READ).show(request, rows)
    return render(request, "findings/all.html", {"list": shown, "may_close": may_close})


def about(channel: int | None, subject: str) -> list[Finding]:
    """What is open about one thing, worst first, in words."""
    rows = list(Finding.objects.filter(Q(channel=channel) | Q(channel=None), subject=subject, closed_at__isnull=True))
    rows.sort(key=lambda row: (SEVERITIES.index(row.severity), row.pk))
    for row in rows:
        row.severity_words = words.of(Severity, row.severity)  # type: ignore[attr-defined]
        row.title = findings_words.title(row.code, row.facts)  # type: ignore[attr-defined]
        row.cure = findings_words.cure(row.code, row.facts)  # type: ignore[attr-defined]
    return rows


@require_POST
@needs(Right.CLOSE_FINDINGS)
def findings_done(request: PersonRequest) -> HttpResponse:
    """A person says that these are dealt with, with a note or without."""
    picked = [int(pk) for pk in request.POST.getlist("picked") if pk.isdigit()][:1000]
    number = 0
    note, at, who = request.POST.get("note", "").strip(), clock.now(), answers.actor(request.user)
    with answers.attempt(request):
        if not picked:
            raise BadInput(gettext("pick at least one finding"))
        orders = _orders_of(picked)  # locked first, as by a run that follows them
        for one in engine.close_by_hand(picked, note, actor=who, at=at):
            number += 1
            if one.subject in orders:
                status.note(orders[one.subject], "dealt_with", facts={"code": one.code}, reason=note, actor=who, at=at)
        said = ngettext("%(n)d finding is dealt with.", "%(n)d findings are dealt with.", number)
        answers.say(request, said % {"n": number})
    return answers.back(request, "findings")


def _orders_of(picked: Sequence[int]) -> dict[str, int]:
    """The orders that these findings are about, by subject, locked."""
    subjects = Finding.objects.filter(pk__in=picked, subject__startswith="order:").values_list("subject", flat=True)
    keys = {int(subject[6:]) for subject in subjects if subject[6:].isdigit()}
    known = sorted(Order.objects.filter(pk__in=keys).values_list("pk", flat=True))
    return {f"order:{status.lock(order).id}": order for order in known}

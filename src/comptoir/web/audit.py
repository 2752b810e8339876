"""Settings: the audit trail, who changed what and when, and who came in."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import OrderBy, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from comptoir.accounts.models import Invitation, Token, User
from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.catalog.records import Found
from comptoir.commerce.inventory.models import Warehouse
from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Flow
from comptoir.events import queries
from comptoir.events.models import Event
from comptoir.kit import clock, spreadsheets
from comptoir.kit.actor import ActorKind
from comptoir.offers.models import SellingPoint
from comptoir.web import cells, event_words, exports, flow_words, lists

TABS = {"people": _("People and programs"), "all": _("Everything")}
PERIODS = {
    "1": _("Last 24 hours"),
    "7": _("Last 7 days"),
    "30": _("Last 30 days"),
    "90": _("Last 90 days"),
    "365": _("Last year"),
}
HUB = {
    ActorKind.FLOW.value: _("Flows"),
    ActorKind.CHANNEL.value: _("Channels"),
    ActorKind.SYSTEM.value: _("The hub itself"),
}
MOST = 200  # people and tokens to choose from
FACTS = 40  # shown of one event
EXPORTED = 50_000  # rows of a file
_CHUNK = 1_000


def _who(row: Event) -> str:
    return cells.name(flow_words.who(row))


def _about(row: Event) -> str:
    words, url = getattr(row, "about", ("", ""))
    if not row.subject:
        return cells.NOTHING
    return cells.link(url, words) if url else cells.name(words or row.subject)


def _what(row: Event) -> str:
    said = event_words.told(row.name, row.facts)
    facts = [(key, _plain(value)) for key, value in list(row.facts.items())[:FACTS]]
    if not facts:
        return cells.name(said)
    listed = format_html_join("", '<dt>{}</dt><dd class="whole">{}</dd>', facts)
    return format_html(
        '<details class="causes"><summary>{}</summary><dl class="facts small"><dt>{}</dt><dd>{}</dd>{}</dl></details>',
        said, _("event"), row.name, listed,
    )  # fmt: skip


def _plain(value: Any) -> str:
    text = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _actors() -> list[tuple[str, Any]]:
    people = [(f"person:{one.pk}", str(one)) for one in User.objects.order_by("email")[:MOST]]
    tokens = Token.objects.order_by("-made_at")[:MOST]
    return [
        *people,
        *((f"token:{one.pk}", one.name) for one in tokens),
        *((f"{kind}:", title) for kind, title in HUB.items()),
    ]


def _by(rows: QuerySet[Event], value: str) -> QuerySet[Event]:
    kind, _colon, key = value.partition(":")
    rows = rows.filter(actor_kind=kind)
    return rows.filter(actor_id=key) if key else rows


def _since(rows: QuerySet[Event], value: str) -> QuerySet[Event]:
    return rows.filter(at__gte=clock.now() - timedelta(days=int(value)))


def _by_part(goes_down: bool) -> OrderBy:
    return queries.PART.asc() if goes_down else queries.PART.desc()


def _about_one(rows: QuerySet[Event], value: str) -> QuerySet[Event]:
    return rows.filter(subject=value)


def _search(text: str) -> Found:
    """Whatever is called so, by the names that people know it by: the events about it, and those it did."""
    people = _keys(User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text)))
    tokens = _keys(Token.objects.filter(name__icontains=text))
    orders = _keys(Order.objects.filter(Q(number=text) | Q(external_number=text)))
    subjects = [
        text,
        f"sale:{text}",
        *(f"person:{key}" for key in people),
        *(f"token:{key}" for key in tokens),
        *(f"order:{key}" for key in orders),
        *(f"variant:{key}" for key in {*catalog.by_sku([text]).values(), *catalog.by_barcode([text]).values()}),
        *(f"channel:{key}" for key in _keys(Channel.objects.filter(Q(name__icontains=text) | Q(code=text)))),
        *(f"invitation:{key}" for key in _keys(Invitation.objects.filter(email__icontains=text))),
    ]
    strangers = Q(actor_kind=ActorKind.PERSON, actor_id="", actor_label__icontains=text)
    found: set[int] = set()
    for which in (
        Q(subject__in=subjects),
        Q(actor_kind=ActorKind.PERSON, actor_id__in=list(map(str, people))),
        Q(actor_kind=ActorKind.TOKEN, actor_id__in=list(map(str, tokens))),
        strangers,
    ):
        latest = Event.objects.filter(which).order_by("-at", "-id").values_list("pk", flat=True)
        found.update(latest[: lists.SEARCH_TO + 1])
    ids = sorted(found, reverse=True)
    return Found(tuple(ids[: lists.SEARCH_TO]), len(ids) > lists.SEARCH_TO)


def _keys(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by().values_list("pk", flat=True)[:MOST])


def _fill(rows: Sequence[Event]) -> None:
    """What each row is about, in words and with the way to it; one query for each kind of thing on the page."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        kind, _colon, key = row.subject.partition(":")
        wanted[kind].add(key)
    known: dict[tuple[str, str], tuple[str, str]] = {}

    def keep(kind: str, things: Iterable[tuple[int, str, str]]) -> None:
        known.update({(kind, str(pk)): (words, url) for pk, words, url in things})

    def numbers(kind: str) -> list[int]:
        return [int(key) for key in wanted.get(kind, ()) if key.isdigit()]

    if keys := numbers("order"):
        found = Order.objects.filter(pk__in=keys).only("pk", "number")
        keep("order", ((one.pk, one.number, reverse("order", args=[one.number])) for one in found))
    if keys := numbers("variant"):
        variants = Variant.objects.filter(pk__in=keys).only("pk", "sku")
        keep("variant", ((one.pk, one.sku, reverse("variant", args=[one.pk])) for one in variants))
    if keys := numbers("channel"):
        channels = Channel.objects.filter(pk__in=keys).only("pk", "name", "code")
        keep("channel", ((one.pk, one.name, reverse("channel", args=[one.code])) for one in channels))
    if keys := numbers("person"):
        people = User.objects.filter(pk__in=keys).only("pk", "name", "email")
        keep("person", ((one.pk, str(one), "") for one in people))
    if keys := numbers("token"):
        keep("token", ((one.pk, one.name, "") for one in Token.objects.filter(pk__in=keys).only("pk", "name")))
    if keys := numbers("invitation"):
        invited = Invitation.objects.filter(pk__in=keys).only("pk", "email")
        keep("invitation", ((one.pk, one.email, "") for one in invited))
    if keys := numbers("warehouse"):
        places = Warehouse.objects.filter(pk__in=keys).only("pk", "name")
        keep("warehouse", ((one.pk, one.name, "") for one in places))
    if keys := numbers("point"):
        points = SellingPoint.objects.filter(pk__in=keys).select_related("channel")
        keep("point", ((one.pk, one.channel.name, reverse("channel", args=[one.channel.code])) for one in points))
    if keys := numbers("flow"):
        flows = Flow.objects.filter(pk__in=keys).select_related("channel")
        keep("flow", ((one.pk, one.channel.name, reverse("channel_flows", args=[one.channel.code])) for one in flows))
    for row in rows:
        kind, _colon, key = row.subject.partition(":")
        row.about = known.get((kind, key), (row.subject, ""))  # type: ignore[attr-defined]  # read by `_about`


LISTING = lists.Listing(
    columns=(
        lists.Column(_("When"), lambda row: cells.moment(row.at), phone="b"),
        lists.Column(_("Who"), _who, phone="c"),
        lists.Column(_("What"), _what, phone="a"),
        lists.Column(_("About"), _about, phone="d"),
    ),
    sorts=(lists.Sort("latest", _("Latest first"), ("-at", "-id")),),
    filters=(
        lists.Filter("by", _("By anybody"), _actors, _by),
        lists.Filter(
            "part", _("Of any kind"), lambda: list(event_words.PARTS.items()), queries.of_part, leads=_by_part
        ),
        lists.Filter("days", _("At any time"), lambda: list(PERIODS.items()), _since),
    ),
    search=_search,
    search_hint=_("Person, token, order, SKU, channel"),
    empty=lists.Empty(
        _("Nothing has happened yet"), _("Whatever people change here is written down, with who and when.")
    ),
    fill=_fill,
)


@require_GET
@needs(Right.SEE_AUDIT)
def audit(request: PersonRequest) -> HttpResponse:
    """The trail; `about` asks for one thing alone."""
    tab, rows, listing = _asked(request)
    context = {
        "list": listing.show(request, rows),
        "tabs": TABS,
        "tab": tab,
        "tab_field": "tab",
        "asked": request.GET.urlencode(),
        "exported": cells.number(EXPORTED),
    }
    return render(request, "settings/audit.html", context)


def _asked(request: PersonRequest) -> tuple[str, QuerySet[Event], lists.Listing]:
    """The tab that an address asks for, its rows, and the list with what narrows them."""
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "people"
    rows = queries.by_people() if tab == "people" else queries.everything()
    about = request.GET.get("about", "")[:80].replace("\0", "")
    if not about:
        return tab, rows, LISTING
    only = lists.Filter("about", _("About anything"), lambda: [(about, about)], _about_one)
    return tab, rows, replace(LISTING, filters=(*LISTING.filters, only))


@require_GET
@needs(Right.SEE_AUDIT)
def export(request: PersonRequest) -> HttpResponse:
    """The trail as CSV, narrowed as it is on the page: the latest, as many as a file should hold."""
    _tab, rows, listing = _asked(request)
    latest = listing.narrowed(request, rows).order_by("-at", "-id")[:EXPORTED]
    pieces = [spreadsheets.lines([_HEAD])]
    with transaction.atomic():  # of one moment, and read as it is written
        found = latest.iterator(chunk_size=_CHUNK)
        while chunk := list(itertools.islice(found, _CHUNK)):
            _fill(chunk)
            pieces.append(spreadsheets.lines(map(_line, chunk)))
    return exports.download("audit.csv", exports.MARK + "".join(pieces).encode(), "text/csv; charset=utf-8")


_HEAD = ("at", "by", "by_kind", "what", "event", "about", "subject", "facts")


def _line(row: Event) -> tuple[str, ...]:
    about = getattr(row, "about", ("", ""))[0]
    facts = json.dumps(row.facts, ensure_ascii=False) if row.facts else ""
    said = event_words.told(row.name, row.facts)
    return row.at.isoformat(), flow_words.who(row), row.actor_kind, said, row.name, about, row.subject, facts

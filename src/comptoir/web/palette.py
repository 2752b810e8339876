"""What the command palette and the search page find: any SKU, order number, channel, page or action that the reader may
use, the likeliest first, each with the address it leads to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import resolve, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from comptoir.accounts.models import User
from comptoir.accounts.rights import PersonRequest, Right, allows, needs, right_of
from comptoir.channels.models import HUB, Channel, Mode
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.orders.models import Order
from comptoir.engine import flow as flows
from comptoir.engine.models import Flow
from comptoir.web import context, flow_words, lists, orders

OF_A_KIND = 8
MOST = 20  # orders or variants of one search

#: Pages beside those of the navigation, by the name of their address.
PAGES: tuple[tuple[str, Any], ...] = (
    ("receive", gettext_lazy("Receive goods")),
    ("adjust", gettext_lazy("Adjust stock")),
    ("movements", gettext_lazy("Movements")),
    ("findings_all", gettext_lazy("All findings")),
    ("connect", gettext_lazy("Connect a shop")),
    ("tokens", gettext_lazy("API tokens")),
    ("people", gettext_lazy("People")),
    ("me", gettext_lazy("My name, time zone and password")),
)
#: Tabs of a channel that somebody may want to go to at once.
TABS: tuple[tuple[str, Any], ...] = (
    ("channel_flows", gettext_lazy("Flows")),
    ("channel_offers", gettext_lazy("Products and offers")),
    ("channel_mappings", gettext_lazy("Mappings")),
    ("channel_preview", gettext_lazy("Preview")),
    ("channel_settings", gettext_lazy("Settings")),
)


@dataclass(frozen=True)
class Hit:
    """One thing to go to or to do. `how`: what is sent where it is something to do."""

    url: str
    title: str
    about: str = ""
    how: str = ""


@dataclass(frozen=True)
class Group:
    """Hits of one kind, under their heading."""

    title: Any
    hits: list[Hit]


def folded(text: str) -> str:
    """Without case and accents: who types “reglages” means “Réglages”."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _matching(hits: Iterable[Hit], text: str) -> list[Hit]:
    """Those that have every word that was typed, those that begin with it first."""
    words = folded(text).split()
    found = []
    for place, hit in enumerate(hits):
        name = folded(hit.title)
        whole = f"{name} {folded(hit.about)}"
        if all(word in whole for word in words):
            found.append((not name.startswith(words[0]) if words else False, place, hit))
    return [hit for _late, _place, hit in sorted(found, key=lambda one: one[:2])[:OF_A_KIND]]


def find(user: User, text: str) -> list[Group]:
    """What a text may mean to this person; without a text, where one can go."""
    if not text:
        pages = [Group(gettext_lazy("Pages"), _matching(_pages(user), ""))]
        return pages + [one for one in (Group(gettext_lazy("Channels"), _matching(_channels(user), "")),) if one.hits]
    found_orders, found_variants = meant(user, text)
    groups = [
        Group(
            gettext_lazy("Orders"),
            [Hit(reverse("order", args=[o.number]), o.number, o.external_number) for o in found_orders[:OF_A_KIND]],
        ),
        Group(
            gettext_lazy("Products"),
            [Hit(reverse("variant", args=[v.pk]), v.sku, v.product.name) for v in found_variants[:OF_A_KIND]],
        ),
        *beside(user, text),
    ]
    return [one for one in groups if one.hits]


def beside(user: User, text: str) -> list[Group]:
    """Channels, pages and actions of this name: all that is not looked up among orders and products."""
    groups = [
        Group(gettext_lazy("Channels"), _matching(_channels(user), text)),
        Group(gettext_lazy("Pages"), _matching(_pages(user), text)),
        Group(gettext_lazy("Actions"), _matching(_actions(user), text)),
    ]
    return [one for one in groups if one.hits]


def _pages(user: User) -> Iterator[Hit]:
    for name, title in [*((name, title) for name, _icon, title, _right in context.NAV), *PAGES]:
        url = reverse(name)
        right = right_of(resolve(url).func)
        if right is not None and allows(user, right):
            yield Hit(url, str(title))


def _channels(user: User) -> Iterator[Hit]:
    if not allows(user, Right.SEE_CHANNELS):
        return
    rows = list(Channel.objects.filter(archived_at__isnull=True).order_by("name"))
    for row in rows:
        yield Hit(reverse("channel", args=[row.code]), row.name, row.kind)
    for row in rows:
        for name, title in TABS if row.kind != HUB else TABS[:1]:
            yield Hit(reverse(name, args=[row.code]), f"{row.name} · {title}")


def _actions(user: User) -> Iterator[Hit]:
    """Flows to run or to preview, as far as their channel lets them."""
    if not allows(user, Right.RUN_FLOWS):
        return
    declared = flows.declared()
    rows = (
        Flow.objects.filter(channel__archived_at__isnull=True).select_related("channel").order_by("channel__name", "id")
    )
    for row in rows:
        known = declared.get(row.kind)
        if known is None:
            continue
        url, title = reverse("flow_run", args=[row.pk]), flow_words.title(row.kind)
        if known.previews:
            yield Hit(url, _("Preview “%(flow)s”") % {"flow": title}, row.channel.name, "preview")
        if not known.writes or (row.channel.mode == Mode.PRODUCTION and not row.channel.writes_paused):
            yield Hit(url, _("Run “%(flow)s” now") % {"flow": title}, row.channel.name, "now")


def called(user: User, text: str) -> tuple[list[Order], list[Variant]]:
    """Orders of exactly this number, ours or the channel's, and variants of exactly this SKU or barcode."""
    found_orders: list[Order] = []
    found_variants: list[Variant] = []
    if text and allows(user, Right.SEE_ORDERS):
        rows = Order.objects.filter(Q(number=text) | Q(external_number=text)).order_by("-placed_at", "-id")
        found_orders = list(rows[:MOST])
    if text and allows(user, Right.SEE_CATALOG):
        named = {*catalog.by_sku([text]).values(), *catalog.by_barcode([text]).values()}
        found_variants = list(Variant.objects.select_related("product").filter(pk__in=named)) if named else []
    return found_orders, found_variants


def meant(user: User, text: str) -> tuple[list[Order], list[Variant]]:
    """The same, or where nothing is called exactly so, what a search finds, the best first."""
    found_orders, found_variants = called(user, text)
    if found_orders or found_variants or len(text) < lists.SEARCH_FROM:
        return found_orders, found_variants
    # The search of orders looks at who bought: what it finds would tell it.
    if allows(user, Right.SEE_ORDERS) and allows(user, Right.SEE_BUYERS):
        ids = orders.search(text).ids[:MOST]
        found_orders = list(Order.objects.filter(pk__in=ids).order_by("-placed_at", "-id"))
    if allows(user, Right.SEE_CATALOG):
        best = catalog.search(text).ids[:MOST]
        by_id = Variant.objects.select_related("product").in_bulk(best)
        found_variants = [by_id[pk] for pk in best if pk in by_id]
    return found_orders, found_variants


@require_GET
@needs(Right.ENTER)
def palette(request: PersonRequest) -> HttpResponse:
    """The options of the palette, for its list."""
    text = lists.typed(request.GET.get("q", ""))
    groups = find(request.user, text)
    n = sum(len(one.hits) for one in groups)
    return render(request, "frame/palette_options.html", {"groups": groups, "n": n, "text": text})

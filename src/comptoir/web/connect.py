"""Connecting a channel alone, in steps: what was found there, mappings, where it sells from, and what comes next. Every step
can be left, come back to and sent twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from comptoir.accounts.rights import PersonRequest
from comptoir.channels import channel as channels_
from comptoir.channels import registry
from comptoir.channels.models import Channel, Seen
from comptoir.channels.records import SaleState, Surroundings
from comptoir.commerce.inventory.models import Warehouse
from comptoir.engine.models import Flow, Run
from comptoir.flows import connecting, prices, taxes
from comptoir.kit import clock
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ComptoirError
from comptoir.offers import actions as offers_
from comptoir.offers.models import Mapping as Mapped
from comptoir.offers.models import SellingPoint
from comptoir.staging import actions as staging_
from comptoir.staging.rules import BY_MEANING
from comptoir.web import answers, cells, connect_refusals, connect_steps, findings_words, flow_words, matching, zone
from comptoir.web import prices as prices_page
from comptoir.web import runs as runs_page
from comptoir.web import staging as staging_page
from comptoir.web.connect_steps import held, reach, step
from comptoir.web.findings_words import MEANINGS, RULES
from comptoir.web.inventory import chosen_warehouses, parse_quantity

IN_STEP = 60.0  # seconds that clocks may differ before anybody needs to hear of it
SALES_OF = timedelta(days=30)  # proposed: what was sold longer ago has surely left


# -- what is there -------------------------------------------------------------------------------------------------------


@step("found")
def found(request: PersonRequest, it: Channel) -> HttpResponse:
    """What the shop told of itself."""
    if request.method != "POST":
        return connect_steps.show(request, "found", _told(it), it)
    if request.POST.get("how") == "again":
        return _look_again(request, it)
    with transaction.atomic():
        if row := held(it, "found"):
            reach(row, "products")
    return redirect("connect_products", it.code)


def _look_again(request: PersonRequest, it: Channel) -> HttpResponse:
    try:
        seen = connecting.ask_around(it)
    except ComptoirError as error:
        with transaction.atomic():
            channels_.note_health(it.pk, error, at=clock.now())
        _field, words = connect_refusals.explain(error, registry.find(it.kind))
        answers.refuse(request, BadInput(words))
    else:
        with answers.attempt(request):
            connecting.note_seen(it, seen, actor=answers.actor(request.user), at=clock.now())
    return redirect("connect_found", it.code)


def _told(it: Channel) -> dict[str, Any]:
    seen = _seen(it)
    skew = seen.clock_skew
    return {
        "seen": seen,
        "kind": registry.find(it.kind).title,
        "clock": _clock(skew),
        "clock_is_wrong": skew is not None and abs(skew) > IN_STEP,
        "languages": ", ".join(sorted(one.name for one in seen.languages)),
        "lacking": connect_refusals.lacking(seen.missing_rights),
        "warnings": [(findings_words.title(code, {}), findings_words.cure(code, {})) for code in seen.warnings],
    }


def _seen(it: Channel) -> Surroundings:
    return msgspec.convert(Seen.objects.get(channel=it).content, Surroundings)


def _clock(skew: float | None) -> str:
    if skew is None:
        return gettext("It does not tell the time.")
    if abs(skew) <= IN_STEP:
        return gettext("In step with ours.")
    words = gettext("%(time)s ahead of ours.") if skew > 0 else gettext("%(time)s behind ours.")
    return words % {"time": cells.duration(abs(skew))}


# -- mappings ------------------------------------------------------------------------------------------------------------


@step("mappings")
def mappings(request: PersonRequest, it: Channel) -> HttpResponse:
    """What its statuses, carriers, payments and taxes are here."""
    if request.method != "POST":
        tells_prices = "prices" in registry.abilities(it.kind)
        classes = taxes.rows(it) if tells_prices else []
        context = {
            "groups": _groups(it),
            "tells_prices": tells_prices,
            "taxes": classes,
            "open_taxes": sum(one.rate is None for one in classes),
            "rules": RULES,
            "ours": staging_page.carriers_of_ours(),
            "prices": matching.prices(it),
        }
        return connect_steps.show(request, "mappings", context, it)
    with answers.attempt(request) as tried:
        if row := held(it, "mappings"):
            _map(row, request.POST, actor=answers.actor(request.user), at=clock.now())
            reach(row, "places")
    return redirect("connect_mappings" if tried.refused else "connect_places", it.code)


def _rows(it: Channel) -> dict[str, list[dict[str, Any]]]:
    """What there is to map, by kind: what nobody has decided comes first."""
    meanings = {one.external_id: one.state for one in _seen(it).statuses}
    rules = dict(RULES)
    rows: dict[str, list[dict[str, Any]]] = {"status": [], "carrier": [], "payment": []}
    for one in Mapped.objects.filter(channel=it, kind__in=rows).order_by("name", "id"):
        state = meanings.get(one.external_id, SaleState.UNKNOWN)
        by_flags = BY_MEANING[state] if one.kind == "status" else None
        rows[one.kind].append(
            {
                "field": f"{one.kind}:{one.external_id}",
                "external_id": one.external_id,
                "name": one.name or one.external_id,
                "ours": one.ours,
                "meaning": MEANINGS[state] if one.kind == "status" else "",
                "by_flags": rules[by_flags.value] if by_flags else "",
                "is_open": not one.ours and by_flags is None,
            }
        )
    return {name: sorted(found, key=lambda row: not row["is_open"]) for name, found in rows.items()}


def _groups(it: Channel) -> dict[str, Any]:
    return {name: {"rows": rows, "open": sum(row["is_open"] for row in rows)} for name, rows in _rows(it).items()}


def _map(row: Channel, given: Mapping[str, str], *, actor: Actor, at: datetime) -> None:
    """Keep what differs from what is kept; a field that is not on the page changes nothing."""
    for name, rows in _rows(row).items():
        for one in rows:
            ours = given.get(one["field"], one["ours"]).strip()[:80]
            if ours == one["ours"]:
                continue
            if name == "status":
                staging_page.tell(row.pk, staging_.map_status(row, one["external_id"], ours, actor=actor, at=at), at)
            elif name == "carrier" and ours:
                staging_page.tell(row.pk, staging_.map_carrier(row, one["external_id"], ours, actor=actor, at=at), at)
            else:
                offers_.map_to(row.pk, name, one["external_id"], ours, at=at, actor=actor)
    for tax in taxes.rows(row):
        if (text := given.get(f"tax:{tax.external_id}")) is not None:
            prices.state_tax(row, tax.external_id, prices_page.tax_rate(text), at=at, actor=actor)


# -- where it sells from -------------------------------------------------------------------------------------------------


@step("places")
def places(request: PersonRequest, it: Channel) -> HttpResponse:
    """Warehouses and limits of each selling point, and from when on sales come in. With it, its flows begin."""
    if request.method != "POST":
        warehouses = list(Warehouse.objects.filter(is_active=True).order_by("position", "id"))
        start = it.sales_from or (None if it.connecting == "summary" else clock.now() - SALES_OF)
        context = {"points": _points(it), "warehouses": warehouses, "start": _day(it, start)}
        return connect_steps.show(request, "places", context, it)
    with answers.attempt(request) as tried:
        if row := held(it, "places"):
            at, who = clock.now(), answers.actor(request.user)
            for point in _points(row):
                save_point(point, request.POST, f"{point.pk}-", actor=who, at=at)
            channels_.start_from(row, _start(row, request.POST.get("sales_from", "")), actor=who, at=at)
            channels_.choose(
                row,
                accepts_by_itself=request.POST.get("accepts_by_itself") == "yes",
                books_shipments=row.books_shipments,
                actor=who,
                at=at,
            )
            connecting.begin(row)
            reach(row, "summary")
    return redirect("connect_places" if tried.refused else "connect_summary", it.code)


def _points(it: Channel) -> list[SellingPoint]:
    return list(it.points.prefetch_related("sources__warehouse").order_by("id"))


def save_point(point: SellingPoint, given: Any, prefix: str, *, actor: Actor, at: datetime) -> None:
    """Keep where a point sells from and its limits, as far as they differ."""
    wanted = chosen_warehouses(given, f"{prefix}warehouse")
    if not wanted:
        raise BadInput(gettext("choose at least one warehouse"), place=point.name, value=gettext("none"))
    if wanted != [source.warehouse_id for source in point.sources.order_by("position")]:
        offers_.set_sources(point.pk, wanted, at=at)
    buffer = parse_quantity(given.get(f"{prefix}buffer", "") or "0", gettext("buffer"))
    if buffer != point.buffer:
        offers_.set_limits(point.pk, buffer=buffer, minimum=point.minimum, maximum=point.maximum, at=at, actor=actor)


def _day(it: Channel, at: datetime | None) -> date | None:
    """The day of a moment, where the shop is."""
    return at.astimezone(zone.zone_named(it.timezone)).date() if at else None


def _start(it: Channel, text: str) -> datetime | None:
    """The first moment of a day, where the shop is."""
    if not text.strip():
        return None
    try:
        day = datetime.fromisoformat(text.strip()).date()
    except ValueError as error:
        raise BadInput(gettext("not a day"), place=gettext("sales from"), value=text, cure="2026-03-01") from error
    return datetime.combine(day, time(), tzinfo=zone.zone_named(it.timezone))


# -- what comes next -----------------------------------------------------------------------------------------------------

FIRST = {
    "pull_products": ("run", _("Run products now"), _("Products come in; those that you have already are recognised by SKU and barcode.")),
    "pull_stock_once": (
        "run",
        _("Run stock once"),
        _("The hub begins to count: the shop's figures, and the units of open sales that the shop has taken off already."),
    ),
    "push_stock": (
        "preview",
        _("Preview"),
        _("What the hub would write, row by row. Right after stock was counted it should be empty."),
    ),
}  # fmt: skip


@step("summary")
def summary(request: PersonRequest, it: Channel) -> HttpResponse:
    """It is connected, in test mode: what happens by itself now, and what a person does before going live."""
    if request.method == "POST":
        channels_.at_step(it, "")
        return redirect("channel", it.code)
    groups = _groups(it)
    context = {
        "firsts": _firsts(it),
        "points": _points(it),
        "open_statuses": groups["status"]["open"],
        "open_carriers": groups["carrier"]["open"],
        "start": _day(it, it.sales_from),
    }
    return connect_steps.show(request, "summary", context, it)


def _firsts(it: Channel) -> list[dict[str, Any]]:
    rows = {row.kind: row for row in Flow.objects.filter(channel=it, kind__in=FIRST)}
    firsts = []
    for name, (how, button, words) in FIRST.items():
        if name not in rows:
            continue
        last = Run.objects.filter(flow=rows[name], is_preview=how == "preview").order_by("-id").first()
        firsts.append(
            {
                "flow": rows[name],
                "title": flow_words.title(name),
                "how": how,
                "button": button,
                "words": words,
                "run": last,
                "state": runs_page.state(last) if last else "",
            }
        )
    return firsts

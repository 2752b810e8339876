"""Connecting a channel alone, in steps: kind, credentials that are tried before anything is kept, what was found there,
mappings, where it sells from, and what comes next. Every step can be left, come back to and sent twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels import channel as channels_
from comptoir.channels import registry
from comptoir.channels.connector import Connector, Field
from comptoir.channels.errors import ChannelError
from comptoir.channels.models import Channel, Seen
from comptoir.channels.records import SaleState, Surroundings
from comptoir.commerce.inventory.models import Warehouse
from comptoir.engine.models import Flow, Run
from comptoir.flows import connecting
from comptoir.kit import clock
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ComptoirError
from comptoir.offers import actions as offers_
from comptoir.offers.models import Mapping as Mapped
from comptoir.offers.models import SellingPoint
from comptoir.staging import actions as staging_
from comptoir.staging.rules import BY_MEANING
from comptoir.web import answers, cells, connect_refusals, findings_words, flow_words, zone
from comptoir.web import runs as runs_page
from comptoir.web import staging as staging_page
from comptoir.web.findings_words import MEANINGS, RULES
from comptoir.web.inventory import parse_quantity

#: Steps of a channel that is kept, in their order; `Channel.connecting` holds the farthest that was reached.
STEPS = ("found", "mappings", "places", "summary")
TITLES = {
    "kind": pgettext_lazy("a step", "Kind"),
    "credentials": _("Credentials"),
    "found": _("What is there"),
    "mappings": _("Mappings"),
    "places": _("Where it sells from"),
    "summary": _("What comes next"),
}
IN_STEP = 60.0  # seconds that clocks may differ before anybody needs to hear of it
SALES_OF = timedelta(days=30)  # proposed: what was sold longer ago has surely left


# -- the frame of all steps ----------------------------------------------------------------------------------------------


def _step(
    request: PersonRequest, step: str, context: dict[str, Any], it: Channel | None = None, *, status: int = 200
) -> HttpResponse:
    names = list(TITLES)
    steps = [
        {"title": TITLES[name], "url": _way(name, it), "is_here": name == step, "is_done": n < names.index(step)}
        for n, name in enumerate(names)
        if it is None or it.connecting in STEPS  # a channel that is connected has no way to go on
    ]
    frame = {"steps": steps, "title": TITLES[step], "channel": it}
    return render(request, f"connect/{step}.html", {**frame, **context}, status=status)


def _way(step: str, it: Channel | None) -> str:
    """The address of a step, where it may be gone to."""
    if step == "kind":
        return reverse("connect")
    if it is None or (step in STEPS and STEPS.index(step) > STEPS.index(it.connecting)):
        return ""
    return reverse(f"connect_{step}", args=[it.code])


def _may_be_at(it: Channel, step: str) -> HttpResponse | None:
    """Where to go instead: a step that was not reached leads to the one that was; one of a finished channel, to it."""
    if it.connecting not in STEPS:
        return redirect("channel", it.code)
    if STEPS.index(step) > STEPS.index(it.connecting):
        return redirect(f"connect_{it.connecting}", it.code)
    return None


def _held(it: Channel, step: str) -> Channel | None:
    """The channel, kept from others until this transaction ends; None where another tab is done with it."""
    row = Channel.objects.select_for_update().get(pk=it.pk)
    return row if row.connecting in STEPS and STEPS.index(step) <= STEPS.index(row.connecting) else None


def _reach(row: Channel, step: str) -> None:
    if STEPS.index(step) > STEPS.index(row.connecting):
        channels_.at_step(row, step)


@require_GET
@needs(Right.CHANGE_CHANNELS)
def go_on(request: PersonRequest, code: str) -> HttpResponse:
    """To the step where somebody left."""
    it = get_object_or_404(Channel, code=code)
    return redirect(f"connect_{it.connecting}" if it.connecting in STEPS else "channel", it.code)


# -- kind ----------------------------------------------------------------------------------------------------------------


@require_GET
@needs(Right.CHANGE_CHANNELS)
def kinds(request: PersonRequest) -> HttpResponse:
    """What can be connected, and what somebody began to connect."""
    cards = [_card(registry.find(kind)) for kind in registry.kinds()]
    begun = Channel.objects.filter(archived_at__isnull=True).exclude(connecting="").order_by("name")
    context = {"cards": cards, "begun": [(row, TITLES[row.connecting]) for row in begun if row.connecting in STEPS]}
    return _step(request, "kind", context)


READS = {"products": _("Products"), "sales": _("Orders"), "stock": _("Stock levels")}
WRITES = {"levels": _("Stock levels"), "tracking": _("Shipping confirmations"), "cancelling": _("Cancellations")}


def _card(card: Connector) -> dict[str, Any]:
    return {
        "kind": card.kind,
        "title": card.title,
        "reads": ", ".join(str(words) for name, words in READS.items() if name in card.abilities),
        "writes": ", ".join(str(words) for name, words in WRITES.items() if name in card.abilities),
    }


# -- credentials ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Answer:
    """What a try came to: at which field it failed, or what was found."""

    config: dict[str, Any]
    wrong: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    asks_anyway: bool = False  # it answers, but the key lacks rights
    seen: Surroundings | None = None


def _typed(card: Connector, given: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for field in card.fields:
        text = given.get(field.name, "").strip()
        if field.kind == "switch":
            text = "yes" if text == "yes" else "no"
        elif field.kind == "url" and text and "://" not in text:
            text = f"https://{text}"
        config[field.name] = text
    return config


def _try(card: Connector, config: dict[str, Any], row: Channel | None, anyway: bool) -> _Answer:
    """Ask the shop with what was typed in. Calls out; nothing is stored."""
    found = _Answer(config)
    missing = [
        field.name
        for field in card.fields
        if field.required and not config.get(field.name) and not (row is not None and field.secret)
    ]
    if missing:
        found.wrong = {name: [gettext("Please fill this in.")] for name in missing}
        return found
    try:
        at = clock.now()
        tried = (
            channels_.draft(kind=card.kind, name="", code="", config=config, at=at)
            if row is None
            else channels_.corrected(row, config)
        )
        seen = connecting.ask_around(tried)
    except (ChannelError, BadInput) as error:
        field, words = connect_refusals.explain(error, card)
        found.wrong = {field: [words]}
        return found
    lacking = connect_refusals.lacking(seen.missing_rights)
    if lacking and not anyway:
        found.wrong, found.asks_anyway = {connect_refusals.secret_field(card): lacking}, True
    else:
        found.seen = seen
    return found


def _fields(
    card: Connector, config: Mapping[str, Any] | None, answer: _Answer | None, kept: bool
) -> list[dict[str, Any]]:
    """The connector's form. What is secret is never given back."""
    return [
        {
            "name": field.name,
            "label": gettext(field.label),
            "help": _help(field, kept),
            "field": field,
            "value": _value(field, config),
            "wrong": answer.wrong.get(field.name, []) if answer else [],
        }
        for field in card.fields
    ]


def _value(field: Field, config: Mapping[str, Any] | None) -> str:
    if field.secret:
        return ""
    return str(config.get(field.name) or "") if config is not None else field.default


def _help(field: Field, kept: bool) -> str:
    said = gettext(field.help) if field.help else ""
    if field.secret and kept:
        return f"{said} {gettext('Empty: the one that is kept.')}".strip()
    return said


def _refused(request: PersonRequest, card: Connector, answer: _Answer, it: Channel | None) -> HttpResponse:
    """Say it at the field. A page that asks by htmx keeps what was typed, the key too, which we never send back."""
    given = {"fields": _fields(card, answer.config, answer, it is not None), "asks_anyway": answer.asks_anyway}
    if request.headers.get("HX-Request"):
        return render(request, "connect/told.html", {**given, "is_swap": True})
    context = {"card": card, "name": request.POST.get("name", ""), **given}
    return _step(request, "credentials", context, it, status=422)


def _go(request: PersonRequest, step: str, code: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(reverse(step, args=[code]))
    return redirect(step, code)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def begin(request: PersonRequest, kind: str) -> HttpResponse:
    """Credentials of a new channel: tried first, kept when they work."""
    if kind not in registry.kinds():
        return redirect("connect")
    card = registry.find(kind)
    if request.method != "POST":
        return _step(request, "credentials", {"card": card, "fields": _fields(card, None, None, kept=False)})
    answer = _try(card, _typed(card, request.POST), None, request.POST.get("anyway") == "yes")
    if answer.seen is None:
        return _refused(request, card, answer, None)
    config = {name: text for name, text in answer.config.items() if text}
    at, who = clock.now(), answers.actor(request.user)
    name = request.POST.get("name", "").strip()[:80]
    tried = channels_.draft(kind=kind, name=name, code="", config=config, at=at)
    with transaction.atomic():
        row = connecting.keep(tried, answer.seen, step=STEPS[0], actor=who, at=at)
        if (
            row is not tried and row.connecting in STEPS
        ):  # somebody left in the middle: the newer key is the one to keep
            _correct(row, config, answer.seen, actor=who, at=at)
    if row.connecting not in STEPS:
        answers.say(request, gettext("This shop is connected already: nothing was changed."))
        return _go(request, "channel", row.code)
    return _go(request, f"connect_{row.connecting}", row.code)


def _correct(row: Channel, config: dict[str, Any], seen: Surroundings, *, actor: Actor, at: datetime) -> None:
    before = channels_.config_of(row)
    if any(before.get(name, "") != text for name, text in config.items()):
        connecting.correct(row, config, seen, actor=actor, at=at)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def credentials(request: PersonRequest, code: str) -> HttpResponse:
    """Other credentials of a channel that is kept: of the same shop, and tried first."""
    it = get_object_or_404(Channel, code=code)
    if it.kind not in registry.kinds():
        return redirect("channel", code)
    card = registry.find(it.kind)
    if request.method != "POST":
        return _step(request, "credentials", {"card": card, "fields": _fields(card, it.config, None, kept=True)}, it)
    typed = _typed(card, request.POST)
    secret = {field.name for field in card.fields if field.secret}
    config = {name: text for name, text in typed.items() if text or name not in secret}
    answer = _try(card, config, it, request.POST.get("anyway") == "yes")
    if answer.seen is None:
        return _refused(request, card, answer, it)
    try:
        with transaction.atomic():
            _correct(it, config, answer.seen, actor=answers.actor(request.user), at=clock.now())
    except BadInput as error:
        field, words = connect_refusals.explain(error, card)
        return _refused(request, card, _Answer(config, {field: [words]}), it)
    answers.say(request, gettext("The shop answers. These credentials are used from now on."))
    return _go(request, "connect_go_on" if it.connecting in STEPS else "channel_settings", code)


# -- what is there -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def found(request: PersonRequest, code: str) -> HttpResponse:
    """What the shop told of itself."""
    it = get_object_or_404(Channel, code=code)
    if elsewhere := _may_be_at(it, "found"):
        return elsewhere
    if request.method != "POST":
        return _step(request, "found", _told(it), it)
    if request.POST.get("how") == "again":
        return _look_again(request, it)
    with transaction.atomic():
        if row := _held(it, "found"):
            _reach(row, "mappings")
    return redirect("connect_mappings", code)


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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def mappings(request: PersonRequest, code: str) -> HttpResponse:
    """What its statuses, carriers and payments are here."""
    it = get_object_or_404(Channel, code=code)
    if elsewhere := _may_be_at(it, "mappings"):
        return elsewhere
    if request.method != "POST":
        context = {"groups": _groups(it), "rules": RULES, "ours": staging_page.carriers_of_ours()}
        return _step(request, "mappings", context, it)
    refused = True
    with answers.attempt(request):
        if row := _held(it, "mappings"):
            _map(row, request.POST, actor=answers.actor(request.user), at=clock.now())
            _reach(row, "places")
        refused = False
    return redirect("connect_mappings" if refused else "connect_places", code)


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


# -- where it sells from -------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def places(request: PersonRequest, code: str) -> HttpResponse:
    """Warehouses and limits of each selling point, and from when on sales come in. With it, its flows begin."""
    it = get_object_or_404(Channel, code=code)
    if elsewhere := _may_be_at(it, "places"):
        return elsewhere
    if request.method != "POST":
        warehouses = list(Warehouse.objects.filter(is_active=True).order_by("position", "id"))
        start = it.sales_from or (None if it.connecting == "summary" else clock.now() - SALES_OF)
        context = {"points": _points(it), "warehouses": warehouses, "start": _day(it, start)}
        return _step(request, "places", context, it)
    refused = True
    with answers.attempt(request):
        if row := _held(it, "places"):
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
            _reach(row, "summary")
        refused = False
    return redirect("connect_places" if refused else "connect_summary", code)


def _points(it: Channel) -> list[SellingPoint]:
    return list(it.points.prefetch_related("sources__warehouse").order_by("id"))


def save_point(point: SellingPoint, given: Any, prefix: str, *, actor: Actor, at: datetime) -> None:
    """Keep where a point sells from and its limits, as far as they differ."""
    known = set(Warehouse.objects.values_list("pk", flat=True))
    wanted = [int(text) for text in given.getlist(f"{prefix}warehouse") if text.isdigit() and int(text) in known]
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.CHANGE_CHANNELS)
def summary(request: PersonRequest, code: str) -> HttpResponse:
    """It is connected, in test mode: what happens by itself now, and what a person does before going live."""
    it = get_object_or_404(Channel, code=code)
    if elsewhere := _may_be_at(it, "summary"):
        return elsewhere
    if request.method == "POST":
        channels_.at_step(it, "")
        return redirect("channel", code)
    groups = _groups(it)
    context = {
        "firsts": _firsts(it),
        "points": _points(it),
        "open_statuses": groups["status"]["open"],
        "open_carriers": groups["carrier"]["open"],
        "start": _day(it, it.sales_from),
    }
    return _step(request, "summary", context, it)


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

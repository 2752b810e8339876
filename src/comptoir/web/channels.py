"""Channels: the list, and one channel in its tabs: overview, flows, offers, mappings, preview, settings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels import channel as channels_
from comptoir.channels import registry
from comptoir.channels.models import HUB, Channel, Mode, Seen
from comptoir.channels.records import SaleState, Surroundings
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.inventory.models import Level, Warehouse
from comptoir.commerce.orders.models import Order
from comptoir.commerce.orders.status import OPEN
from comptoir.engine import findings as findings_
from comptoir.engine import flow as flows_
from comptoir.engine import runs, schedule
from comptoir.engine.models import Finding, Flow, Run, Trigger
from comptoir.flows import budget, completeness, connecting, levels, reach, subscribing, taxes
from comptoir.kit import clock
from comptoir.kit.errors import BadInput, ComptoirError
from comptoir.offers import actions as offers_
from comptoir.offers import queries as offer_queries
from comptoir.offers import trying
from comptoir.offers.models import Mapping, Offer, PointWarehouse, SellingPoint
from comptoir.staging import actions as staging_
from comptoir.staging.models import StagedSale
from comptoir.staging.rules import BY_MEANING
from comptoir.web import answers, cells, findings_words, flow_words, lists
from comptoir.web import findings as findings_page
from comptoir.web import prices as prices_page
from comptoir.web import runs as runs_page
from comptoir.web import staging as staging_page
from comptoir.web.findings_words import MEANINGS, RULES
from comptoir.web.inventory import chosen_warehouses, parse_quantity

TABS = {
    "channel": _("Overview"),
    "channel_flows": _("Flows"),
    "channel_offers": _("Products and offers"),
    "channel_mappings": _("Mappings"),
    "channel_preview": _("Preview"),
    "channel_webhooks": _("Webhooks"),
    "channel_settings": _("Settings"),
}


WAITING_TO = 1_000  # counting stops here: each channel asks on every page that shows how it stands
RECENT = 8  # runs on its page
HUB_TABS = ("channel", "channel_flows")


@dataclass(frozen=True)
class Standing:
    """A channel as one row: how it is and what waits."""

    channel: Channel
    waiting: int  # stops above WAITING_TO
    oldest: datetime | None
    last_sale: datetime | None

    @property
    def waiting_words(self) -> str:
        """How many, as far as they are counted."""
        return cells.counted(self.waiting, WAITING_TO)


def standings() -> list[Standing]:
    """Every channel that is not archived, in two queries whatever their number."""
    newest = StagedSale.objects.filter(channel=OuterRef("pk")).order_by("-placed_at").values("placed_at")[:1]
    rows = list(Channel.objects.filter(archived_at__isnull=True).annotate(last_sale=Subquery(newest)).order_by("name"))
    waiting = offer_queries.waiting_by_channel(most=WAITING_TO)
    return [
        Standing(row, counted.count, counted.oldest, row.last_sale)
        for row in rows
        for counted in [waiting.get(row.pk, offer_queries.Waiting(0, None))]
    ]


@require_GET
@needs(Right.SEE_CHANNELS)
def channels(request: PersonRequest) -> HttpResponse:
    """All of them, one row each; archived ones by name."""
    archived = Channel.objects.filter(archived_at__isnull=False).order_by("name", "id")
    return render(request, "channels/list.html", {"standings": standings(), "archived": archived})


def find(code: str) -> Channel:
    """The channel of an address."""
    return get_object_or_404(Channel, code=code)


def rights(user: object) -> dict[str, bool]:
    """What somebody may do on the pages of a channel."""
    return {"may_run": allows(user, Right.RUN_FLOWS), "may_change": allows(user, Right.CHANGE_CHANNELS)}


def page(request: PersonRequest, it: Channel, tab: str, context: dict[str, Any], *, template: str = "") -> HttpResponse:
    """A tab of a channel."""
    names = HUB_TABS if it.kind == HUB else tuple(TABS)
    tabs = [(reverse(name, args=[it.code]), TABS[name], name == tab) for name in names]
    template = template or f"channels/{tab.removeprefix('channel_') if tab != 'channel' else 'overview'}.html"
    return render(
        request, template, {"channel": it, "is_hub": it.kind == HUB, "tabs": tabs, **rights(request.user), **context}
    )


@require_GET
@needs(Right.SEE_CHANNELS)
def channel(request: PersonRequest, code: str) -> HttpResponse:
    """How it stands."""
    it = find(code)
    standing = next((s for s in standings() if s.channel.pk == it.pk), Standing(it, 0, None, None))
    recent = runs.latest_of_channel(it.pk, most=RECENT)
    context = {
        "standing": standing,
        "points": _points(it),
        "window": reach.window(it, at=clock.now()) if it.kind != HUB else None,
        "complete": _complete(it),
        "groups": findings_page.groups(request.user, it.pk),
        "runs": [{"run": r, "title": flow_words.title(r.flow.kind), "state": runs_page.state(r)} for r in recent],
    }
    return page(request, it, "channel", context)


def _complete(it: Channel) -> dict[str, Any] | None:
    """What the last comparison of ids said, as the flow keeps it."""
    kept = Flow.objects.filter(channel=it, kind=completeness.KIND).values_list("cursor", flat=True).first()
    if not kept:
        return None
    times = {name: datetime.fromisoformat(kept[name]) for name in ("since", "until")}
    return {**kept, **times, "there_words": cells.number(kept["there"])}


def _points(it: Channel) -> list[SellingPoint]:
    return list(it.points.prefetch_related("sources__warehouse").order_by("id"))


# -- flows ---------------------------------------------------------------------------------------------------------------

ARROWS = {
    flows_.IN: ("arrow-down-left", _("channel to hub")),
    flows_.OUT: ("arrow-up-right", _("hub to channel")),
    flows_.HERE: ("arrow-path-rounded-square", _("within the hub")),
}


def flow_rows(it: Channel) -> list[dict[str, Any]]:
    """Its arrows, one row each."""
    last = Run.objects.filter(flow=OuterRef("pk"), is_preview=False).order_by("-id").values("pk")[:1]
    rows = list(Flow.objects.filter(channel=it).annotate(last_run=Subquery(last)).order_by("id"))
    last_runs = Run.objects.in_bulk([row.last_run for row in rows if row.last_run])
    declared = flows_.declared()
    shown = []
    for row in rows:
        known = declared.get(row.kind)
        run = last_runs.get(row.last_run or 0)
        icon, direction = ARROWS[known.direction] if known else ("minus", "")
        shown.append(
            {
                "flow": row,
                "title": flow_words.title(row.kind),
                "icon": icon,
                "direction": direction,
                "schedule": schedule.words(row.every, row.cron, row.timezone),
                "minutes": row.every // 60 if row.every and row.every % 60 == 0 else None,
                "run": run,
                "state": runs_page.state(run) if run else "",
                "counts": _counts(run),
                "is_known": known is not None,
                "previews": bool(known and known.previews),
                "is_held_back": bool(known and known.writes and (it.mode == Mode.TEST or it.writes_paused)),
            }
        )
    return shown


def _budget(it: Channel) -> dict[str, Any] | None:
    """What its flows cost at its pace."""
    if it.kind == HUB or it.archived_at is not None:
        return None
    found = budget.budget(it, at=clock.now())
    return {
        "per_minute": cells.number(round(found.per_minute)),
        "share": round(found.share * 100),
        "is_over": found.share > 1,
        "points": found.points
        and {
            "left": cells.number(round(found.points.left)),
            "most": cells.number(round(found.points.most)),
            "per_second": cells.number(round(found.points.per_second)),
            "at": found.points.at,
        },
        "costs": {
            flow: {
                "n": math.ceil(cost.calls),
                "calls": cells.number(math.ceil(cost.calls)),
                "time": cells.duration(cost.minutes * 60),
                "is_measured": cost.is_measured,
            }
            for flow, cost in found.costs.items()
        },
    }


def _counts(run: Run | None) -> str:
    if run is None or not run.seen:
        return ""
    said = {name: getattr(run, name) for name in ("created", "changed", "parked", "failed")}
    parts = [f"{cells.number(n)} {runs_page.counted(name, n)}" for name, n in said.items() if n]
    return ", ".join([ngettext("%(n)s seen", "%(n)s seen", run.seen) % {"n": cells.number(run.seen)}, *parts])


@require_GET
@needs(Right.SEE_CHANNELS)
def channel_flows(request: PersonRequest, code: str) -> HttpResponse:
    """The arrows of this channel."""
    it = find(code)
    spent, rows = _budget(it), flow_rows(it)
    for row in rows:
        row["cost"] = spent["costs"].get(row["flow"].pk) if spent else None
    return page(request, it, "channel_flows", {"flows": rows, "budget": spent})


@require_POST
@needs(Right.RUN_FLOWS)
def run_flow(request: PersonRequest, pk: int) -> HttpResponse:
    """Run it now, or say what it would do."""
    row = get_object_or_404(Flow.objects.select_related("channel"), pk=pk)
    made = None
    with answers.attempt(request):
        preview = request.POST.get("how") == "preview"
        made = runs.request(row.pk, Trigger.PERSON, answers.actor(request.user), preview=preview, at=clock.now())
    return redirect("run", made) if made else redirect("channel_flows", row.channel.code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def switch_flow(request: PersonRequest, pk: int) -> HttpResponse:
    """On or off."""
    row = get_object_or_404(Flow.objects.select_related("channel"), pk=pk)
    with answers.attempt(request):
        flows_.switch(row.pk, request.POST.get("on") == "yes", at=clock.now(), actor=answers.actor(request.user))
    return redirect("channel_flows", row.channel.code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def schedule_flow(request: PersonRequest, pk: int) -> HttpResponse:
    """Another schedule: every so many minutes, by cron, or neither."""
    row = get_object_or_404(Flow.objects.select_related("channel"), pk=pk)
    with answers.attempt(request, gettext("Schedule changed.")):
        every, cron = request.POST.get("minutes", "").strip(), request.POST.get("cron", "").strip()
        seconds = int(parse_quantity(every, gettext("minutes")) * 60) if every else None
        zone = request.POST.get("timezone", "").strip() or row.timezone
        flows_.set_schedule(
            row.pk, every=seconds, cron=cron, timezone=zone, at=clock.now(), actor=answers.actor(request.user)
        )
    return redirect("channel_flows", row.channel.code)


# -- offers --------------------------------------------------------------------------------------------------------------


def _waiting(row: Offer) -> str:
    if not row.is_active:
        return cells.badge("closed", _("Not pushed"))
    if row.is_waiting:
        return cells.badge("retry", _("Waits"))
    return cells.badge("done", _("Up to date"))


def _variant_link(row: Offer) -> str:
    return cells.link(f"{reverse('variant', args=[row.variant_id])}#offer-{row.pk}", row.variant.sku)


OFFERS = lists.Listing(
    columns=(
        lists.Column("SKU", _variant_link, "a"),
        lists.Column(_("Product"), lambda o: cells.name(o.variant.product.name), "c"),
        lists.Column(_("Selling point"), lambda o: cells.name(o.point.name)),
        lists.Column(_("On hand"), lambda o: cells.quantity(o.figures["on_hand"]), is_number=True),
        lists.Column(_("Reserved"), lambda o: cells.quantity(o.figures["reserved"]), is_number=True),
        lists.Column(_("Held"), lambda o: cells.quantity(o.figures["held"]), is_number=True),
        lists.Column(_("Buffer"), lambda o: cells.quantity(o.point.buffer), is_number=True),
        lists.Column(_("Level"), lambda o: cells.quantity(o.level), "b", is_number=True),
        lists.Column(
            _("Told"), lambda o: cells.quantity(o.told) if o.told is not None else _("unknown"), is_number=True
        ),
        lists.Column(_("When"), lambda o: cells.moment(o.told_at)),
        lists.Column(_("State"), _waiting, "d"),
    ),
    sorts=(
        lists.Sort("first", _("Oldest first"), ("point_id", "id")),
        lists.Sort("last", _("Newest first"), ("-point_id", "-id")),
    ),
    filters=(
        lists.Filter(
            "state",
            _("Every state"),
            lambda: [("waiting", _("Waiting")), ("told", _("Up to date")), ("off", _("Not pushed"))],
            lambda rows, v: {
                "waiting": rows.filter(is_waiting=True, is_active=True),
                "told": rows.filter(is_waiting=False, is_active=True),
                "off": rows.filter(is_active=False),
            }[v],
        ),
    ),
    search=catalog.search,
    found_in="variant",
    search_hint=_("SKU, barcode or name"),
    empty=lists.Empty(
        _("Nothing is offered here yet"),
        _("Run the product flow: listings of the channel that match a variant become offers."),
    ),
    fill=lambda rows: _fill_offers(rows),
    selects="again",
)

OFFERS_TO_LOOK_AT = lists.Listing(**{**OFFERS.__dict__, "selects": ""})


def _fill_offers(rows: Sequence[Offer]) -> None:
    """Figures and levels of a page, as they are now."""
    levels = {level.offer: level.level for level in offer_queries.levels([row.pk for row in rows])}
    figures = stock_at_points([(row.point_id, row.variant.alias_of_id or row.variant_id) for row in rows])
    for row in rows:
        row.level = levels.get(row.pk)  # type: ignore[attr-defined]
        row.figures = figures[row.point_id, row.variant.alias_of_id or row.variant_id]  # type: ignore[attr-defined]


def stock_at_points(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Decimal]]:
    """On hand, reserved and held over the warehouses of each (point, variant), in two queries."""
    places: dict[int, set[int]] = {}
    for point, warehouse in PointWarehouse.objects.filter(point__in={p for p, _v in pairs}).values_list(
        "point", "warehouse"
    ):
        places.setdefault(point, set()).add(warehouse)
    levels: dict[int, list[Any]] = defaultdict(list)
    names = ("on_hand", "reserved", "held")
    known = Level.objects.filter(variant__in={v for _p, v in pairs})
    for level in known.values("variant", "warehouse", *names):
        levels[level["variant"]].append(level)
    return {
        (point, variant): {
            name: sum((at[name] for at in levels[variant] if at["warehouse"] in places.get(point, ())), Decimal(0))
            for name in names
        }
        for point, variant in pairs
    }


@require_GET
@needs(Right.SEE_CHANNELS)
def channel_offers(request: PersonRequest, code: str) -> HttpResponse:
    """What it sells, what it was told, what waits."""
    it = find(code)
    points = list(it.points.values_list("pk", flat=True))  # by name: a join would hide the order of the index
    rows = Offer.objects.filter(point__in=points).select_related("variant__product", "point")
    if len(points) == 1:  # "= 1" would let the planner walk all offers by id, and a shop that came late is at their end
        [point] = points
        rows = Offer.objects.filter(point__gte=point, point__lte=point).select_related("variant__product", "point")
    listing = OFFERS if allows(request.user, Right.RUN_FLOWS) else OFFERS_TO_LOOK_AT
    held_back = Finding.objects.filter(channel=it, code="suspicious_levels", closed_at__isnull=True).first()
    words = findings_words.title("suspicious_levels", held_back.facts) if held_back else ""
    return page(request, it, "channel_offers", {"list": listing.show(request, rows), "held_back": words})


@require_POST
@needs(Right.CHANGE_CHANNELS)
def let_through(request: PersonRequest, code: str) -> HttpResponse:
    """A person has looked at levels that nothing explains: they are told."""
    it = find(code)
    with answers.attempt(request, gettext("They are told with the next run.")):
        levels.approve_suspicious(it.pk)
        findings_.close(it.pk, [f"channel:{it.pk}"], ["suspicious_levels"], at=clock.now())
        runs.start_after_commit("push_stock", [it.pk])
    return redirect("channel_offers", code)


@require_POST
@needs(Right.RUN_FLOWS)
def tell_again(request: PersonRequest, code: str) -> HttpResponse:
    """Let levels be told whatever was told before: those picked, or all."""
    it = find(code)
    picked = [int(pk) for pk in request.POST.getlist("picked") if pk.isdigit()]
    with answers.attempt(request):
        which = None if request.POST.get("which") == "all" else picked
        if which is not None and not which:
            raise BadInput(gettext("pick at least one offer"))
        n = offers_.tell_again(it.pk, offers=which, at=clock.now(), actor=answers.actor(request.user))
        runs.start_after_commit("push_stock", [it.pk])
        answers.say(
            request, ngettext("%(n)d level will be told again.", "%(n)d levels will be told again.", n) % {"n": n}
        )
    return answers.back(request, "channel_offers", code)


# -- mappings ------------------------------------------------------------------------------------------------------------


@require_GET
@needs(Right.SEE_CHANNELS)
def channel_mappings(request: PersonRequest, code: str) -> HttpResponse:
    """Statuses, carriers, payments and taxes of the channel, and what each is here; unmapped ones first."""
    it = find(code)
    known = {(m.kind, m.external_id): m for m in Mapping.objects.filter(channel=it)}
    seen = _surroundings(it)
    carriers = {c.external_id: c.name for c in seen.carriers} if seen else {}
    carriers = {m.external_id: m.name for m in known.values() if m.kind == "carrier"} | carriers
    statuses = {s.external_id: s.name for s in seen.statuses} if seen else {}
    statuses = {m.external_id: m.name for m in known.values() if m.kind == "status"} | statuses
    payments = {p.external_id: p.name for p in seen.payment_methods} if seen else {}
    payments = {m.external_id: m.name for m in known.values() if m.kind == "payment"} | payments
    context = {
        "statuses": _statuses(_mapped("status", statuses, known), seen),
        "carriers": _mapped("carrier", carriers, known),
        "payments": _mapped("payment", payments, known),
        "tells_prices": "prices" in registry.abilities(it.kind),
        "taxes": taxes.rows(it),
        "skus": sorted((m for m in known.values() if m.kind == "sku"), key=lambda m: m.external_id)[:200],
        "rules": RULES,
        "ours": staging_page.carriers_of_ours(),
    }
    return page(request, it, "channel_mappings", context)


def _surroundings(it: Channel) -> Surroundings | None:
    """What the channel last told of itself."""
    seen = Seen.objects.filter(channel=it).first()
    return msgspec.convert(seen.content, Surroundings) if seen else None


def _mapped(kind: str, names: dict[str, str], known: dict[tuple[str, str], Mapping]) -> list[dict[str, Any]]:
    rows = [
        {
            "external_id": key,
            "name": name or key,
            "ours": known[kind, key].ours if (kind, key) in known else "",
        }
        for key, name in names.items()
    ]
    return sorted(rows, key=lambda row: (bool(row["ours"]), row["name"].lower()))


def _statuses(rows: list[dict[str, Any]], seen: Surroundings | None) -> list[dict[str, Any]]:
    """What the flags of each say, and the rule that follows; what nobody has decided comes first."""
    states = {status.external_id: status.state for status in seen.statuses} if seen else {}
    rules = dict(RULES)
    for row in rows:
        state = states.get(row["external_id"], SaleState.UNKNOWN)
        by_flags = BY_MEANING[state]
        row["state"] = MEANINGS[state]
        row["rule"] = rules.get(row["ours"], "")
        row["by_flags"] = rules[by_flags.value] if by_flags else ""
        row["is_open"] = not row["ours"] and by_flags is None
    return sorted(rows, key=lambda row: not row["is_open"])


@require_POST
@needs(Right.CHANGE_CHANNELS)
def map_to(request: PersonRequest, code: str) -> HttpResponse:
    """Say what one of the channel's things is here."""
    it = find(code)
    given, at, who = request.POST, clock.now(), answers.actor(request.user)
    external, ours = given.get("external_id", ""), given.get("ours", "").strip()
    if it.mode == Mode.PRODUCTION and given.get("kind") == "status" and given.get("seen") != "yes":
        moved: list[staging_.Moved] = []
        with answers.attempt(request):
            moved = staging_.status_if(it, external, ours, actor=who, at=at)
        if moved:
            context = {"moved": moved, "given": _given_again(given)}
            return page(request, it, "channel_mappings", context, template="channels/difference_staged.html")
    with answers.attempt(request, gettext("Remembered.")):
        match given.get("kind"):
            case "status":
                staging_page.tell(it.pk, staging_.map_status(it, external, ours, actor=who, at=at), at)
            case "carrier" if ours:
                staging_page.tell(it.pk, staging_.map_carrier(it, external, ours, actor=who, at=at), at)
            case "carrier" | "payment" as kind:
                offers_.map_to(it.pk, kind, external, ours, at=at, actor=who)
            case _:
                raise Http404
    return redirect("channel_mappings", code)


# -- settings ------------------------------------------------------------------------------------------------------------


@require_GET
@needs(Right.SEE_CHANNELS)
def channel_settings(request: PersonRequest, code: str) -> HttpResponse:
    """Mode, pause, where it sells from, limits."""
    it = find(code)
    context = {
        "points": _points(it),
        "warehouses": list(Warehouse.objects.filter(is_active=True).order_by("position", "id")),
        "config": sorted(it.config.items()),
        "prices": prices_page.settings(it),
        "open_orders": Order.objects.filter(channel=it.pk, status__in=OPEN).count() if it.kind != HUB else 0,
    }
    return page(request, it, "channel_settings", context)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def back_to_test(request: PersonRequest, code: str) -> HttpResponse:
    """Sales keep coming in, nothing is written any more. The way forth is `live`."""
    it = find(code)
    with answers.attempt(request, gettext("Back to test: nothing is written any more.")):
        connecting.back_to_test(it, actor=answers.actor(request.user), at=clock.now())
    return redirect("channel_settings", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def archive(request: PersonRequest, code: str) -> HttpResponse:
    """Let it rest: credentials are erased, everything that it brought stays. Its name is typed."""
    it = find(code)
    if it.kind == HUB:
        raise Http404
    # Calls go out with no transaction open; a shop that cannot be told ends its deliveries by itself.
    if request.POST.get("name", "").strip() == it.name and (left := subscribing.end(it)):
        messages.warning(
            request, gettext("The shop could not be told to announce nothing more: %(why)s") % {"why": left}
        )
    with answers.attempt(request, gettext("Archived. Connect the shop again to go on with it.")):
        if request.POST.get("name", "").strip() != it.name:
            raise BadInput(gettext("the name does not match"), place=gettext("name"), cure=it.name)
        connecting.archive(it, actor=answers.actor(request.user), at=clock.now())
    return redirect("channel", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def look_around(request: PersonRequest, code: str) -> HttpResponse:
    """Test the connection and read what there is: the call goes out with no transaction open."""
    it = find(code)
    at, who = clock.now(), answers.actor(request.user)
    try:
        seen = connecting.ask_around(it)
    except ComptoirError as error:
        with answers.attempt(request):
            channels_.note_health(it.pk, error, at=at)
        answers.refuse(request, error)
    else:
        with answers.attempt(request, gettext("The channel answers. What it told is in the mappings.")):
            channels_.note_health(it.pk, None, at=at)
            connecting.keep_surroundings(it, seen, actor=who, at=at)
    return redirect("channel_settings", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def pause(request: PersonRequest, code: str) -> HttpResponse:
    """Stop every write at once, or let them go on."""
    it = find(code)
    with answers.attempt(request):
        paused = request.POST.get("paused") == "yes"
        channels_.pause_writes(it, paused, actor=answers.actor(request.user), at=clock.now())
    return redirect("channel_settings", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def choose(request: PersonRequest, code: str) -> HttpResponse:
    """What happens by itself, and what a person is asked about."""
    it = find(code)
    with answers.attempt(request, gettext("Saved.")):
        channels_.choose(
            it,
            accepts_by_itself=request.POST.get("accepts_by_itself") == "yes",
            books_shipments=request.POST.get("books_shipments") == "yes",
            actor=answers.actor(request.user),
            at=clock.now(),
        )
        runs.start_after_commit(staging_page.ACCEPTS, [it.pk])
    return redirect("channel_settings", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def set_point(request: PersonRequest, code: str, pk: int) -> HttpResponse:
    """Where a selling point sells from, and its limits. Of a live channel the difference is shown first."""
    it = find(code)
    point = get_object_or_404(SellingPoint, pk=pk, channel=it)
    at, who = clock.now(), answers.actor(request.user)
    difference = None
    with answers.attempt(request):
        warehouses, limits = _point_settings(request.POST)
        if it.mode == Mode.PRODUCTION and request.POST.get("seen") != "yes":
            difference = trying.levels_if(point.pk, warehouses=warehouses, **limits)
        if difference is None or not difference.changed:
            offers_.set_sources(point.pk, warehouses, at=at)
            offers_.set_limits(point.pk, **limits, at=at, actor=who)
            runs.start_after_commit("push_stock", [it.pk])
            answers.say(request, gettext("Saved. Levels that change wait to be told."))
    if difference is None or not difference.changed:
        return redirect("channel_settings", code)
    context = {"point": point, "difference": difference, "given": _given_again(request.POST)}
    return page(request, it, "channel_settings", context, template="channels/difference.html")


def _point_settings(given: QueryDict) -> tuple[list[int], dict[str, Any]]:
    """Warehouses and limits as a form of a selling point has them."""
    maximum = given.get("maximum", "").strip()
    limits = {
        "buffer": parse_quantity(given.get("buffer", "") or "0", gettext("buffer")),
        "minimum": parse_quantity(given.get("minimum", "") or "0", gettext("minimum")),
        "maximum": parse_quantity(maximum, gettext("maximum")) if maximum else None,
    }
    return chosen_warehouses(given, "warehouse"), limits


def _given_again(given: QueryDict) -> list[tuple[str, str]]:
    """What a form had, for the one that says yes to it."""
    left_out = {"csrfmiddlewaretoken", "seen"}
    return [(name, text) for name, texts in given.lists() if name not in left_out for text in texts]

"""Going live: a checklist that checks itself, orders in flight, the last count, and what the first push would write."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels import registry
from comptoir.channels.models import HUB, Channel, Mode, Seen
from comptoir.channels.records import Surroundings
from comptoir.commerce.orders import takeover
from comptoir.commerce.orders.models import Order
from comptoir.commerce.orders.status import OPEN
from comptoir.commerce.orders.takeover import Choice
from comptoir.engine import flow, runs, schedule
from comptoir.engine.models import Flow, PlanRow, Run, RunStatus, Trigger
from comptoir.flows import connecting, doctor, stock, taxes
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.offers.models import Listed, SellingPoint
from comptoir.offers.models import Mapping as Mapped
from comptoir.staging.rules import BY_MEANING
from comptoir.web import answers, cells, flow_words, lists, words
from comptoir.web import runs as runs_page

ORDERS = 50  # shown to be decided one by one; the rest by the buttons
ROWS = 30  # of the first push, shown here; all of them with the run
KINDS = ("order", "stock", "level")


@require_GET
@needs(Right.CHANGE_CHANNELS)
def live(request: PersonRequest, code: str) -> HttpResponse:
    """Everything between test and production, in the order in which it is done."""
    it = get_object_or_404(Channel, code=code)
    if it.kind == HUB:
        return redirect("channel", code)
    if it.mode == Mode.PRODUCTION or it.archived_at is not None:
        return redirect("channel_settings", code)
    at = clock.now()
    last = runs.latest(it.pk, "take_over").first()
    shown = connecting.shown(it, at=at)
    plan = _plan(shown) if shown else None
    checks = _checks(it)
    context = {
        "channel": it,
        "checks": checks,
        "is_clear": all(check["is_good"] or check["may_pass"] for check in checks),
        "may_pass": [check for check in checks if check["may_pass"] and not check["is_good"]],
        "open_orders": takeover.counted(it.pk),
        "orders": _orders(it),
        "most": ORDERS,
        "last": last,
        "state": runs_page.state(last) if last else "",
        "is_open": last is not None and last.status in (RunStatus.QUEUED, RunStatus.RUNNING),
        "shown": shown,
        "plan": plan,
        "begins": _begins(it),
    }
    return render(request, "channels/live.html", context)


def _orders(it: Channel) -> list[tuple[Any, str]]:
    """The oldest open orders, and what the shop says of each."""
    open_ = Order.objects.filter(channel=it.pk, status__in=[status.value for status in OPEN])
    oldest = list(open_.order_by("placed_at", "id").values_list("pk", flat=True)[:ORDERS])
    rows = Order.objects.filter(pk__in=oldest).annotate(number_of_lines=Count("lines"))
    found = list(rows.order_by("placed_at", "id"))
    names = dict(Mapped.objects.filter(channel=it, kind="status").values_list("external_id", "name"))
    return [(order, names.get(order.external_status) or order.external_status) for order in found]


def _plan(run: Run) -> dict[str, Any]:
    """What the run that took over did, and what the first push would write."""
    counts = {kind: number for kind, _field, number in runs.plan_counts(run.pk, most=1_000_000)}
    levels = counts.get("level", 0)
    rows = PlanRow.objects.filter(run__gte=run.pk, run__lte=run.pk, kind="level").order_by("id")[:ROWS]
    return {
        "levels": levels,
        "levels_words": cells.number(levels),
        "rows": [(row, words.planned(row.field)) for row in rows],
        "rest": levels - ROWS if levels > ROWS else 0,
    }


WORDS = {
    "not_healthy": (_("The shop answers, and lets us in"), _("The last conversation did not go well: test the connection.")),
    "no_warehouse": (_("Every selling point has a warehouse"), _("“%(point)s” sells from none: choose one.")),
    "stock_not_initialised": (
        _("Stock is counted"),
        _("The stock of “%(point)s” is not counted yet: it is with the step below, or with the flow “Stock levels, once”."),
    ),
    "unmapped": (
        _("Statuses and carriers are mapped"),
        _("%(count)s of what the shop told is mapped to nothing: orders with it would wait for a person."),
    ),
    "no_rate": (
        _("The tax of prices that are told is known"),
        _("Tax classes without a rate: %(count)s. Prices that need one wait."),
    ),
    "doubtful": (
        _("The products there and here fit"),
        _("Listings and variants that do not: %(count)s, as the mapping doctor lists them. You may go live all the same."),
    ),
    "not_read": (
        _("The mapping doctor has looked"),
        _("The products were not read for it: two listings with one SKU, another pack or unit would not be noticed."),
    ),
    "orders_undecided": (
        _("Of each open order it is known who ships it"),
        _("Open orders of which it is not: %(orders)s. Say below whether they are shipped here or have left already."),
    ),
    "orders_not_closed": (
        _("Orders that have left are closed"),
        _("Closed with the count below: %(orders)s."),
    ),
    "open_errors": (_("No Error is open"), _("Open: %(errors)s. You may go live all the same.")),
}  # fmt: skip
CURES = {
    "not_healthy": "channel_settings",
    "no_warehouse": "channel_settings",
    "unmapped": "channel_mappings",
    "no_rate": "channel_mappings",
    "doubtful": "doctor",
    "not_read": "matching",
    "open_errors": "channel",
}
PASSABLE = frozenset({"open_errors", "unmapped", "no_rate", "doubtful", "not_read"})


def _checks(it: Channel) -> list[dict[str, Any]]:
    """Each check with how it stands. What stands against going live is `connecting.obstacles`; the rest is advice."""
    against: dict[str, list[dict[str, Any]]] = {}
    for one in connecting.obstacles(it):
        against.setdefault(one.code, []).append(one.facts)
    for code, count in {"unmapped": _unmapped(it), "no_rate": _without_rate(it), **_doubtful(it)}.items():
        if count:
            against[code] = [{"count": cells.number(count)}]
    left_out = () if "products" in registry.abilities(it.kind) else ("doubtful", "not_read")
    return [
        {
            "code": code,
            "title": title,
            "is_good": code not in against,
            "may_pass": code in PASSABLE,
            "words": [str(said) % facts for facts in against.get(code, ())],
            "url": reverse(CURES[code], args=[it.code]) if code in CURES else "",
        }
        for code, (title, said) in WORDS.items()
        if code not in left_out
    ]


def _unmapped(it: Channel) -> int:
    """How many carriers and statuses nobody has decided about; what a status means may decide it."""
    seen = Seen.objects.filter(channel=it).first()
    statuses = msgspec.convert(seen.content, Surroundings).statuses if seen else ()
    decided = {one.external_id for one in statuses if BY_MEANING[one.state]}
    rows = Mapped.objects.filter(channel=it, kind__in=["status", "carrier"], ours="")
    return sum(not (row.kind == "status" and row.external_id in decided) for row in rows)


def _without_rate(it: Channel) -> int:
    """How many tax classes have no rate, where prices are told."""
    if not SellingPoint.objects.filter(channel=it, owns_price=False).exists():
        return 0
    return sum(row.rate is None for row in taxes.rows(it))


def _doubtful(it: Channel) -> dict[str, int]:
    """What the mapping doctor says: how much does not fit, or that it was shown nothing."""
    was_read = Listed.objects.filter(channel=it).exists()
    return {"doubtful": sum(doctor.counts(it.pk, most=lists.COUNT_TO).values()), "not_read": not was_read}


def _begins(it: Channel) -> list[dict[str, Any]]:
    """What starts writing with the yes."""
    declared = flow.declared()
    rows = Flow.objects.filter(channel=it, enabled=True).order_by("id")
    return [
        {"title": flow_words.title(row.kind), "schedule": schedule.words(row.every, row.cron, row.timezone)}
        for row in rows
        if row.kind in declared and declared[row.kind].writes
    ]


@require_POST
@needs(Right.CHANGE_CHANNELS)
def decide_orders(request: PersonRequest, code: str) -> HttpResponse:
    """Shipped here, or left already: of those picked one by one, or of all of which nothing was said."""
    it = get_object_or_404(Channel, code=code, mode=Mode.TEST)
    at, who = clock.now(), answers.actor(request.user)
    with answers.attempt(request):
        everything = request.POST.get("all", "")
        if everything:
            if everything not in list(Choice):
                raise BadInput(gettext("choose one"), place=gettext("open orders"), value=everything)
            n = takeover.choose(it.pk, Choice(everything), at=at, actor=who)
        else:
            n = _decide_each(request, it, at)
        answers.say(request, ngettext("%(n)d order decided.", "%(n)d orders decided.", n) % {"n": n})
    return redirect("channel_live", code)


def _decide_each(request: PersonRequest, it: Channel, at: datetime) -> int:
    picked: dict[Choice, list[int]] = {Choice.HERE: [], Choice.LEFT: []}
    for name, value in request.POST.items():
        number = name.removeprefix("order-")
        if name.startswith("order-") and number.isdigit() and value in list(Choice):
            picked[Choice(value)].append(int(number))
    who = answers.actor(request.user)
    return sum(takeover.choose(it.pk, choice, orders=ids, at=at, actor=who) for choice, ids in picked.items() if ids)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def count_again(request: PersonRequest, code: str) -> HttpResponse:
    """Take over: count once more, close what has left, compute the first push."""
    it = get_object_or_404(Channel, code=code, mode=Mode.TEST)
    with answers.attempt(request):
        (row,) = flow.ensure_flows(it.pk, ["take_over"])
        runs.request(row.pk, Trigger.PERSON, answers.actor(request.user), at=clock.now())
    return redirect("channel_live", code)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def approve_count(request: PersonRequest, pk: int) -> HttpResponse:
    """In production: book what a preview of counting from the shop has shown."""
    made = None
    with answers.attempt(request):
        made = stock.approve(pk, at=clock.now(), actor=answers.actor(request.user))
    return redirect("run", made or pk)


@require_POST
@needs(Right.CHANGE_CHANNELS)
def go(request: PersonRequest, code: str) -> HttpResponse:
    """The yes: to what the last count has shown, with the channel's name typed."""
    it = get_object_or_404(Channel, code=code)
    at, gone = clock.now(), False
    with answers.attempt(request, gettext("Writes are on.")):
        shown = connecting.shown(it, at=at)
        if shown is None or str(shown.pk) != request.POST.get("shown"):
            raise BadInput(
                gettext("what the first push would write is not known any more"), cure=gettext("count again")
            )
        if request.POST.get("name", "").strip() != it.name:
            raise BadInput(gettext("the name does not match"), place=gettext("name"), cure=it.name)
        accepts = request.POST.get("despite_errors") == "yes"
        connecting.go_live(it, accept_open_errors=accepts, actor=answers.actor(request.user), at=at)
        runs.start_after_commit("push_stock", [it.pk])
        gone = True
    return redirect("channel" if gone else "channel_live", code)

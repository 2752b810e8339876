"""Differences: what a flow would write, or what a replay makes of an old run. Counts first, then row by row, old beside new,
to search, to filter and to take away; at the end the button that says how many writes go to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels.models import Channel, Mode
from comptoir.commerce.catalog.records import Found
from comptoir.engine import flow as flows
from comptoir.engine import runs
from comptoir.engine.models import PlanRow, Run, RunStatus
from comptoir.flows import levels
from comptoir.web import cells, channels, exports, flow_words, lists, words

EARLIER = 10

#: What the button that runs a flow says, by what it writes.
WRITES: Mapping[str, Any] = {
    "push_stock": ngettext_lazy("Push %(n)s level to %(channel)s", "Push %(n)s levels to %(channel)s", "count"),
    "push_prices": ngettext_lazy("Push %(n)s price to %(channel)s", "Push %(n)s prices to %(channel)s", "count"),
    "push_tracking": ngettext_lazy(
        "Confirm %(n)s shipment to %(channel)s", "Confirm %(n)s shipments to %(channel)s", "count"
    ),
    "push_cancellations": ngettext_lazy(
        "Cancel %(n)s order at %(channel)s", "Cancel %(n)s orders at %(channel)s", "count"
    ),
}
OTHER_WRITES = ngettext_lazy("Write %(n)s change to %(channel)s", "Write %(n)s changes to %(channel)s", "count")


def _what(row: PlanRow) -> str:
    url = _page_of(row)
    return cells.link(url, row.label) if url else cells.name(row.label)


def _page_of(row: PlanRow) -> str:
    """The page of what a row is about, where it has one."""
    facts = row.facts
    if "variant" in facts:
        return reverse("variant", args=[facts["variant"]])
    if "number" in facts:
        return reverse("order", args=[facts["number"]])
    return ""


def _old(row: PlanRow) -> str:
    """Where it goes, it stands beside the new value and nothing is on it."""
    if row.old is None:
        return "" if row.new is not None and row.field in ("there", "sent", "finding", "asked") else _("unknown")
    return cells.marked("old", row.old)


def _new(row: PlanRow) -> str:
    return cells.NOTHING if row.new is None else cells.marked("new", row.new)


PLAN = lists.Listing(
    columns=(
        lists.Column(gettext_lazy("What"), _what, "a"),
        lists.Column(gettext_lazy("Kind"), lambda r: group_words(f"{r.kind}/{r.field}"), "c"),
        lists.Column(gettext_lazy("Now"), _old, "d", is_number=True),
        lists.Column(gettext_lazy("Then"), _new, "b", is_number=True),
    ),
    sorts=(lists.Sort("group", gettext_lazy("By kind"), ("run_id", "kind", "field", "id")),),
    search_hint=gettext_lazy("SKU, order or name"),
    empty=lists.Empty(gettext_lazy("Nothing would be written"), gettext_lazy("The channel has what it should have.")),
)
REPLAY = replace(
    PLAN,
    columns=(
        *PLAN.columns[:2],
        lists.Column(gettext_lazy("The run made"), _old, "d"),
        lists.Column(gettext_lazy("Today"), _new, "b"),
    ),
    empty=lists.Empty(
        gettext_lazy("No difference"), gettext_lazy("Today's code makes the same of what that run heard.")
    ),
)


@dataclass(frozen=True)
class Group:
    """Rows of one kind and field."""

    name: str  # "level/level"
    words: str
    n: int
    is_here: bool


def group_words(name: str) -> str:
    """Kind and field, once where they are the same."""
    kind, _slash, field = name.partition("/")
    kind_words, field_words = str(words.planned(kind)), str(words.planned(field))
    return kind_words if kind_words == field_words else f"{kind_words} · {field_words}"


def difference(asked: QueryDict, run: Run, *, may_run: bool) -> dict[str, Any]:
    """What the page of one difference shows; its list follows the address."""
    here = asked.get("group", "")
    planned = run.planned or {f"{kind}/{field}": n for kind, field, n in runs.plan_counts(run.pk, most=lists.COUNT_TO)}
    groups = [Group(name, group_words(name), n, name == here) for name, n in sorted(planned.items())]
    channel = run.flow.channel
    known = flows.declared().get(run.flow.kind)
    is_open = run.status in (RunStatus.QUEUED, RunStatus.RUNNING)
    writes = sum(n for name, n in planned.items() if not name.startswith(f"{levels.HELD}/"))
    is_newest = not Run.objects.filter(flow=run.flow_id, is_preview=True, replays=None, pk__gt=run.pk).exists()
    is_write = bool(known and known.writes and run.replays_id is None)
    return {
        "run": run,
        "title": flow_words.title(run.flow.kind),
        "groups": groups,
        "all": cells.number(sum(planned.values())),
        "held": sum(n for name, n in planned.items() if name.startswith(f"{levels.HELD}/")),
        "is_open": is_open,
        "is_done": run.status == RunStatus.DONE,
        "is_replay": run.replays_id is not None,
        "is_stale": is_write and not is_open and runs.is_stale(run),
        "is_held_back": channel.mode == Mode.TEST or channel.writes_paused,
        "is_newest": is_newest,
        "count_button": _count_button(run, sum(planned.values())) if is_newest and may_run else "",
        "button": said(run.flow.kind, writes, channel) if is_write and writes and may_run and not is_open else "",
        "csv": reverse("difference_csv", args=[run.pk]),
    }


def _count_button(run: Run, n: int) -> str:
    """Of a preview of counting from a shop in production: the differences are booked once somebody says so."""
    if run.flow.kind != "pull_stock_once" or run.flow.channel.mode != Mode.PRODUCTION or not n:
        return ""
    if not run.is_preview or run.status != RunStatus.DONE:
        return ""
    return ngettext("Book %(n)s difference of stock", "Book %(n)s differences of stock", n) % {"n": cells.number(n)}


def said(kind: str, n: int, channel: Channel) -> str:
    """What happens when the button is pressed: how many writes to whom."""
    return str(WRITES.get(kind, OTHER_WRITES) % {"count": n, "n": cells.number(n), "channel": channel.name})


def shown(request: PersonRequest, run: Run) -> lists.Shown:
    """One page of the rows."""
    # A span of one, not an equation: with that the planner would walk all plans by id.
    every = PlanRow.objects.filter(run__gte=run.pk, run__lte=run.pk)
    listing = REPLAY if run.replays_id is not None else PLAN
    choices = [(name, group_words(name)) for name in sorted(run.planned)]
    narrowed = lists.Filter("group", gettext_lazy("Every kind"), lambda: choices, _of_group)
    filters = (narrowed,) if len(choices) > 1 else ()
    return replace(listing, filters=filters, search=partial(_search, every)).show(request, every)


def _of_group(rows: QuerySet[Any], name: str) -> QuerySet[Any]:
    kind, _slash, field = name.partition("/")
    return rows.filter(kind=kind, field=field)


def _search(rows: QuerySet[PlanRow], text: str) -> Found:
    """Rows of this plan alone whose label holds a text."""
    return lists.bounded(rows.alias(in_lower_case=Lower("label")).filter(in_lower_case__contains=text.lower()))


@require_GET
@needs(Right.SEE_CHANNELS)
def channel_preview(request: PersonRequest, code: str) -> HttpResponse:
    """The last preview of a channel, or the one that the address names, and the ways to another."""
    it = channels.find(code)
    previews = Run.objects.filter(flow__channel=it, is_preview=True, replays=None).select_related("flow__channel")
    previews = previews.order_by("-id")
    asked = request.GET.get("run", "")
    run = previews.filter(pk=int(asked)).first() if asked.isdigit() and len(asked) < 19 else previews.first()
    can = [row for row in channels.flow_rows(it) if row["previews"]]
    context: dict[str, Any] = {"previewable": can, "run": None}
    if run is not None:
        may_run = channels.rights(request.user)["may_run"]
        context |= difference(request.GET, run, may_run=may_run)
        context |= {"list": shown(request, run), "tab_field": "run", "tab": run.pk}
    earlier = [one for one in previews[: EARLIER + 1] if run is None or one.pk != run.pk]
    context["previews"] = [(one, flow_words.title(one.flow.kind), _changes(one)) for one in earlier]
    return channels.page(request, it, "channel_preview", context)


def _changes(run: Run) -> str:
    n = sum(run.planned.values())
    return ngettext("%(n)s change", "%(n)s changes", n) % {"n": cells.number(n)}


@require_GET
@needs(Right.SEE_CHANNELS)
def run_difference(request: PersonRequest, pk: int) -> HttpResponse:
    """The difference of any run that has one: a preview, a replay, a look before going live."""
    run = get_object_or_404(Run.objects.select_related("flow__channel", "replays"), pk=pk)
    may_run = channels.rights(request.user)["may_run"]
    context = difference(request.GET, run, may_run=may_run) | {"list": shown(request, run), "may_run": may_run}
    return render(request, "runs/difference.html", context)


_CSV = f"""
SELECT kind, subject, {exports.cell("label")} AS label, field, {exports.cell("old")} AS old, {exports.cell("new")} AS new
FROM engine_planrow WHERE run_id = %s AND (%s = '' OR kind || '/' || field = %s) ORDER BY kind, field, id
"""


@require_GET
@needs(Right.SEE_CHANNELS)
def difference_csv(request: PersonRequest, pk: int) -> HttpResponse:
    """Every row of a difference, or of one group of it, as a file."""
    run = get_object_or_404(Run, pk=pk)
    group = request.GET.get("group", "").replace("\0", "")
    return exports.csv(f"difference-{run.pk}.csv", _CSV, [run.pk, group, group])

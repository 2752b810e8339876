"""Runs: the live list, and one run with its progress, balance, findings, calls and time."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.channels import registry
from comptoir.engine import flow
from comptoir.engine import runs as engine
from comptoir.engine.models import Finding, Outcome, Run, RunStatus, Trigger
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.web import answers, cells, channel_names, exports, findings_words, flow_words, lists, words
from comptoir.web import bundle as incident
from comptoir.web import findings as findings_page

OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
PLAN = 20  # rows of a plan on the page of its run: the whole of it has its own


def state(run: Run) -> str:
    """Status and outcome as one badge: whether it ran, and whether the business agreed."""
    if run.status == RunStatus.DONE and run.outcome in (Outcome.PARTIAL, Outcome.UNBALANCED):
        return cells.badge(run.outcome, words.of(Outcome, run.outcome))
    return cells.badge(run.status, words.of(RunStatus, run.status))


def _title(run: Run) -> str:
    words = flow_words.title(run.flow.kind)
    if run.is_preview:
        words = f"{words} ({_('replay') if run.replays_id else _('preview')})"
    return cells.two(cells.link(reverse("run", args=[run.pk]), words), run.flow.channel.name)


def _seconds(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return cells.NOTHING
    return cells.duration((run.finished_at - run.started_at).total_seconds())


def _count(name: str) -> Any:
    return lambda run: cells.number(getattr(run, name))


RUNS = lists.Listing(
    columns=(
        lists.Column(_("Flow"), _title, "a"),
        lists.Column(_("State"), state, "b"),
        lists.Column(_("Started by"), lambda r: words.of(Trigger, r.trigger), "c"),
        lists.Column(_("Queued"), lambda r: cells.moment(r.queued_at), "d"),
        lists.Column(_("Lasted"), _seconds, is_number=True),
        lists.Column(_("Seen"), _count("seen"), is_number=True),
        lists.Column(_("Created"), _count("created"), is_number=True),
        lists.Column(_("Changed"), _count("changed"), is_number=True),
        lists.Column(_("Parked"), _count("parked"), is_number=True),
        lists.Column(_("Failed"), _count("failed"), is_number=True),
    ),
    sorts=(lists.Sort("newest", _("Newest first"), ("-id",)),),
    filters=(
        lists.Filter(
            "channel", _("Every channel"), channel_names.choices, lambda rows, v: rows.filter(flow__channel=int(v))
        ),
        lists.Filter(
            "status", _("Every status"), lambda: words.choices(RunStatus), lambda rows, v: rows.filter(status=v)
        ),
        lists.Filter(
            "outcome",
            _("Every outcome"),
            lambda: words.choices(Outcome),
            lambda rows, v: rows.filter(outcome=v),
        ),
        lists.Filter(
            "trigger", _("Started by anything"), lambda: words.choices(Trigger), lambda rows, v: rows.filter(trigger=v)
        ),
    ),
    empty=lists.Empty(
        _("Nothing has run yet"),
        _("Flows run by their schedule, on events, or when you press Run now."),
        "channels",
        _("Open channels"),
    ),
)


@require_GET
@needs(Right.SEE_CHANNELS)
def runs(request: PersonRequest) -> HttpResponse:
    """The list."""
    rows = Run.objects.select_related("flow__channel")
    return render(request, "runs/list.html", {"list": RUNS.show(request, rows)})


@require_GET
@needs(Right.SEE_CHANNELS)
def run(request: PersonRequest, pk: int) -> HttpResponse:
    """One run; while it is open its middle refreshes itself. A run that saw nothing leaves no row: the page says so."""
    is_middle = request.headers.get("HX-Target") == "middle"
    it = Run.objects.select_related("flow__channel", "replays").filter(pk=pk).first()
    if it is None:
        return render(
            request, "runs/gone_middle.html" if is_middle else "runs/gone.html", status=200 if is_middle else 404
        )
    found = list(Finding.objects.filter(run=it).select_related("channel").order_by("closed_at", "-last_at")[:100])
    findings_page.link_subjects(found)
    counts = [(name, getattr(it, name)) for name in engine.COUNTS]
    calls = it.calls
    context = {
        "run": it,
        "title": flow_words.title(it.flow.kind),
        "state": state(it),
        "is_open": it.status in OPEN,
        "balance": [(counted(name, n), n) for name, n in counts if name != "seen"],
        "is_balanced": it.seen == sum(n for name, n in counts if name != "seen"),
        "calls": calls,
        "places": places(calls),
        "cost": cost(it),
        "phases": phases(shares(it)),
        "progress": progress(it),
        "replayed": [(one, state(one)) for one in it.replayed.select_related("flow").order_by("-id")[:5]],
        "may_replay": _may_replay(it),
        "all_planned": sum(it.planned.values()),
        "findings": [
            {
                "row": f,
                "title": findings_words.title(f.code, f.facts),
                "about": findings_words.about(f.subject),
                "cure": findings_words.cure(f.code, f.facts),
            }
            for f in found
        ],
        "plan": list(it.plan.order_by("kind", "field", "id")[:PLAN]) if it.planned else [],
        "cursors": [
            (title, json.dumps(c, ensure_ascii=False, indent=1) if c else "")
            for title, c in ((_("Before"), it.cursor_before), (_("After"), it.cursor_after))
        ],
        "error": _error(it),
        "may_run": allows(request.user, Right.RUN_FLOWS),
    }
    return render(request, "runs/middle.html" if is_middle else "runs/run.html", context)


def counted(name: str, n: int) -> str:
    """What so many of them were: English has one word for one and for many, others do not."""
    words_ = {
        "created": ngettext("created", "created", n),
        "changed": ngettext("changed", "changed", n),
        "unchanged": ngettext("unchanged", "unchanged", n),
        "skipped": ngettext("skipped", "skipped", n),
        "parked": ngettext("parked", "parked", n),
        "failed": ngettext("failed", "failed", n),
    }
    return words_[name]


def _error(it: Run) -> dict[str, str] | None:
    if not it.error:
        return None
    facts = it.error.get("facts") or {}
    code = str(it.error.get("code", ""))
    return {
        "title": findings_words.title(code, facts),
        "text": str(it.error.get("text", "")),
        "cure": findings_words.cure(code, facts),
    }


def progress(it: Run) -> dict[str, Any]:
    """How far it is, how fast it goes and how long it still takes, where that can be said."""
    if it.started_at is None or it.status not in OPEN:
        return {}
    seconds = max(0.0, (clock.now() - it.started_at).total_seconds())
    rate = it.seen / seconds if seconds >= 1 else 0.0
    left = (it.expected - it.seen) / rate if it.expected and rate and it.expected > it.seen else None
    shown = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
    return {"rate": shown if rate else "", "left": left, "seconds": seconds}


def shares(it: Run) -> dict[str, float]:
    """Where the time went: what its steps say of themselves, what was spent waiting for the channel, and the rest."""
    spent = {str(name): float(n) for name, n in it.phases.items()}
    named = sum(spent.values())
    end = it.finished_at or (clock.now() if it.started_at else None)
    if it.started_at is None or end is None:
        return spent
    calls = float(it.calls.get("seconds", 0.0))
    rest = (end - it.started_at).total_seconds() - named - calls
    return {**spent, **({"calls": calls} if calls else {}), **({"hub": rest} if rest > 0 else {})}


#: What parts of a run's time are called; a flow may name others, and they show as they are.
PHASES = {"calls": _("waiting for the channel"), "hub": _("work in the hub"), "waiting": _("waiting for its turn")}


def phases(seconds: dict[str, Any]) -> list[dict[str, Any]]:
    """Each phase with its place on a bar of a thousand units."""
    total = sum(float(n) for n in seconds.values()) or 1.0
    rows, start = [], 0
    for number, (name, n) in enumerate(seconds.items()):
        width = min(round(1000 * float(n) / total), 1000 - start)
        rows.append(
            {
                "name": PHASES.get(name, name),
                "seconds": float(n),
                "share": round(100 * float(n) / total),
                "x": start,
                "width": width,
                "tone": number % 4 + 1,
            }
        )
        start += width
    return rows


def places(calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls by where they went, those that took longest first."""
    rows = [
        {
            "place": place,
            "n": n,
            "seconds": seconds,
            "each": seconds / n if n else 0,
            "bytes": size,
            "problems": problems,
        }
        for place, (n, seconds, size, problems) in calls.get("places", {}).items()
    ]
    return sorted(rows, key=lambda row: -float(row["seconds"]))


def cost(it: Run) -> dict[str, Any]:
    """What its calls cost of what the channel grants: calls, and how long they take at the channel's pace."""
    n = int(it.calls.get("read", 0)) + int(it.calls.get("write", 0))
    if not n:
        return {}
    per_minute: float | None = it.flow.channel.calls_per_minute
    if per_minute is None:
        try:
            per_minute = registry.find(it.flow.channel.kind).pace.per_minute
        except BadInput:  # a connector that is not here any more grants nothing
            return {"n": n}
    return {"n": n, "per_minute": round(per_minute), "seconds": 60 * n / per_minute if per_minute else None}


def _may_replay(it: Run) -> bool:
    known = flow.declared().get(it.flow.kind)
    return bool(known and known.replays and not it.is_preview and it.status not in OPEN and it.inputs.exists())


@require_POST
@needs(Right.RUN_FLOWS)
def cancel(request: PersonRequest, pk: int) -> HttpResponse:
    """Stop it at its next step; what it did stays."""
    it = get_object_or_404(Run, pk=pk)
    with answers.attempt(request, str(_("It stops at its next step. What it did stays."))):
        engine.cancel(it.pk, at=clock.now(), actor=answers.actor(request.user))
    return redirect("run", pk)


@require_POST
@needs(Right.RUN_FLOWS)
def again(request: PersonRequest, pk: int) -> HttpResponse:
    """Run the same flow again."""
    it = get_object_or_404(Run, pk=pk)
    made = None
    with answers.attempt(request):
        made = engine.request(
            it.flow_id, Trigger.PERSON, answers.actor(request.user), preview=it.is_preview, at=clock.now()
        )
    return redirect("run", made or pk)


@require_POST
@needs(Right.RUN_FLOWS)
def replay(request: PersonRequest, pk: int) -> HttpResponse:
    """Go through what it heard with today's code."""
    it = get_object_or_404(Run, pk=pk)
    made = None
    with answers.attempt(request):
        made = engine.request_replay(it.pk, answers.actor(request.user), at=clock.now())
    return redirect("run", made or pk)


@require_GET
@needs(Right.RUN_FLOWS)
def bundle(request: PersonRequest, pk: int) -> HttpResponse:
    """All that is known of it in one file, without what is personal or secret."""
    it = get_object_or_404(Run.objects.select_related("flow__channel"), pk=pk)
    return exports.download(incident.name_of(it), incident.make(it), "application/zip")

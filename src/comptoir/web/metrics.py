"""Figures for Prometheus in its text format, for whoever has a token with the scope `runs.read`.

Nobody else, not even from this machine: behind a proxy on the same machine every stranger comes from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

import comptoir
from comptoir.accounts import actions as accounts
from comptoir.accounts.rights import Scope
from comptoir.flows import vitals
from comptoir.kit import clock

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
SCOPE = Scope.RUNS_READ

Sample = tuple[Mapping[str, str], float | int]


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything at this moment."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    token = accounts.check_token(secret.strip(), at=clock.now()) if scheme.lower() == "bearer" else None
    if token is None:
        return HttpResponse("a token is needed\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    if SCOPE.value not in token.scopes:
        return HttpResponse(f"the token lacks the scope {SCOPE.value}\n", status=403)
    return HttpResponse("".join(_lines()), content_type=FORMAT)


def _lines() -> Iterable[str]:
    at = clock.now()
    queue, intake, channels, recent = vitals.queue(at), vitals.intake(at), vitals.reach(at), vitals.recent_runs(at)
    yield from _gauge("info", "Which version this is.", [({"version": comptoir.__version__}, 1)])
    yield from _gauge(
        "runs_last_day",
        "Runs that ended within the last day, by flow, status and outcome.",
        [({"kind": one.kind, "status": one.status, "outcome": one.outcome}, one.runs) for one in recent],
    )
    for name, text in (("reads", "Reading"), ("writes", "Writing"), ("problems", "Failed")):
        yield from _gauge(
            f"calls_{name}_last_day",
            f"{text} calls to channels by runs that ended within the last day.",
            [
                ({"kind": kind}, sum(getattr(one, name) for one in recent if one.kind == kind))
                for kind in _kinds(recent)
            ],
        )
    yield from _gauge("runs_open", "Runs that wait or are carried out.", [
        ({"status": "queued"}, queue.queued), ({"status": "running"}, queue.running),
    ])  # fmt: skip
    yield from _gauge("queue_oldest_seconds", "How long the first run waits for a worker.", [({}, queue.oldest or 0)])
    yield from _gauge("worker_lanes", "Lanes of workers that gave a sign of life; two a process.", [({}, queue.lanes)])
    yield from _gauge("leader", "Whether a worker keeps the schedules.", [({}, int(queue.has_leader))])
    yield from _gauge("marks", "Changes of stock not spread to offers yet.", [({}, vitals.marks())])
    yield from _gauge(
        "levels_waiting",
        "Levels a channel is yet to be told.",
        [({"channel": one.code}, one.waiting) for one in channels],
    )
    yield from _gauge(
        "levels_waiting_oldest_seconds",
        "Age of the oldest waiting level.",
        [({"channel": one.code}, one.oldest_waiting or 0) for one in channels],
    )
    yield from _gauge(
        "channel_good",
        "Whether the last conversation with a channel went well.",
        [({"channel": one.code, "mode": one.mode}, int(one.health == "good")) for one in channels],
    )
    yield from _gauge(
        "channel_paused",
        "Whether writes to it are paused.",
        [({"channel": one.code}, int(one.paused)) for one in channels],
    )
    yield from _gauge("effects_waiting", "Parcels and cancellations yet to be told.", [({}, vitals.waiting_effects())])
    yield from _gauge(
        "findings_open",
        "Open findings by severity.",
        [({"severity": severity}, number) for severity, number in vitals.open_findings().items()],
    )
    yield from _gauge("deliveries_last_hour", "Webhooks kept within the last hour.", [({}, intake.last_hour)])
    yield from _gauge("deliveries_undrained", "Webhooks that no flow has looked at.", [({}, intake.undrained)])
    yield from _gauge("deliveries_oldest_seconds", "Age of the oldest of them.", [({}, intake.oldest_undrained or 0)])
    yield from _gauge("database_bytes", "How large the database is.", [({}, vitals.database_bytes())])
    backup = vitals.last_backup(at)
    yield from _gauge(
        "backup_age_seconds",
        "Since the last backup; absent where there is none.",
        [] if backup is None else [({}, backup)],
    )


def _kinds(recent: Iterable[vitals.Recent]) -> list[str]:
    return sorted({one.kind for one in recent})


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Iterable[str]:
    yield f"# HELP comptoir_{name} {text}\n# TYPE comptoir_{name} gauge\n"
    for labels, number in samples:
        named = ",".join(f'{key}="{_escaped(item)}"' for key, item in labels.items())
        yield f"comptoir_{name}{{{named}}} {number}\n" if named else f"comptoir_{name} {number}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

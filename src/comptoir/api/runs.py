"""Runs of flows: did they work, what did they count."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import needs
from comptoir.api.errors import NotThere
from comptoir.api.pages import Asked, Moment, Page, page
from comptoir.engine.models import Flow, Run, RunStatus

router = Router(tags=["runs"], auth=needs(Scope.RUNS_READ))


class RunOut(Schema):
    """One execution. `status`: did it run; `outcome`: did the business agree. Seen is the sum of the six counts after it."""

    id: int
    channel: int
    flow: str
    trigger: str
    is_preview: bool
    status: str
    outcome: str
    attempt: int
    seen: int
    created: int
    changed: int
    unchanged: int
    skipped: int
    parked: int
    failed: int
    expected: int | None
    error: dict[str, Any] | None
    queued_at: Moment
    started_at: Moment | None
    finished_at: Moment | None


@router.get("/runs", response=Page[RunOut], summary="Runs, newest first")
def runs(
    request: HttpRequest,
    place: Asked,
    channel: int | None = None,
    flow: str | None = None,
    status: RunStatus | None = None,
) -> dict[str, Any]:
    rows = Run.objects.select_related("flow")
    flows = Flow.objects.all()
    if channel is not None:
        flows = flows.filter(channel=channel)
    if flow is not None:
        flows = flows.filter(kind=flow)
    if channel is not None or flow is not None:
        rows = rows.filter(flow__in=list(flows.values_list("pk", flat=True)))
    if status is not None:
        rows = rows.filter(status=status)
    return page(rows, ("-id",), place, _shown)


@router.get("/runs/{id}", response=RunOut, summary="One run")
def run(request: HttpRequest, id: int) -> dict[str, Any]:
    row = Run.objects.select_related("flow").filter(pk=id).first()
    if row is None:
        raise NotThere("there is no such run")
    return _shown(row)


def _shown(row: Run) -> dict[str, Any]:
    plain = set(RunOut.model_fields) - {"channel", "flow"}
    return {
        **{name: getattr(row, name) for name in plain},
        "channel": row.flow.channel_id,
        "flow": row.flow.kind,
    }

"""How a run leaves its worker: closed, or put back among those that wait. Both are fenced and use the surrounding
transaction."""

from __future__ import annotations

import json as standard
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from comptoir.engine import queue
from comptoir.engine.errors import Fenced
from comptoir.engine.models import Outcome, RunStatus
from comptoir.kit import clock, sql

if TYPE_CHECKING:
    from comptoir.engine.runs import RunContext

json = sql.as_json


def parsed(text: str) -> dict[str, Any]:
    """A JSON object that was read by `kit.sql`: Django's connections leave jsonb as text."""
    content: dict[str, Any] = standard.loads(text)
    return content


def end(
    run: RunContext, status: RunStatus, *, outcome: Outcome = Outcome.NONE, error: Mapping[str, Any] | None = None
) -> None:
    """Close the run; raises Fenced where it is not ours to close."""
    if not sql.execute(
        "UPDATE engine_run SET status = %s, outcome = %s, error = %s, finished_at = %s, calls = %s, phases = %s"
        " WHERE id = %s AND attempt = %s AND status = 'running'",
        [
            str(status),
            str(outcome),
            json(error) if error is not None else None,
            clock.now(),
            json(run.calls),
            json(run.phases),
            run.id,
            run.attempt,
        ],
    ):
        raise Fenced(run=run.id, attempt=run.attempt)


def requeue(run: RunContext, *, not_before: datetime | None, stalls: int) -> None:
    """Put the run back; at `not_before` None a worker is sent to it at once. Raises Fenced where it is not ours."""
    if not sql.execute(
        "UPDATE engine_run SET status = 'queued', not_before = %s, stalls = %s, heartbeat_at = clock_timestamp(),"
        " calls = %s, phases = %s WHERE id = %s AND attempt = %s AND status = 'running'",
        [not_before, stalls, json(run.calls), json(run.phases), run.id, run.attempt],
    ):
        raise Fenced(run=run.id, attempt=run.attempt)
    if not_before is None:
        lane = sql.value("SELECT lane FROM engine_flow WHERE id = %s", [run.flow_id])
        queue.wake([(run.id, lane)])

"""Flows without a worker: tick and carry out in this thread until nothing is left. For `--once`, played history, tests.

Same code as in a worker: the same tick decides, the same `execute` runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from comptoir.engine import queue, runs, tick
from comptoir.engine.models import RunStatus
from comptoir.kit import sql

WORKER = "inline"


@dataclass(frozen=True, slots=True)
class Drained:
    """One run that was carried out. Its row may be gone if it saw nothing."""

    run: int
    kind: str
    channel: int
    status: RunStatus


def drain(
    at: datetime, kinds: Iterable[str] | None = None, channels: Iterable[int] | None = None, *, most: int = 10_000
) -> list[Drained]:
    """Start and carry out all that is due or has facts at `at`, of these kinds and channels, until nothing is left.

    `at` is what the clock says: a played clock stands still meanwhile. A flow whose facts do not go away runs once more
    in vain and is then left alone; raises RuntimeError after `most` runs, when some flow never comes to an end.
    """
    wanted_kinds = None if kinds is None else frozenset(kinds)
    wanted_channels = None if channels is None else frozenset(channels)
    done: list[Drained] = []
    in_vain: set[int] = set()
    with queue.without_wakeups():
        while True:
            if len(done) >= most:
                raise RuntimeError(f"no end after {most} runs, the last of {done[-1].kind}")
            tick.start_due(at, kinds=wanted_kinds, channels=wanted_channels, but=in_vain)
            waiting = sql.rows(
                "SELECT r.id, r.flow_id, f.kind, f.channel_id FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
                " WHERE r.status = 'queued' AND (r.not_before IS NULL OR r.not_before <= %(at)s)"
                " AND (%(kinds)s::text[] IS NULL OR f.kind = ANY(%(kinds)s::text[]))"
                " AND (%(channels)s::bigint[] IS NULL OR f.channel_id = ANY(%(channels)s::bigint[]))"
                " ORDER BY f.lane DESC, r.id",
                {
                    "at": at,
                    "kinds": None if wanted_kinds is None else list(wanted_kinds),
                    "channels": None if wanted_channels is None else list(wanted_channels),
                },
            )
            if not waiting:
                break
            for run, flow, kind, channel in waiting:
                status = runs.execute(run, WORKER)
                if status is None:
                    continue
                done.append(Drained(run, kind, channel, status))
                if not sql.value("SELECT true FROM engine_run WHERE id = %s AND seen > 0", [run]):
                    in_vain.add(flow)
    return done

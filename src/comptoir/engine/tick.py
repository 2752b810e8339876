"""What one leader among all workers does every second: start what is due or has facts and no run, and take runs from
workers that are dead. Schedules are rows; a lost wake-up costs a second.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from comptoir.engine import findings, flow, queue, retry, runs, schedule
from comptoir.engine.heart import STALE
from comptoir.engine.models import Severity, Trigger
from comptoir.kit import sql

logger = logging.getLogger(__name__)

#: Starts without a checkpoint after which a run is given up: it would only kill one worker after the other.
MOST_STALLS = 8

_DUE = f"""
SELECT f.id, f.every, f.cron, f.timezone, f.next_at, f.wanted_by, f.waits_until IS NOT NULL, f.next_at <= %(at)s
FROM engine_flow f JOIN channels_channel c ON c.id = f.channel_id
WHERE {runs.MAY_START} AND f.kind = ANY(%(kinds)s::text[])
  AND (%(channels)s::bigint[] IS NULL OR f.channel_id = ANY(%(channels)s::bigint[]))
  AND (f.next_at <= %(at)s OR f.waits_until <= %(at)s OR f.wanted_at IS NOT NULL)
ORDER BY f.id FOR UPDATE OF f SKIP LOCKED
"""


def start_due(
    at: datetime,
    *,
    kinds: Collection[str] | None = None,
    channels: Collection[int] | None = None,
    but: Collection[int] = (),
) -> list[int]:
    """Queue a run for every flow that is due, was asked for, or has facts, and has no run open; the runs made.

    `but` leaves out flows that have facts and nothing else.
    """
    known = flow.declared()
    names = [kind for kind in known if kinds is None or kind in kinds]
    made: list[int] = []
    with transaction.atomic():
        triggers: dict[int, Trigger] = {}
        for row in sql.rows(
            _DUE,
            {
                "at": at,
                "kinds": names,
                "channels": None if channels is None else list(channels),
                **runs.start_params(names),
            },
        ):
            flow_id, every, cron, timezone, last, wanted_by, waited, is_due = row
            triggers[flow_id] = Trigger(wanted_by) if wanted_by else Trigger.RETRY if waited else Trigger.SCHEDULE
            following = schedule.next_at(every, cron, timezone, after=at, last=last) if is_due else last
            sql.execute("UPDATE engine_flow SET next_at = %s, waits_until = NULL WHERE id = %s", [following, flow_id])
        made += runs.start(triggers, at=at)
    for kind in names:
        facts = known[kind].facts
        if facts is not None:
            made += _start_facts(kind, facts, at, channels, but)
    return made


def _start_facts(
    kind: str, facts: flow.Facts, at: datetime, channels: Collection[int] | None, but: Collection[int]
) -> list[int]:
    subject = f"flow:{kind}"
    try:
        with transaction.atomic():
            flows: dict[int, int] = dict(
                sql.rows(
                    "SELECT channel_id, id FROM engine_flow WHERE id = ANY(%s::bigint[])",
                    [[one for one in runs.startable([kind], at=at, channels=channels) if one not in but]],
                )
            )
            if not flows:
                return []
            waiting = facts(list(flows))
            return runs.start({flows[channel]: Trigger.FACT for channel in waiting if channel in flows}, at=at)
    except (OperationalError, InterfaceError):
        raise  # the database, not the flow
    except Exception as error:
        # One flow's mistake must not stop the others' clock: it becomes an Error that a person reads.
        logger.exception("facts of %s could not be read", kind)
        with transaction.atomic():
            report = findings.Report(None, "facts_failed", subject, Severity.ERROR, {"text": str(error)[:500]})
            findings.report([report], at=at)
        return []


def wake_waiting(at: datetime) -> int:
    """Send workers to runs whose wait is over."""
    with transaction.atomic():
        ready = sql.rows(
            "UPDATE engine_run r SET not_before = NULL, heartbeat_at = clock_timestamp() FROM engine_flow f"
            " WHERE f.id = r.flow_id AND r.id IN (SELECT id FROM engine_run"
            "  WHERE status = 'queued' AND not_before <= %s ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING r.id, f.lane",
            [at],
        )
        queue.wake_within([(row[0], row[1]) for row in ready])
    return len(ready)


def rescue(at: datetime) -> list[int]:
    """Take runs from workers that give no sign of life, and send others; those taken.

    A run that waits and has no job (its wake-up was lost, or died with a worker) gets one too.
    """
    with transaction.atomic():
        sql.execute(
            "DELETE FROM procrastinate_workers WHERE last_heartbeat < clock_timestamp() - make_interval(secs => %s)",
            [STALE],
        )
        sql.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL")
        dead = sql.rows(
            "SELECT r.id, f.lane, r.stalls FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
            " WHERE r.status = 'running' AND r.heartbeat_at < clock_timestamp() - make_interval(secs => %s)"
            " ORDER BY r.id FOR UPDATE OF r SKIP LOCKED",
            [STALE],
        )
        for run, _, stalls in dead:
            if stalls >= MOST_STALLS:
                retry.gave_up(run, at=at)
        taken = [(run, lane) for run, lane, stalls in dead if stalls < MOST_STALLS]
        if taken:
            sql.execute(
                "UPDATE engine_run SET status = 'queued', heartbeat_at = clock_timestamp() WHERE id = ANY(%s::bigint[])",
                [[run for run, _ in taken]],
            )
            logger.warning("runs taken from workers that gave no sign of life: %s", [run for run, _ in taken])
        forgotten = sql.rows(
            "UPDATE engine_run r SET heartbeat_at = clock_timestamp() FROM engine_flow f WHERE f.id = r.flow_id"
            " AND r.id IN (SELECT id FROM engine_run q WHERE q.status = 'queued' AND q.not_before IS NULL"
            "  AND q.heartbeat_at < clock_timestamp() - make_interval(secs => %(stale)s)"
            "  AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.task_name = %(task)s"
            "   AND j.status IN ('todo', 'doing') AND (j.args->>'run_id')::bigint = q.id)"
            "  ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING r.id, f.lane",
            {"stale": STALE, "task": queue.TASK},
        )
        queue.wake_within([*taken, *((row[0], row[1]) for row in forgotten)])
    return [run for run, _ in taken]

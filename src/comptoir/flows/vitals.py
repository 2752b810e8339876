"""How the hub is, in figures: what `comptoir doctor` puts into words and `/metrics` hands to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from comptoir.channels.models import HUB, Channel
from comptoir.engine.heart import STALE
from comptoir.engine.leader import LEADER
from comptoir.kit import sql
from comptoir.offers import queries as offers

RECENT_RUNS = 50_000  # looked at for what came of the last day
RECENT_DELIVERIES = 100_000
MOST_COUNTED = 100_000  # waiting levels of a channel; more are shown as this


@dataclass(frozen=True, slots=True)
class Recent:
    """Runs that ended within the last day in one way."""

    kind: str
    status: str
    outcome: str
    runs: int
    reads: int
    writes: int
    problems: int


@dataclass(frozen=True, slots=True)
class Reach:
    """A channel that is not archived."""

    id: int
    code: str
    mode: str
    health: str
    health_text: str
    paused: bool
    waiting: int
    oldest_waiting: float | None  # seconds


@dataclass(frozen=True, slots=True)
class Queue:
    """Runs that wait for a worker or are carried out."""

    queued: int
    running: int
    oldest: float | None  # seconds that the first in the queue has waited for a worker
    lanes: int  # of workers that gave a sign of life
    has_leader: bool


@dataclass(frozen=True, slots=True)
class Intake:
    """What webhooks brought."""

    last_hour: int
    undrained: int
    oldest_undrained: float | None


def recent_runs(at: datetime) -> list[Recent]:
    """What came of the runs of the last day, by kind; of the latest `RECENT_RUNS`."""
    found = sql.rows(
        "SELECT f.kind, r.status, r.outcome, count(*), coalesce(sum((r.calls->>'read')::bigint), 0)::bigint,"
        " coalesce(sum((r.calls->>'write')::bigint), 0)::bigint, coalesce(sum((r.calls->>'problems')::bigint), 0)::bigint"
        " FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
        " WHERE r.id > (SELECT coalesce(max(id), 0) FROM engine_run) - %s AND NOT r.is_preview"
        " AND r.finished_at > %s::timestamptz - interval '1 day'"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [RECENT_RUNS, at],
    )
    return [Recent(*row) for row in found]


def reach(at: datetime) -> list[Reach]:
    """Every channel with what it has yet to be told; marks that are not drained count for all of them."""
    waiting = offers.waiting_by_channel(most=MOST_COUNTED)
    found = []
    for row in Channel.objects.filter(archived_at=None).exclude(kind=HUB).order_by("id"):
        it = waiting.get(row.pk)
        oldest = (at - it.oldest).total_seconds() if it and it.oldest else None
        found.append(
            Reach(
                row.pk,
                row.code,
                row.mode,
                row.health,
                row.health_text,
                row.writes_paused,
                it.count if it else 0,
                oldest,
            )
        )
    return found


def queue(at: datetime) -> Queue:
    """Runs and who carries them out. Signs of life are of the database's clock, waits of the hub's."""
    row = sql.one(
        "SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'running'),"
        " extract(epoch FROM %s - min(queued_at) FILTER (WHERE status = 'queued' AND not_before IS NULL))::float"
        " FROM engine_run WHERE status IN ('queued', 'running')",
        [at],
    )
    queued, running, oldest = row or (0, 0, None)
    lanes = sql.value(
        "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > clock_timestamp() - make_interval(secs => %s)",
        [STALE],
    )
    leads = sql.value(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid::bigint = %(key)s::bigint >> 32 AND objid::bigint = %(key)s::bigint & 4294967295)",
        {"key": LEADER},
    )
    return Queue(queued, running, oldest, lanes, bool(leads))


def intake(at: datetime) -> Intake:
    """Deliveries of the last hour (of the latest `RECENT_DELIVERIES`) and those that no flow has looked at."""
    last_hour = sql.value(
        "SELECT count(*) FROM webhooks_delivery WHERE id > (SELECT coalesce(max(id), 0) FROM webhooks_delivery) - %s"
        " AND received_at > clock_timestamp() - interval '1 hour'",
        [RECENT_DELIVERIES],
    )
    row = sql.one(
        "SELECT count(*), extract(epoch FROM clock_timestamp() - min(received_at))::float FROM webhooks_delivery d"
        " JOIN channels_channel c ON c.id = d.channel_id AND c.archived_at IS NULL WHERE drained_at IS NULL"
    )
    return Intake(last_hour, *(row or (0, None)))


def open_findings() -> dict[str, int]:
    """How many are open, by severity."""
    found: dict[str, int] = dict(
        sql.rows("SELECT severity, count(*) FROM engine_finding WHERE closed_at IS NULL GROUP BY 1")
    )
    return {severity: found.get(severity, 0) for severity in ("error", "retry", "info")}


def marks() -> int:
    """Changes of stock that are not spread to offers yet, counted up to `MOST_COUNTED`."""
    return int(sql.value("SELECT count(*) FROM (SELECT FROM inventory_mark LIMIT %s) counted", [MOST_COUNTED]))


def waiting_effects() -> int:
    """Parcels and cancellations that a channel is yet to be told."""
    return int(sql.value("SELECT count(*) FROM engine_effect WHERE state IN ('wanted', 'called')"))


def database_bytes() -> int:
    """How large the database is."""
    return int(sql.value("SELECT pg_database_size(current_database())"))


def last_backup(at: datetime) -> float | None:
    """Seconds since `comptoir backup` last succeeded; None where it never did."""
    made = sql.value("SELECT at FROM events_event WHERE name = 'engine.backup.made' ORDER BY id DESC LIMIT 1")
    return None if made is None else float((at - made).total_seconds())

"""What must always be true of flows, runs, findings and the journal, verified on live data."""

from __future__ import annotations

from comptoir.engine.heart import STALE
from comptoir.kit import sql
from comptoir.kit.breach import Breach

#: Seconds: an effect called longer ago, and not put off, is looked after by nobody.
STUCK = 3600


_CHECKS: dict[str, tuple[str, tuple[str, ...]]] = {
    # A run that ended well accounts for all it saw, or says that it does not.
    "run_unbalanced": (
        (
            "SELECT 'run:' || id, seen, created + changed + unchanged + skipped + parked + failed FROM engine_run"
            " WHERE status = 'done' AND outcome <> 'unbalanced'"
            " AND seen <> created + changed + unchanged + skipped + parked + failed"
        ),
        ("seen", "dealt_with"),
    ),
    "run_ended_without_time": (
        "SELECT 'run:' || id, status FROM engine_run WHERE (finished_at IS NULL) = (status NOT IN ('queued', 'running'))",
        ("status",),
    ),
    # The rescue looks every two seconds: a sign of life ten times older means that nobody looks.
    "run_abandoned": (
        (
            "SELECT 'run:' || id, worker, heartbeat_at::text FROM engine_run WHERE status = 'running'"
            " AND heartbeat_at < clock_timestamp() - make_interval(secs => 10 * %(stale)s)"
        ),
        ("worker", "heartbeat_at"),
    ),
    # A cursor moves only with a checkpoint, so the last run that moved it says where the flow stands.
    "cursor_astray": (
        (
            "SELECT 'flow:' || f.id, f.cursor::text, r.cursor_after::text FROM engine_flow f JOIN LATERAL"
            " (SELECT cursor_after FROM engine_run WHERE flow_id = f.id AND NOT is_preview AND cursor_after <> '{}'"
            "  ORDER BY id DESC LIMIT 1) r ON true WHERE f.cursor <> r.cursor_after"
            " AND NOT coalesce(f.empty_at > (SELECT max(finished_at) FROM engine_run WHERE flow_id = f.id), false)"
        ),
        ("cursor", "last_run_left"),
    ),
    "effect_stuck": (
        (
            "SELECT 'effect:' || id, kind, key, called_at::text FROM engine_effect"
            " WHERE state = 'called' AND next_at IS NULL AND called_at < clock_timestamp() - make_interval(secs => %(stuck)s)"
        ),
        ("kind", "key", "called_at"),
    ),
    "effect_finished_without_time": (
        (
            "SELECT 'effect:' || id, state FROM engine_effect"
            " WHERE (finished_at IS NULL) = (state IN ('done', 'refused', 'dropped'))"
        ),
        ("state",),
    ),
    "flow_never_due": (
        (
            "SELECT 'flow:' || id, every, cron FROM engine_flow"
            " WHERE enabled AND (every IS NOT NULL OR cron <> '') AND next_at IS NULL"
        ),
        ("every", "cron"),
    ),
    "finding_closed_before_seen": (
        "SELECT 'finding:' || id, code, subject FROM engine_finding WHERE last_at < first_at OR count = 0",
        ("code", "subject"),
    ),
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """What is not as it must be, `most` rows of each kind; empty on a sound hub."""
    given = {"stale": STALE, "stuck": STUCK, "most": most}
    return [
        Breach(code, str(row[0]), dict(zip(names, row[1:], strict=True)))
        for code, (query, names) in _CHECKS.items()
        for row in sql.rows(f"SELECT * FROM ({query}) AS breach LIMIT %(most)s", given)
    ]

"""Runs, their inputs, previews and closed findings that are old enough are deleted, a page at a time, but nothing that the books need.

`engine.books` reads of each flow the last run that moved its cursor and the last run at all: these stay however old.
"""

from __future__ import annotations

from datetime import datetime

from comptoir.kit import sql

PAGE = 5_000

_NEEDED = """
SELECT max(id) FROM engine_run WHERE flow_id = ANY(%(flows)s::bigint[]) GROUP BY flow_id, is_preview
UNION SELECT max(id) FROM engine_run WHERE flow_id = ANY(%(flows)s::bigint[]) AND NOT is_preview AND cursor_after <> '{}'
GROUP BY flow_id
"""


def old_runs(after: int, *, runs_before: datetime, previews_before: datetime, limit: int = PAGE) -> tuple[int, int]:
    """Delete what ended before then among the next `limit` runs; (id to go on after, 0 at the end; how many were deleted).

    Ids follow the times of runs, so the first page with none that is old enough is the last to look at.
    """
    page = sql.rows(
        "SELECT id, flow_id, queued_at, status NOT IN ('queued', 'running')"
        " AND finished_at < CASE WHEN is_preview THEN %s::timestamptz ELSE %s::timestamptz END"
        " FROM engine_run WHERE id > %s ORDER BY id LIMIT %s",
        [previews_before, runs_before, after, limit],
    )
    old = [row[0] for row in page if row[3]]
    if old:
        needed = {row[0] for row in sql.rows(_NEEDED, {"flows": sorted({row[1] for row in page})})}
        old = [run for run in old if run not in needed]
    if old:
        _delete(old)
    is_last = len(page) < limit or page[-1][2] >= max(runs_before, previews_before)
    return (0 if is_last else page[-1][0]), len(old)


def _delete(runs: list[int]) -> None:
    """Findings and promises outlive the run that made them."""
    sql.execute("UPDATE engine_finding SET run_id = NULL WHERE run_id = ANY(%s)", [runs])
    sql.execute("UPDATE engine_effect SET run_id = NULL WHERE run_id = ANY(%s)", [runs])
    sql.execute("UPDATE engine_run SET replays_id = NULL WHERE replays_id = ANY(%s)", [runs])
    sql.execute("DELETE FROM engine_planrow WHERE run_id = ANY(%s)", [runs])
    sql.execute("DELETE FROM engine_input WHERE run_id = ANY(%s)", [runs])
    sql.execute("DELETE FROM engine_run WHERE id = ANY(%s)", [runs])


def inputs(*, before: datetime, most_runs: int, most_bytes: int, limit: int = PAGE) -> int:
    """Delete what runs went by where the run was asked for before then, or newer ones of its flow already make up
    `most_runs` or `most_bytes`; of how many runs. Open runs keep theirs."""
    old = [
        row[0]
        for row in sql.rows(
            "SELECT id FROM ("
            "  SELECT r.id, r.queued_at, r.status IN ('queued', 'running') AS is_open,"
            "    row_number() OVER newest AS place, sum(kept.bytes) OVER newest AS bytes"
            "  FROM (SELECT run_id, sum(size) AS bytes FROM engine_input GROUP BY run_id) kept"
            "  JOIN engine_run r ON r.id = kept.run_id WINDOW newest AS (PARTITION BY r.flow_id ORDER BY r.id DESC)"
            ") ranked WHERE NOT is_open AND (queued_at < %s OR place > %s OR bytes > %s) ORDER BY id LIMIT %s",
            [before, most_runs, most_bytes, limit],
        )
    ]
    if old:
        sql.execute("DELETE FROM engine_input WHERE run_id = ANY(%s)", [old])
    return len(old)


def closed_findings(*, before: datetime, limit: int = PAGE) -> int:
    """Delete findings closed before then; how many. What a person closed about an order that is gone at its shop stays,
    since it is how the hub knows not to say it again."""
    return sql.execute(
        "DELETE FROM engine_finding WHERE id IN (SELECT id FROM engine_finding WHERE closed_at < %(before)s"
        " AND last_at < %(before)s AND NOT (code = 'order_gone_there' AND closed_by <> '')"
        " ORDER BY last_at DESC, id DESC LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
        {"before": before, "limit": limit},
    )

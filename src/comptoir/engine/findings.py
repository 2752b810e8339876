"""What someone should read: one row per (channel, code, subject). A finding keeps a code and facts; `web` words them.

Reporting and closing take a page at a time and use the surrounding transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb

from comptoir.engine.models import Severity
from comptoir.kit import sql

SUBJECT_LENGTH = 160
BELL_STOPS_AT = 1000

_dumps = partial(json.dumps, default=str, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Report:
    """One thing to report; `channel` None speaks of the hub itself. Decimals and times in `facts` become text."""

    channel: int | None
    code: str
    subject: str
    severity: Severity
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Open findings of one code on one channel."""

    channel: int | None
    code: str
    severity: Severity
    subjects: int
    count: int
    first_at: datetime
    last_at: datetime
    example: str  # the subject seen last


def report(reports: Iterable[Report], *, at: datetime, run: int | None = None) -> None:
    """Open findings, or count them once more; one that was closed opens again."""
    unique: dict[tuple[int, str, str], Report] = {}
    for one in reports:
        unique[one.channel or 0, one.code, one.subject[:SUBJECT_LENGTH]] = one
    if not unique:
        return
    ordered = sorted(unique.items())  # one order for everyone: two runs never wait for each other in a ring
    sql.execute(
        "INSERT INTO engine_finding AS known"
        " (channel_id, code, subject, severity, facts, count, first_at, last_at, run_id)"
        " SELECT nullif(c, 0), code, subject, severity, facts, 1, %s, %s, %s::bigint"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::jsonb[])"
        " AS given (c, code, subject, severity, facts)"
        " ON CONFLICT (channel_id, code, subject) DO UPDATE SET severity = excluded.severity, facts = excluded.facts,"
        " count = known.count + 1, last_at = greatest(known.last_at, excluded.last_at), closed_at = NULL,"
        " run_id = coalesce(excluded.run_id, known.run_id)",
        [
            at,
            at,
            run,
            [key[0] for key, _ in ordered],
            [key[1] for key, _ in ordered],
            [key[2] for key, _ in ordered],
            [str(one.severity) for _, one in ordered],
            [Jsonb(dict(one.facts), dumps=_dumps) for _, one in ordered],
        ],
    )


def close(channel: int | None, subjects: Sequence[str], codes: Sequence[str] | None = None, *, at: datetime) -> int:
    """Close what is open about these subjects, whatever its code unless `codes` name some; how many were."""
    if not subjects:
        return 0
    return sql.execute(
        "UPDATE engine_finding SET closed_at = %(at)s WHERE id IN ("
        " SELECT id FROM engine_finding WHERE channel_id IS NOT DISTINCT FROM %(channel)s::bigint"
        " AND subject = ANY(%(subjects)s::text[]) AND closed_at IS NULL"
        " AND (%(codes)s::text[] IS NULL OR code = ANY(%(codes)s::text[])) ORDER BY code, subject FOR UPDATE)"
        if channel is None
        else "UPDATE engine_finding SET closed_at = %(at)s WHERE id IN ("
        " SELECT id FROM engine_finding WHERE channel_id = %(channel)s"
        " AND subject = ANY(%(subjects)s::text[]) AND closed_at IS NULL"
        " AND (%(codes)s::text[] IS NULL OR code = ANY(%(codes)s::text[])) ORDER BY code, subject FOR UPDATE)",
        {
            "at": at,
            "channel": channel,
            "subjects": [subject[:SUBJECT_LENGTH] for subject in subjects],
            "codes": list(codes) if codes is not None else None,
        },
    )


def bell() -> int:
    """How many Errors are open; stops counting at a thousand."""
    return int(
        sql.value(
            "SELECT count(*) FROM (SELECT FROM engine_finding"
            " WHERE severity = 'error' AND closed_at IS NULL LIMIT %s) AS open",
            [BELL_STOPS_AT],
        )
    )


def open_groups(channel: int | None = None) -> list[Group]:
    """Open findings by (code, channel), Errors first, then the latest; of one channel if it is named."""
    found = sql.rows(
        "SELECT channel_id, code, severity, count(*), sum(count), min(first_at), max(last_at),"
        " (array_agg(subject ORDER BY last_at DESC))[1]"
        " FROM engine_finding WHERE closed_at IS NULL AND (%(channel)s::bigint IS NULL OR channel_id = %(channel)s)"
        " GROUP BY channel_id, code, severity"
        " ORDER BY array_position(ARRAY['error', 'retry', 'info'], severity::text), max(last_at) DESC",
        {"channel": channel},
    )
    return [Group(row[0], row[1], Severity(row[2]), *row[3:]) for row in found]

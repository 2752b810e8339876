"""What someone should read: one row per (channel, code, subject). A finding keeps a code and facts; `web` words them.

Reporting and closing take a page at a time and use the surrounding transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from comptoir.engine.models import Severity
from comptoir.events.record import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor

SUBJECT_LENGTH = 160
BELL_STOPS_AT = 100
GROUP_STOPS_AT = 1000


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

    id: int  # of the one seen last
    channel: int | None
    code: str
    severity: Severity
    subjects: int  # stops at GROUP_STOPS_AT
    last_at: datetime
    example: str  # the subject seen last
    facts: dict[str, Any]  # of that one


@dataclass(frozen=True, slots=True)
class Closed:
    """What a person closed."""

    channel: int | None
    code: str
    subject: str


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
        " closed_by = '', closed_note = '', run_id = coalesce(excluded.run_id, known.run_id)",
        [
            at,
            at,
            run,
            [key[0] for key, _ in ordered],
            [key[1] for key, _ in ordered],
            [key[2] for key, _ in ordered],
            [str(one.severity) for _, one in ordered],
            [sql.as_json(one.facts) for _, one in ordered],
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


def close_all(channel: int, *, at: datetime) -> int:
    """Nothing about this channel is anybody's business any more; how many were open."""
    return sql.execute(
        "UPDATE engine_finding SET closed_at = %s WHERE id IN (SELECT id FROM engine_finding WHERE channel_id = %s"
        " AND closed_at IS NULL ORDER BY code, subject FOR UPDATE)",
        [at, channel],
    )


def close_by_hand(ids: Collection[int], note: str, *, actor: Actor, at: datetime) -> list[Closed]:
    """A person says that these are dealt with; those that were open. Found again, they are open again."""
    closed = [
        Closed(*row)
        for row in sql.rows(
            "UPDATE engine_finding SET closed_at = %s, closed_by = %s, closed_note = %s WHERE id IN ("
            " SELECT id FROM engine_finding WHERE id = ANY(%s) AND closed_at IS NULL ORDER BY code, subject FOR UPDATE)"
            " RETURNING channel_id, code, subject",
            [at, actor.label, note[:255], sorted(ids)],
        )
    ]
    if closed:
        about = [[one.channel, one.code, one.subject] for one in closed]
        record("engine.findings.dealt_with", {"findings": about, "note": note[:255]}, actor=actor, at=at)
    return closed


def bell() -> int:
    """How many Errors are open; stops counting at a hundred."""
    return int(
        sql.value(
            "SELECT count(*) FROM (SELECT FROM engine_finding"
            " WHERE severity = 'error' AND closed_at IS NULL LIMIT %s) AS open",
            [BELL_STOPS_AT],
        )
    )


# One step of the index from each group to the next, however many findings are in it: a page asks this each time it opens.
_GROUPS = """
WITH RECURSIVE kinds AS (
    (SELECT severity, code, coalesce(channel_id, 0) AS channel FROM engine_finding
     WHERE closed_at IS NULL AND (%(severity)s::text IS NULL OR severity = %(severity)s::text)
     ORDER BY severity, code, coalesce(channel_id, 0) LIMIT 1)
    UNION ALL
    SELECT next.* FROM kinds, LATERAL (
        SELECT severity, code, coalesce(channel_id, 0) FROM engine_finding
        WHERE closed_at IS NULL AND (%(severity)s::text IS NULL OR severity = %(severity)s::text)
        AND (severity, code, coalesce(channel_id, 0)) > (kinds.severity, kinds.code, kinds.channel)
        ORDER BY severity, code, coalesce(channel_id, 0) LIMIT 1
    ) next
)
SELECT nullif(kinds.channel, 0), kinds.code, kinds.severity, counted.subjects, latest.last_at, latest.subject,
       latest.facts::text, latest.id
FROM kinds
CROSS JOIN LATERAL (
    SELECT count(*) AS subjects FROM (
        SELECT FROM engine_finding f WHERE f.closed_at IS NULL AND f.severity = kinds.severity AND f.code = kinds.code
        AND coalesce(f.channel_id, 0) = kinds.channel LIMIT %(most)s
    ) met
) counted
CROSS JOIN LATERAL (
    SELECT f.id, f.last_at, f.subject, f.facts FROM engine_finding f
    WHERE f.closed_at IS NULL AND f.severity = kinds.severity AND f.code = kinds.code
    AND coalesce(f.channel_id, 0) = kinds.channel ORDER BY f.last_at DESC LIMIT 1
) latest
WHERE %(channel)s::bigint IS NULL OR kinds.channel = %(channel)s
ORDER BY array_position(ARRAY['error', 'retry', 'info'], kinds.severity::text), latest.last_at DESC
"""


def open_groups(channel: int | None = None, severity: Severity | None = None) -> list[Group]:
    """Open findings by (code, channel), Errors first, then the latest; of one channel or severity if it is named."""
    asked = {"channel": channel, "severity": severity and str(severity), "most": GROUP_STOPS_AT}
    found = sql.rows(_GROUPS, asked)
    return [
        Group(id_, channel_, code, Severity(severity_), subjects, last_at, example, json.loads(facts))
        for channel_, code, severity_, subjects, last_at, example, facts, id_ in found
    ]


def codes() -> list[str]:
    """Every code that any finding has, in a step of the index each."""
    rows = sql.rows(
        "WITH RECURSIVE known AS ((SELECT code FROM engine_finding ORDER BY code LIMIT 1) UNION ALL"
        " SELECT (SELECT code FROM engine_finding WHERE code > known.code ORDER BY code LIMIT 1) FROM known"
        " WHERE known.code IS NOT NULL) SELECT code FROM known WHERE code IS NOT NULL"
    )
    return [row[0] for row in rows]

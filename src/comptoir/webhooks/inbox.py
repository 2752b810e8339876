"""The inbox: what the door has kept and no flow has looked at yet. A delivery says that something changed, never to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from comptoir.kit import sql

FORGET_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Due:
    """One thing to fetch, with every delivery that asked for it."""

    topic: str
    external_id: str
    deliveries: tuple[int, ...]


def channels_due(channel_ids: Sequence[int], topic: str | None = None) -> set[int]:
    """Which of these channels have something to fetch: for the `facts` of a flow (`functools.partial` binds the topic)."""
    found = sql.rows(
        """
        SELECT wanted.id FROM unnest(%(channels)s::bigint[]) AS wanted (id)
        WHERE EXISTS (
            SELECT FROM webhooks_delivery d
            WHERE d.channel_id = wanted.id AND d.drained_at IS NULL
              AND (%(topic)s::text IS NULL OR d.topic = %(topic)s::text)
        )
        """,
        {"channels": list(channel_ids), "topic": topic},
    )
    return {row[0] for row in found}


def due(channel: int, limit: int, *, topic: str | None = None) -> list[Due]:
    """The next things to fetch, oldest first, from the `limit` oldest deliveries: many about one thing are one."""
    found = sql.rows(
        """
        SELECT topic, external_id, array_agg(id ORDER BY id)
        FROM (
            SELECT id, topic, external_id FROM webhooks_delivery
            WHERE channel_id = %(channel)s AND drained_at IS NULL
              AND (%(topic)s::text IS NULL OR topic = %(topic)s::text)
            ORDER BY id LIMIT %(limit)s
        ) oldest
        GROUP BY topic, external_id ORDER BY min(id)
        """,
        {"channel": channel, "topic": topic, "limit": limit},
    )
    return [Due(topic, external_id, tuple(ids)) for topic, external_id, ids in found]


def drained(deliveries: Sequence[int], *, at: datetime) -> int:
    """Note that what these asked for has been fetched since: in the transaction that keeps what was fetched.

    A delivery that came after `due` is not among them, so that its thing is fetched once more.
    """
    return sql.execute(
        "UPDATE webhooks_delivery SET drained_at = %(at)s WHERE id = ANY(%(ids)s::bigint[]) AND drained_at IS NULL",
        {"at": at, "ids": list(deliveries)},
    )


def forget(*, before: datetime, limit: int = FORGET_AT_ONCE) -> int:
    """Delete deliveries received before then that nobody waits for; the number, so that the caller goes on while it is `limit`.

    A delivery that is sent again after its row is gone would be kept again: the replay window of its connector, minutes, is
    far shorter than what is kept here.
    """
    return sql.execute(
        """
        DELETE FROM webhooks_delivery WHERE id IN (
            SELECT d.id FROM webhooks_delivery d JOIN channels_channel c ON c.id = d.channel_id
            WHERE d.received_at < %(before)s AND (d.drained_at IS NOT NULL OR c.archived_at IS NOT NULL)
            ORDER BY d.id LIMIT %(limit)s
            FOR UPDATE OF d SKIP LOCKED
        )
        """,
        {"before": before, "limit": limit},
    )

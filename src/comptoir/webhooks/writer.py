"""Group commit: deliveries that wait together are kept by one statement, and each is answered only after its commit."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import psycopg

from comptoir.webhooks.connection import Connection

log = logging.getLogger(__name__)

NOTICE = "comptoir_inbox"  # what a worker may LISTEN to: once per group, never once per delivery
GROUP_ROWS = 500
GROUP_BYTES = 8 << 20

KEEP = """
WITH kept AS (
    INSERT INTO webhooks_delivery (channel_id, event_id, topic, external_id, body)
    SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (channel_id, event_id) DO NOTHING
    RETURNING 1
)
SELECT pg_notify('comptoir_inbox', '') WHERE EXISTS (SELECT FROM kept)
"""


class CannotBeKept(Exception):
    """PostgreSQL refuses this one delivery, whatever it is grouped with."""


@dataclass(slots=True)
class Kept:
    """What will be a row, and the future of whoever waits for it."""

    channel: int
    event_id: str
    topic: str
    external_id: str
    body: bytes
    durable: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answer(self, error: Exception | None) -> None:
        if self.durable.done():  # the sender hung up while it waited
            return
        if error is None:
            self.durable.set_result(None)
        else:
            self.durable.set_exception(error)


class Writer:
    """Keeps deliveries. While one group commits the next one gathers, so that load makes groups larger and not waits longer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: list[Kept] = []
        self._at_work: asyncio.Task[None] | None = None

    async def keep(self, channel: int, event_id: str, topic: str, external_id: str, body: bytes) -> None:
        """Return once the delivery is durable, now or since an earlier time."""
        delivery = Kept(channel, event_id, topic, external_id, body)
        self._waiting.append(delivery)
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work())
        await delivery.durable

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next_group())
        finally:
            self._at_work = None

    def _next_group(self) -> list[Kept]:
        size = taken = 0
        for taken, delivery in enumerate(self._waiting, start=1):
            size += len(delivery.body)
            if taken == GROUP_ROWS or size >= GROUP_BYTES:
                break
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        # Two doors that insert the same two events in opposite order would wait for each other.
        return sorted(group, key=lambda delivery: (delivery.channel, delivery.event_id))

    async def _commit(self, group: list[Kept]) -> None:
        try:
            await self._connection.rows(
                KEEP,
                [
                    [delivery.channel for delivery in group],
                    [delivery.event_id for delivery in group],
                    [delivery.topic for delivery in group],
                    [delivery.external_id for delivery in group],
                    [delivery.body for delivery in group],
                ],
            )
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(group) > 1:  # one bad row must not take the others with it
                for delivery in group:
                    await self._commit([delivery])
                return
            log.error("a delivery cannot be kept", extra={"channel": group[0].channel, "reason": str(error)})
            refusal = CannotBeKept(str(error))
            refusal.__cause__ = error
            group[0].answer(refusal)
        except Exception as error:  # noqa: BLE001  # raised at each that waits
            for delivery in group:
                delivery.answer(error)
        else:
            for delivery in group:
                delivery.answer(None)

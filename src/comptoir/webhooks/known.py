"""Which channel a token in the door's address belongs to, what verifies its deliveries and with which secret."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comptoir.channels.abilities import WebhookSource
from comptoir.channels.connector import Connector
from comptoir.kit.errors import ConfigError
from comptoir.kit.secrets import Box
from comptoir.webhooks.connection import Connection

log = logging.getLogger(__name__)

LIFE = 2.0  # seconds: how long an archived channel may still be let in

CHANNELS = """
SELECT webhook_token, id, kind, config::text, sealed FROM channels_channel WHERE archived_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Known:
    """One channel that may deliver."""

    channel: int
    secret: str
    source: WebhookSource


class CannotVerify(Exception):
    """The channel is ours and its secret cannot be read: the sender must come again."""


class Channels:
    """Every channel by token, read together: they are few, and a made-up token then costs no statement of its own."""

    def __init__(self, connection: Connection, find: Callable[[str], Connector | None], box: Callable[[], Box]) -> None:
        self._connection = connection
        self._find = find
        self._box = box
        self._by_token: dict[str, Known | ConfigError] = {}
        self._read: dict[tuple[Any, ...], Known | ConfigError | None] = {}
        self._fresh_until = 0.0
        self._turn = asyncio.Lock()

    async def find(self, token: str) -> Known | None:
        """The channel of a token; None where there is none, or none that can verify."""
        if time.monotonic() >= self._fresh_until:
            async with self._turn:
                if time.monotonic() >= self._fresh_until:
                    await self._reload()
        known = self._by_token.get(token)
        if isinstance(known, ConfigError):
            raise CannotVerify(str(known)) from known
        return known

    async def _reload(self) -> None:
        found = await self._connection.rows(CHANNELS)
        read = {row: self._read[row] if row in self._read else self._open(*row[1:]) for row in found}
        self._by_token = {row[0]: known for row, known in read.items() if known is not None}
        self._read = read
        self._fresh_until = time.monotonic() + LIFE

    def _open(self, channel: int, kind: str, plain: str, sealed: bytes) -> Known | ConfigError | None:
        card = self._find(kind)
        if card is None or card.webhooks is None:
            return None
        try:
            kept = json.loads(plain) | (self._box().open(sealed) if sealed else {})
            secret = kept.get(card.signed_with)
        except ConfigError as error:  # told to whoever delivers there; the other channels go on
            log.error(
                "the secret of a channel's deliveries cannot be read", extra={"channel": channel, "reason": str(error)}
            )
            return error
        return Known(channel, str(secret), card.webhooks) if secret else None

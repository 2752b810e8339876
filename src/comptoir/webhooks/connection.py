"""One PostgreSQL connection of an event loop, opened when needed and again after it broke. No Django: the door stays light."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, LiteralString

import psycopg

log = logging.getLogger(__name__)

CONNECT = 5  # seconds until a connection must stand


class DatabaseAway(Exception):
    """Nothing was kept, as far as we know: the sender must come again."""


class Connection:
    """Statements one after the other, each in a transaction of its own."""

    def __init__(self, url: Callable[[], str], answer: float) -> None:
        self._url = url
        self._answer = answer  # seconds until a statement must be answered
        self._open: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._turn = asyncio.Lock()
        self._was_away = False

    async def rows(self, statement: LiteralString, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a committed statement. DataError and IntegrityError speak of the rows; all else is DatabaseAway."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._answer):
                    cursor = await (await self._connection()).execute(statement, params, prepare=True)
                    found = await cursor.fetchall() if cursor.description else []
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self._drop()
                if not self._was_away:
                    log.error("the database does not answer: deliveries are put off", extra={"reason": str(error)})
                self._was_away = True
                raise DatabaseAway(str(error)) from error
            if self._was_away:
                log.info("the database answers again")
                self._was_away = False
            return found

    async def close(self) -> None:
        """Wait for the statement under way, then close."""
        async with self._turn:
            await self._drop()

    async def _connection(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._open is None:
            self._open = await psycopg.AsyncConnection.connect(
                self._url(), autocommit=True, connect_timeout=CONNECT, application_name="comptoir door"
            )
            # A server may be set to answer before it has written; what we promise to a sender must not depend on it.
            await self._open.execute(
                "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            )
        return self._open

    async def _drop(self) -> None:
        broken, self._open = self._open, None
        if broken is not None:
            await broken.close()

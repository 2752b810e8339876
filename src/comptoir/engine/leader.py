"""One clock for all workers: the leader's thread ticks every second, in whichever process holds the lock.

Leadership is an advisory lock on a connection of its own that PostgreSQL closes when it stays silent: a leader that was
stopped in the middle of a breath loses it like one that died. Each tick holds a second lock in its own transaction, so
that a former leader that wakes up never ticks beside the new one.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction

from comptoir.engine import heart, tick
from comptoir.kit import clock, sql

logger = logging.getLogger(__name__)

EVERY = 1.0  #: seconds between ticks
RESCUE_EVERY = 2  #: ticks between looks for dead workers
LEADER, TICKING = 0x636F6D70746F6972, 0x636F6D70746F6973  # keys of the two locks


class Leader(threading.Thread):
    """Ticks while it leads, tries to lead otherwise. `failed` holds what ended it before it was told to end."""

    def __init__(self, failed: threading.Event) -> None:
        super().__init__(name="leader", daemon=True)
        self.leads = False
        self._over = threading.Event()
        self._failed = failed
        self._session: psycopg.Connection[Any] | None = None
        self._ticks = 0

    def stop(self) -> None:
        """End after the tick under way, and let another lead."""
        self._over.set()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._breathe()
                self._over.wait(EVERY)
        except Exception:
            logger.exception("the clock of schedules failed")
            self._failed.set()
        finally:
            self._let_go()

    def _breathe(self) -> None:
        try:
            self._lead()
            if self.leads:
                self._tick()
        except (psycopg.OperationalError, OperationalError, InterfaceError, InternalError) as error:
            # Internal: PostgreSQL ended a tick during which this process was stopped.
            logger.warning("the clock of schedules waits for the database: %s", error)
            self._let_go()
        finally:
            connection.close()

    def _lead(self) -> None:
        if self._session is None:
            self._session = heart.connect()
            self._session.execute(f"SET idle_session_timeout = '{heart.STALE}s'")
        if self.leads:
            self._session.execute("SELECT 1")
        else:
            row = self._session.execute("SELECT pg_try_advisory_lock(%s)", [LEADER]).fetchone()
            self.leads = bool(row and row[0])

    def _tick(self) -> None:
        with transaction.atomic():
            if not sql.value("SELECT pg_try_advisory_xact_lock(%s)", [TICKING]):
                return
            at = clock.now()
            tick.start_due(at)
            tick.wake_waiting(at)
            if self._ticks % RESCUE_EVERY == 0:
                tick.rescue(at)
        self._ticks += 1

    def _let_go(self) -> None:
        self.leads = False
        if self._session is not None:
            self._session.close()
            self._session = None
        connection.close()

"""Signs of life of the runs that this process carries out, so that a long call out does not look dead.

One thread per process, on a connection of its own: a transaction of a run may last, the sign must not wait for it. It
also brings back who was cancelled. It proves nothing: fencing does (see `runs`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connections

if TYPE_CHECKING:
    from comptoir.engine.runs import RunContext

logger = logging.getLogger(__name__)

BEAT = 1.0  #: seconds between two signs
STALE = 4  #: seconds without one (SQL clock) after which a run is taken from its worker

# A row that is locked is being written by its own checkpoint: a better sign than ours.
_BEAT = """
WITH mine AS (SELECT * FROM unnest(%(runs)s::bigint[], %(attempts)s::int[]) AS given (run, attempt)),
alive AS (
    SELECT r.id FROM engine_run r JOIN mine ON mine.run = r.id AND mine.attempt = r.attempt
    WHERE r.status = 'running' ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
)
UPDATE engine_run r SET heartbeat_at = clock_timestamp() FROM alive WHERE r.id = alive.id
RETURNING r.id, r.cancel_asked
"""


class Heart:
    """Beats for runs while there are any; the thread ends by itself a moment after the last."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._runs: dict[int, RunContext] = {}
        self._thread: threading.Thread | None = None

    def add(self, run: RunContext) -> None:
        """Beat for this run from now on."""
        with self._lock:
            self._runs[run.id] = run
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)
                self._thread.start()

    def remove(self, run: RunContext) -> None:
        """It ended, one way or the other."""
        with self._lock:
            if self._runs.get(run.id) is run:
                del self._runs[run.id]
            self._lock.notify()

    def carried(self) -> list[tuple[int, int]]:
        """Runs being carried out now, as (id, attempt)."""
        with self._lock:
            return [(run.id, run.attempt) for run in self._runs.values()]

    def _beat(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        idle = 0
        try:
            while True:
                with self._lock:
                    self._lock.wait_for(lambda: False, timeout=BEAT)
                    runs = list(self._runs.values())
                    idle = 0 if runs else idle + 1
                    if idle > 3:
                        self._thread = None
                        return
                if not runs:
                    if connection is not None:
                        connection.close()
                        connection = None
                    continue
                try:
                    connection = connection or connect()
                    self._sign(connection, runs)
                except psycopg.OperationalError as error:
                    logger.warning("no sign of life could be given: %s", error)
                    if connection is not None:
                        connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    @staticmethod
    def _sign(connection: psycopg.Connection[Any], runs: list[RunContext]) -> None:
        answers = connection.execute(
            _BEAT, {"runs": [run.id for run in runs], "attempts": [run.attempt for run in runs]}, prepare=True
        ).fetchall()
        cancelled = {run for run, asked in answers if asked}
        for run in runs:
            if run.id in cancelled:
                run.told_to_cancel = True


def connect() -> psycopg.Connection[Any]:
    """A connection outside the pool and outside every transaction."""
    parameters = connections["default"].get_connection_params()
    for ours in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(ours, None)
    return psycopg.connect(**parameters, autocommit=True)


_heart = Heart()


@contextmanager
def beating(run: RunContext) -> Iterator[None]:
    """Give signs of life for a run while the block runs."""
    _heart.add(run)
    try:
        yield
    finally:
        _heart.remove(run)


def carried() -> list[tuple[int, int]]:
    """Runs that this process carries out now, as (id, attempt)."""
    return _heart.carried()

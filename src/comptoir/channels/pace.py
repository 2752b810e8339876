"""How fast a channel may be called: one budget in PostgreSQL, shared by all workers, spent through leases.

A token bucket per key. A process leases several calls at a time on a connection of its own, outside any run's
transaction, so that a call costs no round trip. Live work goes before bulk: bulk leaves half of the bucket alone.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, cast

import psycopg
from django.db import connections

from comptoir.channels.connector import Pace
from comptoir.channels.errors import TryLater

LEASE = 8  # calls taken at a time where the bucket allows
PATIENCE = 20.0  # seconds a call waits for its turn before the run steps aside

_TAKE = """
WITH now AS (SELECT clock_timestamp() AS t),
bucket AS (
    SELECT key, least(%(burst)s, tokens + extract(epoch FROM now.t - filled_at) * %(rate)s) AS filled,
           blocked_until, now.t
    FROM channels_budget, now WHERE key = %(key)s FOR UPDATE OF channels_budget
),
taken AS (
    SELECT *, CASE WHEN blocked_until > t THEN 0
        ELSE least(greatest(floor(filled - %(spare)s), 0), %(lease)s) END AS n FROM bucket
)
UPDATE channels_budget b SET tokens = taken.filled - taken.n, filled_at = taken.t
FROM taken WHERE b.key = taken.key
RETURNING taken.n, greatest(
    coalesce(extract(epoch FROM taken.blocked_until - taken.t), 0),
    CASE WHEN taken.n = 0 THEN (1 + %(spare)s - taken.filled) / %(rate)s ELSE 0 END)
"""


class SharedPace:
    """The pace of one key in this process; safe to share between threads."""

    def __init__(self, key: str, pace: Pace) -> None:
        self._key = key
        self._rate = pace.per_minute / 60
        self._burst = float(max(pace.burst, 1))
        self._lock = threading.Lock()
        self._leased: dict[bool, tuple[int, float]] = {}  # lane -> (calls left, good until)

    def take(self, live: bool) -> None:
        """Come back when one call may go; raises TryLater with the wait when that is further off than a run should sit."""
        waited = 0.0
        while True:
            with self._lock:
                left, until = self._leased.get(live, (0, 0.0))
                if left > 0 and time.monotonic() < until:
                    self._leased[live] = (left - 1, until)
                    return
                taken, wait = self._lease(live)
                if taken:
                    # An unused lease lapses: after a pause of ours nobody must see a burst from the past.
                    self._leased[live] = (taken - 1, time.monotonic() + 2)
                    return
            wait = max(wait, 0.01)
            if waited + wait > PATIENCE:
                raise TryLater("the channel's pace is spent", wait=wait, key=self._key)
            time.sleep(wait)
            waited += wait

    def back_off(self, seconds: float) -> None:
        """They asked everyone to wait: no worker calls before then."""
        with self._lock:
            self._leased.clear()
        _execute(
            "INSERT INTO channels_budget (key, tokens, filled_at, blocked_until)"
            " VALUES (%(key)s, 0, clock_timestamp(), clock_timestamp() + make_interval(secs => %(wait)s))"
            " ON CONFLICT (key) DO UPDATE SET blocked_until = greatest(channels_budget.blocked_until, excluded.blocked_until)",
            {"key": self._key, "wait": seconds},
        )

    def points(self, left: float, most: float, per_second: float) -> None:
        """Keep what the last answer said of a budget in cost points, for people to see."""
        _execute(
            "UPDATE channels_budget SET points_left = %s, points_most = %s, points_per_second = %s,"
            " points_at = clock_timestamp() WHERE key = %s",
            [left, most, per_second, self._key],
        )

    def _lease(self, live: bool) -> tuple[int, float]:
        spare = 0.0 if live else self._burst / 2
        params = {
            "key": self._key,
            "rate": self._rate,
            "burst": self._burst,
            "spare": min(spare, self._burst - 1),
            "lease": min(LEASE, int(self._burst)),
        }
        row = _execute(_TAKE, params)
        if row is None:  # the first call ever under this key
            _execute(
                "INSERT INTO channels_budget (key, tokens, filled_at) VALUES (%(key)s, %(burst)s, clock_timestamp())"
                " ON CONFLICT DO NOTHING",
                params,
            )
            row = _execute(_TAKE, params)
        return (int(row[0]), float(row[1])) if row else (0, 1.0)


class _Own:
    """This process's own connection for budgets, remade after a fork and after PostgreSQL was away."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: psycopg.Connection[Any] | None = None
        self.made_for: tuple[int, str] | None = None

    def get(self) -> psycopg.Connection[Any]:
        parameters = connections["default"].get_connection_params()
        wanted = (os.getpid(), str(parameters.get("dbname")))
        if self.connection is None or self.connection.closed or self.made_for != wanted:
            for ours in ("pool", "cursor_factory", "context", "prepare_threshold"):
                parameters.pop(ours, None)
            self.connection = psycopg.connect(**parameters, autocommit=True)
            self.made_for = wanted
        return self.connection


_own = _Own()


def _execute(query: str, params: dict[str, Any] | list[Any]) -> tuple[Any, ...] | None:
    with _own.lock:
        for attempt in (1, 2):
            connection = _own.get()
            try:
                cursor = connection.execute(cast("Any", query), params, prepare=True)
                return cursor.fetchone() if cursor.description else None
            except psycopg.OperationalError as error:
                connection.close()
                if attempt == 2:
                    raise TryLater("the database was away", wait=1) from error
    return None


def close() -> None:
    """Let go of this process's connection for budgets."""
    with _own.lock:
        if _own.connection is not None:
            _own.connection.close()
            _own.connection = None

"""Children that carry out runs and are struck down in the middle, and how a test goes on after them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo

from comptoir.kit import sql

KILLED = -signal.SIGKILL
STRIKES = [("commit", "before"), ("commit", "after"), ("call", "before"), ("call", "after")]

Armed = tuple[str, str, int]  # commit or call, before or after, which one


def database_url() -> str:
    """The address of this test's own database, for another process."""
    settings = connection.settings_dict
    parts = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    return make_conninfo(**{key: str(item) for key, item in parts.items() if item})


class Children:
    """Forks of one prepared process; none survives the test session."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("proof_process.py"))],
            env={**os.environ, "COMPTOIR_DATABASE_URL": database_url()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._street = ""
        self._answer()

    def reach(self, street: str) -> None:
        """Let every door of those who come lead to the street of shops at this address, by host."""
        self._street = street

    def start(self, run: int, at: datetime, armed: Armed | None = None, blow: signal.Signals = signal.SIGKILL) -> int:
        """Let a child carry out this run, and be struck where `armed` says; its process id."""
        return int(
            self._ask(do="start", run=run, at=at.isoformat(), armed=armed, blow=int(blow), street=self._street)["pid"]
        )

    def wait(self, pid: int) -> int | None:
        """How it ended, or None where it was stopped."""
        return self._ask(do="wait", pid=pid).get("exit")

    def end(self) -> None:
        """Let go of them all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, **order: Any) -> dict[str, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def children() -> Iterator[Children]:
    """Children for as long as the block lasts."""
    them = Children()
    try:
        yield them
    finally:
        them.end()


def lease_runs_out(run: int) -> None:
    """Nobody has heard of this run for long; waiting for it would only make a test slow."""
    sql.execute("UPDATE engine_run SET heartbeat_at = clock_timestamp() - interval '10 s' WHERE id = %s", [run])

"""What a process started by a kill test does. Imported once by the fork server; each child is forked from it, before
any connection exists, so that starting a worker costs milliseconds and not an import of everything.

The kill switch is here and not in the product: the child wraps psycopg's commit and the toy's call.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import django
from django.apps import apps

if not apps.ready:  # in the fork server, which inherits the address of the test's database
    os.environ["COMPTOIR_DATABASE_URL"] = (
        os.environ.get("COMPTOIR_TEST_CHILD_URL") or os.environ["COMPTOIR_DATABASE_URL"]
    )
    django.setup()

import psycopg
import toy_world as world

from comptoir.engine import runs, worker
from comptoir.kit import log

KILLED = -signal.SIGKILL


def _strike(number: int, when: str, blow: signal.Signals, function: Callable[..., Any]) -> Callable[..., Any]:
    seen = 0
    mine = threading.get_ident()

    def struck(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        if threading.get_ident() != mine and not threading.current_thread().name.startswith("run"):
            return function(*args, **kwargs)
        seen += 1
        turn = seen == number
        if turn and when == "before":
            os.kill(os.getpid(), blow)
        result = function(*args, **kwargs)
        if turn and when == "after":
            os.kill(os.getpid(), blow)
        return result

    return struck


def arm(what: str, number: int, when: str, blow: signal.Signals) -> None:
    """Let this process be struck before or after its `number`-th commit, or call out, of a run."""
    if what == "commit":
        psycopg.Connection.commit = _strike(number, when, blow, psycopg.Connection.commit)  # type: ignore[method-assign]
    else:
        world.call = _strike(number, when, blow, world.call)


def execute(port: int, run: int, armed: tuple[Any, ...] | None) -> None:
    """Carry out one run, as a worker's job does."""
    os.environ[world.PORT] = str(port)
    worker.PAUSED = 1  # seconds: a stopped child keeps its rows no longer than a test can wait
    worker.end_paused_transactions()
    if armed is not None:
        arm(*armed)
    runs.execute(run, f"child:{os.getpid()}")


def work(port: int, concurrency: int, armed: tuple[Any, ...] | None, errors: str) -> None:
    """A whole worker."""
    os.environ[world.PORT] = str(port)
    sys.stderr = open(errors, "a", buffering=1)  # noqa: SIM115
    log.set_up("INFO")
    if armed is not None:
        arm(*armed)
    sys.exit(worker.run(concurrency))


def work_until_told(concurrency: int) -> None:
    """A whole worker in a process of its own, whose environment says where the database and the shop are."""
    log.set_up("INFO")
    sys.exit(worker.run(concurrency))

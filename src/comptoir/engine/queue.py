"""Wake-ups: the only place that defers a job, and only after the fact it speaks of is committed.

A job says "look at run 12", nothing more. It may be lost (the tick finds the run), doubled (the second finds nothing to
claim) or late. Jobs go through a JobManager on Django's own connection: inside a worker procrastinate's Django app
would use a second one, and a job deferred in a transaction that rolls back would run all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from django.db import transaction

if TYPE_CHECKING:
    from procrastinate.manager import JobManager

TASK = "comptoir.run"

_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def without_wakeups() -> Iterator[None]:
    """Write no jobs while the block runs: whoever is inside looks for queued runs by itself."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def wake(runs: Sequence[tuple[int, str]]) -> None:
    """Send workers to these queued runs, given as (id, lane), once the surrounding transaction is committed."""
    if runs and not _silent.get():
        # Robust: what the caller did is committed and must not look failed; the tick finds what was not deferred.
        transaction.on_commit(lambda: _defer(runs), robust=True)


def wake_within(runs: Sequence[tuple[int, str]]) -> None:
    """The same, with the surrounding transaction, which must be the engine's own and short: one commit less on the way
    from a fact to its run."""
    if runs and not _silent.get():
        _defer(runs)


def _defer(runs: Sequence[tuple[int, str]]) -> None:
    from procrastinate.jobs import Job

    _manager().batch_defer_jobs(
        [
            Job(queue=lane, lock=None, queueing_lock=None, task_name=TASK, task_kwargs={"run_id": run})
            for run, lane in runs
        ]
    )


@cache
def _manager() -> JobManager:
    # Imported when first used: pages that only read never need the job engine.
    from procrastinate.contrib.django.django_connector import DjangoConnector
    from procrastinate.manager import JobManager

    return JobManager(DjangoConnector())

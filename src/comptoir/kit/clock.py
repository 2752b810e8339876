"""Business time. The edge (request, run step, command) asks `now()` once and passes it down as `at`.

A real year is played in minutes by putting a `ManualClock` in place; technical stamps use SQL `now()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that tells an aware UTC time."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to move; for played history and tests."""

    def __init__(self, at: datetime) -> None:
        self.set(at)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Move to `at` (aware, any zone)."""
        if at.tzinfo is None:
            raise ValueError(f"a clock wants an aware time, got {at!r}")
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move forward by `by`."""
        self._at += by


_clock: Clock = SystemClock()


def now() -> datetime:
    """Business time, aware, UTC."""
    return _clock.now()


@contextmanager
def using(clock: Clock) -> Iterator[None]:
    """Tell time by `clock` in this process while the block runs (not per thread: a played year has one time)."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before

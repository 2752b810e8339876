"""The clock of a simulated service: real time until a test or a replay sets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time by default; once set it stands still until it is set, advanced or released."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at: datetime | None = None
        if at is not None:
            self.set(at)

    def now(self) -> datetime:
        """The service's idea of now, aware, in UTC."""
        return self._at if self._at is not None else datetime.now(UTC)

    def set(self, at: datetime) -> None:
        """Stop the clock at an aware moment."""
        if at.tzinfo is None:
            raise ValueError("the simulator's clock takes an aware datetime")
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move on; a running clock is stopped at the new moment."""
        self._at = self.now() + by
        return self._at

    def release(self) -> None:
        """Back to real time."""
        self._at = None

"""When a destination may be told something. Pure: a destination and an instant go in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from comptoir.alerts.models import Destination

#: Findings that cost money by the minute: a channel that no longer lets us in, units sold that are not there.
URGENT = ("not_let_in", "promise_taken_back", "units_out_of_nowhere")
#: A message that could not be delivered. A destination is never told of its own.
NOT_DELIVERED = "alert_not_delivered"
LONGEST_WAIT = timedelta(hours=1)


class _Tried(Protocol):
    tries: int


def is_quiet(destination: Destination, at: datetime) -> bool:
    """Whether the instant lies within the quiet hours, by the clock on the destination's wall."""
    begin, end = destination.quiet_from, destination.quiet_until
    if begin is None or end is None or begin == end:
        return False
    now = at.astimezone(ZoneInfo(destination.timezone)).time()
    return begin <= now < end if begin < end else now >= begin or now < end


def may_speak(destination: Destination, at: datetime) -> bool:
    """Whether the time since the last message is over: the first thing is told at once, the next ones together."""
    return destination.last_at is None or at >= destination.last_at + timedelta(minutes=destination.window)


def try_again_at(digest: _Tried, at: datetime) -> datetime:
    """When a message that was not taken is tried again: 1, 2, 4 … minutes later, at most an hour."""
    return at + min(timedelta(minutes=2 ** min(digest.tries, 10)), LONGEST_WAIT)


def subject(destination: int) -> str:
    """What findings call a destination."""
    return f"alerts:{destination}"

"""The fates of a call to a channel, sorted by what to do next, not by where it happened."""

from __future__ import annotations

from typing import Any

from comptoir.kit.errors import ComptoirError


class ChannelError(ComptoirError):
    """What became of a call. Facts: `method`, `url` (without secrets), `status`, `text` (the first of the answer)."""


class TryLater(ChannelError):
    """Network, 429, 5xx: nothing is wrong with what we asked. `wait` is the seconds they ask for, if they do."""

    def __init__(self, message: str = "", *, wait: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.wait = wait


class Unknown(TryLater):
    """A write was sent (or may have been) and its answer is lost: the channel must be asked before it is repeated."""


class Refused(ChannelError):
    """They said no to this one item: a finding, then the next item."""


class Missing(Refused):
    """They do not have this item (404, or gone from a list)."""


class NotLetIn(ChannelError):
    """The key is wrong, revoked or lacks a right: the channel pauses until a person acts. Fact: `right`, if they named it."""


class NotUnderstood(ChannelError):
    """An answer of a shape we do not know; it is kept for whoever repairs the connector. Fact: `answer` (its beginning)."""


class WritesRefused(ChannelError):
    """Our own door said no: the channel is in test mode, paused or archived, and this call would write."""

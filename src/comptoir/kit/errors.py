"""The root of every error of ours, and the two that any part may raise.

    ComptoirError
    ├── BadInput            something a person or a file gave is wrong: names place, value and cure
    ├── Conflict            the world has moved: what was asked no longer fits (a move not allowed, a lost lease)
    │   └── InTheWay        somebody changed the same at this moment: the same request may go through now
    ├── ConfigError         a setting stops the start
    ├── channels.errors.ChannelError   what became of a call to a channel
    │   ├── TryLater        network, 429, 5xx: the engine retries
    │   │   └── Unknown     sent, but the answer was lost: ask before repeating
    │   ├── Refused         they said no to this one item
    │   ├── NotLetIn        key revoked or right missing
    │   ├── NotUnderstood   a shape we do not know
    │   └── WritesRefused   this channel is in test mode or paused: our own door said no
    └── one small tree per part, in its errors.py

An error carries its facts as attributes, so that page, API and log each word it for their reader.
"""

from __future__ import annotations

from typing import Any


class ComptoirError(Exception):
    """Every error that we raise on purpose. `facts` are plain values, safe to store and to show."""

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message or self.__class__.__name__)
        self.facts = facts

    @property
    def code(self) -> str:
        """A stable name for findings, API answers and docs: `OutOfStock` becomes `out_of_stock`."""
        name = self.__class__.__name__
        return "".join(("_" if i and c.isupper() else "") + c.lower() for i, c in enumerate(name))


class BadInput(ComptoirError):
    """Something given from outside is wrong. Facts: `place` (row, column, field), `value`, `cure`."""


class Conflict(ComptoirError):
    """What was asked does not fit the present state; nothing was changed."""


class InTheWay(Conflict):
    """Another transaction changed the same thing at this moment, however often it was tried; nothing was changed."""


class ConfigError(ComptoirError):
    """A setting is missing or wrong; the message says which, what it holds and what it may hold."""

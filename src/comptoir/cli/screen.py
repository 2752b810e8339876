"""What commands say: answers on standard output, everything on the way there on standard error."""

from __future__ import annotations

import sys


def out(line: str = "") -> None:
    """An answer."""
    print(line, flush=True)  # noqa: T201


def say(line: str) -> None:
    """Progress, or a word to whoever started us."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201

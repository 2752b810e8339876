"""How often Python looks for garbage that holds itself, in processes that live long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Python's own are made for small programs: looking through all that a server has loaded takes some 140 ms, and of three pages
#: of lists a fifth to a quarter went to looking for garbage (others changed little; docs/benchmarks.md).
THRESHOLDS = (20_000, 20, 100)


def settle() -> None:
    """What is there by now stays to the end and is never looked through again; the rest is, less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def settled() -> Iterator[None]:
    """The same for the length of a block."""
    usual = gc.get_threshold()
    settle()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()

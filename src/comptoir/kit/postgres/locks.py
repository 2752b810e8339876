"""Locks on files by `flock`: the kernel frees them however a process ends, and they hold across containers of one host."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def opened(path: Path) -> int:
    """An open lock file (made if absent, never through a symbolic link), closed in programs that we start."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Wait for the lock, and for one on the file that has the name now: the folder may have been removed meanwhile."""
    while True:
        lock = opened(path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_still(path, lock):
                continue
            yield lock
            return
        finally:
            os.close(lock)


def taken(lock: int, kind: int) -> bool:
    """Take a lock of this kind (`fcntl.LOCK_SH` or `LOCK_EX`) if that needs no waiting."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, lock: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(lock))
    except FileNotFoundError:
        return False

"""A file that is there whole or not at all: written beside its place, put on the disk, and then named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from comptoir.kit import ids
from comptoir.kit.errors import ComptoirError


class CannotWrite(ComptoirError):
    """The file could not be written: no room, no right, a broken disk. Nothing of it is left."""


@contextmanager
def whole(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Write a file under a temporary name; it takes its place, for good, when the block ends well. Raises OSError as it
    comes."""
    draft = path.with_name(f".{path.name}.{ids.token(6)}.part")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

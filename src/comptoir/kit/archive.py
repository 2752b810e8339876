"""Several things in one file, whole or not at all: a ZIP whose last member is a manifest with the length and SHA-256 of
every other. It is written under a temporary name, and nothing is taken out before all of it was read and compared.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comptoir.kit import files
from comptoir.kit.errors import BadInput

MANIFEST = "manifest.json"
CHUNK = 1 << 20
LARGEST_MANIFEST = 256 << 20


class Damaged(BadInput):
    """The file is not what was written: cut off, changed, or not one of ours."""


# What `zipfile` makes of bytes that were changed, by where they stand.
_BROKEN = (
    Damaged, zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError,
    ValueError, OverflowError,
)  # fmt: skip


class Writer:
    """What goes into the file; each member's length and sum are kept for the manifest."""

    def __init__(self, zipped: zipfile.ZipFile) -> None:
        self._zip = zipped
        self.members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a member as it comes."""
        # Stored: a dump and pictures are compressed already.
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr = 0o600 << 16
        sha256, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as member:
            for piece in pieces:
                member.write(piece)
                sha256.update(piece)
                size += len(piece)
        self.members[name] = {"size": size, "sha256": sha256.hexdigest()}

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest: only now the file can be read."""
        whole = {**manifest, "members": self.members}
        self._zip.writestr(
            zipfile.ZipInfo(MANIFEST, (1980, 1, 1, 0, 0, 0)), json.dumps(whole, indent=1, sort_keys=True)
        )


@contextmanager
def written(path: Path, *, replace: bool = False) -> Iterator[Writer]:
    """Write the file at `path`, readable by its owner only; it has its name only when it is whole and on the disk."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder", place="FILE", value=str(path), cure="name a file in it")
    if path.exists() and not replace:
        raise BadInput(f"{path} is there already", place="FILE", value=str(path), cure="another name, or --force")
    try:
        with files.whole(path, 0o600) as file:
            zipped = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
            try:
                yield Writer(zipped)
            except BaseException:
                zipped.fp = None  # else its end would write on into a file that is to be deleted
                raise
            zipped.close()
    except OSError as error:
        raise files.CannotWrite(
            f"{path} could not be written: {error.strerror or error}; nothing of it was kept", file=str(path)
        ) from error


class Reader:
    """A file that was read to its end and is what was written."""

    def __init__(self, zipped: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
        self._zip = zipped
        self.manifest = manifest

    @property
    def names(self) -> list[str]:
        """The members but the manifest."""
        return list(self.manifest["members"])

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member, piece by piece."""
        with self._zip.open(name) as member:
            while piece := member.read(CHUNK):
                yield piece

    def read(self, name: str) -> bytes:
        """A small member at once."""
        return b"".join(self.pieces(name))


@contextmanager
def read(path: Path) -> Iterator[Reader]:
    """Open a file of `written` after reading all of it; raises Damaged where anything differs from what was written."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", place="FILE", value=str(path)) from error
    with file:
        try:
            zipped = zipfile.ZipFile(file)
            reader = Reader(zipped, _manifest(zipped))
            _compare(zipped, reader)
        except _BROKEN as error:
            raise Damaged(
                f"{path} is damaged or no backup of Comptoir: {error}",
                place="FILE",
                value=str(path),
                cure="take another backup file; nothing was changed",
            ) from error
        yield reader


def _manifest(zipped: zipfile.ZipFile) -> dict[str, Any]:
    try:
        info = zipped.getinfo(MANIFEST)
    except KeyError as error:
        raise Damaged("it has no manifest") from error
    if info.file_size > LARGEST_MANIFEST:
        raise Damaged("its manifest is too large")
    try:
        manifest = json.load(io.TextIOWrapper(zipped.open(info), "utf-8"))
    except ValueError as error:
        raise Damaged("its manifest cannot be read") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("members"), dict):
        raise Damaged("its manifest names no members")
    return manifest


def _compare(zipped: zipfile.ZipFile, reader: Reader) -> None:
    found = sorted(info.filename for info in zipped.infolist())
    if found != sorted([MANIFEST, *reader.names]):
        raise Damaged("it holds other members than its manifest names")
    for name, said in reader.manifest["members"].items():
        sha256, size = hashlib.sha256(), 0
        for piece in reader.pieces(name):
            sha256.update(piece)
            size += len(piece)
        if [size, sha256.hexdigest()] != [said.get("size"), said.get("sha256")]:
            raise Damaged(f"{name} is not what was written")

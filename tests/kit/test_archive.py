"""A file of several things is whole or refused, and half a file never has a name."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from comptoir.kit import archive
from comptoir.kit.errors import BadInput

BIG = bytes(range(256)) * 40


def make(path: Path) -> bytes:
    with archive.written(path) as file:
        file.add("one", [BIG, BIG])
        file.add("two/three", [b"small"])
        file.add("empty", [])
        file.finish({"format": 1})
    return path.read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    make(tmp_path / "a.backup")
    with archive.read(tmp_path / "a.backup") as file:
        assert file.manifest["format"] == 1
        assert {name: file.read(name) for name in file.names} == {"one": BIG * 2, "two/three": b"small", "empty": b""}
    assert (tmp_path / "a.backup").stat().st_mode & 0o777 == 0o600


def test_any_cut_is_refused(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.backup")
    for length in [0, 1, 30, len(whole) // 2, *range(len(whole) - 60, len(whole))]:
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(archive.Damaged), archive.read(tmp_path / "cut"):
            pass


def test_no_flipped_byte_changes_what_is_read(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.backup")
    places = [*range(80), *range(80, len(whole) - 1200, 499), *range(len(whole) - 1200, len(whole))]
    refused = 0
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 0x41
        (tmp_path / "flipped").write_bytes(flipped)
        try:
            with archive.read(tmp_path / "flipped") as file:
                # Only what nobody reads (a date, a right) may differ.
                assert {name: file.read(name) for name in file.names} == {
                    "one": BIG * 2,
                    "two/three": b"small",
                    "empty": b"",
                }
                assert file.manifest["format"] == 1
        except archive.Damaged:
            refused += 1
    assert refused > len(places) / 2


def test_members_that_the_manifest_does_not_name_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "a.backup")
    with zipfile.ZipFile(tmp_path / "a.backup", "a") as zipped:
        zipped.writestr("media/../../x", b"?")
    with pytest.raises(archive.Damaged, match="other members"), archive.read(tmp_path / "a.backup"):
        pass


def test_a_zip_of_somebody_else_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", json.dumps({"members": 3})):
        with zipfile.ZipFile(tmp_path / "z", "w") as zipped:
            zipped.writestr(archive.MANIFEST, content)
        with pytest.raises(archive.Damaged), archive.read(tmp_path / "z"):
            pass


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_bytes(b"precious")
    with pytest.raises(BadInput, match="there already"):
        make(tmp_path / "a.backup")
    assert (tmp_path / "a.backup").read_bytes() == b"precious"

    def broken() -> Iterator[bytes]:
        yield BIG
        raise RuntimeError

    with pytest.raises(RuntimeError), archive.written(tmp_path / "a.backup", replace=True) as file:
        file.add("one", broken())
    assert [path.name for path in tmp_path.iterdir()] == ["a.backup"]
    assert (tmp_path / "a.backup").read_bytes() == b"precious"


FULL = """
import pathlib, resource, sys
from comptoir.kit import archive, files
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with archive.written(pathlib.Path(sys.argv[1])) as file:
        file.add("one", [b"x" * 1000] * 100)
        file.finish({})
except files.CannotWrite:
    sys.exit(7)
"""


@pytest.mark.parametrize("room", [0, 1, 100, 50_000, 100_100])
def test_a_full_disk_leaves_nothing(tmp_path: Path, room: int) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "a"), str(room)], check=False, timeout=60)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []

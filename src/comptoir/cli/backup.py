"""The whole hub into one file, and back. A backup is taken while the hub sells; a restore goes into a database beside the
one that is used, is compared with what was written, and takes its place only when every channel in it is paused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

import comptoir
from comptoir.cli import starting
from comptoir.cli.screen import out, say
from comptoir.kit import archive, clock, dumps, files
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput, ConfigError, Conflict
from comptoir.kit.secrets import Box
from comptoir.kit.settings import secret_keys, settings

FORMAT = 1
DUMP, KEY = "database.dump", "secret-key.json"
URL = "COMPTOIR_DATABASE_URL"
_PICTURE = re.compile(r"media/[0-9a-f]{2}/[0-9a-f]{62}")

#: Rows of these are of the moment: who is signed in, tries counted, jobs of workers.
OF_THE_MOMENT = (
    "accounts_counted",
    "django_session",
    "procrastinate_events",
    "procrastinate_jobs",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
)
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 32}


# -- out ---------------------------------------------------------------------------------------------------------------


def backup(given: argparse.Namespace) -> int:
    """`comptoir backup FILE`."""
    path = given.file.absolute()
    passphrase = _passphrase(given.key_passphrase_file)
    with starting.ready():
        facts = write(path, replace=given.force, with_key=given.with_key, passphrase=passphrase)
        _note(path, facts)
    if given.json:
        out(json.dumps(facts))
        return 0
    rows = sum(table["rows"] for table in facts["tables"].values())
    say(
        f"{path}: {facts['bytes']:,} bytes, {rows:,} rows in {len(facts['tables'])} tables, {facts['pictures']:,} pictures."
    )
    if facts["missing_pictures"]:
        say(f"{facts['missing_pictures']:,} pictures are not in the data folder and so not in the backup.")
    say(
        {
            "none": "The secret key is NOT in it: without the key no credential of a channel can be read after a restore."
            f" Keep {settings().data_folder / 'secret-key'} elsewhere, or use --key-passphrase-file.",
            "plain": "The secret key is in it, readable: whoever has this file can read every credential. Guard it.",
            "locked": "The secret key is in it, encrypted: keep the passphrase elsewhere.",
        }[facts["key"]]
    )
    return 0


def write(path: Path, *, replace: bool = False, with_key: bool = False, passphrase: str = "") -> dict[str, Any]:
    """Write a backup of the hub as it is at this instant; its manifest, with the length of the file."""
    url = settings().database_url
    with archive.written(path, replace=replace) as file, dumps.snapshot(url) as taken:
        at = datetime.now(UTC)
        migrations = taken.connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
        pictures = [str(row[0]) for row in taken.connection.execute("SELECT sha256 FROM catalog_image ORDER BY id")]
        version = dumps.server_version(taken.connection)
        with dumps.dumped(url, taken, without_rows_of=OF_THE_MOMENT) as pieces:
            file.add(DUMP, pieces)
        tables = dumps.digests(taken.connection, but=OF_THE_MOMENT)
        missing = [sha256 for sha256 in pictures if not _add_picture(file, sha256)]
        if with_key or passphrase:
            file.add(KEY, [_locked(passphrase)])
        manifest = {
            "format": FORMAT,
            "comptoir": comptoir.__version__,
            "taken_at": at.isoformat(timespec="seconds"),
            "postgresql": version,
            "database": dumps.name_of(url),
            "migrations": [list(row) for row in migrations],
            "tables": tables,
            "pictures": len(pictures) - len(missing),
            "missing_pictures": len(missing),
            "key": "locked" if passphrase else "plain" if with_key else "none",
        }
        file.finish(manifest)
    return {**manifest, "bytes": path.stat().st_size}


def _picture(sha256: str) -> Path:
    return settings().data_folder / "media" / sha256[:2] / sha256[2:]


def _add_picture(file: archive.Writer, sha256: str) -> bool:
    try:
        picture = _picture(sha256).open("rb")
    except FileNotFoundError:
        return False
    with picture:
        file.add(f"media/{sha256[:2]}/{sha256[2:]}", iter(lambda: picture.read(archive.CHUNK), b""))
    return True


def _note(path: Path, facts: dict[str, Any]) -> None:
    """`comptoir doctor` and the metrics tell how old the last backup is by this."""
    from django.db import transaction

    from comptoir.events import record

    with transaction.atomic():
        record.record(
            "engine.backup.made",
            {"file": path.name, "bytes": facts["bytes"]},
            actor=SYSTEM,
            at=clock.now(),
            subject="hub",
        )


def _passphrase(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}", place="--key-passphrase-file", value=str(path)
        ) from error
    if len(text) < 12:
        raise BadInput("the passphrase is too short", place="--key-passphrase-file", cure="12 characters or more")
    return text


def _locked(passphrase: str) -> bytes:
    """The keys that open credentials; under a passphrase where there is one."""
    content = {"keys": secret_keys(settings())}
    if not passphrase:
        return json.dumps(content).encode()
    salt = os.urandom(16)
    return json.dumps({"salt": salt.hex(), "sealed": _box(passphrase, salt).close(content).decode()}).encode()


def _unlocked(content: bytes, passphrase: str) -> list[str]:
    said = json.loads(content)
    if "keys" in said:
        return [str(key) for key in said["keys"]]
    if not passphrase:
        raise BadInput(
            "the secret key in this backup is encrypted", place="--key-passphrase-file", cure="give its passphrase"
        )
    try:
        opened = _box(passphrase, bytes.fromhex(said["salt"])).open(said["sealed"].encode())
    except ConfigError as error:
        raise BadInput("this is not the passphrase of the key in this backup", place="--key-passphrase-file") from error
    return [str(key) for key in opened["keys"]]


def _box(passphrase: str, salt: bytes) -> Box:
    return Box([hashlib.scrypt(passphrase.encode(), salt=salt, **_SCRYPT).hex()])


# -- in ----------------------------------------------------------------------------------------------------------------


def restore(given: argparse.Namespace) -> int:
    """`comptoir restore FILE`."""
    path = given.file.absolute()
    passphrase = _passphrase(given.key_passphrase_file)
    with archive.read(path) as file:
        manifest = file.manifest
        _fits(manifest)
        keys = _unlocked(file.read(KEY), passphrase) if KEY in file.names else []
        if given.check:
            done = {"checked": str(path), "taken_at": manifest["taken_at"], "comptoir": manifest["comptoir"]}
        else:
            with starting.database():
                done = _bring_back(file, keys, replace=given.replace, drop_replaced=given.drop_replaced)
    if given.json:
        out(json.dumps(done))
    else:
        _explain(done)
    return 0


def drop_replaced(given: argparse.Namespace) -> int:
    """`comptoir drop-replaced NAME`."""
    with starting.database():
        url = str(settings().database_url)
        there = dumps.replaced(url)
        if given.name not in there:
            raise BadInput(
                "no restore put a database of this name aside",
                place="NAME",
                value=given.name,
                cure=", ".join(there) or "none",
            )
        dumps.drop(url, given.name)
    out(f"{given.name} is gone.")
    return 0


def _explain(done: dict[str, Any]) -> None:
    if "checked" in done:
        say(f"The backup of {done['taken_at']}, by version {done['comptoir']}, is whole and fits this version.")
        return
    say(f"The hub is as it was at {done['taken_at']}. Nothing is written to any channel until a person resumes it.")
    if done["kept"]:
        say(f"The database that was there before is kept as {done['kept']} (comptoir drop-replaced {done['kept']}).")
    if done["unreadable"]:
        say(
            f"The credentials of {', '.join(done['unreadable'])} cannot be read with the keys of this hub:"
            " put the old key second in COMPTOIR_SECRET_KEY, or type the credentials again."
        )
    say(
        "Start it with `comptoir serve`, let it read the sales since then, look at each channel's preview, then resume it."
    )


def _fits(manifest: dict[str, Any]) -> None:
    """Refuse what a later version wrote: this one does not know what its columns mean."""
    known = _own_migrations()
    labels = {label for label, _ in known}
    unknown = [
        f"{app}.{name}" for app, name in manifest.get("migrations", ()) if app in labels and (app, name) not in known
    ]
    if manifest.get("format") != FORMAT or unknown:
        raise BadInput(
            f"this backup was made by version {manifest.get('comptoir')}, which is newer than this one, {comptoir.__version__}",
            place="FILE",
            value=unknown[0] if unknown else f"format {manifest.get('format')}",
            cure="install that version, restore, nothing was changed",
        )


def _own_migrations() -> set[tuple[str, str]]:
    """(app, name) of every migration of ours, from their files: Django is not set up before the key is in place."""
    found = Path(comptoir.__file__).parent.rglob("migrations/[0-9]*.py")
    return {(path.parent.parent.name, path.stem) for path in found}


def _bring_back(file: archive.Reader, keys: list[str], *, replace: str, drop_replaced: bool) -> dict[str, Any]:
    url = str(settings().database_url)
    name, was_empty = dumps.name_of(url), dumps.is_empty(url)
    if not was_empty and replace != name:
        raise Conflict(
            f"the database {name} is not empty, and a restore does not mix with what is there: "
            f"to put the backup in its place, type its name: --replace {name}",
            database=name,
        )
    if others := dumps.users(url):
        raise Conflict(f"somebody uses the database {name}: stop every process of the hub first", connections=others)
    with psycopg.connect(url) as connection:
        ours, theirs = dumps.server_version(connection), int(file.manifest["postgresql"])
    if ours < theirs:
        raise ConfigError(f"the backup is of PostgreSQL {theirs}, this server is {ours}: use {theirs} or later")
    _put_pictures(file)
    _put_keys(keys)
    new, aside = dumps.beside(name, "restoring"), dumps.beside(name, dumps.REPLACED)
    with dumps.scratch(url, new) as target:
        dumps.load(target, file.pieces(DUMP))
        _compare(target, file.manifest, same_server=ours == theirs)
        with _django_on(target):
            unreadable = _prepare(file.manifest)
        dumps.swap(url, new, aside)
    if was_empty or drop_replaced:
        dumps.drop(url, aside)
    return {
        "taken_at": file.manifest["taken_at"],
        "comptoir": file.manifest["comptoir"],
        "kept": "" if was_empty or drop_replaced else aside,
        "unreadable": unreadable,
    }


def _put_pictures(file: archive.Reader) -> None:
    """Pictures are named by their content, so that putting them there changes nothing that is there."""
    for name in file.names:
        if name in (DUMP, KEY):
            continue
        if not _PICTURE.fullmatch(name) or file.manifest["members"][name]["sha256"] != name[6:].replace("/", ""):
            raise archive.Damaged(f"{name} is no member of a backup", place="FILE", value=name)
        path = settings().data_folder / name
        if path.exists():
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.whole(path) as target:
                for piece in file.pieces(name):
                    target.write(piece)
        except OSError as error:
            raise files.CannotWrite(
                f"{path} could not be written: {error.strerror}; the database was not touched", file=str(path)
            ) from error


def _put_keys(keys: list[str]) -> None:
    """The keys of the backup open what is in it; one that this hub has already stays first."""
    if not keys:
        return
    ours = settings()
    path = ours.data_folder / "secret-key"
    if ours.secret_key:
        if not set(keys) <= set(secret_keys(ours)):
            say("COMPTOIR_SECRET_KEY is set and lacks the key of the backup: put that key second in it.")
        return
    there = path.read_text().split() if path.exists() else []
    whole = list(dict.fromkeys([*there, *keys]))
    if whole == there:
        return
    ours.data_folder.mkdir(parents=True, exist_ok=True)
    try:
        with files.whole(path, 0o600) as target:
            target.write(" ".join(whole).encode())
    except OSError as error:
        raise files.CannotWrite(f"{path} could not be written: {error.strerror}", file=str(path)) from error


def _compare(url: str, manifest: dict[str, Any], *, same_server: bool) -> None:
    """Every table holds what the snapshot held. Sums are comparable only between servers of one major version."""
    found = dumps.contents(url, but=OF_THE_MOMENT)
    parts = ("rows", "digest") if same_server else ("rows",)
    for table in sorted({*found, *manifest["tables"]}.difference(OF_THE_MOMENT)):
        here, there = found.get(table, {}), manifest["tables"].get(table, {})
        if any(here.get(part) != there.get(part) for part in parts):
            raise archive.Damaged(
                f"the table {table} did not come back as it was; nothing was changed", place="FILE", table=table,
                rows=here.get("rows"), expected=there.get("rows"),
            )  # fmt: skip


@contextmanager
def _django_on(url: str) -> Iterator[None]:
    """Django, set up on another database than the settings' for the rest of this process."""
    before = os.environ.get(URL)
    os.environ[URL] = url
    settings.cache_clear()
    try:
        with starting.ready(migrated=False):
            yield
    finally:
        if before is None:
            del os.environ[URL]
        else:
            os.environ[URL] = before
        settings.cache_clear()


def _prepare(manifest: dict[str, Any]) -> list[str]:
    """Bring the schema to this version, then pause and doubt; the channels whose credentials cannot be read."""
    from django.db import transaction

    from comptoir.flows import restoring

    starting.migrate()
    with transaction.atomic():
        return restoring.after_restore(
            taken_at=datetime.fromisoformat(manifest["taken_at"]),
            facts={"comptoir": manifest["comptoir"]},
            actor=SYSTEM,
            at=clock.now(),
        )

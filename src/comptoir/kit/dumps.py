"""A whole database out and in with PostgreSQL's own `pg_dump` and `pg_restore`: from one snapshot while others write, into
a database beside the one that is used, which takes its name in one transaction when everything is right.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from comptoir.kit import ids, postgres
from comptoir.kit.errors import BadInput, ConfigError, Conflict

CHUNK = 1 << 20
REPLACED = "replaced"  # in the name of a database that a restore put aside
DEBIAN = Path("/usr/lib/postgresql")
NAME_LENGTH = 63  # bytes; what PostgreSQL keeps of a name
CONNECT_LIMIT = 10  # seconds
LEAVING = 3.0  # seconds until a process that has hung up is gone from PostgreSQL's list

#: What a connection string calls it → the variable that PostgreSQL's programs read. Arguments are seen by everyone.
_VARIABLES = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY", "passfile": "PGPASSFILE", "service": "PGSERVICE", "options": "PGOPTIONS",
}  # fmt: skip

# A row as text depends on these.
_PLAIN = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One instant of a database, held by an open transaction."""

    name: str
    connection: psycopg.Connection[tuple[object, ...]]


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """Hold the database as it is now, for as many readers as want it, while others go on writing."""
    with psycopg.connect(url, connect_timeout=CONNECT_LIMIT, autocommit=True) as connection:
        connection.execute(_PLAIN)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 - the function answers or raises
        yield Snapshot(str(row[0]), connection)


def server_version(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """The major version of a server."""
    return connection.info.server_version // 10_000


def tables(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Every table of ours, by name."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname"
    )
    return [str(row[0]) for row in found]


def digests(
    connection: psycopg.Connection[tuple[object, ...]], *, but: Collection[str] = ()
) -> dict[str, dict[str, object]]:
    """For every table the number of its rows and a sum over all they hold, whatever their order."""
    found: dict[str, dict[str, object]] = {}
    for table in tables(connection):
        if table in but:
            continue
        row = connection.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {} AS t"
            ).format(sql.Identifier("public", table))
        ).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has a row
        found[table] = {"rows": row[0], "digest": row[1]}
    return found


def contents(url: str, *, but: Collection[str] = ()) -> dict[str, dict[str, object]]:
    """`digests` of a database as it is now."""
    with snapshot(url) as taken:
        return digests(taken.connection, but=but)


@contextmanager
def dumped(url: str, taken: Snapshot, *, without_rows_of: Iterable[str] = ()) -> Iterator[Iterator[bytes]]:
    """`pg_dump` of a snapshot in its custom format, piece by piece; raises where it does not come to its end."""
    command = [
        str(program("pg_dump", server_version(taken.connection), is_ours=is_embedded(url))),
        "--format=custom", "--compress=3", "--no-owner", "--no-privileges", "--no-password", f"--snapshot={taken.name}",
        *(f"--exclude-table-data=public.{table}" for table in without_rows_of),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as complaints:
        running = subprocess.Popen(  # noqa: S603 - PostgreSQL's program
            command, stdout=subprocess.PIPE, stderr=complaints, stdin=subprocess.DEVNULL, env=_environment(url)
        )
        assert running.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield iter(lambda: running.stdout.read(CHUNK), b"")  # type: ignore[union-attr]
            _ended_well("pg_dump", running.wait(), complaints.fileno())
        finally:
            running.stdout.close()
            if running.poll() is None:
                running.kill()
            running.wait()


def load(url: str, pieces: Iterable[bytes]) -> None:
    """`pg_restore` into an empty database, in one transaction."""
    with psycopg.connect(url, connect_timeout=CONNECT_LIMIT) as connection:
        command = [
            str(program("pg_restore", server_version(connection), is_ours=is_embedded(url), exactly=True)),
            "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password",
            f"--dbname={conninfo_to_dict(url).get('dbname', '')}",
        ]  # fmt: skip
    with tempfile.TemporaryFile() as complaints:
        running = subprocess.Popen(  # noqa: S603 - PostgreSQL's program
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints, env=_environment(url)
        )
        assert running.stdin is not None  # noqa: S101 - it is a pipe
        try:
            with suppress(BrokenPipeError):  # it ended early and says why
                for piece in pieces:
                    running.stdin.write(piece)
            with suppress(BrokenPipeError):
                running.stdin.close()
            _ended_well("pg_restore", running.wait(), complaints.fileno())
        finally:
            if running.poll() is None:
                running.kill()
            running.wait()


def program(name: str, version: int, *, is_ours: bool, exactly: bool = False) -> Path:
    """One of PostgreSQL's programs that fits a server: of its own major version where there is one, else newer.

    For a server of somebody else's the system's programs come first, since those of the wheel know no TLS. To a server
    older than 17 only its own `pg_restore` can write (`exactly`).
    """
    candidates = [folder / "bin" / name for folder in sorted(DEBIAN.glob("[0-9]*"), reverse=True)]
    if there := shutil.which(name):
        candidates.append(Path(there))
    if (wheel := _wheel()) is not None:
        candidates = [wheel / name, *candidates] if is_ours else [*candidates, wheel / name]
    known = [(major, one) for one in candidates if one.is_file() and (major := _major(one)) is not None]
    for major, one in known:
        if major == version:
            return one
    if not (exactly and version < 17):
        for major, one in known:
            if major > version:
                return one
    raise ConfigError(
        f"no {name} here fits PostgreSQL {version}: install its client programs (Debian: postgresql-client-{version})",
        found=", ".join(f"{one} {major}" for major, one in known),
    )


def _wheel() -> Path | None:
    try:
        return postgres.find_binaries()
    except postgres.BinariesMissing:
        return None


def _major(path: Path) -> int | None:
    said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else None


def is_embedded(url: str) -> bool:
    """Whether the server is reached by a socket of this machine, as ours is: then no TLS is wanted."""
    return str(conninfo_to_dict(url).get("host", "")).startswith("/")


def _environment(url: str) -> Mapping[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    given = {_VARIABLES[key]: str(item) for key, item in conninfo_to_dict(url).items() if key in _VARIABLES}
    return {**kept, **given, "PGCONNECT_TIMEOUT": str(CONNECT_LIMIT), "LC_ALL": "C"}


def _ended_well(name: str, code: int, complaints: int) -> None:
    if code == 0:
        return
    os.lseek(complaints, 0, os.SEEK_SET)
    lines = os.read(complaints, 65_536).decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
    raise postgres.PostgresError(f"{name} did not come to its end: {lines[0][:300]}")


# -- a database beside the one that is used ----------------------------------------------------------------------------


def named(url: str, database: str) -> str:
    """The same server, another database."""
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": database})


def name_of(url: str) -> str:
    """The name of the database of an address."""
    parts = conninfo_to_dict(url)
    return str(parts.get("dbname") or parts.get("user") or "")


def beside(name: str, word: str) -> str:
    """A name for a database that belongs to this one."""
    tail = f"_{word}_{ids.token(6).lower().replace('-', 'x').replace('_', 'x')}"
    return name.encode()[: NAME_LENGTH - len(tail)].decode(errors="ignore") + tail


@contextmanager
def scratch(url: str, name: str) -> Iterator[str]:
    """An empty database of this name on the server of `url`; it is dropped unless it has another name by the end."""
    with _elsewhere(url) as connection:
        try:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(
                "the database's user may not create databases, and a restore goes into one beside the hub's own: "
                "let an administrator run ALTER ROLE … CREATEDB",
                user=connection.info.user,
            ) from error
    try:
        yield named(url, name)
    finally:
        drop(url, name)


def drop(url: str, name: str) -> None:
    """Drop a database of the server, if it is there."""
    with _elsewhere(url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def swap(url: str, new: str, aside: str) -> None:
    """The database `new` takes the name of `url`'s, which is called `aside` from then on: both or neither."""
    name = name_of(url)
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with _elsewhere(url) as connection, connection.transaction():
            connection.execute(rename.format(sql.Identifier(name), sql.Identifier(aside)))
            connection.execute(rename.format(sql.Identifier(new), sql.Identifier(name)))
    except psycopg.errors.ObjectInUse as error:
        raise Conflict(f"somebody uses the database {name}: stop every process of the hub first") from error


def replaced(url: str) -> dict[str, int]:
    """Databases that restores put aside, with their size in bytes."""
    with psycopg.connect(url, connect_timeout=CONNECT_LIMIT) as connection:
        found = connection.execute(
            "SELECT datname, pg_database_size(datname) FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname",
            [f"{name_of(url)}_{REPLACED}_"],
        ).fetchall()
    return {str(name): int(str(size)) for name, size in found}


def users(url: str) -> int:
    """How many others are connected to the database; those that are leaving are given a moment."""
    with psycopg.connect(url, connect_timeout=CONNECT_LIMIT, autocommit=True) as connection:
        until = time.monotonic() + LEAVING
        while True:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            ).fetchone()
            if row is None or row[0] == 0 or time.monotonic() > until:
                return int(row[0]) if row else 0
            time.sleep(0.05)


def is_empty(url: str) -> bool:
    """Whether nobody has made a table in the database."""
    with psycopg.connect(url, connect_timeout=CONNECT_LIMIT) as connection:
        return not tables(connection)


@contextmanager
def _elsewhere(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to another database of the same server, from where databases are made, renamed and dropped."""
    last: psycopg.OperationalError | None = None
    for name in ("postgres", "template1"):
        try:
            connection = psycopg.connect(named(url, name), connect_timeout=CONNECT_LIMIT, autocommit=True)
        except psycopg.OperationalError as error:
            last = error
            continue
        with connection:
            yield connection
        return
    raise BadInput(
        "neither the database postgres nor template1 of this server can be entered, and databases are made from there",
        place="COMPTOIR_DATABASE_URL",
        cure="let the hub's user connect to the database postgres",
    ) from last

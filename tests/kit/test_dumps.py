"""A database is dumped as of one instant while others write, and comes back row for row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from comptoir_hub import SERVER, database
from psycopg import sql

from comptoir.kit import dumps
from comptoir.kit.errors import BadInput, ConfigError, Conflict
from comptoir.kit.postgres import PostgresError

TABLES = ("goods", "moves", "sums")


@pytest.fixture
def shop() -> Iterator[str]:
    """A ledger with its sums: whoever reads it between two transactions finds that they agree."""
    with database("dumps") as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE goods (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
            connection.execute(
                "CREATE TABLE moves (id bigserial PRIMARY KEY, good bigint REFERENCES goods, quantity numeric(9, 3))"
            )
            connection.execute("CREATE TABLE sums (good bigint PRIMARY KEY REFERENCES goods, quantity numeric(9, 3))")
            connection.execute("INSERT INTO goods (name) SELECT 'good ' || n FROM generate_series(1, 50) n")
            connection.execute("INSERT INTO moves (good, quantity) SELECT id, 1 FROM goods, generate_series(1, 200)")
            connection.execute("INSERT INTO sums SELECT good, sum(quantity) FROM moves GROUP BY good")
        yield url


def content(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, list[bytes]]:
    """Every row as PostgreSQL copies it out."""
    found = {}
    for table in TABLES:
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
            found[table] = sorted(b"".join(bytes(part) for part in copy).splitlines())
    return found


class Writers:
    """Threads that book a move and its sum in one transaction, until they are told to stop."""

    def __init__(self, url: str) -> None:
        self.url, self.over, self.booked = url, threading.Event(), 0
        self.threads = [threading.Thread(target=self._write, args=[number]) for number in range(2)]

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _write(self, number: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            good = number
            while not self.over.is_set():
                good = good % 50 + 1
                with connection.transaction():
                    connection.execute("UPDATE sums SET quantity = quantity + 2 WHERE good = %s", [good])
                    connection.execute("INSERT INTO moves (good, quantity) VALUES (%s, 2)", [good])
                self.booked += 1


def test_a_dump_under_load_is_one_instant_row_for_row(shop: str, tmp_path: Path) -> None:
    with Writers(shop) as writers, dumps.snapshot(shop) as taken:
        with dumps.dumped(shop, taken) as pieces:
            (tmp_path / "dump").write_bytes(b"".join(pieces))
        then, said, booked = content(taken.connection), dumps.digests(taken.connection), writers.booked
    assert booked > 0
    with dumps.scratch(shop, dumps.beside("dumps", "copy")) as copy:
        dumps.load(copy, [(tmp_path / "dump").read_bytes()])
        assert dumps.contents(copy) == said
        with psycopg.connect(copy) as connection:
            assert content(connection) == then
            torn = connection.execute(
                "SELECT count(*) FROM sums s WHERE quantity <> (SELECT sum(quantity) FROM moves m WHERE m.good = s.good)"
            ).fetchone()
            assert torn == (0,)
    with psycopg.connect(shop) as connection:
        assert content(connection) != then, "the writers wrote on"


def test_a_sum_tells_one_changed_value(shop: str) -> None:
    before = dumps.contents(shop)
    with psycopg.connect(shop) as connection:
        connection.execute("UPDATE moves SET quantity = quantity + 0.001 WHERE id = 77")
    after = dumps.contents(shop)
    assert after["moves"]["rows"] == before["moves"]["rows"]
    assert {table for table in TABLES if after[table] != before[table]} == {"moves"}


def test_rows_of_the_moment_are_left_out(shop: str, tmp_path: Path) -> None:
    with dumps.snapshot(shop) as taken, dumps.dumped(shop, taken, without_rows_of=["moves"]) as pieces:
        dump = b"".join(pieces)
    with dumps.scratch(shop, dumps.beside("dumps", "copy")) as copy:
        dumps.load(copy, [dump])
        assert {table: found["rows"] for table, found in dumps.contents(copy).items()} == {
            "goods": 50,
            "moves": 0,
            "sums": 50,
        }


def test_half_a_dump_is_refused_and_nothing_of_it_stays(shop: str) -> None:
    with dumps.snapshot(shop) as taken, dumps.dumped(shop, taken) as pieces:
        dump = b"".join(pieces)
    for broken in (b"", b"nonsense", dump[: len(dump) // 2]):
        with dumps.scratch(shop, dumps.beside("dumps", "copy")) as copy:
            with pytest.raises(PostgresError, match="did not come to its end"):
                dumps.load(copy, [broken])
            assert dumps.is_empty(copy)


def names(name: str) -> set[str]:
    """This database, if it is there, and those that belong to it: other tests make and drop theirs meanwhile."""
    with psycopg.connect(SERVER) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE datname = %(name)s OR starts_with(datname, %(name)s || '_')",
            {"name": name},
        )
        return {str(row[0]) for row in found}


def test_a_database_takes_the_place_of_another_only_when_nobody_is_there(shop: str) -> None:
    name = dumps.name_of(shop)
    new, aside = dumps.beside(name, "new"), dumps.beside(name, "old")
    with dumps.scratch(shop, new) as made, psycopg.connect(made, autocommit=True) as connection:
        connection.execute("CREATE TABLE fresh ()")
        connection.close()
        with psycopg.connect(shop):
            assert dumps.users(shop) == 1
            with pytest.raises(Conflict, match="stop every process"):
                dumps.swap(shop, new, aside)
        assert names(name) == {name, new}, "neither was renamed"
        dumps.swap(shop, new, aside)
    assert names(name) == {name, aside}
    with psycopg.connect(shop) as connection:
        assert dumps.tables(connection) == ["fresh"]
    dumps.drop(shop, aside)
    assert names(name) == {name}


def test_who_fails_with_the_new_database_leaves_none(shop: str) -> None:
    name = dumps.name_of(shop)
    with pytest.raises(BadInput), dumps.scratch(shop, dumps.beside(name, "copy")):
        raise BadInput("no")
    assert names(name) == {name}


def test_programs_fit_their_server() -> None:
    newest = dumps.program("pg_dump", 18, is_ours=True)
    assert newest.is_file()
    with pytest.raises(ConfigError, match="postgresql-client-99"):
        dumps.program("pg_dump", 99, is_ours=False)
    with pytest.raises(ConfigError, match="postgresql-client-14"):
        dumps.program("pg_restore", 14, is_ours=False, exactly=True)
    assert dumps.program("pg_dump", 14, is_ours=False).is_file()

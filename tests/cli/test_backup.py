"""A hub that sells is saved into one file and comes back on another machine: paused, doubting what it told, reading again."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import Said, comptoir, environment, ground
from comptoir_hub import SERVER, Hub, database

from comptoir.connectors.prestashop.simulator import Line
from comptoir.kit import archive, dumps

BOOK = """
INSERT INTO inventory_movement (variant_id, to_warehouse_id, to_balance, reference, quantity, reason, comment, supplier,
    actor_kind, actor_id, actor_label, at)
VALUES (%s, %s, %s, %s, 1, 'reception', '', '', 'system', '', '', now())
"""
PASSPHRASE = "a horse that is correct"


@dataclass
class Saved:
    """A hub in production, its backup, and what was in it then."""

    hub: Hub
    file: Path
    passphrase: Path
    report: dict[str, Any]
    orders: int


@contextlib.contextmanager
def busy(hub: Hub) -> Iterator[list[int]]:
    """Somebody receives and sells all the time: a movement and its level in one transaction."""
    booked: list[int] = []
    over = threading.Event()

    def write() -> None:
        with psycopg.connect(hub.url, autocommit=True) as connection:
            while not over.is_set():
                with connection.transaction():
                    row = connection.execute(
                        "UPDATE inventory_level SET on_hand = on_hand + 1 WHERE id = (SELECT min(id) FROM inventory_level)"
                        " RETURNING variant_id, warehouse_id, on_hand"
                    ).fetchone()
                    assert row is not None
                    connection.execute(BOOK, [*row, f"load:{len(booked)}"])
                booked.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield booked
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def saved(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """The demo shop, live, its levels told; then a backup."""
    code = "shop"
    steps: list[list[object]] = [
        ["channels", "connect", "prestashop", code, "--set", f"url={hub.address}", "--set", f"key={hub.shop.key}"],
        *(["flows", "run", code, kind] for kind in ("pull_products", "pull_sales", "pull_stock_once", "pull_images")),
        ["channels", "live", code, "--despite-errors", "--ship-here"],
        ["flows", "run", code, "push_stock"],
        ["owner", "owner@example.com", "--password-stdin"],
    ]
    for step in steps:
        done = comptoir(*step, given="a long password\n", **hub.settings)
        assert done.code == 0, (step, done)
        hub.quicken()
    folder = tmp_path_factory.mktemp("saved")
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE)
    file = folder / "hub.backup"
    with busy(hub) as booked:
        done = comptoir("backup", file, "--key-passphrase-file", passphrase, "--json", **hub.settings)
    assert done.code == 0, done.err
    assert len(booked) > 10, "somebody wrote all the time"
    ((orders,),) = hub.rows("SELECT count(*) FROM orders_order")
    return Saved(hub, file, passphrase, done.json, orders)


@dataclass
class Machine:
    """Another machine: an empty database and an empty folder."""

    hub: Hub

    def do(self, *arguments: object) -> Said:
        return comptoir(*arguments, **self.hub.settings)

    def is_untouched(self) -> bool:
        """Nobody has made anything here, and no database beside it was left."""
        with psycopg.connect(SERVER) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_database WHERE datname LIKE %s", [dumps.name_of(self.hub.url)[:40] + "%"]
            ).fetchone()
        return dumps.is_empty(self.hub.url) and row == (1,) and not any(self.hub.folder.rglob("*.part"))


@pytest.fixture
def machine() -> Iterator[Machine]:
    with ground() as folder, database("machine") as url:
        try:
            yield Machine(Hub(url, folder))
        finally:
            with psycopg.connect(SERVER, autocommit=True) as connection:
                prefix = dumps.name_of(url) + "_%"
                left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [prefix]).fetchall()
            for (name,) in left:
                dumps.drop(url, str(name))


def refused(said: Said, *parts: str) -> None:
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), said
    for part in parts:
        assert part in said.err


def test_a_hub_comes_back_reads_what_was_sold_since_and_writes_nothing_until_resumed(
    saved: Saved, machine: Machine
) -> None:
    shop = saved.hub.shop
    sale = shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT")
    writes = len(shop.counters.log)
    done = machine.do("restore", saved.file, "--key-passphrase-file", saved.passphrase, "--json")
    assert done.code == 0, done.err
    assert (done.json["unreadable"], done.json["kept"]) == ([], "")

    # Row for row: whatever the restore itself did not change on purpose.
    here = dumps.contents(machine.hub.url)
    changed = {
        "channels_channel", "engine_effect", "engine_finding", "engine_flow", "engine_run", "events_event",
        "offers_offer",
    }  # fmt: skip
    assert {table for table, was in saved.report["tables"].items() if here[table] != was} <= changed
    assert here["orders_order"] == saved.report["tables"]["orders_order"]
    pictures = [
        path.relative_to(saved.hub.folder) for path in (saved.hub.folder / "media").rglob("*") if path.is_file()
    ]
    assert len(pictures) == saved.report["pictures"] > 0
    assert all((machine.hub.folder / path).read_bytes() == (saved.hub.folder / path).read_bytes() for path in pictures)

    assert machine.hub.rows("SELECT writes_paused, mode FROM channels_channel WHERE code = 'shop'") == [
        (True, "production")
    ]
    assert machine.hub.rows(
        "SELECT count(*) FROM offers_offer WHERE told IS NOT NULL OR NOT is_waiting AND is_active"
    ) == [(0,)]
    found = machine.hub.rows("SELECT code FROM engine_finding WHERE code = 'restored' AND closed_at IS NULL")
    assert found == [("restored",)]
    due = machine.hub.rows("SELECT kind FROM engine_flow WHERE kind = 'pull_sales' AND next_at <= now()")
    assert due == [("pull_sales",)]

    # Sales since the backup come again; writes do not go out, whoever asks.
    assert machine.do("flows", "run", "shop", "pull_sales").code == 0
    assert machine.hub.rows("SELECT count(*) FROM orders_order WHERE external_id = %s", str(sale)) == [(1,)]
    assert machine.hub.rows("SELECT count(*) FROM orders_order") == [(saved.orders + 1,)]
    asked = machine.do("flows", "run", "shop", "push_stock", "--json")
    assert (asked.code, bool(asked.json["plan"])) == (0, True), "asked to write, it says what it would write"
    assert len(shop.counters.log) == writes
    assert machine.do("check").code == 0

    assert machine.do("channels", "resume", "shop").code == 0
    assert machine.hub.rows("SELECT count(*) FROM engine_finding WHERE code = 'restored' AND closed_at IS NULL") == [
        (0,)
    ]
    assert machine.do("flows", "run", "shop", "push_stock").code == 0
    assert len(shop.counters.log) > writes


def test_no_number_is_given_twice_and_promises_are_asked_about_first(saved: Saved, machine: Machine) -> None:
    def numbers(hub: Hub) -> dict[str, int]:
        return dict(hub.rows("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"))

    before = numbers(saved.hub)
    assert machine.do("restore", saved.file, "--key-passphrase-file", saved.passphrase).code == 0
    after = numbers(machine.hub)
    assert after["orders_number"] >= before["orders_number"] + 1000
    assert after["orders_order_id_seq"] > before["orders_order_id_seq"] + 1000
    assert machine.hub.rows("SELECT count(*) FROM engine_effect WHERE state = 'wanted'") == [(0,)]
    assert machine.hub.rows("SELECT count(*) FROM engine_run WHERE status IN ('queued', 'running')") == [(0,)]


def test_without_the_key_the_hub_comes_back_and_names_whose_credentials_are_lost(
    saved: Saved, machine: Machine, tmp_path: Path
) -> None:
    done = comptoir("backup", tmp_path / "b", **saved.hub.settings)
    assert (done.code, "secret key is NOT in it" in done.err) == (0, True), done.err
    with archive.read(tmp_path / "b") as file:
        assert "secret-key.json" not in file.names
    done = machine.do("restore", tmp_path / "b", "--json")
    assert (done.code, done.json["unreadable"]) == (0, ["shop"]), done.err
    codes = {row[0] for row in machine.hub.rows("SELECT code FROM engine_finding WHERE closed_at IS NULL")}
    assert {"restored", "credentials_unreadable"} <= codes
    # The old key second, as the message says.
    old = (saved.hub.folder / "secret-key").read_text()
    key = machine.hub.folder / "secret-key"
    key.write_text(f"{key.read_text()} {old}")
    assert machine.do("flows", "run", "shop", "pull_sales").code == 0


def test_the_key_is_readable_only_with_its_passphrase(saved: Saved, machine: Machine, tmp_path: Path) -> None:
    assert (saved.hub.folder / "secret-key").read_bytes() not in saved.file.read_bytes()
    refused(machine.do("restore", saved.file), "secret key", "encrypted")
    (tmp_path / "wrong").write_text("another passphrase")
    refused(machine.do("restore", saved.file, "--key-passphrase-file", tmp_path / "wrong"), "not the passphrase")
    (tmp_path / "short").write_text("short")
    refused(machine.do("restore", saved.file, "--key-passphrase-file", tmp_path / "short"), "too short")
    assert machine.is_untouched()


def test_a_database_that_is_not_empty_is_refused_unless_its_name_is_typed(saved: Saved, machine: Machine) -> None:
    with psycopg.connect(machine.hub.url) as connection:
        connection.execute("CREATE TABLE precious AS SELECT 1 AS one")
    name = dumps.name_of(machine.hub.url)
    restore = ["restore", saved.file, "--key-passphrase-file", saved.passphrase, "--json"]
    for typed in ([], ["--replace", "another"]):
        done = machine.do(*restore, *typed)
        assert (done.code, done.json["error"]) == (2, "conflict") if done.out else done.code == 2
        assert name in done.out + done.err
    with psycopg.connect(machine.hub.url):
        done = machine.do(*restore, "--replace", name)
        assert "stop every process of the hub first" in done.out + done.err
    assert machine.hub.rows("SELECT one FROM precious") == [(1,)]
    done = machine.do(*restore, "--replace", name)
    assert done.code == 0, done.err
    aside = done.json["kept"]
    with psycopg.connect(dumps.named(machine.hub.url, aside)) as connection:
        assert connection.execute("SELECT one FROM precious").fetchall() == [(1,)]
    refused(machine.do("drop-replaced", name), "put a database of this name aside", aside)
    assert machine.do("drop-replaced", aside).code == 0
    assert dumps.replaced(machine.hub.url) == {}
    assert machine.hub.rows("SELECT count(*) FROM orders_order") == [(saved.orders,)]


def remade(path: Path, source: Path, **changes: Any) -> Path:
    """The same backup with another manifest."""
    with archive.read(source) as old, archive.written(path) as new:
        for name in old.names:
            new.add(name, old.pieces(name))
        new.finish({**{key: item for key, item in old.manifest.items() if key != "members"}, **changes})
    return path


def test_a_damaged_newer_or_foreign_file_changes_nothing(saved: Saved, machine: Machine, tmp_path: Path) -> None:
    whole = saved.file.read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-100])
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    (tmp_path / "flipped").write_bytes(flipped)
    (tmp_path / "foreign").write_text("hello")
    key = ("--key-passphrase-file", saved.passphrase)
    for name in ("cut", "flipped", "foreign"):
        refused(machine.do("restore", tmp_path / name, *key), "is damaged or no backup")
    refused(machine.do("restore", tmp_path / "nothing", *key), "cannot be read")
    later = remade(tmp_path / "later", saved.file, comptoir="99.0", migrations=[["orders", "0099_from_the_future"]])
    refused(machine.do("restore", later, *key), "99.0", "orders.0099_from_the_future")
    refused(machine.do("restore", remade(tmp_path / "format", saved.file, format=2), *key), "format 2")
    tables = {**saved.report["tables"], "orders_order": {"rows": 0, "digest": "0"}}
    refused(machine.do("restore", remade(tmp_path / "other", saved.file, tables=tables), *key), "orders_order")
    refused(machine.do("restore", remade(tmp_path / "pg", saved.file, postgresql=99), *key), "PostgreSQL 99")
    assert machine.is_untouched()
    assert machine.do("restore", saved.file, *key, "--check").code == 0
    assert machine.is_untouched()


FULL = """
import resource, sys
from comptoir.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def with_little_room(room: int, hub: Hub, *arguments: object) -> Said:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(room), *map(str, arguments)],
        capture_output=True, text=True, env=environment(**hub.settings), check=False, timeout=120, cwd="/",
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def test_a_full_disk_leaves_nothing_half_done(saved: Saved, machine: Machine, tmp_path: Path) -> None:
    refused(with_little_room(20_000, saved.hub, "backup", tmp_path / "b"), "could not be written")
    assert list(tmp_path.iterdir()) == []
    key = ("--key-passphrase-file", saved.passphrase)
    refused(with_little_room(10, machine.hub, "restore", saved.file, *key), "could not be written")
    assert machine.is_untouched()


def test_an_older_backup_is_brought_to_this_version(saved: Saved, machine: Machine, tmp_path: Path) -> None:
    """The last migrations of two parts undone, as an older version would have left it."""
    with database("older") as url:
        older = Hub(url, tmp_path / "older")
        older.folder.mkdir()
        shutil.copy(saved.hub.folder / "secret-key", older.folder / "secret-key")
        assert comptoir("restore", saved.file, "--key-passphrase-file", saved.passphrase, **older.settings).code == 0
        back = subprocess.run(
            [sys.executable, "-m", "django", "migrate", "engine", "0001", "-v0"],
            env=environment(**older.settings, DJANGO_SETTINGS_MODULE="comptoir.config.settings"),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert back.returncode == 0, back.stderr
        refused(comptoir("backup", tmp_path / "b", **older.settings), "comptoir migrate")
        old = tmp_path / "old"
        with dumps.snapshot(url) as taken, archive.read(saved.file) as now, archive.written(old) as file:
            with dumps.dumped(url, taken) as pieces:
                file.add("database.dump", pieces)
            rows = taken.connection.execute("SELECT app, name FROM django_migrations").fetchall()
            kept = {key: item for key, item in now.manifest.items() if key != "members"}
            file.finish({**kept, "migrations": [list(row) for row in rows], "tables": dumps.digests(taken.connection)})
    assert ["engine", "0002_finding_closed_by_hand"] in json.loads(json.dumps(saved.report["migrations"]))
    done = machine.do("restore", old)
    assert done.code == 0, done.err
    assert machine.do("check").code == 0
    assert machine.hub.rows("SELECT count(*) FROM django_migrations WHERE name = '0002_finding_closed_by_hand'") == [
        (1,)
    ]

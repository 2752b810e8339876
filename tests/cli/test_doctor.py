"""The doctor names what is wrong with a cure, ends with 1 then and only then, and survives whatever is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Said, comptoir
from comptoir_hub import SERVER, Hub, database
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def states(said: Said) -> dict[str, str]:
    return {one["name"]: one["state"] for one in said.json["checks"]}


def of(said: Said, name: str) -> dict[str, str]:
    return next(one for one in said.json["checks"] if one["name"] == name)


@pytest.fixture(scope="module")
def shop(hub: Hub) -> str:
    done = comptoir(
        "channels", "connect", "prestashop", "shop", "--set", f"url={hub.address}", "--set", f"key={hub.shop.key}",
        **hub.settings,
    )  # fmt: skip
    assert done.code == 0, done.err
    return "shop"


def test_a_hub_without_workers_and_backup_is_told_what_to_do(hub: Hub, shop: str) -> None:
    said = comptoir("doctor", "--json", "--books", **hub.settings)
    assert said.code == 1
    found = states(said)
    assert {name for name, state in found.items() if state == "problem"} == {"workers", "backup"}, said.out
    assert {"database", "clock", "migrations", "secret key", "disk", "channel shop", "books of inventory"} <= set(found)
    assert all(one["cure"] for one in said.json["checks"] if one["state"] != "good")
    page = comptoir("doctor", **hub.settings)
    assert page.code == 1
    assert "!!   workers: " in page.out
    assert "→ comptoir backup FILE" in page.out


def test_what_a_hub_has_lost_is_named(hub: Hub, shop: str, tmp_path: Path) -> None:
    assert comptoir("backup", tmp_path / "b", **hub.settings).code == 0
    key = hub.folder / "secret-key"
    kept = key.read_text()
    key.write_text("another key than the one that it was")
    key.chmod(0o644)
    hub.rows("UPDATE channels_channel SET writes_paused = true WHERE code = 'shop'")
    hub.rows("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour')")
    try:
        said = comptoir("doctor", "--json", **hub.settings)
    finally:
        key.write_text(kept)
        hub.rows("DELETE FROM procrastinate_workers")
    assert of(said, "backup")["state"] == "good"
    assert of(said, "workers")["state"] == "good"
    assert of(said, "schedules")["state"] == "problem"
    assert "shop" in of(said, "secret key")["text"]
    assert "comptoir channels resume shop" in of(said, "channel shop")["cure"]
    assert "others may read" in of(comptoir("doctor", "--json", **hub.settings), "secret key")["text"]
    key.chmod(0o600)


def test_a_database_that_is_away_or_empty_is_said(hub: Hub) -> None:
    nowhere = make_conninfo("", **{**conninfo_to_dict(SERVER), "dbname": "no_such_database"})
    away = comptoir("doctor", "--json", **{**hub.settings, "COMPTOIR_DATABASE_URL": nowhere})
    assert (away.code, of(away, "database")["state"]) == (1, "problem")
    with database("doctor_empty") as url:
        empty = comptoir("doctor", "--json", **{**hub.settings, "COMPTOIR_DATABASE_URL": url})
    assert (empty.code, of(empty, "migrations")["cure"]) == (1, "comptoir migrate")

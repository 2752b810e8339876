"""What every test shares."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.hashers import ScryptPasswordHasher, get_hasher
from django.db.backends.postgresql.operations import DatabaseOperations

from comptoir.kit import heap

LEDGER = "inventory_movement"

#: Files that take longest, begun first: a worker takes whole files, and none is to wait for a long one at the end.
LONGEST = (
    "history/test_hub_year.py", "flows/test_kills.py", "every_kind/test_kills.py", "cli/test_backup.py", "history/test_real_year.py",
    "cli/test_demo.py", "kit/test_postgres.py", "browser/test_sweep.py", "browser/test_stories.py", "browser/test_connecting.py",
    "browser/test_daily_work.py", "cli/test_commands.py", "web/test_rights.py", "engine/test_kills.py",
)  # fmt: skip


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get("/".join(item.path.parts[-2:]), len(LONGEST)))


def pytest_collection_finish() -> None:
    """All tests are in memory to the end."""
    heap.settle()


@pytest.fixture(scope="session", autouse=True)
def the_ledger_may_be_emptied_between_tests() -> Iterator[None]:
    """Tests that commit end with Django's flush, a TRUNCATE, which the ledger's trigger refuses to anybody."""
    sql_flush = DatabaseOperations.sql_flush

    def sql_flush_with_ledger(self: DatabaseOperations, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        statements = sql_flush(self, style, tables, **options)
        if LEDGER not in tables:
            return statements
        return [
            f"ALTER TABLE {LEDGER} DISABLE TRIGGER USER",
            *statements,
            f"ALTER TABLE {LEDGER} ENABLE TRIGGER USER",
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush_with_ledger)
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_quickly() -> Iterator[None]:
    """What makes a password hard to guess makes hundreds of tests wait for their people. That the hub has it is held here."""
    hasher = get_hasher()
    assert isinstance(hasher, ScryptPasswordHasher), "another hasher has another cost to lower here"
    assert hasher.work_factor >= 2**14, "passwords of a hub are too quick to guess"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScryptPasswordHasher, "work_factor", 2**4)
        yield

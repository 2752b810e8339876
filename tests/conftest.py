"""What every test shares."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations

LEDGER = "inventory_movement"


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

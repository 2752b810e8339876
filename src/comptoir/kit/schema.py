"""Which version the database is of, beside the code that looks at it. Migrations only add, so code of the version before
works on; code of the version after waits until they are there.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor

from comptoir.kit import sql

#: No such table, column or function: what a statement of newer code meets in an older database.
_NOT_THERE = frozenset({"42P01", "42703", "42883"})

LOCK_WAIT_MS = 3_000  # that a migration waits for a lock: everybody else waits behind it meanwhile
PATIENCE = 600.0  # seconds of trying again in all
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0


def missing() -> list[str]:
    """Migrations of this code that the database lacks: empty where it is of this version or of a later one."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def state() -> tuple[int, int]:
    """Something that changes whenever a migration is carried out."""
    row = sql.one("SELECT count(*), coalesce(max(id), 0) FROM django_migrations")
    return (0, 0) if row is None else (row[0], row[1])


def explains(error: BaseException | None) -> bool:
    """Whether the error comes of a database that was not brought to this version yet."""
    if not isinstance(error, DatabaseError) or getattr(error.__cause__, "sqlstate", None) not in _NOT_THERE:
        return False
    try:
        return bool(missing())
    except DatabaseError:
        return False


def bring_up(*, say: Callable[[str], None]) -> None:
    """Carry out every migration that is missing, while others work on the same tables: never wait long for a lock, let the
    runs through, and try again. What was carried out stays so."""
    executor = MigrationExecutor(connection, _lock_timeout)
    targets = executor.loader.graph.leaf_nodes()

    def step() -> None:
        MigrationExecutor(connection, _lock_timeout).migrate(targets)

    patiently(step, say=say)
    call_command("migrate", verbosity=0, interactive=False)  # nothing is left to carry out; what follows a migration is


def _lock_timeout(action: str, migration: Migration | None = None, fake: bool | None = False, /) -> None:
    """Before each migration. One that is not atomic is made so that nobody waits for it, and could not be begun again."""
    if action == "apply_start" and migration is not None:
        sql.execute(f"SET lock_timeout = {LOCK_WAIT_MS if migration.atomic else 0}")


def patiently(step: Callable[[], None], *, say: Callable[[str], None]) -> None:
    """Do what needs locks that runs may hold; again, as long as it only met somebody's lock."""
    until, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
    try:
        while True:
            try:
                step()
            except OperationalError as error:
                if not sql.is_passing(error) or time.monotonic() > until:
                    raise
                say(f"somebody holds what has to be changed; trying again in {pause:.1f} s")
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return
    finally:
        sql.execute("RESET lock_timeout")

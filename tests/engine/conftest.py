"""A toy world in the test's database, and children that are forked quickly."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).parent))
import toy_world as world
from toy_harness import Children


@pytest.fixture
def toys_rolled_back(db: None) -> None:
    """The toy's tables for one test in one transaction, which is rolled back: quick, and nobody else sees it."""
    with connection.cursor() as cursor:
        cursor.execute(world.TABLES)


@pytest.fixture
def toys(transactional_db: None) -> Iterator[None]:
    """The toy's tables; what tests write is committed, for other processes and for what happens after a commit."""
    with connection.cursor() as cursor:
        cursor.execute(world.TABLES)
        cursor.execute("DELETE FROM procrastinate_jobs")  # not a model of ours: Django's flush leaves them
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE toy_row, toy_mark, toy_start, toy_gate")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[world.Shop]:
    """The toy shop, listening."""
    server = world.Shop()
    monkeypatch.setenv(world.PORT, str(server.port))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def _forks(django_db_setup: None) -> Any:
    settings = connection.settings_dict
    parts = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    os.environ["COMPTOIR_TEST_CHILD_URL"] = make_conninfo(**{key: item for key, item in parts.items() if item})
    # The fork server has a path of its own (3.11); a module that it cannot import it leaves out without a word.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["toy_process"])
    return context


@pytest.fixture
def children(_forks: Any, tmp_path: Path) -> Iterator[Children]:
    """Starts processes that have everything imported."""
    them = Children(_forks, tmp_path)
    yield them
    them.end()

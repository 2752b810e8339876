"""A worker whose database is upgraded under it lets its run come to its end, takes no other, and makes way."""

from __future__ import annotations

from typing import Any

import pytest
import toy_process as child
import toy_world as world
from django.db import connection
from toy_harness import Children, make_channel, make_flow, wait_until

from comptoir.engine import runs, worker
from comptoir.engine.models import Run, RunStatus, Trigger
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM

pytestmark = [pytest.mark.kill, pytest.mark.usefixtures("toys")]


def ask(channel: Any, kind: str) -> int:
    return runs.request(make_flow(channel, kind), Trigger.PERSON, SYSTEM, at=clock.now())


def status(run: int) -> str:
    return str(Run.objects.get(pk=run).status)


@pytest.fixture
def upgraded() -> Any:
    """Carries out what looks like a migration of a later version; undone in the end."""
    name = "9999_of_a_later_version"

    def upgrade() -> None:
        sql.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('engine', %s, now())", [name])

    yield upgrade
    connection.close()
    sql.execute("DELETE FROM django_migrations WHERE name = %s", [name])


def test_a_worker_ends_its_run_and_makes_way_for_the_next_version(
    children: Children, shop: world.Shop, upgraded: Any
) -> None:
    channel, other = make_channel(), make_channel("other")
    old = children.start(child.work, shop.port, 3, None, str(children.errors))
    run = ask(channel, "toy_long")
    wait_until(lambda: Run.objects.get(pk=run).state.get("steps", 0))
    upgraded()
    wait_until(lambda: "the schema was upgraded" in children.errors.read_text())
    later = ask(other, "toy_pull")
    assert status(run) == RunStatus.RUNNING, "it goes on: migrations only add"
    sql.execute("INSERT INTO toy_gate VALUES ('open')")
    old.join(40)
    assert old.exitcode == worker.UPGRADED
    assert Run.objects.get(pk=run).attempt == 1
    assert status(run) == RunStatus.DONE
    assert status(later) == RunStatus.QUEUED, "the old version takes nothing more"

    new = children.start(child.work, shop.port, 3, None, str(children.errors))
    wait_until(lambda: status(later) == RunStatus.DONE)
    new.terminate()
    new.join(40)
    assert new.exitcode == 0, "started on the new schema, it stays until it is told to end"

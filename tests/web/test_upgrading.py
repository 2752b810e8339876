"""While the database is older than the code, people and machines are told to wait, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.db import ProgrammingError, transaction
from django.test import Client

from comptoir.accounts.actions import make_token
from comptoir.accounts.models import Role, User
from comptoir.engine import heart
from comptoir.kit import clock, schema, sql
from comptoir.kit.actor import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def older() -> Iterator[Callable[[], None]]:
    """Makes the database older than the code: the alerts have no table, and no migration says that they have."""

    def age() -> None:
        sql.execute("ALTER TABLE alerts_destination RENAME TO alerts_later")
        sql.execute("ALTER TABLE orders_order RENAME COLUMN preparation TO later")
        sql.execute("DELETE FROM django_migrations WHERE app = 'alerts'")

    yield age
    sql.execute("ALTER TABLE IF EXISTS alerts_later RENAME TO alerts_destination")
    if "later" in {name for (name,) in sql.rows("SELECT attname FROM pg_attribute WHERE attname = 'later'")}:
        sql.execute("ALTER TABLE orders_order RENAME COLUMN later TO preparation")
        sql.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('alerts', '0001_initial', now())")


def test_pages_and_the_api_say_wait_instead_of_breaking(
    person: Callable[[Role], User], older: Callable[[], None]
) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(person(Role.OWNER))
    with transaction.atomic():
        _token, secret = make_token("reader", ["orders.read"], actor=SYSTEM, at=clock.now())
    machine = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
    older()
    for page in ("/settings/alerts/", "/orders/?tab=all"):
        answer = browser.get(page)
        assert answer.status_code == 503, page
        assert "being upgraded" in answer.content.decode()
        assert answer["Retry-After"] == "5"
    answer = machine.get("/api/v1/orders")
    assert (answer.status_code, answer.json()["code"]) == (503, "being_upgraded")
    ready = browser.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"status": "migrations missing", "missing": ["alerts.0001_initial"]}
    assert browser.get("/healthz").status_code == 200, "the process lives: nobody should kill it"


def test_an_error_that_is_ours_is_not_called_an_upgrade(person: Callable[[Role], User]) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(person(Role.OWNER))
    sql.execute("ALTER TABLE orders_order RENAME COLUMN preparation TO later")
    try:
        answer = browser.get("/orders/?tab=all")
    finally:
        sql.execute("ALTER TABLE orders_order RENAME COLUMN later TO preparation")
    assert answer.status_code == 500


def test_a_migration_lets_a_run_finish_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "FIRST_PAUSE", 0.05)
    said: list[str] = []
    released = threading.Event()
    with heart.connect() as run:
        run.execute("BEGIN")
        run.execute("LOCK TABLE orders_order IN ROW EXCLUSIVE MODE")

        def say(line: str) -> None:
            said.append(line)
            if len(said) == 2 and not released.is_set():
                released.set()
                run.execute("ROLLBACK")

        def step() -> None:
            sql.execute("SET lock_timeout = 100")
            with transaction.atomic():
                sql.execute("ALTER TABLE orders_order ADD COLUMN toy_later text")

        try:
            schema.patiently(step, say=say)
            assert len(said) == 2
            assert sql.value("SHOW lock_timeout") == "0", "the connection is as it was"
        finally:
            sql.execute("ALTER TABLE orders_order DROP COLUMN IF EXISTS toy_later")


def test_what_is_wrong_with_a_migration_is_not_tried_again() -> None:
    def step() -> None:
        sql.execute("SELECT * FROM nowhere")

    with pytest.raises(ProgrammingError, match="nowhere"):
        schema.patiently(step, say=lambda line: pytest.fail(line))

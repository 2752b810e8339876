"""Two at once in each other's way: the one that PostgreSQL rolls back is carried out again, or says what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.test import Client
from offer_world import stock, variant, warehouse

from comptoir.accounts import actions as accounts
from comptoir.accounts.models import Role, Token, User
from comptoir.commerce.inventory.models import Level
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
#: Since when somebody waits for a lock; None where nobody does.
WAITS = (
    "SELECT max(waitstart)::text FROM pg_locks w WHERE NOT granted AND EXISTS (SELECT FROM pg_locks o JOIN pg_database d"
    " ON d.oid = o.database AND d.datname = current_database() WHERE o.pid = w.pid)"
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(person: Callable[[Role], User]) -> Client:
    client = Client()
    client.force_login(person(Role.OWNER))
    return client


@pytest.fixture
def impatient() -> Iterator[None]:
    """The requests of this test wait for no lock longer than an instant."""
    sql.execute("SET lock_timeout = '300ms'")
    yield
    sql.execute("RESET lock_timeout")


@contextmanager
def somebody_else(work: Callable[[Event], None]) -> Iterator[Future[None]]:
    """Do it in a transaction of another thread; it tells when it holds what it wants to hold."""
    holds = Event()

    def carry_out() -> None:
        try:
            with transaction.atomic():
                work(holds)
        finally:
            holds.set()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(carry_out)
        assert holds.wait(20)
        yield done
        done.result(20)


def until(enough: Callable[[str | None], bool]) -> str | None:
    while not enough(since := sql.value(WAITS)):
        sql.value("SELECT pg_sleep(0.01)::text")
    return since


def goods(key: str) -> dict[str, Any]:
    """A file that brings three of each in."""
    file = SimpleUploadedFile("goods.csv", b"sku,quantity\nCUP,3\nPOT,3\n")
    return {"key": key, "warehouse": Level.objects.earliest("id").warehouse_id, "file": file}


def on_hand() -> list[int]:
    return [int(n) for n in Level.objects.order_by("variant__sku").values_list("on_hand", flat=True)]


def test_the_victim_of_a_deadlock_is_carried_out_again_with_all_that_it_brought(owner: Client) -> None:
    place = warehouse("paris")
    for sku in ("CUP", "POT"):
        stock(variant(sku), place, 5)
    first, second = Level.objects.order_by("variant_id").values_list("id", flat=True)

    def crosses(holds: Event) -> None:
        sql.execute("SET LOCAL deadlock_timeout = '1min'")  # so that the other one is the victim
        sql.execute("SELECT FROM inventory_level WHERE id = %s FOR UPDATE", [second])
        holds.set()
        until(lambda since: since is not None)
        sql.execute("SELECT FROM inventory_level WHERE id = %s FOR UPDATE", [first])

    with somebody_else(crosses):
        page = owner.post("/inventory/receive/", goods("k1"), follow=True)

    assert page.status_code == 200
    assert on_hand() == [8, 8]
    assert [str(m.level_tag) for m in page.context["messages"]] == ["success"]


@pytest.mark.usefixtures("impatient")
def test_a_request_that_is_in_the_way_every_time_says_so_and_has_changed_nothing(owner: Client) -> None:
    stock(variant("CUP"), warehouse("paris"), 5)
    stock(variant("POT"), Level.objects.get().warehouse, 5)
    may_go = Event()

    def stays(holds: Event) -> None:
        sql.execute("SELECT FROM inventory_level FOR UPDATE")
        holds.set()
        assert may_go.wait(20)

    with somebody_else(stays):
        page = owner.post("/inventory/receive/", goods("k1"), follow=True)
        may_go.set()

    assert page.status_code == 200
    (said,) = page.context["messages"]
    assert (said.level_tag, "changed the same thing" in said.message) == ("error", True)
    assert on_hand() == [5, 5]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("goes", [True, False])
def test_the_api_tries_again_and_says_when_it_is_worth_asking_again(goes: bool) -> None:
    with transaction.atomic():
        _token, secret = accounts.make_token("all", ["tokens.manage"], actor=SYSTEM, at=AT, made_by=None)
        other, _secret = accounts.make_token("till", ["stock.read"], actor=SYSTEM, at=AT, made_by=None)
    may_go = Event()

    def holds_it(holds: Event) -> None:
        sql.execute("SELECT FROM accounts_token WHERE id = %s FOR UPDATE", [other.pk])
        holds.set()
        if goes:  # once the first try has given up: the next may wait before anybody has looked
            first = until(lambda since: since is not None)
            until(lambda since: since != first)
        else:
            assert may_go.wait(20)

    with somebody_else(holds_it):
        answer = Client().delete(f"/api/v1/tokens/{other.pk}", headers={"Authorization": f"Bearer {secret}"})
        may_go.set()

    other = Token.objects.get(pk=other.pk)
    assert (answer.status_code, other.revoked_at is not None) == ((204, True) if goes else (503, False))
    if not goes:
        assert (answer.json()["code"], answer["Retry-After"]) == ("in_the_way", "5")

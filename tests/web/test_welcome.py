"""The first page of a new hub: for whoever was told the address, once, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from comptoir.accounts import actions
from comptoir.accounts.models import Role, User, Welcome
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

from .conftest import AT, PASSWORD

GOOD = {"email": "Odile@Hub.test", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def now() -> Iterator[clock.ManualClock]:
    moved = clock.ManualClock(AT)
    with clock.using(moved):
        yield moved


@pytest.fixture
def address(db: None, now: clock.ManualClock) -> str:
    """What the terminal prints at the first start."""
    secret = actions.expect_owner(actor=SYSTEM, at=AT)
    assert secret is not None
    return f"/welcome/{secret}"


def test_the_address_makes_the_owner_once_and_lets_them_in(address: str, stranger: Client) -> None:
    assert "no owner yet" in stranger.get(address).content.decode()
    answer = stranger.post(address, GOOD, follow=True)

    owner = User.objects.get()
    assert (owner.email, owner.role, owner.check_password(PASSWORD)) == ("odile@hub.test", Role.OWNER, True)
    assert answer.redirect_chain == [("/channels/", 302)]
    assert stranger.session["_auth_user_id"] == str(owner.pk)
    other = Client()
    assert (other.get(address).status_code, other.post(address, GOOD).status_code) == (404, 404)
    assert User.objects.count() == 1
    assert not Welcome.objects.exists()


def test_a_stranger_without_the_address_gets_nothing(address: str, stranger: Client) -> None:
    for wrong in ("/welcome/x", address[:-1], address + "x"):
        assert (stranger.get(wrong).status_code, stranger.post(wrong, GOOD).status_code) == (404, 404)
    assert not User.objects.exists()


def test_the_secret_is_not_in_the_database(address: str) -> None:
    assert address.rpartition("/")[2] not in Welcome.objects.get().sha256


@pytest.mark.parametrize(
    ("change", "said"),
    [({"email": "nobody"}, "e-mail"), ({"password": "short", "again": "short"}, "short"), ({"again": "x"}, "differ")],
)
def test_a_slip_is_named_and_the_address_still_works(
    address: str, stranger: Client, change: dict[str, str], said: str
) -> None:
    page = stranger.post(address, GOOD | change)
    assert (page.status_code, said in page.content.decode()) == (422, True)
    assert not User.objects.exists()
    assert stranger.post(address, GOOD).status_code == 302


def test_it_is_gone_after_an_hour_and_with_the_next_start(
    address: str, stranger: Client, now: clock.ManualClock
) -> None:
    newer = actions.expect_owner(actor=SYSTEM, at=AT)
    assert (stranger.get(address).status_code, stranger.get(f"/welcome/{newer}").status_code) == (404, 200)
    now.advance(timedelta(hours=1))
    assert stranger.get(f"/welcome/{newer}").status_code == 404


def test_it_is_gone_when_the_owner_was_made_another_way(address: str, stranger: Client) -> None:
    actions.make_owner("odile@hub.test", PASSWORD, actor=SYSTEM, at=AT)
    assert stranger.get(address).status_code == 404
    assert actions.expect_owner(actor=SYSTEM, at=AT) is None


def test_tries_are_counted(address: str, stranger: Client) -> None:
    answers = [stranger.post(f"/welcome/guess-{n}", GOOD).status_code for n in range(11)]
    assert answers == [404] * 10 + [429]
    assert stranger.post(address, GOOD).status_code == 429

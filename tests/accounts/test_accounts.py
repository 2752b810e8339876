"""The first owner, people, and tokens that are shown once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import caches
from django.core.cache.backends import locmem
from django.test import Client

from comptoir.accounts import actions
from comptoir.accounts.errors import OwnerExists, TooManyTokens
from comptoir.accounts.models import Role, Token, User
from comptoir.events.models import Event
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


def _token(name: str = "Catalogue", at: datetime = AT, **options: datetime) -> tuple[Token, str]:
    return actions.make_token(name, ["catalog.read"], actor=SYSTEM, at=at, **options)


def test_the_first_owner_is_made_once() -> None:
    owner = actions.make_owner("Odile@Hub.test", PASSWORD, actor=SYSTEM, at=AT)

    assert (owner.email, owner.role, owner.check_password(PASSWORD)) == ("odile@hub.test", Role.OWNER, True)
    with pytest.raises(OwnerExists):
        actions.make_owner("second@hub.test", PASSWORD, actor=SYSTEM, at=AT)


@pytest.mark.parametrize(
    ("email", "password"), [("nobody", PASSWORD), ("a@hub.test", "short"), ("a@hub.test", "qwertyuiop")]
)
def test_a_bad_address_or_a_weak_password_makes_nobody(email: str, password: str) -> None:
    with pytest.raises(BadInput):
        actions.make_owner(email, password, actor=SYSTEM, at=AT)
    assert not User.objects.exists()


def test_nobody_exists_twice_whatever_the_case() -> None:
    actions.make_person("ada@hub.test", PASSWORD, role=Role.PICKER, actor=SYSTEM, at=AT)
    with pytest.raises(BadInput):
        actions.make_person("ADA@hub.test", PASSWORD, role=Role.PICKER, actor=SYSTEM, at=AT)


def test_the_last_owner_stays_one() -> None:
    owner = actions.make_owner("a@hub.test", PASSWORD, actor=SYSTEM, at=AT)
    for role, is_active in ((Role.READER, True), (Role.OWNER, False)):
        with pytest.raises(BadInput):
            actions.change_role(owner, role, is_active=is_active, actor=SYSTEM, at=AT)
    actions.make_person("b@hub.test", PASSWORD, role=Role.OWNER, actor=SYSTEM, at=AT)
    actions.change_role(owner, Role.READER, is_active=True, actor=SYSTEM, at=AT)
    owner.refresh_from_db()
    assert owner.role == Role.READER


def test_a_token_works_by_its_secret_and_is_kept_as_a_hash() -> None:
    token, secret = _token()

    assert actions.check_token(secret, at=AT) == token
    assert actions.check_token(secret + "x", at=AT) is None
    assert actions.check_token("", at=AT) is None
    kept = Token.objects.values_list("sha256", "hint", "name").get()
    assert secret not in "".join(kept)
    assert not Event.objects.filter(facts__icontains=secret).exists()


def test_the_last_use_is_noted_at_most_once_a_minute() -> None:
    token, secret = _token()
    for seconds in (0, 30, 59):
        actions.check_token(secret, at=AT + timedelta(seconds=seconds))
    token.refresh_from_db()
    assert token.last_used_at == AT

    actions.check_token(secret, at=AT + timedelta(seconds=60))
    token.refresh_from_db()
    assert token.last_used_at == AT + timedelta(seconds=60)


def test_a_revoked_or_expired_token_is_no_token() -> None:
    token, secret = _token()
    actions.revoke(token, actor=SYSTEM, at=AT)
    actions.revoke(token, actor=SYSTEM, at=AT + timedelta(days=1))
    assert actions.check_token(secret, at=AT) is None
    token.refresh_from_db()
    assert token.revoked_at == AT

    _short, other = _token("Short", expires_at=AT + timedelta(hours=1))
    assert actions.check_token(other, at=AT) is not None
    assert actions.check_token(other, at=AT + timedelta(hours=1)) is None


def test_no_more_tokens_live_than_the_setting_allows_and_a_revoked_one_makes_room() -> None:
    made = [_token(f"Token {n}")[0] for n in range(11)]
    with pytest.raises(TooManyTokens) as refusal:
        _token("One too many")
    assert refusal.value.facts["limit"] == 11

    actions.revoke(made[0], actor=SYSTEM, at=AT)
    _token("Room again")


def test_a_token_needs_a_name_and_scopes_that_exist() -> None:
    for name, scopes in ((" ", ["catalog.read"]), ("A", []), ("A", ["everything"])):
        with pytest.raises(BadInput):
            actions.make_token(name, scopes, actor=SYSTEM, at=AT)


def test_nobody_signs_up_alone(client: Client) -> None:
    for address in ("/account/signup/", "/account/password/reset/"):
        assert client.get(address).status_code == 404


def test_tries_to_sign_in_are_counted_for_all_processes_together(client: Client) -> None:
    actions.make_owner("odile@hub.test", PASSWORD, actor=SYSTEM, at=AT)

    def try_it(password: str) -> int:
        return client.post("/account/login/", {"login": "odile@hub.test", "password": password}).status_code

    for _ in range(6):
        try_it("guessed")
    locmem._caches.clear()  # what another process would not know
    del caches["default"]

    assert try_it(PASSWORD) in (200, 429)  # not the house
    assert "_auth_user_id" not in client.session


def test_signing_in_brings_people_back_to_their_language(client: Client) -> None:
    user = actions.make_owner("odile@hub.test", PASSWORD, actor=SYSTEM, at=AT)
    User.objects.filter(pk=user.pk).update(language="fr")

    answer = client.post("/account/login/", {"login": "Odile@hub.test", "password": PASSWORD})

    assert answer.status_code == 302
    assert answer.cookies["django_language"].value == "fr"


def test_guessing_passwords_is_stopped(client: Client) -> None:
    actions.make_owner("guessed@hub.test", PASSWORD, actor=SYSTEM, at=AT)
    for _try in range(12):
        answer = client.post("/account/login/", {"login": "guessed@hub.test", "password": "wrong wrong"})
    refused = client.post("/account/login/", {"login": "guessed@hub.test", "password": PASSWORD})

    assert "_auth_user_id" not in client.session
    assert refused.status_code in (200, 429)
    assert answer.status_code in (200, 429)

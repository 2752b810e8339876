"""The second factor: set up, asked for, lost, taken away, and a must for some roles."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client

from comptoir.accounts import actions, second_factor
from comptoir.accounts.models import Role, User
from comptoir.events.models import Event
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

PASSWORD = "correct horse battery"
PROTECTED = "/me/second-factor/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@hub.test", PASSWORD, role=Role.MANAGER, name="Ada")


def code(secret: str, step: int = 0) -> str:
    """RFC 6238, by the book: what an app on a telephone shows."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    digest = hmac.new(base64.b32decode(secret.replace(" ", "")), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def sign_in(client: Client, password: str = PASSWORD, then: str = "") -> Any:
    return client.post("/account/login/", {"login": "ada@hub.test", "password": password, "next": then})


def secret_on(page: Any) -> str:
    found = re.search(r'id="secret">([A-Z2-7 ]+)<', page.content.decode())
    assert found is not None
    return found[1]


def set_up(client: Client) -> tuple[str, list[str]]:
    """Somebody who has just signed in sets it up; the secret of the app, and the recovery codes."""
    secret = secret_on(client.get(f"{PROTECTED}on/"))
    page = client.post(f"{PROTECTED}on/", {"code": code(secret)}, follow=True)
    codes = re.findall(r"\b\d{8}\b", page.content.decode())
    assert len(codes) == 10
    return secret, codes


def names() -> list[str]:
    return [name.removeprefix("accounts.") for name in Event.objects.order_by("id").values_list("name", flat=True)]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_it_is_set_up_with_the_first_code_and_asked_for_from_then_on(client: Client, ada: User) -> None:
    sign_in(client)
    wrong = client.post(f"{PROTECTED}on/", {"code": "000000"})
    assert wrong.status_code == 422
    assert not second_factor.is_on(ada)

    secret, _codes = set_up(client)
    other = Client()
    answer = sign_in(other, then="/orders/")
    assert answer["Location"] == "/account/code/"
    assert not is_in(other)
    assert other.get("/orders/")["Location"].startswith("/account/login/")

    answer = other.post("/account/code/", {"code": code(secret, 1)})

    assert (answer["Location"], is_in(other)) == ("/orders/", True)
    assert names() == ["person.signed_in", "second_factor.turned_on", "person.signed_in"]


def test_secrets_are_sealed_at_rest(client: Client, ada: User) -> None:
    sign_in(client)
    secret, codes = set_up(client)

    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret.replace(" ", "") not in kept
    assert not any(one in kept for one in codes)
    assert not Event.objects.filter(facts__icontains=secret.replace(" ", "")).exists()


def test_a_code_that_was_seen_by_somebody_works_no_second_time(client: Client, ada: User) -> None:
    sign_in(client)
    secret, _codes = set_up(client)
    seen = code(secret, 1)
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser)
        browser.post("/account/code/", {"code": f" {seen[:3]} {seen[3:]}" if browser is second else seen})
        # allauth's own mark lasts half a minute, and the code is good for longer
        cache.delete(f"allauth.mfa.totp.used?user={ada.pk}&code={seen}")

    assert (is_in(first), is_in(second)) == (True, False)
    assert names()[-1] == "second_factor.refused"


def test_a_recovery_code_lets_in_once(client: Client, ada: User) -> None:
    sign_in(client)
    _secret, codes = set_up(client)
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser)
        browser.post("/account/code/", {"code": codes[3]})

    assert (is_in(first), is_in(second)) == (True, False)
    assert second_factor.codes_left(ada) == 9


def test_guessing_codes_is_stopped_even_for_the_right_one(client: Client, ada: User) -> None:
    sign_in(client)
    secret, _codes = set_up(client)
    other = Client()
    sign_in(other)
    for guess in range(6):
        other.post("/account/code/", {"code": f"{guess:06}"})
    other.post("/account/code/", {"code": code(secret, 1)})

    assert not is_in(other)


def test_the_password_is_asked_again_before_codes_are_shown_or_it_is_turned_off(client: Client, ada: User) -> None:
    sign_in(client)
    _secret, codes = set_up(client)
    other = Client()
    sign_in(other)
    other.post("/account/code/", {"code": codes[0]})

    for address, way in (("codes/", other.get), ("codes/new/", other.post), ("off/", other.post)):
        assert way(f"{PROTECTED}{address}")["Location"].startswith("/account/again/"), address
    assert second_factor.is_on(ada)
    again = {"password": "guessed", "next": f"{PROTECTED}codes/"}
    assert other.post("/account/again/", again).status_code == 200
    assert other.get(f"{PROTECTED}codes/").status_code == 302

    answer = other.post("/account/again/", {**again, "password": PASSWORD})
    assert answer["Location"] == f"{PROTECTED}codes/"
    assert codes[1] in other.get(f"{PROTECTED}codes/").content.decode()

    page = other.post(f"{PROTECTED}codes/new/", follow=True).content.decode()
    assert not any(one in page for one in codes)
    other.post(f"{PROTECTED}off/")
    assert not second_factor.is_on(ada)
    assert names()[-2:] == ["second_factor.codes_made", "second_factor.turned_off"]
    assert sign_in(Client())["Location"] == "/"


def test_a_role_that_must_have_one_gets_it_before_anything_else(
    client: Client, ada: User, person: Callable[[Role], User]
) -> None:
    second_factor.require([Role.MANAGER], actor=SYSTEM, at=clock.now())
    picker = Client()
    picker.force_login(person(Role.PICKER))
    assert picker.get("/orders/").status_code == 200

    sign_in(client)
    for address in ("/", "/orders/", "/settings/audit/", "/me/"):
        assert client.get(address)["Location"] == f"{PROTECTED}on/", address
    assert client.post("/channels/shop/settings/pause")["Location"] == f"{PROTECTED}on/"
    part = client.get("/frame/bar", headers={"HX-Request": "true"})
    assert (part.status_code, part["HX-Redirect"]) == (401, f"{PROTECTED}on/")
    assert client.get("/api/v1/orders").status_code == 401

    set_up(client)
    assert client.get("/orders/").status_code == 200
    assert client.get("/api/v1/orders").status_code == 200
    client.post(f"{PROTECTED}off/")
    client.post("/account/again/", {"password": PASSWORD, "next": f"{PROTECTED}off/"})
    client.post(f"{PROTECTED}off/")
    assert second_factor.is_on(ada)


def test_the_owner_says_which_roles_must_and_takes_it_away_from_who_lost_it(
    client: Client, ada: User, owner: Client
) -> None:
    sign_in(client)
    set_up(client)
    assert "on" in owner.get("/settings/people/").content.decode()

    owner.post("/settings/roles/second-factor", {"roles": ["manager", "accountant"]})
    assert sorted(second_factor.strict_roles()) == ["accountant", "manager"]
    owner.post("/settings/roles/second-factor", {"roles": ["manager", "emperor"]})
    assert sorted(second_factor.strict_roles()) == ["accountant", "manager"]
    owner.post("/settings/roles/second-factor", {})
    assert second_factor.strict_roles() == []

    owner.post(f"/settings/people/{ada.pk}/take-second-factor")
    assert not Authenticator.objects.exists()
    assert client.get("/orders/").status_code == 302  # whoever held the telephone is out
    assert sign_in(Client())["Location"] == "/"
    assert names()[-3:] == ["second_factor.taken_away", "sessions.ended", "person.signed_in"]


def test_setting_it_up_asks_for_the_password_where_nobody_has_typed_it_of_late(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get(f"{PROTECTED}on/")["Location"].startswith("/account/again/")


def test_another_s_secret_is_never_shown_for_a_second_factor_that_is_on(client: Client, ada: User) -> None:
    sign_in(client)
    set_up(client)
    assert client.get(f"{PROTECTED}on/")["Location"] in (PROTECTED, f"/account/again/?next={PROTECTED}on/")


def test_the_owner_may_be_made_to_have_one_too(client: Client, ada: User) -> None:
    actions.change_role(ada, Role.OWNER, is_active=True, actor=SYSTEM, at=clock.now())
    second_factor.require(["owner"], actor=SYSTEM, at=clock.now())
    sign_in(client)
    assert client.get("/settings/people/")["Location"] == f"{PROTECTED}on/"


def test_codes_that_cannot_be_checked_any_more_are_said_to_be_so(client: Client, ada: User) -> None:
    """After a restore without the key of the hub."""
    sign_in(client)
    secret, _codes = set_up(client)
    Authenticator.objects.filter(type="totp").update(data={"secret": "gAAAAA-of-another-key"})
    other = Client()
    sign_in(other)

    page = other.post("/account/code/", {"code": code(secret, 1)})

    assert b"secret key of this hub has changed" in page.content
    assert not is_in(other)

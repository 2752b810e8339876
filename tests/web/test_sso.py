"""Single sign-on: whom a provider's word lets in, and every way in which that word is not believed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from oidc_provider import CLIENT, SECRET, Provider, running

from comptoir.accounts import invitations
from comptoir.accounts.models import Invitation, Role, User
from comptoir.events.models import Event
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(server: Provider, settings: Any) -> Provider:
    """The provider as new, and this hub set up for it."""
    fresh = Provider(url=server.url, key=server.key)
    server.__dict__.update(fresh.__dict__)
    app = {
        "provider_id": "sso",
        "name": "Shop login",
        "client_id": CLIENT,
        "secret": SECRET,
        "settings": {"server_url": server.url, "oauth_pkce_enabled": True},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    return server


def ada(**fields: Any) -> User:
    return User.objects.create_user("ada@hub.test", role=Role.PICKER, **fields)


def there(client: Client, begin: str = "/account/sso/") -> str:
    """From the button to the provider and back: the address that the browser is sent to."""
    away = client.get(begin)
    assert away.status_code == 302, away.content
    return follow(away["Location"])


def follow(address: str) -> str:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        back = connection.getresponse().getheader("Location")
    finally:
        connection.close()
    assert back is not None
    return back.removeprefix("http://testserver")


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def refused(client: Client, back: str, why: str) -> bool:
    answer = client.get(back)
    last = Event.objects.filter(name="accounts.person.sso_refused").last()
    return answer.status_code == 403 and not is_in(client) and last is not None and last.facts["why"] == why


def test_without_a_provider_there_is_no_button_and_nothing_behind_it(client: Client) -> None:
    assert b"/account/sso/" not in client.get("/account/login/").content
    assert client.get("/account/sso/").status_code == 404
    assert client.get("/account/sso/callback/?code=x&state=y").status_code == 404


def test_who_exists_comes_in_by_a_verified_address_and_keeps_the_password(client: Client, provider: Provider) -> None:
    user = User.objects.create_user("ada@hub.test", "correct horse battery", role=Role.PICKER)
    provider.person["email"] = "ADA@hub.test"
    assert b"Sign in with Shop login" in client.get("/account/login/").content

    answer = client.get(there(client, "/account/sso/?next=/orders/"))

    assert (answer.status_code, answer["Location"]) == (302, "/orders/")
    assert client.session["_auth_user_id"] == str(user.pk)
    user.refresh_from_db()
    assert user.check_password("correct horse battery")
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == [
        "accounts.person.connected",
        "accounts.person.signed_in",
    ]


def test_who_came_once_is_known_by_the_provider_s_own_name_for_them(client: Client, provider: Provider) -> None:
    user = ada()
    client.get(there(client))
    client.logout()
    provider.person.update(email="married@elsewhere.test", email_verified=False)

    client.get(there(client))

    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_address_may_be_told_by_userinfo_but_only_of_the_same_person(client: Client, provider: Provider) -> None:
    ada()
    provider.email_only_in_userinfo = True
    client.get(there(client))
    assert is_in(client)

    client.logout()
    provider.userinfo = {**provider.person, "sub": "somebody else"}
    assert refused(client, there(client), "failed")


def test_an_address_that_is_not_verified_lets_nobody_in(client: Client, provider: Provider) -> None:
    ada()
    for verified in (False, None, "no", 0):
        provider.person["email_verified"] = verified
        assert refused(client, there(client), "not_verified")


def test_an_unknown_address_lets_nobody_in_and_makes_nobody(client: Client, provider: Provider) -> None:
    assert refused(client, there(client), "unknown")
    assert not User.objects.exists()


def test_an_invitation_is_accepted_by_signing_in_with_its_address(client: Client, provider: Provider) -> None:
    invitations.invite("ada@hub.test", Role.BUYER, actor=SYSTEM, at=clock.now())

    client.get(there(client))

    user = User.objects.get()
    assert (user.role, user.name, user.has_usable_password(), is_in(client)) == (Role.BUYER, "Ada", False, True)
    assert Invitation.objects.get().accepted_at is not None


def test_who_was_shut_out_stays_out(client: Client, provider: Provider) -> None:
    ada(is_active=False)

    answer = client.get(there(client))

    assert answer["Location"] == "/account/inactive/"
    assert b"closed your access" in client.get("/account/inactive/").content
    assert not is_in(client)


def test_an_answer_to_a_question_that_this_browser_never_asked_is_refused(client: Client, provider: Provider) -> None:
    """What an attacker would have a victim open: the state belongs to another browser, or to none."""
    ada()
    back = there(Client())
    assert refused(client, back, "failed")

    state = parse_qs(urlsplit(there(client)).query)["state"][0]
    assert refused(client, there(client).replace(state[-4:], "xxxx") + "x", "failed")


def test_an_answer_counts_once(client: Client, provider: Provider) -> None:
    ada()
    back = there(client)
    client.get(back)
    client.logout()

    assert refused(client, back, "failed")


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "of another sign-in"},
        {"nonce": ""},
        {"aud": "another-shop"},
        {"iss": "https://elsewhere.test"},
        {"exp": 1},
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    client: Client, provider: Provider, lies: dict[str, Any]
) -> None:
    ada()
    provider.lies = lies

    assert refused(client, there(client), "failed")


def test_a_signature_of_somebody_else_is_refused_and_so_is_no_id_token(client: Client, provider: Provider) -> None:
    ada()
    provider.signs_with = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert refused(client, there(client), "failed")

    provider.signs_with, provider.gives_id_token = None, False
    assert refused(client, there(client), "failed")


def test_an_address_that_asks_for_more_or_leads_elsewhere_changes_nothing(client: Client, provider: Provider) -> None:
    ada()
    made_up = "/account/sso/?process=connect&scope=admin&auth_params=prompt%3Dnone&next=https://evil.test/"
    asked = parse_qs(urlsplit(client.get(made_up)["Location"]).query)
    assert "admin" not in asked["scope"][0]
    assert "prompt" not in asked

    answer = client.get(there(client, made_up))
    assert (answer["Location"], is_in(client)) == ("/", True)


def test_who_gives_up_at_the_provider_is_told_so(client: Client, provider: Provider) -> None:
    state = parse_qs(urlsplit(client.get("/account/sso/")["Location"]).query)["state"][0]

    answer = client.get(f"/account/sso/callback/?error=access_denied&state={state}")

    assert b"did not go on" in answer.content
    assert not Event.objects.exists()

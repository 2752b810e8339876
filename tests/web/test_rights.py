"""The matrix of permissions, made from the addresses and the API themselves: every door × every role, a stranger, somebody
who was shut out, and every scope of a token. A new view without a declared right fails here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from comptoir.accounts import actions, invitations, sessions
from comptoir.accounts.models import Role, User
from comptoir.accounts.rights import ROLES, Right, Scope, right_of
from comptoir.api.callers import RIGHTS
from comptoir.api.urls import api
from comptoir.channels.models import Channel
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.web.roles import WORDS

#: Doors without a right, and what keeps them.
OPEN = {
    "healthz": "says only that it lives",
    "readyz": "the same",
    "metrics": "its own rule: see test_metrics",
    "image": "an unguessable name",
    "welcome": "an unguessable name, and only while there is no owner",
    "reach": "says which hub this is, to whoever asks: shops are tested with it",
    "join": "an unguessable name, and only while the invitation is open",
    "account_login": "the way in",
    "account_logout": "the way out",
    "account_inactive": "one sentence",
    "account_reauthenticate": "for who is signed in: the password again",
    "mfa_authenticate": "for who has typed the password: the code",
    "mfa_reauthenticate": "for who is signed in: the code again",
    "sso_begin": "to the provider",
    "sso_callback": "back from there",
}
ARGUMENTS = {
    "kind": "none",
    "number": "none",
    "pk": 0,
    "code": "none",
    "token": "none",
    "source": "0:none",
    "deed": "none",
}


def _all(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        elif not str(pattern.pattern).startswith("api/"):
            yield from _all(pattern.url_patterns)


DOORS = list(_all(get_resolver().url_patterns))
GUARDED = [pattern for pattern in DOORS if pattern.name not in OPEN]


def _address(pattern: URLPattern, **known: Any) -> str:
    names = pattern.pattern.converters
    return reverse(str(pattern.name), kwargs={name: known.get(name, ARGUMENTS.get(name, "none")) for name in names})


def _knock(client: Client, address: str) -> Any:
    """The answer to a GET, or to a POST where only that is understood."""
    answer = client.get(address)
    return client.post(address) if answer.status_code == 405 else answer


def _wrong(client: Client, rights: frozenset[Right]) -> list[tuple[str | None, Right | None, int]]:
    """The doors that open without a right, or stay shut with one."""
    wrong = []
    for pattern in GUARDED:
        right, status = right_of(pattern.callback), _knock(client, _address(pattern)).status_code
        if (status != 403) != (right in rights):
            wrong.append((pattern.name, right, status))
    return wrong


@dataclass(frozen=True)
class Operation:
    """One operation of the API, and the scope that it asks for; None where everybody may."""

    method: str
    path: str
    scope: Scope | None

    def ask(self, client: Client, key: object = "0", **headers: str) -> int:
        address = "/api/v1" + re.sub(r"\{[^}]+\}", str(key), self.path)
        return client.generic(self.method, address, "{}", "application/json", headers=headers).status_code


def _operations() -> list[Operation]:
    """From what is mounted, not from what the modules meant to mount."""
    found = set()
    for pattern in api.urls[0]:
        path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        for cell in getattr(pattern.callback, "__closure__", None) or ():
            for operation in cell.cell_contents.operations:
                scopes = {guard.scope for guard in operation.auth_callbacks}
                assert len(scopes) <= 1, f"{path} asks for {scopes}"
                found |= {Operation(one, path, next(iter(scopes), None)) for one in operation.methods}
    return sorted(found, key=lambda one: (one.path, one.method))


OPERATIONS = _operations()


def test_no_door_is_without_a_guard() -> None:
    assert len(GUARDED) > 60
    assert [pattern.name for pattern in GUARDED if right_of(pattern.callback) is None] == []
    assert [name for name in OPEN if name not in {pattern.name for pattern in DOORS}] == []


def test_no_operation_of_the_api_is_without_a_scope() -> None:
    assert len(OPERATIONS) > 9
    assert [one.path for one in OPERATIONS if one.scope is None] == ["/health"]
    assert set(RIGHTS) == set(Scope)


@pytest.mark.parametrize("role", Role)
def test_a_role_enters_where_its_rights_say_and_nowhere_else(person: Callable[[Role], User], role: Role) -> None:
    client = Client()
    client.force_login(person(role))

    assert _wrong(client, ROLES[role]) == []
    allowed = {one for one in OPERATIONS if one.ask(client) not in (401, 403)}
    assert allowed == {one for one in OPERATIONS if one.scope is None or RIGHTS[one.scope] in ROLES[role]}


@pytest.mark.parametrize("scope", Scope)
def test_a_token_does_what_its_scope_says_and_opens_no_page(db: None, client: Client, scope: Scope) -> None:
    _token, secret = actions.make_token("Shop", [scope.value], actor=SYSTEM, at=clock.now())
    bearer = {"Authorization": f"Bearer {secret}"}

    allowed = {one for one in OPERATIONS if one.ask(client, **bearer) not in (401, 403)}

    assert allowed == {one for one in OPERATIONS if one.scope in (None, scope)}
    assert client.get("/orders/", headers=bearer).status_code == 302


def test_a_stranger_and_who_was_shut_out_are_led_to_the_sign_in_by_every_door(
    stranger: Client, person: Callable[[Role], User]
) -> None:
    shut_out = Client()
    shut_out.force_login(person(Role.OWNER))
    User.objects.update(is_active=False)
    for client in (stranger, shut_out):
        for pattern in GUARDED:
            answer = _knock(client, _address(pattern))
            assert answer.status_code == 302, pattern.name
            assert answer["Location"].startswith(reverse("account_login")), pattern.name
        assert {one.ask(client) for one in OPERATIONS if one.scope} == {401}


def test_what_exists_cannot_be_told_from_what_does_not(
    stranger: Client, picker: Client, person: Callable[[Role], User]
) -> None:
    """A stranger, and somebody without the right, get the same answer for a name that exists and one that does not."""
    owner = User.objects.filter(role=Role.OWNER).first() or person(Role.OWNER)
    browser = Client()
    browser.force_login(owner)
    browser.get("/me/")
    token, _secret = actions.make_token("Shop", ["orders.read"], actor=SYSTEM, at=clock.now())
    invitation, _secret = invitations.invite("zoe@hub.test", Role.BUYER, actor=SYSTEM, at=clock.now())
    channel = Channel.objects.order_by("pk").first() or Channel.objects.create(
        name="Shop", code="shop", kind="prestashop", created_at=clock.now(), webhook_token="t", sealed=b""
    )
    there = {
        "person": {"pk": owner.pk},
        "person_sign_out": {"pk": owner.pk},
        "person_take_second_factor": {"pk": owner.pk},
        "token_revoke": {"pk": token.pk},
        "invitation_renew": {"pk": invitation.pk},
        "invitation_revoke": {"pk": invitation.pk},
    }
    for pattern in GUARDED:
        known = {"code": channel.code, **there.get(str(pattern.name), {"pk": 1, "number": "1", "deed": "hold"})}
        if not pattern.pattern.converters:
            continue
        for client in (stranger, picker):
            if client is picker and right_of(pattern.callback) in ROLES[Role.PICKER]:
                continue
            answers = []
            for address in (_address(pattern, **known), _address(pattern)):
                answer = _knock(client, address)
                body = answer.content.decode() if client is stranger else ""
                answers.append((answer.status_code, answer.get("Location", "").replace(address, "…"), body))
            assert answers[0] == answers[1], pattern.name
    assert len(sessions.of(owner)) == 1
    for one in OPERATIONS:
        if one.scope is not None:
            assert one.ask(stranger, token.pk) == one.ask(stranger) == 401


def test_a_fragment_asked_for_by_a_stranger_sends_the_whole_page_to_the_sign_in(stranger: Client) -> None:
    answer = stranger.get("/frame/bar", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer["HX-Redirect"] == reverse("account_login")


def test_only_the_owner_has_every_right() -> None:
    assert ROLES[Role.OWNER] == frozenset(Right)
    assert [role for role in Role if Right.MANAGE_PEOPLE in ROLES[role]] == [Role.OWNER]
    assert all(
        not right.value.startswith(("change", "accept", "ship", "run", "manage", "handle"))
        for right in ROLES[Role.READER]
    )


def test_the_matrix_can_be_read_by_the_owner_in_words(owner: Client) -> None:
    page = owner.get("/settings/roles/").content.decode()

    assert page.count("✓") == sum(len(ROLES[role]) for role in Role)
    assert [right for right in Right if right not in WORDS] == []


def test_settings_lead_to_the_first_page_that_a_role_may_open(owner: Client, person: Callable[[Role], User]) -> None:
    manager, reader = Client(), Client()
    manager.force_login(person(Role.MANAGER))
    reader.force_login(person(Role.READER))

    assert owner.get("/settings/")["Location"] == "/settings/people/"
    page = manager.get("/settings/", follow=True)
    assert page.status_code == 200
    assert "/settings/tokens/" not in page.content.decode()
    assert 'href="/settings/"' not in reader.get("/").content.decode()


def test_health_and_pictures_are_open_to_machines(stranger: Client) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").json() == {"status": "ok"}
    assert stranger.get("/i/none").status_code == 404

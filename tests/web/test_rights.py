"""Every address asks for a right: each role and a stranger knock at each door, and the table of rights decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from comptoir.accounts.models import Role, User
from comptoir.accounts.rights import ROLES, Right, right_of
from comptoir.web.urls import urlpatterns

OPEN = {"healthz", "readyz", "image", "welcome", "join"}
ARGUMENTS = {
    "kind": "none",
    "number": "none",
    "pk": 0,
    "code": "none",
    "token": "none",
    "source": "0:none",
    "deed": "none",
}
GUARDED = [pattern for pattern in urlpatterns if pattern.name not in OPEN]


def _address(pattern: URLPattern) -> str:
    names = pattern.pattern.converters
    return reverse(str(pattern.name), kwargs={name: ARGUMENTS[name] for name in names})


def _knock(client: Client, address: str) -> int:
    """The answer to a GET, or to a POST where only that is understood."""
    answer = client.get(address)
    return client.post(address).status_code if answer.status_code == 405 else answer.status_code


def test_no_door_is_without_a_guard() -> None:
    assert [pattern.name for pattern in GUARDED if right_of(pattern.callback) is None] == []


@pytest.mark.parametrize("role", Role)
def test_a_role_enters_where_its_rights_say_and_nowhere_else(person: Callable[[Role], User], role: Role) -> None:
    client = Client()
    client.force_login(person(role))
    wrong = []
    for pattern in GUARDED:
        right = right_of(pattern.callback)
        assert right is not None
        is_let_in = _knock(client, _address(pattern)) != 403
        if is_let_in != (right in ROLES[role]):
            wrong.append((pattern.name, right, is_let_in))

    assert wrong == []


def test_a_stranger_is_led_to_the_sign_in_by_every_door(stranger: Client) -> None:
    for pattern in GUARDED:
        address = _address(pattern)
        answer = stranger.get(address)
        if answer.status_code == 405:
            answer = stranger.post(address)

        assert answer.status_code == 302, address
        assert answer["Location"].startswith(reverse("account_login")), address


def test_a_fragment_asked_for_by_a_stranger_sends_the_whole_page_to_the_sign_in(stranger: Client) -> None:
    answer = stranger.get("/frame/bar", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer["HX-Redirect"] == reverse("account_login")


def test_somebody_who_was_shut_out_may_nothing_any_more(person: Callable[[Role], User]) -> None:
    user = person(Role.OWNER)
    client = Client()
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert client.get("/orders/").status_code == 302


def test_only_the_owner_has_every_right() -> None:
    assert ROLES[Role.OWNER] == frozenset(Right)
    assert [role for role in Role if Right.MANAGE_PEOPLE in ROLES[role]] == [Role.OWNER]
    assert all(
        not right.value.startswith(("change", "accept", "ship", "run", "manage")) for right in ROLES[Role.READER]
    )


def test_health_and_pictures_are_open_to_machines(stranger: Client) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").json() == {"status": "ok"}
    assert stranger.get("/i/none").status_code == 404

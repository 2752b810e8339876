"""Attacks on accounts that everybody tries: forged requests, planted sessions, addresses that lead away, guesses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.urls import get_resolver

from comptoir.accounts.models import Role, User
from comptoir.events.models import Event

PASSWORD = "correct horse battery"
AWAY = (
    "https://evil.test/", "//evil.test/", "/\\evil.test", "\\\\evil.test", "https:evil.test", "http:///evil.test", "///evil.test",
    "javascript:alert(1)", " //evil.test", "/\t/evil.test", "http://testserver@evil.test/", "http://localhost/",
)  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@hub.test", PASSWORD, role=Role.OWNER, name="Ada")


def sign_in(client: Client, password: str = PASSWORD, email: str = "ada@hub.test", then: str = "") -> Any:
    return client.post("/account/login/", {"login": email, "password": password, "next": then})


def _paths() -> list[str]:
    """Every address that has no part to fill in, and one of each that has."""
    found = []
    for pattern in get_resolver().url_patterns:
        for each in getattr(pattern, "url_patterns", [pattern]):
            if not hasattr(each, "url_patterns") and hasattr(each.pattern, "converters"):
                path = f"/{each.pattern}"
                for name, converter in each.pattern.converters.items():
                    kind = type(converter).__name__
                    word = {"IntConverter": "int", "SlugConverter": "slug"}.get(kind, "str")
                    path = path.replace(f"<{word}:{name}>", "1")
                found.append(path)
    return found


def test_nothing_is_changed_by_a_form_on_somebody_else_s_page(ada: User) -> None:
    """Every address refuses a POST without the token, whoever's cookies come with it."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    paths = [path for path in _paths() if "api/" not in path]
    assert len(paths) > 70
    assert [path for path in paths if client.post(path).status_code != 403] == []
    assert client.post("/api/v1/tokens", "{}", "application/json").status_code == 403
    assert client.delete("/api/v1/tokens/1").status_code == 403
    assert not Event.objects.exists()

    page = client.get("/me/")
    token = page.context["csrf_token"]
    assert client.post("/me/", {"name": "A", "timezone": "UTC", "csrfmiddlewaretoken": str(token)}).status_code == 302


def test_a_session_that_was_planted_is_worth_nothing_after_signing_in(client: Client, ada: User) -> None:
    planted = SessionStore()
    planted["mine"] = "yes"
    planted.save()
    client.cookies["comptoir_session"] = str(planted.session_key)

    sign_in(client)

    assert client.session.session_key != planted.session_key
    attacker = Client()
    attacker.cookies["comptoir_session"] = str(planted.session_key)
    assert attacker.get("/orders/").status_code == 302


def test_a_session_is_gone_once_its_person_signed_out(client: Client, ada: User) -> None:
    sign_in(client)
    key = client.session.session_key
    client.post("/account/logout/")

    thief = Client()
    thief.cookies["comptoir_session"] = str(key)
    assert thief.get("/orders/").status_code == 302


@pytest.mark.parametrize("away", AWAY)
def test_no_address_leads_away_from_here(client: Client, ada: User, away: str) -> None:
    places = [sign_in(client, then=away)["Location"]]
    places.append(client.get("/account/login/", {"next": away})["Location"])
    places.append(client.post("/me/theme", {"theme": "dark", "back": away})["Location"])
    places.append(client.post("/me/theme", {"theme": "dark"}, headers={"Referer": away})["Location"])
    again = client.post("/account/again/", {"password": PASSWORD, "next": away})
    places.append(again["Location"])

    assert [place for place in places if place.startswith(("http", "//", "\\", "java")) or "evil" in place] == []


def test_a_wrong_password_and_a_wrong_address_get_the_same_answer(client: Client, ada: User) -> None:
    known = sign_in(client, "guessed guessed").content.decode()
    unknown = sign_in(client, "guessed guessed", "bob@hub.test").content.decode()

    def plain(page: str) -> list[str]:
        return [line for line in page.splitlines() if "csrf" not in line.lower() and "nonce" not in line.lower()]

    assert [line.replace("bob@hub.test", "ada@hub.test") for line in plain(unknown)] == plain(known)


def test_who_could_not_sign_in_is_written_down_without_what_they_typed_as_password(client: Client, ada: User) -> None:
    sign_in(client, "guessed guessed")
    sign_in(client, "x", "my secret password")
    sign_in(client, "x", "nobody@elsewhere.test\nBcc: x")

    events = list(Event.objects.filter(name="accounts.person.sign_in_failed").order_by("id"))
    assert [event.facts["email"] for event in events][:1] == ["ada@hub.test"]
    assert events[0].subject == f"person:{ada.pk}"
    said = json.dumps([[event.facts, event.actor_label] for event in events])
    assert "guessed" not in said
    assert "secret" not in said
    assert "Bcc" not in said


def test_a_token_in_a_header_opens_no_page_and_a_cookie_no_token(client: Client, ada: User) -> None:
    assert client.get("/orders/", headers={"Authorization": "Bearer anything"}).status_code == 302
    client.force_login(ada)
    wrong = client.get("/api/v1/orders", headers={"Authorization": "Bearer anything"})
    assert wrong.status_code == 401


def test_pages_about_oneself_are_kept_by_no_cache_and_framed_by_nobody(client: Client, ada: User) -> None:
    sign_in(client)
    for path in ("/me/second-factor/on/", "/settings/people/", "/settings/tokens/"):
        answer = client.get(path)
        assert "no-store" in answer["Cache-Control"], path
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert answer["Referrer-Policy"] == "same-origin"


def test_cookies_are_out_of_reach_for_scripts_and_other_sites(client: Client, ada: User) -> None:
    cookie = sign_in(client).cookies["comptoir_session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_under_https_cookies_go_nowhere_else() -> None:
    names = (
        "SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_HSTS_SECONDS SESSION_COOKIE_HTTPONLY SESSION_COOKIE_SAMESITE"
    )
    code = f"from comptoir.config import settings as s; print(*[getattr(s, n, None) for n in '{names}'.split()])"
    said = {}
    for public in ("https://hub.example", "http://hub.example"):
        environment = {**os.environ, "COMPTOIR_PUBLIC_URL": public, "COMPTOIR_SECRET_KEY": "k" * 32}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        said[public] = done.stdout.split()
    assert said["https://hub.example"] == [
        "True",
        "True",
        "31536000",
        "None",
        "Lax",
    ]  # None: Django's own, which is True
    assert said["http://hub.example"][:3] == ["False", "False", "0"]

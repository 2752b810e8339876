"""A cast of people and a small house for them: every page is asked for by each of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from comptoir.accounts.models import Role, User
from comptoir.config import bootstrap

PASSWORD = "correct horse battery"
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def the_parts_know_one_another() -> None:
    """As every process does once at its start."""
    bootstrap.set_up()


@pytest.fixture(autouse=True)
def passwords_are_hashed_quickly(settings: Any) -> None:
    """The real hash takes a tenth of a second by design, and many tests sign in."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def person(db: None) -> Callable[[Role], User]:
    """Somebody of a role."""

    def make(role: Role) -> User:
        return User.objects.create_user(f"{role.value}@hub.test", PASSWORD, role=role, name=role.label)

    return make


@pytest.fixture
def owner(person: Callable[[Role], User]) -> Client:
    """The owner's browser."""
    client = Client()
    client.force_login(person(Role.OWNER))
    return client


@pytest.fixture
def picker(person: Callable[[Role], User]) -> Client:
    """A picker's browser."""
    client = Client()
    client.force_login(person(Role.PICKER))
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    """Somebody who never signed in."""
    return Client()

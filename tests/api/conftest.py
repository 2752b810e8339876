"""Clients of the API: with a token for some scopes, or with the session of a role."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client

from comptoir.accounts import actions as accounts
from comptoir.accounts.models import Role, User
from comptoir.accounts.rights import Scope
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Asker = Callable[..., Client]


@pytest.fixture
def with_token(db: None) -> Asker:
    """A program whose token has these scopes."""

    def make(*scopes: Scope) -> Client:
        _token, secret = accounts.make_token("A program", list(scopes), actor=SYSTEM, at=clock.now())
        return Client(headers={"Authorization": f"Bearer {secret}"})

    return make


@pytest.fixture
def signed_in(db: None) -> Asker:
    """A browser of somebody with this role; `csrf` True: it must prove where a change comes from."""

    def make(role: Role, *, csrf: bool = False) -> Client:
        client = Client(enforce_csrf_checks=csrf)
        client.force_login(User.objects.create_user(f"{role.value}@hub.test", role=role))
        return client

    return make

"""The page of API tokens: shown once, at most so many, and what used them is named before one is revoked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from comptoir.accounts import actions
from comptoir.accounts.models import Token, TokenUse
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

PAGE = "/settings/tokens/"

pytestmark = pytest.mark.django_db


def make(owner: Client, name: str = "Web shop") -> str:
    return owner.post(PAGE, {"name": name, "scopes": ["stock.read"]}).content.decode()


def test_a_secret_is_shown_once_and_the_page_counts_those_in_use(owner: Client) -> None:
    page = make(owner)
    found = re.search(r"cmt_[\w-]{40,}", page)
    assert found is not None
    assert "1 of 11 in use" in page
    assert "data-copies" in page
    again = owner.get(PAGE).content.decode()
    assert found[0] not in again
    assert f"…{found[0][-4:]}" in again
    assert found[0] not in str(list(Token.objects.values()))


def test_the_twelfth_is_refused_until_one_is_revoked_or_expires(owner: Client) -> None:
    for number in range(11):
        make(owner, f"Token {number}")
    page = make(owner, "One too many")
    assert "11 of 11 in use" in page
    assert "cmt_" not in page
    assert Token.objects.count() == 11

    owner.post(f"{PAGE}{Token.objects.earliest('id').pk}/revoke")
    assert "cmt_" in make(owner, "Room again")
    Token.objects.filter(name="Token 3").update(expires_at=clock.now() - timedelta(seconds=1))
    assert "10 of 11 in use" in owner.get(PAGE).content.decode()


def test_revoking_names_the_programs_that_used_it_last(owner: Client) -> None:
    now = clock.now()
    token, secret = actions.make_token("ERP", ["stock.read"], actor=SYSTEM, at=now)
    assert "Nothing has used it yet" in owner.get(PAGE).content.decode()
    for minute, program in enumerate(["old/1", "nightly/2", "<b>sneaky</b>\r\nX: y", "nightly/2", "latest/3"]):
        actions.check_token(secret, at=now + timedelta(minutes=2 * minute), program=program)

    page = owner.get(PAGE).content.decode()
    asked = page[page.index("Used last by") :]
    assert asked.index("latest/3") < asked.index("nightly/2")
    assert "old/1" not in asked
    assert "<b>sneaky" not in page
    assert TokenUse.objects.filter(token=token).count() == 4
    owner.post(f"{PAGE}{token.pk}/revoke")
    assert "Used last by" not in owner.get(PAGE).content.decode()
    assert Client().get("/api/v1/levels", headers={"Authorization": f"Bearer {secret}"}).status_code == 401

"""A line of a log holds no secret and nobody's name or address, whatever a part or a library put into it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from comptoir.accounts.models import User
from comptoir.kit import log
from comptoir.kit.settings import settings

EMAIL, PHONE, KEY = "wanda.zyx@mail.example", "+44 7700 900123", "hush-hush-0123456789"
LETS_IN = "cmt_AbCdEf0123456789"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[io.StringIO]:
    """What the logs of this process write from here on."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COMPTOIR_SECRET_KEY", KEY)
    settings.cache_clear()
    log.set_up("DEBUG")
    yield stream
    root.handlers[:], root.level = before, level
    settings.cache_clear()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"mail to {EMAIL} failed", "mail to …@… failed"),
        (f"ring {PHONE} now", "ring … now"),
        ("postgresql://hub:pa55word@db.example/hub", "postgresql://…@db.example/hub"),
        (f"Authorization: Bearer {LETS_IN}", "Authorization: … …"),
        ("GET /api/orders?ws_key=ABCDEF123&limit=5", "GET /api/orders?ws_key=…&limit=5"),
        ('{"password": "x y", "n": 1}', '{"password": …, "n": 1}'),
        (f"the key is {KEY}.", "the key is …."),
        ("Not Found: /welcome/AbCdEf", "Not Found: /welcome/…"),
        ("run 12 took 3.5 s on 2026-03-02 at 10.0.0.1:5432", "run 12 took 3.5 s on 2026-03-02 at 10.0.0.1:5432"),
        ("order 100042, sale 1042-AB, SKU +12345", "order 100042, sale 1042-AB, SKU +12345"),
    ],
)
def test_what_has_the_shape_of_a_secret_or_a_person_is_taken_out(lines: io.StringIO, said: str, left: str) -> None:
    logging.getLogger("comptoir.toy").warning("%s", said)
    assert json.loads(lines.getvalue())["text"] == left


def test_fields_beside_the_text_are_cleaned_by_name_and_by_content(lines: io.StringIO) -> None:
    extra = {
        "channel": 3, "reason": f"no such user {EMAIL}", "buyer": {"name": "Wanda"}, "headers": {"X-Key": LETS_IN},
        "facts": {"email": EMAIL, "list": [EMAIL, 7], "password": KEY}, "path": "/orders/1/",
    }  # fmt: skip
    logging.getLogger("comptoir.toy").info("refused", extra=extra)
    line = json.loads(lines.getvalue())
    assert line["channel"] == 3
    assert line["path"] == "/orders/1/"
    assert line["facts"]["list"][1] == 7
    for secret in (EMAIL, "Wanda", LETS_IN, KEY):
        assert secret not in lines.getvalue()


@pytest.mark.django_db
def test_an_error_of_the_database_is_told_without_the_row_that_it_quotes(lines: io.StringIO) -> None:
    User.objects.create_user(EMAIL, "correct horse battery")
    try:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO accounts_user SELECT * FROM accounts_user")
    except DatabaseError:
        logging.getLogger("comptoir.toy").exception("could not be kept")
    connection.needs_rollback = True
    said = lines.getvalue()
    assert "duplicate key" in said
    assert "DETAIL" in said
    assert EMAIL not in said


@pytest.mark.django_db
def test_what_requests_leave_in_the_log_says_nothing_about_who_asked(lines: io.StringIO) -> None:
    client = Client(raise_request_exception=False)
    client.post("/account/login/", {"login": EMAIL, "password": KEY})
    client.get("/welcome/AbCdEf0123")
    client.get("/nowhere", headers={"Authorization": f"Bearer {LETS_IN}"})
    said = lines.getvalue()
    assert "/nowhere" in said
    for secret in (EMAIL, KEY, LETS_IN, "AbCdEf0123"):
        assert secret not in said


def test_a_line_break_in_somebodys_words_begins_no_new_line(lines: io.StringIO) -> None:
    logging.getLogger("comptoir.toy").warning('first\n{"level": "error", "text": "made up"}')
    assert len(lines.getvalue().strip().split("\n")) == 1

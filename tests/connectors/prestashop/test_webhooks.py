"""Notices of the module inside the shop: only what is signed, fresh and well formed becomes a hint."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from comptoir.channels.errors import Refused
from comptoir.connectors.prestashop.webhooks import PrestaShopWebhooks

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b'{"topic": "sale", "id": "1207", "novelty": 1}'


def headers(body: bytes = BODY, *, at: datetime = NOW, secret: str = SECRET, event: str = "msg_1") -> dict[str, str]:
    signature = Webhook(secret).sign(event, at, body.decode())
    return {"Webhook-Id": event, "Webhook-Timestamp": str(int(at.timestamp())), "Webhook-Signature": signature}


def test_a_signed_notice_names_what_changed() -> None:
    hint = PrestaShopWebhooks().hint(headers(), BODY, SECRET, at=NOW)
    assert (hint.event_id, hint.topic, hint.external_id) == ("msg_1", "sale", "1207")


def test_one_good_signature_among_several_is_enough_while_a_secret_is_changed() -> None:
    given = headers()
    given["Webhook-Signature"] = "v1,bm90aGluZw== " + given["Webhook-Signature"]
    assert PrestaShopWebhooks().hint(given, BODY, SECRET, at=NOW).external_id == "1207"


OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, BODY),
        (headers(secret=OTHER), BODY),
        (headers(), BODY.replace(b"1207", b"1208")),
        (headers(at=NOW - timedelta(minutes=6)), BODY),
        (headers(at=NOW + timedelta(minutes=6)), BODY),
        ({**headers(), "Webhook-Timestamp": "soon"}, BODY),
        ({**headers(), "Webhook-Timestamp": "9" * 30}, BODY),
        ({**headers(), "Webhook-Timestamp": "-1"}, BODY),
        ({**headers(), "Webhook-Id": "msg_2"}, BODY),
        ({**headers(), "Webhook-Signature": "é"}, BODY),
        (headers(b"[]"), b"[]"),
        (headers(b'{"topic": "weather", "id": "1"}'), b'{"topic": "weather", "id": "1"}'),
        (headers(b'{"topic": "sale", "id": 1}'), b'{"topic": "sale", "id": 1}'),
        (headers(), b"\xff\xfe"),
    ],
)
def test_anything_else_is_refused(given: dict[str, str], body: bytes) -> None:
    with pytest.raises(Refused):
        PrestaShopWebhooks().hint(given, body, SECRET, at=NOW)

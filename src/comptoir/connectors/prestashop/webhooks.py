"""A signed notice from a small module inside the shop: PrestaShop itself has no webhooks. README.md shows the module."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct
from standardwebhooks import Webhook

from comptoir.channels.errors import Refused

AGE = timedelta(minutes=5)


class Notice(Struct, frozen=True):
    """The body."""

    topic: Literal["sale", "product", "stock"]
    id: str


class SignedHint(Struct, frozen=True, kw_only=True):
    """channels.abilities.Hint."""

    event_id: str
    topic: str
    external_id: str


class PrestaShopWebhooks:
    """WebhookSource."""

    def hint(self, headers: Mapping[str, str], body: bytes, secret: str, *, at: datetime) -> SignedHint:
        given = {name.lower(): text for name, text in headers.items()}
        event_id, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
        if not event_id or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            raise Refused("webhook-id or webhook-timestamp is missing")
        sent = datetime.fromtimestamp(int(stamp), UTC)
        try:
            expected = Webhook(secret).sign(event_id, sent, body.decode())
        except ValueError as error:
            raise Refused("the body is not text, or the secret is not one") from error
        offered = given.get("webhook-signature", "").split(" ")
        if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in offered):
            raise Refused("the signature is wrong")
        if abs(at - sent) > AGE:
            raise Refused("the notice is too old, or a clock is wrong", sent=sent.isoformat())
        try:
            notice = msgspec.json.decode(body, type=Notice)
        except msgspec.DecodeError as error:
            raise Refused(f"the body is not a notice: {error}") from error
        return SignedHint(event_id=event_id, topic=notice.topic, external_id=notice.id)

"""WebhookSource: a signed notice that something changed. What it changed to is asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from comptoir.channels.errors import Refused

AGE = timedelta(minutes=5)


class Notice(Struct, frozen=True):
    """The body."""

    event: str
    about: Literal["sale", "product", "stock"]
    id: str


class SignedHint(Struct, frozen=True, kw_only=True):
    """channels.abilities.Hint."""

    event_id: str
    topic: str
    external_id: str


class AcmeWebhooks:
    """`x-signature` is the HMAC-SHA256, in hex, of `x-time`, a full stop and the body."""

    def hint(self, headers: Mapping[str, str], body: bytes, secret: str, *, at: datetime) -> SignedHint:
        given = {name.lower(): text for name, text in headers.items()}
        stamp, signature = given.get("x-time", ""), given.get("x-signature", "")
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            raise Refused("x-time is missing")
        expected = sign(stamp, body, secret)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise Refused("the signature is wrong")
        if abs(at - datetime.fromtimestamp(int(stamp), UTC)) > AGE:
            raise Refused("the notice is too old, or a clock is wrong", sent=stamp)
        try:
            notice = msgspec.json.decode(body, type=Notice)
        except msgspec.DecodeError as error:
            raise Refused(f"the body is not a notice: {error}") from error
        return SignedHint(event_id=notice.event, topic=notice.about, external_id=notice.id)


def sign(stamp: str, body: bytes, secret: str) -> str:
    """The signature of a delivery."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()

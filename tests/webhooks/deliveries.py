"""A channel that may deliver, and senders that call the door as a server would."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from comptoir.channels.channel import box
from comptoir.channels.models import Channel
from comptoir.kit import clock, ids
from comptoir.webhooks.door import Door

SECRET = "whsec_" + base64.b64encode(b"a shop and its hub know this").decode()


def make_channel(code: str = "shop", secret: str = SECRET) -> Channel:
    return Channel.objects.create(
        name="A shop", code=code, kind="prestashop", sealed=box().close({"webhook_secret": secret}),
        webhook_token=ids.token(), created_at=clock.now(),
    )  # fmt: skip


def notice(external_id: str = "1207", topic: str = "sale") -> bytes:
    return f'{{"topic": "{topic}", "id": "{external_id}"}}'.encode()


def signed(body: bytes, event: str, *, at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event, at, body.decode()),
    }


@dataclass
class Answered:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def ask(
    door: Door, path: str, *, headers: dict[str, str] | None = None, parts: Iterable[bytes] = (), method: str = "POST",
    then: Callable[[], Any] | None = None,
) -> Answered:  # fmt: skip
    """Call the door as a server would; the body comes in these parts, then what `then` gives (a disconnect, or nothing ever)."""
    left = list(parts) or [b""]
    answered = Answered()

    async def receive() -> dict[str, Any]:
        if left:
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left) or then is not None}
        assert then is not None
        result: dict[str, Any] = await then()
        return result

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = {name.decode(): text.decode() for name, text in message["headers"]}
        else:
            answered.body += message["body"]

    encoded = [(name.encode(), text.encode("latin-1")) for name, text in (headers or {}).items()]
    await door({"type": "http", "path": path, "method": method, "headers": encoded}, receive, send)
    return answered


async def deliver(door: Door, channel: Channel, event: str, body: bytes | None = None, **options: Any) -> Answered:
    body = notice() if body is None else body
    return await ask(
        door, f"/hooks/{channel.webhook_token}", headers=signed(body, event, **options), parts=[body]
    )  # fmt: skip


Opened = Callable[..., Any]  # the fixture `opened`

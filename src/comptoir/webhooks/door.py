"""The door for webhooks: a bare ASGI application for `POST /hooks/<token>`, beside Django or alone.

A delivery is verified, kept once, and answered 2xx only after its commit; whatever goes wrong before is an answer that
makes the sender come again. It is a hint: what it is about is fetched by a flow. `inbox.py` hands deliveries over.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from comptoir import connectors
from comptoir.channels.connector import Connector
from comptoir.channels.errors import Refused
from comptoir.kit import clock
from comptoir.kit.log import set_up as set_up_log
from comptoir.kit.secrets import Box
from comptoir.kit.settings import secret_keys, settings
from comptoir.webhooks.connection import Connection, DatabaseAway
from comptoir.webhooks.known import CannotVerify, Channels, Known
from comptoir.webhooks.writer import CannotBeKept, Writer

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/hooks/"
HEALTH = "/healthz"
AGAIN = "5"  # seconds after which a sender may try again
LENGTHS = {"event_id": 160, "topic": 20, "external_id": 120}  # as webhooks.models.Delivery has them


@dataclass(frozen=True, slots=True)
class Limits:
    """What senders may ask of us."""

    body: int = 1 << 20  # bytes
    together: int = 64 << 20  # bytes being read or waiting, so that many senders cannot fill the memory
    reading: float = 10.0  # seconds for a whole body: a sender that trickles is let go
    keeping: float = 10.0  # seconds for PostgreSQL: senders give up at about that time


class Answer(NamedTuple):
    """A status with its words."""

    status: int
    text: str = ""
    retry_after: str = ""
    allow: str = ""
    closes: bool = False  # the rest of the body is not read: this connection cannot be used again

    async def send(self, send: Send) -> None:
        body = json.dumps({"status": self.status, "detail": self.text}).encode() if self.text else b""
        headers = [(b"content-length", str(len(body)).encode())]
        if body:
            headers.append(
                (b"content-type", b"application/problem+json" if self.status >= 400 else b"application/json")
            )
        if self.retry_after:
            headers.append((b"retry-after", self.retry_after.encode()))
        if self.allow:
            headers.append((b"allow", self.allow.encode()))
        if self.closes:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


KEPT = Answer(200)
WELL = Answer(200, "ok")
# One answer for a token nobody has and for a signature that does not fit: it must not say which tokens exist.
NOT_HERE = Answer(404, "no channel has this address, or the delivery is not signed with its secret")
NO_PAGE = Answer(404, "there is nothing here", closes=True)
NOT_POST = Answer(405, "deliveries are posted", allow="POST", closes=True)
TOO_LARGE = Answer(413, "a delivery is not that large", closes=True)
TOO_SLOW = Answer(408, "a delivery must arrive in a few seconds", closes=True)
CUT_OFF = Answer(400, "the delivery ended too early", closes=True)
NOT_TAKEN = Answer(422, "the delivery is verified but cannot be kept")
LATER = Answer(503, "the delivery could not be kept: send it again", retry_after=AGAIN)
BUSY = Answer(503, "too much is being delivered at once: send it again", retry_after=AGAIN, closes=True)


class _TooLarge(Exception):
    """More was sent than a delivery may have."""


class _CutOff(Exception):
    """The sender went away in the middle of its body."""


class Door:
    """The application. `url` and `find` are handed in, so that it can be run on any database with any connectors."""

    def __init__(
        self,
        url: Callable[[], str],
        find: Callable[[str], Connector | None],
        box: Callable[[], Box],
        limits: Limits = Limits(),
    ) -> None:
        self._limits = limits
        self._connection = Connection(url, limits.keeping)
        self._channels = Channels(self._connection, find, box)
        self._writer = Writer(self._connection)
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(scope, receive)).send(send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's start and end."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                set_up_log(settings().log_level)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._connection.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path: str = scope["path"]
        if path == HEALTH:
            return WELL
        token = path.removeprefix(PREFIX)
        if token == path or not token:
            return NO_PAGE
        if scope["method"] != "POST":
            return NOT_POST
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
        stated = headers.get("content-length", "")
        if stated and not (
            stated.isascii() and stated.isdigit() and len(stated) < 10 and int(stated) <= self._limits.body
        ):
            return TOO_LARGE
        # What is stated is set aside at once; a body of unstated length may become as large as allowed.
        room = int(stated) if stated else self._limits.body
        if self._bytes + room > self._limits.together:
            return BUSY
        self._bytes += room
        try:
            async with asyncio.timeout(self._limits.reading):
                body = await _read(receive, self._limits.body)
            return await self._take(token, headers, body)
        except TimeoutError:
            return TOO_SLOW
        except _TooLarge:
            return TOO_LARGE
        except _CutOff:
            return CUT_OFF
        except (DatabaseAway, CannotVerify):
            return LATER
        finally:
            self._bytes -= room

    async def _take(self, token: str, headers: dict[str, str], body: bytes) -> Answer:
        known = await self._channels.find(token)
        if known is None:
            hmac.digest(b"nobody", body, "sha256")  # takes about as long as a signature that does not fit
            return NOT_HERE
        try:
            hint = known.source.hint(headers, body, known.secret, at=clock.now())
        except Refused as error:
            log.info("a delivery is refused", extra={"channel": known.channel, "reason": str(error)})
            return NOT_HERE
        if hint is None:
            return KEPT  # a ping: well signed, and there is nothing to keep
        return await self._keep(known, hint.event_id, hint.topic, hint.external_id, body)

    async def _keep(self, known: Known, event_id: str, topic: str, external_id: str, body: bytes) -> Answer:
        for name, text in (("event_id", event_id), ("topic", topic), ("external_id", external_id)):
            # Checked here, since one row that PostgreSQL refuses fails the group it is in.
            if not text or len(text) > LENGTHS[name] or "\0" in text:
                log.warning("a delivery cannot be kept", extra={"channel": known.channel, "field": name})
                return NOT_TAKEN
        try:
            await self._writer.keep(known.channel, event_id, topic, external_id, body)
        except CannotBeKept:
            return NOT_TAKEN
        return KEPT


async def _read(receive: Receive, largest: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        if len(whole) > largest:
            raise _TooLarge
        return whole
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise _CutOff
        part = message.get("body", b"")
        size += len(part)
        if size > largest:
            raise _TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def _box() -> Box:
    return Box(secret_keys(settings()))


application = Door(lambda: settings().database_url, connectors.find, _box)

"""Calls to WooCommerce's REST API: addresses, ways of saying who we are, errors in its own codes. No words of the business."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw

from comptoir.channels.connector import Call, Door, Reply
from comptoir.channels.errors import ChannelError, Missing, NotLetIn, NotUnderstood, Refused, Unknown
from comptoir.channels.records import Odd
from comptoir.connectors.woocommerce import wire
from comptoir.connectors.woocommerce.config import WooCommerceConfig
from comptoir.kit import clock

V3 = "wc/v3"
JSON = {"content-type": "application/json; charset=utf-8"}
#: Codes with which WordPress turns a stranger away: the key was not seen at all, or is not known.
_STRANGER = "woocommerce_rest_cannot_"
#: A key that is wrong, or that lacks a right: the message says which.
_REFUSED_KEY = "woocommerce_rest_authentication_error"


class WooCommerceClient:
    """One shop behind one door. Odd things met on the way wait in `take_odd`."""

    def __init__(self, config: WooCommerceConfig, door: Door) -> None:
        self.config = config
        self._door = door
        self._lock = threading.Lock()
        self._odd: list[Odd] = []
        self.in_address = config.keys_in_address  # of two ways of saying who we are, the one that gets through
        self._is_known = False  # whether the shop has let us in
        self.date: datetime | None = None  # the shop's clock at its last answer

    # -- reading ---------------------------------------------------------------------------------------------------

    def index(self, *, plain: bool | None = None) -> Any:
        """What the site says to anybody; `plain`: by `rest_route`, which answers whatever the form of its addresses.

        Our key is not shown here: only WooCommerce's own routes know it, and WordPress would take it for a password of its own.
        """
        by_route = self.config.plain if plain is None else plain
        url, params = f"{self.config.site}/wp-json/", {}
        if by_route:
            url, params = f"{self.config.site}/", {"rest_route": "/"}
        call = Call("GET", url, params, {"accept": "application/json"})
        reply = self._exchange(call, "", writes=False)
        return msgspec.json.decode(msgspec.json.encode(self._document(reply, "GET", "")))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """One document as plain values."""
        raw, _ = self._read(path, params)
        return msgspec.json.decode(msgspec.json.encode(raw))

    def rows(self, path: str, params: Mapping[str, str] | None = None) -> tuple[list[Raw], int | None]:
        """The objects of a list, and how many there are in all where the shop says so."""
        found, reply = self._read(path, params)
        if not isinstance(found, list):
            raise NotUnderstood(f"{path} is no list", answer=bytes(found)[:2_000].decode("utf-8", "replace"))
        total = reply.headers.get("x-wp-total", "")
        return found, int(total) if total.isdigit() else None

    def one(self, path: str, params: Mapping[str, str] | None = None) -> Raw:
        """One object."""
        found, _ = self._read(path, params)
        if isinstance(found, list):
            raise NotUnderstood(
                f"{path} is a list", answer=msgspec.json.encode(found)[:2_000].decode("utf-8", "replace")
            )
        return found

    def ask_to_write(self, path: str) -> None:
        """An empty batch: it saves nothing, and is refused like a full one where our key may not write."""
        self._send("POST", path, None, b"{}", writes=False)

    def picture(self, address: str) -> tuple[bytes, str]:
        """The bytes of an image and their type. It is public: nobody is told who asks."""
        reply = self._door.read("GET", address)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()
        if not kind.startswith("image/"):
            raise NotUnderstood(
                f"{address} is {kind or 'nothing'}, not an image", answer=reply.body[:200].decode("latin-1")
            )
        return reply.body, kind

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None
    ) -> None:
        """Send an object. What the shop says back is not needed; an answer that is none leaves open whether it was saved."""
        body = None if content is None else msgspec.json.encode(content)
        reply = self._send(method, path, params, body, writes=True)
        try:
            self._document(reply, method, path)
        except NotUnderstood as error:
            raise Unknown(f"{method} {path}: {error}", **error.facts) from error

    def write_each(self, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Raw | ChannelError]:
        """Post a batch to each path, several at the same time; the answer of each, or what became of it."""
        if not self._is_known and not self.in_address:
            self._find_way()
        calls = [self._call("POST", path, None, msgspec.json.encode(content)) for path, content in rows]
        found: list[Raw | ChannelError] = []
        for (path, _), outcome in zip(rows, self._door.write_each(calls), strict=True):
            if isinstance(outcome, ChannelError):
                found.append(_refined(outcome, "POST", path))
                continue
            try:
                answer = self._document(outcome, "POST", path)
            except NotUnderstood as error:
                found.append(error)
                continue
            found.append(Raw(msgspec.json.encode(answer)) if isinstance(answer, list) else answer)
        return found

    # -- what was met ----------------------------------------------------------------------------------------------

    def note(self, odd: Odd) -> None:
        """Keep something untidy for the page that is being read."""
        with self._lock:
            self._odd.append(odd)

    def take_odd(self) -> tuple[Odd, ...]:
        """What was noted since the last time."""
        with self._lock:
            taken, self._odd = tuple(self._odd), []
        return taken

    # -- one call --------------------------------------------------------------------------------------------------

    def _read(self, path: str, params: Mapping[str, str] | None) -> tuple[list[Raw] | Raw, Reply]:
        reply = self._send("GET", path, params, None, writes=False)
        return self._document(reply, "GET", path), reply

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None, *, writes: bool
    ) -> Reply:
        try:
            return self._try(method, path, params, body, writes=writes)
        except NotLetIn as error:
            if self._is_known or self.in_address or not _is_stranger(error):
                raise
            # We did say who we are. Perhaps the web server took the header away: the other way shows it.
            self.in_address = True
            try:
                return self._try(method, path, params, body, writes=writes)
            except ChannelError:
                self.in_address = False
                raise error from None

    def _try(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None, *, writes: bool
    ) -> Reply:
        reply = self._exchange(self._call(method, path, params, body), path, writes=writes)
        self._is_known = self._is_known or path.startswith(V3)
        return reply

    def _exchange(self, call: Call, path: str, *, writes: bool) -> Reply:
        send = self._door.write if writes else self._door.read
        try:
            reply = send(call.method, call.url, params=call.params, headers=call.headers, body=call.body)
        except ChannelError as error:
            refined = _refined(error, call.method, path, writes=writes)
            if refined is error:
                raise
            raise refined from error
        self.date = _date(reply.headers.get("date", "")) or self.date
        return reply

    def _find_way(self) -> None:
        """One small question, so that several calls at once need not find out who gets through."""
        self.rows(f"{V3}/orders", {"per_page": "1", "_fields": "id"})

    def _call(self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None) -> Call:
        """The whole call, signed anew each time: a nonce counts once."""
        site, asked = self.config.site, dict(params or {})
        url = f"{site}/wp-json/{path}"
        if self.config.plain:
            url, asked = f"{site}/", {"rest_route": f"/{path}", **asked}
        headers = dict(JSON) if body is not None else {}
        headers["accept"] = "application/json"
        if self.config.is_secure:
            pair = {"consumer_key": self.config.key, "consumer_secret": self.config.secret}
            if self.in_address:
                asked |= pair
            else:
                text = f"{self.config.key}:{self.config.secret}"
                headers["authorization"] = "Basic " + base64.b64encode(text.encode()).decode()
        else:
            signed = self._signed(method, url, asked)
            if self.in_address:
                asked |= signed
            else:
                words = ", ".join(f'{name}="{_encoded(text)}"' for name, text in signed.items())
                headers["authorization"] = f"OAuth {words}"
        return Call(method, url, asked, headers, body)

    def _signed(self, method: str, url: str, params: Mapping[str, str]) -> dict[str, str]:
        """OAuth 1.0a with one leg: our key, no token, HMAC-SHA256 over method, address and every parameter."""
        given = {
            "oauth_consumer_key": self.config.key,
            "oauth_timestamp": str(int(clock.now().timestamp())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
        }
        pairs = sorted((_encoded(name), _encoded(text)) for name, text in {**params, **given}.items())
        told = "&".join((method, _encoded(url), _encoded("&".join(f"{name}={text}" for name, text in pairs))))
        digest = hmac.new(f"{self.config.secret}&".encode(), told.encode(), hashlib.sha256).digest()
        return {**given, "oauth_signature": base64.b64encode(digest).decode()}

    def _document(self, reply: Reply, method: str, path: str) -> list[Raw] | Raw:
        try:
            found, junk = wire.document(reply.body)
        except NotUnderstood as error:
            error.facts.update(method=method, url=f"{self.config.site}/wp-json/{path}", status=reply.status)
            raise
        if junk:
            self.note(
                Odd(code="junk_in_answer", subject="shop", severity="info", facts={"path": path, "text": junk[:500]})
            )
        return found


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_stranger(error: NotLetIn) -> bool:
    return error.facts.get("status") == 401 and str(error.facts.get("code", "")).startswith(_STRANGER)


def _refined(error: ChannelError, method: str, path: str, *, writes: bool = True) -> ChannelError:
    """What the shop's own code means; a firewall's page has none."""
    text, status = str(error.facts.get("text", "")), error.facts.get("status")
    said = _said(text)
    if said is None:
        if status in (403, 406) and "<" in text:
            return NotLetIn(
                "a firewall of the shop or its host answers instead of the shop",
                **{**error.facts, "right": "firewall", "hint": "firewall"},
            )
        return error
    code, reason = str(said.get("code", "")), str(said.get("message", ""))
    error.facts.update(code=code, reason=reason)
    resource = path.removeprefix(f"{V3}/").partition("/")[0].partition("?")[0]
    if isinstance(error, NotLetIn):
        is_one = status == 403 or (code == _REFUSED_KEY and "permissions" in reason)
        error.facts["right"] = f"{resource}: {method}" if is_one else "key"
        return error
    if isinstance(error, Refused):
        kind = NotUnderstood if code == "rest_invalid_param" and not writes else type(error)
        facts: dict[str, Any] = {**error.facts, **({"answer": text} if kind is NotUnderstood else {})}
        return kind(f"{reason} ({code})", **facts)
    return error


def _said(text: str) -> dict[str, Any] | None:
    """An error of WordPress: `{code, message, data}`; notices may stand in front."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "code" in found else None


def lacks_route(error: Missing) -> bool:
    """Whether there is no such route, rather than no such object."""
    return error.facts.get("code") == "rest_no_route"

"""Calls to Shopify's Admin API: tokens, operations, points, errors under status 200, pages. No words of the business."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from comptoir.channels.connector import Door, Reply
from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood, Refused, TryLater, Unknown
from comptoir.connectors.shopify.config import ShopifyConfig
from comptoir.kit import clock

EARLIER = timedelta(minutes=5)  # a token is asked for again so long before it ends
ENOUGH = 900  # points that a page may cost; 1000 is the most for one operation, on every plan
KEPT = 2_000  # characters of an answer that an error carries

JSON = {"content-type": "application/json", "accept": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}

_NOT_LET_IN = ("ACCESS_DENIED", "SHOP_INACTIVE", "FORBIDDEN", "UNAUTHORIZED")
_THEIRS = ("INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE")


class TooCostly(Refused):
    """The operation may cost more than any may: it must be asked for less, never again as it is."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    until: datetime


class _Tokens:
    """Tokens of this process, so that a run every few seconds does not ask for one each time. One asks for an account's
    while others wait for it; accounts do not wait for one another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._kept: dict[str, _Token] = {}

    def get(self, key: str, ask: Callable[[], _Token]) -> str:
        with self._lock:
            turn = self._asking.setdefault(key, threading.Lock())
        with turn:
            kept = self._kept.get(key)
            if kept is None or kept.until <= clock.now():
                kept = self._kept[key] = ask()
            return kept.text

    def forget(self, key: str, text: str) -> None:
        with self._lock:
            if key in self._kept and self._kept[key].text == text:
                del self._kept[key]


_tokens = _Tokens()


class PageSize:
    """How many to ask for at once: less where the page was too costly, more where it was cheap. A cursor keeps it, so that
    a reading goes on as it was."""

    def __init__(self, start: int, most: int) -> None:
        self.now = start
        self._most = most

    def go_on(self, cursor: Mapping[str, object]) -> None:
        """As large as it was when that cursor was made."""
        kept = str(cursor.get("size", ""))
        if kept.isdigit() and int(kept):
            self.now = min(self._most, int(kept))

    def learn(self, points: float) -> None:
        """What the last page may have cost: twice as many where they would still fit, were each to cost as much."""
        if 0 < 2 * points <= ENOUGH:
            self.now = min(self._most, 2 * self.now)
        elif points > ENOUGH:
            self.now = max(1, self.now * 3 // 4)

    def shrink(self, error: TooCostly) -> None:
        """Half of it; raises the error where there is nothing left to halve."""
        if self.now <= 1:
            raise error
        self.now //= 2


class ShopifyClient:
    """One shop behind one door."""

    def __init__(self, config: ShopifyConfig, door: Door) -> None:
        self.config = config
        self._door = door
        self.points = 0.0  # what the last operation may have cost, as the shop reckons before it runs
        self.version = ""  # that the shop answered in

    def __repr__(self) -> str:
        return f"ShopifyClient({self.config!r})"

    # -- operations ------------------------------------------------------------------------------------------------------

    def ask(self, query: str, /, **variables: object) -> dict[str, Any]:
        """The data of an operation that changes nothing there."""
        return self._operate(query, variables, writes=False)

    def change(self, mutation: str, /, **variables: object) -> dict[str, Any]:
        """The payload of a mutation: its business errors are still in it."""
        data = self._operate(mutation, variables, writes=True)
        return _payload(data)

    def start(self, mutation: str, /, **variables: object) -> dict[str, Any]:
        """The payload of a mutation that changes nothing in the shop, such as the start of a bulk operation."""
        return _payload(self._operate(mutation, variables, writes=False))

    def pages(
        self, query: str, path: Sequence[str], size: PageSize, after: str | None, /, **variables: object
    ) -> Iterator[tuple[list[Any], str | None, bool]]:
        """The rows of a list page by page, the place after them, and whether that was all."""
        while True:
            try:
                data = self.ask(query, first=size.now, after=after, **variables)
            except TooCostly as error:
                size.shrink(error)
                continue
            size.learn(self.points)
            rows, after, is_last = page_of(data, path)
            yield rows, after, is_last
            if is_last:
                return

    def rest(self, query: str, path: Sequence[str], identity: str, begun: Mapping[str, Any]) -> list[Any]:
        """All rows of a list within an object, of which the first page is here."""
        rows = list(begun["nodes"])
        info = begun["pageInfo"]
        while info["hasNextPage"]:
            data = self.ask(query, id=identity, after=info["endCursor"])
            found = _at(data, path)
            if found is None:
                raise NotUnderstood(f"{identity} went away while it was read", answer="")
            rows += found["nodes"]
            info = found["pageInfo"]
        return rows

    def complete(self, query: str, path: Sequence[str], owner: dict[str, Any]) -> None:
        """Make a list within an object whole where only its first page is here. `path` ends with the list's name."""
        begun = owner.get(path[-1])
        if isinstance(begun, dict) and (begun.get("pageInfo") or {}).get("hasNextPage"):
            owner[path[-1]] = {"nodes": self.rest(query, path, str(owner.get("id")), begun)}

    def fetch(self, url: str, *, headers: Mapping[str, str] | None = None, ok: tuple[int, ...] = (200,)) -> Reply:
        """A file: its address is its own key, so no token goes along, and what is closed there says nothing of ours."""
        try:
            return self._door.read("GET", url, headers=headers, ok=ok)
        except NotLetIn as error:
            raise Missing("the file is not to be had", **error.facts) from error

    # -- one call --------------------------------------------------------------------------------------------------------

    def _operate(self, query: str, variables: Mapping[str, object], *, writes: bool) -> dict[str, Any]:
        body = msgspec.json.encode({"query": query, "variables": variables})
        reply = self._send(body, writes=writes)
        self.version = reply.headers.get("x-shopify-api-version", "")
        with _about(self.config.endpoint, reply):
            content = _decoded(reply)
            cost = (content.get("extensions") or {}).get("cost") or {}
            self._tell_points(cost)
            if errors := content.get("errors"):
                raise self._problem(errors, cost, reply, writes=writes)
            data = content.get("data")
            if not isinstance(data, dict):
                raise NotUnderstood("an answer without data", answer=_text(reply))
        return data

    def _send(self, body: bytes, *, writes: bool) -> Reply:
        call = self._door.write if writes else self._door.read
        for is_again in (False, True):
            token = self._token()
            try:
                return call(
                    "POST",
                    self.config.endpoint,
                    headers={**JSON, "x-shopify-access-token": token},
                    body=body,
                    ok=(200,),
                )
            except NotLetIn as error:
                # A token may be taken back before its time; a new one is asked for once. Nothing was done with the old.
                if self.config.token or error.facts.get("status") != 401 or is_again:
                    error.facts.setdefault("right", "token")
                    raise
                _tokens.forget(self._account, token)
            except Missing as error:
                raise NotLetIn("there is no shop at this address", right="shop", **error.facts) from error
        raise AssertionError

    def _token(self) -> str:
        return self.config.token or _tokens.get(self._account, self._grant)

    @property
    def _account(self) -> str:
        config = self.config
        return hashlib.sha256(f"{config.base} {config.client_id} {config.client_secret}".encode()).hexdigest()

    def _grant(self) -> _Token:
        """A token for the client ID and its secret: it lives for a day."""
        form = {
            "client_id": self.config.client_id,
            "client_secret": self.config.client_secret,
            "grant_type": "client_credentials",
        }
        url = f"{self.config.base}/admin/oauth/access_token"
        try:
            reply = self._door.read("POST", url, headers=FORM, body=urlencode(form).encode())
        except Refused as error:
            raise NotLetIn("Shopify does not take this client ID and secret", right="client", **error.facts) from error
        with _about(url, reply):
            given = _decoded(reply)
            text, seconds = given.get("access_token"), given.get("expires_in")
            if not isinstance(text, str) or not text:
                raise NotUnderstood("an answer without a token", answer="")
        life = timedelta(seconds=seconds if isinstance(seconds, int) else 3600)
        return _Token(text, clock.now() + life - min(EARLIER, life / 10))

    # -- what an answer says -------------------------------------------------------------------------------------------

    def _tell_points(self, cost: Mapping[str, Any]) -> None:
        status = cost.get("throttleStatus") or {}
        self.points = float(cost.get("requestedQueryCost") or 0)
        if status:
            self._door.points(
                float(status.get("currentlyAvailable") or 0),
                float(status.get("maximumAvailable") or 0),
                float(status.get("restoreRate") or 0),
                wanted=self.points,
            )

    def _problem(self, errors: Any, cost: Mapping[str, Any], reply: Reply, *, writes: bool) -> Exception:
        """The fate that the first telling error means: GraphQL answers 200 whatever happened."""
        rows = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        by_code = {str((one.get("extensions") or {}).get("code", "")): one for one in reversed(rows)}
        words = "; ".join(str(one.get("message", "")) for one in rows) or str(errors)
        facts: dict[str, Any] = {"url": self.config.endpoint, "status": reply.status, "text": words[:KEPT]}
        if "THROTTLED" in by_code:
            wait = _wait(cost)
            self._door.wait(wait)
            return TryLater("the shop's points are used up for now", wait=wait, **facts)
        if "MAX_COST_EXCEEDED" in by_code:
            return TooCostly(words, **facts)
        for code in _NOT_LET_IN:
            if code in by_code:
                told = by_code[code].get("extensions") or {}
                right = str(told.get("requiredAccess", "")).partition(" access")[0].strip("` ") or code.lower()
                return NotLetIn(words, right=right, **facts)
        if any(code in by_code for code in _THEIRS):
            return Unknown(words, **facts) if writes else TryLater(words, **facts)
        return NotUnderstood(words, answer=_text(reply), **facts)


def page_of(data: Mapping[str, Any], path: Sequence[str]) -> tuple[list[Any], str | None, bool]:
    """The rows at a place of an answer, the cursor after them, whether that was all."""
    found = _at(data, path)
    if found is None:
        raise Missing(f"{path[0]} is not there")
    try:
        info = found["pageInfo"]
        return list(found["nodes"]), info["endCursor"], not info["hasNextPage"]
    except (KeyError, TypeError) as error:
        raise NotUnderstood(f"{'.'.join(path)} is not a list", answer=str(found)[:KEPT]) from error


def _at(data: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _payload(data: Mapping[str, Any]) -> dict[str, Any]:
    found = [value for value in data.values() if isinstance(value, dict)]
    # A field that nobody has heard of may stand beside it.
    payload = next((one for one in found if any(name.lower().endswith("usererrors") for name in one)), None)
    if payload is None:
        raise NotUnderstood("a mutation without its payload", answer=str(data)[:KEPT])
    return payload


@contextmanager
def _about(url: str, reply: Reply) -> Iterator[None]:
    """What is not understood says which call it was."""
    try:
        yield
    except NotUnderstood as error:
        error.facts.update(method="POST", url=url, status=reply.status)
        raise


def _decoded(reply: Reply) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(reply.body)
    except msgspec.DecodeError as error:
        raise NotUnderstood(f"not JSON: {error}", status=reply.status, answer=_text(reply)) from error
    if not isinstance(content, dict):
        raise NotUnderstood("not an object", status=reply.status, answer=_text(reply))
    return content


def _text(reply: Reply) -> str:
    return reply.body[: 4 * KEPT].decode("utf-8", "replace")[:KEPT]


def _wait(cost: Mapping[str, Any]) -> float:
    status = cost.get("throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    rate = float(status.get("restoreRate") or 0)
    return max(0.1, missing / rate) if rate > 0 else 1.0

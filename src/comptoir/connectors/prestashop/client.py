"""Calls to PrestaShop's webservice: addresses, authentication, errors in its own codes, lists. No words of the business."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from comptoir.channels.connector import Call, Door, Reply
from comptoir.channels.errors import ChannelError, Missing, NotLetIn, NotUnderstood, Refused, TryLater
from comptoir.channels.records import Odd
from comptoir.connectors.prestashop import wire
from comptoir.connectors.prestashop.config import PrestaShopConfig
from comptoir.kit import clock

_ERROR = re.compile(
    r"<code>(?:<!\[CDATA\[)?(\d+)(?:\]\]>)?</code>\s*<message>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</message>", re.DOTALL
)

XML = {"content-type": "text/xml; charset=utf-8"}

#: Code of the webservice -> fate, where the status alone would mislead (PrestaShop 8.2.1 and 9.0.3).
_FATES: Mapping[int, type[ChannelError]] = {
    **dict.fromkeys((16, 17, 18, 20, 21, 26, 25, 132), NotLetIn),
    22: NotLetIn,  # the webservice is switched off: only a person can switch it on
    **dict.fromkeys((32, 33, 34, 35, 36, 37, 38, 39), NotUnderstood),  # our question does not fit this version
    23: NotUnderstood,
    101: NotUnderstood,
    127: NotUnderstood,
    **dict.fromkeys((41, 84, 85, 89, 90, 91, 93), Refused),
    133: Refused,  # stock governed by advanced stock management (1.7)
    **dict.fromkeys((59, 61, 131), Missing),
}


class PrestaShopClient:
    """One shop behind one door. Odd things met on the way wait in `take_odd`."""

    def __init__(self, config: PrestaShopConfig, door: Door) -> None:
        self.config = config
        self._door = door
        # The key is the user name; as a parameter it would be in every log on the way.
        self._headers = {"authorization": "Basic " + base64.b64encode(f"{config.key}:".encode()).decode()}
        self._lock = threading.Lock()
        self._odd: list[Odd] = []
        self.version_text = config.version
        self._heard = False  # whether the shop has answered at all, so that a hidden version is asked for once
        self.clock_skew: float | None = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Element:
        """One document."""
        return self._document(self._send("GET", path, params, None, writes=False), "GET", path)

    def rows(
        self,
        resource: str,
        *,
        filters: Mapping[str, str] | None = None,
        display: str = "full",
        sort: str = "",
        limit: int = 0,
        params: Mapping[str, str] | None = None,
    ) -> list[Element]:
        """The objects of one list."""
        asked = {"display": display, **(params or {})}
        for name, text in (filters or {}).items():
            asked[f"filter[{name}]"] = text
            if name.startswith("date_"):
                asked["date"] = "1"  # without it dates can be neither filtered nor sorted (error 32)
        if "date_" in sort:
            asked["date"] = "1"
        if sort:
            asked["sort"] = f"[{sort}]"
        if limit:
            asked["limit"] = str(limit)
        root = self.get(resource, asked)
        return list(root[0]) if len(root) else []

    def picture(self, ref: str) -> tuple[bytes, str]:
        """The bytes of an image and their type."""
        path = f"images/products/{ref}"
        reply = self._send("GET", path, None, None, writes=False)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()
        if not kind.startswith("image/"):
            raise NotUnderstood(
                f"{path} is {kind or 'nothing'}, not an image", answer=reply.body[:200].decode("latin-1")
            )
        return reply.body, kind

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(
        self,
        method: str,
        path: str,
        name: str,
        rows: Iterable[Mapping[str, object]],
        params: Mapping[str, str] | None = None,
    ) -> None:
        """Send objects; what the shop says back beyond its status is not needed."""
        self._send(method, path, params, wire.document(name, rows), writes=True)

    def write_each(
        self,
        method: str,
        name: str,
        rows: Sequence[tuple[str, Mapping[str, object]]],
        params: Mapping[str, str] | None = None,
    ) -> list[ChannelError | None]:
        """Send one object to each path, several at the same time; None where it was saved, else what became of it."""
        calls = [
            Call(method, *self._address(path, params), self._headers | XML, wire.document(name, [row]))
            for path, row in rows
        ]
        return [
            _refined(outcome, method, path) if isinstance(outcome, ChannelError) else None
            for (path, _), outcome in zip(rows, self._door.write_each(calls), strict=True)
        ]

    # -- the shop --------------------------------------------------------------------------------------------------

    @property
    def version(self) -> tuple[int, ...]:
        """(8, 2, 1), or () as long as the shop has not said so."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version_text)[:4])

    @property
    def takes_patch(self) -> bool:
        """PATCH came with 8.0. A shop that hides its version is taken for an old one: a full PUT works everywhere."""
        if not self.version and not self._heard:
            self.get("")
        return self.version[:1] >= (8,)

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

    def _send(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | None, *, writes: bool
    ) -> Reply:
        url, asked = self._address(path, params)
        headers = self._headers | XML if body is not None else self._headers
        call = self._door.write if writes else self._door.read
        try:
            reply = call(method, url, params=asked, headers=headers, body=body)
        except ChannelError as error:
            refined = _refined(error, method, path)
            if refined is error:
                raise
            raise refined from error
        self._heard = True
        if version := reply.headers.get("psws-version", ""):
            self.version_text = self.config.version or version
        if (stamp := reply.headers.get("access-time", "")).isdigit():
            self.clock_skew = int(stamp) - clock.now().timestamp()  # their clock when they answered
        return reply

    def _address(self, path: str, params: Mapping[str, str] | None) -> tuple[str, dict[str, str]]:
        if self.config.dispatcher:
            return self.config.base, {"url": path, **(params or {})}
        return f"{self.config.base}/{path}", dict(params or {})

    def _document(self, reply: Reply, method: str, path: str) -> Element:
        try:
            root, junk = wire.parse(reply.body)
        except NotUnderstood as error:
            error.facts.update(method=method, url=f"{self.config.base}/{path}", status=reply.status)
            raise
        if junk:
            self.note(
                Odd(code="junk_in_answer", subject="shop", severity="info", facts={"path": path, "text": junk[:500]})
            )
        return root


def _refined(error: ChannelError, method: str, path: str) -> ChannelError:
    """What the webservice's own code means; the status alone calls a missing right a refusal, and so on."""
    found = _ERROR.search(str(error.facts.get("text", "")))
    if found is None:
        if isinstance(error, NotLetIn) and error.facts.get("status") == 405:
            error.facts["right"] = f"{path.partition('/')[0]}: {method}"
        return error
    code, message = int(found[1]), found[2].strip()
    facts: dict[str, Any] = {**error.facts, "code": code, "reason": message}
    kind = _FATES.get(code)
    if kind is None or (isinstance(error, TryLater) and error.facts.get("status") == 429):
        error.facts.update(facts)
        return error
    if kind is NotLetIn:
        facts["right"] = {
            132: "shop",
            22: "webservice",
        }.get(code, f"{path.partition('/')[0]}: {method}" if code in (20, 21, 25, 26) else "key")
        if code == 16:
            facts["hint"] = "authorization_dropped"  # we did send the key: the web server took it away
    if kind is NotUnderstood:
        facts["answer"] = facts.get("text", "")
    return kind(f"{message} (code {code})", **facts)


def lacks_right(error: NotLetIn) -> str:
    """The right that a good key lacks, such as "suppliers: GET"; empty where the key as a whole is refused."""
    code = error.facts.get("code")
    is_one = code in (25, 26) or (code is None and error.facts.get("status") == 405)
    return str(error.facts.get("right", "")) if is_one else ""


def any_of(ids: Iterable[object]) -> str:
    """A filter for these values."""
    return f"[{'|'.join(str(one) for one in ids)}]"

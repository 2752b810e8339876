"""Calls to Magento's REST API: addresses, signatures, criteria, errors in its own words. No words of the business."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from comptoir.channels.connector import Door, Reply
from comptoir.channels.errors import ChannelError, NotLetIn, NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.magento import wire
from comptoir.connectors.magento.config import MagentoConfig
from comptoir.kit import clock

PAGE = 100
MOST_PAGES = 10_000  # of one short list: whatever the shop says, a reading ends
FILTER = 3_000  # letters of one filter: the whole address has to fit where web servers stop at 8,000
#: how the shop begins when it does not like a signature, which some versions call a bad request
_SIGNING = ("oauth_", "signature ", "the signature ", "the nonce ", "the oauth_")
_PLACE = re.compile(r"%(\w+)")

#: (field, condition, value); those of an inner sequence are alternatives
Filter = tuple[str, str, str]


class MagentoClient:
    """One shop behind one door. Odd things met on the way wait in `take_odd`."""

    def __init__(self, config: MagentoConfig, door: Door) -> None:
        self.config = config
        self._door = door
        self._lock = threading.Lock()
        self._odd: list[Odd] = []
        self.clock_skew: float | None = None

    # -- reading -----------------------------------------------------------------------------------------------------

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """One answer; numbers with a point are exact, what is null is left out."""
        return self._content(self._send("GET", path, params, None, writes=False), path)

    def ask(self, path: str, body: object) -> Any:
        """A question that the shop takes as a POST and that changes nothing."""
        return self._content(self._send("POST", path, None, wire.encode(body), writes=False), path)

    def search(
        self,
        path: str,
        filters: Sequence[Filter | Sequence[Filter]] = (),
        *,
        sort: Sequence[str] = (),
        size: int = PAGE,
        page: int = 1,
        fields: str = "",
    ) -> wire.Found:
        """One page of a list; `sort` are fields, one that goes down with a minus sign."""
        params = criteria(filters, sort, size, page)
        if fields:
            params["fields"] = f"items[{fields}],total_count"
        return wire.found(self.get(path, params), path)

    def all_of(
        self,
        path: str,
        filters: Sequence[Filter | Sequence[Filter]] = (),
        *,
        sort: Sequence[str],
        fields: str = "",
        size: int = PAGE,
    ) -> Iterator[wire.Row]:
        """Every row of a short list, page by page. Some versions give their last page for ever, so the count decides."""
        read = 0
        for page in range(1, MOST_PAGES):
            found = self.search(path, filters, sort=sort, size=size, page=page, fields=fields)
            yield from found.rows
            read += len(found.rows)
            if not found.rows or (len(found.rows) < size if found.total is None else page * size >= found.total):
                return
        raise NotUnderstood(f"{path} does not end: {read} rows so far", answer="")

    def picture(self, url: str) -> tuple[bytes, str]:
        """The bytes of an image and their type: public, so without keys."""
        reply = self._door.read("GET", url)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()
        if not kind.startswith("image/"):
            raise NotUnderstood(
                f"{url} is {kind or 'nothing'}, not an image", answer=reply.body[:200].decode("latin-1")
            )
        return reply.body, kind

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, method: str, path: str, body: object, *, ok: tuple[int, ...] = (200, 201)) -> Any:
        """Send something; a `path` that begins with async/ is put into the shop's queue."""
        return self._content(self._send(method, path, None, wire.encode(body), writes=True, ok=ok), path)

    # -- the shop ----------------------------------------------------------------------------------------------------

    def note(self, odd: Odd) -> None:
        """Keep something untidy for the page that is being read."""
        with self._lock:
            self._odd.append(odd)

    def take_odd(self) -> tuple[Odd, ...]:
        """What was noted since the last time."""
        with self._lock:
            taken, self._odd = tuple(self._odd), []
        return taken

    # -- one call ----------------------------------------------------------------------------------------------------

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        *,
        writes: bool,
        ok: tuple[int, ...] = (200,),
    ) -> Reply:
        # Catalogue and stock are written for all store views: a value of one would hide what is written for all.
        store = "all" if writes else self.config.store
        mode, rest = ("async", path.removeprefix("async/")) if path.startswith("async/") else ("", path)
        url = "/".join(part for part in (self.config.base, "rest", store, mode, "V1", rest) if part)
        headers = {"accept": "application/json", "authorization": self._authorization(method, url, params or {})}
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            if writes:
                reply = self._door.write(method, url, params=params, headers=headers, body=body, ok=ok)
            else:
                reply = self._door.read(method, url, params=params, headers=headers, body=body, ok=ok)
        except ChannelError as error:
            refined = _refined(error, self.config.signs)
            if refined is error:
                raise
            raise refined from error
        self._look_at_clock(reply)
        return reply

    def _look_at_clock(self, reply: Reply) -> None:
        try:
            self.clock_skew = parsedate_to_datetime(reply.headers.get("date", "")).timestamp() - clock.now().timestamp()
        except ValueError:
            return

    def _authorization(self, method: str, url: str, params: Mapping[str, str]) -> str:
        """The token alone, or OAuth 1.0a (RFC 5849) with HMAC-SHA256: each call has its own nonce."""
        config = self.config
        if not config.signs:
            return f"Bearer {config.access_token}"
        given = {
            "oauth_consumer_key": config.consumer_key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(time.time())),  # the machine's own: a signature is not business
            "oauth_token": config.access_token,
            "oauth_version": "1.0",
        }
        given["oauth_signature"] = signature(
            method, url, {**params, **given}, config.consumer_secret, config.access_token_secret
        )
        return "OAuth " + ", ".join(f'{name}="{coded(value)}"' for name, value in given.items())

    def _content(self, reply: Reply, path: str) -> Any:
        try:
            return wire.decode(reply.body)
        except NotUnderstood as error:
            error.facts.update(url=f"{self.config.base}/rest/V1/{path}", status=reply.status)
            raise


def signature(method: str, url: str, params: Mapping[str, str], consumer_secret: str, token_secret: str) -> str:
    """RFC 5849, 3.4: method, address without query, all parameters sorted after they are encoded."""
    pairs = sorted((coded(name), coded(value)) for name, value in params.items())
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    usual = {"http": ":80", "https": ":443"}.get(scheme, "")
    address = f"{scheme}://{host.lower().removesuffix(usual)}/{path}"
    base = "&".join((method, coded(address), coded("&".join(f"{name}={value}" for name, value in pairs))))
    key = f"{coded(consumer_secret)}&{coded(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def coded(text: str) -> str:
    """RFC 3986: all but letters, digits and -._~; also for a SKU in a path."""
    return quote(text, safe="~")


def criteria(filters: Sequence[Filter | Sequence[Filter]], sort: Sequence[str], size: int, page: int) -> dict[str, str]:
    """`searchCriteria[…]`: groups are all to hold, of the filters within one any."""
    found: dict[str, str] = {}
    for place, one in enumerate(filters):
        group: Sequence[Filter] = [one] if isinstance(one[0], str) else one  # type: ignore[list-item, assignment]
        for number, (field, condition, value) in enumerate(group):
            name = f"searchCriteria[filterGroups][{place}][filters][{number}]"
            found |= {f"{name}[field]": field, f"{name}[conditionType]": condition, f"{name}[value]": value}
    for place, field in enumerate(sort):
        name = f"searchCriteria[sortOrders][{place}]"
        found |= {f"{name}[field]": field.lstrip("-"), f"{name}[direction]": "DESC" if field[0] == "-" else "ASC"}
    found |= {"searchCriteria[pageSize]": str(size), "searchCriteria[currentPage]": str(page)}
    return found


def any_of(field: str, values: Sequence[str]) -> list[Filter]:
    """Alternatives for one field. `in` takes a list by comma, so a value with a comma is asked for alone."""
    plain = [one for one in values if "," not in one]
    alone = [(field, "eq", one) for one in values if "," in one]
    return [(field, "in", ",".join(plain)), *alone] if plain else alone


def chunks(values: Sequence[str], size: int = PAGE) -> Iterator[list[str]]:
    """So many at once as one address can carry."""
    taken: list[str] = []
    letters = 0
    for one in values:
        length = len(coded(one)) + 3 + (150 if "," in one else 0)
        if taken and (len(taken) >= size or letters + length > FILTER):
            yield taken
            taken, letters = [], 0
        taken.append(one)
        letters += length
    if taken:
        yield taken


def words(told: Mapping[str, Any]) -> str:
    """Magento's message with its places filled, and those of the errors below it."""
    parameters = told.get("parameters") or {}
    message = str(told.get("message") or "")
    if isinstance(parameters, list):
        # By number, or in the order of the names: prices are refused that way.
        names = list(dict.fromkeys(_PLACE.findall(message)))
        numbered = {str(place): value for place, value in enumerate(parameters, start=1)}
        parameters = numbered if any(name in numbered for name in names) else dict(zip(names, parameters, strict=False))
    if not isinstance(parameters, dict):
        parameters = {}
    text = _PLACE.sub(lambda found: str(parameters.get(found[1], found[0])), message)
    below = told.get("errors")
    more = [words(one) for one in below if isinstance(one, dict)] if isinstance(below, list) else []
    return "; ".join([text.strip(), *more]) if more else text.strip()


def _refined(error: ChannelError, signs: bool) -> ChannelError:
    """The same fate in the shop's own words."""
    try:
        told = wire.decode(str(error.facts.get("text", "")).encode())
    except NotUnderstood:
        return error
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return error
    reason = words(told)
    facts: dict[str, Any] = {**error.facts, "reason": reason}
    if error.facts.get("status") == 400 and reason.lower().startswith(_SIGNING):
        return NotLetIn(reason, **facts, right="key")  # "signature method not supported" comes as a bad request
    if isinstance(error, NotLetIn):
        parameters = told.get("parameters")
        right = str(parameters.get("resources", "")) if isinstance(parameters, dict) else ""
        error.facts.update(facts, right=right if "::" in right else "key")
        if not signs:
            # From 2.4.4 a token alone is taken only where somebody switched it on.
            error.facts["hint"] = "bearer_refused"
        error.args = (reason,)
        return error
    if reason:
        error.args = (reason,)
        error.facts.update(facts)
    return error

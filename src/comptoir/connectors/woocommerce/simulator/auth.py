"""Who asks: keys by HTTP Basic or in the query over https, signed by OAuth 1.0a otherwise. Without, WordPress lets anybody ask
and answers what anybody may see, which of a shop's data is nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from comptoir.connectors.woocommerce.simulator.shop import Base
from comptoir.simulators.exchange import Request

WINDOW = 15 * 60  # seconds that a signed request's clock may be off
_REQUIRED = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is not a good one."""

    status: int
    code: str
    message: str
    data: Any = None


@dataclass(frozen=True)
class Caller:
    """A key that was recognised."""

    key: str
    reads: bool
    writes: bool
    manages: bool


def caller(shop: Base, request: Request) -> Caller | None:
    """Who asks; None: nobody known. Raises Problem where somebody tries and is wrong."""
    header = "" if shop.quirks.strips_authorization else request.headers.get("authorization", "")
    query = dict(request.query)  # of a name given twice the last counts, as in PHP
    if request.base_url.startswith("https:"):
        pair = _basic(header) or (query.get("consumer_key", ""), query.get("consumer_secret", ""))
        if pair[0] and pair[1]:
            return _with_secret(shop, *pair)
    return _signed(shop, request, header, query)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key, secret


def _with_secret(shop: Base, key: str, secret: str) -> Caller | None:
    known = shop.store.option("keys", {}).get(key)
    if known is None:
        return None  # an unknown key is as good as none
    if not hmac.compare_digest(known["secret"].encode(), secret.encode()):
        raise _wrong("Consumer secret is invalid.")
    return _caller(key, known)


def _signed(shop: Base, request: Request, header: str, query: dict[str, str]) -> Caller | None:
    given = dict(query)
    if header.lower().startswith("oauth "):
        for part in header[6:].split(","):
            name, _, text = part.strip().partition("=")
            given[name] = unquote(text.strip('"'))
    if not any(name in given for name in _REQUIRED):
        return None
    if missing := [name for name in _REQUIRED if name not in given]:
        raise _wrong(
            f"Missing OAuth parameters {', '.join(missing)}", "woocommerce_rest_authentication_missing_parameter"
        )
    known = shop.store.option("keys", {}).get(given["oauth_consumer_key"])
    if known is None:
        raise _wrong("Consumer key is invalid.")
    _check_signature(request, known["secret"], given)
    _check_moment(shop, given)
    return _caller(given["oauth_consumer_key"], known)


def _check_signature(request: Request, secret: str, given: dict[str, str]) -> None:
    method = given["oauth_signature_method"]
    algorithm = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1}.get(method)
    if algorithm is None:
        raise _wrong("Invalid signature - signature method is invalid.")
    offered = given.pop("oauth_signature").replace(" ", "+")
    pairs = sorted((_encoded(name), _encoded(text)) for name, text in given.items() if name != "realm")
    parameters = "&".join(f"{name}={text}" for name, text in pairs)
    place = urlsplit(request.base_url)
    address = f"{place.scheme}://{place.netloc.removesuffix(':80')}{request.path}"  # its own address, as it knows it
    told = "&".join((request.method, _encoded(address), _encoded(parameters)))
    expected = base64.b64encode(hmac.new(f"{secret}&".encode(), told.encode(), algorithm).digest()).decode()
    if not hmac.compare_digest(expected.encode(), offered.encode()):
        raise _wrong("Invalid signature - provided signature does not match.")


def _check_moment(shop: Base, given: dict[str, str]) -> None:
    stamp = int(given["oauth_timestamp"]) if given["oauth_timestamp"].isdigit() else 0
    now = int(shop.clock.now().timestamp())
    if abs(now - stamp) > WINDOW:
        raise _wrong("Invalid timestamp.")
    shop.store.execute("DELETE FROM nonces WHERE at < ?", (now - WINDOW,))
    key, nonce = given["oauth_consumer_key"], given["oauth_nonce"]
    if shop.store.value("SELECT 1 FROM nonces WHERE key = ? AND nonce = ?", (key, nonce)):
        raise _wrong("Invalid nonce - nonce has already been used.")
    shop.store.execute("INSERT INTO nonces VALUES (?, ?, ?)", (key, nonce, stamp))


def _caller(key: str, known: dict[str, Any]) -> Caller:
    return Caller(key, "read" in known["rights"], "write" in known["rights"], known["manages"])


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _wrong(message: str, code: str = "woocommerce_rest_authentication_error") -> Problem:
    return Problem(401, code, message, {"status": 401})

"""Who may ask: an integration's four keys by OAuth 1.0a, or its token alone where the shop allows that."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

from comptoir.connectors.magento.simulator.problem import Problem
from comptoir.simulators.exchange import Request

_PAIR = re.compile(r'(\w+)="([^"]*)"')
WINDOW = 600  # seconds that a timestamp may be off


@dataclass(frozen=True)
class Keys:
    """What *System → Integrations* shows."""

    consumer_key: str = "ck0demo0consumer0key0000000000001"
    consumer_secret: str = "cs0demo0consumer0secret000000001"  # noqa: S105 - of the simulator
    access_token: str = "at0demo0access0token000000000001"  # noqa: S105
    access_token_secret: str = "as0demo0access0secret0000000001"  # noqa: S105

    demo: ClassVar[Keys]


Keys.demo = Keys()


def unauthorized(resources: str = "self") -> Problem:
    """The same words for a bad token and for a right that lacks."""
    return Problem(401, "The consumer isn't authorized to access %resources.", {"resources": resources})


class Guard:
    """Checks signatures; a nonce counts once."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        #: seconds that the web server's clock is ahead; the shop's business may be played at any time, signatures are not
        self.off = 0.0
        self._nonces: set[str] = set()

    def check(self, request: Request, *, bearer: bool, right: str) -> None:
        """Raises Problem unless the caller is the integration."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if not (bearer and hmac.compare_digest(rest.strip(), self.keys.access_token)):
                raise unauthorized(right)
            return
        if scheme.lower() != "oauth":
            raise unauthorized(right)
        self._signature(request, {name: unquote(value) for name, value in _PAIR.findall(rest)}, right)

    def _signature(self, request: Request, given: dict[str, str], right: str) -> None:
        for name in ("consumer_key", "token", "signature", "signature_method", "nonce", "timestamp"):
            if not given.get(f"oauth_{name}"):
                raise Problem(400, "oauth_%1 is a required field.", [name])
        if given["oauth_signature_method"] != "HMAC-SHA256":
            raise Problem(400, "Signature method %1 is not supported", [given["oauth_signature_method"]])
        if given["oauth_consumer_key"] != self.keys.consumer_key or given["oauth_token"] != self.keys.access_token:
            raise unauthorized(right)
        stamp = given["oauth_timestamp"]
        if not stamp.isdigit() or abs(int(stamp) - time.time() - self.off) > WINDOW:
            raise Problem(401, "The oauth_timestamp is out of the accepted window")
        signed = {name: value for name, value in given.items() if name != "oauth_signature"}
        pairs = sorted((_coded(name), _coded(value)) for name, value in [*request.query, *signed.items()])
        # The path was decoded before it is signed here, so an encoded slash in it never fits (issues 37830, 37913).
        address = re.sub(r"^(http:.*):80$|^(https:.*):443$", r"\1\2", request.base_url.lower()) + quote(
            request.path, safe="/~-._"
        )
        base = "&".join((request.method, _coded(address), _coded("&".join(f"{name}={value}" for name, value in pairs))))
        secret = f"{_coded(self.keys.consumer_secret)}&{_coded(self.keys.access_token_secret)}"
        wanted = base64.b64encode(hmac.new(secret.encode(), base.encode(), hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(wanted, given["oauth_signature"]):
            raise Problem(401, "The signature is invalid. Verify and try again.")
        if given["oauth_nonce"] in self._nonces:
            raise Problem(
                401, "The nonce is already being used by the consumer with key %1", [given["oauth_consumer_key"]]
            )
        self._nonces.add(given["oauth_nonce"])


def _coded(text: str) -> str:
    return quote(text, safe="~-._")

"""A small OpenID Connect provider on loopback: it signs in whoever it is told, keeps the protocol, and lies on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET, KEY = "comptoir", "told to nobody", "key-1"


@dataclass
class Provider:
    """Who is signed in there, and what it gets wrong. `begun` keeps what each sign-in asked for, by its code."""

    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "email": "ada@hub.test", "email_verified": True, "name": "Ada"}
    )
    lies: dict[str, Any] = field(default_factory=dict)  # put into the ID token instead of what is right
    key: Any = None
    signs_with: Any = None  # another key: somebody else signs
    gives_id_token: bool = True
    email_only_in_userinfo: bool = False
    userinfo: dict[str, Any] | None = None
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        query = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
        if path == "/.well-known/openid-configuration":
            return self._json(start, self._configuration())
        if path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return self._json(start, {"keys": [{**public, "kid": KEY, "alg": "RS256", "use": "sig"}]})
        if path == "/authorize":
            return self._authorize(start, query)
        if path == "/token":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            return self._token(start, {k: v[0] for k, v in parse_qs(body).items()})
        if path == "/userinfo":
            return self._json(start, self.userinfo or self.person)
        start("404 Not Found", [])
        return [b""]

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _authorize(self, start: Any, query: dict[str, str]) -> list[bytes]:
        if query.get("client_id") != CLIENT or query.get("response_type") != "code" or "openid" not in query["scope"]:
            start("400 Bad Request", [])
            return [b""]
        code = secrets.token_urlsafe(8)
        self.begun[code] = query
        back = urlencode({"code": code, "state": query["state"]})
        start("302 Found", [("Location", f"{query['redirect_uri']}?{back}")])
        return [b""]

    def _token(self, start: Any, given: dict[str, str]) -> list[bytes]:
        asked = self.begun.pop(given.get("code", ""), None)
        verifier = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        is_right = (
            asked is not None
            and (given.get("client_id"), given.get("client_secret")) == (CLIENT, SECRET)
            and given.get("redirect_uri") == asked["redirect_uri"]
            and challenge == asked["code_challenge"]
        )
        if not is_right or asked is None:
            return self._json(start, {"error": "invalid_grant"}, "400 Bad Request")
        answer = {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer"}
        if self.gives_id_token:
            answer["id_token"] = self._id_token(asked["nonce"])
        return self._json(start, answer)

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        person = {"sub": self.person["sub"]} if self.email_only_in_userinfo else self.person
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **person, **self.lies}
        return jwt.encode(claims, self.signs_with or self.key, algorithm="RS256", headers={"kid": KEY})

    def _json(self, start: Any, content: Any, status: str = "200 OK") -> list[bytes]:
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(content).encode()]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing: tests are read by what they say."""


@contextmanager
def running() -> Iterator[Provider]:
    """The provider on a port that the kernel gives."""
    provider = Provider(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with make_server("127.0.0.1", 0, provider, handler_class=_Quiet) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()

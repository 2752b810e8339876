"""A question and an answer on the wire, and the two ways in which an answer can fail to come."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class NoAnswer(TimeoutError):
    """The service stays silent. A server keeps the connection open until the client gives up; in process it is raised."""


class ConnectionCut(ConnectionResetError):
    """The connection breaks. A server resets the socket; in process it is raised."""


@dataclass(frozen=True)
class Request:
    """One request, read to its end."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = "http://localhost"

    @classmethod
    def from_environ(cls, environ: Environ) -> Request:
        """Read a WSGI environ."""
        stream = environ.get("wsgi.input") or io.BytesIO()
        length = environ.get("CONTENT_LENGTH")
        # A client in process may give no length; its stream then ends by itself.
        body = stream.read(int(length)) if length else stream.read()
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = str(environ["CONTENT_TYPE"])
        host = headers.get("host") or f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
        return cls(
            method=str(environ["REQUEST_METHOD"]).upper(),
            path=str(environ.get("PATH_INFO", "/")),
            query=tuple(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)),
            headers=headers,
            body=body,
            base_url=f"{environ.get('wsgi.url_scheme', 'http')}://{host}",
        )

    def parameter(self, name: str) -> str | None:
        """The last value given for a query parameter, or None."""
        return dict(self.query).get(name)


@dataclass
class Answer:
    """One answer; `chunks` replaces the body where it is made while it is sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterable[bytes] | None = None

    def start(self, start_response: StartResponse) -> Iterable[bytes]:
        """Give the answer to a WSGI server."""
        headers = dict(self.headers)
        if self.chunks is None:
            headers.setdefault("Content-Length", str(len(self.body)))
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unknown"
        start_response(f"{self.status} {reason}", list(headers.items()))
        return [self.body] if self.chunks is None else self.chunks

"""Asks a WSGI application in process, without any HTTP client: for tests of simulators and for their control door."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from comptoir.simulators.server import WsgiApplication
from comptoir.simulators.simulator import DOOR


@dataclass(frozen=True)
class Heard:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Asker:
    """Sends requests with one user name (the webservice key of a PrestaShop) and no password."""

    application: WsgiApplication
    user: str | None = None

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | str = "",
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """One request; `NoAnswer` and `ConnectionCut` are raised where a server would be silent or hang up."""
        content = body.encode() if isinstance(body, str) else body
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query if isinstance(query, str) else urlencode(query),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(content),
            "CONTENT_LENGTH": str(len(content)),
        }
        if self.user is not None:
            environ["HTTP_AUTHORIZATION"] = "Basic " + b64encode(f"{self.user}:".encode()).decode()
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, answered: list[tuple[str, str]], _problem: Any = None) -> None:
            started.append((status, answered))

        chunks = b"".join(self.application(environ, start_response))
        status, answered = started[0]
        return Heard(int(status.split(" ", 1)[0]), dict(answered), chunks)

    def get(self, path: str, query: Mapping[str, Any] | str = "", **headers: str) -> Heard:
        """Read."""
        return self.ask("GET", path, query, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def control(self, method: str, what: str, content: Any = None) -> Any:
        """Use the control door."""
        heard = self.ask(method, f"{DOOR}/{what}", body=b"" if content is None else json.dumps(content))
        if heard.status != 200:
            raise ValueError(heard.text)
        return heard.json()

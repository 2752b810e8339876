"""What was said through a door, kept word for word without its secrets, and a shop that says the same again."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

#: Of the head of an answer, what says nothing about it (the body is kept unpacked) or lets somebody in.
NOT_KEPT = frozenset(
    {"set-cookie", "www-authenticate", "content-length", "content-encoding", "transfer-encoding", "connection"}
)


class Exchange(Struct, frozen=True, kw_only=True):
    """One call and its answer. `answer` None: none came, or it was left out for its size (`is_cut`)."""

    method: str
    url: str  # without secrets
    writes: bool
    status: int  # 0: no answer
    seconds: float
    sent: int  # bytes
    received: int
    at: datetime  # when it was over
    problem: str = ""  # code of the fate, if it was not a good one
    body: bytes | None = None  # what was sent
    headers: dict[str, str] = {}
    answer: bytes | None = None
    is_cut: bool = False


Key = tuple[str, str, tuple[tuple[str, str], ...], bytes]


def key(method: str, url: str, body: bytes | None, *, writes: bool) -> Key:
    """What two calls share that ask the same. Writes are told apart by where they go: what they say is looked at."""
    parts = urlsplit(url)
    query = tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return method, unquote(parts.path), query, b"" if writes else body or b""


class Playback:
    """A WSGI application that answers as the shop did, each answer as often as it was given, the last one again."""

    def __init__(self, exchanges: Iterable[Exchange], hide: Callable[[str], str]) -> None:
        """`hide` takes the secrets out of an address, as they were taken out of those that were kept."""
        self._hide = hide
        self._answers: dict[Key, deque[Exchange]] = defaultdict(deque)
        for one in exchanges:
            self._answers[key(one.method, one.url, one.body, writes=one.writes)].append(one)
        self.missed: list[str] = []  # calls that the run had not made: "GET /api/orders?…"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer as then; nothing but a broken line where nothing was asked then."""
        method = str(environ["REQUEST_METHOD"])
        host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
        path = str(environ.get("PATH_INFO", "/")).encode("latin-1", "replace").decode("utf-8", "replace")
        query = str(environ.get("QUERY_STRING", ""))
        length = environ.get("CONTENT_LENGTH")
        body: bytes = environ["wsgi.input"].read(int(length)) if length else environ["wsgi.input"].read()
        url = self._hide(f"{environ.get('wsgi.url_scheme', 'http')}://{host}{path}{'?' if query else ''}{query}")
        waiting = self._answers.get(key(method, url, body, writes=False)) or self._answers.get(
            key(method, url, body, writes=True)
        )
        if not waiting:
            self.missed.append(f"{method} {unquote(url)}")
            raise ConnectionError("the run that is replayed did not ask this")
        one = waiting.popleft() if len(waiting) > 1 else waiting[0]
        if one.answer is None:
            raise ConnectionError("no answer is kept of this call" if one.is_cut else "no answer came to this call")
        start_response(f"{one.status} Then", list(one.headers.items()))
        return [one.answer]

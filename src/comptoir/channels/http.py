"""The only door out: every HTTP call to a channel goes through an `HttpDoor`, which fills in `connector.Door`.

Pace, test mode, time limits, size limits, secrets and the fate of each status live here and nowhere else. What an
answer says is the connector's business.
"""

from __future__ import annotations

import base64
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlencode

from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PyreqwestError
from pyreqwest.middleware.wsgi import WSGITestMiddleware
from pyreqwest.response import SyncResponse

from comptoir.channels import addresses
from comptoir.channels.connector import Call, Reply
from comptoir.channels.errors import (
    ChannelError,
    Missing,
    NotLetIn,
    NotUnderstood,
    Refused,
    TryLater,
    Unknown,
    WritesRefused,
)
from comptoir.channels.exchanges import NOT_KEPT, Exchange
from comptoir.kit import clock
from comptoir.kit.settings import settings

#: Status -> fate. 5xx is not here: it depends on whether the call would have changed something.
FATES: Mapping[int, type[ChannelError]] = {
    400: Refused,
    401: NotLetIn,
    403: NotLetIn,
    404: Missing,
    408: TryLater,
    409: Refused,
    410: Missing,
    422: Refused,
    425: TryLater,
    429: TryLater,
}

KEPT_TEXT = 2_000  # characters of an answer that an error carries
_SECRET_PARAMETERS = re.compile(
    r"(?i)\b(ws_key|api_?key|key|access_token|token|secret|client_secret|password|signature|consumer_key|consumer_secret)=[^&\s\"'<>]+"
)
#: Secrets that an answer hands out, such as a token asked for.
_SECRET_FIELDS = re.compile(rb'("(?:access_token|refresh_token|client_secret)"\s*:\s*)"[^"]*"')
_ADDRESSES_KEPT = 60.0  # seconds until a pinned name is resolved again


class Pacing(Protocol):
    """How calls are spread; handed in, since the budget is shared by all workers."""

    def take(self, live: bool) -> None:
        """Come back when one call may go; raises TryLater with the wait when that is too far off."""

    def back_off(self, seconds: float) -> None:
        """They asked everyone to wait."""

    def points(self, left: float, most: float, per_second: float) -> None:
        """What is left of their budget in cost points, for people to see."""


class Unpaced:
    """No pace: for connection tests and for simulators in process."""

    def take(self, live: bool) -> None:
        """At once."""

    def back_off(self, seconds: float) -> None:
        """There is nobody to tell."""

    def points(self, left: float, most: float, per_second: float) -> None:
        """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time in seconds and size in bytes that one call may take."""

    total: float = 60.0
    connect: float = 10.0
    concurrency: int = 4
    body: int = 0  # 0: the setting max_body_mb


@dataclass(frozen=True, slots=True)
class CallMade:
    """One call as a run shows it; `url` and `problem` hold no secrets."""

    method: str
    url: str
    writes: bool
    status: int  # 0: no answer
    seconds: float
    sent: int  # bytes of the body
    received: int
    problem: str = ""  # code of the fate, if it was not a good one


@dataclass(frozen=True, slots=True)
class Counts:
    """What went through a door so far."""

    reads: int = 0
    writes: int = 0
    sent: int = 0
    received: int = 0
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        return self.reads + self.writes


@dataclass(slots=True)
class _Way:
    """A client that connects to one judged address of one host."""

    client: SyncClient
    address: str
    until: float


@dataclass(frozen=True, slots=True)
class _Made:
    """A call that was made: its reply, its problem, or both where the status is a bad one."""

    call: Call
    writes: bool
    seconds: float
    reply: Reply | None
    problem: ChannelError | None


class HttpDoor:
    """The door of one channel in one run. `may_write` is asked at every write, so that a pause holds at once."""

    def __init__(
        self,
        *,
        may_write: Callable[[], bool],
        pace: Pacing | None = None,
        live: bool = False,
        fates: Mapping[int, type[ChannelError]] | None = None,
        secrets: Sequence[str] = (),
        limits: Limits | None = None,
        allow_private: bool | None = None,
        observer: Callable[[CallMade], None] | None = None,
        recorder: Callable[[Exchange], None] | None = None,
        simulator: Callable[..., Any] | None = None,
        resolve: Callable[[str, int], list[str]] = addresses.public_addresses,
    ) -> None:
        """`allow_private` None: as the setting says. `recorder` gets every call word for word. `simulator`: a WSGI
        application that answers in process. `resolve`
        gives the addresses of a host and refuses the ones that are not public."""
        self._may_write = may_write
        self._pace: Pacing = pace or Unpaced()
        self._live = live
        self._fates = {**FATES, **(fates or {})}
        self._secrets = sorted({text for one in secrets for text in _shapes(one)}, key=len, reverse=True)
        self._limits = limits or Limits()
        self._body_limit = self._limits.body or settings().max_body_mb * 1024 * 1024
        self._allow_private = settings().allow_private_addresses if allow_private is None else allow_private
        self._observer = observer
        self._recorder = recorder
        self._secret_bytes = [secret.encode() for secret in self._secrets]
        self._simulator = simulator
        self._resolve = resolve
        self._counts = Counts()
        self._start()

    def __repr__(self) -> str:
        return f"HttpDoor({self._counts})"

    @property
    def counts(self) -> Counts:
        """Calls, bytes and seconds so far."""
        return self._counts

    def read(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: tuple[int, ...] = (200,),
    ) -> Reply:
        """A call that changes nothing there, whatever its method."""
        call = self._ready(Call(method, url, params, headers, body), writes=False)
        return self._finish(self._perform(call, ok, writes=False))

    def write(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: tuple[int, ...] = (200, 201),
    ) -> Reply:
        """A call that changes something there; raises WritesRefused unless this channel may write now."""
        call = self._ready(Call(method, url, params, headers, body), writes=True)
        return self._finish(self._perform(call, ok, writes=True))

    def write_each(self, calls: Sequence[Call], *, ok: tuple[int, ...] = (200, 201)) -> list[Reply | ChannelError]:
        """Several writes at the same time, an answer or a fate for each. Permission and pace are asked for one after the
        other, here: only the waiting for answers is shared out, so nothing of ours is ever asked from another thread."""
        going: list[Future[_Made]] = []
        stopped: ChannelError | None = None
        with ThreadPoolExecutor(max_workers=self._limits.concurrency) as pool:
            for call in calls:
                try:
                    ready = self._ready(call, writes=True)
                except (WritesRefused, TryLater) as error:
                    stopped = error
                    break
                going.append(pool.submit(self._perform, ready, ok, writes=True))
        if stopped is not None and not going:
            raise stopped
        found: list[Reply | ChannelError] = []
        for each in going:
            try:
                found.append(self._finish(each.result()))
            except ChannelError as error:
                found.append(error)
        return found + [stopped] * (len(calls) - len(going)) if stopped else found

    def points(self, left: float, most: float, per_second: float, *, wanted: float = 0) -> None:
        """Show what an answer said of a budget in cost points, and let everyone wait until `wanted` are there again."""
        self._pace.points(left, most, per_second)
        if left < wanted and per_second > 0:
            self._pace.back_off((min(wanted, most) - left) / per_second)

    def wait(self, seconds: float) -> None:
        """Let everyone on this pace wait."""
        self._pace.back_off(seconds)

    def close(self) -> None:
        """Let go of connections. The door opens again by itself."""
        with self._lock:
            for client in self._clients():
                client.close()
            self._start()

    # -- one call --------------------------------------------------------------------------------------------------

    def _ready(self, call: Call, *, writes: bool) -> Call:
        """Ask for permission and for a place in the pace; the call with its whole URL."""
        if writes:
            self._refuse_unless_it_may_write(call)
        asked = time.monotonic()
        self._pace.take(self._live)
        if writes and time.monotonic() - asked > 0.05:
            self._refuse_unless_it_may_write(call)  # it may have been paused while we waited for our turn
        if not call.params:
            return call
        # Blanks as %20: a plus sign is a blank only to some readers.
        url = call.url + ("&" if "?" in call.url else "?") + urlencode(call.params, quote_via=quote)
        return replace(call, url=url, params=None)

    def _perform(self, call: Call, ok: tuple[int, ...], *, writes: bool) -> _Made:
        """The call itself; touches nothing but the network."""
        reply: Reply | None = None
        problem: ChannelError | None = None
        with self._turn():
            began = time.monotonic()
            try:
                reply = self._exchange(call, writes)
                problem = None if reply.status in ok else self._fate(reply, call.method, call.url, writes)
            except ChannelError as error:
                problem = error
            return _Made(call, writes, time.monotonic() - began, reply, problem)

    def _finish(self, made: _Made) -> Reply:
        """Count, show, tell the pace; then the answer or its fate."""
        self._note(made)
        if made.problem is not None:
            if isinstance(made.problem, TryLater) and made.problem.wait:
                self._pace.back_off(made.problem.wait)
            raise made.problem
        assert made.reply is not None  # noqa: S101 - one of the two is always there
        return made.reply

    def _exchange(self, call: Call, writes: bool) -> Reply:
        method, url = call.method, call.url
        where = addresses.target(url)
        facts: dict[str, Any] = {"method": method, "url": self.hide(url)}
        for client in self._ways(where):
            request = client.request(method, url).headers(dict(call.headers or {}))
            if call.body is not None:
                request = request.body_bytes(call.body)
            try:
                with request.build_streamed() as response:
                    return self._receive(response, method, facts, writes)
            except (PyreqwestError, OSError) as error:
                told = self.hide(_told(error))
                if _never_sent(error):
                    continue  # another address of this host may answer
                # `from None`: the client's own exception repeats the URL with whatever secrets are in it.
                if writes:
                    raise Unknown(f"no answer to {method}: {told}", status=0, text=told, **facts) from None
                raise TryLater(f"no answer to {method}: {told}", status=0, text=told, **facts) from None
        self._forget(where.host)
        raise TryLater(f"{where.host} cannot be reached: {told}", status=0, text=told, **facts)

    def _receive(self, response: SyncResponse, method: str, facts: Mapping[str, Any], writes: bool) -> Reply:
        status = response.status
        headers: dict[str, str] = {}
        for name, value in response.headers.items():
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
        announced = int(headers["content-length"]) if headers.get("content-length", "").isdigit() else None
        if announced is not None and announced > self._body_limit and method != "HEAD":
            raise self._too_large(announced, status, facts, writes)
        pieces: list[bytes] = []
        size = 0
        while (piece := response.body_reader.read_chunk()) is not None:
            size += len(piece)
            if size > self._body_limit:
                raise self._too_large(announced or size, status, facts, writes)
            pieces.append(bytes(piece))
        if announced is not None and size < announced and "content-encoding" not in headers and method != "HEAD":
            raise ConnectionError(f"the answer ended after {size} of {announced} bytes")
        return Reply(status=status, headers=headers, body=b"".join(pieces))

    def _too_large(self, size: int, status: int, facts: Mapping[str, Any], writes: bool) -> ChannelError:
        text = f"the answer has {size} bytes or more; the limit is {self._body_limit}"
        kind = Unknown if writes else NotUnderstood
        return kind(text, status=status, size=size, limit=self._body_limit, answer="", text=text, **facts)

    def _fate(self, reply: Reply, method: str, url: str, writes: bool) -> ChannelError:
        """The one table from status to fate."""
        status = reply.status
        text = self.hide(reply.body[: 4 * KEPT_TEXT].decode("utf-8", "replace"))[:KEPT_TEXT]
        facts: dict[str, Any] = {"method": method, "url": self.hide(url), "status": status, "text": text}
        words = f"{method} answered {status}"
        if 300 <= status < 400 and status not in self._fates:
            location = self.hide(reply.headers.get("location", ""))
            return NotUnderstood(
                f"{words}, which leads to {location or 'nowhere'}", location=location, answer=text, **facts
            )
        kind = self._fates.get(status)
        if kind is None and status >= 500:
            kind = Unknown if writes else TryLater
        elif kind is None:
            kind = Refused if status >= 400 else NotUnderstood
        if issubclass(kind, TryLater):
            return kind(words, wait=_wait(reply), **facts)
        return kind(words, answer=text, **facts) if issubclass(kind, NotUnderstood) else kind(words, **facts)

    def _refuse_unless_it_may_write(self, call: Call) -> None:
        if not self._may_write():
            raise WritesRefused(
                "this channel is in test mode, paused or archived", method=call.method, url=self.hide(call.url)
            )

    # -- clients ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        # A client holds threads and sockets that do not live through a fork: each process makes its own, at its first
        # call. A process that has already called out must not fork and go on (the client refuses, with a sentence).
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(self._limits.concurrency)
        self._plain: SyncClient | None = None
        self._pinned: dict[str, _Way] = {}

    def _clients(self) -> list[SyncClient]:
        return [way.client for way in self._pinned.values()] + ([self._plain] if self._plain else [])

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._pid != os.getpid():
            self._start()
        turns = self._turns
        if not turns.acquire(timeout=self._limits.total):
            raise TryLater("every connection of this channel is busy")
        try:
            yield
        finally:
            turns.release()

    def _ways(self, where: addresses.Target) -> Iterator[SyncClient]:
        """Clients to try in turn: one, or one for each judged address of the host."""
        if self._allow_private or self._simulator is not None:
            with self._lock:
                if self._plain is None:
                    self._plain = self._build(None, "")
                client = self._plain
            yield client
            return
        with self._lock:
            way = self._pinned.get(where.host)
        if way is not None and way.until > time.monotonic():
            yield way.client
            return
        for address in self._resolve(where.host, where.port):
            with self._lock:
                way = self._pinned.get(where.host)
                if way is None or way.address != address:
                    way = _Way(self._build(where.host, address), address, 0.0)
                way.until = time.monotonic() + _ADDRESSES_KEPT
                self._pinned[where.host] = way
            yield way.client

    def _forget(self, host: str) -> None:
        with self._lock:
            self._pinned.pop(host, None)

    def _build(self, host: str | None, address: str) -> SyncClient:
        limits = self._limits
        builder = (
            SyncClientBuilder()
            .user_agent("Comptoir")
            .timeout(timedelta(seconds=limits.total))
            .connect_timeout(timedelta(seconds=limits.connect))
            .pool_timeout(timedelta(seconds=limits.total))
            .pool_idle_timeout(timedelta(seconds=4))  # Apache closes idle ones after 5: a write would find a dead one
            .max_connections(limits.concurrency)
            .follow_redirects(False)
            .referer(False)
            .no_proxy()  # a proxy would resolve the name again, and call what we refuse
        )
        if host is not None:
            builder = builder.resolve(host, address, 0)  # 0: the port of the URL; Host and TLS keep the name
        if self._simulator is not None:
            # It answers in this process: no certificate is ever looked at, and reading the machine's takes 7 ms.
            builder = builder.with_middleware(WSGITestMiddleware(self._simulator)).danger_accept_invalid_certs(True)
        return builder.build()

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _note(self, made: _Made) -> None:
        call, reply, problem = made.call, made.reply, made.problem
        sent, received = len(call.body or b""), len(reply.body) if reply else 0
        with self._lock:
            now = self._counts
            self._counts = Counts(
                reads=now.reads + (not made.writes),
                writes=now.writes + made.writes,
                sent=now.sent + sent,
                received=now.received + received,
                seconds=now.seconds + made.seconds,
            )
        if self._observer is not None:
            status = reply.status if reply else int(problem.facts.get("status", 0) if problem else 0)
            code = problem.code if problem else ""
            self._observer(
                CallMade(call.method, self.hide(call.url), made.writes, status, made.seconds, sent, received, code)
            )
        if self._recorder is not None:
            self._recorder(self._exchange_of(made))

    def _exchange_of(self, made: _Made) -> Exchange:
        call, reply, problem = made.call, made.reply, made.problem
        headers = reply.headers if reply else {}
        return Exchange(
            method=call.method,
            url=self.hide(call.url),
            writes=made.writes,
            status=reply.status if reply else int(problem.facts.get("status", 0) if problem else 0),
            seconds=round(made.seconds, 4),
            sent=len(call.body or b""),
            received=len(reply.body) if reply else 0,
            at=clock.now(),
            problem=problem.code if problem else "",
            body=self._hide_bytes(call.body) if call.body else None,
            headers={name: self.hide(text) for name, text in headers.items() if name not in NOT_KEPT},
            answer=self._hide_bytes(reply.body) if reply else None,
        )

    def _hide_bytes(self, content: bytes) -> bytes:
        for secret in self._secret_bytes:
            content = content.replace(secret, "…".encode())
        return _SECRET_FIELDS.sub('\\1"…"'.encode(), content)

    def hide(self, text: str) -> str:
        """`text` without secrets: those we were told of, and whatever stands where secrets stand in a query."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return _SECRET_PARAMETERS.sub(lambda found: f"{found[1]}=…", text)


def _shapes(secret: str) -> set[str]:
    """How a secret may appear in a text: plain, in a query, and as the user or password of Basic authentication."""
    if len(secret) < 4:
        return set()  # hiding "1" would hide half of every text
    basic = {base64.b64encode(text.encode()).decode() for text in (f"{secret}:", secret)}
    return {secret, quote(secret, safe=""), unquote(secret), *basic}


def _told(error: BaseException) -> str:
    """What the transport said went wrong, with its causes."""
    details = getattr(error, "details", None)
    causes = [str(cause["message"]) for cause in (details or {}).get("causes") or []]
    words = [str(getattr(error, "message", "") or error), *(one for one in causes if "for url" not in one)]
    return ": ".join(dict.fromkeys(words))


def _never_sent(error: BaseException) -> bool:
    """Whether the call surely never left. The client's class name does not say: it calls a reset after the whole body
    was sent a ConnectError, and a silent server a ConnectTimeoutError (pyreqwest 0.15, 2026-11). The cause does."""
    if not isinstance(error, ConnectError) or isinstance(error, ConnectTimeoutError):
        return False
    causes = (getattr(error, "details", None) or {}).get("causes") or []
    return any(cause["message"] == "client error (Connect)" for cause in causes)


def _wait(reply: Reply) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date by their own clock where they tell it."""
    text = reply.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    until = _date(text)
    if until is None:
        return None
    now = _date(reply.headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)

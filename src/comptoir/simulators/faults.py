"""Misbehaviour on demand: which request goes wrong, how, and how often."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from comptoir.simulators.exchange import Answer, ConnectionCut, NoAnswer, Request


class FaultKind(StrEnum):
    """What goes wrong. *Before* and *after* speak of the effect of the request."""

    TIME_OUT_BEFORE = "time_out_before"  #: silence, and nothing was done
    TIME_OUT_AFTER = "time_out_after"  #: silence, although it was done
    RESET_BEFORE = "reset_before"  #: connection broken, nothing was done
    RESET_AFTER = "reset_after"  #: connection broken, although it was done
    STATUS_BEFORE = "status_before"  #: an error status, nothing was done
    STATUS_AFTER = "status_after"  #: an error status, although it was done
    THROTTLED = "throttled"  #: 429 with Retry-After, nothing was done
    TRUNCATED = "truncated"  #: the body ends in the middle of what was announced
    HTML_PAGE = "html_page"  #: an HTML page with status 200, nothing was done
    JUNK_BEFORE = "junk_before"  #: a PHP notice in front of a good body
    MALFORMED = "malformed"  #: the body is complete but cannot be parsed
    HUGE = "huge"  #: a body of `size` bytes
    SLOW = "slow"  #: the body comes in pieces over `seconds`
    WRONG_TYPE = "wrong_type"  #: a good body under a wrong Content-Type


BEFORE_THE_EFFECT = {
    FaultKind.TIME_OUT_BEFORE,
    FaultKind.RESET_BEFORE,
    FaultKind.STATUS_BEFORE,
    FaultKind.THROTTLED,
    FaultKind.HTML_PAGE,
}


@dataclass
class Fault:
    """One rule: requests that match it go wrong until it is used up."""

    kind: FaultKind
    method: str = "*"
    path: str = "*"  #: shell pattern on the path
    query: str = ""  #: text that must occur in `name=value&…`
    times: int | None = 1  #: None: for ever
    skip: int = 0  #: let so many matching requests pass first
    probability: float = 1.0
    status: int = 503
    retry_after: str | None = None
    content_type: str = "text/html; charset=utf-8"
    body: bytes = b""
    size: int = 40 * 1024 * 1024
    seconds: float = 1.0
    hits: int = 0

    def concerns(self, request: Request) -> bool:
        """Whether the rule speaks of this request."""
        return (
            (self.method == "*" or self.method.upper() == request.method)
            and fnmatchcase(request.path, self.path)
            and (not self.query or self.query in "&".join(f"{name}={value}" for name, value in request.query))
        )


@dataclass
class Faults:
    """The rules in force, in order; the first that matches wins. Chance is seeded, so a run can be repeated."""

    seed: int = 0
    rules: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - chance that can be repeated, not a secret
        self._lock = threading.Lock()

    def add(self, kind: FaultKind | str, method: str = "*", path: str = "*", **options: object) -> Fault:
        """Make matching requests fail; `times`, `skip`, `probability` and the rest are the fields of `Fault`."""
        fault = Fault(FaultKind(kind), method, path, **options)  # type: ignore[arg-type]  # options come from JSON too
        with self._lock:
            self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self.rules.clear()

    def take(self, request: Request) -> Fault | None:
        """The rule that spoils this request, counted as used."""
        with self._lock:
            for fault in self.rules:
                if (fault.times is not None and fault.times <= 0) or not fault.concerns(request):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.probability < 1.0 and self._random.random() >= fault.probability:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                fault.hits += 1
                return fault
        return None


def instead(fault: Fault) -> Answer:
    """What happens in place of the request, for a fault before the effect."""
    if fault.kind is FaultKind.TIME_OUT_BEFORE:
        raise NoAnswer("silent before the effect")
    if fault.kind is FaultKind.RESET_BEFORE:
        raise ConnectionCut("reset before the effect")
    if fault.kind is FaultKind.THROTTLED:
        return Answer(
            429, {"Content-Type": "text/plain", "Retry-After": fault.retry_after or "1"}, b"Too many requests"
        )
    if fault.kind is FaultKind.HTML_PAGE:
        page = (
            fault.body
            or b"<!DOCTYPE html>\n<html><head><title>Shop</title></head><body><h1>Back soon</h1></body></html>\n"
        )
        return Answer(200, {"Content-Type": fault.content_type}, page)
    return _status(fault)


#: Breaks XML by its signs and JSON by its control character, wherever it lands.
PARSE_BREAKER = b"<<&\x00"


def spoil(fault: Fault, answer: Answer) -> Answer:
    """What becomes of a good answer, for a fault after the effect."""
    match fault.kind:
        case FaultKind.TIME_OUT_AFTER:
            raise NoAnswer("silent after the effect")
        case FaultKind.RESET_AFTER:
            raise ConnectionCut("reset after the effect")
        case FaultKind.STATUS_AFTER:
            return _status(fault)
        case FaultKind.TRUNCATED:
            # The full length stays announced: a server has to close the connection to end it.
            headers = {**answer.headers, "Content-Length": str(len(answer.body))}
            return Answer(answer.status, headers, chunks=[answer.body[: len(answer.body) // 2]])
        case FaultKind.JUNK_BEFORE:
            junk = (
                fault.body
                or b"<br />\n<b>Notice</b>:  Undefined index: carrier in <b>module.php</b> on line <b>12</b><br />\n"
            )
            return Answer(answer.status, answer.headers, junk + answer.body)
        case FaultKind.MALFORMED:
            middle = len(answer.body) // 2
            return Answer(answer.status, answer.headers, answer.body[:middle] + PARSE_BREAKER + answer.body[middle:])
        case FaultKind.HUGE:
            headers = {**answer.headers, "Content-Length": str(max(fault.size, len(answer.body)))}
            return Answer(answer.status, headers, chunks=_padded(answer.body, fault.size))
        case FaultKind.SLOW:
            headers = {**answer.headers, "Content-Length": str(len(answer.body))}
            return Answer(answer.status, headers, chunks=_slowly(answer.body, fault.seconds))
        case FaultKind.WRONG_TYPE:
            return Answer(answer.status, {**answer.headers, "Content-Type": fault.content_type}, answer.body)
        case _:
            raise AssertionError(f"{fault.kind} acts before the effect")


def _status(fault: Fault) -> Answer:
    headers = {"Content-Type": fault.content_type}
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    return Answer(fault.status, headers, fault.body or b"<html><body>Something went wrong</body></html>")


def _padded(body: bytes, size: int) -> Iterator[bytes]:
    """The body followed by white space, which no parser minds and every memory does."""
    yield body
    left = size - len(body)
    blank = b" " * 65536
    while left > 0:
        yield blank[:left]
        left -= len(blank)


def _slowly(body: bytes, seconds: float, pieces: int = 20) -> Iterator[bytes]:
    step = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), step):
        threading.Event().wait(seconds / pieces)
        yield body[start : start + step]

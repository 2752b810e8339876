"""Structured logs: one JSON object per line on standard error (or plain text on a terminal), no secrets, no personal data.

Nobody logs either on purpose; what comes in with somebody else's words (an error of PostgreSQL quotes the row, an error of
a client the address) is taken out here, from every line of every part.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from comptoir.kit.secrets import Secret
from comptoir.kit.settings import Settings, settings

#: Libraries that tell of every job or request; their warnings stay.
CHATTY = ("procrastinate", "granian.access")
GONE = "…"
SHORTEST_SECRET = 8

_OWN = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

#: What is taken out, and what is left of it.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(/(?:hooks|welcome|join|reach|i)/)[^\s/?\"']+"),
        rf"\1{GONE}",
    ),  # addresses that let in whoever has them
    # PostgreSQL's second line quotes values: “Key (email)=(…) already exists”, “Failing row contains (…)”, “COPY t, line 1: …”.
    (re.compile(r"(?m)^(\s*(?:DETAIL|CONTEXT|HINT|QUERY|STATEMENT):).*$"), rf"\1 {GONE}"),
    (re.compile(r"(?<=://)[^/\s@'\"]+@"), f"{GONE}@"),  # user and password in an address
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[\w.~+/=-]{8,}"), rf"\1 {GONE}"),
    (
        re.compile(
            r"(?i)([\"']?\b(?:[\w-]*(?:password|passwd|secret|token|api[_-]?key|ws_key|authorization|cookie|signature))\b"
            r"[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)"
        ),
        rf"\1{GONE}",
    ),
    (re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+"), f"{GONE}@{GONE}"),
    (re.compile(r"(?<![\w.:/-])\+\d[\d ().-]{7,}\d"), GONE),  # a phone number with its country
)
#: Extra fields by these names are never written, whatever is in them.
_NAMES = re.compile(
    r"(?i)(password|secret|token|key$|authorization|cookie|email|phone|address$|buyer|billing|shipping$|customer|body|headers)"
)


class Cleaner:
    """Takes out what has the shape of a secret or of a person, and secrets that are known word for word."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """The text without them."""
        if self._known is not None:
            text = self._known.sub(GONE, text)
        for shape, left in _SHAPES:
            text = shape.sub(left, text)
        return text

    def field(self, name: str, content: Any) -> Any:
        """A field that was logged beside the text."""
        if _NAMES.search(name):
            return GONE
        if isinstance(content, dict):
            return {str(key): self.field(str(key), part) for key, part in content.items()}
        if isinstance(content, list | tuple | set | frozenset):
            return [self.field("", part) for part in content]
        return content if isinstance(content, int | float | bool | None) else self.text(str(content))


class _Clean(logging.Formatter):
    def __init__(self, form: str | None, cleaner: Cleaner) -> None:
        super().__init__(form)
        self._cleaner = cleaner


class JsonLines(_Clean):
    """A record as one line of JSON; what was passed as `extra` becomes fields."""

    def __init__(self, cleaner: Cleaner | None = None) -> None:
        super().__init__(None, cleaner or Cleaner())

    def format(self, record: logging.LogRecord) -> str:
        clean = self._cleaner
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name,
            "text": clean.text(record.getMessage()),
        }
        for key, item in record.__dict__.items():
            if key not in _OWN and not key.startswith("_"):
                line[key] = clean.field(key, item)
        if record.exc_info:
            line["error"] = clean.text(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


class Lines(_Clean):
    """A record as text, for a terminal."""

    def __init__(self, cleaner: Cleaner | None = None) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s", cleaner or Cleaner())

    def format(self, record: logging.LogRecord) -> str:
        return self._cleaner.text(super().format(record))


def set_up(level: str = "INFO") -> None:
    """Send every log of this process to standard error: text on a terminal, JSON lines elsewhere. What the operator's
    settings keep secret is taken out wherever it stands."""
    handler = logging.StreamHandler(sys.stderr)
    cleaner = Cleaner(_kept_secret(settings()))
    handler.setFormatter(Lines(cleaner) if sys.stderr.isatty() else JsonLines(cleaner))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _kept_secret(given: Settings) -> Iterator[str]:
    for one in fields(given):
        value = getattr(given, one.name)
        if isinstance(value, Secret) and value:
            yield value
            yield from value.split()
            yield urlsplit(value.split()[0]).password or ""
    with suppress(OSError):
        yield from (given.data_folder / "secret-key").read_text().split()

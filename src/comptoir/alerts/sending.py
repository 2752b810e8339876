"""Hands a message to a messenger, a process that lives as long as one message, and hears what became of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from comptoir.kit.errors import BadInput

LIMIT = 25.0  #: seconds; the messenger ends itself a little earlier
#: What a messenger needs of this process's surroundings. Passwords of the database and keys are not among it.
_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
              "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")  # fmt: skip


class Fate(StrEnum):
    """What became of a message."""

    SENT = "sent"  #: the service took it
    REFUSED = "refused"  #: the service, or our own guard, said no: it was not taken
    UNKNOWN = "unknown"  #: no answer in time: it may have been taken


@dataclass(frozen=True, slots=True)
class Message:
    """What is told."""

    title: str
    body: str
    kind: str = "warning"  # as apprise colours it: info, success, warning, failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it, and what was said, without what the address keeps secret."""

    fate: Fate
    said: str = ""


def describe(url: str, *, allow_private: bool) -> str:
    """What may be shown of an address: the service, and the host where it is one. Refuses what cannot be sent to."""
    answer = _ask({"url": url, "allow_private": allow_private})
    if answer is None:
        raise BadInput("the address could not be looked at in time", place="address", cure="try again")
    if not answer["ok"]:
        cure = "a public address" if answer["why"] == "address" else "an address as apprise writes it"
        raise BadInput("alerts cannot go to this address", place="address", value=answer["said"], cure=cure)
    return str(answer["service"])[:160]


def send(url: str, message: Message, *, allow_private: bool) -> Answer:
    """Deliver one message; never raises for what a service does. No transaction may be open."""
    title = " ".join(message.title.split())  # a line of its own in a mail's head
    asked = {"url": url, "allow_private": allow_private, "title": title, "body": message.body, "kind": message.kind}
    answer = _ask(asked)
    if answer is None:
        return Answer(Fate.UNKNOWN)
    return Answer(Fate.SENT if answer["ok"] else Fate.REFUSED, "" if answer["ok"] else str(answer["said"]))


def _ask(asked: dict[str, Any]) -> dict[str, Any] | None:
    """None where the messenger was ended before it could answer."""
    environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    try:
        done = subprocess.run(  # our own program; the address goes in by its standard input
            [sys.executable, "-m", "comptoir.alerts.messenger"],
            input=json.dumps(asked),
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode or not done.stdout:
        return None
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

"""A process of its own for each message: apprise opens connections that nothing of ours stands between, so here stands
the guard. Reads one JSON object from standard input, answers with one; knows no database, no settings and no Django.

Every connection is judged when it is made, whoever makes it: a name that answers differently a second later, a redirect,
a second host of the same service. The process is ended when its time is over, however slowly somebody answers.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import sys
from typing import Any

import apprise

from comptoir.channels import addresses
from comptoir.channels.errors import TryLater

LIMIT = 20  #: seconds for everything, name look-ups and a slow answer included
CONNECT, READ = 5.0, 10.0
SAID_LENGTH = 200
SHORTEST_SECRET = 4

#: What a message has no need of: services of apprise that show things on the machine they run on, or start programs.
_REFUSED = (
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "syslog.openlog", "syslog.syslog",
)  # fmt: skip


class NotAllowed(OSError):
    """The guard said no; an OSError, since that is what libraries expect of a connection that fails."""


class _Guard:
    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self.refused = ""

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _REFUSED:
            self._refuse("this service works on the machine of the hub itself")
        if self._allow_private or event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        address = given[1]
        if not isinstance(address, tuple):  # a socket in the file system, or already connected
            if address is not None:
                self._refuse("this service is on the machine of the hub itself")
        elif not addresses.is_public(str(address[0]).partition("%")[0]):
            self._refuse("it leads to an address that is not public")

    def _refuse(self, why: str) -> None:
        self.refused = why
        raise NotAllowed(why)


class _Listener(logging.Handler):
    """What apprise says went wrong: its functions answer with yes or no only."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> int:
    """One question, one answer."""
    asked = json.load(sys.stdin)
    signal.alarm(LIMIT)
    listener = _Listener()
    logger = logging.getLogger("apprise")
    logger.addHandler(listener)
    logger.propagate = False
    answer = _answer(asked, listener)
    answer["said"] = scrub(str(answer.get("said", "")), asked["url"])
    json.dump(answer, sys.stdout)
    return 0


def _answer(asked: dict[str, Any], listener: _Listener) -> dict[str, Any]:
    url, allow_private = asked["url"], bool(asked["allow_private"])
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, plugin_paths=[])
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        return {"ok": False, "why": "malformed", "said": " ".join(listener.lines)}
    has_host = "host" in service.template_tokens and bool(service.host)
    name = str(service.service_name)
    if has_host and not allow_private:
        try:
            addresses.public_addresses(service.host, service.port or 0)
        except addresses.AddressRefused as error:
            return {"ok": False, "why": "address", "said": str(error)}
        except TryLater:
            pass  # where some services have their host, others have a name of their own: the guard judges connections
    if "body" not in asked:
        return {"ok": True, "service": f"{name} · {service.host}" if has_host and "." in service.host else name}
    service.socket_connect_timeout, service.socket_read_timeout = CONNECT, READ  # whatever the address asks for
    service.retry = 0
    socket.setdefaulttimeout(READ)
    guard = _Guard(allow_private)
    sys.addaudithook(guard)
    try:
        sent = bool(
            service.notify(title=asked["title"], body=asked["body"], notify_type=asked["kind"], body_format="text")
        )
    except NotAllowed:  # by a service that does not expect its connection to fail
        sent = False
    return {"ok": sent, "why": "" if sent else "refused", "said": guard.refused or " ".join(listener.lines[-2:])}


def scrub(text: str, url: str) -> str:
    """Without the address and whatever in it might be a secret: everything but its scheme and what stands in the open."""
    text = text.replace(url, "…")
    parts = {part for part in re.split(r"[/:@?&=,+;#]+", url.partition("://")[2]) if len(part) >= SHORTEST_SECRET}
    for part in sorted(parts, key=len, reverse=True):
        text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:SAID_LENGTH]


if __name__ == "__main__":
    sys.exit(main())

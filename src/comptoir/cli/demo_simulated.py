"""The simulated shops of a demo: a process each, and what happens in them through their control doors."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comptoir import connectors
from comptoir.cli import supervisor
from comptoir.kit.errors import ConfigError

# They are on this machine: no proxy of the environment must be asked for them.
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Shop:
    """A running simulator. `told` is what it says of itself: what a client needs to connect."""

    kind: str
    title: str
    command: list[str]
    process: subprocess.Popen[bytes]
    url: str
    told: Mapping[str, Any]

    def end(self) -> None:
        """Stop it and wait."""
        self.process.terminate()
        self.process.wait()


def kinds() -> tuple[str, ...]:
    """What is sold on in a demo: every kind that comes with Comptoir."""
    return connectors.NAMES


def start(kind: str, state: Path | None, port: int = 0) -> Shop:
    """Start one on a port (0: one that the kernel gives)."""
    card = connectors.find(kind)
    assert card is not None  # noqa: S101 - one of ours
    command = [sys.executable, "-m", "comptoir.simulators", "serve", "--kind", kind, "--port", str(port), "--deliver"]
    if state is not None:
        command += ["--state", str(state)]
    process = supervisor.start(command, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - asked for above
    line = process.stdout.readline()
    if not line:
        raise ConfigError(f"the simulated {card.title} did not start; see above", code=process.wait())
    told = json.loads(line)
    return Shop(kind, card.title, command, process, told["url"], told)


def credentials(kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a merchant would type in to connect it."""
    card = connectors.find(kind)
    assert card is not None  # noqa: S101 - one of ours
    return {field.name: told[field.name] for field in card.fields if field.name in told}


def trade(url: str, action: str, **arguments: Any) -> Any:
    """Let a buyer or the merchant do something there, said as in any shop."""
    return ask(url, "trade", {"action": action, **arguments})["result"]


def ask(url: str, what: str, content: dict[str, Any] | None = None) -> Any:
    """The control door: GET, or POST with content."""
    request = urllib.request.Request(  # noqa: S310 - our own simulator on loopback
        f"{url}/_simulator/{what}",
        data=None if content is None else json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
        method="GET" if content is None else "POST",
    )
    with _LOCAL.open(request, timeout=60) as answer:
        return json.loads(answer.read())

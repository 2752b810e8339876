"""Runs a simulator as a process of its own: `python -m comptoir.simulators serve --kind prestashop --state FILE`."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from comptoir.simulators import server as servers
from comptoir.simulators.simulator import Simulator


def build(kind: str, **options: object) -> Simulator:
    """Make the double of one kind of channel.

    Found by name, as a plug-in is: the harness lies below the connectors and must not know them.
    """
    made = importlib.import_module(f"comptoir.connectors.{kind}.simulator").SIMULATOR(**options)
    if not isinstance(made, Simulator):
        raise TypeError(f"connectors/{kind}/simulator offers no simulator")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT, or the end of standard input where asked."""
    parser = argparse.ArgumentParser(prog="python -m comptoir.simulators")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve one simulator on a port")
    serve.add_argument("--kind", required=True)
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0, help="0: one that the kernel gives")
    serve.add_argument("--version", help="the version to imitate")
    serve.add_argument("--world", default="demo", help="demo or empty")
    serve.add_argument("--key", help="credential to accept; a fixed one by default")
    serve.add_argument("--timezone", help="the shop's time zone")
    serve.add_argument("--state", type=Path, help="keep the state in this file")
    serve.add_argument("--deliver", action="store_true", help="send webhooks to whoever asks for them")
    serve.add_argument("--until-stdin-closes", action="store_true", help="stop with the parent, however it dies")
    given = parser.parse_args(arguments)

    options = {
        name: value
        for name in ("version", "world", "key", "timezone", "state")
        if (value := getattr(given, name)) is not None
    }
    simulator = build(given.kind, **options)
    stop = threading.Event()

    def asked_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, asked_to_stop)
    signal.signal(signal.SIGINT, asked_to_stop)
    server = servers.start(simulator.wsgi, given.host, given.port)
    if given.deliver:
        simulator.deliver()
    print(json.dumps({"url": server.url, **simulator.describe()}), flush=True)  # noqa: T201 - the promised line
    if given.until_stdin_closes:
        threading.Thread(target=_stop_at_the_end_of_input, args=(stop,), daemon=True).start()
    stop.wait()
    server.stop()
    with simulator.lock:
        simulator.close()
    return 0


def _stop_at_the_end_of_input(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m comptoir.cli.http_server APPLICATION HOST PORT`: Granian with one process for the pages, neither of which
outlives its parent. Left behind, that one would keep the port and go on answering beside its successor."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Any

from granian import Granian
from granian._internal import load_target
from granian.constants import Interfaces, Loops
from granian.log import LogLevels

from comptoir.cli import supervisor
from comptoir.kit import heap

MOST_AT_ONCE = 256  # requests; more wait in the kernel's queue
LONGEST_ANSWER = 15  # seconds that requests get to end when we are told to


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    application, host, port = sys.argv[1:]
    server = Granian(
        application,
        address=host,
        port=int(port),
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        websockets=False,
        backpressure=MOST_AT_ONCE,
        workers_kill_timeout=LONGEST_ANSWER,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(_load, os.getpid()))


def _load(parent: int, application: str) -> Any:
    """In the process that answers: its application."""
    supervisor.end_with_parent(parent, signal.SIGKILL)
    loaded = load_target(application)
    heap.settle()
    return loaded


if __name__ == "__main__":
    main()

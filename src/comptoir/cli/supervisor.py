"""Keeps child processes alive and ends them in order. Without Django, so that it weighs little."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from comptoir.kit import postgres

GRACE = 20.0  # seconds that children get to end
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
LOOK = 0.25
STEADY = 30.0  # a child that lived so long starts again without waiting
_PDEATHSIG = 1


@dataclass
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT
    again_at: float = 0.0


class Supervisor:
    """Start children, restart what dies, end all on SIGTERM or SIGINT. `say` gets one line per thing worth knowing."""

    def __init__(self, server: postgres.Server | None, say: Callable[[str], None]) -> None:
        self._server = server
        self._say = say
        self._children: list[Child] = []
        self._stop = threading.Event()

    def add(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """A child to keep alive from `run` on."""
        self._children.append(Child(name, command, environment or {}))

    def run(self) -> int:
        """Keep everything alive until told to end; 0 then."""
        before = {number: signal.signal(number, self._told) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stop.is_set():
                self._look_after_database()
                for child in self._children:
                    self._look_after(child)
                self._stop.wait(LOOK)
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _look_after_database(self) -> None:
        if self._server is not None and self._server.pid is None:
            self._say("PostgreSQL is gone; starting it again")
            self._server.restart()

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            child.wait = FIRST_WAIT if now - child.started > STEADY else min(child.wait * 2, LONGEST_WAIT)
            child.again_at = now + child.wait
            child.process = None
            self._say(f"{child.name} ended with {code}; starting it again in {child.wait:.0f} s")
        if now >= child.again_at:
            child.process = start(child.command, child.environment)
            child.started = now

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(timeout=max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                self._say(f"process {process.pid} does not end; it is killed")
                process.kill()
                process.wait()


def start(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a child that ends with us however we end, and does not see the terminal's Ctrl-C."""
    parent = os.getpid()

    def die_with_parent() -> None:
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # it died in between

    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
    )


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or the next port above it that nobody listens on."""
    for port in (wanted, *range(wanted + 1, wanted + 200), 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {host}")

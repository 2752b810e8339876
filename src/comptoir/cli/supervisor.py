"""Keeps child processes alive and ends them in order. Without Django, so that it weighs little."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from comptoir.kit import postgres
from comptoir.kit.errors import ConfigError

GRACE = 20.0  # seconds that children get to end
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
LOOK = 0.25
STEADY = 30.0  # a child that lived so long starts again without waiting
_PDEATHSIG = 1
# Loaded here: between fork and exec of a process with threads, Python must do as little as it can.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
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

    def add(self, name: str, command: Sequence[str], process: subprocess.Popen[bytes] | None = None) -> None:
        """A child to keep alive from `run` on; `process` where it runs already."""
        self._children.append(Child(name, command, process, started=time.monotonic()))

    def run(self, ready: Callable[[], bool], announce: Callable[[], None]) -> int:
        """Keep everything alive until told to end; 0 then. Once `ready` says yes, `announce` is called."""
        before = {number: signal.signal(number, self._told) for number in _endings()}
        announced = False
        try:
            while not self._stop.is_set():
                self._look_after_database()
                for child in self._children:
                    self._look_after(child)
                if not announced and ready():
                    announce()
                    announced = True
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
            self._say(f"{child.name} ended ({_ending(code)}); starting it again in {child.wait:.0f} s")
        if now >= child.again_at:
            child.process = start(child.command, stdout=sys.stderr.fileno())  # standard output is for answers
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


@contextmanager
def interruptible() -> Iterator[None]:
    """While the block runs, every way of being told to end is a KeyboardInterrupt, so that what was begun is undone."""

    def told(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, told) for number in _endings()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(
    command: Sequence[str], *, stdout: int | None = None, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a child that ends with us however we end, and does not see the terminal's Ctrl-C. For the main thread: the
    kernel takes the end of the thread that started a child for our end."""
    parent = os.getpid()

    def before_its_program() -> None:
        end_with_parent(parent, signal.SIGTERM)

    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        start_new_session=True,
        preexec_fn=before_its_program if _LIBC is not None else None,
        stdin=stdin,
        stdout=stdout,
    )


def complete(
    command: Sequence[str], *, stdout: int | None = None, given: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Start a child like `start` and wait for its end; it is killed when we are interrupted meanwhile. `given` is what it reads
    from its standard input."""
    with start(command, stdout=stdout, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE) as process:
        try:
            said, _ = process.communicate(None if given is None else given.encode())
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, said)


def end_with_parent(parent: int, number: signal.Signals) -> None:
    """Let the kernel send this process a signal when its parent is gone, however that ended. Linux only."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(1)  # it died in between


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or the next port above it that nobody listens on; 0 is any. Refuses an address that is not ours."""
    for port in (*range(wanted, min(wanted + 200, 65536)), 0):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise ConfigError(
                    f"nothing can listen on {host}, port {port}: {error.strerror}", host=host, port=port
                ) from error
            return int(probe.getsockname()[1])
    raise ConfigError(f"no port from {wanted} on is free on {host}", host=host, port=wanted)


def _endings() -> list[signal.Signals]:
    """How we are told to end: by a service manager, by Ctrl-C, by a terminal that closes (not under nohup)."""
    told = [signal.SIGTERM, signal.SIGINT]
    return told if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*told, signal.SIGHUP]


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

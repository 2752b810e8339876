"""The command `comptoir` as a person starts it: real processes, their screen, and what is left of them."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from comptoir.kit import postgres

PATIENCE = 120.0
ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """What `look` finds, once it finds something."""
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while time.monotonic() < until:
        if found := look():
            return found
        pause.wait(0.05)
    raise AssertionError(f"waited in vain for {what}")


def environment(**settings: object) -> dict[str, str]:
    """Ours, without what the test run tells its own processes."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("COMPTOIR_", "DJANGO_"))}
    return {**kept, **{name: str(item) for name, item in settings.items()}}


@contextlib.contextmanager
def ground() -> Iterator[Path]:
    """A folder that any user can enter; a PostgreSQL that still runs in it at the end is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="cli-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for turn in list(folder.rglob("turn.lock")):
            postgres.remove(turn.parent)
        shutil.rmtree(folder)


@dataclass
class Said:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def comptoir(*arguments: object, given: str = "", prefix: Sequence[str] = (), **settings: object) -> Said:
    """Run a command to its end."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "comptoir.cli.main", *map(str, arguments)],
        input=given, capture_output=True, text=True, env=environment(**settings), timeout=PATIENCE * 2, check=False,
        cwd="/",
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that goes on until it is told to end."""

    def __init__(
        self, folder: Path, *arguments: object, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        handle, name = tempfile.mkstemp(prefix="screen-")
        os.close(handle)
        self._screen = Path(name)
        with self._screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "comptoir.cli.main", *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=screen, env=env or environment(), cwd="/",
            )  # fmt: skip
        self.met: set[psutil.Process] = set()

    @property
    def screen(self) -> str:
        return self._screen.read_text()

    @property
    def lines(self) -> list[str]:
        return self.screen.splitlines()

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until the screen shows this."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.screen)
            if found is None and self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.screen}")
            return found

        found = wait_for(f"{pattern!r} in\n{self.screen}", look)
        self.processes()
        return found

    def processes(self) -> set[psutil.Process]:
        """Every process of it that lives, PostgreSQL's included; each that was ever seen is remembered."""
        found = set()
        if self.process.poll() is None:
            top = psutil.Process(self.process.pid)
            found |= {top, *top.children(recursive=True)}
        if server := self.server():
            found |= {server, *server.children(recursive=True)}
        self.met |= found
        return {one for one in self.met if is_alive(one)}

    def server(self) -> psutil.Process | None:
        """PostgreSQL's main process."""
        home = (self.folder / "postgres" / "server").resolve()
        try:
            server = psutil.Process(int((home / "data" / "postmaster.pid").read_text().split()[0]))
            return server if str(home / "data") in server.cmdline() else None
        except (FileNotFoundError, IndexError, psutil.Error):
            return None

    def child(self, word: str) -> psutil.Process | None:
        """The child of the supervisor whose command holds this word."""
        for one in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):  # it ends while we look
                if word in " ".join(one.cmdline()):
                    return one
        return None

    def killed_and_started_again(self, word: str) -> None:
        """Kill one child; wait for its successor."""
        before = wait_for(word, lambda: self.child(word))
        self.processes()
        before.kill()
        wait_for(f"another {word}", lambda: (found := self.child(word)) and found.pid != before.pid and found)

    def kill_everything(self) -> None:
        """As a power cut does: first who would look after the others, then every one."""
        doomed = self.processes()
        self.process.kill()
        for one in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended with whom it lived for
                one.kill()
        self.process.wait()
        wait_for("the end of all", lambda: not self.left() or None)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Tell it to end; its exit code."""
        self.processes()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def left(self) -> list[str]:
        """What still lives of all that was ever seen."""
        found = []
        for one in self.processes():
            with contextlib.suppress(psutil.Error):  # it ends while we look
                found.append(" ".join(one.cmdline()))
        return found

    def close(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        self._screen.unlink()


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Browser:
    """Somebody with a browser, as far as HTTP goes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._jar)
        )

    def get(self, path: str) -> tuple[int, str, str]:
        """(status, the address where we ended, the page)."""
        with self._opener.open(self.address + path, timeout=60) as answer:
            return answer.status, answer.url, answer.read().decode()

    def sign_in(self, email: str, password: str) -> str:
        """Type the login into the page; the path where that leads."""
        page = self.get("/account/login/")[2]
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        fields = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "login": email, "password": password})
        request = urllib.request.Request(f"{self.address}/account/login/", fields.encode())  # noqa: S310 - loopback
        request.add_header("Referer", f"{self.address}/account/login/")
        with self._opener.open(request, timeout=60) as answer:
            return urllib.parse.urlsplit(answer.url).path

"""What an idle hub weighs: the proportional memory of all processes of `comptoir serve`, its PostgreSQL included."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import Bench, Row, below, say, wait_for

IDLE = 20.0  # seconds after the first answer until it is weighed
MEGABYTE = 1024


def run(bench: Bench) -> list[Row]:
    """Megabytes of PSS: shared pages are shared out among those that share them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = bench.folder / "serve"
    settings = {
        "COMPTOIR_DATA_FOLDER": str(folder),
        "COMPTOIR_PORT": str(port),
        "COMPTOIR_HOST": "127.0.0.1",
    }
    environment = {key: text for key, text in os.environ.items() if key != "COMPTOIR_DATABASE_URL"} | settings
    server = subprocess.Popen(
        [sys.executable, "-m", "comptoir.cli.main", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _answers(port, server), 180, "comptoir serve did not answer", every=0.2)
        time.sleep(bench.size(int(IDLE), 3))  # what a start needs and gives back is not what an idle hub weighs
        weights = {name: sum(parts) for name, parts in _weigh(server.pid, folder).items()}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    say("    " + ", ".join(f"{name} {weight:.0f} MB" for name, weight in sorted(weights.items())))
    return [below("idle memory of comptoir serve", sum(weights.values()), "MB", 400)]


def _answers(port: int, server: subprocess.Popen[bytes]) -> bool | None:
    if server.poll() is not None:
        raise RuntimeError(f"comptoir serve ended with {server.returncode}")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0 or None


def _weigh(root: int, folder: Path) -> dict[str, list[float]]:
    """Megabytes by what the process is: everything below the supervisor, and its PostgreSQL, which is not its child."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "status").read_text()
            commands[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile
        parents[int(entry.name)] = _figure("PPid", status)
    ours = {root} | {
        pid for pid, command in commands.items() if "postgres" in command.split(" ")[0] and str(folder) in command
    }
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in ours} - ours
        ours |= more
        grown = bool(more)
    weights: dict[str, list[float]] = {}
    for pid in ours:
        rollup = (Path("/proc") / str(pid) / "smaps_rollup").read_text()
        weights.setdefault(_name(pid, root, commands[pid]), []).append(_figure("Pss", rollup) / MEGABYTE)
    if "PostgreSQL" not in weights:
        raise RuntimeError("its PostgreSQL was not found")
    return weights


def _figure(name: str, text: str) -> int:
    """A line of a file in /proc."""
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc tells no {name} here")
    return int(found[1])


def _name(pid: int, root: int, command: str) -> str:
    if pid == root:
        return "supervisor"
    if "postgres" in command.split(" ")[0]:
        return "PostgreSQL"
    return "worker" if " worker" in command else "web" if "http_server" in command else "other"

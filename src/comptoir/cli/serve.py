"""Running a hub: all in one, or each role alone."""

from __future__ import annotations

import argparse
import os
import sys

from comptoir.cli import starting
from comptoir.cli.supervisor import Supervisor, free_port
from comptoir.kit import log, postgres
from comptoir.kit.errors import ConfigError
from comptoir.kit.settings import settings


def say(line: str) -> None:
    """A line for whoever started us."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def granian(application: str, host: str, port: int) -> list[str]:
    """The command that serves an ASGI application."""
    return [
        sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--host", host, "--port", str(port),
        "--workers", "1", "--backpressure", "256", "--no-ws", "--log-level", "warning", application,
    ]  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """`comptoir serve`: PostgreSQL where none is given, migrations, web with the door, workers."""
    log.set_up(settings().log_level)
    with starting.database() as server:
        prepare()
        ours = settings()
        port = free_port(ours.host, ours.port)
        if ours.port and port != ours.port:
            say(f"Port {ours.port} is busy; taking {port}.")
        supervisor = hub(server, ours.host, port)
        say(f"Comptoir is at {ours.public_url or f'http://{ours.host}:{port}'}")
        return supervisor.run()


def hub(server: postgres.Server | None, host: str, port: int) -> Supervisor:
    """The processes of a hub."""
    supervisor = Supervisor(server, say)
    supervisor.add("web", granian("comptoir.config.asgi:application", host, port))
    for number in range(settings().workers):
        supervisor.add(f"worker {number + 1}", [sys.executable, "-m", "comptoir.cli.main", "worker"])
    return supervisor


def prepare() -> None:
    """Migrate in a child, so that the supervisor never loads Django."""
    import subprocess

    code = subprocess.run([sys.executable, "-m", "comptoir.cli.main", "migrate"], check=False).returncode
    if code:
        raise ConfigError("the database could not be brought to this version; see above", code=code)


def web(given: argparse.Namespace) -> int:
    """`comptoir web`."""
    return _become("comptoir.config.asgi:application")


def door(given: argparse.Namespace) -> int:
    """`comptoir door`."""
    return _become("comptoir.webhooks.door:application")


def _become(application: str) -> int:
    ours = settings()
    if not ours.database_url:
        raise ConfigError(
            "a role that runs alone needs COMPTOIR_DATABASE_URL; `comptoir serve` brings a PostgreSQL along"
        )
    command = granian(application, ours.host, free_port(ours.host, ours.port) if ours.port == 0 else ours.port)
    os.execv(command[0], command)  # noqa: S606 - our own command


def worker(given: argparse.Namespace) -> int:
    """`comptoir worker`."""
    with starting.database():
        starting.django()
        from comptoir.engine import worker as engine

        return engine.run(given.concurrency or settings().concurrency)

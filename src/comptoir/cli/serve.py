"""Running a hub: all in one, or each role alone."""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys

from comptoir.cli import starting
from comptoir.cli.screen import say
from comptoir.cli.supervisor import Supervisor, complete, free_port, interruptible
from comptoir.kit import heap, log, postgres
from comptoir.kit.errors import ConfigError
from comptoir.kit.settings import settings

PAGES = "comptoir.config.asgi:application"
DOOR = "comptoir.webhooks.door:application"
ALIVE = "/healthz"


def run(given: argparse.Namespace) -> int:
    """`comptoir serve`: PostgreSQL where none is given, migrations, web with the door, workers."""
    log.set_up(settings().log_level)
    with interruptible(), starting.database() as server:
        welcome = prepare()
        ours = settings()
        port = free_port(ours.host, ours.port)
        if ours.port and port != ours.port:
            say(f"Port {ours.port} is busy; taking {port}.")
        supervisor = hub(server, ours.host, port)
        return supervisor.run(
            lambda: answers(ours.host, port),
            lambda: greet((ours.public_url or address(ours.host, port)).rstrip("/"), welcome),
        )


def greet(url: str, welcome: str) -> None:
    """Where the hub is, and where its first person becomes the owner."""
    say(f"Comptoir is at {url}")
    if welcome:
        say(f"It has no owner yet. Become it within an hour, once, at {url}{welcome}")
        say("Or in another terminal: comptoir owner you@example.com")


def hub(server: postgres.Server | None, host: str, port: int) -> Supervisor:
    """The processes of a hub."""
    supervisor = Supervisor(server, say)
    supervisor.add("web", _http_server(PAGES, host, port))
    for number in range(settings().workers):
        supervisor.add(f"worker {number + 1}", [sys.executable, "-m", "comptoir.cli.main", "worker"])
    return supervisor


def answers(host: str, port: int) -> bool:
    """Whether the pages answer by now."""
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=2)  # noqa: S104
    try:
        connection.request("GET", ALIVE)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def prepare() -> str:
    """Migrate in a child, so that the supervisor never loads Django; where nobody owns the hub, the path that lets somebody."""
    done = complete([sys.executable, "-m", "comptoir.cli.main", "migrate", "--welcome"], stdout=subprocess.PIPE)
    if done.returncode:
        raise ConfigError("the database could not be brought to this version; see above", code=done.returncode)
    return done.stdout.decode().strip()


def web(given: argparse.Namespace) -> int:
    """`comptoir web`."""
    return _become(PAGES)


def door(given: argparse.Namespace) -> int:
    """`comptoir door`."""
    return _become(DOOR)


def worker(given: argparse.Namespace) -> int:
    """`comptoir worker`."""
    _need_database()
    starting.django()
    from comptoir.engine import worker as engine

    heap.settle()
    return engine.run(given.concurrency or settings().concurrency)


def _become(application: str) -> int:
    _need_database()
    ours = settings()
    port = free_port(ours.host, ours.port)
    if ours.port and port != ours.port:
        # Beside its user's other servers Granian would share the port, and each would get some of the requests.
        raise ConfigError(f"port {ours.port} on {ours.host} is busy; COMPTOIR_PORT names another", port=ours.port)
    command = _http_server(application, ours.host, port)
    os.execv(command[0], command)  # noqa: S606 - our own command


def _http_server(application: str, host: str, port: int) -> list[str]:
    return [sys.executable, "-m", "comptoir.cli.http_server", application, host, str(port)]


def _need_database() -> None:
    if not settings().database_url:
        raise ConfigError(
            "a role that runs alone needs COMPTOIR_DATABASE_URL; `comptoir serve` brings a PostgreSQL along"
        )

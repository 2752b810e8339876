"""`comptoir demo`: a hub with a simulated shop. Runs without Django until it has something for Django to do."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from comptoir.cli import serve, starting, supervisor
from comptoir.cli.screen import say
from comptoir.kit import postgres
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.postgres import locks
from comptoir.kit.settings import settings

EMAIL = "owner@demo.example"
SHOP_PORT = 8430
SHOP_STATE = "shop.sqlite"
LOCK = "demo.lock"  # also says that a folder is a demo's, and may be forgotten
A_CUSTOMER_EVERY = 25.0  # seconds between orders in the simulated shop

# The simulated shop is on this machine: no proxy of the environment must be asked for it.
_SHOP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def run(given: argparse.Namespace) -> int:
    """Start a demo to look around in, or do one round and report."""
    if given.history and not given.once:
        raise BadInput(
            "a played year ends with a report", place="--history", value=str(given.history), cure="add --once"
        )
    with supervisor.interruptible():
        return _once(given) if given.once else _look_around(given)


def _adjust(folder: Path, port: int | None) -> None:
    """A demo keeps to its own folder and may talk to this machine, where its shop is; its screen is for people."""
    os.environ["COMPTOIR_DATA_FOLDER"] = str(folder)
    os.environ["COMPTOIR_ALLOW_PRIVATE_ADDRESSES"] = "yes"
    os.environ.setdefault("COMPTOIR_LOG_LEVEL", "WARNING")
    if port is not None:
        os.environ["COMPTOIR_PORT"] = str(port)
    settings.cache_clear()
    settings()  # a bad value stops us here, before anything was begun


def _look_around(given: argparse.Namespace) -> int:
    folder = Path(given.folder).absolute() if given.folder else settings().data_folder / "demo"
    if settings().database_url:
        raise ConfigError("a demo brings a PostgreSQL of its own: unset COMPTOIR_DATABASE_URL, or add --once")
    _adjust(folder, given.port)
    with _alone(folder):
        if given.fresh:
            _forget(folder)
        say(f"{'Going on with' if (folder / SHOP_STATE).exists() else 'Making'} the demo in {folder}")
        with starting.database() as server:
            return _with_shop(folder, server)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only demo in a folder, which is empty or an earlier demo's."""
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / LOCK).exists():
            raise BadInput(
                "this folder holds something else than a demo", place="--folder", value=str(folder),
                cure="name a new folder",
            )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        lock = locks.opened(folder / LOCK)
    except OSError as error:
        raise BadInput(
            "this folder cannot be used", place="--folder", value=str(folder), cure=f"{error.strerror}: name another"
        ) from error
    try:
        if not locks.taken(lock, fcntl.LOCK_EX):
            raise ConfigError(f"a demo is running in {folder}: stop it first", folder=str(folder))
        yield
    finally:
        os.close(lock)


def _forget(folder: Path) -> None:
    if (folder / "postgres").exists():
        try:
            postgres.remove(folder / "postgres")
        except postgres.InUse as error:
            raise ConfigError(f"a demo is running in {folder}: stop it first", folder=str(folder)) from error
    for kept in folder.iterdir():
        if kept.is_dir() and not kept.is_symlink():
            shutil.rmtree(kept)
        elif kept.name != LOCK:
            kept.unlink()


def _with_shop(folder: Path, server: postgres.Server | None) -> int:
    host = settings().host
    shop_port = _port("127.0.0.1", SHOP_PORT)
    shop, shop_url, key = start_shop(folder / SHOP_STATE, port=shop_port)
    stop = threading.Event()
    try:
        login = _set_up(shop_url, key)
        port = _port(host, settings().port)
        hub = serve.hub(server, host, port)
        hub.add("the simulated shop", _shop_command(folder / SHOP_STATE, shop_port), shop)
        threading.Thread(target=_customers, args=(shop_url, stop), daemon=True).start()

        def announce() -> None:
            say("")
            say(f"  Comptoir   {serve.address(host, port)}")
            say(f"  sign in    {login['email']}  {login['password']}")
            say(f"  the shop   {shop_url} (a simulated PrestaShop; somebody buys there now and then)")
            say("")
            say("Ctrl-C stops everything; the next start goes on from here.")

        code = hub.run(lambda: serve.answers(host, port), announce)
    finally:
        stop.set()
        shop.terminate()
        shop.wait()
    say("Stopped.")
    return code


def _port(host: str, wanted: int) -> int:
    port = supervisor.free_port(host, wanted)
    if wanted and port != wanted:
        say(f"Port {wanted} is busy; taking {port}.")
    return port


def start_shop(
    state: Path | None, *, port: int = 0, world: str = "demo", timezone: str | None = None
) -> tuple[subprocess.Popen[bytes], str, str]:
    """A simulated PrestaShop in a process of its own: (process, address, key)."""
    process = supervisor.start(_shop_command(state, port, world, timezone), stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - asked for above
    line = process.stdout.readline()
    if not line:
        raise ConfigError("the simulated shop did not start; see above", code=process.wait())
    told = json.loads(line)
    return process, told["url"], told["key"]


def _shop_command(state: Path | None, port: int, world: str = "demo", timezone: str | None = None) -> list[str]:
    command = [
        sys.executable, "-m", "comptoir.simulators", "serve", "--kind", "prestashop", "--version", "8.2",
        "--world", world, "--port", str(port),
    ]  # fmt: skip
    if state is not None:
        command += ["--state", str(state)]
    if timezone is not None:
        command += ["--timezone", timezone]
    return command


def _set_up(shop_url: str, key: str) -> dict[str, str]:
    """Let Django migrate, make the owner and connect the shop, in a child, so that the supervisor stays small."""
    done = supervisor.complete([sys.executable, "-m", "comptoir.cli.demo_shop", shop_url, key], stdout=subprocess.PIPE)
    if done.returncode:
        raise ConfigError("the demo could not be set up; see above", code=done.returncode)
    login: dict[str, str] = json.loads(done.stdout)
    return login


def act(shop_url: str, action: str, **arguments: Any) -> Any:
    """Let something happen in the simulated shop."""
    return ask_shop(shop_url, "act", {"action": action, **arguments})["result"]


def ask_shop(shop_url: str, what: str, content: dict[str, Any] | None = None) -> Any:
    """The simulator's control door: GET, or POST with content."""
    request = urllib.request.Request(  # noqa: S310 - our own simulator on loopback
        f"{shop_url}/_simulator/{what}",
        data=None if content is None else json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
        method="GET" if content is None else "POST",
    )
    with _SHOP.open(request, timeout=60) as answer:
        return json.loads(answer.read())


def _customers(shop_url: str, stop: threading.Event) -> None:
    """Somebody buys something now and then, so that there is something to see."""
    import random

    choose = random.Random(20260301)  # noqa: S311 - a demo's customers, not a secret
    while not stop.wait(A_CUSTOMER_EVERY):
        with contextlib.suppress(OSError):  # the shop is being started again, and its keeper has said so
            stock = [row for row in ask_shop(shop_url, "state")["stock"] if int(row["quantity"]) > 3]
            picked = choose.sample(stock, k=min(len(stock), choose.randint(1, 3)))
            lines = [
                {
                    "product": row["id_product"],
                    "attribute": row["id_product_attribute"],
                    "quantity": choose.randint(1, 2),
                }
                for row in picked
            ]
            if lines:
                act(shop_url, "place_order", lines=lines)


def _once(given: argparse.Namespace) -> int:
    if given.folder:
        folder = Path(given.folder).absolute()
        _adjust(folder, given.port)
        with _alone(folder):
            if given.fresh:
                _forget(folder)
            elif (folder / "postgres").exists():
                raise BadInput(
                    "a round begins from nothing, and this folder holds an earlier one", place="--folder",
                    value=str(folder), cure="add --fresh, or name a new folder",
                )  # fmt: skip
            report = _round(given, folder, None)
    else:
        folder = Path(tempfile.mkdtemp(prefix="comptoir-once-"))
        try:
            if os.geteuid() == 0:
                folder.chmod(0o755)  # the user that runs PostgreSQL for root must get in
            _adjust(folder, given.port)
            report = _round(given, folder, starting.THROWN_AWAY)
        finally:
            if (folder / "postgres").exists():
                postgres.remove(folder / "postgres")
            shutil.rmtree(folder)
    if given.json:
        print(json.dumps(report, default=str))  # noqa: T201 - the answer
    else:
        for name in ("balanced", "seconds", "orders", "broken"):
            if name in report:
                print(f"{name}: {report[name]}")  # noqa: T201
    return 0 if report["balanced"] else 1


def _round(given: argparse.Namespace, folder: Path, tuning: Mapping[str, str] | None) -> dict[str, Any]:
    with starting.ready(tuning, migrated=False):
        from comptoir.channels.models import HUB, Channel

        starting.migrate()
        if Channel.objects.exclude(kind=HUB).exists():
            raise ConfigError("the database of COMPTOIR_DATABASE_URL is in use by a hub; a round needs an empty one")
        if given.history:
            from comptoir.cli import history

            return history.play(given.history, until=given.until)
        from comptoir.cli import once

        return once.play(folder)

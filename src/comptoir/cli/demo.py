"""`comptoir demo`: a hub with simulated shops of every kind. Runs without Django until it has something for Django to do."""

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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from comptoir.cli import demo_simulated as simulated
from comptoir.cli import serve, starting, supervisor
from comptoir.cli.screen import say
from comptoir.kit import postgres
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.postgres import locks
from comptoir.kit.settings import settings

EMAIL = "owner@demo.example"
SHOP_PORT = 8430  # of the first shop; the others follow
LOCK = "demo.lock"  # also says that a folder is a demo's, and may be forgotten
A_CUSTOMER_EVERY = 25.0  # seconds between orders in the simulated shops


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
        say(
            f"{'Going on with' if (folder / state_of(simulated.kinds()[0])).exists() else 'Making'} the demo in {folder}"
        )
        with starting.database() as server:
            return _with_shops(folder, server)


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


def _with_shops(folder: Path, server: postgres.Server | None) -> int:
    host = settings().host
    port = _port(host, settings().port)
    # The shops announce what happens there to the pages' own address, as they would to a public one.
    os.environ.setdefault("COMPTOIR_PUBLIC_URL", serve.address(host, port))
    with contextlib.ExitStack() as ends:
        shops = [
            _started(simulated.start(kind, folder / state_of(kind), _port("127.0.0.1", SHOP_PORT + number)), ends)
            for number, kind in enumerate(simulated.kinds())
        ]
        login = _set_up(shops)
        hub = serve.hub(server, host, port)
        for shop in shops:
            # Started again it takes the same port: its address is known to the hub.
            command = [*shop.command]
            command[command.index("--port") + 1] = shop.url.rsplit(":", 1)[1]
            hub.add(f"the simulated {shop.title}", command, shop.process)
        stop = threading.Event()
        ends.callback(stop.set)
        threading.Thread(target=_customers, args=([shop.url for shop in shops], stop), daemon=True).start()

        def announce() -> None:
            say("")
            say(f"  Comptoir     {serve.address(host, port)}")
            say(f"  sign in      {login['email']}  {login['password']}")
            for shop in shops:
                say(f"  {shop.title:<12} {shop.url} (simulated; somebody buys there now and then)")
            say("")
            say("Ctrl-C stops everything; the next start goes on from here.")

        code = hub.run(lambda: serve.answers(host, port), announce)
    say("Stopped.")
    return code


def _started(shop: simulated.Shop, ends: contextlib.ExitStack) -> simulated.Shop:
    ends.callback(shop.end)
    return shop


def state_of(kind: str) -> str:
    """The file in which a simulated shop keeps what happened there."""
    return f"shop-{kind}.sqlite"


def _port(host: str, wanted: int) -> int:
    port = supervisor.free_port(host, wanted)
    if wanted and port != wanted:
        say(f"Port {wanted} is busy; taking {port}.")
    return port


def _set_up(shops: Sequence[simulated.Shop]) -> dict[str, str]:
    """Let Django migrate, make the owner and connect the shops, in a child, so that the supervisor stays small."""
    given = json.dumps([{"kind": shop.kind, "title": shop.title, **shop.told} for shop in shops])
    command = [sys.executable, "-m", "comptoir.cli.demo_shop"]
    done = supervisor.complete(command, stdout=subprocess.PIPE, given=given)
    if done.returncode:
        raise ConfigError("the demo could not be set up; see above", code=done.returncode)
    login: dict[str, str] = json.loads(done.stdout)
    return login


def _customers(shops: Sequence[str], stop: threading.Event) -> None:
    """Somebody buys something somewhere now and then, so that there is something to see."""
    import random

    choose = random.Random(20260301)  # noqa: S311 - a demo's customers, not a secret
    while not stop.wait(A_CUSTOMER_EVERY):
        shop = choose.choice(shops)
        with contextlib.suppress(OSError):  # the shop is being started again, and its keeper has said so
            shelf = [sku for sku, units in simulated.trade(shop, "shelf").items() if units > 3]
            picked = choose.sample(shelf, k=min(len(shelf), choose.randint(1, 3)))
            if picked:
                simulated.trade(shop, "buy", lines={sku: choose.randint(1, 2) for sku in picked})


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

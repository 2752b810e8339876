"""`comptoir demo`: a hub with a simulated shop. Runs without Django until it has something for Django to do."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

from comptoir.cli import starting
from comptoir.cli.serve import hub, prepare, say
from comptoir.cli.supervisor import free_port, start
from comptoir.kit import postgres
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.settings import Settings, settings

EMAIL = "owner@demo.example"
SHOP_PORT = 8430
A_CUSTOMER_EVERY = 25.0  # seconds between orders in the simulated shop


def run(given: argparse.Namespace) -> int:
    """Start a demo to look around in, or do one round and report."""
    if given.history and not given.once:
        raise BadInput(
            "a played year ends with a report", place="--history", value=str(given.history), cure="add --once"
        )
    if given.once:
        return _once(given)
    folder = _folder(given)
    _adjust(folder, given.port)
    if given.fresh:
        _forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return _look_around(folder)


def _folder(given: argparse.Namespace) -> Path:
    return Path(given.folder).absolute() if given.folder else settings().data_folder / "demo"


def _adjust(folder: Path, port: int | None) -> None:
    """A demo keeps to its own folder and may talk to this machine, where its shop is."""
    os.environ["COMPTOIR_DATA_FOLDER"] = str(folder)
    os.environ["COMPTOIR_ALLOW_PRIVATE_ADDRESSES"] = "yes"
    if port is not None:
        os.environ["COMPTOIR_PORT"] = str(port)
    settings.cache_clear()


def _forget(folder: Path) -> None:
    if not folder.exists():
        return
    try:
        postgres.remove(folder / "postgres")
    except postgres.InUse as error:
        raise ConfigError(f"a demo is running in {folder}: stop it first", folder=str(folder)) from error
    shutil.rmtree(folder)


def _look_around(folder: Path) -> int:
    with starting.database() as server:
        shop, shop_url, key = start_shop(folder / "shop.sqlite", port=SHOP_PORT)
        stop = threading.Event()
        try:
            prepare()
            login = _set_up(shop_url, key)
            port = free_port(settings().host, settings().port)
            if port != settings().port and settings().port:
                say(f"Port {settings().port} is busy; taking {port}.")
            supervisor = hub(server, settings().host, port)
            threading.Thread(target=_customers, args=(shop_url, stop), daemon=True).start()
            say("")
            say(f"  Comptoir   http://{settings().host}:{port}")
            say(f"  sign in    {login['email']}  {login['password']}")
            say(f"  the shop   {shop_url} (a simulated PrestaShop; somebody buys there now and then)")
            say("")
            say("Ctrl-C stops everything; the next start goes on from here.")
            return supervisor.run()
        finally:
            stop.set()
            shop.terminate()
            shop.wait()


def start_shop(
    state: Path | None, *, port: int = 0, world: str = "demo", timezone: str | None = None
) -> tuple[subprocess.Popen[bytes], str, str]:
    """A simulated PrestaShop in a process of its own: (process, address, key)."""
    wanted = free_port("127.0.0.1", port) if port else 0
    command = [
        sys.executable, "-m", "comptoir.simulators", "serve", "--kind", "prestashop", "--version", "8.2",
        "--world", world, "--port", str(wanted),
    ]  # fmt: skip
    if state is not None:
        command += ["--state", str(state)]
    if timezone is not None:
        command += ["--timezone", timezone]
    process = start(command, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - asked for above
    line = process.stdout.readline()
    if not line:
        raise ConfigError("the simulated shop did not start; see above", code=process.wait())
    told = json.loads(line)
    return process, told["url"], told["key"]


def _set_up(shop_url: str, key: str) -> dict[str, str]:
    """Let Django make the owner and connect the shop, in a child, so that the supervisor stays small."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "comptoir.cli.demo_shop", shop_url, key], check=False, stdout=subprocess.PIPE
    )
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
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read())


def _customers(shop_url: str, stop: threading.Event) -> None:
    """Somebody buys something now and then, so that there is something to see."""
    import random

    choose = random.Random(20260301)  # noqa: S311 - a demo's customers, not a secret
    while not stop.wait(A_CUSTOMER_EVERY):
        try:
            stock = [row for row in ask_shop(shop_url, "state")["stock"] if int(row["quantity"]) > 3]
            picked = choose.sample(stock, k=min(len(stock), choose.randint(1, 3)))
            act(
                shop_url,
                "place_order",
                lines=[
                    {
                        "product": row["id_product"],
                        "attribute": row["id_product_attribute"],
                        "quantity": choose.randint(1, 2),
                    }
                    for row in picked
                ],
            )
        except (OSError, KeyError, ValueError) as error:
            say(f"the simulated customer went away: {error}")
            return


def _once(given: argparse.Namespace) -> int:
    folder = Path(given.folder).absolute() if given.folder else Path(tempfile.mkdtemp(prefix="comptoir-once-"))
    if not given.folder and os.geteuid() == 0:
        folder.chmod(0o755)
    _adjust(folder, given.port)
    own_database = not Settings.read(os.environ).database_url
    try:
        with starting.ready(None if given.folder else starting.THROWN_AWAY):
            starting.migrate()
            if given.history:
                from comptoir.cli import history

                report = history.play(given.history, until=given.until)
            else:
                from comptoir.cli import once

                report = once.play(folder)
    finally:
        if not given.folder:
            if own_database:
                postgres.remove(folder / "postgres")
            shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        print(json.dumps(report, default=str))  # noqa: T201 - the answer
    else:
        for name in ("balanced", "seconds", "orders", "broken"):
            if name in report:
                print(f"{name}: {report[name]}")  # noqa: T201
    return 0 if report["balanced"] else 1

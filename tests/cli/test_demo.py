"""`comptoir demo`, tried as a newcomer tries it, and worse: ports taken, everything killed, twice at once, no network."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from command_line import Browser, Running, comptoir, environment, ground, wait_for

from comptoir import connectors
from comptoir.cli import demo
from comptoir.cli import demo_simulated as simulated
from comptoir.kit import postgres

pytestmark = pytest.mark.kill

SCREEN = re.compile(
    r"  Comptoir     (?P<address>http://127\.0\.0\.1:\d+)\n"
    r"  sign in      (?P<email>\S+)  (?P<password>\S+)\n"
    r"  PrestaShop   (?P<shop>http://127\.0\.0\.1:\d+) \(simulated; .*\)\n"
    r"(?:  \w+ +http://127\.0\.0\.1:\d+ \(simulated; .*\)\n)*"
    r"\nCtrl-C stops everything; the next start goes on from here\.\n"
)


@dataclass(frozen=True)
class Shown:
    """What the screen of a demo tells."""

    address: str
    email: str
    password: str
    shop: str

    @property
    def login(self) -> tuple[str, str]:
        return self.email, self.password


def shown(running: Running) -> Shown:
    return Shown(**running.says(SCREEN.pattern).groupdict())


def kept(folder: Path) -> dict[str, Any]:
    """What the hub of a demo holds."""
    with postgres.running(folder / "postgres") as server, psycopg.connect(server.url) as connection:
        return {
            what: [row[0] for row in connection.execute(statement)]
            for what, statement in {
                "shops": "SELECT config ->> 'url' FROM channels_channel WHERE kind = 'prestashop'",
                "orders": "SELECT external_id FROM orders_order ORDER BY id",
                "people": "SELECT email FROM accounts_user",
            }.items()
        }


@dataclass
class Demos:
    """Folders of demos, and starting them."""

    folder: Path
    started: list[Running]

    def start(self, folder: Path, *arguments: object, **more: Any) -> Running:
        self.started.append(Running(folder, "demo", "--folder", folder, *arguments, **more))
        return self.started[-1]


@pytest.fixture
def demos() -> Iterator[Demos]:
    with ground() as folder:
        demos = Demos(folder, [])
        try:
            yield demos
        finally:
            for one in demos.started:
                one.close()


@dataclass(frozen=True)
class Made:
    """A demo that was started once, looked at, and ended with Ctrl-C."""

    folder: Path
    lines: list[str]
    shown: Shown
    home: int
    code: int
    left: list[str]
    kept: dict[str, Any]


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    """Made once for all tests, since it takes a while; each goes on with a copy."""
    with ground() as folder:
        running = Running(folder / "demo", "demo", "--folder", folder / "demo", "--port", "0")
        try:
            seen = shown(running)
            browser = Browser(seen.address)
            assert browser.sign_in(*seen.login) == "/"
            home = browser.get("/")[0]
            lines = running.lines
            code = running.end(signal.SIGINT)
            left = running.left()
        finally:
            running.close()
        yield Made(folder / "demo", lines, seen, home, code, left, kept(folder / "demo"))


@pytest.fixture
def copy(made: Made, demos: Demos) -> Path:
    subprocess.run(["cp", "-a", made.folder, demos.folder / "demo"], check=True)
    server = made.folder / "postgres" / "server"
    assert not server.is_symlink(), "a copy would share its database with the original"
    return demos.folder / "demo"


def test_the_screen_says_how_to_get_in_and_out_and_nothing_else(made: Made) -> None:
    titles = [connectors.find(kind).title for kind in simulated.kinds()]  # type: ignore[union-attr]
    # Another demo on this machine makes ports busy; which ports the shops take is the kernel's to say.
    lines = [re.sub(r":84\d\d|:\d{5}", ":…", line) for line in made.lines if " is busy; taking " not in line]
    assert lines == [
        f"Making the demo in {made.folder}",
        *(f"Looking around in {title}" for title in titles),
        *(f"Reading products, orders and stock of {title} demo, in test mode" for title in titles),
        "Fetching pictures",
        "",
        "  Comptoir     http://127.0.0.1:…",
        f"  sign in      {demo.EMAIL}  {made.shown.password}",
        *(f"  {title:<12} http://127.0.0.1:… (simulated; somebody buys there now and then)" for title in titles),
        "",
        "Ctrl-C stops everything; the next start goes on from here.",
    ]


def test_the_login_opens_the_home_page_and_ctrl_c_leaves_nothing_running(made: Made) -> None:
    assert (made.home, made.code, made.left) == (200, 0, [])
    assert made.kept["people"] == [demo.EMAIL]
    assert len(made.kept["shops"]) == 1
    assert made.kept["orders"]


def test_a_second_start_on_busy_ports_keeps_everything_and_survives_the_death_of_each_part(
    made: Made, copy: Path, demos: Demos
) -> None:
    with taken(8420), taken(8430):
        running = demos.start(copy)
        seen = shown(running)
    assert f"Going on with the demo in {copy}" in running.lines
    for wanted, address in ((8420, seen.address), (8430, seen.shop)):
        port = int(address.rsplit(":", 1)[1])
        assert port != wanted
        assert f"Port {wanted} is busy; taking {port}." in running.lines
    assert seen.login == made.shown.login
    assert Browser(seen.address).sign_in(*seen.login) == "/"

    assert len(running.processes()) > 5
    for part in ("comptoir.cli.http_server", "comptoir.cli.main worker", "comptoir.simulators"):
        running.killed_and_started_again(part)
    server = wait_for("PostgreSQL", running.server)
    server.kill()
    wait_for("another PostgreSQL", lambda: (found := running.server()) and found.pid != server.pid and found)

    number = bought(seen.shop)
    pull_now(copy)
    arrived(copy, number)
    assert Browser(wait_for_pages(seen.address)).sign_in(*seen.login) == "/"

    server = wait_for("PostgreSQL", running.server)
    running.processes()
    running.process.kill()
    running.process.wait()
    wait_for(
        "the end of all but PostgreSQL",
        lambda: not (running.processes() - {server, *server.children()}) or None,
    )

    again = demos.start(copy)
    seen = shown(again)
    assert again.server() == server
    assert again.end(signal.SIGTERM) == 0
    assert again.left() == []
    after = kept(copy)
    assert after["shops"] == [seen.shop]
    assert after["people"] == made.kept["people"]
    assert set(after["orders"]) >= {*made.kept["orders"], number}


def test_after_everything_was_killed_a_new_start_goes_on_and_fresh_starts_over(
    made: Made, copy: Path, demos: Demos
) -> None:
    killed = demos.start(copy)
    number = bought(shown(killed).shop)
    killed.kill_everything()

    again = demos.start(copy)
    seen = shown(again)
    assert seen.login == made.shown.login
    pull_now(copy)
    arrived(copy, number)

    refused = comptoir("demo", "--folder", copy, "--fresh")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"comptoir: a demo is running in {copy}: stop it first")
    assert len(refused.err.splitlines()) == 1
    second = comptoir("demo", "--folder", copy)
    assert (second.code, second.err) == (refused.code, refused.err)

    assert again.end() == 0
    assert again.left() == []
    assert set(kept(copy)["orders"]) >= {*made.kept["orders"], number}

    fresh = demos.start(copy, "--fresh")
    fresh.says("in test mode")
    assert fresh.end() == 130
    assert f"Making the demo in {copy}" in fresh.lines
    assert (copy / "demo-login").read_text() != made.shown.password
    assert number not in kept(copy)["orders"]


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    for arguments in ((), ("--fresh",), ("--once",)):
        refused = comptoir("demo", "--folder", tmp_path, *arguments)
        assert refused.code == 2
        assert refused.err.startswith("comptoir: this folder holds something else than a demo (place: --folder, ")
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_an_ordinary_user_gets_the_same_also_after_an_interrupted_beginning(demos: Demos) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root: every other test here runs as an ordinary user already")
    # The checkout stays readable, as it is for whoever made it; only who we are is different.
    somebody = pwd.getpwnam("daemon").pw_uid
    as_somebody = ["unshare", "--user", f"--map-user={somebody}", f"--map-group={somebody}"]
    if subprocess.run([*as_somebody, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("this kernel makes no user namespaces: there is nobody to be but root")
    home = demos.folder / "home"
    home.mkdir()
    folder = home / ".local/share/comptoir/demo"

    def start() -> Running:
        demos.started.append(
            Running(folder, "demo", "--port", "0", prefix=as_somebody, env=environment(HOME=home, TMPDIR=home))
        )
        return demos.started[-1]

    begun = start()
    begun.says("in test mode")
    assert begun.end(signal.SIGTERM) == 130
    assert "Traceback" not in begun.screen
    assert begun.left() == []

    running = start()
    seen = shown(running)
    assert Browser(seen.address).sign_in(*seen.login) == "/"
    assert running.end() == 0
    assert running.left() == []


# One round --------------------------------------------------------------------------------------------------------------


def once(folder: Path, prefix: tuple[str, ...] = (), **settings: object) -> Any:
    return comptoir("demo", "--once", "--json", prefix=prefix, TMPDIR=folder, **settings)


def nothing_runs_in(folder: Path) -> bool:
    return not [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or [])]


# A network of its own, in which only the way to itself is up.
LOOPBACK_ONLY = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))
os.execv(sys.argv[1], sys.argv[1:])
"""
OFFLINE = ("unshare", "--net", sys.executable, "-c", LOOPBACK_ONLY)


def is_offline_possible() -> bool:
    return subprocess.run([*OFFLINE, sys.executable, "-c", ""], check=False, capture_output=True).returncode == 0


def test_one_round_reports_on_standard_output_alone_and_needs_no_network(demos: Demos) -> None:
    offline = OFFLINE if is_offline_possible() else ()
    done = once(demos.folder, offline)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["balanced"] is True
    assert report["broken"] == []
    assert set(report) >= {"seconds", "flows", "findings", "simulator", "orders"}
    assert report["simulator"]["effects"]
    assert done.err.splitlines()[0] == "Looking around in PrestaShop"
    assert "Traceback" not in done.err
    assert list(demos.folder.iterdir()) == []
    assert nothing_runs_in(demos.folder)
    if not offline:
        pytest.skip("this kernel makes no network namespaces: the round was done, but with a network")


def test_one_round_ends_with_1_and_names_what_is_broken(demos: Demos) -> None:
    with postgres.running(demos.folder / "postgres") as server:
        assert (
            comptoir("migrate", COMPTOIR_DATABASE_URL=server.url, COMPTOIR_DATA_FOLDER=demos.folder / "data").code == 0
        )
        with psycopg.connect(server.url) as connection:
            # One level becomes wrong in the moment when a parcel is kept, near the end of the round.
            connection.execute(
                "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " UPDATE inventory_level SET on_hand = on_hand + 1"
                " WHERE id = (SELECT min(id) FROM inventory_level); RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE TRIGGER spoil AFTER INSERT ON shipments_shipment FOR EACH STATEMENT EXECUTE FUNCTION spoil()"
            )
        done = once(demos.folder, COMPTOIR_DATABASE_URL=server.url)
        assert done.code == 1, done.err
        assert done.json["balanced"] is False
        assert [line for line in done.json["broken"] if line.startswith("inventory: ")]

        again = once(demos.folder, COMPTOIR_DATABASE_URL=server.url)
        assert again.code == 2
        assert again.json["error"] == "config_error"
        assert "in use by a hub" in again.json["text"]


# Helpers ----------------------------------------------------------------------------------------------------------------


def taken(port: int) -> socket.socket:
    """Listen on a port, unless somebody does already."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.suppress(OSError):
        listener.bind(("127.0.0.1", port))
        listener.listen()
    return listener


def bought(shop: str) -> str:
    """Somebody buys; the number of the order there. The shop may be starting again."""

    def buy() -> str | None:
        try:
            return str(simulated.trade(shop, "buy", lines={"BAG-040": 1}))
        except OSError:
            return None

    return wait_for("the shop", buy)


def in_database(folder: Path, look: Callable[[psycopg.Connection[Any]], Any]) -> Any:
    """Ask the database of a running demo; again while it is starting."""

    def ask() -> Any:
        try:
            with postgres.running(folder / "postgres") as server, psycopg.connect(server.url) as connection:
                return look(connection)
        except psycopg.OperationalError:
            return None

    return wait_for("an answer of the database", ask)


def pull_now(folder: Path) -> None:
    in_database(
        folder,
        lambda connection: (
            connection.execute(
                "UPDATE engine_flow SET next_at = now() WHERE kind = 'pull_sales' AND channel_id ="
                " (SELECT id FROM channels_channel WHERE kind = 'prestashop')"
            ).rowcount
        ),
    )


def arrived(folder: Path, number: str) -> None:
    """Wait until a worker has made an order of the shop's sale."""
    in_database(
        folder,
        lambda connection: connection.execute(
            "SELECT id FROM orders_order WHERE external_id = %s", [number]
        ).fetchone(),
    )


def wait_for_pages(address: str) -> str:
    def look() -> str | None:
        try:
            return address if Browser(address).get("/healthz")[0] == 200 else None
        except OSError:
            return None

    return wait_for("the pages", look)

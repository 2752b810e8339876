"""Which system user runs the server. PostgreSQL refuses root, so root lends it to `comptoir`, or else to `nobody`."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comptoir.kit.postgres.errors import FolderUnusable

NAME = "comptoir"

# Nothing of the caller's environment reaches the server: PGDATA, PGPORT, LC_* and the like would change what it does.
_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Account:
    """A user to run programs as; `lent` is true when we are root and it is somebody else."""

    uid: int
    gid: int
    lent: bool

    def run(
        self, command: Sequence[str | Path], *, given: str = "", fds: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user, in a session of its own so that Ctrl-C in our terminal misses it."""
        return subprocess.run(  # noqa: S603 - the programs are PostgreSQL's and /bin/sh
            [str(part) for part in command],
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            pass_fds=fds,
            user=self.uid if self.lent else None,
            group=self.gid if self.lent else None,
            extra_groups=[] if self.lent else None,
            umask=0o077,
        )

    def reaches(self, folder: Path) -> bool:
        """Whether this user may enter the folder. Asked of the kernel, since modes alone do not tell (ACLs, mounts)."""
        if not self.lent:
            return os.access(folder, os.X_OK)
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder that we have just made to this user."""
        if self.lent:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose(home: Path) -> Account:
    """The user for a server's folder: its owner; for a new one ourselves, or as root `comptoir`, or else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), lent=False)
    if home.exists():
        owner = home.stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, lent=True)
        if (home / "data").exists():
            raise FolderUnusable(
                f"The database folder {home} belongs to root, and PostgreSQL refuses to run as root. "
                f"Give it to another user: chown -R {NAME} {home}"
            )
    entry = _entry(NAME) or _made() or _entry("nobody")
    if entry is None:
        raise FolderUnusable(
            f"PostgreSQL refuses to run as root, and this system has neither a user {NAME!r} nor 'nobody'. "
            f"Make one (useradd --system {NAME}), or run Comptoir as an ordinary user."
        )
    return Account(entry.pw_uid, entry.pw_gid, lent=True)


def _made() -> pwd.struct_passwd | None:
    """Make the user. Two processes may try at once: what counts is whether it exists afterwards."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    subprocess.run(  # noqa: S603
        [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
            NAME,
        ],
        capture_output=True,
        check=False,
    )
    return _entry(NAME)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None

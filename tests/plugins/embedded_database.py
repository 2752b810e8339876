"""A PostgreSQL for the test run, unless COMPTOIR_DATABASE_URL names one.

Loaded by `-p` in pyproject.toml and not as a conftest: Django's settings, which hold the address, are read before any
conftest. Workers of pytest-xdist inherit the address, and pytest-django gives each a test database of its own.
COMPTOIR_TEST_POSTGRES chooses the server: 18 (the wheel's, as users get it) or 15 (Debian's).
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path

import pytest

from comptoir.kit import postgres

URL = "COMPTOIR_DATABASE_URL"
PREFIX = "comptoir-tests-"

# A test database need not survive a power cut.
UNSAFE_BUT_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    options = early_config.known_args_namespace
    if os.environ.get(URL) or options.help or options.version:
        return
    _remove_what_killed_runs_left()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    if os.geteuid() == 0:
        folder.chmod(0o755)  # the user that runs PostgreSQL for root must get in
    server = postgres.start(folder, binaries=_binaries(), settings=UNSAFE_BUT_QUICK)
    os.environ[URL] = server.url

    def stop() -> None:
        del os.environ[URL]
        server.stop()
        postgres.remove(folder)

    early_config.add_cleanup(stop)


def _binaries() -> Path:
    wanted = os.environ.get("COMPTOIR_TEST_POSTGRES", "18")
    if wanted == "18":
        return postgres.find_binaries()
    found = postgres.debian(int(wanted)) if wanted.isdigit() else None
    if found is None:
        raise pytest.UsageError(
            f"COMPTOIR_TEST_POSTGRES is {wanted!r}; it may be 18, or 15 where postgresql-15 is installed"
        )
    return found


def _remove_what_killed_runs_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        run = re.match(rf"{PREFIX}(\d+)-", folder.name)
        # Another run may be removing the same folder at this moment.
        with contextlib.suppress(FileNotFoundError, postgres.InUse):
            if run and folder.stat().st_uid == os.geteuid() and not _lives(run[1]):
                postgres.remove(folder)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty for a zombie
    except (FileNotFoundError, ProcessLookupError):
        return False

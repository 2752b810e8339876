"""What a command needs before it can work: a database, and Django with our parts put together."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from comptoir.kit import log, postgres
from comptoir.kit.errors import ConfigError
from comptoir.kit.settings import settings

Say = Callable[[str], None]

#: PostgreSQL's settings for a database that is thrown away at the end: it need not survive a power cut.
THROWN_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def database(tuning: Mapping[str, str] | None = None) -> Iterator[postgres.Server | None]:
    """The PostgreSQL of the settings (None: it is somebody else's), or the embedded one, started (with `tuning`) or joined.

    Its address goes into this process's environment, from where children get it.
    """
    ours = settings()
    if ours.database_url:
        _try(ours.database_url)
        yield None
        return
    try:
        ours.data_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the data folder cannot be made: {error.strerror}; COMPTOIR_DATA_FOLDER names another",
            folder=str(ours.data_folder),
        ) from error
    with postgres.running(ours.data_folder / "postgres", settings=tuning) as server:
        os.environ["COMPTOIR_DATABASE_URL"] = server.url
        settings.cache_clear()
        try:
            yield server
        finally:
            del os.environ["COMPTOIR_DATABASE_URL"]
            settings.cache_clear()


def django() -> None:
    """Set up logs, Django and every part in this process; the database's address must be known."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comptoir.config.settings")
    log.set_up(settings().log_level)
    import django as framework

    framework.setup()
    # By name, as Django finds its settings: `config` stands above the commands and knows them all.
    import_module("comptoir.config.bootstrap").set_up()


@contextmanager
def ready(tuning: Mapping[str, str] | None = None, *, migrated: bool = True) -> Iterator[None]:
    """Database and Django, for commands that do something and end. Refuses a schema older than this version."""
    with database(tuning):
        django()
        try:
            if migrated and is_behind():
                raise ConfigError("the database is empty or older than this version: run `comptoir migrate` first")
            yield
        finally:
            from django.db import connections

            from comptoir.channels import pace

            pace.close()
            for connection in connections.all():
                connection.close()
                connection.close_pool()  # type: ignore[attr-defined]  # of the PostgreSQL backend


def is_behind() -> bool:
    """Whether the schema lacks a migration of this version. Django must be set up."""
    from comptoir.kit import schema

    return bool(schema.missing())


def _try(url: str) -> None:
    """Say at once what is wrong with an address that somebody gave, instead of waiting for a pool that cannot fill."""
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            "COMPTOIR_DATABASE_URL is no address of a PostgreSQL; it looks like postgresql://user:password@host/name"
        ) from error
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        raise ConfigError(f"the PostgreSQL of COMPTOIR_DATABASE_URL cannot be used: {said}") from error


#: Held while a schema is changed: of two machines that upgrade at the same time, one waits.
MIGRATING = 0x636F6D706D696772


def migrate() -> None:
    """Bring the schema to this version and make what every hub has, while workers of the version before go on. Django must
    be set up."""
    from django.db import transaction

    from comptoir.commerce.inventory import actions as inventory
    from comptoir.flows import house
    from comptoir.kit import clock, schema

    with _alone():
        if schema.missing():
            schema.bring_up(say=_say)
        with transaction.atomic():
            house.ensure_hub(at=clock.now())
            inventory.default_warehouse()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - for whoever waits


@contextmanager
def _alone() -> Iterator[None]:
    import psycopg

    with psycopg.connect(settings().database_url, autocommit=True, connect_timeout=10) as connection:
        # Asked again and again: who waits within a statement would itself be waited for by an index that is made concurrently.
        while (row := connection.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATING]).fetchone()) and not row[0]:
            time.sleep(0.5)
        yield  # the lock ends with the connection

"""`comptoir doctor`: what an operator should know about this hub on one page, each trouble with what to do."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from comptoir.cli import starting
from comptoir.cli.screen import out
from comptoir.kit import clock, dumps
from comptoir.kit.errors import ComptoirError, ConfigError
from comptoir.kit.settings import settings

if TYPE_CHECKING:
    from comptoir.channels.models import Channel
    from comptoir.flows.vitals import Queue, Reach

OLDEST_SERVER = 15
LITTLE_ROOM, NO_ROOM = 5 << 30, 1 << 30  # bytes
CLOCKS_APART = 5.0  # seconds between this machine and the database
LONG_WAIT = 60.0  # seconds that a run may wait for a worker
LONG_UNTOLD = 15 * 60.0  # seconds that a level of a live channel may wait
BACKUP_TOO_OLD = 2 * 86_400.0


class State(StrEnum):
    """How one thing is."""

    GOOD = "good"
    NOTE = "note"  #: worth knowing; the hub works
    PROBLEM = "problem"  #: somebody must act


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the page."""

    name: str
    state: State
    text: str
    cure: str = ""


def doctor(given: argparse.Namespace) -> int:
    """`comptoir doctor`: 0 where no problem was found, else 1."""
    found: list[Check] = []
    for one in _all(with_books=given.books):
        found.append(one)
        if not given.json:
            _show(one)
    problems = sum(1 for one in found if one.state is State.PROBLEM)
    if given.json:
        out(json.dumps({"problems": problems, "checks": [asdict(one) for one in found]}))
    else:
        out("Everything is in order." if not problems else f"{problems} of {len(found)} need somebody.")
    return 1 if problems else 0


def _show(one: Check) -> None:
    sign = {State.GOOD: "ok  ", State.NOTE: "note", State.PROBLEM: "!!  "}[one.state]
    out(f"{sign} {one.name}: {one.text}")
    if one.cure:
        out(f"       → {one.cure}")


def _all(*, with_books: bool) -> Iterator[Check]:
    yield from _disk()
    try:
        with starting.database():
            yield from _server()
            with starting.ready(migrated=False):
                behind = starting.is_behind()
                yield _schema(behind)
                if not behind:
                    yield from _inside(with_books=with_books)
    except ConfigError as error:
        yield Check("database", State.PROBLEM, str(error), "start PostgreSQL, or correct COMPTOIR_DATABASE_URL")
    except (ComptoirError, psycopg.Error) as error:
        yield Check("database", State.PROBLEM, str(error).strip().splitlines()[0])


def _disk() -> Iterator[Check]:
    folder = settings().data_folder
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{_size(free)} free at {folder}"
    if free < NO_ROOM:
        yield Check("disk", State.PROBLEM, text, "make room now: a database without room stops taking orders")
    elif free < LITTLE_ROOM:
        yield Check("disk", State.NOTE, text, "make room soon")
    else:
        yield Check("disk", State.GOOD, text)


def _server() -> Iterator[Check]:
    url = settings().database_url
    before = datetime.now(UTC)
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute("SELECT clock_timestamp(), current_setting('server_version')").fetchone()
        assert row is not None  # noqa: S101 - a row of constants
        now, version = row
        here = before + (datetime.now(UTC) - before) / 2
        has_search = connection.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')").fetchone()
        major = dumps.server_version(connection)
    yield Check(
        "database",
        State.GOOD if major >= OLDEST_SERVER else State.PROBLEM,
        f"PostgreSQL {version} answers",
        "" if major >= OLDEST_SERVER else f"move to PostgreSQL {OLDEST_SERVER} or later",
    )
    if not (has_search and has_search[0]):
        yield Check(
            "extension", State.PROBLEM, "pg_trgm is not there: nothing can be searched",
            "comptoir migrate; where that is refused, an administrator runs CREATE EXTENSION pg_trgm",
        )  # fmt: skip
    apart = abs((now - here).total_seconds())
    yield Check(
        "clock",
        State.GOOD if apart < CLOCKS_APART else State.PROBLEM,
        f"this machine and the database are {apart:.1f} s apart",
        "" if apart < CLOCKS_APART else "let both machines ask a time server (NTP)",
    )
    for name, size in dumps.replaced(url).items():
        yield Check(
            "replaced database", State.NOTE, f"{name} was put aside by a restore and takes {_size(size)}",
            f"when nobody needs it any more: comptoir drop-replaced {name}",
        )  # fmt: skip
    with suppress(ConfigError):
        dumps.program("pg_dump", major, is_ours=dumps.is_embedded(url))
        return
    yield Check(
        "backup programs", State.PROBLEM, f"no pg_dump here fits PostgreSQL {major}: no backup can be taken",
        f"install its client programs (Debian: postgresql-client-{major})",
    )  # fmt: skip


def _schema(behind: bool) -> Check:
    if behind:
        return Check(
            "migrations", State.PROBLEM, "the database is empty or older than this version", "comptoir migrate"
        )
    return Check("migrations", State.GOOD, "the database is of this version")


def _inside(*, with_books: bool) -> Iterator[Check]:
    from comptoir.channels.models import HUB, Channel
    from comptoir.flows import vitals

    at = clock.now()
    rows = list(Channel.objects.filter(archived_at=None).exclude(kind=HUB).order_by("id"))
    yield _key(rows)
    yield from _workers(vitals.queue(at))
    yield from _channels(vitals.reach(at))
    marks, intake = vitals.marks(), vitals.intake(at)
    untold = (intake.oldest_undrained or 0) > LONG_UNTOLD
    yield Check("stock changes", State.GOOD, f"{marks:,} not spread to offers yet")
    yield Check(
        "webhooks",
        State.PROBLEM if untold else State.GOOD,
        f"{intake.last_hour:,} within the last hour, {intake.undrained:,} not looked at"
        + (f", the oldest for {_span(intake.oldest_undrained)}" if intake.oldest_undrained else ""),
        "see whether the flow “Hints from the shop” is on and what stops it" if untold else "",
    )
    findings = vitals.open_findings()
    yield Check(
        "findings",
        State.NOTE if findings["error"] else State.GOOD,
        f"{findings['error']:,} Errors are open",
        "the page Findings says what to do about each" if findings["error"] else "",
    )
    yield _backup(vitals.last_backup(at))
    yield Check("size", State.GOOD, f"the database takes {_size(vitals.database_bytes())}")
    if with_books:
        yield from _books()


def _key(rows: list[Channel]) -> Check:
    from comptoir.flows import restoring

    lost = [row.code for row in rows if not restoring.is_readable(row)]
    if lost:
        return Check(
            "secret key", State.PROBLEM, f"no key here opens the credentials of {', '.join(lost)}",
            "put the old key second in COMPTOIR_SECRET_KEY (or in the file secret-key), or type the credentials again",
        )  # fmt: skip
    path: Path = settings().data_folder / "secret-key"
    if not settings().secret_key and path.exists() and path.stat().st_mode & 0o077:
        return Check("secret key", State.PROBLEM, f"others may read {path}", f"chmod 600 {path}")
    return Check("secret key", State.GOOD, f"opens the credentials of all {len(rows)} channels")


def _workers(queue: Queue) -> Iterator[Check]:
    start = "start `comptoir serve` or `comptoir worker`; if it runs, its log says what stops it"
    if not queue.lanes:
        yield Check("workers", State.PROBLEM, "no worker gave a sign of life", start)
    else:
        yield Check("workers", State.GOOD, f"{queue.lanes} lanes gave a sign of life (a worker has two)")
        yield Check(
            "schedules",
            State.GOOD if queue.has_leader else State.PROBLEM,
            "a worker keeps them" if queue.has_leader else "no worker keeps them: nothing starts by itself",
            "" if queue.has_leader else "look again in ten seconds; if it stays, start the workers again",
        )
    waited = queue.oldest or 0.0
    yield Check(
        "queue",
        State.PROBLEM if waited > LONG_WAIT else State.GOOD,
        f"{queue.queued:,} runs wait, {queue.running:,} are under way"
        + (f"; the first for {_span(waited)}" if waited else ""),
        "more workers, or a higher COMPTOIR_CONCURRENCY" if waited > LONG_WAIT and queue.lanes else "",
    )


def _channels(reach: list[Reach]) -> Iterator[Check]:
    for one in reach:
        name = f"channel {one.code}"
        waits = f", {one.waiting:,} levels wait" + (
            f", the oldest for {_span(one.oldest_waiting)}" if one.oldest_waiting else ""
        )
        text = f"{one.mode}, {one.health.replace('_', ' ')}{waits}"
        if one.health == "locked_out":
            yield Check(name, State.PROBLEM, f"{text}: {one.health_text}", "correct its key on its settings page")
        elif one.health == "troubled":
            yield Check(
                name, State.PROBLEM, f"{text}: {one.health_text}", "ask whoever hosts the shop; it is tried again"
            )
        elif one.paused:
            yield Check(
                name,
                State.NOTE,
                f"{text}; writes are paused",
                f"look at its preview, then: comptoir channels resume {one.code}",
            )
        elif one.mode == "production" and (one.oldest_waiting or 0) > LONG_UNTOLD:
            yield Check(name, State.PROBLEM, text, "its flow “Stock levels” says what stops it")
        else:
            yield Check(name, State.GOOD, text)


def _backup(age: float | None) -> Check:
    cure = "comptoir backup FILE every night, to another machine"
    if age is None:
        return Check("backup", State.PROBLEM, "none was ever taken", cure)
    state = State.GOOD if age < BACKUP_TOO_OLD else State.PROBLEM
    return Check("backup", state, f"the last one is {_span(age)} old", "" if state is State.GOOD else cure)


def _books() -> Iterator[Check]:
    from comptoir.flows import house

    for part, check in house.BOOKS.items():
        broken = check()
        yield Check(
            f"books of {part}",
            State.PROBLEM if broken else State.GOOD,
            f"{len(broken)} broken" if broken else "in order",
            "`comptoir check` names each; keep a backup and tell the developers" if broken else "",
        )


def _span(seconds: float | None) -> str:
    number = max(seconds or 0.0, 0.0)
    for length, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if number >= 2 * length:
            return f"{number / length:.0f} {name}"
    return f"{number:.0f} seconds"


def _size(number: int) -> str:
    for power, name in ((40, "TB"), (30, "GB"), (20, "MB")):
        if number >= 1 << power:
            return f"{number / (1 << power):.1f} {name}"
    return f"{number:,} bytes"

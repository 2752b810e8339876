"""What every case needs: a durable database of its own, fair rounds, a row for the table."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from comptoir.kit import postgres

RESULTS = Path(__file__).parent / "results" / "latest.json"
ROUNDS = 3
Found = TypeVar("Found")
# As users get it: every commit on disk before it is answered. Larger than the default only where the limit runs too.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_wal_size": "4GB"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio` is ours divided by beside; `aim` says which way is good."""

    name: str
    ours: float
    beside: float | None  # None: the aim stands alone
    unit: str
    ratio: float | None
    aim: str
    met: bool | None  # None: measured, nothing promised


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case is given."""

    server: postgres.Server
    folder: Path  # scratch, on the same disk as the database
    quick: bool  # a small run to see that a case works; its figures mean nothing
    variants: int | None = None  # asked for by hand, for cases that are worth another size
    dlt: Path | None = None  # a Python that has dlt, the peer of an import

    @property
    def url(self) -> str:
        return self.server.url

    def size(self, full: int, quick: int) -> int:
        """How much work a case does."""
        return quick if self.quick else full

    def rounds(self, *sides: Callable[[], float], settle: Callable[[], None] | None = None) -> list[float]:
        """Median of each side over interleaved rounds: a machine that slows down slows all of them."""
        figures: list[list[float]] = [[] for _side in sides]
        for number in range(1 if self.quick else ROUNDS):
            # The order turns, so that no side always runs on what the other left in the caches.
            for index in range(len(sides)) if number % 2 == 0 else reversed(range(len(sides))):
                if settle is not None:
                    settle()
                figures[index].append(sides[index]())
        say("    " + " | ".join(", ".join(f"{figure:,.1f}" for figure in side) for side in figures))
        return [statistics.median(side) for side in figures]


def at_least(name: str, ours: float, beside: float, unit: str, aim: float) -> Row:
    """More is better: ours should be at least this part of what it stands beside."""
    ratio = ours / beside
    return Row(name, ours, beside, unit, ratio, f"at least {aim:g} of it", ratio >= aim)


def within(name: str, ours: float, beside: float, unit: str, times: float) -> Row:
    """Less is better: ours should take at most so many times what it stands beside."""
    ratio = ours / beside
    return Row(name, ours, beside, unit, ratio, f"within {times:g} times", ratio <= times)


def below(name: str, ours: float, unit: str, limit: float) -> Row:
    """Less is better, with nothing beside it."""
    return Row(name, ours, None, unit, None, f"under {limit:g}", ours < limit)


def above(name: str, ours: float, unit: str, limit: float) -> Row:
    """More is better, with nothing beside it."""
    return Row(name, ours, None, unit, None, f"at least {limit:g}", ours >= limit)


def say(text: str) -> None:
    """Progress, on standard error: standard output carries the table."""
    print(text, file=sys.stderr, flush=True)


def wait_for(look: Callable[[], Found | None], seconds: float, otherwise: str, *, every: float = 0.02) -> Found:
    """What `look` finds, once it finds something; raises with `otherwise` where it does not in time."""
    until = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > until:
            raise RuntimeError(otherwise)
        time.sleep(every)  # another process brings it about, and looking must not take its processor
    return found


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def ready(quick: bool, parent: Path, variants: int | None = None, dlt: Path | None = None) -> Iterator[Bench]:
    """A migrated hub on a durable embedded PostgreSQL, thrown away afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    _refuse_memory(parent)
    folder = Path(tempfile.mkdtemp(prefix="comptoir-bench-", dir=parent))
    folder.chmod(0o755)  # the user that runs PostgreSQL for root must get in
    try:
        with postgres.running(folder / "database", settings=DURABLE) as server:
            os.environ |= {
                "COMPTOIR_DATABASE_URL": server.url,
                "COMPTOIR_DATA_FOLDER": str(folder / "data"),
                "COMPTOIR_SECRET_KEY": "for-measurements-only",
                "DJANGO_SETTINGS_MODULE": "comptoir.config.settings",
            }
            import django
            from django.core.management import call_command
            from django.db import connections

            django.setup()
            call_command("migrate", verbosity=0)
            try:
                yield Bench(server, folder, quick, variants, dlt)
            finally:
                connections.close_all()
                connections["default"].close_pool()  # type: ignore[attr-defined]  # of the PostgreSQL backend
        postgres.remove(folder / "database")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_memory(folder: Path) -> None:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    over = [(where, kind) for where, kind in mounts if folder.resolve().is_relative_to(where)]
    if max(over, key=lambda mount: len(mount[0]))[1] == "tmpfs":
        raise SystemExit(f"{folder} is in memory: a commit there costs nothing. Name a folder on a disk with --folder.")


def keep(rows: Sequence[Row]) -> None:
    """Put these rows among the latest results, replacing those of the same name."""
    kept = {row["name"]: row for row in json.loads(RESULTS.read_text())["rows"]} if RESULTS.exists() else {}
    kept |= {row.name: asdict(row) for row in rows}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": list(kept.values())}, indent=1) + "\n")


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, as docs/benchmarks.md carries it."""
    lines = ["| what | ours | beside | unit | ratio | aim | met |", "| --- | ---: | ---: | --- | ---: | --- | --- |"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        lines.append(
            f"| {row.name} | {figure(row.ours)} | {figure(row.beside)} | {row.unit} | "
            f"{'' if row.ratio is None else f'{row.ratio:.2f}'} | {row.aim} | {met} |"
        )
    return "\n".join(lines)


def figure(value: float | None) -> str:
    """A number as short as its size allows."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""Where a double keeps its state: tables in SQLite, in memory or in a file that survives whoever is killed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from comptoir.simulators.counters import Written

Row = dict[str, Any]

#: the log of writes, that `Counters` takes back when a process starts again
_LOG = "CREATE TABLE IF NOT EXISTS written (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);"


def opened(path: Path | None, schema: str) -> sqlite3.Connection:
    """A connection to a state file (None: to memory) that has these tables and the log of writes."""
    connection = sqlite3.connect(
        str(path) if path else ":memory:", isolation_level=None, check_same_thread=False, timeout=1.0
    )
    try:
        if path:
            # Held exclusively: two simulators on one file would sell the same piece twice. NORMAL with a write-ahead
            # log survives the death of the process, which is what a demo and a kill test need.
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                connection.execute(f"PRAGMA {pragma}")
        connection.executescript("BEGIN EXCLUSIVE;" + schema + _LOG + "COMMIT;")
    except sqlite3.OperationalError as problem:
        connection.close()
        if "locked" in str(problem):
            raise RuntimeError(f"the state file {path} is in use by another simulator") from problem
        raise
    return connection


class Log:
    """The log of writes in a state file."""

    _connection: sqlite3.Connection
    #: a test may act in the shop while a server answers from other threads
    _lock: threading.RLock

    def log(self) -> list[Written]:
        """Every write that was kept, oldest first."""
        with self._lock:
            found = self._connection.execute("SELECT entry FROM written ORDER BY seq").fetchall()
        return [Written(**json.loads(entry)) for (entry,) in found]

    def keep(self, written: Written) -> None:
        """Keep a write; within the transaction that made it, both are kept or neither."""
        with self._lock:
            entry = json.dumps(written.as_dict(), default=str)
            self._connection.execute("INSERT INTO written VALUES (?, ?)", (written.seq, entry))


class Tables(Log):
    """Tables, transactions, and a record of changes where one is asked for. Subclasses say what is kept and how."""

    def __init__(self, path: Path | None, schema: str) -> None:
        self.changes: list[Row] | None = None
        self._depth = 0
        self._lock = threading.RLock()
        self._connection = opened(path, schema)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner one belongs to the outer."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth = 0

    @contextmanager
    def recorded(self) -> Iterator[list[Row]]:
        """Collect what changes inside the block."""
        self.changes = []
        try:
            yield self.changes
        finally:
            self.changes = None

    def rows(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Read rows."""
        with self._lock:
            found = self._connection.execute(statement, parameters)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

    def value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        with self._lock:
            row = self._connection.execute(statement, parameters).fetchone()
        return row[0] if row else None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Change rows without a record; gives their number."""
        with self._lock:
            return self._connection.execute(statement, parameters).rowcount

    def insert_row(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Add a row without a record; gives its id."""
        with self._lock:
            return int(self._connection.execute(statement, parameters).lastrowid or 0)


class _Kept(Protocol):
    def transaction(self) -> AbstractContextManager[None]: ...


class _HasStore(Protocol):
    @property
    def store(self) -> _Kept: ...


Given = ParamSpec("Given")
Result = TypeVar("Result")
Owner = TypeVar("Owner", bound=_HasStore)


def whole(action: Callable[Concatenate[Owner, Given], Result]) -> Callable[Concatenate[Owner, Given], Result]:
    """Runs an action of the shop in one piece: nobody sees or changes anything between its steps."""

    @wraps(action)
    def in_one_piece(self: Owner, /, *arguments: Given.args, **named: Given.kwargs) -> Result:
        with self.store.transaction():
            return action(self, *arguments, **named)

    return in_one_piece

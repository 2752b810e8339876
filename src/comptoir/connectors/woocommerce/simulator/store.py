"""The shop's objects in SQLite, in memory or in a file: WordPress keeps posts, and so does this, each as a document."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

Row = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, parent INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT '',
    sku TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, modified TEXT NOT NULL, created_here TEXT NOT NULL,
    modified_here TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, id);
CREATE INDEX IF NOT EXISTS objects_by_change ON objects (kind, modified);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (parent, kind);
CREATE INDEX IF NOT EXISTS objects_by_sku ON objects (sku) WHERE sku <> '';
CREATE TABLE IF NOT EXISTS options (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (key TEXT, nonce TEXT, at INTEGER, PRIMARY KEY (key, nonce));
CREATE TABLE IF NOT EXISTS deliveries (id INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER, url TEXT, headers TEXT, body BLOB);
CREATE TABLE IF NOT EXISTS written (seq INTEGER PRIMARY KEY, entry TEXT);
"""
_STAMP = "%Y-%m-%dT%H:%M:%S"

#: kind of object -> what the counters call it
RESOURCES = {
    "product": "products",
    "variation": "variations",
    "order": "orders",
    "note": "notes",
    "refund": "refunds",
    "webhook": "webhooks",
    "fulfillment": "fulfillments",
    "tracking": "trackings",
    "category": "categories",
}


class Store:
    """Objects, options, transactions, and a record of changes where one is asked for. Times are GMT without a zone; beside
    each stands the shop's local one, since filters compare with either."""

    def __init__(self, path: Path | None, now: Callable[[], datetime], here: Callable[[datetime], datetime]) -> None:
        self._now, self._here = now, here
        self.changes: list[Row] | None = None
        self._depth = 0
        #: a test may act in the shop while a server answers from other threads
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            str(path) if path else ":memory:", isolation_level=None, check_same_thread=False, timeout=1.0
        )
        try:
            if path:
                # Held exclusively: two simulators on one file would sell the same piece twice. NORMAL with a
                # write-ahead log survives the death of the process, which is what a demo and a kill test need.
                for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                    self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript("BEGIN EXCLUSIVE;" + SCHEMA + "COMMIT;")
        except sqlite3.OperationalError as problem:
            self._connection.close()
            if "locked" in str(problem):
                raise RuntimeError(f"the state file {path} is in use by another simulator") from problem
            raise

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

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
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

    # Options -------------------------------------------------------------------------------------------------------

    def option(self, name: str, default: Any = None) -> Any:
        """A value of the shop's options."""
        text = self.value("SELECT value FROM options WHERE name = ?", (name,))
        return default if text is None else json.loads(text)

    def set_option(self, name: str, value: Any) -> None:
        """Keep a value."""
        self.execute("INSERT OR REPLACE INTO options VALUES (?, ?)", (name, json.dumps(value)))

    def fresh(self, name: str) -> int:
        """The next number of a series that is not the posts' own (lines of orders, meta)."""
        with self._lock:
            number = int(self.option(f"series_{name}", 0)) + 1
            self.set_option(f"series_{name}", number)
        return number

    # Objects -------------------------------------------------------------------------------------------------------

    def find(self, kind: str, identity: int) -> Row | None:
        """One object with its columns, or None."""
        found = self.rows("SELECT * FROM objects WHERE kind = ? AND id = ?", (kind, identity))
        return opened(found[0]) if found else None

    def get(self, kind: str, identity: int) -> Row:
        """One object that must be there."""
        found = self.find(kind, identity)
        if found is None:
            raise LookupError(f"no {kind} {identity}")
        return found

    def all(self, kind: str, *, parent: int | None = None) -> list[Row]:
        """Every object of a kind, by id."""
        where, values = ("", [kind]) if parent is None else (" AND parent = ?", [kind, parent])
        return [opened(row) for row in self.rows(f"SELECT * FROM objects WHERE kind = ?{where} ORDER BY id", values)]

    def add(
        self, kind: str, doc: Row, *, parent: int = 0, status: str = "", sku: str = "", at: datetime | None = None
    ) -> int:
        """Add an object; gives its id."""
        created, here = self._stamps(at)
        with self._lock:
            found = self._connection.execute(
                "INSERT INTO objects (kind, parent, status, sku, created, modified, created_here, modified_here, doc)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (kind, parent, status, sku, created, created, here, here, json.dumps(doc, ensure_ascii=False)),
            )
        identity = int(found.lastrowid or 0)
        if self.changes is not None:
            self.changes.append({"resource": RESOURCES[kind], "id": identity, "do": "insert", "to": doc})
        return identity

    def save(self, row: Row, *, touch: bool = True, at: datetime | None = None, **values: Any) -> bool:
        """Change fields of an object (`status` and `sku` are columns); tells whether anything became different. `touch`
        moves its date of change even where nothing did, as saving a post does."""
        before = self.get(row["kind"], row["id"])
        columns = {name: values.pop(name) for name in ("status", "sku") if name in values}
        changed = {name: value for name, value in values.items() if before["doc"].get(name) != value}
        moved = {name: value for name, value in columns.items() if before[name] != value}
        doc = {**before["doc"], **changed}
        assignments, given = ["doc = ?"], [json.dumps(doc, ensure_ascii=False)]
        for name, value in moved.items():
            assignments.append(f"{name} = ?")
            given.append(value)
        if touch:
            modified, here = self._stamps(at)
            assignments += ["modified = ?", "modified_here = ?"]
            given += [modified, here]
        self.execute(f"UPDATE objects SET {', '.join(assignments)} WHERE id = ?", (*given, row["id"]))
        row.update(self.get(row["kind"], row["id"]))
        if (changed or moved) and self.changes is not None:
            old = {name: before["doc"].get(name) for name in changed} | {name: before[name] for name in moved}
            self.changes.append(
                {
                    "resource": RESOURCES[row["kind"]],
                    "id": row["id"],
                    "do": "update",
                    "from": old,
                    "to": {**changed, **moved},
                }
            )
        return bool(changed or moved)

    def remove(self, kind: str, identity: int) -> bool:
        """Delete an object for good."""
        gone = self.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, identity)) > 0
        if gone and self.changes is not None:
            self.changes.append({"resource": RESOURCES[kind], "id": identity, "do": "delete"})
        return gone

    def _stamps(self, at: datetime | None) -> tuple[str, str]:
        moment = at or self._now()
        return moment.strftime(_STAMP), self._here(moment).strftime(_STAMP)


def opened(row: Row) -> Row:
    """A row with its document read."""
    return {**row, "doc": json.loads(row["doc"])}


class _HasStore(Protocol):
    store: Store


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

"""What the shop keeps: documents by kind and id, all of them at hand, every change written through to SQLite before it is
answered. A document is never changed in place: a new one takes its place, so that what failed can be undone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comptoir.simulators.storing import Log, Row, opened, whole

__all__ = ["FIRST_ID", "Row", "Store", "whole"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
"""
FIRST_ID = 7_000_000_000_001  # as long as theirs


class Store(Log):
    """All or nothing by `transaction`; `changes` collects what became different while somebody listens."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._undo: list[tuple[str, str, Row | None]] = []
        self._touched: dict[tuple[str, str], None] = {}
        self._after: list[Callable[[], None]] = []
        self.changes: list[dict[str, Any]] | None = None
        self._kinds: dict[str, dict[str, Row]] = {}
        self._connection = opened(path, SCHEMA)
        for kind, key, body in self._connection.execute("SELECT kind, id, body FROM documents"):
            self._kinds.setdefault(kind, {})[key] = json.loads(body)
        self._last = int(self.find("meta", "ids", {}).get("last", FIRST_ID - 1))

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
            self._depth = 1
            after: list[Callable[[], None]] = []
            try:
                yield
                self._commit()
                after = self._after
            except BaseException:
                for kind, key, before in reversed(self._undo):
                    self._place(kind, key, before)
                raise
            finally:
                self._depth = 0
                self._undo.clear()
                self._touched.clear()
                self._after = []
            for act in after:
                act()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do this once what is going on is kept; never where it is undone."""
        with self.transaction():
            self._after.append(act)

    @contextmanager
    def recorded(self) -> Iterator[list[dict[str, Any]]]:
        """Collect what changes inside the block."""
        self.changes = []
        try:
            yield self.changes
        finally:
            self.changes = None

    def new_id(self) -> int:
        """The next id of anything."""
        self._last += 1
        self._put("meta", "ids", {"last": self._last})
        return self._last

    def all(self, kind: str) -> list[Row]:
        """Every document of a kind, in the order in which they were made."""
        return list(self._kinds.get(kind, {}).values())

    def find(self, kind: str, key: object, default: Any = None) -> Any:
        """One document, or the default."""
        return self._kinds.get(kind, {}).get(str(key), default)

    def get(self, kind: str, key: object) -> Row:
        """One document; raises LookupError."""
        found = self.find(kind, key)
        if found is None:
            raise LookupError(f"no {kind} {key}")
        row: Row = found
        return row

    def add(self, kind: str, key: object = None, /, **values: Any) -> Row:
        """A new document; without a key it gets an id of its own."""
        identity = self.new_id() if key is None else key
        row = {"id": identity, **values}
        self._put(kind, str(identity), row)
        self._note({"resource": kind, "id": identity, "do": "insert", "to": values})
        return row

    def change(self, kind: str, key: object, /, **values: Any) -> Row:
        """Other values in a document; the same ones change nothing."""
        before = self.get(kind, key)
        different = {name: value for name, value in values.items() if name not in before or before[name] != value}
        if not different:
            return before
        after = {**before, **different}
        self._put(kind, str(key), after)
        told = {name: value for name, value in different.items() if name != "updatedAt"}
        if told:
            old = {name: before.get(name) for name in told}
            self._note({"resource": kind, "id": before["id"], "do": "update", "from": old, "to": told})
        return after

    def remove(self, kind: str, key: object) -> bool:
        """Without this document."""
        before = self.find(kind, key)
        if before is None:
            return False
        self._put(kind, str(key), None)
        self._note({"resource": kind, "id": before["id"], "do": "delete"})
        return True

    # -- within -----------------------------------------------------------------------------------------------------------

    def _note(self, change: dict[str, Any]) -> None:
        if self.changes is not None:
            self.changes.append(change)

    def _put(self, kind: str, key: str, row: Row | None) -> None:
        if not self._depth:
            with self.transaction():
                self._put(kind, key, row)
            return
        self._undo.append((kind, key, self._kinds.get(kind, {}).get(key)))
        self._touched[kind, key] = None
        self._place(kind, key, row)

    def _place(self, kind: str, key: str, row: Row | None) -> None:
        if row is None:
            self._kinds.get(kind, {}).pop(key, None)
        else:
            self._kinds.setdefault(kind, {})[key] = row

    def _commit(self) -> None:
        rows = [(kind, key, self._kinds.get(kind, {}).get(key)) for kind, key in self._touched]
        if not rows:
            return
        self._connection.execute("BEGIN")
        try:
            self._connection.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                [(kind, key, json.dumps(row)) for kind, key, row in rows if row is not None],
            )
            self._connection.executemany(
                "DELETE FROM documents WHERE kind = ? AND id = ?",
                [(kind, key) for kind, key, row in rows if row is None],
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

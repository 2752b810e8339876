"""The shop's objects in SQLite, in memory or in a file: WordPress keeps posts, and so does this, each as a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from comptoir.simulators.storing import Row, Tables, whole

__all__ = ["RESOURCES", "Row", "Store", "opened", "whole"]

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


class Store(Tables):
    """Objects and options. Times are GMT without a zone; beside each stands the shop's local one, since filters compare with either."""

    def __init__(self, path: Path | None, now: Callable[[], datetime], here: Callable[[datetime], datetime]) -> None:
        self._now, self._here = now, here
        super().__init__(path, SCHEMA)

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
        identity = self.insert_row(
            "INSERT INTO objects (kind, parent, status, sku, created, modified, created_here, modified_here, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, parent, status, sku, created, created, here, here, json.dumps(doc, ensure_ascii=False)),
        )
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

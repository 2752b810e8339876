"""The shop's tables in SQLite, in memory or in a file. What lists filter and sort by are columns; the rest is a document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from comptoir.simulators.storing import Row, Tables, whole

__all__ = ["Row", "Store", "plain", "text", "whole"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    entity_id INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL UNIQUE COLLATE NOCASE, type_id TEXT NOT NULL, name TEXT NOT NULL,
    price REAL, status INTEGER NOT NULL, visibility INTEGER NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS products_updated ON products (updated_at);
CREATE TABLE IF NOT EXISTS sources (source_code TEXT PRIMARY KEY COLLATE NOCASE, name TEXT, enabled INTEGER, doc TEXT);
CREATE TABLE IF NOT EXISTS stocks (stock_id INTEGER PRIMARY KEY, name TEXT, websites TEXT);
CREATE TABLE IF NOT EXISTS stock_links (stock_id INTEGER, source_code TEXT, priority INTEGER, PRIMARY KEY (stock_id, source_code));
CREATE TABLE IF NOT EXISTS source_items (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL COLLATE NOCASE, source_code TEXT NOT NULL COLLATE NOCASE,
    quantity REAL NOT NULL, status INTEGER NOT NULL, UNIQUE (sku, source_code));
CREATE INDEX IF NOT EXISTS source_items_source ON source_items (source_code, sku);
CREATE TABLE IF NOT EXISTS reservations (
    id INTEGER PRIMARY KEY, stock_id INTEGER, sku TEXT COLLATE NOCASE, quantity REAL, why TEXT, order_id INTEGER);
CREATE INDEX IF NOT EXISTS reservations_sku ON reservations (sku, stock_id);
CREATE TABLE IF NOT EXISTS orders (
    entity_id INTEGER PRIMARY KEY AUTOINCREMENT, increment_id TEXT UNIQUE, state TEXT, status TEXT, store_id INTEGER,
    created_at TEXT, updated_at TEXT, doc TEXT);
CREATE INDEX IF NOT EXISTS orders_updated ON orders (updated_at);
CREATE INDEX IF NOT EXISTS orders_created ON orders (created_at);
CREATE TABLE IF NOT EXISTS shipments (entity_id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER, created_at TEXT, doc TEXT);
CREATE INDEX IF NOT EXISTS shipments_order ON shipments (order_id);
CREATE TABLE IF NOT EXISTS invoices (entity_id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER, created_at TEXT, doc TEXT);
CREATE TABLE IF NOT EXISTS operations (
    id INTEGER, uuid TEXT, status INTEGER, message TEXT, topic TEXT, body TEXT, started_at TEXT, PRIMARY KEY (uuid, id));
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
"""


def plain(value: Decimal | float | str | int) -> Decimal | int:
    """A number as PHP writes it in JSON: whole ones without a point, others with what decimals they have."""
    exact = Decimal(str(value)).quantize(Decimal("0.000001")).normalize()
    return int(exact) if exact == exact.to_integral_value() else exact


class Store(Tables):
    """The shop's tables, its own numbers and settings."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, SCHEMA)

    def record(self, resource: str, identity: object, before: object, after: object) -> None:
        """Note a change where someone is listening and something became different."""
        if self.changes is not None and before != after:
            self.changes.append({"resource": resource, "id": identity, "from": before, "to": after})

    def row(self, statement: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    def next(self, name: str) -> int:
        """A number that was never given before."""
        return int(
            self.value(
                "INSERT INTO numbers VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            )
        )

    def setting(self, name: str, default: str = "") -> str:
        """A value of the shop's own."""
        found = self.value("SELECT value FROM meta WHERE name = ?", (name,))
        return default if found is None else str(found)

    def set(self, name: str, value: str) -> None:
        """Keep a value of the shop's own."""
        self.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )


def text(document: Any) -> str:
    """A document as the table keeps it."""
    return json.dumps(document, ensure_ascii=False, default=str)

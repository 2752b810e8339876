"""The shop's tables in SQLite, in memory or in a file: the same kind of engine that the real shop asks, so lists stay quick."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from comptoir.connectors.prestashop.simulator.resources import EMPTY, RESOURCES, Field
from comptoir.simulators.storing import Row, Tables, whole

__all__ = ["Row", "Store", "in_database", "money", "whole"]


INDEXES = {
    "products": ("date_upd", "reference COLLATE NOCASE"),
    "combinations": ("id_product", "reference COLLATE NOCASE"),
    "product_option_values": ("id_attribute_group",),
    "product_suppliers": ("id_product", "id_supplier"),
    "tax_rules": ("id_tax_rules_group",),
    "configurations": ("name COLLATE NOCASE",),
    "addresses": ("id_customer", "id_supplier"),
    "orders": ("date_upd", "date_add", "current_state", "reference COLLATE NOCASE"),
    "order_details": ("id_order",),
    "order_histories": ("id_order",),
    "order_payments": ("order_reference COLLATE NOCASE",),
    "order_invoices": ("id_order",),
    "order_slip": ("id_order",),
    "order_carriers": ("id_order",),
    "messages": ("id_order",),
    "stock_availables": ("id_product, id_product_attribute, id_shop, id_shop_group",),
}

ALSO = """
CREATE TABLE IF NOT EXISTS product_images (
    id INTEGER PRIMARY KEY AUTOINCREMENT, id_product INTEGER NOT NULL, position INTEGER NOT NULL,
    cover INTEGER NOT NULL, missing INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS product_images_by_product ON product_images (id_product);
CREATE TABLE IF NOT EXISTS shop_members (resource TEXT, id INTEGER, id_shop INTEGER, PRIMARY KEY (resource, id, id_shop))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mails (id INTEGER PRIMARY KEY, template TEXT, id_order INTEGER, at TEXT);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
"""


def money(value: Decimal | str | int) -> str:
    """Six decimals, as the shop writes amounts."""
    return f"{value if isinstance(value, Decimal) else Decimal(value):.6f}"


def in_database(field: Field, value: Any) -> Any:
    """A value as the table keeps it."""
    if value is None:
        return "{}" if field.many else EMPTY[field.kind]
    if field.many:
        return json.dumps({str(key): text for key, text in value.items()}, ensure_ascii=False)
    match field.kind:
        case "money":
            return money(value)
        case "rate":
            return f"{Decimal(value):.3f}"
        case "id" | "int" | "bool":
            return int(value)
        case _:
            return value if isinstance(value, str) else str(value)


class Store(Tables):
    """The shop's objects by resource, with ids that are never given twice."""

    def __init__(self, path: Path | None = None) -> None:
        self.languages: list[int] = [1]
        super().__init__(path, self._schema() + ALSO)
        self._next = {
            name: self.value(f'SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = "{name}"')
            for name in (*RESOURCES, "product_images")
        }

    @staticmethod
    def _schema() -> str:
        statements = []
        for resource in RESOURCES.values():
            columns = [
                f'"{one.name}" {"INTEGER" if one.kind in ("id", "int", "bool") else "TEXT"}' for one in resource.columns
            ]
            statements.append(
                f'CREATE TABLE IF NOT EXISTS "{resource.name}" '
                f"(id INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(columns)}, associations TEXT NOT NULL DEFAULT '{{}}');"
            )
            statements += [
                f'CREATE INDEX IF NOT EXISTS "{resource.name}_{number}" ON "{resource.name}" ({columns_of_index});'
                for number, columns_of_index in enumerate(INDEXES.get(resource.name, ()))
            ]
        return "".join(statements)

    def get(self, name: str, identity: int) -> Row | None:
        """One object, or None."""
        found = self.rows(f'SELECT * FROM "{name}" WHERE id = ?', (identity,))
        return found[0] if found else None

    def reserve_ids(self, name: str, count: int) -> int:
        """The first of so many fresh ids."""
        with self._lock:
            first: int = self._next[name]
            self._next[name] = first + count
            return first

    def many(self, value: str | Mapping[int, str] | None) -> dict[int, str]:
        """A text for every language."""
        if isinstance(value, Mapping):
            fallback = next(iter(value.values()), "")
            return {language: value.get(language, fallback) for language in self.languages}
        return dict.fromkeys(self.languages, value or "")

    def insert(self, name: str, /, **values: Any) -> int:
        """Add one object; gives its id."""
        return self.insert_many(name, [values])[0]

    def insert_many(self, name: str, objects: Iterable[Mapping[str, Any]]) -> list[int]:
        """Add many objects of one kind; gives their ids."""
        resource = RESOURCES[name]
        places = {one.name: (place, one) for place, one in enumerate(resource.columns, start=1)}
        empty = [0, *(in_database(one, None) for one in resource.columns), "{}"]
        wanted = list(objects)
        first = self.reserve_ids(name, sum(1 for one in wanted if "id" not in one))
        prepared = []
        ids = []
        for values in wanted:
            row = empty.copy()
            if "id" in values:
                row[0] = values["id"]
                self._next[name] = max(self._next[name], values["id"] + 1)
            else:
                row[0] = first
                first += 1
            for key, value in values.items():
                if key == "associations":
                    row[-1] = json.dumps(value)
                elif key != "id":
                    place, one = places[key]
                    if one.many:
                        value = self.many(value)
                    row[place] = in_database(one, value)
            prepared.append(row)
            ids.append(row[0])
        marks = ", ".join("?" * len(empty))
        with self.transaction():
            self._connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', prepared)
        if self.changes is not None:
            self.changes += [
                {"resource": name, "id": one, "do": "insert", "to": {k: str(v) for k, v in values.items()}}
                for one, values in zip(ids, wanted, strict=True)
            ]
        return ids

    def update(self, name: str, identity: int, /, **values: Any) -> bool:
        """Change fields of one object; tells whether anything became different."""
        before = self.get(name, identity)
        if before is None:
            raise LookupError(f"no {name} {identity}")
        fields = RESOURCES[name].by_name
        new: Row = {}
        for key, value in values.items():
            if key == "associations":
                new[key] = json.dumps(value)
            elif fields[key].many and isinstance(value, str):
                new[key] = in_database(fields[key], self.many(value))
            else:
                new[key] = in_database(fields[key], value)
        changed = {key: value for key, value in new.items() if before[key] != value}
        if not changed:
            return False
        assignments = ", ".join(f'"{key}" = ?' for key in changed)
        self.execute(f'UPDATE "{name}" SET {assignments} WHERE id = ?', (*changed.values(), identity))
        self.record(name, identity, {key: before[key] for key in changed}, changed)
        return True

    def record(self, name: str, identity: int, before: Row, after: Row) -> None:
        """Note a change where someone is listening."""
        if self.changes is not None:
            self.changes.append({"resource": name, "id": identity, "do": "update", "from": before, "to": after})

    def delete(self, name: str, identity: int) -> bool:
        """Remove one object."""
        gone = self.execute(f'DELETE FROM "{name}" WHERE id = ?', (identity,)) > 0
        if gone and self.changes is not None:
            self.changes.append({"resource": name, "id": identity, "do": "delete"})
        return gone

"""Stock by sources (MSI): physical quantities, and reservations that open orders hold against what a website may sell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from comptoir.connectors.magento.simulator.catalogue import STOCKED, Catalogue
from comptoir.connectors.magento.simulator.problem import Problem
from comptoir.connectors.magento.simulator.store import whole


class Inventory(Catalogue):
    """Sources, source items, stocks and reservations."""

    def add_source(
        self, code: str, name: str = "", *, stock: int = 1, priority: int | None = None, enabled: bool = True
    ) -> None:
        """Another warehouse of the shop, serving a stock."""
        document = json.dumps({"country_id": "GB", "postcode": "EC1A 1BB"})
        self.store.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", (code, name or code, int(enabled), document))
        if priority is None:
            priority = int(self.store.value("SELECT count(*) + 1 FROM stock_links WHERE stock_id = ?", (stock,)))
        self.store.execute("INSERT OR REPLACE INTO stock_links VALUES (?, ?, ?)", (stock, code, priority))

    def add_stock(self, stock: int, name: str, websites: Sequence[str]) -> None:
        """Another group of sources, for these websites."""
        self.store.execute("INSERT OR REPLACE INTO stocks VALUES (?, ?, ?)", (stock, name, json.dumps(list(websites))))

    @property
    def stores(self) -> list[dict[str, Any]]:
        """Store views, each with the code of its website."""
        made = json.loads(self.store.setting("stores", "[]"))
        return [{"id": 1, "code": "default", "name": "Default Store View", "website": "base"}, *made]

    @property
    def websites(self) -> list[str]:
        """Codes of websites; the first has id 1."""
        return list(dict.fromkeys(one["website"] for one in self.stores))

    def add_store(self, code: str, website: str) -> int:
        """Another store view, of this website or a new one."""
        made = [*self.stores[1:], {"id": len(self.stores) + 1, "code": code, "name": code, "website": website}]
        self.store.set("stores", json.dumps(made))
        return len(made) + 1

    def stock_of(self, store: int) -> int:
        """The stock that serves the website of a store view."""
        website = next(one["website"] for one in self.stores if one["id"] == store)
        for row in self.store.rows("SELECT stock_id, websites FROM stocks ORDER BY stock_id DESC"):
            if website in json.loads(row["websites"]):
                return int(row["stock_id"])
        return 1

    def quantity(self, sku: str, source: str = "default") -> float:
        """What lies there."""
        return float(
            self.store.value("SELECT quantity FROM source_items WHERE sku = ? AND source_code = ?", (sku, source)) or 0
        )

    @whole
    def set_quantity(self, sku: str, quantity: float, source: str = "default", status: int | None = None) -> None:
        """Type a figure, or have it written: no product's stamp moves by it."""
        before = self.store.row(
            "SELECT quantity, status FROM source_items WHERE sku = ? AND source_code = ?", (sku, source)
        )
        status = int(quantity > 0) if status is None else status
        self.store.execute(
            "INSERT INTO source_items (sku, source_code, quantity, status) VALUES (?, ?, ?, ?) ON CONFLICT (sku, source_code)"
            " DO UPDATE SET quantity = excluded.quantity, status = excluded.status",
            (sku, source, float(quantity), status),
        )
        self.store.record("source_items", f"{source}/{sku}", before, {"quantity": float(quantity), "status": status})

    def reserve(self, sku: str, quantity: float, why: str, order: int, stock: int = 1) -> None:
        """Append a reservation: negative holds, positive gives back. Without MSI the figure itself moves."""
        row = self.by_sku(sku)
        if row is None or row["type_id"] not in STOCKED or not quantity:
            return
        if not self.msi:
            self.set_quantity(sku, self.quantity(sku) + quantity)
            return
        self.store.execute(
            "INSERT INTO reservations (stock_id, sku, quantity, why, order_id) VALUES (?, ?, ?, ?, ?)",
            (stock, sku, quantity, why, order),
        )
        self.store.record("reservations", sku, 0, quantity)

    def salable(self, sku: str, stock: int = 1) -> float:
        """What a website may still sell: sources in stock, less what open orders hold."""
        if not self.msi:
            return self.quantity(sku)
        there = self.store.value(
            "SELECT coalesce(sum(i.quantity), 0) FROM source_items i JOIN sources s USING (source_code)"
            " JOIN stock_links l USING (source_code) WHERE i.sku = ? AND i.status = 1 AND s.enabled = 1 AND l.stock_id = ?",
            (sku, stock),
        )
        held = self.store.value(
            "SELECT coalesce(sum(quantity), 0) FROM reservations WHERE sku = ? AND stock_id = ?", (sku, stock)
        )
        return float(there) + float(held)

    def deduct(self, sku: str, quantity: float, source: str) -> None:
        """Goods leave a source. The check is of this source alone."""
        if not self.msi:
            return  # taken off when the order was placed
        there = self.store.row(
            "SELECT quantity, status FROM source_items WHERE sku = ? AND source_code = ?", (sku, source)
        )
        if there is None or there["quantity"] < quantity:
            raise Problem(400, "Not all of your products are available in the requested quantity.")
        self.set_quantity(sku, there["quantity"] - quantity, source, there["status"])

    def write_source_items(self, items: Any, *, limit: int = 0) -> None:
        """The save of `POST /V1/inventory/source-items`: everything is checked, and one bad row rejects them all."""
        if not isinstance(items, list) or not items:
            raise Problem(400, "Input data is empty")
        if limit and len(items) > limit:
            raise Problem(
                400,
                'Maximum items of type "%type" is %max',
                {"type": "Magento\\InventoryApi\\Api\\Data\\SourceItemInterface", "max": limit},
            )
        sources = {row["source_code"] for row in self.store.rows("SELECT source_code FROM sources")}
        errors: list[Mapping[str, Any]] = []
        for item in items:
            errors += _wrong(item, sources)
        if errors:
            raise Problem(400, "Validation Failed", (), errors)
        for item in items:
            self.set_quantity(item["sku"], float(item["quantity"]), item["source_code"], int(item["status"]))


def _wrong(item: Any, sources: set[str]) -> list[Mapping[str, Any]]:
    """What is wrong with one row. Whether the SKU exists is not looked at: orphans come to be that way."""
    found: list[Mapping[str, Any]] = []
    sku, source = str(item.get("sku") or ""), str(item.get("source_code") or "")
    if not sku.strip():
        found.append({"message": '"%field" can not be empty.', "parameters": {"field": "sku"}})
    elif sku != sku.strip():
        found.append(
            {"message": '"%field" can not contain leading or trailing spaces.', "parameters": {"field": "sku"}}
        )
    if not source.strip() or any(sign.isspace() for sign in source):
        found.append({"message": '"%field" can not be empty.', "parameters": {"field": "source_code"}})
    elif source not in sources:
        found.append({"message": 'Source with source code "%1" does not exist.', "parameters": [source]})
    quantity = item.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, int | float):
        found.append({"message": '"%field" should be numeric.', "parameters": {"field": "quantity"}})
    if item.get("status") not in (0, 1):
        found.append({"message": '"%field" should be a known status.', "parameters": {"field": "status"}})
    return found

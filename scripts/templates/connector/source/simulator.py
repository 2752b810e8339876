"""The double of Acme: state, what happens in it, and the answers. It never imports the client, wire or mapping."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from comptoir.simulators.counters import Written
from comptoir.simulators.exchange import Answer, Request
from comptoir.simulators.goods import GOODS
from comptoir.simulators.simulator import TRADE, Simulator, query_text

DEMO_KEY = "acme-demo-key-3f9a"
MOST = 250  # rows on a page, whatever is asked for

Row = dict[str, Any]
Saved = tuple[int, Row, list[Any], list[Row]]  # status, answer, ids, changes


class AcmeSimulator(Simulator):
    """An account: goods and sales, each row with the number of its last change."""

    kind: ClassVar[str] = "acme"

    def __init__(self, world: str = "demo", key: str = DEMO_KEY, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.key = key
        self.goods: dict[int, Row] = {}
        self.sales: dict[int, Row] = {}
        self._changes = itertools.count(1)
        if world == "demo":
            for sku, name, _, price, units in GOODS:
                self._make(sku, name, price, units)
            for sku in ("LAN-001", "MUG-020", "BAG-040"):
                self.buy({sku: 2})

    # What buyers and merchants do

    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        number = len(self.sales) + 1
        rows = []
        for place, (sku, units) in enumerate(lines.items(), 1):
            good = self._good(sku)
            good["units"] -= units
            self._touch(good)
            rows.append(
                {
                    "id": place,
                    "good": good["id"],
                    "sku": sku,
                    "name": good["name"],
                    "units": units,
                    "price": good["price"],
                }
            )
        self.sales[number] = {
            "id": number,
            "state": "paid" if paid else "unpaid",
            "placed_at": self.clock.now().isoformat(),
            "currency": "EUR",
            "total": str(sum((Decimal(row["price"]) * row["units"] for row in rows), Decimal(0))),
            "lines": rows,
            "carrier": "post",
            "buyer": "Ada Example",
            "email": "ada@example.test",
            "parcels": [],
        }
        self._touch(self.sales[number])
        return str(number)

    def pay(self, sale: str) -> None:
        self._move(sale, "paid", {"unpaid"})

    def cancel(self, sale: str) -> None:
        row = self._move(sale, "cancelled", {"unpaid", "paid"})
        for line in row["lines"]:
            good = self.goods[line["good"]]
            good["units"] += line["units"]
            self._touch(good)

    def ship(self, sale: str, tracking: str) -> None:
        row = self._move(sale, "sent", {"paid"})
        row["parcels"].append({"key": f"by-hand-{len(row['parcels'])}", "carrier": "Post", "tracking": tracking})

    def stock(self, goods: Mapping[str, int]) -> None:
        there = {row["sku"] for row in self.goods.values()} - {""}
        for sku, units in goods.items():
            if sku in there:
                self._good(sku)["units"] = units
                self._touch(self._good(sku))
            else:
                self._make(sku, f"Thing {sku}", "5.00", units)

    def shelf(self) -> dict[str, int]:
        return {row["sku"]: max(0, row["units"]) for row in self.goods.values() if row["sku"]}

    def sold(self) -> dict[str, str]:
        return {str(key): "shipped" if row["state"] == "sent" else row["state"] for key, row in self.sales.items()}

    def parcels(self, sale: str) -> list[str]:
        return [one["tracking"] for one in self.sales[int(sale)]["parcels"]]

    def _make(self, sku: str, name: str, price: str, units: int) -> None:
        number = len(self.goods) + 1
        self.goods[number] = {"id": number, "sku": sku, "name": name, "price": price, "units": units}
        self._touch(self.goods[number])

    def _good(self, sku: str) -> Row:
        return next(row for row in self.goods.values() if row["sku"] == sku)

    def _move(self, sale: str, state: str, allowed: set[str]) -> Row:
        row = self.sales[int(sale)]
        if row["state"] not in allowed:
            raise ValueError(f"sale {sale} is {row['state']}")
        row["state"] = state
        self._touch(row)
        return row

    def _touch(self, row: Row) -> None:
        row["change"], row["changed_at"] = next(self._changes), self.clock.now().isoformat()

    # What the service answers

    def answer(self, request: Request, fault: str) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _json(401, {"error": "this key is not known"})
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["api", "account"]:
                self.counters.read("account")
                now = self.clock.now().isoformat()
                return _json(200, {"name": "Acme demo", "currency": "EUR", "timezone": "Europe/Paris", "clock": now})
            case "GET", ["api", "goods"]:
                return self._listed("goods", self.goods.values(), request)
            case "GET", ["api", "sales"]:
                return self._listed("sales", self.sales.values(), request)
            case "PUT", ["api", "levels"]:
                return self._saved("goods", request, fault, self._set_levels)
            case "POST", ["api", "sales", sale, "parcels"]:
                return self._saved("parcels", request, fault, lambda given: self._add_parcel(sale, given))
        return _json(404, {"error": f"no {request.method} {request.path}"})

    def _listed(self, name: str, rows: Iterable[Row], request: Request) -> Answer:
        asked = dict(request.query)
        if "ids" in asked:
            wanted = asked["ids"].split(",")
            rows = [row for row in rows if str(row["id"]) in wanted]
        if "placed_from" in asked:
            start = datetime.fromisoformat(asked["placed_from"])
            rows = [row for row in rows if datetime.fromisoformat(row["placed_at"]) >= start]
        if "placed_until" in asked:
            end = datetime.fromisoformat(asked["placed_until"])
            rows = [row for row in rows if datetime.fromisoformat(row["placed_at"]) < end]
        order = "change" if "after_change" in asked else "id"
        after = int(asked.get(f"after_{order}", 0))
        found = sorted((row for row in rows if row[order] > after), key=lambda row: row[order])
        found = found[: min(MOST, int(asked.get("limit", MOST)))]
        self.counters.read(name, [row["id"] for row in found], query_text(request))
        return _json(200, {"rows": found})

    def _saved(self, resource: str, request: Request, fault: str, save: Callable[[Row], Saved]) -> Answer:
        """Save, and keep what was asked and what it changed."""
        status, content, ids, changes = save(json.loads(request.body))
        self.counters.wrote(
            Written(
                seq=self.counters.next_seq(),
                at=self.clock.now().isoformat(),
                method=request.method,
                path=request.path,
                query=query_text(request),
                resource=resource,
                ids=ids,
                digest=hashlib.sha256(request.body).hexdigest(),
                status=status,
                changes=changes,
                fault=fault,
            )
        )
        return _json(status, content)

    def _set_levels(self, given: Row) -> Saved:
        results, changes = [], []
        for one in given["levels"]:
            good = self.goods.get(one["good"])
            if good is None:
                results.append({"good": one["good"], "saved": False, "why": "no such good"})
                continue
            results.append({"good": one["good"], "saved": True})
            if good["units"] != one["units"]:
                changes.append({"resource": "goods", "id": good["id"], "from": good["units"], "to": one["units"]})
                good["units"] = one["units"]
                self._touch(good)
        return 200, {"results": results}, [one["good"] for one in given["levels"]], changes

    def _add_parcel(self, sale: str, given: Row) -> Saved:
        row = self.sales.get(int(sale)) if sale.isdigit() else None
        if row is None:
            return 404, {"error": "no such sale"}, [], []
        parcel = {name: given[name] for name in ("key", "carrier", "tracking")}
        if any(one["key"] == parcel["key"] for one in row["parcels"]):
            return 200, parcel, [row["id"]], []
        if row["state"] != "paid":
            return 422, {"error": f"this sale is {row['state']}"}, [row["id"]], []
        row["parcels"].append(parcel)
        changes = [{"resource": "parcels", "id": row["id"], "from": None, "to": parcel["tracking"]}]
        if given["last"]:
            row["state"] = "sent"
            changes.append({"resource": "sales", "id": row["id"], "from": "paid", "to": "sent"})
        self._touch(row)
        return 201, parcel, [row["id"]], changes

    # What the harness asks of every double

    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        if action not in TRADE:
            raise KeyError(f"no action {action}; known: {', '.join(TRADE)}")
        return getattr(self, action)(**arguments)

    def dump(self) -> dict[str, Any]:
        return {"goods": list(self.goods.values()), "sales": list(self.sales.values())}

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "key": self.key}

    def close(self) -> None:
        """Everything lives in memory."""


def _json(status: int, content: Row) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


#: found by name by `python -m comptoir.simulators`
SIMULATOR = AcmeSimulator

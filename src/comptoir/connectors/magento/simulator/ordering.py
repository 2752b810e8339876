"""Orders through their states: placed, invoiced, shipped, cancelled, refunded, held. Each row of an order knows what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.connectors.magento.simulator.catalogue import STOCKED
from comptoir.connectors.magento.simulator.inventory import Inventory
from comptoir.connectors.magento.simulator.problem import Problem, no_such
from comptoir.connectors.magento.simulator.store import Row, plain, text, whole

CENT = Decimal("0.01")
TAX = Decimal(20)
DEFAULT_STATUS = {
    "new": "pending", "pending_payment": "pending_payment", "payment_review": "payment_review", "processing": "processing",
    "complete": "complete", "closed": "closed", "canceled": "canceled", "holded": "holded",
}  # fmt: skip
NOTHING_TO_SHIP = "You can't create a shipment without products."
_BASES = (
    "subtotal", "subtotal_incl_tax", "tax_amount", "shipping_amount", "shipping_incl_tax", "shipping_tax_amount",
    "discount_amount", "grand_total", "total_paid", "total_due", "total_invoiced", "total_refunded", "total_canceled",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """So many of something. `choice`: SKUs chosen in a bundle, with how many of each; by default its first ones."""

    sku: str
    quantity: int | str = 1
    price: str | None = None  # with tax, in the order's currency
    choice: Mapping[str, int] | None = None
    discount: str = "0"


def cents(value: Decimal) -> Decimal:
    """To two decimals, half up."""
    return value.quantize(CENT, ROUND_HALF_UP)


class Ordering(Inventory):
    """What buyers and the back office do."""

    currency: str

    # Placing --------------------------------------------------------------------------------------------------------

    @whole
    def place_order(
        self,
        lines: Iterable[Line | Mapping[str, Any] | tuple[str, int]],
        *,
        state: str = "processing",
        method: str = "stripe_payments",
        shipping: str = "4.80",
        shipping_method: str = "flatrate_flatrate",
        discount: str = "0",
        currency: str = "",
        rate: str = "1",
        store: int = 1,
        placed_at: datetime | None = None,
        customer: Mapping[str, Any] | None = None,
        address: Mapping[str, Any] | None = None,
        status: str = "",
        pickup: str = "",
        comment: str = "",
    ) -> int:
        """An order. Its units are reserved at once, whatever its state. `processing`: invoiced and paid; `complete`: shipped
        too; `closed`: refunded; `canceled`. `discount`: with tax, on the order as a whole."""
        wanted = [_line(one) for one in lines]
        entity = self.store.insert_row("INSERT INTO orders (state) VALUES ('new')")
        number = self.store.next("increment")
        now = self.stamp(placed_at)
        items: list[Row] = []
        for line in wanted:
            items += self._rows(line, entity, store, now)
        self._spread(items, Decimal(discount))
        goods = [one for one in items if not one.get("parent_item_id")]
        physical = any(not one["is_virtual"] for one in items)
        carriage = Decimal(shipping) if physical else Decimal(0)
        carriage_net = cents(carriage / (1 + TAX / 100))
        order: Row = {
            "entity_id": entity, "increment_id": f"{store}{number:08}", "state": "new", "status": status or "pending",
            "store_id": store, "store_name": "Main Website\nMain Website Store\nDefault Store View", "created_at": now,
            "updated_at": now, "order_currency_code": currency or self.currency, "base_currency_code": self.currency,
            "global_currency_code": self.currency, "base_to_order_rate": rate, "store_to_order_rate": 0,
            "shipping_amount": carriage_net, "shipping_incl_tax": carriage,
            "shipping_tax_amount": carriage - carriage_net, "shipping_description": "Flat Rate - Fixed" if physical else None,
            "subtotal": sum((one["row_total"] for one in goods), Decimal(0)),
            "subtotal_incl_tax": sum((one["row_total_incl_tax"] for one in goods), Decimal(0)),
            "discount_amount": -sum((one["discount_amount"] for one in items), Decimal(0)),
            "total_qty_ordered": sum((one["qty_ordered"] for one in goods), Decimal(0)), "is_virtual": int(not physical),
            "customer_is_guest": int(customer is None), "method": method, "items": items, "pickup": pickup,
            "customer_note": comment, "shipping_method": shipping_method if physical else "",
            **_person(customer, address), "histories": [], "total_paid": Decimal(0), "total_invoiced": Decimal(0),
            "total_refunded": Decimal(0), "total_canceled": Decimal(0), "last_trans_id": None,
        }  # fmt: skip
        order["tax_amount"] = (
            sum((one["tax_amount"] for one in goods if not _counts_by_parts(one, items)), Decimal(0))
            + sum((one["tax_amount"] for one in items if _has_money(one, items)), Decimal(0))
            + order["shipping_tax_amount"]
        )
        order["grand_total"] = order["subtotal_incl_tax"] + carriage + order["discount_amount"]
        order["total_due"] = order["grand_total"]
        self._keep_order(order, touch=False)
        for one in _stocked(items):
            self.reserve(one["sku"], -float(one["qty_ordered"]), "order_placed", entity, self.stock_of(store))
        self._bring_to(entity, state, status)
        if placed_at is not None:
            order = self.order(entity)
            order["updated_at"] = now
            self._keep_order(order, touch=False)
        return entity

    def _bring_to(self, entity: int, state: str, status: str) -> None:
        match state:
            case "processing":
                self.invoice(entity)
            case "complete":
                self.invoice(entity)
                self.ship_order(
                    entity, tracks=[{"track_number": f"GB{entity:09}", "title": "Courier", "carrier_code": "custom"}]
                )
            case "closed":
                self.invoice(entity)
                self.refund(entity)
            case "canceled":
                self.cancel_order(entity)
            case "new":
                return
            case _:
                self.set_state(entity, state, status)
        if status and state != "new":
            self.set_state(entity, state, status)

    def _rows(self, line: Line, order: int, store: int, now: str) -> list[Row]:
        product = self.by_sku(line.sku)
        if product is None:
            raise LookupError(f"no product {line.sku}")
        quantity = Decimal(str(line.quantity))
        parent = self.parent_of(product["entity_id"]) if product["type_id"] in STOCKED else None
        if product["type_id"] == "bundle":
            return self._bundle_rows(line, product, quantity, order, store, now)
        gross = (
            Decimal(line.price) if line.price is not None else cents(Decimal(str(product["price"])) * (1 + TAX / 100))
        )
        row = self._row(product, quantity, gross, order, store, now)
        if parent is None:
            row["discount_amount"] = Decimal(line.discount)
            return [row]
        top = {
            **row, "product_type": "configurable", "product_id": parent["entity_id"], "name": parent["name"],
            "discount_amount": Decimal(line.discount),
        }  # fmt: skip
        child = self._row(product, quantity, Decimal(0), order, store, now)
        child |= {"parent_item_id": top["item_id"], "price": Decimal(0), "original_price": Decimal(0)}
        return [top, child]

    def _bundle_rows(self, line: Line, product: Row, quantity: Decimal, order: int, store: int, now: str) -> list[Row]:
        """A bundle of fixed price has it on its own row; of another, on its parts and summed up on its own."""
        fixed = product["doc"]["custom"].get("price_type") == "1"
        chosen = line.choice or {
            one["links"][0][0]: one["links"][0][1] for one in product["doc"]["bundle"] if one.get("required", True)
        }
        parts: list[Row] = []
        for sku, each in chosen.items():
            part = self.by_sku(sku)
            if part is None:
                raise LookupError(f"no product {sku}")
            gross = Decimal(0) if fixed else cents(Decimal(str(part["price"])) * (1 + TAX / 100))
            parts.append(self._row(part, quantity * each, gross, order, store, now))
        gross = (
            cents(Decimal(str(product["price"])) * (1 + TAX / 100))
            if fixed
            else sum((one["row_total_incl_tax"] for one in parts), Decimal(0)) / quantity
        )
        top = self._row(product, quantity, gross, order, store, now)
        top["product_type"] = "bundle"
        top["discount_amount"] = Decimal(line.discount)
        for one in parts:
            one["parent_item_id"] = top["item_id"]
        return [top, *parts]

    def _row(self, product: Row, quantity: Decimal, gross: Decimal, order: int, store: int, now: str) -> Row:
        total = cents(gross * quantity)
        net = cents(total / (1 + TAX / 100))
        return {
            "item_id": self.store.next("order_item"), "order_id": order, "store_id": store, "product_id": product["entity_id"],
            "product_type": product["type_id"], "sku": product["sku"], "name": product["name"], "created_at": now,
            "updated_at": now, "is_virtual": int(product["type_id"] in ("virtual", "downloadable")),
            "qty_ordered": quantity, "qty_invoiced": Decimal(0), "qty_shipped": Decimal(0), "qty_canceled": Decimal(0),
            "qty_refunded": Decimal(0), "price": cents(gross / (1 + TAX / 100)), "price_incl_tax": gross,
            "original_price": gross, "row_total": net, "row_total_incl_tax": total, "tax_percent": TAX if gross else Decimal(0),
            "tax_amount": total - net, "discount_amount": Decimal(0), "discount_percent": Decimal(0),
            "weight": Decimal(product["doc"].get("weight") or 0),
        }  # fmt: skip

    def _spread(self, items: list[Row], discount: Decimal) -> None:
        """A discount of the whole order is kept by row, to the cent."""
        if not discount:
            return
        carrying = [one for one in items if not one.get("parent_item_id")]
        total = sum((one["row_total_incl_tax"] for one in carrying), Decimal(0))
        left = discount
        for place, one in enumerate(carrying):
            share = left if place == len(carrying) - 1 else cents(discount * one["row_total_incl_tax"] / total)
            one["discount_amount"] += share
            left -= share

    # Later ----------------------------------------------------------------------------------------------------------

    @whole
    def invoice(self, entity: int, items: Sequence[Mapping[str, Any]] = ()) -> int:
        """Paid: by the gateway, or because somebody says the money is there."""
        order = self.order(entity)
        if order["state"] in ("canceled", "closed", "holded", "complete"):
            raise Problem(400, "The order does not allow an invoice to be created.")
        asked = {int(one["order_item_id"]): Decimal(str(one["qty"])) for one in items}
        got = False
        for one in order["items"]:
            open_units = one["qty_ordered"] - one["qty_invoiced"] - one["qty_canceled"]
            units = min(asked.get(one["item_id"], Decimal(0)), open_units) if asked else open_units
            got = got or units > 0
            one["qty_invoiced"] += units
        if not got:
            raise Problem(400, "The invoice can't be created without products. Add products and try again.")
        done = all(one["qty_invoiced"] + one["qty_canceled"] >= one["qty_ordered"] for one in order["items"])
        if done:
            order["total_paid"] = order["total_invoiced"] = order["grand_total"] - order["total_canceled"]
            order["total_due"] = Decimal(0)
            order["last_trans_id"] = f"txn_{entity}"
        self._settle(order)
        invoice = self.store.insert_row(
            "INSERT INTO invoices (order_id, created_at, doc) VALUES (?, ?, '{}')", (entity, self.stamp())
        )
        self.store.record("invoices", invoice, None, entity)
        return invoice

    pay = invoice

    @whole
    def ship_order(
        self,
        entity: int,
        items: Sequence[Mapping[str, Any]] = (),
        *,
        tracks: Sequence[Mapping[str, Any]] = (),
        source: str = "",
        comment: str = "",
    ) -> int:
        """A parcel leaves a source: what was reserved is given back, and the source has that much less."""
        order = self.order(entity)
        if order["state"] in ("canceled", "closed", "holded", "payment_review"):
            raise Problem(400, "A shipment cannot be created when an order has a status of %1", [order["status"]])
        rows = {one["item_id"]: one for one in order["items"]}
        asked = {int(one["order_item_id"]): Decimal(str(one["qty"])) for one in items}
        if not asked:
            asked = {key: _open(one) for key, one in rows.items() if self._ships_alone(one, rows) and _open(one) > 0}
        if not asked:
            raise Problem(400, NOTHING_TO_SHIP)
        shipped: list[Row] = []
        for key, units in asked.items():
            one = rows.get(key)
            if one is None or not self._ships_alone(one, rows) or min(units, _open(one)) <= 0:
                raise Problem(400, NOTHING_TO_SHIP)
            units = min(units, _open(one))
            for part in [one, *(part for part in rows.values() if part.get("parent_item_id") == key)]:
                leaving = units * part["qty_ordered"] / one["qty_ordered"]
                part["qty_shipped"] += leaving
                if part["product_type"] in STOCKED and self.by_sku(part["sku"]):
                    self.deduct(part["sku"], float(leaving), source or "default")
                    if self.msi:
                        self.reserve(
                            part["sku"], float(leaving), "shipment_created", entity, self.stock_of(order["store_id"])
                        )
            shipped.append({"order_item_id": key, "qty": plain(units), "sku": one["sku"], "name": one["name"]})
        shipment = self.store.insert_row(
            "INSERT INTO shipments (order_id, created_at, doc) VALUES (?, ?, '{}')", (entity, self.stamp())
        )
        kept = [self._track(entity, shipment, one) for one in tracks]
        document = {"items": shipped, "tracks": kept, "source": source or "default", "comment": comment}
        self.store.execute("UPDATE shipments SET doc = ? WHERE entity_id = ?", (text(document), shipment))
        self.store.record("shipments", shipment, None, {"order": entity, **document})
        self._settle(order, touch=False)
        return shipment

    def _track(self, order: int, shipment: int, track: Mapping[str, Any]) -> Row:
        return {
            "entity_id": self.store.next("track"), "order_id": order, "parent_id": shipment, "weight": 0, "qty": 1,
            "description": "", "track_number": str(track.get("track_number", "")), "title": track.get("title"),
            "carrier_code": track.get("carrier_code"), "created_at": self.stamp(), "updated_at": self.stamp(),
        }  # fmt: skip

    @whole
    def add_track(self, shipment: int, track: Mapping[str, Any]) -> Row:
        """A tracking number for a parcel that left before."""
        row = self.store.row("SELECT * FROM shipments WHERE entity_id = ?", (shipment,))
        if row is None:
            raise no_such(id=shipment)
        document = json.loads(row["doc"])
        made = self._track(row["order_id"], shipment, track)
        document["tracks"].append(made)
        self.store.execute("UPDATE shipments SET doc = ? WHERE entity_id = ?", (text(document), shipment))
        self.store.record("shipment/track", made["entity_id"], None, made)
        return made

    @whole
    def cancel_order(self, entity: int) -> bool:
        """Cancelled; false where it cannot be, since something is invoiced or shipped, or it is over."""
        order = self.order(entity)
        if order["state"] in ("canceled", "complete", "closed", "holded", "payment_review") or any(
            one["qty_invoiced"] > 0 for one in order["items"]
        ):
            return False
        for one in order["items"]:
            units = one["qty_ordered"] - one["qty_shipped"] - one["qty_canceled"]
            one["qty_canceled"] += units
            if one["product_type"] in STOCKED:
                self.reserve(one["sku"], float(units), "order_canceled", entity, self.stock_of(order["store_id"]))
        order["total_canceled"] = order["grand_total"]
        order["total_due"] = Decimal(0)
        order["state"], order["status"] = "canceled", "canceled"
        self._keep_order(order)
        self.store.record("orders", entity, "open", "canceled")
        return True

    @whole
    def refund(self, entity: int, items: Mapping[int, int | str] | None = None, *, restock: bool = False) -> None:
        """Money given back: of everything, or of units by row. What had not left is not reserved any more."""
        order = self.order(entity)
        for one in order["items"]:
            top = one.get("parent_item_id") or one["item_id"]
            most = one["qty_invoiced"] - one["qty_refunded"]
            units = most if items is None else min(most, Decimal(str(items.get(top, 0))))
            if units <= 0:
                continue
            unshipped = max(Decimal(0), one["qty_ordered"] - one["qty_shipped"] - one["qty_refunded"])
            one["qty_refunded"] += units
            if one["product_type"] in STOCKED:
                self.reserve(
                    one["sku"],
                    float(min(units, unshipped)),
                    "creditmemo_created",
                    entity,
                    self.stock_of(order["store_id"]),
                )
            if restock and one["product_type"] in STOCKED and units > unshipped and self.by_sku(one["sku"]):
                self.set_quantity(one["sku"], self.quantity(one["sku"]) + float(units - unshipped))
            if not one.get("parent_item_id"):
                order["total_refunded"] += cents(
                    (one["row_total_incl_tax"] - one["discount_amount"]) * units / one["qty_ordered"]
                )
        if items is None:
            order["total_refunded"] = order["grand_total"]
        self._settle(order)

    @whole
    def set_state(self, entity: int, state: str, status: str = "") -> None:
        """What a payment module or a person does: review, hold, pending payment."""
        order = self.order(entity)
        order["state"], order["status"] = state, status or DEFAULT_STATUS.get(state, state)
        self._keep_order(order)

    @whole
    def add_comment(self, entity: int, comment: str, status: str = "") -> None:
        """A line in the history, perhaps with another label of the same state."""
        order = self.order(entity)
        order["histories"].append({"comment": comment, "status": status or order["status"], "created_at": self.stamp()})
        order["status"] = status or order["status"]
        self._keep_order(order)
        self.store.record("orders", entity, None, comment)

    @whole
    def edit_order(self, entity: int, /, **values: Any) -> None:
        """Change what stands in an order; the stamp moves."""
        order = self.order(entity)
        order |= values
        self._keep_order(order)

    def _settle(self, order: Row, *, touch: bool = True) -> None:
        """The state that follows from what was invoiced, shipped and refunded."""
        items = order["items"]
        rows = {one["item_id"]: one for one in items}
        if all(one["qty_refunded"] + one["qty_canceled"] >= one["qty_ordered"] for one in items):
            order["state"] = "closed"
        elif all(one["qty_invoiced"] + one["qty_canceled"] >= one["qty_ordered"] for one in items) and not any(
            _open(one) > 0 for one in items if self._ships_alone(one, rows)
        ):
            order["state"] = "complete"
        else:
            order["state"] = "processing"
        order["status"] = DEFAULT_STATUS[order["state"]]
        self._keep_order(order, touch=touch)

    def _ships_alone(self, one: Row, rows: Mapping[int, Row]) -> bool:
        """Whether a shipment names this row: not a part of something shipped together, not a download."""
        if one.get("is_virtual"):
            return False
        parent = rows.get(one.get("parent_item_id") or 0)
        if parent is None:
            return one["product_type"] != "bundle" or self._ships_together(one)
        return parent["product_type"] == "bundle" and not self._ships_together(parent)

    def _ships_together(self, bundle: Row) -> bool:
        row = self.store.row("SELECT doc FROM products WHERE entity_id = ?", (bundle["product_id"],))
        return row is None or json.loads(row["doc"])["custom"].get("shipment_type", "0") == "0"

    # Keeping and showing --------------------------------------------------------------------------------------------

    def order(self, entity: int) -> Row:
        """An order as the shop keeps it, amounts exact."""
        row = self.store.row("SELECT * FROM orders WHERE entity_id = ?", (entity,))
        if row is None or row["doc"] is None:
            raise no_such(entityId=entity)
        return _exact(json.loads(row["doc"]))

    def _keep_order(self, order: Row, *, touch: bool = True) -> None:
        if touch:
            order["updated_at"] = self.stamp()
        self.store.execute(
            "UPDATE orders SET increment_id = ?, state = ?, status = ?, store_id = ?, created_at = ?, updated_at = ?, doc = ?"
            " WHERE entity_id = ?",
            (order["increment_id"], order["state"], order["status"], order["store_id"], order["created_at"],
             order["updated_at"], text(order), order["entity_id"]),
        )  # fmt: skip

    def shown_order(self, entity: int) -> Row:
        """An order as the API shows it: amounts in both currencies, absent where there is nothing yet."""
        order = self.order(entity)
        rate = Decimal(order["base_to_order_rate"])
        shown: Row = {
            name: order[name]
            for name in (
                "entity_id", "increment_id", "state", "status", "store_id", "store_name", "created_at", "updated_at",
                "order_currency_code", "base_currency_code", "global_currency_code", "customer_is_guest", "is_virtual",
            )
        }  # fmt: skip
        shown["base_to_order_rate"] = plain(rate)
        shown["store_to_order_rate"] = 0
        shown["total_qty_ordered"] = plain(order["total_qty_ordered"])
        for name in _BASES:
            if not order[name] and name in ("total_paid", "total_invoiced", "total_refunded", "total_canceled"):
                continue
            shown[name] = plain(order[name])
            shown[f"base_{name}"] = plain((order[name] / rate).quantize(Decimal("0.0001")))
        for name in ("customer_email", "customer_firstname", "customer_lastname", "customer_id", "customer_taxvat",
                     "customer_note", "shipping_description", "coupon_code"):  # fmt: skip
            if order.get(name):
                shown[name] = order[name]
        shown["billing_address"] = order["billing"]
        shown["payment"] = {
            "method": order["method"], "account_status": None, "cc_last4": None, "additional_information": ["Card"],
            "amount_ordered": plain(order["grand_total"]), "shipping_amount": plain(order["shipping_amount"]),
        }  # fmt: skip
        if order["last_trans_id"]:
            shown["payment"] |= {"last_trans_id": order["last_trans_id"], "amount_paid": plain(order["total_paid"])}
        shown["status_histories"] = [
            {**one, "entity_id": place + 1, "parent_id": entity, "is_customer_notified": 0, "is_visible_on_front": 0,
             "entity_name": "order"}
            for place, one in enumerate(order["histories"])
        ]  # fmt: skip
        items = [_shown_row(one) for one in order["items"]]
        for one in items:
            if "parent_item_id" in one:
                one["parent_item"] = next(top for top in items if top["item_id"] == one["parent_item_id"])
        shown["items"] = items
        extension: Row = {"shipping_assignments": []}
        if not order["is_virtual"]:
            extension["shipping_assignments"] = [
                {
                    "shipping": {
                        "address": order["shipping"],
                        "method": order["shipping_method"],
                        "total": {"shipping_incl_tax": plain(order["shipping_incl_tax"])},
                    },
                    "items": items,
                }
            ]
        if order["pickup"]:
            extension["pickup_location_code"] = order["pickup"]
        extension["payment_additional_info"] = [{"key": "method_title", "value": order["method"]}]
        shown["extension_attributes"] = extension
        return shown

    def shown_shipment(self, row: Row) -> Row:
        """A shipment with its parcels."""
        document = json.loads(row["doc"])
        return {
            "entity_id": row["entity_id"], "increment_id": f"{row['entity_id']:09}", "order_id": row["order_id"],
            "created_at": row["created_at"], "updated_at": row["created_at"], "tracks": document["tracks"],
            "items": [{**one, "parent_id": row["entity_id"]} for one in document["items"]], "comments": [
                {"entity_id": row["entity_id"], "parent_id": row["entity_id"], "comment": document["comment"],
                 "is_customer_notified": 0, "is_visible_on_front": 0, "created_at": row["created_at"]}
            ] if document["comment"] else [],
            "extension_attributes": {"source_code": document["source"]},
        }  # fmt: skip


_AMOUNTS = ("qty_", "row_", "tax_", "price", "discount_", "original_price", "weight")


def _exact(order: Row) -> Row:
    """Amounts are kept as text; back to what they were."""
    for name in (*_BASES, "total_qty_ordered", "base_to_order_rate"):
        order[name] = Decimal(str(order[name]))
    for one in order["items"]:
        for name, value in one.items():
            if name.startswith(_AMOUNTS):
                one[name] = Decimal(str(value))
    return order


def _shown_row(one: Row) -> Row:
    shown = {name: plain(value) if isinstance(value, Decimal) else value for name, value in one.items()}
    if one.get("parent_item_id") and not one["row_total_incl_tax"]:
        # Of a part without a price of its own the shop shows nothing beside the zero.
        for name in ("price_incl_tax", "row_total_incl_tax"):
            del shown[name]
    return shown


def _stocked(items: Iterable[Row]) -> list[Row]:
    """Rows that hold stock: the row of a configurable has its variant's SKU too, and must not count again."""
    return [one for one in items if one["product_type"] in STOCKED]


def _counts_by_parts(one: Row, items: Sequence[Row]) -> bool:
    return any(part.get("parent_item_id") == one["item_id"] and part["row_total_incl_tax"] for part in items)


def _has_money(one: Row, items: Sequence[Row]) -> bool:
    return bool(one.get("parent_item_id")) and bool(one["row_total_incl_tax"])


def _open(one: Row) -> Decimal:
    return Decimal(one["qty_ordered"] - one["qty_shipped"] - one["qty_canceled"] - one["qty_refunded"])


def _line(given: Line | Mapping[str, Any] | tuple[str, int]) -> Line:
    if isinstance(given, Line):
        return given
    return Line(**given) if isinstance(given, Mapping) else Line(*given)


def _person(customer: Mapping[str, Any] | None, address: Mapping[str, Any] | None) -> Row:
    who = {"firstname": "Grace", "lastname": "Hopper", "email": "grace@example.org", **(customer or {})}
    place = {
        "firstname": who["firstname"], "lastname": who["lastname"], "email": who["email"], "company": "",
        "street": ["1 Harbour Street"], "city": "London", "postcode": "EC1A 1BB", "country_id": "GB", "region": None,
        "region_code": None, "telephone": "+44 20 7946 0000", "vat_id": None, **(address or {}),
    }  # fmt: skip
    return {
        "customer_email": who["email"], "customer_firstname": who["firstname"], "customer_lastname": who["lastname"],
        "customer_id": who.get("id"), "customer_taxvat": who.get("taxvat"), "coupon_code": None,
        "billing": {**place, "address_type": "billing"}, "shipping": {**place, "address_type": "shipping"},
    }  # fmt: skip

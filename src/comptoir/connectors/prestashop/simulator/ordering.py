"""Orders of the shop: placing, paying, changing state, shipping, refunding, with the stock that goes with each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from comptoir.connectors.prestashop.simulator.catalogue import PACK_ONLY, PARTS_ONLY, Catalogue, StockDeltas
from comptoir.connectors.prestashop.simulator.resources import EMPTY_DATE
from comptoir.connectors.prestashop.simulator.store import Row, whole

CENT = Decimal("0.01")

#: PS_PRICE_ROUND_MODE -> how; 5 (half odd) is too rare to imitate
ROUND_MODES = {0: ROUND_UP, 1: ROUND_DOWN, 2: ROUND_HALF_UP, 3: ROUND_HALF_DOWN, 4: ROUND_HALF_EVEN}
ON_TOTAL = 3  #: PS_ROUND_TYPE; 1 is per item, 2 per line

Number = Decimal | str | int


@dataclass(frozen=True)
class Line:
    """What is bought. Without prices the shop's own are taken; give one of them and the tax makes the other."""

    product: int
    attribute: int = 0
    quantity: int = 1
    unit_price_tax_excl: Number | None = None
    unit_price_tax_incl: Number | None = None
    name: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Goods:
    """What an order line copies from the product."""

    name: str
    reference: str
    ean13: str
    isbn: str
    upc: str
    price: Decimal
    weight: Decimal
    tax_rules_group: int
    virtual: bool
    pack_type: int
    parts: tuple[tuple[int, int, int], ...]


class Ordering(Catalogue):
    """The orders of the shop."""

    # People -----------------------------------------------------------------------------------------------------

    def add_customer(
        self, first: str = "Ada", last: str = "Byron", email: str = "", *, company: str = "", shop: int = 1
    ) -> int:
        """A buyer."""
        now = self.shop_time()
        return self.store.insert(
            "customers",
            firstname=first,
            lastname=last,
            email=email or f"{first}.{last}@example.org".lower().replace(" ", ""),
            company=company,
            active=1,
            id_lang=1,
            id_default_group=3,
            id_shop=shop,
            id_shop_group=self.group_of(shop),
            date_add=now,
            date_upd=now,
        )

    def add_address(self, customer: int, *, country: str = "GB", **fields: Any) -> int:
        """An address of a buyer; `country` is an ISO code."""
        identity = self.store.value("SELECT id FROM countries WHERE iso_code = ?", (country,))
        if identity is None:
            raise LookupError(f"no country {country}")
        buyer = self.store.get("customers", customer) or {}
        now = self.shop_time()
        values = {
            "id_customer": customer,
            "id_country": identity,
            "alias": "Home",
            "firstname": buyer.get("firstname", ""),
            "lastname": buyer.get("lastname", ""),
            "address1": "1 High Street",
            "postcode": "AB1 2CD",
            "city": "London",
            "date_add": now,
            "date_upd": now,
            **fields,
        }
        return self.store.insert("addresses", **values)

    @whole
    def edit_address(self, /, address: int, **fields: Any) -> int:
        """A used address is never changed: the old one is marked deleted and stays readable. Gives the new id."""
        old = self.store.get("addresses", address)
        if old is None:
            raise LookupError(f"no address {address}")
        del old["id"], old["associations"]
        now = self.shop_time()
        new = self.store.insert("addresses", **{**old, **fields, "date_add": now, "date_upd": now})
        self.store.update("addresses", address, deleted=1, date_upd=now)
        return new

    @whole
    def edit_carrier(self, /, carrier: int, **fields: Any) -> int:
        """Saving a carrier makes a new one; the reference stays. Gives the new id."""
        old = self.store.get("carriers", carrier)
        if old is None:
            raise LookupError(f"no carrier {carrier}")
        del old["id"], old["associations"]
        old["delay"] = {int(key): text for key, text in json.loads(old["delay"]).items()}
        new = self.store.insert("carriers", **{**old, **fields})
        self.store.update("carriers", carrier, deleted=1, active=0)
        return new

    # Placing ----------------------------------------------------------------------------------------------------

    def place_order(self, lines: Iterable[Line | Mapping[str, Any] | Sequence[Any]], **details: Any) -> int:
        """Place one order; see `place_orders` for the details. Gives its id."""
        return self.place_orders([{"lines": list(lines), **details}])[0]

    @whole
    def place_orders(self, orders: Iterable[Mapping[str, Any]]) -> list[int]:
        """Place many orders. Each: `lines` (Line, mapping or (product, attribute, quantity, excl, incl)) and any of
        customer, address, invoice_address, carrier (0: none), state (an id or a PS_OS_ name), payment, module,
        transaction_id, shipping, wrapping, discounts (tax incl.), shipping_tax_rate, currency (ISO), conversion_rate,
        round_mode, round_type, placed_at, reference, message, gift_message, shop.

        Stock is taken at once, also for unpaid orders.
        """
        placed: list[int] = []
        chunk: list[Mapping[str, Any]] = []
        with self.store.transaction():
            for order in orders:
                chunk.append(order)
                if len(chunk) == 200:
                    placed += self._place(chunk)
                    chunk = []
            placed += self._place(chunk)
        return placed

    def _place(self, orders: list[Mapping[str, Any]]) -> list[int]:
        tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
        deltas: StockDeltas = defaultdict(int)
        first = self.store.reserve_ids("orders", len(orders))
        for identity, order in enumerate(orders, start=first):
            self._prepare(identity, order, tables, deltas)
        for table, rows in tables.items():
            self.store.insert_many(table, rows)
        self.move_stock(deltas)
        return list(range(first, first + len(orders)))

    def _prepare(
        self, identity: int, order: Mapping[str, Any], tables: dict[str, list[dict[str, Any]]], deltas: StockDeltas
    ) -> None:
        shop = order.get("shop", 1)
        placed_at: datetime | str = order.get("placed_at") or self.clock.now()
        at = self.shop_time(datetime.fromisoformat(placed_at) if isinstance(placed_at, str) else placed_at)
        state = self.state(self._state_id(order.get("state", "PS_OS_PAYMENT")))
        customer = order.get("customer") or self._anyone()
        address = order.get("address") or self._address_of(customer)
        country = int(self._remembered("country", address))
        mode = ROUND_MODES[int(order.get("round_mode", self._remembered("setting", "PS_PRICE_ROUND_MODE")))]
        rounding = int(order.get("round_type", self._remembered("setting", "PS_ROUND_TYPE")))
        currency, rate = self._currency(order.get("currency"))
        rate = order.get("conversion_rate", rate)
        stock_counts = self._remembered("setting", "PS_STOCK_MANAGEMENT") == "1"
        takes_stock = stock_counts and state["id"] not in self._without_stock()

        goods_excl = goods_incl = weight = Decimal(0)
        needs_parcel = False
        for given in order["lines"]:
            line = _line(given)
            goods = self._goods(line.product, line.attribute)
            percent = self._rate(goods.tax_rules_group, country)
            excl, incl = _prices(line, goods.price, 1 + percent / 100)
            total_excl = _line_total(excl, line.quantity, rounding, mode)
            total_incl = _line_total(incl, line.quantity, rounding, mode)
            goods_excl += total_excl
            goods_incl += total_incl
            weight += goods.weight * line.quantity
            needs_parcel = needs_parcel or not goods.virtual
            in_stock = self.stock(line.product, line.attribute, shop) + deltas.get(
                (line.product, line.attribute, shop), 0
            )
            tables["order_details"].append(
                {
                    "id_order": identity,
                    "id_shop": shop,
                    "product_id": line.product,
                    "product_attribute_id": line.attribute,
                    "product_name": line.name if line.name is not None else goods.name,
                    "product_reference": line.reference if line.reference is not None else goods.reference,
                    "product_ean13": goods.ean13,
                    "product_isbn": goods.isbn,
                    "product_upc": goods.upc,
                    "product_quantity": line.quantity,
                    "product_quantity_in_stock": min(in_stock, line.quantity),
                    "product_price": excl,
                    "original_product_price": goods.price,
                    "product_weight": goods.weight,
                    "id_tax_rules_group": goods.tax_rules_group,
                    "unit_price_tax_excl": excl,
                    "unit_price_tax_incl": incl,
                    "total_price_tax_excl": total_excl,
                    "total_price_tax_incl": total_incl,
                    "download_deadline": EMPTY_DATE,
                }
            )
            if takes_stock:
                for product, attribute, units in self._taken(line.product, line.attribute, line.quantity, goods):
                    deltas[product, attribute, shop] -= units

        if rounding == ON_TOTAL:
            goods_excl, goods_incl = goods_excl.quantize(CENT, mode), goods_incl.quantize(CENT, mode)
        shipping_rate = Decimal(order.get("shipping_tax_rate", "20"))
        shipping, shipping_excl = _with_and_without(order.get("shipping", 0), shipping_rate, mode)
        wrapping, wrapping_excl = _with_and_without(order.get("wrapping", 0), shipping_rate, mode)
        discounts, discounts_excl = _with_and_without(order.get("discounts", 0), shipping_rate, mode)
        total = max(Decimal(0), goods_incl + shipping + wrapping - discounts)
        total_excl = max(Decimal(0), goods_excl + shipping_excl + wrapping_excl - discounts_excl)
        carrier = order.get("carrier", 2 if needs_parcel else 0)
        reference = order.get("reference") or _reference(identity)
        payment = order.get("payment", "Card")
        row: dict[str, Any] = {
            "id": identity,
            "reference": reference,
            "id_shop": shop,
            "id_shop_group": self._remembered("group", shop),
            "id_customer": customer,
            "id_address_delivery": address,
            "id_address_invoice": order.get("invoice_address") or address,
            "id_cart": identity,
            "id_currency": currency,
            "id_lang": order.get("language", 1),
            "id_carrier": carrier,
            "current_state": state["id"],
            "valid": state["logable"],
            "module": order.get("module", "ps_checkout"),
            "payment": payment,
            "secure_key": f"{identity:032x}",
            "conversion_rate": rate,
            "round_mode": order.get("round_mode", self._remembered("setting", "PS_PRICE_ROUND_MODE")),
            "round_type": rounding,
            "total_products": goods_excl,
            "total_products_wt": goods_incl,
            "total_shipping": shipping,
            "total_shipping_tax_incl": shipping,
            "total_shipping_tax_excl": shipping_excl,
            "carrier_tax_rate": shipping_rate,
            "total_wrapping": wrapping,
            "total_wrapping_tax_incl": wrapping,
            "total_wrapping_tax_excl": wrapping_excl,
            "total_discounts": discounts,
            "total_discounts_tax_incl": discounts,
            "total_discounts_tax_excl": discounts_excl,
            "total_paid": total,
            "total_paid_tax_incl": total,
            "total_paid_tax_excl": total_excl,
            "total_paid_real": total if state["paid"] else 0,
            "gift": bool(order.get("gift_message")),
            "gift_message": order.get("gift_message", ""),
            "note": order.get("note", ""),
            "date_add": at,
            "date_upd": at,
        }
        if state["paid"]:
            tables["order_payments"].append(
                {
                    "order_reference": reference[:9],
                    "id_currency": currency,
                    "amount": total,
                    "payment_method": payment,
                    "conversion_rate": rate,
                    "transaction_id": order.get("transaction_id", ""),
                    "date_add": at,
                }
            )
        if state["invoice"]:
            tables["order_invoices"].append(self._invoice(row, at))
        if state["delivery"]:
            row["delivery_number"], row["delivery_date"] = self._next_number("delivery"), at
        tables["orders"].append(row)
        tables["order_histories"].append({"id_order": identity, "id_order_state": state["id"], "date_add": at})
        if carrier:
            tables["order_carriers"].append(
                {
                    "id_order": identity,
                    "id_carrier": carrier,
                    "weight": weight,
                    "shipping_cost_tax_incl": shipping,
                    "shipping_cost_tax_excl": shipping_excl,
                    "date_add": at,
                }
            )
        if order.get("message"):
            tables["messages"].append(
                {
                    "id_order": identity,
                    "id_cart": identity,
                    "id_customer": customer,
                    "message": order["message"],
                    "date_add": at,
                }
            )

    # What placing remembers ---------------------------------------------------------------------------------------

    _memory: dict[tuple[Any, ...], Any]

    def _remembered(self, what: str, key: Any) -> Any:
        memory = self.__dict__.setdefault("_memory", {})
        if (what, key) not in memory:
            match what:
                case "country":
                    memory[what, key] = self.store.value("SELECT id_country FROM addresses WHERE id = ?", (key,)) or 0
                case "setting":
                    return self.configuration(key)
                case "group":
                    memory[what, key] = self.group_of(key)
                case "number":
                    column = f"{key}_number"
                    memory[what, key] = int(self.store.value(f'SELECT max("{column}") FROM orders') or 0)
        return memory[what, key]

    def goods_changed(self) -> None:
        super().goods_changed()
        self.__dict__.pop("_goods_seen", None)

    def _goods(self, product: int, attribute: int) -> Goods:
        seen: dict[tuple[int, int], Goods] = self.__dict__.setdefault("_goods_seen", {})
        if (product, attribute) not in seen:
            row = self.store.get("products", product)
            if row is None:
                raise LookupError(f"no product {product}")
            name = json.loads(row["name"]).get("1", "")
            price, weight = Decimal(row["price"]), Decimal(row["weight"])
            source: Row = row
            if attribute:
                combination = self.store.get("combinations", attribute)
                if combination is None or combination["id_product"] != product:
                    raise LookupError(f"no combination {attribute} of product {product}")
                source = {**combination}
                price += Decimal(combination["price"])
                weight += Decimal(combination["weight"])
                chosen = [
                    json.loads(self.store.value("SELECT name FROM product_option_values WHERE id = ?", (one["id"],)))[
                        "1"
                    ]
                    for one in json.loads(combination["associations"]).get("product_option_values", [])
                ]
                name = f"{name} - {', '.join(chosen)}" if chosen else name
            parts = self.pack_parts(row)
            seen[product, attribute] = Goods(
                name,
                source["reference"] or row["reference"],
                source["ean13"],
                source["isbn"],
                source["upc"],
                price,
                weight,
                row["id_tax_rules_group"],
                bool(row["is_virtual"]),
                self.pack_type(row) if parts else 0,
                tuple(parts),
            )
        return seen[product, attribute]

    def _taken(self, product: int, attribute: int, quantity: int, goods: Goods) -> Iterable[tuple[int, int, int]]:
        """The stock rows that a line touches: its own, or the parts of a pack, or both."""
        if not goods.parts or goods.pack_type != PARTS_ONLY:
            yield product, attribute, quantity
        if goods.parts and goods.pack_type != PACK_ONLY:
            for part, part_attribute, units in goods.parts:
                yield part, part_attribute, units * quantity

    def _rate(self, group: int, country: int) -> Decimal:
        rates: dict[tuple[int, int], Decimal] = self.__dict__.setdefault("_rates", {})
        if (group, country) not in rates:
            rates[group, country] = self.tax_rate(group, country)
        return rates[group, country]

    def _currency(self, code: str | None) -> tuple[int, str]:
        currencies: dict[str | None, tuple[int, str]] = self.__dict__.setdefault("_currencies", {})
        if code not in currencies:
            where = ("iso_code = ?", code) if code else ("id = ?", int(self.configuration("PS_CURRENCY_DEFAULT")))
            found = self.store.rows(f"SELECT id, conversion_rate FROM currencies WHERE {where[0]}", (where[1],))
            if not found:
                raise LookupError(f"no currency {code}")
            currencies[code] = (found[0]["id"], found[0]["conversion_rate"])
        return currencies[code]

    def _anyone(self) -> int:
        found = self.store.value("SELECT min(id) FROM customers")
        return int(found) if found else self.add_customer()

    def _address_of(self, customer: int) -> int:
        found = self.store.value("SELECT max(id) FROM addresses WHERE id_customer = ? AND deleted = 0", (customer,))
        return int(found) if found else self.add_address(customer)

    def _state_id(self, state: int | str) -> int:
        return state if isinstance(state, int) else self.configured_state(state)

    def _without_stock(self) -> set[int]:
        """The states in which an order holds no stock."""
        return {self.configured_state("PS_OS_CANCELED"), self.configured_state("PS_OS_ERROR")}

    def _next_number(self, kind: str) -> int:
        number: int = self._remembered("number", kind) + 1
        self.__dict__["_memory"]["number", kind] = number
        return number

    def _invoice(self, order: dict[str, Any], at: str) -> dict[str, Any]:
        """Number the invoice of an order; gives its row."""
        number = self._next_number("invoice")
        order["invoice_number"], order["invoice_date"] = number, at
        copied = ("total_products", "total_products_wt", "total_paid_tax_excl", "total_paid_tax_incl")
        also = (
            "total_shipping_tax_excl",
            "total_shipping_tax_incl",
            "total_wrapping_tax_excl",
            "total_wrapping_tax_incl",
        )
        return {
            "id_order": order["id"],
            "number": number,
            "total_discount_tax_excl": order["total_discounts_tax_excl"],
            "total_discount_tax_incl": order["total_discounts_tax_incl"],
            **{name: order[name] for name in (*copied, *also)},
            "date_add": at,
        }

    # Life of an order -------------------------------------------------------------------------------------------

    def order(self, identity: int) -> Row:
        """One order."""
        found = self.store.get("orders", identity)
        if found is None:
            raise LookupError(f"no order {identity}")
        return found

    def details(self, order: int) -> list[Row]:
        """The lines of an order."""
        return self.store.rows("SELECT * FROM order_details WHERE id_order = ? ORDER BY id", (order,))

    @whole
    def change_state(self, order: int, state: int | str, *, send_mail: bool = False, employee: int = 0) -> int:
        """Change the state with all that follows; nothing guards against the same state twice. Gives the history row."""
        row = self.order(order)
        new = self.state(self._state_id(state))
        now = self.shop_time()
        with self.store.transaction():
            history = self.store.insert(
                "order_histories", id_order=order, id_order_state=new["id"], id_employee=employee, date_add=now
            )
            self._settle_stock(row, new)
            changed: dict[str, Any] = {"current_state": new["id"], "valid": new["logable"], "date_upd": now}
            if new["invoice"] and not row["invoice_number"] and self.configuration("PS_INVOICE") == "1":
                numbered = dict(row)
                self.store.insert("order_invoices", **self._invoice(numbered, now))
                changed |= {"invoice_number": numbered["invoice_number"], "invoice_date": now}
            if new["delivery"] and not row["delivery_number"]:
                changed |= {"delivery_number": self._next_number("delivery"), "delivery_date": now}
            rest = Decimal(row["total_paid_tax_incl"]) - Decimal(row["total_paid_real"])
            has_invoice = bool(row["invoice_number"] or "invoice_number" in changed)
            if new["paid"] and has_invoice and rest > 0:
                self.store.insert(
                    "order_payments",
                    order_reference=row["reference"][:9],
                    id_currency=row["id_currency"],
                    amount=rest,
                    payment_method=row["payment"],
                    conversion_rate=row["conversion_rate"],
                    date_add=now,
                )
                changed["total_paid_real"] = row["total_paid_tax_incl"]
            self.store.update("orders", order, **changed)
            if send_mail and new["send_email"]:
                self.mail(json.loads(new["template"]).get("1", ""), order)
        return history

    def _settle_stock(self, order: Row, new: Row) -> None:
        """Units come back on the way into cancelled or payment error, and go again on the way out."""
        if self.configuration("PS_STOCK_MANAGEMENT") != "1":
            return
        none = self._without_stock()
        was, will = order["current_state"] in none, new["id"] in none
        if was == will:
            return
        sign = 1 if will else -1
        deltas: StockDeltas = defaultdict(int)
        for line in self.details(order["id"]):
            units = line["product_quantity"] - line["product_quantity_reinjected"]
            for product, attribute, count in self._taken_by(line, units):
                deltas[product, attribute, order["id_shop"]] += sign * count
        self.move_stock(deltas)

    def _taken_by(self, line: Row, units: int) -> Iterable[tuple[int, int, int]]:
        """The stock rows behind an order line; none where the product or combination is gone."""
        product, attribute = line["product_id"], line["product_attribute_id"]
        gone = self.store.get("products", product) is None or (
            attribute and self.store.get("combinations", attribute) is None
        )
        return [] if gone else self._taken(product, attribute, units, self._goods(product, attribute))

    @whole
    def pay(self, order: int, state: int | str = "PS_OS_PAYMENT", *, transaction_id: str = "") -> int:
        """The money arrived."""
        history = self.change_state(order, state)
        if transaction_id:
            payment = self.store.value(
                "SELECT max(id) FROM order_payments WHERE order_reference = ?", (self.order(order)["reference"][:9],)
            )
            self.store.update("order_payments", payment, transaction_id=transaction_id)
        return history

    def cancel(self, order: int) -> int:
        """Cancel an order in the back office."""
        return self.change_state(order, "PS_OS_CANCELED", employee=1)

    @whole
    def ship_in_shop(self, order: int, tracking: str = "", state: int | str = "PS_OS_SHIPPING") -> int:
        """Someone ships in the shop's own screen."""
        parcel = self.store.value("SELECT min(id) FROM order_carriers WHERE id_order = ?", (order,))
        if tracking and parcel:
            self.store.update("order_carriers", parcel, tracking_number=tracking)
        return self.change_state(order, state, employee=1)

    @whole
    def refund_lines(self, order: int, lines: Mapping[int, int], *, restock: bool = False, shipping: Number = 0) -> int:
        """A credit slip for some units of some lines (order_detail id -> units). Gives its id."""
        row = self.order(order)
        now = self.shop_time()
        details = {line["id"]: line for line in self.details(order)}
        entries: list[dict[str, Any]] = []
        excl = incl = Decimal(0)
        deltas: StockDeltas = defaultdict(int)
        with self.store.transaction():
            for identity, units in ((int(key), value) for key, value in lines.items()):
                line = details[identity]
                line_excl = Decimal(line["unit_price_tax_excl"]) * units
                line_incl = (Decimal(line["unit_price_tax_incl"]) * units).quantize(CENT, ROUND_HALF_UP)
                excl += line_excl
                incl += line_incl
                entries.append(
                    {
                        "id": len(entries) + 1,
                        "id_order_detail": identity,
                        "product_quantity": units,
                        "amount_tax_excl": f"{line_excl:.6f}",
                        "amount_tax_incl": f"{line_incl:.6f}",
                    }
                )
                self.store.update(
                    "order_details",
                    identity,
                    product_quantity_refunded=line["product_quantity_refunded"] + units,
                    product_quantity_reinjected=line["product_quantity_reinjected"] + (units if restock else 0),
                    total_refunded_tax_excl=Decimal(line["total_refunded_tax_excl"]) + line_excl,
                    total_refunded_tax_incl=Decimal(line["total_refunded_tax_incl"]) + line_incl,
                )
                if restock:
                    for product, attribute, count in self._taken_by(line, units):
                        deltas[product, attribute, row["id_shop"]] += count
            slip = self.store.insert(
                "order_slip",
                id_order=order,
                id_customer=row["id_customer"],
                conversion_rate=row["conversion_rate"],
                total_products_tax_excl=excl,
                total_products_tax_incl=incl,
                total_shipping_tax_incl=shipping,
                total_shipping_tax_excl=shipping,
                amount=incl + Decimal(shipping),
                shipping_cost=bool(shipping),
                shipping_cost_amount=shipping,
                partial=1,
                date_add=now,
                date_upd=now,
                associations={"order_slip_details": entries},
            )
            self.move_stock(deltas)
            self.store.update("orders", order, date_upd=now)
        return slip

    @whole
    def change_line(self, detail: int, quantity: int) -> None:
        """Edit the quantity of a line in the back office (0 removes it); totals and stock follow."""
        line = self.store.get("order_details", detail)
        if line is None:
            raise LookupError(f"no order line {detail}")
        row = self.order(line["id_order"])
        mode, rounding = ROUND_MODES[row["round_mode"]], row["round_type"]
        with self.store.transaction():
            deltas: StockDeltas = defaultdict(int)
            for product, attribute, count in self._taken_by(line, line["product_quantity"] - quantity):
                deltas[product, attribute, row["id_shop"]] += count
            self.move_stock(deltas)
            excl = _line_total(Decimal(line["unit_price_tax_excl"]), quantity, rounding, mode)
            incl = _line_total(Decimal(line["unit_price_tax_incl"]), quantity, rounding, mode)
            more_excl, more_incl = (
                excl - Decimal(line["total_price_tax_excl"]),
                incl - Decimal(line["total_price_tax_incl"]),
            )
            if quantity:
                self.store.update(
                    "order_details",
                    detail,
                    product_quantity=quantity,
                    total_price_tax_excl=excl,
                    total_price_tax_incl=incl,
                )
            else:
                self.store.delete("order_details", detail)
            changed = {name: Decimal(row[name]) + more_excl for name in ("total_products", "total_paid_tax_excl")} | {
                name: Decimal(row[name]) + more_incl
                for name in ("total_products_wt", "total_paid", "total_paid_tax_incl")
            }
            self.store.update("orders", row["id"], **changed, date_upd=self.shop_time())

    def change_address(self, order: int, address: int) -> None:
        """Send an order somewhere else."""
        self.store.update("orders", order, id_address_delivery=address, date_upd=self.shop_time())


def _line(given: Line | Mapping[str, Any] | Sequence[Any]) -> Line:
    if isinstance(given, Line):
        return given
    return Line(**given) if isinstance(given, Mapping) else Line(*given)


def _prices(line: Line, own: Decimal, factor: Decimal) -> tuple[Decimal, Decimal]:
    """Unit prices without and with tax, from what the line says."""
    excl = None if line.unit_price_tax_excl is None else Decimal(line.unit_price_tax_excl)
    incl = None if line.unit_price_tax_incl is None else Decimal(line.unit_price_tax_incl)
    if excl is None:
        excl = own if incl is None else incl / factor
    return excl, excl * factor if incl is None else incl


def _line_total(unit: Decimal, quantity: int, rounding: int, mode: str) -> Decimal:
    match rounding:
        case 1:  # per item
            return unit.quantize(CENT, mode) * quantity
        case 2:  # per line
            return (unit * quantity).quantize(CENT, mode)
        case _:
            return unit * quantity


def _with_and_without(tax_incl: Number, rate: Decimal, mode: str) -> tuple[Decimal, Decimal]:
    incl = Decimal(tax_incl)
    return incl, (incl / (1 + rate / 100)).quantize(CENT, mode)


def _reference(identity: int) -> str:
    """Nine letters that look random and never repeat: a fixed permutation of the order's number."""
    number = (identity * 2654435761 + 97) % 26**9
    letters = []
    for _ in range(9):
        number, rest = divmod(number, 26)
        letters.append(chr(ord("A") + rest))
    return "".join(letters)

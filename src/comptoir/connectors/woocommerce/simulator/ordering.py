"""Orders of the shop: checkout, payment, statuses with the stock that goes with each exactly once, refunds, notes, parcels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.connectors.woocommerce.simulator.goods import Goods
from comptoir.connectors.woocommerce.simulator.shop import GATEWAYS, HIDDEN_STATUSES, TAXES, ZONES
from comptoir.connectors.woocommerce.simulator.store import Row, whole

CENT = Decimal("0.01")
SIX = Decimal("0.000001")
TAKES = ("processing", "completed", "on-hold")
GIVES_BACK = ("cancelled", "pending")
PAID = ("processing", "completed")
ADDRESS = {
    "first_name": "Ada",
    "last_name": "Byron",
    "company": "",
    "address_1": "1 High Street",
    "address_2": "",
    "city": "London",
    "state": "",
    "postcode": "EC1A 1BB",
    "country": "GB",
    "phone": "+44 20 7946 0000",
}


class Ordering(Goods):
    """The orders of the shop."""

    # Checkout ------------------------------------------------------------------------------------------------------

    @whole
    def place_order(
        self,
        lines: Iterable[Mapping[str, Any]],
        *,
        status: str = "processing",
        payment_method: str = "stripe",
        shipping: str = "0",
        instance: int = 1,
        fees: Iterable[tuple[str, str]] = (),
        coupon: str = "0",
        placed_at: datetime | str | None = None,
        billing: Mapping[str, str] | None = None,
        customer_note: str = "",
        currency: str = "",
        number: str = "",
        meta_data: Iterable[Row] = (),
        paid: bool | None = None,
    ) -> int:
        """A buyer checks out. A line: product, variation, quantity, and price where it is not the product's own; `shipping`,
        `fees` and `coupon` (in percent of the goods) are without tax. Stock is taken where the status does."""
        at = datetime.fromisoformat(placed_at) if isinstance(placed_at, str) else placed_at
        who = {**ADDRESS, **(billing or {})}
        built = [self._line(dict(line), who["country"], Decimal(coupon)) for line in lines]
        rate = self._rate("", who["country"])
        ways = {way[0]: way for _, methods in ZONES.values() for way in methods}
        carriage = self._charge(shipping, rate)
        doc: Row = {
            "number": number,
            "order_key": f"wc_order_{self.store.fresh('key'):06}",
            "currency": currency or self.setting("woocommerce_currency"),
            "prices_include_tax": self.setting("woocommerce_prices_include_tax") == "yes",
            "customer_id": 0,
            "customer_note": customer_note,
            "billing": {**who, "email": f"{who['first_name']}@example.org".lower()},
            "shipping": who,
            "payment_method": payment_method,
            "payment_method_title": GATEWAYS.get(payment_method, payment_method),
            "transaction_id": f"ch_{self.store.fresh('charge')}" if payment_method == "stripe" else "",
            "paid_at": None,
            "completed_at": None,
            "lines": built,
            "shipping_lines": [
                {
                    "id": self.store.fresh("line"),
                    "method_title": ways[instance][2],
                    "method_id": ways[instance][1],
                    "instance_id": str(instance),
                    **carriage,
                }
            ]
            if instance
            else [],
            "fee_lines": [
                {"id": self.store.fresh("line"), "name": name, **self._charge(amount, rate)} for name, amount in fees
            ],
            "coupon_lines": [self._coupon(built)] if Decimal(coupon) else [],
            "meta_data": [{"id": self.store.fresh("meta"), **one} for one in meta_data],
            "stock_reduced": False,
        }
        doc["total"] = str(self._total(doc))
        first = "pending" if status in TAKES else status
        order = self.store.add("order", doc, status=first, at=at)
        row = self.store.get("order", order)
        self.store.save(row, touch=False, number=number or str(order))
        if status != first:
            is_paid = payment_method not in ("cod", "bacs", "cheque") if paid is None else paid
            self._move(row, status, at=at, paid=is_paid)
        self.fire("order.created", self.show(self.store.get("order", order)))
        return order

    def _line(self, line: Row, country: str, coupon: Decimal) -> Row:
        row = self._row(line["product"], line.get("variation", 0))
        parent = self.store.get("product", line["product"])
        quantity = line.get("quantity", 1)
        tax_class = row["doc"]["tax_class"]
        if tax_class == "parent":
            tax_class = parent["doc"]["tax_class"]
        taxable = parent["doc"]["tax_status"] == "taxable"
        rate = self._rate(tax_class, country) if taxable else Decimal(0)
        price = Decimal(line.get("price") or row["doc"]["sale_price"] or row["doc"]["regular_price"] or "0")
        before = self._charge(str(price * quantity), rate, is_price=True)
        after = self._charge(str(price * quantity * (1 - coupon / 100)), rate, is_price=True)
        options = ", ".join(one["option"] for one in row["doc"]["attributes"]) if line.get("variation") else ""
        return {
            "id": self.store.fresh("line"),
            "name": line.get("name") or parent["doc"]["name"] + (f" - {options}" if options else ""),
            "product_id": line["product"],
            "variation_id": line.get("variation", 0),
            "quantity": quantity,
            "tax_class": tax_class,
            "subtotal": before["total"],
            "subtotal_tax": before["total_tax"],
            "total": after["total"],
            "total_tax": after["total_tax"],
            "reduced": 0,
            "meta_data": [],
        }

    def _charge(self, amount: str, rate: Decimal, *, is_price: bool = False) -> Row:
        """Without tax to six decimals, and the tax: to the cent unless the shop rounds at the subtotal."""
        net = Decimal(amount)
        if is_price and self.setting("woocommerce_prices_include_tax") == "yes":
            net = (net / (1 + rate / 100)).quantize(SIX, ROUND_HALF_UP)
            tax = Decimal(amount) - net
        else:
            tax = net * rate / 100
        step = SIX if self.setting("woocommerce_tax_round_at_subtotal") == "yes" else CENT
        return {"total": str(net.normalize() + 0), "total_tax": str(tax.quantize(step, ROUND_HALF_UP))}

    def _coupon(self, lines: list[Row]) -> Row:
        off = sum((Decimal(line["subtotal"]) - Decimal(line["total"]) for line in lines), Decimal(0))
        tax = sum((Decimal(line["subtotal_tax"]) - Decimal(line["total_tax"]) for line in lines), Decimal(0))
        return {"id": self.store.fresh("line"), "code": "welcome", "discount": str(off), "discount_tax": str(tax)}

    def _total(self, doc: Row) -> Decimal:
        parts = [*doc["lines"], *doc["shipping_lines"], *doc["fee_lines"]]
        if self.setting("woocommerce_tax_round_at_subtotal") == "yes":
            whole_sum = sum((Decimal(one["total"]) + Decimal(one["total_tax"]) for one in parts), Decimal(0))
            return whole_sum.quantize(CENT, ROUND_HALF_UP)
        return sum(
            ((Decimal(one["total"]) + Decimal(one["total_tax"])).quantize(CENT, ROUND_HALF_UP) for one in parts),
            Decimal(0),
        )

    def _rate(self, tax_class: str, country: str) -> Decimal:
        wanted = tax_class or "standard"
        return next(
            (Decimal(str(one["rate"])) for one in TAXES if one["class"] == wanted and one["country"] == country),
            Decimal(0),
        )

    # Afterwards ----------------------------------------------------------------------------------------------------

    @whole
    def change_status(self, order: int, status: str) -> None:
        """Move an order; its stock follows once."""
        row = self.store.get("order", order)
        before = row["status"]
        if before == status:
            self.store.save(row)
        else:
            self._move(row, status)
        self.fire("order.updated", self.show(self.store.get("order", order)))

    def _move(self, row: Row, status: str, *, at: datetime | None = None, paid: bool = True) -> None:
        if status not in self.statuses and status not in HIDDEN_STATUSES:
            raise ValueError(f"no status {status}")
        stamp = self.gmt(at)
        doc = row["doc"]
        values: dict[str, Any] = {"status": status}
        if status in PAID and doc["paid_at"] is None and paid:
            values["paid_at"] = stamp
        if status == "completed":
            values["completed_at"] = stamp
        if status in TAKES and not doc["stock_reduced"]:
            lines = [dict(line) for line in doc["lines"]]
            for line in lines:
                units = line["quantity"]
                line["reduced"] = units if self.move_stock(line["product_id"], line["variation_id"], -units) else 0
            values |= {"lines": lines, "stock_reduced": True}
        elif status in GIVES_BACK and doc["stock_reduced"]:
            lines = [dict(line) for line in doc["lines"]]
            for line in lines:
                if line["reduced"]:
                    self.move_stock(line["product_id"], line["variation_id"], line["reduced"])
                line["reduced"] = 0
            values |= {"lines": lines, "stock_reduced": False}
        self.store.save(row, at=at, **values)

    def pay(self, order: int) -> None:
        """The money arrives: downloads alone are complete with it."""
        self.change_status(order, "processing")

    def cancel(self, order: int) -> None:
        """Cancelled in the back office."""
        self.change_status(order, "cancelled")

    @whole
    def trash_order(self, order: int) -> None:
        """Move it to the bin; its stock stays as it is."""
        self.store.save(self.store.get("order", order), status="trash")
        self.fire("order.deleted", {"id": order})

    @whole
    def open_order(self, order: int) -> None:
        """Looking at an order in the back office moves its date (a bug of the new order tables), and changes nothing."""
        self.store.save(self.store.get("order", order))

    @whole
    def edit_order(self, /, order: int, **fields: Any) -> None:
        """Change an order by hand."""
        self.store.save(self.store.get("order", order), **fields)
        self.fire("order.updated", self.show(self.store.get("order", order)))

    @whole
    def refund(
        self,
        order: int,
        lines: Mapping[int, int] | None = None,
        *,
        amount: str = "",
        restock: bool = True,
        reason: str = "",
    ) -> int:
        """Give money back for units of lines (line -> units) or as an amount alone. The status stays, unless all is refunded."""
        row = self.store.get("order", order)
        kept = [dict(line) for line in row["doc"]["lines"]]
        items: list[Row] = []
        total = Decimal(amount or 0)
        for line in kept:
            units = (lines or {}).get(line["id"], 0)
            if not units:
                continue
            net = (Decimal(line["total"]) / line["quantity"] * units).quantize(SIX)
            tax = (Decimal(line["total_tax"]) / line["quantity"] * units).quantize(SIX)
            total += (net + tax).quantize(CENT, ROUND_HALF_UP)
            items.append(
                {
                    "id": self.store.fresh("line"),
                    "name": line["name"],
                    "product_id": line["product_id"],
                    "variation_id": line["variation_id"],
                    "quantity": -units,
                    "total": str(-net),
                    "total_tax": str(-tax),
                    "meta_data": [
                        {"id": self.store.fresh("meta"), "key": "_refunded_item_id", "value": str(line["id"])}
                    ],
                }
            )
            back = min(units, line["reduced"]) if restock else 0
            if back:
                self.move_stock(line["product_id"], line["variation_id"], back)
                line["reduced"] -= back
        refund = self.store.add("refund", {"amount": str(total), "reason": reason, "lines": items}, parent=order)
        given = sum((Decimal(one["doc"]["amount"]) for one in self.store.all("refund", parent=order)), Decimal(0))
        status = "refunded" if given >= Decimal(row["doc"]["total"]) else row["status"]
        self.store.save(row, lines=kept, status=status)
        self.fire("order.updated", self.show(self.store.get("order", order)))
        return refund

    @whole
    def add_note(self, order: int, note: str, *, customer_note: bool = False) -> int:
        """A note on an order; one for the customer is e-mailed."""
        doc = {"author": "system", "note": note, "customer_note": customer_note}
        return self.store.add("note", doc, parent=order)

    @whole
    def add_tracking(self, order: int, fields: Row) -> Row:
        """A parcel as the tracking plugins keep it: in the order's meta data."""
        row = self.store.get("order", order)
        one = {"tracking_id": f"{self.store.fresh('tracking'):032x}", **fields}
        others = [meta for meta in row["doc"]["meta_data"] if meta["key"] != "_wc_shipment_tracking_items"]
        there = self.trackings(order)
        meta = {"id": self.store.fresh("meta"), "key": "_wc_shipment_tracking_items", "value": [*there, one]}
        self.store.save(row, meta_data=[*others, meta])
        return one

    def trackings(self, order: int) -> list[Row]:
        """The parcels that a tracking plugin keeps."""
        meta = self.store.get("order", order)["doc"]["meta_data"]
        return next((list(one["value"]) for one in meta if one["key"] == "_wc_shipment_tracking_items"), [])

    @whole
    def ship_in_shop(self, order: int, tracking: str = "") -> None:
        """Someone ships in the shop's own screen: a parcel as the shop knows them, a note where it knows none, completed."""
        if tracking and (self.has_plugin("shipment-tracking") or self.has_plugin("ast")):
            self.add_tracking(order, {"tracking_provider": "Royal Mail", "tracking_number": tracking})
        elif tracking:
            self.add_note(order, f"Sent with Royal Mail: {tracking}", customer_note=True)
        self.change_status(order, "completed")

"""The whole simulated shop without HTTP: `Shop` is what tests and worlds act on, and what its objects look like in REST."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.connectors.woocommerce.simulator.ordering import Ordering
from comptoir.connectors.woocommerce.simulator.store import Row

#: what may be done through the control door
ACTIONS = (
    "add_category",
    "add_product",
    "add_variation",
    "edit_product",
    "edit_variation",
    "trash_product",
    "delete_product",
    "delete_variation",
    "set_stock",
    "place_order",
    "change_status",
    "pay",
    "cancel",
    "trash_order",
    "open_order",
    "edit_order",
    "refund",
    "add_note",
    "ship_in_shop",
    "configure",
    "add_key",
    "revoke_key",
    "add_status",
    "add_plugin",
    "add_webhook",
    "set_quirk",
)


class Shop(Ordering):
    """One installed shop."""

    def dump(self) -> dict[str, Any]:
        """What tests compare: goods, stock, orders, notes, refunds, parcels, webhooks."""
        kinds = ("product", "variation", "order", "note", "refund", "fulfillment", "webhook")
        return {
            kind: [
                {"id": row["id"], "parent": row["parent"], "status": row["status"], "sku": row["sku"], **row["doc"]}
                for row in self.store.all(kind)
            ]
            for kind in kinds
        }

    # What REST answers ---------------------------------------------------------------------------------------------

    def show(self, row: Row, dp: int = 2) -> Row:
        """An object as REST answers it; `dp`: decimals of amounts in orders."""
        shown: Row = getattr(self, f"_show_{row['kind']}")(row, dp)
        return shown

    def _dates(self, row: Row, names: Sequence[str] = ("created", "modified")) -> Row:
        shown: Row = {}
        for name in names:
            shown[f"date_{name}"] = row[f"{name}_here"]
            shown[f"date_{name}_gmt"] = row[name]
        return shown

    def _moment(self, name: str, stamp: str | None) -> Row:
        return {f"date_{name}": self.local(stamp) if stamp else None, f"date_{name}_gmt": stamp}

    def _stock(self, row: Row, holder: Row | None) -> Row:
        doc = row["doc"]
        counted = holder is not None and self.counts_stock()
        quantity = int(holder["doc"]["stock_quantity"] or 0) if holder else None
        status = doc["stock_status"]
        if counted and holder is not None and quantity is not None:
            backorders = holder["doc"]["backorders"]
            status = "instock" if quantity > 0 else "outofstock" if backorders == "no" else "onbackorder"
        manages: bool | str = doc["manage_stock"] is True
        if row["kind"] == "variation" and not manages and holder is not None:
            manages = "parent"
        return {
            "manage_stock": manages,
            "stock_quantity": quantity,
            "stock_status": status,
            "backorders": doc["backorders"],
            "backorders_allowed": doc["backorders"] != "no",
            "low_stock_amount": None,
        }

    def _common(self, row: Row) -> Row:
        doc = row["doc"]
        shown = {
            "description": doc["description"],
            "price": doc["sale_price"] or doc["regular_price"],
            "regular_price": doc["regular_price"],
            "sale_price": doc["sale_price"],
            "date_on_sale_from_gmt": None,
            "date_on_sale_to_gmt": None,
            "weight": doc["weight"],
            "dimensions": {"length": "", "width": "", "height": ""},
            "virtual": doc["virtual"],
            "downloadable": doc["downloadable"],
            "meta_data": doc["meta_data"],
        }
        if self.at_least(9):
            shown["global_unique_id"] = doc["global_unique_id"]
        return shown

    def _show_product(self, row: Row, _dp: int) -> Row:
        doc = row["doc"]
        slug = doc["name"].lower().replace(" ", "-")
        categories = [self.store.get("category", one) for one in doc["categories"]]
        shown = {
            "id": row["id"],
            "name": doc["name"],
            "slug": slug,
            "permalink": f"{self.url}product/{slug}/",
            **self._dates(row),
            "type": doc["type"],
            "status": row["status"],
            "featured": False,
            "catalog_visibility": doc["catalog_visibility"],
            "short_description": doc["short_description"],
            "sku": row["sku"],
            **self._common(row),
            "tax_status": doc["tax_status"],
            "tax_class": doc["tax_class"],
            **self._stock(row, self.counted_by(row)),
            "parent_id": 0,
            "categories": [
                {"id": one["id"], "name": one["doc"]["name"], "slug": one["doc"]["slug"]} for one in categories
            ],
            "tags": [],
            "images": doc["images"],
            "attributes": doc["attributes"],
            "default_attributes": [],
            "variations": [one["id"] for one in self.variations_of(row["id"])] if "variable" in doc["type"] else [],
            "grouped_products": doc["grouped_products"],
            "upsell_ids": [],
            "cross_sell_ids": [],
        }
        if self.at_least(9, 6):
            shown["brands"] = [{"id": 1, "name": name, "slug": name.lower()} for name in doc["brands"]]
        return shown

    def _show_variation(self, row: Row, _dp: int) -> Row:
        doc = row["doc"]
        parent = self.store.get("product", row["parent"])
        tax_class = parent["doc"]["tax_class"] if doc["tax_class"] == "parent" else doc["tax_class"]
        return {
            "id": row["id"],
            "parent_id": row["parent"],
            "type": "variation",
            "name": ", ".join(one["option"] for one in doc["attributes"]),
            "permalink": f"{self.url}product/{row['parent']}/?variation={row['id']}",
            **self._dates(row),
            "status": row["status"],
            "sku": row["sku"] or parent["sku"],  # a variation without one shows its product's
            **self._common(row),
            "tax_status": parent["doc"]["tax_status"],
            "tax_class": tax_class,
            **self._stock(row, self.counted_by(row)),
            "image": doc["image"],
            "attributes": doc["attributes"],
        }

    def _show_order(self, row: Row, dp: int) -> Row:
        doc = row["doc"]
        refunds = self.store.all("refund", parent=row["id"])
        parts = {name: [self._amounts(one, dp) for one in doc[name]] for name in ("shipping_lines", "fee_lines")}
        taxes = {name: _sum(doc[name], "total_tax") for name in ("lines", "shipping_lines", "fee_lines")}
        cart_tax = taxes["lines"] + taxes["fee_lines"]
        off = sum((Decimal(one["discount"]) for one in doc["coupon_lines"]), Decimal(0))
        off_tax = sum((Decimal(one["discount_tax"]) for one in doc["coupon_lines"]), Decimal(0))
        return {
            "id": row["id"],
            "parent_id": 0,
            "status": row["status"],
            "currency": doc["currency"],
            "version": self.version,
            "prices_include_tax": doc["prices_include_tax"],
            **self._dates(row),
            "discount_total": fixed(off, dp),
            "discount_tax": fixed(off_tax, dp),
            "shipping_total": fixed(_sum(doc["shipping_lines"], "total"), dp),
            "shipping_tax": fixed(taxes["shipping_lines"], dp),
            "cart_tax": fixed(cart_tax, dp),
            "total": fixed(Decimal(doc["total"]), dp),
            "total_tax": fixed(cart_tax + taxes["shipping_lines"], dp),
            "customer_id": doc["customer_id"],
            "order_key": doc["order_key"],
            "billing": doc["billing"],
            "shipping": doc["shipping"],
            "payment_method": doc["payment_method"],
            "payment_method_title": doc["payment_method_title"],
            "transaction_id": doc["transaction_id"],
            "created_via": "checkout",
            "customer_note": doc["customer_note"],
            **self._moment("completed", doc["completed_at"]),
            **self._moment("paid", doc["paid_at"]),
            "cart_hash": "",
            "number": doc["number"],
            "meta_data": doc["meta_data"],
            "line_items": [self._line_item(line, dp) for line in doc["lines"]],
            "tax_lines": [],
            **parts,
            "coupon_lines": doc["coupon_lines"],
            "refunds": [
                {"id": one["id"], "reason": one["doc"]["reason"], "total": fixed(-Decimal(one["doc"]["amount"]), dp)}
                for one in refunds
            ],
        }

    def _line_item(self, line: Row, dp: int) -> Row:
        """A line; its SKU and picture are the product's of now, and gone with it."""
        identity = line["variation_id"] or line["product_id"]
        row = self.store.find("variation" if line["variation_id"] else "product", identity)
        sku: str | None = None
        if row is not None:
            sku = row["sku"] or (self.store.get("product", row["parent"])["sku"] if row["parent"] else "")
        total, quantity = Decimal(line["total"]), line["quantity"]
        shown = {
            "id": line["id"],
            "name": line["name"],
            "product_id": line["product_id"] if row is not None else 0,
            "variation_id": line["variation_id"] if row is not None else 0,
            "quantity": quantity,
            "tax_class": line["tax_class"],
            **{name: fixed(Decimal(line[name]), dp) for name in ("subtotal", "subtotal_tax", "total", "total_tax")},
            "taxes": [],
            "meta_data": line["meta_data"],
            "sku": sku,
            "price": float(round(total / quantity, 2)) if quantity else 0,
        }
        if self.at_least(9):
            shown["global_unique_id"] = row["doc"]["global_unique_id"] if row is not None else ""
        return shown

    @staticmethod
    def _amounts(one: Row, dp: int) -> Row:
        return {
            **one,
            "total": fixed(Decimal(one["total"]), dp),
            "total_tax": fixed(Decimal(one["total_tax"]), dp),
            "taxes": [],
            "meta_data": [],
        }

    def _show_refund(self, row: Row, dp: int) -> Row:
        doc = row["doc"]
        return {
            "id": row["id"],
            **self._dates(row, ("created",)),
            "amount": fixed(Decimal(doc["amount"]), dp),
            "reason": doc["reason"],
            "refunded_payment": False,
            "meta_data": [],
            "line_items": [
                {**one, "total": fixed(Decimal(one["total"]), dp), "total_tax": fixed(Decimal(one["total_tax"]), dp)}
                for one in doc["lines"]
            ],
        }

    def _show_note(self, row: Row, _dp: int) -> Row:
        return {"id": row["id"], **row["doc"], **self._dates(row, ("created",))}

    def _show_webhook(self, row: Row, _dp: int) -> Row:
        doc = row["doc"]
        resource, _, event = doc["topic"].partition(".")
        return {
            "id": row["id"],
            "name": doc["name"],
            "status": row["status"],
            "topic": doc["topic"],
            "resource": resource,
            "event": event,
            "hooks": [],
            "delivery_url": doc["delivery_url"],
            **self._dates(row),
        }

    def _show_category(self, row: Row, _dp: int) -> Row:
        return {"id": row["id"], "name": row["doc"]["name"], "slug": row["doc"]["slug"], "parent": row["parent"]}

    def _show_fulfillment(self, row: Row, _dp: int) -> Row:
        return {"id": row["id"], "entity_type": "order", "entity_id": str(row["parent"]), **row["doc"]}


def fixed(amount: Decimal, dp: int) -> str:
    """An amount with so many decimals."""
    return f"{amount.quantize(Decimal(1).scaleb(-dp), ROUND_HALF_UP):f}"


def _sum(rows: Sequence[Row], name: str) -> Decimal:
    return sum((Decimal(one[name]) for one in rows), Decimal(0))

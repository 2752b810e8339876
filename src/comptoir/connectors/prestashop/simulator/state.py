"""The whole simulated shop without HTTP: `Shop` is what tests and worlds act on."""

from __future__ import annotations

from typing import Any

from comptoir.connectors.prestashop.simulator.ordering import Ordering

#: what may be done through the control door
ACTIONS = (
    "add_product",
    "add_products",
    "edit_product",
    "delete_product",
    "add_combination",
    "delete_combination",
    "add_image",
    "delete_image",
    "add_category",
    "add_manufacturer",
    "add_supplier",
    "link_supplier",
    "add_customer",
    "add_address",
    "edit_address",
    "edit_carrier",
    "set_stock",
    "place_order",
    "place_orders",
    "change_state",
    "pay",
    "cancel",
    "ship_in_shop",
    "refund_lines",
    "change_line",
    "change_address",
    "configure",
    "add_shop",
    "add_key",
    "revoke_key",
    "set_quirk",
)


class Shop(Ordering):
    """One installed shop."""

    def dump(self) -> dict[str, Any]:
        """What tests compare: goods, stock, orders, parcels, histories, payments, mails."""
        return {
            "products": self.store.rows("SELECT id, reference, active, price, product_type, date_upd FROM products"),
            "combinations": self.store.rows("SELECT id, id_product, reference, price FROM combinations"),
            "stock": self.store.rows(
                "SELECT id, id_product, id_product_attribute, id_shop, id_shop_group, quantity FROM stock_availables"
            ),
            "orders": self.store.rows(
                "SELECT id, reference, id_shop, current_state, valid, total_paid_tax_incl, total_paid_real, "
                "date_add, date_upd FROM orders"
            ),
            "order_details": self.store.rows(
                "SELECT id, id_order, product_id, product_attribute_id, product_quantity, product_quantity_refunded "
                "FROM order_details"
            ),
            "order_carriers": self.store.rows("SELECT id, id_order, id_carrier, tracking_number FROM order_carriers"),
            "order_histories": self.store.rows("SELECT id, id_order, id_order_state, date_add FROM order_histories"),
            "order_payments": self.store.rows("SELECT id, order_reference, amount FROM order_payments"),
            "mails": self.mails(),
        }

"""What buyers and merchants do in any shop, said in SKUs, done in this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comptoir.connectors.prestashop.simulator.ordering import Line

if TYPE_CHECKING:
    from comptoir.connectors.prestashop.simulator.state import Shop

#: (product, combination) of everything with a reference of its own
_PLACES = """
SELECT reference, id AS product, 0 AS combination FROM products
WHERE reference <> '' AND state = 1 AND product_type <> 'combinations'
UNION ALL SELECT reference, id_product, id FROM combinations WHERE reference <> ''
ORDER BY product, combination
"""


class Trade:
    """`Simulator`'s neutral actions."""

    state: Shop

    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        """A paid order, or one that waits for a bank wire."""
        places = self._places()
        bought = [Line(*places[sku], quantity) for sku, quantity in lines.items()]
        return str(self.state.place_order(bought, state="PS_OS_PAYMENT" if paid else "PS_OS_BANKWIRE"))

    def pay(self, sale: str) -> None:
        """The wire arrives."""
        self.state.pay(int(sale))

    def cancel(self, sale: str) -> None:
        """Cancelled in the back office: the units are back on sale."""
        self.state.cancel(int(sale))

    def ship(self, sale: str, tracking: str) -> None:
        """Shipped in the back office."""
        self.state.ship_in_shop(int(sale), tracking)

    def stock(self, goods: Mapping[str, int]) -> None:
        """Type figures; what is not there is made, at 5.00 without tax."""
        places = self._places()
        new = [
            {"name": f"Thing {sku}", "reference": sku, "price": "5.00", "quantity": quantity}
            for sku, quantity in goods.items()
            if sku not in places
        ]
        self.state.add_products(new)
        for sku, quantity in goods.items():
            if sku in places:
                product, combination = places[sku]
                self.state.set_stock(product, quantity, combination)

    def shelf(self) -> dict[str, int]:
        """Figures of the first shop; a download is sold without counting."""
        downloads = {row["id"] for row in self.state.store.rows("SELECT id FROM products WHERE is_virtual = 1")}
        return {
            sku: max(0, self.state.stock(product, combination))
            for sku, (product, combination) in self._places().items()
            if product not in downloads
        }

    def sold(self) -> dict[str, str]:
        """What the flags of each order's state say."""
        rows = self.state.store.rows("SELECT id, current_state, valid FROM orders ORDER BY id")
        return {str(row["id"]): self._meaning(row["current_state"], bool(row["valid"])) for row in rows}

    def parcels(self, sale: str) -> list[str]:
        """Tracking numbers of the order's parcels."""
        rows = self.state.store.rows(
            "SELECT tracking_number FROM order_carriers WHERE id_order = ? ORDER BY id", (int(sale),)
        )
        return [row["tracking_number"] for row in rows if row["tracking_number"]]

    def _places(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for row in self.state.store.rows(_PLACES):
            found.setdefault(row["reference"], (row["product"], row["combination"]))
        return found

    def _meaning(self, state: int, valid: bool) -> str:
        names = {
            int(self.state.configuration("PS_OS_CANCELED")): "cancelled",
            int(self.state.configuration("PS_OS_REFUND")): "refunded",
        }
        if state in names:
            return names[state]
        if self.state.state(state)["shipped"]:
            return "shipped"
        return "paid" if valid else "unpaid"

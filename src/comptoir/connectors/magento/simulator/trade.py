"""What buyers and merchants do in any shop, said in SKUs, done in this one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from comptoir.connectors.magento.simulator.ordering import Line

if TYPE_CHECKING:
    from comptoir.connectors.magento.simulator.shop import Shop

_MEANING = {"complete": "shipped", "closed": "refunded", "canceled": "cancelled"}


class Trade:
    """`Simulator`'s neutral actions."""

    state: Shop

    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        """An order paid by card, or one that waits for a bank transfer."""
        bought = [Line(sku, quantity) for sku, quantity in lines.items()]
        if paid:
            return str(self.state.place_order(bought))
        return str(self.state.place_order(bought, state="new", method="banktransfer"))

    def pay(self, sale: str) -> None:
        """The transfer arrives: somebody invoices."""
        self.state.invoice(int(sale))

    def cancel(self, sale: str) -> None:
        """Cancelled; what is invoiced already can only be refunded, which closes it."""
        if not self.state.cancel_order(int(sale)):
            self.state.refund(int(sale))

    def ship(self, sale: str, tracking: str) -> None:
        """Shipped in the back office, invoiced first where nobody has."""
        order = self.state.order(int(sale))
        if order["total_due"] > 0:
            self.state.invoice(int(sale))
        self.state.ship_order(
            int(sale), tracks=[{"track_number": tracking, "title": "Courier", "carrier_code": "custom"}]
        )

    def stock(self, goods: Mapping[str, int]) -> None:
        """Type figures at the default source; what is not there is made, at 5.00 without tax."""
        with self.state.store.transaction():
            for sku, quantity in goods.items():
                if self.state.by_sku(sku) is None:
                    self.state.add_product(f"Thing {sku}", sku=sku, quantity=quantity)
                else:
                    self.state.set_quantity(sku, quantity)

    def shelf(self) -> dict[str, int]:
        """The salable quantity of what is counted by pieces."""
        rows = self.state.store.rows("SELECT sku FROM products WHERE type_id = 'simple' ORDER BY entity_id")
        return {row["sku"]: max(0, int(self.state.salable(row["sku"]))) for row in rows}

    def sold(self) -> dict[str, str]:
        """What the state says, and whether the money is there."""
        found = {}
        for row in self.state.store.rows("SELECT entity_id, state FROM orders ORDER BY entity_id"):
            sale = row["entity_id"]
            meaning = _MEANING.get(row["state"], "unpaid")
            if row["state"] == "processing" and self.state.order(sale)["total_due"] <= 0:
                meaning = "paid"
            found[str(sale)] = meaning
        return found

    def parcels(self, sale: str) -> list[str]:
        """Tracking numbers of the order's shipments."""
        rows = self.state.store.rows("SELECT doc FROM shipments WHERE order_id = ? ORDER BY entity_id", (int(sale),))
        return [track["track_number"] for row in rows for track in json.loads(row["doc"])["tracks"]]

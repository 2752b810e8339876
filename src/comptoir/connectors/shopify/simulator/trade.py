"""What buyers and merchants do in any shop, said in SKUs, done in this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comptoir.connectors.shopify.simulator.shop import Line

if TYPE_CHECKING:
    from comptoir.connectors.shopify.simulator.shop import Shop


class Trade:
    """`Simulator`'s neutral actions."""

    state: Shop

    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        """A paid order, or one whose payment is pending."""
        places = self._places()
        bought = [Line(places[sku], units) for sku, units in lines.items()]
        return str(self.state.place_order(bought, financial="PAID" if paid else "PENDING"))

    def pay(self, sale: str) -> None:
        """The payment is captured."""
        self.state.pay(int(sale))

    def cancel(self, sale: str) -> None:
        """Cancelled in the admin: the units are back on sale."""
        self.state.cancel(int(sale))

    def ship(self, sale: str, tracking: str) -> None:
        """Fulfilled in the admin."""
        self.state.ship_in_shop(int(sale), tracking)

    def stock(self, goods: Mapping[str, int]) -> None:
        """Type figures of the first location; what is not there is made, at 5.00."""
        places = self._places()
        with self.state.store.transaction():
            for sku, units in goods.items():
                if sku in places:
                    self.state.set_stock(places[sku], units)
                else:
                    self.state.add_product(f"Thing {sku}", [{"sku": sku, "price": "5.00", "quantity": units}])

    def shelf(self) -> dict[str, int]:
        """What is available at every active location, of what is counted."""
        store = self.state.store
        return {
            sku: max(0, self.state.available(variant))
            for sku, variant in self._places().items()
            if store.get("item", store.get("variant", variant)["item"])["tracked"]
        }

    def sold(self) -> dict[str, str]:
        """What is right of each order by its two statuses."""
        return {str(row["id"]): self._meaning(row) for row in self.state.store.all("order")}

    def parcels(self, sale: str) -> list[str]:
        """Tracking numbers of the order's fulfilments."""
        found = []
        for row in self.state.fulfillments(int(sale)):
            tracking = row["tracking"]
            found += [*([tracking["number"]] if tracking.get("number") else []), *tracking.get("numbers", ())]
        return found

    def _places(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in self.state.store.all("variant"):
            if row["sku"] and not row["parts"]:
                found.setdefault(row["sku"], row["id"])
        return found

    def _meaning(self, order: dict[str, object]) -> str:
        if order["cancelledAt"]:
            return "cancelled"
        if order["financial"] == "REFUNDED":
            return "refunded"
        if self.state.fulfilment(order) == "FULFILLED":
            return "shipped"
        return "paid" if order["financial"] in ("PAID", "PARTIALLY_REFUNDED") else "unpaid"

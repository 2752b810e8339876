"""What buyers and merchants do in any shop, said in SKUs, done in this one."""

from __future__ import annotations

from collections.abc import Mapping

from comptoir.connectors.woocommerce.simulator.state import Shop
from comptoir.connectors.woocommerce.simulator.store import Row

MEANING = {
    "pending": "unpaid",
    "on-hold": "unpaid",
    "failed": "unpaid",
    "processing": "paid",
    "completed": "shipped",
    "cancelled": "cancelled",
    "trash": "cancelled",
    "refunded": "refunded",
}


class Trade:
    """`Simulator`'s neutral actions."""

    state: Shop

    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        """A paid order, or one that waits for a bank transfer, its stock taken all the same."""
        places = self.state.by_sku()
        bought = [{**_place(places[sku]), "quantity": quantity} for sku, quantity in lines.items()]
        if paid:
            return str(self.state.place_order(bought))
        return str(self.state.place_order(bought, status="on-hold", payment_method="bacs"))

    def pay(self, sale: str) -> None:
        """The transfer arrives."""
        self.state.pay(int(sale))

    def cancel(self, sale: str) -> None:
        """Cancelled in the back office: the units are back on sale."""
        self.state.cancel(int(sale))

    def ship(self, sale: str, tracking: str) -> None:
        """Shipped in the back office."""
        self.state.ship_in_shop(int(sale), tracking)

    def stock(self, goods: Mapping[str, int]) -> None:
        """Type figures; what is not there is made, at 5.00. One that its product counts is typed there."""
        places = self.state.by_sku()
        with self.state.store.transaction():
            for sku, quantity in goods.items():
                if sku not in places:
                    self.state.add_product(f"Thing {sku}", sku=sku, price="5.00", quantity=quantity)
                    continue
                holder = self.state.counted_by(places[sku]) or places[sku]
                place = _place(holder)
                self.state.set_stock(place["product"], quantity, place.get("variation", 0))

    def shelf(self) -> dict[str, int]:
        """Figures of what is counted; variations that share their product's figure are told under their own SKUs."""
        found: dict[str, int] = {}
        for sku, row in self.state.by_sku().items():
            place = _place(row)
            figure = self.state.figure(place["product"], place.get("variation", 0))
            if figure is not None and not row["doc"]["virtual"]:
                found[sku] = max(0, figure)
        return found

    def sold(self) -> dict[str, str]:
        """What each order's status means, one of a plugin being none that is prepared; baskets that nobody placed are no sales."""
        rows = self.state.store.rows(
            "SELECT id, status FROM objects WHERE kind = 'order' AND status NOT IN ('checkout-draft', 'auto-draft') ORDER BY id"
        )
        return {str(row["id"]): MEANING.get(row["status"], "unpaid") for row in rows}

    def parcels(self, sale: str) -> list[str]:
        """Numbers in the order's parcels, as this shop keeps them: fulfillments, a plugin's list, notes to the customer."""
        order = int(sale)
        found = [
            str(meta["value"])
            for row in self.state.store.all("fulfillment", parent=order)
            for meta in row["doc"]["meta_data"]
            if meta["key"] == "_tracking_number"
        ]
        found += [one["tracking_number"] for one in self.state.trackings(order)]
        for note in self.state.store.all("note", parent=order):
            text = note["doc"]["note"]
            if note["doc"]["customer_note"] and ": " in text:
                found.append(text.rsplit(": ", 1)[1].split()[0])
        return list(dict.fromkeys(found))


def _place(row: Row) -> dict[str, int]:
    if row["kind"] == "variation":
        return {"product": row["parent"], "variation": row["id"]}
    return {"product": row["id"]}

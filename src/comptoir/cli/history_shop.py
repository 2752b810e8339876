"""The simulated shop of the played year: a fresh PrestaShop in this process, to which the retail year's events happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.channels import channel as channels
from comptoir.channels.http import HttpDoor
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.simulators.retail import records
from comptoir.simulators.retail.file import Kind

URL = "http://shop.example"


class RetailShop:
    """What the file's year looks like from inside the shop. Invoice numbers are the references of its orders."""

    def __init__(self, opens_at: datetime) -> None:
        self.simulator = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/London", currency="GBP")
        self.simulator.clock.set(opens_at)
        self._shop = self.simulator.state
        self._shop.configure("PS_ORDER_OUT_OF_STOCK", "1")  # it sells what is still to come
        self._products: dict[str, int] = {}  # by upper-case reference
        self._orders: dict[str, int] = {}  # by invoice
        self._buyers: dict[tuple[str | None, str], tuple[int, int]] = {}
        self.refunded: Counter[str] = Counter()  # units paid back, by invoice

    @contextmanager
    def doors(self) -> Iterator[None]:
        """While the block runs, every door out leads to this shop, without pace."""

        def maker(**options: Any) -> HttpDoor:
            return HttpDoor(**{**options, "pace": None, "simulator": self.simulator.wsgi, "allow_private": True})

        channels.set_up_doors(maker)
        try:
            yield
        finally:
            channels.set_up_doors(HttpDoor)

    def happen(self, events: Iterable[records.Event]) -> None:
        """Let events happen in their order; orders placed one after another go in together."""
        placed: list[records.OrderPlaced] = []
        for event in events:
            if isinstance(event, records.OrderPlaced):
                placed.append(event)
                continue
            self._place(placed)
            placed = []
            self.simulator.clock.set(event.at)
            match event:
                case records.ProductCreated(_, page):
                    self._make_page(page)
                case records.Paid(_, origin):
                    self._shop.pay(self._orders[origin])
                case records.OrderCancelled(_, _, origin, _):
                    self._shop.cancel(self._orders[origin])
                case records.Refund():
                    self._refund(event)
                case _:  # of the warehouse or of the books: the shop learns nothing of it
                    pass
        self._place(placed)

    def stock(self) -> dict[str, int]:
        """What the shop would still sell, by listing, of all goods."""
        rows = self._shop.store.rows(
            "SELECT s.id_product, s.quantity FROM stock_availables s JOIN products p ON p.id = s.id_product"
            " WHERE p.is_virtual = 0"
        )
        return {f"{row['id_product']}-0": int(row["quantity"]) for row in rows}

    def orders(self) -> set[str]:
        """The ids of all its orders."""
        return {str(row["id"]) for row in self._shop.store.rows("SELECT id FROM orders")}

    # -- goods ---------------------------------------------------------------------------------------------------------

    def _make_page(self, page: records.ProductPage) -> None:
        self._products[page.reference.upper()] = self._add_product(
            page.name, page.reference, price=page.price, virtual=page.is_virtual
        )

    def _add_product(self, name: str, reference: str, **fields: Any) -> int:
        return self._shop.add_product(name, reference=reference, tax_rules_group=0, **fields)

    # -- orders --------------------------------------------------------------------------------------------------------

    def _place(self, events: Sequence[records.OrderPlaced]) -> None:
        if not events:
            return
        self.simulator.clock.set(events[-1].at)
        # Somebody sold what has no page: as in shops where a product was deleted after it was sold.
        ghosts = {
            line.code.upper(): (line.code, line.description)
            for event in events
            for line in event.lines
            if line.code.upper() not in self._products
        }
        gone = {key: self._add_product(name or code, code) for key, (code, name) in ghosts.items()}
        known = self._products | gone
        ids = self._shop.place_orders(self._order(event, known) for event in events)
        self._orders.update(zip((event.invoice for event in events), ids, strict=True))
        for product in gone.values():
            self._shop.delete_product(product)

    def _order(self, event: records.OrderPlaced, known: dict[str, int]) -> dict[str, Any]:
        customer, address = self._buyer(event.customer, event.country, event.country_code)
        return {
            "lines": [
                {
                    "product": known[line.code.upper()],
                    "quantity": line.quantity,
                    "unit_price_tax_excl": line.unit_price,
                    "unit_price_tax_incl": line.unit_price,
                    "name": line.description or line.code,
                    "reference": line.code,
                }
                for line in event.lines
            ],
            "reference": event.invoice,
            "customer": customer,
            "address": address,
            "state": "PS_OS_PAYMENT" if event.is_paid else "PS_OS_BANKWIRE",
            "payment": "Card" if event.is_paid else "Bank wire",
            "module": "ps_checkout" if event.is_paid else "ps_wirepayment",
            "shipping": event.shipping,
            "discounts": event.discounts,
            "shipping_tax_rate": "0",
            "round_mode": event.round_mode,
            "round_type": event.round_type,
            "placed_at": event.at,
        }

    def _buyer(self, customer: str | None, country: str, code: str) -> tuple[int, int]:
        known = self._buyers.get((customer, code))
        if known is None:
            store = self._shop.store
            if store.value("SELECT id FROM countries WHERE iso_code = ?", (code,)) is None:
                store.insert("countries", id_zone=1, iso_code=code, active=1, contains_states=0, name=country)
            identity = self._shop.add_customer("Customer", customer or "Guest", f"{customer or 'guest'}@buyer.example")
            known = self._buyers[customer, code] = identity, self._shop.add_address(identity, country=code)
        return known

    def _refund(self, event: records.Refund) -> None:
        """A credit slip for the lines of one order; carriage that the shop billed as such is paid back as such."""
        order = self._orders[event.origin]
        sold = [_Sold.of(row) for row in self._shop.details(order)]
        slip: Counter[int] = Counter()
        carriage = Decimal(0)
        for line in event.lines:
            of_code = [one for one in sold if one.code == line.code.upper()]
            if line.kind is Kind.POSTAGE and not of_code:
                carriage += line.quantity * line.unit_price
                continue
            for detail, units in _take_back(of_code, line):
                slip[detail] += units
        self._shop.refund_lines(order, slip, shipping=carriage)
        self.refunded[event.origin] += slip.total()


@dataclass(slots=True)
class _Sold:
    """A line of an order in the shop, and the units of it that were not paid back yet."""

    detail: int
    code: str
    price: Decimal
    left: int

    @staticmethod
    def of(row: dict[str, Any]) -> _Sold:
        left = row["product_quantity"] - row["product_quantity_refunded"]
        return _Sold(row["id"], row["product_reference"].upper(), Decimal(row["unit_price_tax_incl"]), left)


def _take_back(sold: Sequence[_Sold], line: records.Line) -> Iterator[tuple[int, int]]:
    """The lines that a credited one is taken from: of its price, else dearer ones, else whatever of the code is left."""
    same = [one for one in sold if one.price == line.unit_price]
    dearer = [one for one in sold if one.price > line.unit_price]
    wanted = line.quantity
    for candidates in (same, dearer, sold):
        if sum(one.left for one in candidates) < wanted:
            continue
        # One line with exactly as many units is the likeliest; then one with more; then several.
        for one in sorted(candidates, key=lambda one: (one.left != wanted, one.left < wanted)):
            units = min(one.left, wanted)
            if units:
                one.left -= units
                wanted -= units
                yield one.detail, units
        return
    raise LookupError(f"{line.quantity} {line.code} are paid back, but fewer are left")

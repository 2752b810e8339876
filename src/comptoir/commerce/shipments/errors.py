"""What shipments refuse, each with its facts.

Conflict
├── NotReserved     only what is reserved in a warehouse may be shipped from it
├── NothingToShip   nothing of the order is reserved
└── KeyTaken        the caller's key belongs to a shipment of another order
"""

from __future__ import annotations

from decimal import Decimal

from comptoir.kit.errors import Conflict


class NotReserved(Conflict):
    """`asked` is more than the `reserved` units of a line of order `number` in that warehouse."""

    def __init__(self, number: str, line: str, warehouse: int, asked: Decimal, reserved: Decimal) -> None:
        super().__init__(
            f"order {number}, {line}: {asked} asked, {reserved} reserved in that warehouse",
            number=number,
            line=line,
            warehouse=warehouse,
            asked=str(asked),
            reserved=str(reserved),
        )
        self.number, self.line, self.warehouse, self.asked, self.reserved = number, line, warehouse, asked, reserved


class NothingToShip(Conflict):
    """Nothing of order `number` can leave."""

    def __init__(self, number: str) -> None:
        super().__init__(f"nothing of order {number} can leave", number=number)
        self.number = number


class KeyTaken(Conflict):
    """`key` is known: it belongs to shipment `shipment` of another order."""

    def __init__(self, key: str, shipment: str) -> None:
        super().__init__(f"the key {key} belongs to shipment {shipment}", key=key, shipment=shipment)
        self.key, self.shipment = key, shipment

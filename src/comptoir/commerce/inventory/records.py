"""What the actions of inventory take and give: frozen, with ids of ours and quantities as Decimal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that came in."""

    variant: int
    warehouse: int
    quantity: Decimal
    reference: str  # the same twice is one movement
    supplier: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Demand:
    """What an order line wants. `warehouses` are where it may be served from, best first."""

    line: int
    order: int
    variant: int
    quantity: Decimal
    warehouses: tuple[int, ...]
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class HoldWanted:
    """What a sale that is not accepted yet sets aside. `scope` None: everywhere; else only at that selling point."""

    source: str  # "3:1042" channel:external id
    variant: int
    quantity: Decimal
    warehouses: tuple[int, ...]
    scope: int | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Pick:
    """Units of one order line that leave one warehouse."""

    line: int
    variant: int
    warehouse: int
    quantity: Decimal
    reference: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that has happened to goods, whatever we thought was there. `delta` is what came (+) or went (-)."""

    variant: int
    warehouse: int
    delta: Decimal
    reason: str  # models.Reason
    reference: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What was found on the shelf."""

    variant: int
    warehouse: int
    counted: Decimal
    reference: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units that went from one warehouse to another."""

    variant: int
    from_warehouse: int
    to_warehouse: int
    quantity: Decimal
    reference: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Units promised to a line that turned out not to be there, and could not be promised from elsewhere."""

    line: int
    order: int
    variant: int
    quantity: Decimal
    was_picked: bool = False  # no unpicked promise was left to take


@dataclass(frozen=True, slots=True)
class Gap:
    """Units that nobody knew of: booked in as a difference, so that a fact could be booked out."""

    variant: int
    warehouse: int
    quantity: Decimal
    reference: str  # of the fact


@dataclass(frozen=True, slots=True)
class Filled:
    """Units given to a line that waited for them."""

    line: int
    order: int
    variant: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of movements. Callers make findings of `taken_back` and `gaps`."""

    booked: tuple[str, ...] = ()  # references booked now
    repeated: tuple[str, ...] = ()  # references that were known already: ignored
    filled: tuple[Filled, ...] = ()
    taken_back: tuple[TakenBack, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """The kept figures of one variant in one warehouse."""

    variant: int
    warehouse: int
    on_hand: Decimal
    reserved: Decimal
    held: Decimal

    @property
    def available(self) -> Decimal:
        """What may still be promised; below zero where more is held than there is."""
        return self.on_hand - self.reserved - self.held


@dataclass(frozen=True, slots=True)
class LineStanding:
    """How a line stands: what is reserved for it and where, and what it waits for."""

    order: int
    variant: int
    reserved: Mapping[int, Decimal] = field(default_factory=dict)  # warehouse -> quantity
    picked: frozenset[int] = frozenset()  # warehouses whose share is in a basket
    backordered: Decimal = Decimal(0)

    @property
    def reserved_total(self) -> Decimal:
        """Reserved in all warehouses."""
        return sum(self.reserved.values(), Decimal(0))

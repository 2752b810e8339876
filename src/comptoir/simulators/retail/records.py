"""What the player of the retail year hands out: pages, orders, payments, credits and deliveries, as plain data."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from comptoir.simulators.retail.file import Kind

CURRENCY = "GBP"

#: PrestaShop's numbers for "half up" and "round the total": the only pair that adds up to the invoices of the file.
ROUND_MODE, ROUND_TYPE = 2, 3


@dataclass(frozen=True, slots=True)
class ProductPage:
    """One product of the shop. Codes that differ only in case are one product, spelled as first seen."""

    reference: str
    name: str
    price: Decimal  # the most usual unit price, 0 if it was never sold for money
    kind: Kind
    created_at: datetime
    opening: int  # units that arrive with the page

    @property
    def is_virtual(self) -> bool:
        return self.kind is not Kind.GOODS


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the shop shows it. `code` is spelled as sold; `page` is the product's reference, None without a page."""

    code: str
    description: str
    quantity: int
    unit_price: Decimal  # six decimals; the file knows no tax, so tax included and excluded are the same
    kind: Kind
    page: str | None


@dataclass(frozen=True, slots=True)
class ProductCreated:
    at: datetime
    page: ProductPage


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    at: datetime
    invoice: str
    customer: str | None  # None: a guest
    country: str  # as printed in the file
    country_code: str  # the shop's own where the file names none
    lines: tuple[Line, ...]
    shipping: Decimal
    discounts: Decimal  # positive, taken off
    total: Decimal
    is_paid: bool  # False: awaits a bank wire
    round_mode: int = ROUND_MODE
    round_type: int = ROUND_TYPE


@dataclass(frozen=True, slots=True)
class Paid:
    at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """A whole order withdrawn before it left the house."""

    at: datetime
    document: str
    origin: str
    amount: Decimal  # negative, as in the file


@dataclass(frozen=True, slots=True)
class Refund:
    """The part of a cancellation invoice that pays back one order. Lines have positive quantities; no goods return."""

    at: datetime
    reference: str  # document and origin: one document may pay back several orders
    document: str
    origin: str
    lines: tuple[Line, ...]
    amount: Decimal  # positive


@dataclass(frozen=True, slots=True)
class CancellationWithoutOrigin:
    """Lines of a cancellation invoice for which the file holds no order; a person has to find out."""

    at: datetime
    document: str
    customer: str | None
    country: str
    country_code: str
    lines: tuple[Line, ...]  # quantities as in the file: negative
    amount: Decimal  # negative


@dataclass(frozen=True, slots=True)
class StockCorrected:
    """Goods written off (negative) or found (positive): a physical fact of the warehouse, not a sale."""

    at: datetime
    reference: str
    code: str
    page: str
    quantity: int
    note: str
    happened_at: datetime  # earlier than `at` when the product had no page yet


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that a rule leaves out: counted, never shown to the shop."""

    at: datetime
    document: str
    reason: str  # charge, empty, bad_debt or no_page
    lines: int
    amount: Decimal


Event = (
    ProductCreated | OrderPlaced | Paid | OrderCancelled | Refund | CancellationWithoutOrigin | StockCorrected | Skipped
)


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day: what the file says of it, and the shop's events in the order of time."""

    date: date
    lines: int
    invoices: int
    amount: Decimal
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods that arrive at the warehouse."""

    at: datetime
    reference: str
    is_opening: bool
    units: dict[str, int]  # by the product's reference

"""What orders are made of on the way in, and what placing and following answer. Plain, frozen, no ids of ours but the
variant's and the warehouses'; addresses and buyers are the neutral records' JSON, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from comptoir.kit.errors import ComptoirError

ZERO = Decimal(0)


class Intake(StrEnum):
    """How a sale comes in: the import rule of its external status."""

    VALID = "valid"  #: processing; reserves what is there, the rest is backordered
    INVOICE = "invoice"  #: as valid, and an invoice is wanted
    CANCEL = "cancel"  #: comes in cancelled; reserves nothing
    HOLD = "hold"  #: on hold; reserves
    COMPLETE = "complete"  #: has left: one movement per line; refused if any line lacks available units
    HISTORY = "history"  #: has left long ago: complete without movement


class Severity(StrEnum):
    """Who acts on a finding."""

    INFO = "info"  #: nobody: a rule applied
    RETRY = "retry"  #: the hub, by itself
    ERROR = "error"  #: a person


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """One line as sold. `variant` may be an alias (its master is served) or a kit (its parts are)."""

    name: str
    quantity: Decimal
    unit_price: Decimal
    total: Decimal  # with tax, after its own discount
    kind: str = "goods"  # goods, kit, service, gift_card, text
    variant: int | None = None
    external_id: str = ""
    listing: str = ""  # what the channel calls what was sold
    sku: str = ""  # as sold
    tax_rate: Decimal | None = None
    tax: Decimal | None = None
    discount: Decimal = ZERO
    refunded: Decimal = ZERO  # quantity given back so far, by the channel's account


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """Something for the order as a whole; discounts are negative."""

    kind: str  # shipping, fee, wrapping, tip, discount, rounding
    amount: Decimal
    name: str = ""
    tax: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment:
    """Money received."""

    method: str
    amount: Decimal
    label: str = ""
    reference: str = ""
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A sale ready to become an order. Without `channel` it is one of our own and always new."""

    intake: Intake
    currency: str
    total: Decimal
    placed_at: datetime
    lines: tuple[NewLine, ...]
    warehouses: tuple[int, ...] = ()  # may be served from, in this order
    channel: int | None = None
    external_id: str | None = None
    external_number: str = ""
    external_status: str = ""
    meaning: str = ""  # external.Meaning of that status
    selling_point: int | None = None
    number: str = ""  # keep the channel's own; empty: the next of ours
    rate: Decimal = Decimal(1)
    total_tax: Decimal | None = None
    charges: tuple[NewCharge, ...] = ()
    payments: tuple[NewPayment, ...] = ()
    carrier: str = ""
    carrier_name: str = ""
    payment_name: str = ""
    buyer: Mapping[str, Any] = field(default_factory=dict)
    billing: Mapping[str, Any] | None = None
    shipping: Mapping[str, Any] | None = None
    pickup_point: str = ""
    note: str = ""
    invoice_wanted: bool = False
    hold_reason: str = ""
    releases: tuple[str, ...] = ()  # sources of the holds that this order's reservations take over


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one sale. A refused one has no order, and nothing of it was written; the others went on."""

    channel: int | None
    external_id: str | None
    order: int | None
    number: str
    status: str
    created: bool
    reserved: Decimal = ZERO
    backordered: Decimal = ZERO
    refusal: ComptoirError | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody should read: `subject` is "order:12"; the words are the web's."""

    code: str
    severity: Severity
    subject: str
    facts: Mapping[str, Any]

"""What every channel talks about, in our words: frozen, typed, money as Decimal with the currency of its record.

Connectors map their shapes to these and back; nothing above a connector ever sees a field name of a shop. Times are
aware UTC. External ids are the channel's own, as text. `to_text` and `sale_from_text` keep a sale in a staging row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")


class LineKind(StrEnum):
    """What a line of a sale is; only goods reserve stock."""

    GOODS = "goods"  #: something stocked and sent
    KIT = "kit"  #: several variants sold as one; its parts reserve
    SERVICE = "service"  #: a service or a download: nothing leaves a shelf
    GIFT_CARD = "gift_card"  #: a gift card sold; a gift card used is a payment
    TEXT = "text"  #: free text without a listing


class ChargeKind(StrEnum):
    """What is added to or taken off a sale as a whole."""

    SHIPPING = "shipping"  #: carriage
    FEE = "fee"  #: payment or handling fee
    WRAPPING = "wrapping"  #: gift wrapping
    TIP = "tip"  #: for the driver or the staff
    DISCOUNT = "discount"  #: a voucher or rebate on the whole sale; its amount is negative
    ROUNDING = "rounding"  #: what the channel's own rounding explains


class SaleState(StrEnum):
    """What the channel's status means, as the connector reads it from the channel's own flags; a mapping may override it."""

    UNPAID = "unpaid"  #: placed, not paid or not valid yet
    PAID = "paid"  #: may be prepared
    SHIPPED = "shipped"  #: everything has left, by the channel's own account
    CANCELLED = "cancelled"  #: will not be fulfilled
    REFUNDED = "refunded"  #: money given back in full
    UNKNOWN = "unknown"  #: a status of the merchant's own whose flags say nothing


class Rounding(StrEnum):
    """Where the channel rounds: which differences between lines and total it can explain."""

    UNIT = "unit"  #: each unit price is rounded, then multiplied
    LINE = "line"  #: each line is rounded
    TOTAL = "total"  #: only the sum is rounded


class Address(Struct, frozen=True, kw_only=True):
    """Where something goes. `country` is ISO 3166 alpha-2, empty where the channel does not say."""

    name: str = ""
    company: str = ""
    lines: tuple[str, ...] = ()
    postcode: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    phone: str = ""
    vat_number: str = ""


class Buyer(Struct, frozen=True, kw_only=True):
    """Who bought; `external_id` is the channel's customer id."""

    external_id: str = ""
    name: str = ""
    email: str = ""
    company: str = ""


class SaleLine(Struct, frozen=True, kw_only=True):
    """One line. `total` is what the line costs including tax after its own discount, unrounded as the channel states it;
    `unit_price` includes tax too. `listing` is the external id of what was sold, as the channel's products name it."""

    external_id: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    total: Decimal
    kind: LineKind = LineKind.GOODS
    listing: str = ""
    sku: str = ""
    barcode: str = ""
    tax_rate: Decimal | None = None  # percent
    tax: Decimal | None = None  # amount within `total`
    discount: Decimal = Decimal(0)  # already taken off `total`
    refunded: Decimal = Decimal(0)  # quantity given back so far, by the channel's account


class Charge(Struct, frozen=True, kw_only=True):
    """Something for the sale as a whole, including tax; discounts are negative."""

    kind: ChargeKind
    amount: Decimal
    name: str = ""
    tax: Decimal | None = None


class Payment(Struct, frozen=True, kw_only=True):
    """Money received. `method` is the channel's own key of the method."""

    method: str
    amount: Decimal
    label: str = ""
    reference: str = ""
    paid_at: datetime | None = None


class Sale(Struct, frozen=True, kw_only=True):
    """What a channel reports that somebody bought. `total` includes tax, as the channel states it, and is the truth."""

    external_id: str
    number: str  # what the customer and the shop's screen call it
    status: str  # external id of the channel's status
    state: SaleState
    placed_at: datetime
    changed_at: datetime
    currency: str  # ISO 4217
    total: Decimal
    lines: tuple[SaleLine, ...]
    charges: tuple[Charge, ...] = ()
    payments: tuple[Payment, ...] = ()
    status_name: str = ""
    rate: Decimal = Decimal(1)  # the channel's stated rate from its base currency to `currency`
    rounding: Rounding = Rounding.LINE
    total_tax: Decimal | None = None
    selling_point: str = ""  # external id of the shop, location or till it was made at
    carrier: str = ""  # stable external id of the carrier or method
    carrier_name: str = ""
    payment_method: str = ""
    payment_name: str = ""
    billing: Address | None = None
    shipping: Address | None = None
    buyer: Buyer = Buyer()
    pickup_point: str = ""
    note: str = ""
    group: str = ""  # what split sales of one checkout share, if anything
    takes_stock: bool = True  # whether the channel has already taken these units off its own figure
    shipped_lines: dict[str, Decimal] = {}  # line external id -> quantity shipped there, where the channel says so
    tracking: tuple[str, ...] = ()
    origin: str = ""  # external id of the sale that this one cancels or refunds, "?" where it has none


class Image(Struct, frozen=True, kw_only=True):
    """A picture at the channel; `ref` is what the connector fetches it by."""

    ref: str
    position: int = 0


class Price(Struct, frozen=True, kw_only=True):
    """A base price; six decimals are kept."""

    amount: Decimal
    currency: str
    tax_included: bool


class ListingPart(Struct, frozen=True, kw_only=True):
    """A part of a pack, by its listing id at the same channel."""

    listing: str
    quantity: Decimal


class Listing(Struct, frozen=True, kw_only=True):
    """What can be bought: a simple product or one combination. `external_id` is unique in the channel."""

    external_id: str
    sku: str = ""
    barcodes: tuple[str, ...] = ()
    options: dict[str, str] = {}  # {"Size": "M"}
    price: Price | None = None
    cost: Decimal | None = None
    weight: Decimal | None = None  # kilograms
    enabled: bool = True
    images: tuple[str, ...] = ()  # refs
    parts: tuple[ListingPart, ...] = ()  # of a pack
    stock_computed: bool = False  # the channel computes its stock from the parts: never pushed
    stocked: bool = True  # False for services and downloads
    unit: str = "piece"
    tax_class: str = ""
    supplier_code: str = ""
    mpn: str = ""


class Product(Struct, frozen=True, kw_only=True):
    """A product page with its listings: one for a simple product, one per combination otherwise."""

    external_id: str
    name: str
    listings: tuple[Listing, ...]
    changed_at: datetime | None = None
    description: str = ""
    brand: str = ""
    categories: tuple[tuple[str, ...], ...] = ()  # each a path of names from the root
    page_url: str = ""
    images: tuple[Image, ...] = ()
    names: dict[str, str] = {}  # other languages: {"fr": "…"}
    custom: dict[str, Any] = {}
    enabled: bool = True


class StockFigure(Struct, frozen=True, kw_only=True):
    """A figure read at a channel. `ref` is what `set_levels` writes it by."""

    listing: str
    selling_point: str
    quantity: Decimal
    ref: str


class LevelToTell(Struct, frozen=True, kw_only=True):
    """An absolute level to write. `expected` is what we believe is there, for channels that compare before they set."""

    offer: int  # ours: comes back in the answer
    listing: str
    selling_point: str
    ref: str
    level: Decimal
    expected: Decimal | None = None


class PriceFigure(Struct, frozen=True, kw_only=True):
    """A base price as it stands at the channel: what a listing costs before discounts. `tax_class` is the channel's own, and
    `tax_rate` what it charges by it, in percent, where it says so."""

    listing: str
    selling_point: str
    amount: Decimal
    currency: str
    tax_included: bool
    tax_class: str = ""
    tax_rate: Decimal | None = None


class PriceToTell(Struct, frozen=True, kw_only=True):
    """A base price to write, in the channel's currency and with or without tax as its own prices are; six decimals."""

    offer: int  # ours: comes back in the answer
    listing: str
    selling_point: str
    amount: Decimal


class Supplier(Struct, frozen=True, kw_only=True):
    """Somebody the channel buys from."""

    external_id: str
    name: str
    enabled: bool = True
    email: str = ""
    currency: str = ""


class SupplierListing(Struct, frozen=True, kw_only=True):
    """What a supplier calls and charges for listings of the channel. `price` is of one unit, without tax; None: not said."""

    external_id: str  # of the channel's row
    supplier: str  # external id
    listings: tuple[str, ...]  # one row may stand for every combination of a product
    reference: str = ""
    price: Decimal | None = None
    currency: str = ""
    is_default: bool = False  # the channel buys it there unless somebody says otherwise


class Fate(StrEnum):
    """What became of one item of a batch."""

    DONE = "done"  #: written, or found to be so already
    REFUSED = "refused"  #: they said no to this one
    UNKNOWN = "unknown"  #: the answer was lost: it stays waiting and what was told is unknown
    CONFLICT = "conflict"  #: the compared value differed: compute again, never resend


class Answer(Struct, frozen=True, kw_only=True):
    """The fate of one item of a batch; `reason` is theirs, for the finding. `ref` may correct a stale one."""

    item: int
    fate: Fate
    reason: str = ""
    ref: str = ""


class ParcelLine(Struct, frozen=True, kw_only=True):
    """So much of one line of the sale is in this parcel."""

    line: str  # external id of the sale's line
    quantity: Decimal


class Parcel(Struct, frozen=True, kw_only=True):
    """Something that left for one sale. `completes` is true when nothing more of the sale will leave."""

    sale: str  # external id
    key: str  # ours, unique per parcel: an idempotency key where the channel takes one
    carrier: str
    carrier_name: str
    tracking: str
    tracking_url: str
    shipped_at: datetime
    lines: tuple[ParcelLine, ...]
    completes: bool
    all_tracking: tuple[str, ...] = ()  # of every parcel of this sale so far, oldest first


class Status(Struct, frozen=True, kw_only=True):
    """A status of the channel and what its flags say."""

    external_id: str
    name: str
    state: SaleState


class Named(Struct, frozen=True, kw_only=True):
    """A carrier, payment method, tax class or language of the channel. `external_id` is the stable one."""

    external_id: str
    name: str


class TaxClass(Struct, frozen=True, kw_only=True):
    """A tax class of the channel's products. `rate` is what the channel charges by it in its own country, in percent, where
    it says so."""

    external_id: str
    name: str
    rate: Decimal | None = None


class Subscription(Struct, frozen=True, kw_only=True):
    """A topic that the channel delivers to an address. Not `active`: switched off there, by a person or after failures."""

    external_id: str
    topic: str
    active: bool = True


class Point(Struct, frozen=True, kw_only=True):
    """A place at the channel that holds a stock figure: a shop, a location, a source, a till."""

    external_id: str
    name: str
    currency: str = ""
    figure: str = ""  # what its figure means (connector.Figure) where that differs from the card's


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a connection test finds: who they are, what we may do, what there is to map."""

    name: str
    version: str
    timezone: str  # IANA
    currency: str
    points: tuple[Point, ...]
    statuses: tuple[Status, ...]
    carriers: tuple[Named, ...]
    payment_methods: tuple[Named, ...] = ()
    missing_rights: tuple[str, ...] = ()  # "order_histories: POST"
    warnings: tuple[str, ...] = ()  # codes of findings
    clock_skew: float | None = None  # seconds their clock is ahead of ours
    languages: tuple[Named, ...] = ()
    tax_classes: tuple[TaxClass, ...] = ()
    identity: str = ""  # what tells this shop from any other; empty: its address does


class Odd(Struct, frozen=True, kw_only=True):
    """Something untidy met while reading, to become a finding: what, where, and the facts for its words."""

    code: str  # "product_without_sku", "malformed_sale", …
    subject: str  # "product:12", "sale:991"
    severity: str = "error"  # info, retry, error
    facts: dict[str, Any] = {}


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a reading. `cursor` is where to go on after it is safely kept; `seen` are the ids on the wire, with
    those that could not be read (each of which has its Odd)."""

    items: Sequence[T]
    cursor: dict[str, Any]
    seen: tuple[str, ...]
    odd: tuple[Odd, ...] = ()
    raw: dict[str, str] = {}  # external id -> the answer as received, for staging
    total: int | None = None  # how many there are in all, where the channel says so


def to_json(record: Struct) -> dict[str, Any]:
    """A record as plain JSON values (Decimal and time as text)."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain


def to_text(record: Struct) -> str:
    """A record as JSON text, for a jsonb column."""
    return msgspec.json.encode(record).decode()


R = TypeVar("R", bound=Struct)
_ZERO = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def keepable(record: R) -> R:
    """A record without zero characters, which JSON and shops allow and PostgreSQL has no room for: each becomes the sign for
    what cannot be shown."""
    text = msgspec.json.encode(record)
    if b"\\u0000" not in text:
        return record
    return msgspec.json.decode(_ZERO.sub(rb"\1\\ufffd", text), type=type(record))


def sale_from_json(content: dict[str, Any]) -> Sale:
    """A sale from its plain JSON values."""
    return msgspec.convert(content, Sale)


_sales = msgspec.json.Decoder(Sale)


def sale_from_text(text: str) -> Sale:
    """A sale from what `to_text` made of it."""
    return _sales.decode(text)

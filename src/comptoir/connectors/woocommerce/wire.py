"""Their shapes, typed: what we need of a product, a variation, an order. Amounts come as text, or as numbers from plugins."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from comptoir.channels.errors import NotUnderstood

T = TypeVar("T")

Amount = str | int | float | None
Text = str | int | float | None  # plugins write a postcode or a telephone number as a number
#: Where JSON may begin behind a notice: at a line of its own, or after a tag. Inside the JSON nothing looks so, which matters
#: where it is cut off: a piece of an object is not to be taken for the whole.
_BEGINNING = re.compile(r"(?:^|[\n>\ufeff])[ \t]*([\[{])")
_MOST_JUNK = 100_000  # characters
_MOST_DIGITS = 15  # before the point: more is no amount of any shop, and more than our decimals hold


class Identity(Struct):
    """What every object has."""

    id: int


class Meta(Struct):
    """A field of a plugin."""

    key: str = ""
    value: Any = None


class Picture(Struct):
    """An image; `src` is its address."""

    id: int = 0
    src: str = ""


class Attribute(Struct):
    """What a variation is chosen by; an empty option means any."""

    name: str = ""
    option: str | None = ""


class NamedThing(Struct):
    """A category, brand or the like."""

    id: int = 0
    name: str = ""


class Category(Struct):
    """A category as its own list has it."""

    id: int
    name: str = ""
    parent: int = 0


class Sellable(Struct):
    """What products and variations have in common."""

    id: int
    status: str = ""
    sku: str | None = ""
    global_unique_id: str | None = ""
    regular_price: Amount = ""
    tax_status: str = "taxable"
    tax_class: str | None = ""
    manage_stock: bool | str = False  # a variation's may be "parent"
    stock_quantity: Amount = None
    weight: Amount = ""
    virtual: bool = False

    @property
    def counts_itself(self) -> bool:
        return self.manage_stock in (True, "yes", "1", "true")

    @property
    def counted_by_parent(self) -> bool:
        return self.manage_stock == "parent"


class Product(Sellable):
    """A product."""

    name: str = ""
    permalink: str = ""
    type: str = "simple"
    description: str = ""
    short_description: str = ""
    date_modified_gmt: str | None = None
    categories: list[NamedThing] | None = None
    brands: list[NamedThing] | None = None
    images: list[Picture] | None = None
    variations: list[int] | None = None

    @property
    def is_variable(self) -> bool:
        return self.type.startswith("variable")


class Variation(Sellable):
    """A variation of a variable product."""

    image: Picture | list[Any] | None = None  # an empty list is how PHP writes no object
    attributes: list[Attribute] | None = None


class Address(Struct):
    """Billing or shipping."""

    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    address_1: Text = ""
    address_2: Text = ""
    city: Text = ""
    state: Text = ""
    postcode: Text = ""
    country: Text = ""
    email: Text = ""
    phone: Text = ""


class OrderLine(Struct):
    """A line: totals without tax, after coupons; `sku` is the product's of now, and null once that is deleted."""

    id: int
    name: str | None = ""
    product_id: int | None = 0
    variation_id: int | None = 0
    quantity: Amount = None
    subtotal: Amount = None
    subtotal_tax: Amount = None
    total: Amount = None
    total_tax: Amount = None
    sku: str | None = ""
    global_unique_id: str | None = ""
    meta_data: list[Meta] | None = None


class Charge(Struct):
    """Shipping or a fee, without tax."""

    id: int = 0
    name: str | None = ""
    method_id: str | None = ""
    method_title: str | None = ""
    instance_id: str | int | None = ""
    total: Amount = None
    total_tax: Amount = None


class Order(Struct):
    """An order."""

    id: int
    status: str
    currency: str = ""
    number: str | int | None = ""
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    total: Amount = None
    total_tax: Amount = None
    customer_id: int | None = 0
    customer_note: str | None = ""
    billing: Address | list[Any] | None = None
    shipping: Address | list[Any] | None = None
    payment_method: str | None = ""
    payment_method_title: str | None = ""
    transaction_id: str | None = ""
    line_items: list[OrderLine] | None = None
    shipping_lines: list[Charge] | None = None
    fee_lines: list[Charge] | None = None
    refunds: list[Identity] | None = None
    meta_data: list[Meta] | None = None


class Refund(Struct):
    """Money given back, with the units that it was for: negative quantities."""

    id: int
    line_items: list[OrderLine] | None = None


class BatchItem(Struct):
    """One object of a batch's answer: saved, or refused by itself."""

    id: int = 0
    error: dict[str, Any] | None = None


class BatchAnswer(Struct):
    """A batch's answer, each object as it came."""

    update: list[Raw] | None = None


class Setting(Struct):
    """One setting of the shop."""

    id: str
    value: Any = ""


class Webhook(Struct):
    """A webhook of the shop."""

    id: int
    status: str = ""
    topic: str = ""
    delivery_url: str = ""


class Rate(Struct):
    """A rate of tax."""

    country: str | None = ""
    state: str | None = ""
    postcode: str | None = ""
    city: str | None = ""
    rate: Amount = None
    priority: int = 1


def document(body: bytes) -> tuple[list[Raw] | Raw, str]:
    """The JSON of an answer, a list in its pieces, and what PHP said in front of or behind it. Raises NotUnderstood."""
    try:
        return _pieces(body), ""
    except msgspec.DecodeError:
        pass
    text = body.decode("utf-8", "replace")
    for start in [found.start(1) for found in _BEGINNING.finditer(text, 0, _MOST_JUNK)]:
        try:
            _, end = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            continue
        front, behind = text[:start], text[end:].strip()
        if "<html" not in front.lower() and (not behind or behind.startswith("<")):
            return _pieces(text[start:end].encode()), (front + behind).strip()
    hint = {"hint": "html"} if "<html" in text.lower() else {}
    raise NotUnderstood("the answer is no JSON", answer=text[:2_000], **hint)


def _pieces(body: bytes) -> list[Raw] | Raw:
    if body.lstrip()[:1] == b"[":
        return msgspec.json.decode(body, type=list[Raw])
    msgspec.json.decode(body)  # a Raw is not looked into
    return Raw(body)


def typed(kind: type[T], raw: Raw | bytes) -> T:
    """One object; raises NotUnderstood where something we need makes no sense."""
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except msgspec.DecodeError as error:
        text = bytes(raw)[:2_000].decode("utf-8", "replace")
        raise NotUnderstood(f"{kind.__name__}: {error}", answer=text) from error


def identities(rows: Sequence[Raw]) -> list[int]:
    """Their ids; raises NotUnderstood for a row without one."""
    return [typed(Identity, row).id for row in rows]


def decimal(value: Amount, field: str) -> Decimal | None:
    """An amount or quantity, exact as it was written; None where there is none. Raises NotUnderstood naming the field."""
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise NotUnderstood(f"{field}: {value!r} is no number", field=field, answer=str(value)) from error
    if not found.is_finite() or found.adjusted() > _MOST_DIGITS:
        raise NotUnderstood(f"{field}: {value!r} is no number", field=field, answer=str(value))
    return found


def moment(stamp: str | None, field: str) -> datetime:
    """A GMT stamp without a zone as UTC; raises NotUnderstood for anything else."""
    found = moment_or_none(stamp, field)
    if found is None:
        raise NotUnderstood(f"{field} is missing", field=field, answer="")
    return found


def moment_or_none(stamp: str | None, field: str) -> datetime | None:
    """The same, where there need not be one."""
    if not stamp:
        return None
    try:
        found = datetime.fromisoformat(stamp)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"{field}: {stamp!r} is not a time", field=field, answer=stamp) from error

"""The shapes of Shopify's answers, in its own names, and its global ids. A field without default is one that we need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from comptoir.channels.errors import NotUnderstood

T = TypeVar("T")


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an answer holds; names as theirs."""


class Nodes(Shape, Generic[T], frozen=True, kw_only=True):
    nodes: tuple[T, ...] = ()


class Numbered(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str


class Identified(Shape, frozen=True, kw_only=True):
    id: str


class Amount(Shape, frozen=True, kw_only=True):
    amount: Decimal


class Bag(Shape, frozen=True, kw_only=True):
    shop_money: Amount


class Place(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    name: str = ""
    is_active: bool = True
    fulfills_online_orders: bool = False


class Shop(Shape, frozen=True, kw_only=True):
    name: str
    myshopify_domain: str
    currency_code: str
    iana_timezone: str
    taxes_included: bool
    url: str = ""


# -- products ------------------------------------------------------------------------------------------------------------


class Option(Shape, frozen=True, kw_only=True):
    name: str
    value: str


class Picture(Shape, frozen=True, kw_only=True):
    url: str


class Media(Shape, frozen=True, kw_only=True):
    id: str = ""
    image: Picture | None = None


class Weight(Shape, frozen=True, kw_only=True):
    value: Decimal
    unit: str


class Measurement(Shape, frozen=True, kw_only=True):
    weight: Weight | None = None


class Item(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    tracked: bool = True
    requires_shipping: bool = True
    unit_cost: Amount | None = None
    measurement: Measurement | None = None


class Part(Shape, frozen=True, kw_only=True):
    quantity: int
    product_variant: Numbered


class Variant(Shape, frozen=True, kw_only=True):
    id: str
    legacy_resource_id: str
    inventory_item: Item
    price: Decimal
    sku: str | None = None
    barcode: str | None = None
    title: str = ""
    taxable: bool = True
    requires_components: bool = False
    selected_options: tuple[Option, ...] = ()
    media: Nodes[Media] = Nodes()
    product_variant_components: Nodes[Part] = Nodes()


class Category(Shape, frozen=True, kw_only=True):
    full_name: str


class Product(Shape, frozen=True, kw_only=True):
    id: str
    legacy_resource_id: str
    title: str
    status: str
    updated_at: datetime
    vendor: str = ""
    product_type: str = ""
    description_html: str = ""
    handle: str = ""
    is_gift_card: bool = False
    has_only_default_variant: bool = False
    online_store_url: str | None = None
    category: Category | None = None
    media: Nodes[Media] = Nodes()
    variants: Nodes[Variant] = Nodes()


# -- orders --------------------------------------------------------------------------------------------------------------


class Tax(Shape, frozen=True, kw_only=True):
    price_set: Bag
    title: str = ""
    rate: Decimal | None = None


class Allocation(Shape, frozen=True, kw_only=True):
    allocated_amount_set: Bag


class SoldVariant(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    barcode: str | None = None


class Line(Shape, frozen=True, kw_only=True):
    id: str
    title: str
    quantity: int
    current_quantity: int
    original_unit_price_set: Bag
    variant_title: str | None = None
    sku: str | None = None
    requires_shipping: bool = True
    is_gift_card: bool = False
    variant: SoldVariant | None = None
    product: Numbered | None = None
    discount_allocations: tuple[Allocation, ...] = ()
    tax_lines: tuple[Tax, ...] = ()


class LineUnits(Shape, frozen=True, kw_only=True):
    line_item: Identified
    quantity: int | None = None


class Refund(Shape, frozen=True, kw_only=True):
    id: str
    refund_line_items: Nodes[LineUnits] = Nodes()


class Tracking(Shape, frozen=True, kw_only=True):
    number: str | None = None
    company: str | None = None
    url: str | None = None


class Fulfillment(Shape, frozen=True, kw_only=True):
    id: str
    status: str
    tracking_info: tuple[Tracking, ...] = ()
    fulfillment_line_items: Nodes[LineUnits] = Nodes()

    @property
    def is_real(self) -> bool:
        """Whether something left: cancelled and failed ones stay in the list."""
        return self.status not in ("CANCELLED", "ERROR", "FAILURE")


class ShippingLine(Shape, frozen=True, kw_only=True):
    title: str
    discounted_price_set: Bag
    code: str | None = None
    tax_lines: tuple[Tax, ...] = ()


class Fee(Shape, frozen=True, kw_only=True):
    name: str
    price: Bag
    tax_lines: tuple[Tax, ...] = ()


class Transaction(Shape, frozen=True, kw_only=True):
    id: str
    kind: str
    status: str
    amount_set: Bag
    gateway: str | None = None
    formatted_gateway: str | None = None
    processed_at: datetime | None = None


class Customer(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    first_name: str | None = None
    last_name: str | None = None


class Address(Shape, frozen=True, kw_only=True):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    zip: str | None = None
    city: str | None = None
    province_code: str | None = None
    country_code_v2: str | None = msgspec.field(default=None, name="countryCodeV2")
    phone: str | None = None


class AssignedLocation(Shape, frozen=True, kw_only=True):
    location: Numbered | None = None


class Assigned(Shape, frozen=True, kw_only=True):
    assigned_location: AssignedLocation


class Order(Shape, frozen=True, kw_only=True):
    id: str
    legacy_resource_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    currency_code: str
    taxes_included: bool
    total_price_set: Bag
    line_items: Nodes[Line]
    cancelled_at: datetime | None = None
    confirmed: bool = True
    test: bool = False
    display_financial_status: str | None = None
    display_fulfillment_status: str | None = None
    duties_included: bool = False
    total_tax_set: Bag | None = None
    total_tip_received_set: Bag | None = None
    current_total_duties_set: Bag | None = None
    additional_fees: tuple[Fee, ...] = ()
    shipping_lines: Nodes[ShippingLine] = Nodes()
    payment_gateway_names: tuple[str, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    customer: Customer | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    retail_location: Numbered | None = None
    fulfillment_orders: Nodes[Assigned] = Nodes()
    refunds: tuple[Refund, ...] = ()
    fulfillments: tuple[Fulfillment, ...] = ()


# -- stock and prices ----------------------------------------------------------------------------------------------------


class OwnVariant(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    requires_components: bool = False


class StockedItem(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    tracked: bool = True
    variants: Nodes[OwnVariant] | None = None


class Quantity(Shape, frozen=True, kw_only=True):
    name: str
    quantity: int


class Level(Shape, frozen=True, kw_only=True):
    quantities: tuple[Quantity, ...]

    @property
    def available(self) -> int:
        for one in self.quantities:
            if one.name == "available":
                return one.quantity
        raise NotUnderstood("a level that does not say what is available", answer=repr(self))


class LevelThere(Level, frozen=True, kw_only=True):
    item: StockedItem


class ItemThere(StockedItem, frozen=True, kw_only=True):
    inventory_level: Level | None = None


class PricedVariant(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    price: Decimal
    product: Numbered
    taxable: bool = True


class VariantItem(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    inventory_item: Numbered


# -- fulfilment ----------------------------------------------------------------------------------------------------------


class Action(Shape, frozen=True, kw_only=True):
    action: str


class Hold(Shape, frozen=True, kw_only=True):
    reason: str
    reason_notes: str | None = None


class FulfillmentOrderLine(Shape, frozen=True, kw_only=True):
    id: str
    remaining_quantity: int
    line_item: Identified


class FulfillmentOrder(Shape, frozen=True, kw_only=True):
    id: str
    status: str
    assigned_location: AssignedLocation
    supported_actions: tuple[Action, ...] = ()
    fulfillment_holds: tuple[Hold, ...] = ()
    line_items: Nodes[FulfillmentOrderLine] = Nodes()


class Shipping(Shape, frozen=True, kw_only=True):
    legacy_resource_id: str
    cancelled_at: datetime | None = None
    fulfillment_orders: Nodes[FulfillmentOrder] = Nodes()
    fulfillments: tuple[Fulfillment, ...] = ()


class UserError(Shape, frozen=True, kw_only=True):
    message: str
    code: str | None = None
    field: tuple[str, ...] | None = None


class Hooked(Shape, frozen=True, kw_only=True):
    id: str
    topic: str
    uri: str


class BulkOperation(Shape, frozen=True, kw_only=True):
    id: str
    status: str
    created_at: datetime | None = None
    query: str = ""
    error_code: str | None = None
    file_size: str | None = None
    url: str | None = None


def typed(kind: type[T], row: Any) -> T:
    """A row as its shape; raises NotUnderstood with the row."""
    try:
        return msgspec.convert(row, kind)
    except msgspec.ValidationError as error:
        raise NotUnderstood(f"{error}", answer=text_of(row)[:2_000]) from error


def text_of(row: Any) -> str:
    """A row as it came, for a person."""
    return msgspec.json.format(msgspec.json.encode(row).decode(), indent=1)


def gid(kind: str, number: object) -> str:
    """ "gid://shopify/Order/1"."""
    return f"gid://shopify/{kind}/{number}"


def gids(kind: str, numbers: Iterable[str]) -> list[str]:
    """Global ids of what can be one; each once."""
    return [gid(kind, one) for one in dict.fromkeys(numbers) if is_number(one)]


def number(identity: str) -> str:
    """The number in a global id."""
    return identity.partition("?")[0].rpartition("/")[2]


def is_number(text: str) -> bool:
    """Whether this may be one of their numbers."""
    return text.isascii() and text.isdigit() and len(text) <= 20

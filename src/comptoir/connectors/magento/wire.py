"""The shapes of Magento's REST API, in its own names. What is null counts as absent; a field without default is one we need.

Amounts are floats in the JSON: they are taken exactly as they are written there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from comptoir.channels.errors import NotUnderstood

T = TypeVar("T")
Row = dict[str, Any]

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
ZERO = Decimal(0)


class Found(Struct, frozen=True):
    """One page of a list; `total` of all pages, where the shop says so."""

    rows: list[Row]
    total: int | None


def decode(body: bytes) -> Any:
    """JSON with exact numbers, without nulls and empty lists (PHP writes an empty object as one); raises NotUnderstood for
    anything else."""
    try:
        return _without_nulls(_decoder.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotUnderstood(f"not JSON: {error}", answer=body[:500].decode("utf-8", "replace")) from error


def encode(content: object) -> bytes:
    """JSON with decimals as numbers, digit for digit."""
    return _encoder.encode(content)


def shown(row: Row) -> str:
    """A row as it is kept for people."""
    return encode(row).decode()


def found(content: Any, path: str) -> Found:
    """A list as the shop answers one; empty ones come as null, which is not there any more."""
    if isinstance(content, list):
        rows: list[Any] = content
        total: Any = len(content)
    elif isinstance(content, dict) and isinstance(content.get("items", []), list):
        rows, total = content.get("items", []), content.get("total_count")
    else:
        raise NotUnderstood(f"{path} is not a list", answer=str(content)[:500])
    if not all(isinstance(row, dict) for row in rows):
        raise NotUnderstood(f"{path} holds what is no object", answer=str(rows)[:500])
    return Found(rows, total if isinstance(total, int) else None)


def typed(kind: type[T], row: Any) -> T:
    """A row as a struct; raises NotUnderstood naming the field. Numbers may come in quotes."""
    try:
        return msgspec.convert(row, kind, strict=False)
    except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
        field = str(error).rpartition("$.")[2].rstrip("`") if "$." in str(error) else ""
        raise NotUnderstood(str(error), field=field, answer=str(row)[:500]) from error


def identity(row: Row, name: str = "entity_id") -> str:
    """The id of a row whatever else is wrong with it."""
    return str(row.get(name, ""))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_nulls(one)
            for name, one in value.items()
            if one is not None and (one != [] or name == "items")
        }
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


# -- the shop --------------------------------------------------------------------------------------------------------


class StoreConfig(Struct, frozen=True, kw_only=True):
    id: int
    code: str = ""
    website_id: int = 0
    locale: str = ""
    base_currency_code: str = ""
    timezone: str = ""
    weight_unit: str = ""
    base_url: str = ""
    base_media_url: str = ""
    secure_base_url: str = ""
    secure_base_media_url: str = ""


class Website(Struct, frozen=True, kw_only=True):
    id: int
    code: str
    name: str = ""


class Source(Struct, frozen=True, kw_only=True):
    source_code: str
    name: str = ""
    enabled: bool = True


class SalesChannel(Struct, frozen=True, kw_only=True):
    type: str = ""
    code: str = ""


class StockExtension(Struct, frozen=True, kw_only=True):
    sales_channels: list[SalesChannel] = []


class Stock(Struct, frozen=True, kw_only=True):
    stock_id: int
    extension_attributes: StockExtension = StockExtension()


class StockLink(Struct, frozen=True, kw_only=True):
    stock_id: int
    source_code: str
    priority: int = 0


class TaxClass(Struct, frozen=True, kw_only=True):
    class_id: int
    class_name: str = ""
    class_type: str = ""


class TaxRule(Struct, frozen=True, kw_only=True):
    id: int
    product_tax_class_ids: list[int] = []
    tax_rate_ids: list[int] = []


class TaxRate(Struct, frozen=True, kw_only=True):
    id: int
    rate: Decimal
    tax_country_id: str = ""
    tax_region_id: int = 0
    tax_postcode: str = "*"


class Category(Struct, frozen=True, kw_only=True):
    id: int
    parent_id: int = 0
    name: str = ""


class Option(Struct, frozen=True, kw_only=True):
    value: Any = ""
    label: str = ""


# -- products --------------------------------------------------------------------------------------------------------


class Attribute(Struct, frozen=True, kw_only=True):
    attribute_code: str
    value: Any = None


class AttributeKind(Struct, frozen=True, kw_only=True):
    """An attribute of the catalogue; a select has options, whose values products hold."""

    attribute_code: str
    attribute_id: int = 0
    default_frontend_label: str = ""
    options: list[Option] = []


class Picture(Struct, frozen=True, kw_only=True):
    file: str = ""
    media_type: str = "image"
    position: int = 0
    disabled: bool = False
    types: list[str] = []


class Axis(Struct, frozen=True, kw_only=True):
    attribute_id: int
    label: str = ""
    position: int = 0


class CategoryLink(Struct, frozen=True, kw_only=True):
    category_id: int


class BundleLink(Struct, frozen=True, kw_only=True):
    sku: str
    qty: Decimal = Decimal(1)
    can_change_quantity: bool = False


class BundleOption(Struct, frozen=True, kw_only=True):
    required: bool = True
    product_links: list[BundleLink] = []


class ProductExtension(Struct, frozen=True, kw_only=True):
    category_links: list[CategoryLink] = []
    configurable_product_options: list[Axis] = []
    configurable_product_links: list[int] = []
    bundle_product_options: list[BundleOption] = []


class Product(Struct, frozen=True, kw_only=True):
    id: int
    sku: str
    type_id: str
    name: str = ""
    price: Decimal | None = None
    status: int = 1
    visibility: int = 4
    weight: Decimal = ZERO
    updated_at: str = ""
    extension_attributes: ProductExtension = ProductExtension()
    media_gallery_entries: list[Picture] = []
    custom_attributes: list[Attribute] = []


class Listed(Struct, frozen=True, kw_only=True):
    """A product of which only this is asked."""

    id: int
    sku: str
    type_id: str = ""


class Family(Struct, frozen=True, kw_only=True):
    """A configurable of which only its variants are asked."""

    id: int
    extension_attributes: ProductExtension = ProductExtension()


class SourceItem(Struct, frozen=True, kw_only=True):
    sku: str
    source_code: str
    quantity: Decimal
    status: int = 0


class StockItem(Struct, frozen=True, kw_only=True):
    item_id: int
    qty: Decimal = ZERO
    manage_stock: bool = True


class BasePrice(Struct, frozen=True, kw_only=True):
    sku: str
    price: Decimal
    store_id: int = 0


# -- orders ----------------------------------------------------------------------------------------------------------


class Address(Struct, frozen=True, kw_only=True):
    firstname: str = ""
    lastname: str = ""
    company: str = ""
    street: list[str] = []
    city: str = ""
    postcode: str = ""
    region: str = ""
    region_code: str = ""
    country_id: str = ""
    telephone: str = ""
    vat_id: str = ""


class OrderItem(Struct, frozen=True, kw_only=True):
    item_id: int
    qty_ordered: Decimal
    parent_item_id: int = 0
    product_type: str = ""
    product_id: int = 0
    sku: str = ""
    name: str = ""
    is_virtual: bool = False
    qty_shipped: Decimal = ZERO
    qty_canceled: Decimal = ZERO
    qty_refunded: Decimal = ZERO
    qty_invoiced: Decimal = ZERO
    price: Decimal = ZERO
    price_incl_tax: Decimal | None = None
    row_total: Decimal = ZERO
    row_total_incl_tax: Decimal | None = None
    tax_percent: Decimal | None = None
    tax_amount: Decimal | None = None
    discount_amount: Decimal = ZERO
    discount_tax_compensation_amount: Decimal = ZERO


class Shipping(Struct, frozen=True, kw_only=True):
    method: str = ""
    address: Address | None = None


class Assignment(Struct, frozen=True, kw_only=True):
    shipping: Shipping = Shipping()


class OrderExtension(Struct, frozen=True, kw_only=True):
    shipping_assignments: list[Assignment] = []
    pickup_location_code: str = ""


class OrderPayment(Struct, frozen=True, kw_only=True):
    method: str = ""
    last_trans_id: str = ""


class Order(Struct, frozen=True, kw_only=True):
    entity_id: int
    state: str
    created_at: str
    updated_at: str
    order_currency_code: str
    grand_total: Decimal
    items: list[OrderItem]
    increment_id: str = ""
    status: str = ""
    store_id: int = 0
    base_currency_code: str = ""
    base_to_order_rate: Decimal = Decimal(1)
    tax_amount: Decimal | None = None
    shipping_amount: Decimal = ZERO
    shipping_incl_tax: Decimal | None = None
    shipping_tax_amount: Decimal = ZERO
    shipping_discount_amount: Decimal = ZERO
    shipping_discount_tax_compensation_amount: Decimal = ZERO
    shipping_description: str = ""
    discount_amount: Decimal = ZERO
    coupon_code: str = ""
    total_paid: Decimal = ZERO
    total_due: Decimal | None = None
    total_refunded: Decimal = ZERO
    customer_id: int = 0
    customer_email: str = ""
    customer_firstname: str = ""
    customer_lastname: str = ""
    customer_taxvat: str = ""
    customer_note: str = ""
    billing_address: Address | None = None
    payment: OrderPayment = OrderPayment()
    extension_attributes: OrderExtension = OrderExtension()


class Placed(Struct, frozen=True, kw_only=True):
    """An order of which only this is asked."""

    entity_id: int


class Comment(Struct, frozen=True, kw_only=True):
    comment: str = ""


class Track(Struct, frozen=True, kw_only=True):
    track_number: str = ""


class Shipment(Struct, frozen=True, kw_only=True):
    entity_id: int
    order_id: int = 0
    tracks: list[Track] = []
    comments: list[Comment] = []


#: status of an operation
DONE, RETRIABLE, FAILED, OPEN, REJECTED = 1, 2, 3, 4, 5


class Accepted(Struct, frozen=True, kw_only=True):
    """The answer to an asynchronous call."""

    bulk_uuid: str


class Operation(Struct, frozen=True, kw_only=True):
    id: int
    status: int
    result_message: str = ""


class BulkStatus(Struct, frozen=True, kw_only=True):
    operations_list: list[Operation] = []

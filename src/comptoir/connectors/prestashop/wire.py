"""The shapes of PrestaShop's webservice, in its own names: XML to plain rows, rows to typed structs, and XML to send.

An empty element counts as absent, so the default of a field stands; a field without default is one that we need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, ParseError, SubElement, XMLParser, tostring
from xml.etree.ElementTree import fromstring as quick

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring as guarded
from msgspec import Struct, field

from comptoir.channels.errors import NotUnderstood

T = TypeVar("T", bound=Struct)
Row = dict[str, Any]
Texts = dict[int, str] | str  # one text, or one per language id

_END = b"</prestashop>"
# Characters that XML 1.0 forbids; shops carry them over from pasted descriptions.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Placed(Struct, frozen=True, kw_only=True):
    id: int
    date_add: str
    id_shop: int = 0
    id_shop_group: int = 0


class Order(Struct, frozen=True, kw_only=True):
    id: int
    id_currency: int
    date_add: str
    date_upd: str
    total_paid_tax_incl: Decimal
    current_state: int = 0
    reference: str = ""
    id_customer: int = 0
    id_carrier: int = 0
    id_address_delivery: int = 0
    id_address_invoice: int = 0
    id_shop: int = 0
    id_shop_group: int = 0
    module: str = ""
    payment: str = ""
    total_paid_tax_excl: Decimal | None = None
    total_paid_real: Decimal = Decimal(0)
    total_discounts_tax_incl: Decimal = Decimal(0)
    total_discounts_tax_excl: Decimal | None = None
    total_shipping_tax_incl: Decimal = Decimal(0)
    total_shipping_tax_excl: Decimal | None = None
    total_wrapping_tax_incl: Decimal = Decimal(0)
    total_wrapping_tax_excl: Decimal | None = None
    conversion_rate: Decimal = Decimal(1)
    round_type: int = 2
    shipping_number: str = ""
    gift_message: str = ""


class OrderDetail(Struct, frozen=True, kw_only=True):
    id: int
    id_order: int
    product_id: int
    product_quantity: int
    unit_price_tax_incl: Decimal
    total_price_tax_incl: Decimal
    total_price_tax_excl: Decimal | None = None
    product_attribute_id: int = 0
    product_name: str = ""
    product_reference: str = ""
    product_ean13: str = ""
    product_upc: str = ""
    product_isbn: str = ""
    product_quantity_refunded: int = 0
    product_quantity_return: int = 0
    reduction_amount_tax_incl: Decimal = Decimal(0)


class OrderState(Struct, frozen=True, kw_only=True):
    id: int
    name: Texts = ""
    logable: bool = False
    paid: bool = False
    shipped: bool = False
    deleted: bool = False


class OrderCarrier(Struct, frozen=True, kw_only=True):
    id: int
    id_order: int
    id_carrier: int = 0
    tracking_number: str = ""


class OrderPayment(Struct, frozen=True, kw_only=True):
    id: int
    order_reference: str
    amount: Decimal
    payment_method: str = ""
    transaction_id: str = ""
    date_add: str = ""


class Message(Struct, frozen=True, kw_only=True):
    id: int
    id_order: int = 0
    id_employee: int = 0
    private: bool = False
    message: str = ""


class Address(Struct, frozen=True, kw_only=True):
    id: int
    id_country: int = 0
    id_state: int = 0
    company: str = ""
    firstname: str = ""
    lastname: str = ""
    address1: str = ""
    address2: str = ""
    postcode: str = ""
    city: str = ""
    other: str = ""
    phone: str = ""
    phone_mobile: str = ""
    vat_number: str = ""
    dni: str = ""


class Customer(Struct, frozen=True, kw_only=True):
    id: int
    email: str = ""
    firstname: str = ""
    lastname: str = ""
    company: str = ""


class Carrier(Struct, frozen=True, kw_only=True):
    id: int
    id_reference: int = 0
    name: str = ""
    active: bool = True
    deleted: bool = False


class Coded(Struct, frozen=True, kw_only=True):
    """A currency, country, state or language."""

    id: int
    iso_code: str = ""


class Shop(Struct, frozen=True, kw_only=True):
    id: int
    id_shop_group: int = 0
    name: str = ""
    active: bool = True
    deleted: bool = False


class ShopGroup(Struct, frozen=True, kw_only=True):
    id: int
    name: str = ""
    share_stock: bool = False


class Setting(Struct, frozen=True, kw_only=True):
    name: str
    value: str = ""
    id_shop: int = 0
    id_shop_group: int = 0


class Reference(Struct, frozen=True):
    """Something named by id in an association."""

    id: int


class Part(Struct, frozen=True, kw_only=True):
    id: int
    quantity: int
    id_product_attribute: int = 0


class ProductAssociations(Struct, frozen=True, kw_only=True):
    categories: list[Reference] = field(default_factory=list)
    images: list[Reference] = field(default_factory=list)
    combinations: list[Reference] = field(default_factory=list)
    product_bundle: list[Part] = field(default_factory=list)


class ProductKind(Struct, frozen=True, kw_only=True):
    """The few columns that say whether a product is a pack or a download."""

    id: int
    product_type: str = ""
    type: str = ""
    is_virtual: bool = False
    cache_is_pack: bool = False
    pack_stock_type: int = 3

    @property
    def is_pack(self) -> bool:
        return "pack" in (self.product_type, self.type) or self.cache_is_pack

    @property
    def is_service(self) -> bool:
        return "virtual" in (self.product_type, self.type) or self.is_virtual


KIND_COLUMNS = "[id,is_virtual,cache_is_pack,pack_stock_type]"


class Product(ProductKind, frozen=True, kw_only=True):
    price: Decimal
    state: int = 1
    active: bool = False
    available_for_order: bool = True
    reference: str = ""
    supplier_reference: str = ""
    ean13: str = ""
    upc: str = ""
    isbn: str = ""
    mpn: str = ""
    wholesale_price: Decimal = Decimal(0)
    weight: Decimal = Decimal(0)
    id_tax_rules_group: int = 0
    id_manufacturer: int = 0
    manufacturer_name: str = ""
    id_default_image: int = 0
    name: Texts = ""
    description: Texts = ""
    description_short: Texts = ""
    date_upd: str = ""
    associations: ProductAssociations = field(default_factory=ProductAssociations)


class CombinationAssociations(Struct, frozen=True, kw_only=True):
    product_option_values: list[Reference] = field(default_factory=list)
    images: list[Reference] = field(default_factory=list)


class Combination(Struct, frozen=True, kw_only=True):
    id: int
    id_product: int
    reference: str = ""
    supplier_reference: str = ""
    ean13: str = ""
    upc: str = ""
    isbn: str = ""
    mpn: str = ""
    price: Decimal = Decimal(0)
    weight: Decimal = Decimal(0)
    wholesale_price: Decimal = Decimal(0)
    associations: CombinationAssociations = field(default_factory=CombinationAssociations)


class OptionValue(Struct, frozen=True, kw_only=True):
    id: int
    id_attribute_group: int
    name: Texts = ""


class Option(Struct, frozen=True, kw_only=True):
    id: int
    name: Texts = ""
    public_name: Texts = ""


class Category(Struct, frozen=True, kw_only=True):
    id: int
    id_parent: int = 0
    is_root_category: bool = False
    name: Texts = ""


class StockAvailable(Struct, frozen=True, kw_only=True):
    id: int
    id_product: int
    quantity: int
    id_product_attribute: int = 0
    id_shop: int = 0
    id_shop_group: int = 0
    depends_on_stock: bool = False


class Supplier(Struct, frozen=True, kw_only=True):
    id: int
    name: str = ""
    active: bool = True


class ProductSupplier(Struct, frozen=True, kw_only=True):
    id: int
    id_product: int
    id_supplier: int
    id_product_attribute: int = 0
    id_currency: int = 0
    product_supplier_reference: str = ""
    product_supplier_price_te: Decimal = Decimal(0)


class BasePrice(Struct, frozen=True, kw_only=True):
    """The few columns of a product that its price needs."""

    id: int
    price: Decimal
    id_tax_rules_group: int = 0


class Impact(Struct, frozen=True, kw_only=True):
    """What a combination adds to the price of its product, or takes off."""

    id: int
    id_product: int
    price: Decimal = Decimal(0)


class TaxRuleGroup(Struct, frozen=True, kw_only=True):
    """What a product's tax is chosen from: one rule for each country."""

    id: int
    name: str = ""
    active: bool = True
    deleted: bool = False


class TaxRule(Struct, frozen=True, kw_only=True):
    id: int
    id_tax_rules_group: int
    id_tax: int = 0
    id_state: int = 0
    zipcode_from: str = ""


class Tax(Struct, frozen=True, kw_only=True):
    id: int
    rate: Decimal
    active: bool = True


def parse(body: bytes) -> tuple[Element, str]:
    """The document in `body`, and what stood around it: notices of third-party modules come before the declaration.

    Raises NotUnderstood for anything that is not the webservice's XML, such as an HTML page with status 200.
    """
    start = body.find(b"<?xml")
    if start < 0:
        start = body.find(b"<prestashop")
    if start < 0:
        raise NotUnderstood("the answer is not XML", answer=_beginning(body))
    end = body.rfind(_END)
    stop = end + len(_END) if end >= 0 else len(body)
    junk = (body[:start] + b" " + body[stop:]).strip()
    document = _FORBIDDEN.sub(b"", body[start:stop])
    try:
        # Entities can only be declared in a DOCTYPE. Where the bytes hold none, and no other encoding can hide one, the C
        # parser is safe and several times quicker; a description that quotes one in its text takes the guarded parser.
        if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
            root = guarded(document)
        else:
            root = quick(document, XMLParser(encoding="utf-8"))  # noqa: S314
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise NotUnderstood(f"the answer is not well-formed XML: {error}", answer=_beginning(body[start:])) from error
    if root.tag != "prestashop":
        raise NotUnderstood(f"the answer is <{root.tag}>, not <prestashop>", answer=_beginning(body))
    return root, _beginning(junk)


def plain(element: Element, only: frozenset[str] | None = None) -> Row:
    """An object as names and texts (of these fields); texts per language as {id: text}; associations as lists."""
    row: Row = {}
    for child in element:
        if only is not None and child.tag not in only:
            continue
        if child.tag == "associations":
            row["associations"] = {one.tag: [plain(item) for item in one] for one in child}
        elif len(child) and child[0].tag == "language":
            row[child.tag] = {int(one.get("id", "0")): _text(one) for one in child if _text(one)}
        elif text := _text(child):
            row[child.tag] = text
    if "id" not in row and element.get("id"):
        row["id"] = element.get("id")
    return row


def whole(element: Element, *, without: Iterable[str] = ()) -> Row:
    """An object with every field as it stands, empty ones too, for a PUT that must leave nothing out. Associations stay
    behind: what is not sent of them is not touched."""
    row: Row = {}
    for child in element:
        if child.tag == "associations" or child.tag in without:
            continue
        if len(child) and child[0].tag == "language":
            row[child.tag] = {int(one.get("id", "0")): one.text or "" for one in child}
        else:
            row[child.tag] = child.text or ""
    return row


def typed(kind: type[T], element: Element) -> T:
    """An object as a struct; raises NotUnderstood naming the field that is missing or wrong."""
    row = plain(element, _fields(kind))
    try:
        found = msgspec.convert(row, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise NotUnderstood(str(error), answer=tostring(element, "unicode")[:2000]) from error
    for name in kind.__struct_fields__:
        number = getattr(found, name)
        if isinstance(number, Decimal) and not number.is_finite():
            raise NotUnderstood(f"{name} is {number}", answer=tostring(element, "unicode")[:2000])
    return found


@cache
def _fields(kind: type[Struct]) -> frozenset[str]:
    return frozenset(kind.__struct_encode_fields__)


def identity(element: Element) -> str:
    """The id of an object, or '' where it has none."""
    return (element.findtext("id") or element.get("id") or "").strip()


def number(element: Element, name: str) -> int:
    """A field that is an id; 0 where it is missing or none."""
    text = (element.findtext(name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() else 0


def text_in(texts: Texts, language: int) -> str:
    """The text in a language, else in any."""
    if isinstance(texts, str):
        return texts
    return texts.get(language) or next(iter(texts.values()), "")


def document(name: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """Objects to send. No blanks inside value tags: the shop would keep them."""
    root = Element("prestashop")
    for row in rows:
        one = SubElement(root, name)
        for key, item in row.items():
            field = SubElement(one, key)
            if isinstance(item, Mapping):  # one text per language
                for language, text in item.items():
                    SubElement(field, "language", id=str(language)).text = str(text)
            else:
                field.text = str(item)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + tostring(root)


def shown(name: str, element: Element, **more: Iterable[Element]) -> str:
    """Objects as received, without their empty fields, for whoever looks into a staged row: JSON."""
    content = {name: plain(element)} | {key: [plain(one) for one in rows] for key, rows in more.items()}
    return msgspec.json.encode(content).decode()


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _beginning(body: bytes) -> str:
    return body[:2000].decode("utf-8", "replace")

"""Pure translation between Magento's shapes and ours: no calls, no clock. Each answer comes with what was untidy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import msgspec

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import (
    Address,
    Buyer,
    Charge,
    ChargeKind,
    Image,
    LineKind,
    Listing,
    ListingPart,
    Odd,
    Payment,
    Price,
    Product,
    Sale,
    SaleLine,
    SaleState,
)
from comptoir.connectors.magento import wire
from comptoir.connectors.magento.reading import to_utc

ZERO = Decimal(0)
#: storeConfigs.weight_unit -> kilograms
KILOGRAMS = {"kgs": Decimal(1), "lbs": Decimal("0.45359237")}
#: what each state's label is called before a merchant renames it
STATES = (
    ("new", "pending"), ("pending_payment", "pending_payment"), ("payment_review", "payment_review"),
    ("payment_review", "fraud"), ("processing", "processing"), ("processing", "fraud"), ("complete", "complete"),
    ("closed", "closed"), ("canceled", "canceled"), ("holded", "holded"),
)  # fmt: skip
SERVICES = ("virtual", "downloadable")

# -- sales -----------------------------------------------------------------------------------------------------------


def status_id(state: str, status: str) -> str:
    """A status is a label that merchants edit; only together with its state it says something."""
    return f"{state}/{status}" if status else state


def meaning(order: wire.Order, offline: frozenset[str]) -> SaleState:
    """What an order's state means. *processing* begins with an invoice or a shipment, and an authorised payment that nobody
    has captured may be there too: only what is paid, or may be paid later, is prepared."""
    match order.state:
        case "canceled":
            return SaleState.CANCELLED
        case "closed":
            return SaleState.REFUNDED
        case "complete":
            return SaleState.SHIPPED
        case "new" | "processing":
            if _has_left(order):
                return SaleState.SHIPPED
            is_ready = order.payment.method in offline or (order.state == "processing" and _is_paid(order))
            return SaleState.PAID if is_ready else SaleState.UNPAID
        case "pending_payment" | "payment_review" | "holded":
            return SaleState.UNPAID
        case _:
            return SaleState.UNKNOWN


def meaning_of(state: str) -> SaleState:
    """What a state means by itself, for people who map statuses."""
    return {
        "complete": SaleState.SHIPPED, "closed": SaleState.REFUNDED, "canceled": SaleState.CANCELLED,
        "processing": SaleState.PAID, "new": SaleState.UNPAID, "pending_payment": SaleState.UNPAID,
        "payment_review": SaleState.UNPAID, "holded": SaleState.UNPAID,
    }.get(state, SaleState.UNKNOWN)  # fmt: skip


def _is_paid(order: wire.Order) -> bool:
    return (order.total_due is not None and order.total_due <= 0) or order.total_paid >= order.grand_total


def _has_left(order: wire.Order) -> bool:
    goods = [one for one in lines_of(order) if one.kind is LineKind.GOODS]
    return (
        bool(goods) and any(one.row.qty_shipped for one in goods) and not any(open_units(one.row) > 0 for one in goods)
    )


def open_units(row: wire.OrderItem) -> Decimal:
    """What of a row may still leave, by the shop's account."""
    return row.qty_ordered - row.qty_shipped - row.qty_canceled - row.qty_refunded


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sale and the rows of the order that it is made of: of a configurable the parent has money and quantities,
    the child says what it is; of a bundle each part is a line, and the bundle a line of text where the money is on it."""

    row: wire.OrderItem
    kind: LineKind
    product: int
    sku: str
    has_money: bool = True


def lines_of(order: wire.Order) -> list[Line]:
    """The rows of an order as lines."""
    rows = {one.item_id: one for one in order.items}
    children: dict[int, list[wire.OrderItem]] = {}
    for one in order.items:
        if one.parent_item_id in rows:
            children.setdefault(one.parent_item_id, []).append(one)
    found: list[Line] = []
    for one in order.items:
        if one.parent_item_id in rows:
            continue
        parts = children.get(one.item_id, [])
        if one.product_type == "bundle" and parts:
            dynamic = any(part.row_total for part in parts)
            if not dynamic:
                found.append(Line(one, LineKind.TEXT, 0, one.sku))
            found += [Line(part, _kind(part), part.product_id, part.sku, dynamic) for part in parts]
        elif parts:
            child = parts[0]
            shipped = max(one.qty_shipped, child.qty_shipped)
            row = msgspec.structs.replace(one, qty_shipped=shipped)
            found.append(Line(row, _kind(child), child.product_id, child.sku or one.sku))
        else:
            # A configurable whose child is lost: its SKU is the variant's, its product is not.
            product = 0 if one.product_type in ("configurable", "bundle") else one.product_id
            found.append(Line(one, _kind(one), product, one.sku))
    return found


def _kind(row: wire.OrderItem) -> LineKind:
    if row.product_type == "giftcard":
        return LineKind.GIFT_CARD
    return LineKind.SERVICE if row.is_virtual or row.product_type in SERVICES else LineKind.GOODS


def sale(order: wire.Order, *, offline: frozenset[str], selling_point: str, tracking: Sequence[str] = ()) -> Sale:
    """An order as a sale; raises NotUnderstood where something we need makes no sense."""
    currency = order.order_currency_code.upper()
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise NotUnderstood(f"currency {currency!r} is unknown", field="order_currency_code", answer=currency)
    if order.base_to_order_rate <= 0:
        raise NotUnderstood(f"the rate is {order.base_to_order_rate}", field="base_to_order_rate", answer="")
    lines = lines_of(order)
    assignments = order.extension_attributes.shipping_assignments
    shipping = assignments[0].shipping if assignments else wire.Shipping()
    state = meaning(order, offline)
    return Sale(
        external_id=str(order.entity_id),
        number=order.increment_id or f"#{order.entity_id}",
        status=status_id(order.state, order.status),
        status_name=order.status or order.state,
        state=state,
        placed_at=to_utc(order.created_at),
        changed_at=to_utc(order.updated_at),
        currency=currency,
        rate=order.base_to_order_rate,
        total=order.grand_total,
        total_tax=order.tax_amount,
        lines=tuple(_line(one) for one in lines),
        charges=_charges(order),
        payments=_payments(order),
        selling_point=selling_point,
        carrier=shipping.method,
        carrier_name=order.shipping_description,
        payment_method=order.payment.method,
        payment_name=order.payment.method,
        billing=_address(order.billing_address, order.customer_taxvat),
        shipping=_address(shipping.address),
        buyer=Buyer(
            external_id=str(order.customer_id or ""),
            name=f"{order.customer_firstname} {order.customer_lastname}".strip(),
            email=order.customer_email,
            company=order.billing_address.company if order.billing_address else "",
        ),
        pickup_point=order.extension_attributes.pickup_location_code,
        note=order.customer_note,
        takes_stock=state not in (SaleState.CANCELLED, SaleState.REFUNDED),
        shipped_lines={
            str(one.row.item_id): one.row.qty_shipped for one in lines if one.row.qty_shipped > 0 and one.product
        },
        tracking=tuple(dict.fromkeys(one for one in tracking if one)),
    )


def _line(one: Line) -> SaleLine:
    row = one.row
    if row.qty_ordered < 0:
        raise NotUnderstood(f"line {row.item_id} has quantity {row.qty_ordered}", field="qty_ordered", answer="")
    total, tax = _total(row) if one.has_money else (ZERO, ZERO)
    unit = row.price_incl_tax
    if unit is None:
        unit = (row.row_total + (row.tax_amount or ZERO)) / row.qty_ordered if row.qty_ordered else ZERO
    return SaleLine(
        external_id=str(row.item_id),
        name=row.name,
        quantity=row.qty_ordered,
        unit_price=unit if one.has_money else ZERO,
        total=total,
        kind=one.kind,
        listing=str(one.product or ""),
        sku=one.sku,
        tax=tax,
        tax_rate=row.tax_percent if one.has_money else None,
        discount=row.discount_amount if one.has_money else ZERO,
        refunded=row.qty_refunded + row.qty_canceled,
    )


def _total(row: wire.OrderItem) -> tuple[Decimal, Decimal | None]:
    """What a row adds to the grand total, and the tax in it. With tax after discount the row's own total with tax is not it:
    the shop adds up net, tax, less discount, plus the tax that the discount has taken along."""
    if row.tax_amount is None:
        return (row.row_total if row.row_total_incl_tax is None else row.row_total_incl_tax) - row.discount_amount, None
    total = row.row_total + row.tax_amount - row.discount_amount + row.discount_tax_compensation_amount
    return total, row.tax_amount


def _charges(order: wire.Order) -> tuple[Charge, ...]:
    amount = (
        order.shipping_amount
        + order.shipping_tax_amount
        - order.shipping_discount_amount
        + order.shipping_discount_tax_compensation_amount
    )
    if not amount:
        return ()
    charge = Charge(
        kind=ChargeKind.SHIPPING, amount=amount, tax=order.shipping_tax_amount, name=order.shipping_description
    )
    return (charge,)


def _payments(order: wire.Order) -> tuple[Payment, ...]:
    if order.total_paid <= 0:
        return ()
    method = order.payment.method
    return (Payment(method=method, amount=order.total_paid, label=method, reference=order.payment.last_trans_id),)


def _address(row: wire.Address | None, vat_number: str = "") -> Address | None:
    if row is None:
        return None
    return Address(
        name=f"{row.firstname} {row.lastname}".strip(),
        company=row.company,
        lines=tuple(line for line in row.street if line),
        postcode=row.postcode,
        city=row.city,
        state=row.region_code or row.region,
        country=row.country_id.upper(),
        phone=row.telephone,
        vat_number=row.vat_id or vat_number,
    )


# -- products --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in products point to."""

    currency: str
    taxed: bool
    weight_unit: str
    shop_url: str
    barcode: str
    brand: str
    brands: Mapping[str, str]
    categories: Mapping[int, tuple[str, ...]]
    attributes: Mapping[int, wire.AttributeKind] = field(default_factory=dict)
    parts: Mapping[str, wire.Listed] = field(default_factory=dict)


def product(row: wire.Product, variants: Sequence[wire.Product], names: Names) -> tuple[Product | None, list[Odd]]:
    """A product page with its listings; None for one that is only a choice among others."""
    odd: list[Odd] = []
    custom = attributes_of(row)
    parts: tuple[ListingPart, ...] = ()
    if row.type_id == "bundle":
        found = _parts(row, names)
        if found is None:
            return None, [_choices(row)]
        parts = found
    elif row.type_id == "grouped":
        return None, [_choices(row)]
    if row.type_id == "configurable":
        listings = tuple(_listing(one, names, odd, options=_options(row, one, names)) for one in variants)
    else:
        listings = (_listing(row, names, odd, parts=parts),)
    if not listings:
        return None, [*odd, _choices(row)]
    files = [one.file for page in (row, *variants) for one in pictures(page)]
    return Product(
        external_id=str(row.id),
        name=row.name or row.sku,
        listings=listings,
        changed_at=to_utc(row.updated_at) if row.updated_at else None,
        description=str(custom.get("description") or custom.get("short_description") or ""),
        brand=names.brands.get(str(custom.get(names.brand, "")), "") if names.brand else "",
        categories=tuple(
            dict.fromkeys(
                path
                for one in row.extension_attributes.category_links
                if (path := names.categories.get(one.category_id, ()))
            )
        ),
        # By id: it works whatever the shop's address rewriting is, and leads to the pretty one.
        page_url=f"{names.shop_url}/catalog/product/view/id/{row.id}",
        images=tuple(Image(ref=ref, position=place) for place, ref in enumerate(dict.fromkeys(files))),
        enabled=row.status == 1,
    ), odd


def _choices(row: wire.Product) -> Odd:
    return Odd(
        code="product_of_choices",
        subject=f"product:{row.id}",
        severity="info",
        facts={"type": row.type_id, "sku": row.sku},
    )


def attributes_of(row: wire.Product) -> dict[str, object]:
    """The custom attributes of a product by code."""
    return {one.attribute_code: one.value for one in row.custom_attributes}


def pictures(row: wire.Product) -> list[wire.Picture]:
    """The pictures of a product, the main one first."""
    shown = [one for one in row.media_gallery_entries if one.file and not one.disabled and one.media_type == "image"]
    return sorted(shown, key=lambda one: ("image" not in one.types, one.position))


def _listing(
    row: wire.Product,
    names: Names,
    odd: list[Odd],
    *,
    options: Mapping[str, str] | None = None,
    parts: tuple[ListingPart, ...] = (),
) -> Listing:
    custom = attributes_of(row)
    amount = row.price
    if row.type_id == "bundle" and str(custom.get("price_type", "0")) == "0":
        amount = None  # the sum of its parts
    if amount is not None and amount < 0:
        odd.append(Odd(code="negative_price", subject=f"listing:{row.id}", facts={"price": str(amount)}))
        amount = None
    kilograms = KILOGRAMS.get(names.weight_unit.lower())
    cost = _decimal(custom.get("cost"))
    barcode = str(custom.get(names.barcode, "")).strip() if names.barcode else ""
    has_price = amount is not None and bool(names.currency)
    return Listing(
        external_id=str(row.id),
        sku=row.sku,
        barcodes=(barcode,) if barcode else (),
        options=dict(options or {}),
        price=Price(amount=amount, currency=names.currency, tax_included=names.taxed)
        if has_price and amount is not None
        else None,
        cost=cost if cost is not None and cost > 0 else None,
        weight=row.weight * kilograms if kilograms and row.weight > 0 else None,
        enabled=row.status == 1,
        images=tuple(one.file for one in pictures(row)) if options is not None else (),
        parts=parts,
        stock_computed=row.type_id == "bundle",
        stocked=row.type_id in ("simple", "bundle"),
        tax_class=str(custom.get("tax_class_id") or ""),
    )


def _options(row: wire.Product, variant: wire.Product, names: Names) -> dict[str, str]:
    custom = attributes_of(variant)
    found: dict[str, str] = {}
    for axis in sorted(row.extension_attributes.configurable_product_options, key=lambda one: one.position):
        kind = names.attributes.get(axis.attribute_id)
        if kind is None or kind.attribute_code not in custom:
            continue
        labels = {str(one.value): one.label for one in kind.options}
        value = str(custom[kind.attribute_code])
        found[axis.label or kind.default_frontend_label or kind.attribute_code] = labels.get(value, value)
    return found


def _parts(row: wire.Product, names: Names) -> tuple[ListingPart, ...] | None:
    """The parts of a bundle that leaves no choice; None where the buyer chooses, or a part is not there."""
    found: list[ListingPart] = []
    for option in row.extension_attributes.bundle_product_options:
        if not option.required or len(option.product_links) != 1 or option.product_links[0].can_change_quantity:
            return None
        link = option.product_links[0]
        part = names.parts.get(link.sku.lower())
        if part is None or link.qty <= 0:
            return None
        found.append(ListingPart(listing=str(part.id), quantity=link.qty))
    return tuple(found) or None


def _decimal(value: object) -> Decimal | None:
    try:
        found = Decimal(str(value)) if value not in (None, "") else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None

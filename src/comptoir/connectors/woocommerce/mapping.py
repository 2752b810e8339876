"""Pure translation between WooCommerce's shapes and ours: no calls, no clock. Each answer comes with what was untidy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import (
    Address,
    Buyer,
    Charge,
    ChargeKind,
    Image,
    Listing,
    ListingPart,
    Odd,
    Payment,
    Price,
    Product,
    Rounding,
    Sale,
    SaleLine,
    SaleState,
)
from comptoir.connectors.woocommerce import wire

POINT = "shop"  # a WooCommerce shop has one figure for each thing
SIX = Decimal("0.000001")
DRAFTS = frozenset({"checkout-draft", "auto-draft"})  # baskets that nobody has placed
STATES = {
    "completed": SaleState.SHIPPED,
    "on-hold": SaleState.UNPAID,  # a transfer or cheque is awaited; its stock is taken
    "pending": SaleState.UNPAID,
    "failed": SaleState.UNPAID,
    "cancelled": SaleState.CANCELLED,
    "trash": SaleState.CANCELLED,
    "refunded": SaleState.REFUNDED,
}
#: Statuses in which the shop has not taken the units off its figure, or has given them back.
WITHOUT_STOCK = frozenset({"pending", "failed", "cancelled"})
KILOGRAMS = {
    "kg": Decimal(1),
    "g": Decimal("0.001"),
    "lbs": Decimal("0.45359237"),
    "lb": Decimal("0.45359237"),
    "oz": Decimal("0.028349523125"),
}
#: Types that are no thing of their own: pages that lead to other products, of this shop or elsewhere.
NOT_SOLD = frozenset({"grouped", "external"})
#: Types whose stock a plugin works out from what is in them.
COMPUTED = frozenset({"bundle", "composite", "woosb", "mix-and-match"})
TRACKING_META = "_wc_shipment_tracking_items"


# -- sales ---------------------------------------------------------------------------------------------------------------


def state(status: str, *, is_paid: bool, method: str, good_methods: frozenset[str]) -> SaleState:
    """What a status means. *Processing* is what the shop prepares; with cash on delivery it is so unpaid, and only the
    merchant can say whether that is good enough. A status of a plugin says nothing."""
    if status == "processing":
        return SaleState.PAID if is_paid or method in good_methods else SaleState.UNPAID
    return STATES.get(status, SaleState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class SaleContext:
    """What is around an order."""

    good_methods: frozenset[str] = frozenset()
    rounds_the_total: bool = False
    statuses: Mapping[str, str] | None = None  # slug -> name
    refunds: Sequence[wire.Refund] = ()


def sale(order: wire.Order, around: SaleContext) -> Sale:
    """An order as a sale; raises NotUnderstood where something we need makes no sense."""
    total = wire.decimal(order.total, "total")
    if total is None:
        raise NotUnderstood("the order has no total", field="total", answer="")
    currency = order.currency.upper()
    if len(currency) != 3 or not currency.isalpha():
        raise NotUnderstood(f"currency {order.currency!r} is unknown", field="currency", answer=order.currency)
    paid_at = wire.moment_or_none(order.date_paid_gmt, "date_paid_gmt")
    method = order.payment_method or ""
    placed_at = wire.moment(order.date_created_gmt, "date_created_gmt")
    billing, shipping = _address(order.billing, order.meta_data), _address(order.shipping, order.meta_data)
    given_back = _given_back(order, around.refunds)
    carrier, carrier_name = _carrier(order.shipping_lines or ())
    return Sale(
        external_id=str(order.id),
        number=str(order.number or order.id),
        status=order.status,
        status_name=(around.statuses or {}).get(order.status, ""),
        state=state(order.status, is_paid=paid_at is not None, method=method, good_methods=around.good_methods),
        placed_at=placed_at,
        changed_at=wire.moment_or_none(order.date_modified_gmt, "date_modified_gmt") or placed_at,
        currency=currency,
        total=total,
        total_tax=wire.decimal(order.total_tax, "total_tax"),
        rounding=Rounding.TOTAL if around.rounds_the_total else Rounding.LINE,
        lines=tuple(_line(line, given_back.get(line.id, Decimal(0))) for line in order.line_items or ()),
        charges=_charges(order),
        payments=_payments(order, total, paid_at),
        selling_point=POINT,
        carrier=carrier,
        carrier_name=carrier_name,
        payment_method=method,
        payment_name=order.payment_method_title or "",
        billing=billing,
        shipping=shipping or billing,
        buyer=_buyer(order),
        note=order.customer_note or "",
        takes_stock=order.status not in WITHOUT_STOCK,
        tracking=_tracking(order.meta_data or ()),
    )


def _line(row: wire.OrderLine, refunded: Decimal) -> SaleLine:
    where = f"line {row.id}"
    quantity = wire.decimal(row.quantity, f"{where}: quantity")
    net = wire.decimal(row.total, f"{where}: total")
    if quantity is None or net is None:
        raise NotUnderstood(f"{where} has no quantity or no total", field="line_items", answer="")
    if quantity < 0:
        raise NotUnderstood(f"{where} has quantity {quantity}", field="quantity", answer=str(quantity))
    tax = wire.decimal(row.total_tax, f"{where}: total_tax") or Decimal(0)
    before = (wire.decimal(row.subtotal, f"{where}: subtotal") or net) + (
        wire.decimal(row.subtotal_tax, f"{where}: subtotal_tax") or Decimal(0)
    )
    total = net + tax
    return SaleLine(
        external_id=str(row.id),
        name=row.name or "",
        quantity=quantity,
        unit_price=(total / quantity).quantize(SIX, ROUND_HALF_UP) if quantity else total,
        total=total,
        listing=listing_id(row.product_id, row.variation_id or 0) if row.product_id else "",
        sku=row.sku or "",
        barcode=row.global_unique_id or "",
        tax=tax,
        tax_rate=(tax / net * 100).quantize(Decimal("0.1"), ROUND_HALF_UP) if net else None,
        discount=max(before - total, Decimal(0)) if row.subtotal_tax not in (None, "") else Decimal(0),
        refunded=refunded,
    )


def _given_back(order: wire.Order, refunds: Sequence[wire.Refund]) -> dict[int, Decimal]:
    """Units given back by line of the order. A line of a refund names it in its meta data; where it does not, what was sold
    does."""
    by_thing = {(line.product_id or 0, line.variation_id or 0): line.id for line in order.line_items or ()}
    found: dict[int, Decimal] = {}
    for refund in refunds:
        for row in refund.line_items or ():
            named = next((str(one.value) for one in row.meta_data or () if one.key == "_refunded_item_id"), "")
            thing = row.product_id or 0, row.variation_id or 0
            line = int(named) if named.isdecimal() else by_thing.get(thing)
            units = wire.decimal(row.quantity, f"refund {refund.id}: quantity")
            if line is not None and units:
                found[line] = found.get(line, Decimal(0)) + abs(units)
    return found


def _charges(order: wire.Order) -> tuple[Charge, ...]:
    """Shipping and fees, with their tax; a negative fee is a discount. Coupons are in the lines already."""
    found: list[Charge] = []
    for kind, rows in ((ChargeKind.SHIPPING, order.shipping_lines), (ChargeKind.FEE, order.fee_lines)):
        for row in rows or ():
            net = wire.decimal(row.total, f"{kind} {row.id}: total") or Decimal(0)
            tax = wire.decimal(row.total_tax, f"{kind} {row.id}: total_tax") or Decimal(0)
            if not net + tax:
                continue
            is_discount = kind is ChargeKind.FEE and net + tax < 0
            name = row.method_title if kind is ChargeKind.SHIPPING else row.name
            found.append(
                Charge(kind=ChargeKind.DISCOUNT if is_discount else kind, amount=net + tax, name=name or "", tax=tax)
            )
    return tuple(found)


def _payments(order: wire.Order, total: Decimal, paid_at: datetime | None) -> tuple[Payment, ...]:
    if paid_at is None or not total:
        return ()
    return (
        Payment(
            method=order.payment_method or "other",
            amount=total,
            label=order.payment_method_title or "",
            reference=order.transaction_id or "",
            paid_at=paid_at,
        ),
    )


def _carrier(rows: Sequence[wire.Charge]) -> tuple[str, str]:
    """The method of the first shipping line as zones name it: "flat_rate:3"."""
    if not rows:
        return "", ""
    row = rows[0]
    return carrier_id(row.method_id or "", row.instance_id), row.method_title or row.method_id or ""


def carrier_id(method: str, instance: str | int | None) -> str:
    """A way of shipping in one zone; some plugins put the instance into the method already."""
    return f"{method}:{instance}" if instance and ":" not in method else method


def _address(row: wire.Address | list[Any] | None, meta: Sequence[wire.Meta] | None) -> Address | None:
    if not isinstance(row, wire.Address) or not (row.address_1 or row.city or row.postcode):
        return None
    vat = next((one.value for one in meta or () if one.key.endswith("vat_number") and isinstance(one.value, str)), "")
    return Address(
        name=_words(row.first_name, row.last_name),
        company=_words(row.company),
        lines=tuple(line for line in (_words(row.address_1), _words(row.address_2)) if line),
        postcode=_words(row.postcode),
        city=_words(row.city),
        state=_words(row.state),
        country=_words(row.country).upper(),
        phone=_words(row.phone),
        vat_number=vat,
    )


def _buyer(order: wire.Order) -> Buyer:
    row = order.billing
    identity = str(order.customer_id or "")
    if not isinstance(row, wire.Address):
        return Buyer(external_id=identity)
    name = _words(row.first_name, row.last_name)
    return Buyer(external_id=identity, name=name, email=_words(row.email), company=_words(row.company))


def _words(*parts: wire.Text) -> str:
    return " ".join(text for part in parts if part is not None and (text := str(part).strip()))


def _tracking(meta: Sequence[wire.Meta]) -> tuple[str, ...]:
    """What the tracking extensions keep on the order."""
    kept = next((one.value for one in meta if one.key == TRACKING_META), None)
    rows = kept if isinstance(kept, list) else []
    numbers = (str(one.get("tracking_number") or "") for one in rows if isinstance(one, dict))
    return tuple(dict.fromkeys(one for one in numbers if one))


# -- products ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What product rows point to, and how the shop counts money and weight."""

    currency: str
    prices_include_tax: bool
    weight_unit: str
    categories: Mapping[int, tuple[str, ...]]
    counts_all: bool = False  # levels are told of what the shop does not count as well


def listing_id(product: int, variation: int = 0) -> str:
    """ "12-34"; a simple product is "12-0", and so is what the variations of one share when it counts for them."""
    return f"{product}-{variation}"


def listing_pair(listing: str) -> tuple[int, int]:
    """The two ids of a listing; raises ValueError for anything else."""
    product, _, variation = listing.partition("-")
    if not (product.isdecimal() and variation.isdecimal()):
        raise ValueError(f"{listing!r} is not a listing of this shop")
    return int(product), int(variation)


def product(row: wire.Product, variations: Sequence[wire.Variation], names: Names) -> tuple[Product, list[Odd]]:
    """A product page with its listings."""
    odd: list[Odd] = []
    listings: list[Listing] = []
    if row.is_variable:
        shared = row.counts_itself and any(one.counted_by_parent for one in variations)
        if shared:
            listings.append(_shared(row, names, odd))
        listings += [_variation(row, one, names, odd) for one in variations]
    else:
        listings.append(_listing(row, row, 0, names, odd, sku=row.sku or ""))
    paths = (names.categories.get(one.id) or (one.name,) for one in row.categories or ())
    images = [one.src for one in row.images or () if one.src]
    return Product(
        external_id=str(row.id),
        name=row.name or f"#{row.id}",
        listings=tuple(listings),
        changed_at=wire.moment_or_none(row.date_modified_gmt, "date_modified_gmt"),
        description=row.description or row.short_description,
        brand=row.brands[0].name if row.brands else "",
        categories=tuple(dict.fromkeys(path for path in paths if path and path[0])),
        page_url=row.permalink,
        images=tuple(Image(ref=src, position=place) for place, src in enumerate(dict.fromkeys(images))),
        enabled=row.status == "publish",
    ), odd


def _shared(row: wire.Product, names: Names, odd: list[Odd]) -> Listing:
    """The one figure that variations share, as a thing of its own: counted, told, and never sold by itself."""
    return _listing(row, row, 0, names, odd, sku=row.sku or "", is_shared=True)


def _variation(row: wire.Product, one: wire.Variation, names: Names, odd: list[Odd]) -> Listing:
    # A variation without a SKU of its own shows its product's: that would make twins of all of them.
    sku = "" if one.sku == row.sku else one.sku or ""
    return _listing(row, one, one.id, names, odd, sku=sku)


def _listing(
    row: wire.Product,
    one: wire.Product | wire.Variation,
    variation: int,
    names: Names,
    odd: list[Odd],
    *,
    sku: str,
    is_shared: bool = False,
) -> Listing:
    external_id = listing_id(row.id, variation)
    if not sku:
        odd.append(Odd(code="product_without_sku", subject=f"listing:{external_id}", severity="info"))
    attributes, image, by_parent = None, None, False
    is_counted = one.counts_itself or names.counts_all
    if isinstance(one, wire.Variation):
        attributes, image = one.attributes, one.image
        by_parent = one.counted_by_parent and row.counts_itself
    weight = wire.decimal(one.weight, "weight") or wire.decimal(row.weight, "weight")
    kilograms = KILOGRAMS.get(names.weight_unit)
    return Listing(
        external_id=external_id,
        sku=sku,
        barcodes=(one.global_unique_id,) if one.global_unique_id and not is_shared else (),
        options={each.name: each.option for each in attributes or () if each.option},
        price=None if is_shared else _price(one, external_id, names, odd),
        weight=weight * kilograms if weight and weight > 0 and kilograms else None,
        enabled=row.status == "publish" and one.status == "publish",
        images=(image.src,) if isinstance(image, wire.Picture) and image.src else (),
        parts=(ListingPart(listing=listing_id(row.id), quantity=Decimal(1)),) if by_parent else (),
        stock_computed=by_parent or row.type in COMPUTED or not is_counted,
        stocked=not one.virtual,
        tax_class=tax_class(one),
    )


def tax_class(one: wire.Sellable) -> str:
    """The slug of its class; products call the standard one nothing."""
    return (one.tax_class or "standard") if one.tax_status == "taxable" else ""


def _price(one: wire.Sellable, listing: str, names: Names, odd: list[Odd]) -> Price | None:
    amount = wire.decimal(one.regular_price, "regular_price")
    if amount is None or not names.currency:
        return None
    if amount < 0:
        odd.append(Odd(code="negative_price", subject=f"listing:{listing}", facts={"price": str(amount)}))
        return None
    return Price(amount=amount, currency=names.currency, tax_included=names.prices_include_tax)


# -- out -----------------------------------------------------------------------------------------------------------------


def whole(level: Decimal) -> int:
    """A level as the shop keeps it: whole pieces, rounded down, since half a piece cannot be sold there."""
    return int(level.to_integral_value(rounding=ROUND_FLOOR))


def price_text(amount: Decimal) -> str:
    """A price as the shop keeps it: up to six decimals, without zeros that say nothing."""
    return f"{amount.quantize(SIX, ROUND_HALF_UP).normalize():f}"

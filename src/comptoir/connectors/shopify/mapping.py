"""Pure translation between Shopify's shapes and ours: no calls, no clock. Each answer comes with what was untidy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

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
    Status,
)
from comptoir.connectors.shopify import wire
from comptoir.kit.money import minor_unit

ZERO = Decimal(0)
KILOGRAMS = {
    "KILOGRAMS": Decimal(1),
    "GRAMS": Decimal("0.001"),
    "POUNDS": Decimal("0.45359237"),
    "OUNCES": Decimal("0.028349523125"),
}
CANCELLED = "CANCELLED"  # ours: Shopify has a date for it, not a status
FINANCIAL = {
    "PENDING": SaleState.UNPAID,
    "AUTHORIZED": SaleState.UNPAID,
    "PARTIALLY_PAID": SaleState.UNPAID,
    "EXPIRED": SaleState.UNPAID,
    "VOIDED": SaleState.UNPAID,
    "PAID": SaleState.PAID,
    "PARTIALLY_REFUNDED": SaleState.PAID,
    "REFUNDED": SaleState.REFUNDED,
}
#: Those that an order is usually in; any other is read all the same.
FULFILMENT = ("UNFULFILLED", "PARTIALLY_FULFILLED", "FULFILLED")
TAXABLE, EXEMPT = "taxable", "exempt"


@dataclass(frozen=True, slots=True)
class Around:
    """What is around an order: where the shop sells from unless it says, and whether authorised is as good as paid."""

    point: str
    accepts_authorized: bool = False


# -- sales ---------------------------------------------------------------------------------------------------------------


def sale(order: wire.Order, around: Around) -> Sale:
    """An order as a sale, in the shop's own currency, after edits and before returns; raises NotUnderstood where something
    we need makes no sense."""
    refunded = _units(line for refund in order.refunds for line in refund.refund_line_items.nodes)
    shipped = _units(
        line for parcel in order.fulfillments if parcel.is_real for line in parcel.fulfillment_line_items.nodes
    )
    # A line that was edited away altogether was never bought, as it stands.
    lines = tuple(
        found for line in order.line_items.nodes if (found := _line(line, order, refunded.get(line.id, 0))) is not None
    )
    charges = _charges(order)
    total = order.total_price_set.shop_money.amount
    charges += _tip(order, total - _sum(lines, charges))
    financial, fulfilment = order.display_financial_status or "", order.display_fulfillment_status or ""
    status = CANCELLED if order.cancelled_at else f"{financial}/{fulfilment}"
    first = order.shipping_lines.nodes[0] if order.shipping_lines.nodes else None
    payments = _payments(order)
    gateway = payments[0].method if payments else next(iter(order.payment_gateway_names), "")
    return Sale(
        external_id=order.legacy_resource_id,
        number=order.name,
        status=status,
        status_name=status_name(status),
        state=_state(order, around),
        placed_at=order.created_at,
        changed_at=order.updated_at,
        currency=order.currency_code,
        total=total,
        total_tax=None if order.total_tax_set is None else order.total_tax_set.shop_money.amount,
        lines=lines,
        charges=charges,
        payments=payments,
        selling_point=_point(order, around),
        carrier="" if first is None else first.code or first.title,
        carrier_name="" if first is None else first.title,
        payment_method=gateway,
        payment_name=next((one.label for one in payments if one.method == gateway), gateway),
        billing=_address(order.billing_address),
        shipping=_address(order.shipping_address),
        buyer=_buyer(order),
        note=order.note or "",
        takes_stock=order.cancelled_at is None,
        shipped_lines={wire.number(line): Decimal(units) for line, units in shipped.items()},
        tracking=tuple(
            dict.fromkeys(
                one.number
                for parcel in order.fulfillments
                if parcel.is_real
                for one in parcel.tracking_info
                if one.number
            )
        ),
    )


def _units(lines: Iterable[wire.LineUnits]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        found[line.line_item.id] += line.quantity or 0
    return found


def _state(order: wire.Order, around: Around) -> SaleState:
    if order.cancelled_at is not None:
        return SaleState.CANCELLED
    if order.display_financial_status == "REFUNDED":
        return SaleState.REFUNDED
    if order.display_fulfillment_status == "FULFILLED":
        return SaleState.SHIPPED
    if not order.confirmed:
        return SaleState.UNPAID
    if order.display_financial_status == "AUTHORIZED" and around.accepts_authorized:
        return SaleState.PAID
    # Null where nothing was ever asked for, or a value newer than this page: not paid as far as we know.
    return FINANCIAL.get(order.display_financial_status or "", SaleState.UNPAID)


def _line(row: wire.Line, order: wire.Order, refunded: int) -> SaleLine | None:
    """`quantity` stays what it was at first and `currentQuantity` is less units edited away and units given back: what is
    neither there nor refunded was edited away."""
    if row.quantity < 0 or row.current_quantity < 0:
        raise NotUnderstood(f"line {row.id} has quantity {row.quantity}", field="quantity", answer="")
    kept = min(row.quantity, row.current_quantity + refunded)
    if not kept:
        return None
    share = Decimal(kept) / row.quantity
    cent = minor_unit(order.currency_code)
    price = row.original_unit_price_set.shop_money.amount
    # Unit prices after discounts are rounded by the shop; its allocations are not, so a line is booked from them.
    discount = _share(
        sum((one.allocated_amount_set.shop_money.amount for one in row.discount_allocations), ZERO), share, cent
    )
    tax = _share(_tax(row.tax_lines), share, cent)
    total = price * kept - discount + (ZERO if order.taxes_included else tax)
    rate = sum((one.rate for one in row.tax_lines if one.rate is not None), ZERO)
    return SaleLine(
        external_id=wire.number(row.id),
        name=f"{row.title} - {row.variant_title}" if row.variant_title else row.title,
        quantity=Decimal(kept),
        unit_price=price if order.taxes_included else (price * (1 + rate)).quantize(Decimal("0.000001")),
        total=total,
        kind=_kind(row),
        listing=row.variant.legacy_resource_id if row.variant else "",
        sku=row.sku or "",
        barcode=(row.variant.barcode or "") if row.variant else "",
        tax=tax,
        tax_rate=rate * 100 if row.tax_lines else None,
        discount=discount,
        refunded=Decimal(min(refunded, kept)),
    )


def _share(amount: Decimal, share: Decimal, cent: Decimal) -> Decimal:
    return amount if share == 1 else (amount * share).quantize(cent, ROUND_HALF_UP)


def _kind(row: wire.Line) -> LineKind:
    if row.is_gift_card:
        return LineKind.GIFT_CARD
    if row.variant is None and row.product is None and not row.sku:
        return LineKind.TEXT  # typed in by hand, or deleted since: nothing says what it was
    return LineKind.GOODS if row.requires_shipping else LineKind.SERVICE


def _tax(lines: Sequence[wire.Tax]) -> Decimal:
    return sum((one.price_set.shop_money.amount for one in lines), ZERO)


def _charges(order: wire.Order) -> tuple[Charge, ...]:
    found = [
        _charge(ChargeKind.SHIPPING, one.discounted_price_set, one.tax_lines, one.title, order)
        for one in order.shipping_lines.nodes
    ]
    found += [_charge(ChargeKind.FEE, one.price, one.tax_lines, one.name, order) for one in order.additional_fees]
    duties = order.current_total_duties_set
    if duties is not None and not order.duties_included:
        found.append(_charge(ChargeKind.FEE, duties, (), "Duties", order))
    return tuple(one for one in found if one.amount)


def _charge(kind: ChargeKind, price: wire.Bag, taxes: Sequence[wire.Tax], name: str, order: wire.Order) -> Charge:
    tax = _tax(taxes)
    amount = price.shop_money.amount + (ZERO if order.taxes_included else tax)
    return Charge(kind=kind, amount=amount, name=name, tax=tax)


def _tip(order: wire.Order, missing: Decimal) -> tuple[Charge, ...]:
    """A tip may come as a line of its own or only within the total: it is added where the total misses it."""
    tip = order.total_tip_received_set.shop_money.amount if order.total_tip_received_set else ZERO
    if not tip or abs(missing - tip) > abs(missing):
        return ()
    return (Charge(kind=ChargeKind.TIP, amount=tip, tax=ZERO),)


def _sum(lines: Sequence[SaleLine], charges: Sequence[Charge]) -> Decimal:
    return sum((one.total for one in lines), ZERO) + sum((one.amount for one in charges), ZERO)


def _payments(order: wire.Order) -> tuple[Payment, ...]:
    """Money that came in: what was only authorised is none, and change given over the counter went out again."""
    signs = {"SALE": 1, "CAPTURE": 1, "CHANGE": -1}
    return tuple(
        Payment(
            method=one.gateway or "",
            amount=one.amount_set.shop_money.amount * signs[one.kind],
            label=one.formatted_gateway or one.gateway or "",
            reference=wire.number(one.id),
            paid_at=one.processed_at,
        )
        for one in order.transactions
        if one.status == "SUCCESS" and one.kind in signs and one.amount_set.shop_money.amount
    )


def _point(order: wire.Order, around: Around) -> str:
    """Where the shop took the units off: at the counter, or where the first of its fulfilment orders is."""
    if order.retail_location is not None:
        return order.retail_location.legacy_resource_id
    for one in order.fulfillment_orders.nodes:
        if one.assigned_location.location is not None:
            return one.assigned_location.location.legacy_resource_id
    return around.point


def _address(row: wire.Address | None) -> Address | None:
    """Every part may be null: buyers' data are protected, and an app may not be let to read them."""
    if row is None:
        return None
    return Address(
        name=f"{row.first_name or ''} {row.last_name or ''}".strip(),
        company=row.company or "",
        lines=tuple(line for line in (row.address1, row.address2) if line),
        postcode=row.zip or "",
        city=row.city or "",
        state=row.province_code or "",
        country=row.country_code_v2 or "",
        phone=row.phone or "",
    )


def _buyer(order: wire.Order) -> Buyer:
    row, billed = order.customer, order.billing_address
    name = f"{row.first_name or ''} {row.last_name or ''}".strip() if row else ""
    return Buyer(
        external_id=row.legacy_resource_id if row else "",
        name=name,
        email=order.email or "",
        company=(billed.company or "") if billed else "",
    )


def status_name(status: str) -> str:
    """ "Paid, partially fulfilled"."""
    financial, _, fulfilment = (part.replace("_", " ").lower() for part in status.partition("/"))
    return ", ".join(part for part in (financial, fulfilment) if part).capitalize()


def statuses(*, accepts_authorized: bool) -> tuple[Status, ...]:
    """What an order's two statuses mean together. A cancelled one counts as that, whatever they say."""
    found = [Status(external_id=CANCELLED, name=status_name(CANCELLED), state=SaleState.CANCELLED)]
    for financial, state in FINANCIAL.items():
        if financial == "AUTHORIZED" and accepts_authorized:
            state = SaleState.PAID
        for fulfilment in FULFILMENT:
            is_shipped = fulfilment == "FULFILLED" and state is not SaleState.REFUNDED
            key = f"{financial}/{fulfilment}"
            found.append(
                Status(external_id=key, name=status_name(key), state=SaleState.SHIPPED if is_shipped else state)
            )
    return tuple(found)


# -- products ------------------------------------------------------------------------------------------------------------


def product(row: wire.Product, shop: wire.Shop) -> tuple[Product, list[Odd]]:
    """A product page with its variants as listings."""
    odd: list[Odd] = []
    is_sold = row.status in ("ACTIVE", "UNLISTED")
    pictures = [one.image.url for one in row.media.nodes if one.image is not None]
    own = [one.image.url for variant in row.variants.nodes for one in variant.media.nodes if one.image is not None]
    return Product(
        external_id=row.legacy_resource_id,
        name=row.title,
        listings=tuple(_listing(one, row, shop, is_sold, odd) for one in row.variants.nodes),
        changed_at=row.updated_at,
        description=row.description_html,
        brand=row.vendor,
        categories=_categories(row),
        page_url=row.online_store_url or (f"{shop.url.rstrip('/')}/products/{row.handle}" if row.handle else ""),
        images=tuple(Image(ref=ref, position=place) for place, ref in enumerate(dict.fromkeys([*pictures, *own]))),
        enabled=is_sold,
    ), odd


def _categories(row: wire.Product) -> tuple[tuple[str, ...], ...]:
    paths = []
    if row.category is not None:
        paths.append(tuple(part.strip() for part in row.category.full_name.split(" > ") if part.strip()))
    if row.product_type:
        paths.append((row.product_type,))
    return tuple(paths)


def _listing(row: wire.Variant, product: wire.Product, shop: wire.Shop, is_sold: bool, odd: list[Odd]) -> Listing:
    external_id, item = row.legacy_resource_id, row.inventory_item
    if not row.sku:
        odd.append(Odd(code="product_without_sku", subject=f"listing:{external_id}", severity="info"))
    usable: Price | None = Price(amount=row.price, currency=shop.currency_code, tax_included=shop.taxes_included)
    if row.price < 0:
        odd.append(Odd(code="negative_price", subject=f"listing:{external_id}", facts={"price": str(row.price)}))
        usable = None
    weight = item.measurement.weight if item.measurement else None
    factor = KILOGRAMS.get(weight.unit) if weight else None
    return Listing(
        external_id=external_id,
        sku=row.sku or "",
        barcodes=(row.barcode,) if row.barcode else (),
        options={} if product.has_only_default_variant else {one.name: one.value for one in row.selected_options},
        price=usable,
        cost=item.unit_cost.amount if item.unit_cost and item.unit_cost.amount > 0 else None,
        weight=weight.value * factor if weight and factor and weight.value > 0 else None,
        enabled=is_sold,
        images=tuple(one.image.url for one in row.media.nodes if one.image is not None),
        parts=tuple(
            ListingPart(listing=part.product_variant.legacy_resource_id, quantity=Decimal(part.quantity))
            for part in row.product_variant_components.nodes
        ),
        stock_computed=row.requires_components,
        stocked=row.requires_components or item.tracked,
        tax_class=TAXABLE if row.taxable else EXEMPT,
    )

"""Pure translation between PrestaShop's shapes and ours: no calls, no clock. Each answer comes with what was untidy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

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
    Rounding,
    Sale,
    SaleLine,
    SaleState,
)
from comptoir.connectors.prestashop import wire
from comptoir.connectors.prestashop.reading import to_utc

#: PS_ROUND_TYPE
ROUNDINGS = {1: Rounding.UNIT, 2: Rounding.LINE, 3: Rounding.TOTAL}
#: PS_WEIGHT_UNIT -> kilograms
KILOGRAMS = {
    "kg": Decimal(1),
    "g": Decimal("0.001"),
    "lb": Decimal("0.45359237"),
    "lbs": Decimal("0.45359237"),
    "oz": Decimal("0.028349523125"),
}
COMPUTED_PACKS = (1, 2)  # pack_stock_type: take the parts only; take pack and parts
TRACKING_SIGNS = set("~:#,%&_=()[].?+-@/ ")  # besides letters and digits (Validate::isTrackingNumber)
TRACKING_LENGTH = 64


@dataclass(frozen=True, slots=True)
class States:
    """The shop's order states and the few whose ids its settings name."""

    rows: Mapping[int, wire.OrderState]
    cancelled: int = 0
    refunded: int = 0
    error: int = 0
    shipping: int = 0
    language: int = 1

    def meaning(self, state: int) -> SaleState:
        """What a state means, by its flags: ids differ between shops and merchants add their own."""
        if state and state == self.cancelled:
            return SaleState.CANCELLED
        if state and state == self.refunded:
            return SaleState.REFUNDED
        row = self.rows.get(state)
        if row is None:
            return SaleState.UNKNOWN
        if row.shipped:
            return SaleState.SHIPPED
        return SaleState.PAID if row.paid or row.logable else SaleState.UNPAID

    def name(self, state: int) -> str:
        row = self.rows.get(state)
        return wire.text_in(row.name, self.language) if row else ""

    def takes_stock(self, state: int) -> bool:
        """PrestaShop takes units off when an order is placed and gives them back in these two states."""
        return not state or state not in (self.cancelled, self.error)


@dataclass(frozen=True, slots=True)
class SaleContext:
    """What is around one order."""

    zone: ZoneInfo
    states: States
    currency: str
    selling_point: str
    details: Sequence[wire.OrderDetail] = ()
    payments: Sequence[wire.OrderPayment] = ()
    carriers: Sequence[wire.OrderCarrier] = ()
    messages: Sequence[wire.Message] = ()
    carrier: wire.Carrier | None = None
    billing: Address | None = None
    shipping: Address | None = None
    customer: wire.Customer | None = None
    kinds: Mapping[int, wire.ProductKind] = field(default_factory=dict)
    shop_name: str = ""


def sale(order: wire.Order, around: SaleContext) -> Sale:
    """An order as a sale; raises NotUnderstood where something we need makes no sense."""
    if not around.currency:
        raise NotUnderstood(
            f"currency {order.id_currency} is unknown", field="id_currency", answer=str(order.id_currency)
        )
    lines = tuple(_line(detail, around.kinds.get(detail.product_id)) for detail in around.details)
    shown = around.states.name(order.current_state)
    return Sale(
        external_id=str(order.id),
        number=f"{order.reference} #{order.id}" if order.reference else f"#{order.id}",
        status=str(order.current_state),
        status_name=shown,
        state=around.states.meaning(order.current_state),
        placed_at=to_utc(order.date_add, around.zone),
        changed_at=to_utc(order.date_upd, around.zone),
        currency=around.currency,
        rate=order.conversion_rate,
        rounding=ROUNDINGS.get(order.round_type, Rounding.LINE),
        total=order.total_paid_tax_incl,
        total_tax=_tax(order.total_paid_tax_incl, order.total_paid_tax_excl),
        lines=lines,
        charges=_charges(order),
        payments=_payments(order, around),
        selling_point=around.selling_point,
        carrier=_carrier_key(order, around.carrier),
        carrier_name=_carrier_name(around),
        payment_method=order.module,
        payment_name=order.payment,
        billing=around.billing,
        shipping=around.shipping,
        buyer=_buyer(order, around),
        note=_note(order, around.messages),
        group=order.reference,
        takes_stock=around.states.takes_stock(order.current_state),
        tracking=tuple(dict.fromkeys(row.tracking_number for row in around.carriers if row.tracking_number)),
    )


def _line(row: wire.OrderDetail, kind: wire.ProductKind | None) -> SaleLine:
    if row.product_quantity < 0:
        raise NotUnderstood(f"line {row.id} has quantity {row.product_quantity}", field="product_quantity", answer="")
    return SaleLine(
        external_id=str(row.id),
        name=row.product_name,
        quantity=Decimal(row.product_quantity),
        unit_price=row.unit_price_tax_incl,
        total=row.total_price_tax_incl,
        kind=_line_kind(kind),
        listing=listing_id(row.product_id, row.product_attribute_id) if row.product_id else "",
        sku=row.product_reference,
        barcode=row.product_ean13 or row.product_upc or row.product_isbn,
        tax=_tax(row.total_price_tax_incl, row.total_price_tax_excl),
        tax_rate=_rate(row.total_price_tax_incl, row.total_price_tax_excl),
        # A return that was also refunded is counted in both columns.
        refunded=Decimal(max(row.product_quantity_refunded, row.product_quantity_return)),
    )


def _line_kind(product: wire.ProductKind | None) -> LineKind:
    if product is None:
        return LineKind.GOODS  # deleted since: the line says nothing of its kind
    if product.is_service:
        return LineKind.SERVICE
    return LineKind.KIT if product.is_pack else LineKind.GOODS


def _charges(order: wire.Order) -> tuple[Charge, ...]:
    found = (
        (ChargeKind.SHIPPING, order.total_shipping_tax_incl, order.total_shipping_tax_excl),
        (ChargeKind.WRAPPING, order.total_wrapping_tax_incl, order.total_wrapping_tax_excl),
        (
            ChargeKind.DISCOUNT,
            -order.total_discounts_tax_incl,
            None if order.total_discounts_tax_excl is None else -order.total_discounts_tax_excl,
        ),
    )
    return tuple(Charge(kind=kind, amount=incl, tax=_tax(incl, excl)) for kind, incl, excl in found if incl)


def _payments(order: wire.Order, around: SaleContext) -> tuple[Payment, ...]:
    """Payments hang on the reference, which split orders share: then only what the order itself says was paid counts."""
    rows = around.payments
    if order.total_paid_real and rows and sum(row.amount for row in rows) != order.total_paid_real:
        first = rows[0]
        return (
            Payment(
                method=order.module,
                amount=order.total_paid_real,
                label=order.payment,
                reference=first.transaction_id if len(rows) == 1 else "",
                paid_at=_moment(first.date_add, around.zone),
            ),
        )
    return tuple(
        Payment(
            method=order.module if row.payment_method in ("", order.payment) else row.payment_method,
            amount=row.amount,
            label=row.payment_method or order.payment,
            reference=row.transaction_id,
            paid_at=_moment(row.date_add, around.zone),
        )
        for row in rows
    )


def _moment(stamp: str, zone: ZoneInfo) -> datetime | None:
    return None if not stamp or stamp.startswith("0000") else to_utc(stamp, zone)


def _carrier_key(order: wire.Order, carrier: wire.Carrier | None) -> str:
    """A carrier gets a new id at each edit; `id_reference` stays."""
    if carrier is not None:
        return str(carrier.id_reference or carrier.id)
    return f"gone-{order.id_carrier}" if order.id_carrier else ""


def _carrier_name(around: SaleContext) -> str:
    if around.carrier is None:
        return ""
    # The carrier called "0" is shown under the shop's name ("pick up in store" of a fresh installation).
    return around.shop_name if around.carrier.name == "0" else around.carrier.name


def _buyer(order: wire.Order, around: SaleContext) -> Buyer:
    row = around.customer
    if row is None:
        return Buyer(external_id=str(order.id_customer or ""))
    name = f"{row.firstname} {row.lastname}".strip()
    return Buyer(external_id=str(row.id), name=name, email=row.email, company=row.company)


def _note(order: wire.Order, messages: Sequence[wire.Message]) -> str:
    said = [row.message for row in messages if not row.private and not row.id_employee and row.message]
    if order.gift_message:
        said.append(order.gift_message)
    return "\n".join(said)


def address(row: wire.Address, country: str, state: str) -> Address:
    """An address; what a courier needs in `other` comes as a last line."""
    return Address(
        name=f"{row.firstname} {row.lastname}".strip(),
        company=row.company,
        lines=tuple(line for line in (row.address1, row.address2, row.other) if line),
        postcode=row.postcode,
        city=row.city,
        state=state,
        country=country,
        phone=row.phone_mobile or row.phone,
        vat_number=row.vat_number or row.dni,
    )


def _tax(including: Decimal, excluding: Decimal | None) -> Decimal | None:
    return None if excluding is None else including - excluding


def _rate(including: Decimal, excluding: Decimal | None) -> Decimal | None:
    if not excluding:
        return None
    return ((including / excluding - 1) * 100).quantize(Decimal("0.1"))


# -- products -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What product ids point to."""

    language: int
    languages: Mapping[int, str]
    currency: str
    categories: Mapping[int, tuple[str, ...]]
    option_values: Mapping[int, wire.OptionValue]
    options: Mapping[int, wire.Option]
    weight_unit: str
    pack_stock_type: int
    shop_url: str
    zone: ZoneInfo


def listing_id(product: int, attribute: int) -> str:
    """ "12-34"; a simple product is "12-0"."""
    return f"{product}-{attribute}"


def listing_pair(listing: str) -> tuple[int, int]:
    """The two ids of a listing; raises ValueError for anything else."""
    product, _, attribute = listing.partition("-")
    return int(product), int(attribute)


def is_computed(row: wire.ProductKind, default: int) -> bool:
    """Whether the shop works the stock of a pack out from its parts, so that nobody may write it."""
    return row.is_pack and (default if row.pack_stock_type == 3 else row.pack_stock_type) in COMPUTED_PACKS


def product(row: wire.Product, combinations: Sequence[wire.Combination], names: Names) -> tuple[Product, list[Odd]]:
    """A product page with its listings."""
    odd: list[Odd] = []
    variants: list[tuple[int, wire.Combination | None]] = [(one.id, one) for one in combinations] or [(0, None)]
    listings = tuple(_listing(row, attribute, one, names, odd) for attribute, one in variants)
    images = sorted((one.id for one in row.associations.images), key=lambda one: (one != row.id_default_image, one))
    paths = (names.categories.get(one.id, ()) for one in row.associations.categories)
    changed = _moment(row.date_upd, names.zone)
    other = {} if isinstance(row.name, str) else row.name
    description = wire.text_in(row.description, names.language) or wire.text_in(row.description_short, names.language)
    return Product(
        external_id=str(row.id),
        name=wire.text_in(row.name, names.language) or f"#{row.id}",
        names={
            names.languages[key]: text
            for key, text in other.items()
            if key != names.language and key in names.languages
        },
        listings=listings,
        changed_at=changed,
        description=description,
        brand=row.manufacturer_name,
        categories=tuple(dict.fromkeys(path for path in paths if path)),
        # The plain address works whatever the shop's address rewriting is; it leads to the pretty one.
        page_url=f"{names.shop_url}/index.php?controller=product&id_product={row.id}",
        images=tuple(Image(ref=image_ref(row.id, one), position=place) for place, one in enumerate(images)),
        enabled=row.active,
    ), odd


def image_ref(product: int, image: int) -> str:
    """What a picture is fetched by."""
    return f"{product}/{image}"


def _listing(row: wire.Product, attribute: int, one: wire.Combination | None, names: Names, odd: list[Odd]) -> Listing:
    external_id = listing_id(row.id, attribute)
    source: wire.Product | wire.Combination = one or row
    # A combination without a code of its own does not inherit its product's: that would make twins of all of them.
    if not source.reference:
        odd.append(Odd(code="product_without_sku", subject=f"listing:{external_id}", severity="info"))
    amount = row.price + (one.price if one else 0)
    price = Price(amount=amount, currency=names.currency, tax_included=False)
    usable: Price | None = price
    if amount < 0:
        odd.append(Odd(code="negative_price", subject=f"listing:{external_id}", facts={"price": str(amount)}))
        usable = None
    elif not names.currency:
        usable = None  # said once for the shop, not once per product
    kilograms = KILOGRAMS.get(names.weight_unit.lower())
    weight = row.weight + (one.weight if one else 0)
    cost = one.wholesale_price if one and one.wholesale_price else row.wholesale_price
    return Listing(
        external_id=external_id,
        sku=source.reference,
        barcodes=tuple(dict.fromkeys(code for code in (source.ean13, source.upc, source.isbn) if code)),
        options=_options(one, names) if one else {},
        price=usable,
        cost=cost if cost > 0 else None,
        weight=weight * kilograms if kilograms and weight > 0 else None,
        enabled=row.active and row.available_for_order,
        images=tuple(image_ref(row.id, image.id) for image in (one.associations.images if one else ()) if image.id),
        parts=tuple(
            ListingPart(listing=listing_id(part.id, part.id_product_attribute), quantity=Decimal(part.quantity))
            for part in row.associations.product_bundle
        ),
        stock_computed=is_computed(row, names.pack_stock_type),
        stocked=not row.is_service,
        tax_class=str(row.id_tax_rules_group or ""),
        supplier_code=source.supplier_reference,
        mpn=source.mpn,
    )


def _options(one: wire.Combination, names: Names) -> dict[str, str]:
    found: dict[str, str] = {}
    for reference in one.associations.product_option_values:
        value = names.option_values.get(reference.id)
        if value is None:
            continue
        option = names.options.get(value.id_attribute_group)
        label = (
            wire.text_in(option.public_name or option.name, names.language) if option else str(value.id_attribute_group)
        )
        found[label] = wire.text_in(value.name, names.language)
    return found


# -- out ------------------------------------------------------------------------------------------------------------


def whole(level: Decimal) -> int:
    """A level as the shop keeps it: whole pieces, rounded down, since half a piece cannot be sold there."""
    return int(level.to_integral_value(rounding=ROUND_FLOOR))


def tracking_text(numbers: Sequence[str]) -> str:
    """Tracking numbers of all parcels in the one field the shop has: the newest that fit, oldest first."""
    clean = [_allowed(number) for number in dict.fromkeys(numbers)]
    kept: list[str] = []
    for number in reversed([one for one in clean if one]):
        if len(", ".join([number, *kept])) > TRACKING_LENGTH:
            break
        kept.insert(0, number)
    return ", ".join(kept)


def _allowed(number: str) -> str:
    signs = (sign for sign in number.strip() if (sign.isascii() and sign.isalnum()) or sign in TRACKING_SIGNS)
    return "".join(signs)[:TRACKING_LENGTH]

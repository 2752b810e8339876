"""What was sold becomes lines to serve: aliases give way to their masters, kits get their parts. Two statements a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from comptoir.commerce.orders.errors import NotAcceptable
from comptoir.commerce.orders.models import LineKind
from comptoir.commerce.orders.records import ZERO, NewLine
from comptoir.kit import money, sql
from comptoir.kit.errors import ComptoirError

_LARGEST_QUANTITY = Decimal(10) ** 10
_LARGEST_AMOUNT = Decimal(10) ** 13

# Each sold variant with what serves it: itself, its master, or the parts of the kit that either is.
_SERVED = """
    SELECT sold.id, served.id, served.kind, served.is_stocked, served.unit,
           part.id, part.sku, part.is_stocked, part.unit, product.name, kit_part.quantity
    FROM catalog_variant AS sold
    JOIN catalog_variant AS served ON served.id = coalesce(sold.alias_of_id, sold.id)
    LEFT JOIN catalog_kitpart AS kit_part ON kit_part.kit_id = served.id AND served.kind = 'kit'
    LEFT JOIN catalog_variant AS part ON part.id = kit_part.part_id
    LEFT JOIN catalog_product AS product ON product.id = part.product_id
    WHERE sold.id = ANY (%s)
    ORDER BY sold.id, kit_part.id
"""


@dataclass(slots=True, kw_only=True, eq=False)
class DraftLine:
    """A line of an order on its way in."""

    position: int
    kind: LineKind
    name: str
    quantity: Decimal
    unit_price: Decimal = ZERO
    total: Decimal = ZERO
    variant: int | None = None
    parent: DraftLine | None = None
    external_id: str = ""
    listing: str = ""
    sku: str = ""
    tax_rate: Decimal | None = None
    tax: Decimal | None = None
    discount: Decimal = ZERO
    cancelled: Decimal = ZERO
    id: int = 0

    @property
    def reserves(self) -> bool:
        return self.kind in {LineKind.GOODS, LineKind.PART}


@dataclass(frozen=True, slots=True)
class _Part:
    variant: int
    sku: str
    name: str
    is_stocked: bool
    unit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class _Served:
    variant: int
    is_kit: bool
    is_stocked: bool
    unit: str
    parts: tuple[_Part, ...]


def draft(
    sales: Sequence[Sequence[NewLine]], names: Sequence[str], *, first_position: int = 1
) -> list[list[DraftLine] | ComptoirError]:
    """The lines of each sale, or why they cannot be an order's. `names` are for the refusals."""
    served = _served(sorted({line.variant for lines in sales for line in lines if line.variant is not None}))
    outcome: list[list[DraftLine] | ComptoirError] = []
    for lines, name in zip(sales, names, strict=True):
        try:
            outcome.append(_lines(lines, name, served, first_position))
        except NotAcceptable as refusal:
            outcome.append(refusal)
    return outcome


def _served(variants: list[int]) -> dict[int, _Served]:
    if not variants:
        return {}
    found: dict[int, _Served] = {}
    for sold, variant, kind, is_stocked, unit, part, *about in sql.rows(_SERVED, [variants]):
        before = found.get(sold)
        parts = before.parts if before else ()
        if part is not None:
            sku, part_stocked, part_unit, name, quantity = about
            parts = (*parts, _Part(part, sku, name, part_stocked, part_unit, quantity))
        found[sold] = _Served(variant, kind == "kit", is_stocked, unit, parts)
    return found


def _lines(lines: Sequence[NewLine], name: str, served: dict[int, _Served], position: int) -> list[DraftLine]:
    drafts: list[DraftLine] = []
    for number, line in enumerate(lines, 1):
        place = f"line {line.external_id or number}"
        quantity = _quantity(line.quantity, name, place)
        for amount in (line.total, line.unit_price, line.discount, line.tax or ZERO):
            if not amount.is_finite() or abs(amount) >= _LARGEST_AMOUNT:
                raise NotAcceptable(name, place, str(amount), "an amount below ten billion")
        for text in (line.external_id, line.sku):
            if len(text) > 80 or "\0" in text:
                raise NotAcceptable(name, place, text[:100], "at most 80 characters")
        try:
            kind = LineKind(line.kind)
        except ValueError as error:
            raise NotAcceptable(name, place, line.kind, "a kind of line that there is") from error
        what = served.get(line.variant) if line.variant is not None else None
        if kind in {LineKind.GOODS, LineKind.KIT, LineKind.PART}:
            if what is None:
                raise NotAcceptable(name, place, line.sku, "match it with a variant")
            if what.is_kit:
                kind = LineKind.KIT
            else:
                kind = LineKind.GOODS if what.is_stocked else LineKind.SERVICE
        heading = DraftLine(
            position=position + len(drafts),
            kind=kind,
            name=line.name.replace("\0", "")[:255],
            quantity=quantity,
            unit_price=line.unit_price,
            total=line.total,
            variant=what.variant if what else None,
            external_id=line.external_id,
            listing=line.listing.replace("\0", "")[:120],
            sku=line.sku,
            tax_rate=line.tax_rate,
            tax=line.tax,
            discount=line.discount,
        )
        drafts.append(heading)
        if what and kind is LineKind.KIT:
            if not what.parts:
                raise NotAcceptable(name, place, line.sku, "give the kit its parts")
            for part in what.parts:
                of_part = _quantity(quantity * part.quantity, name, f"{place}, part {part.sku}")
                _fits(of_part, part.unit, name, f"{place}, part {part.sku}")
                drafts.append(
                    DraftLine(
                        position=position + len(drafts),
                        kind=LineKind.PART if part.is_stocked else LineKind.SERVICE,
                        name=part.name[:255],
                        quantity=of_part,
                        variant=part.variant,
                        parent=heading,
                        sku=part.sku,
                    )
                )
        elif what and kind is LineKind.GOODS:
            _fits(quantity, what.unit, name, place)
    return drafts


def _quantity(number: Decimal, name: str, place: str) -> Decimal:
    cure = "a quantity above zero with at most three decimals"
    if not number.is_finite() or not 0 < number < _LARGEST_QUANTITY:
        raise NotAcceptable(name, place, str(number), cure)
    try:
        return money.quantity(number)
    except ValueError as error:
        raise NotAcceptable(name, place, str(number), cure) from error


def _fits(number: Decimal, unit: str, name: str, place: str) -> None:
    if not money.fits_unit(number, unit):
        raise NotAcceptable(name, place, str(number), "it is sold by the piece: a whole number")

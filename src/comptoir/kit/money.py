"""Money is Decimal with a currency; quantities are Decimal with three places. Never float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

CENT = Decimal("0.01")
THOUSANDTH = Decimal("0.001")
ZERO = Decimal(0)

# ISO 4217 minor units where they are not two.
_MINOR_UNITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class Unit(StrEnum):
    """What a variant is counted in."""

    PIECE = "piece"  #: whole pieces only; fractions are refused
    KILOGRAM = "kg"  #: by weight
    METRE = "m"  #: by length
    LITRE = "l"  #: by volume


def minor_unit(currency: str) -> Decimal:
    """The smallest amount that can be paid in `currency` (ISO 4217): 0.01 for EUR, 1 for JPY, 0.001 for TND."""
    return Decimal(1).scaleb(-_MINOR_UNITS.get(currency, 2))


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """`amount` rounded half up to the smallest unit of `currency`, as invoices are."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_UP)


def quantity(value: Decimal | int | str) -> Decimal:
    """A quantity with three places; raises ValueError if it has more."""
    number = Decimal(value)
    rounded = number.quantize(THOUSANDTH)
    if rounded != number:
        raise ValueError(f"a quantity has at most three decimals, got {value}")
    return rounded


def fits_unit(number: Decimal, unit: str) -> bool:
    """Whether `number` can be a quantity of something counted in `unit`: pieces come whole."""
    return unit != Unit.PIECE or number == number.to_integral_value()

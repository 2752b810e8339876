"""Whether a channel's own rounding explains that lines and charges do not add up to its total. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from comptoir.kit.money import minor_unit, to_minor


class Mode(StrEnum):
    """Where the channel rounds."""

    UNIT = "unit"  #: each unit price, then multiplied
    LINE = "line"  #: each line
    TOTAL = "total"  #: only the sum; what lines show is rounded for the eye


class Priced(Protocol):
    """A line of a sale or of an order, as far as money goes."""

    @property
    def unit_price(self) -> Decimal: ...
    @property
    def total(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Explained:
    """It adds up to the cent (difference 0), or becomes so with a rounding charge of `difference`."""

    difference: Decimal


@dataclass(frozen=True, slots=True)
class Unexplained:
    """No rounding of that mode makes so much: the sale waits."""

    difference: Decimal
    allowed: Decimal


def explain(
    total: Decimal, lines: Sequence[Priced], charges: Iterable[Decimal], currency: str, mode: str
) -> Explained | Unexplained:
    """What `total` differs from the sum of lines and charges, and whether `mode` explains it.

    Each amount that the mode rounds can be off by half a minor unit, so a line already stated in whole minor units
    explains nothing where lines or unit prices are what is rounded.
    """
    charges = tuple(charges)
    unit = minor_unit(currency)
    sum_ = sum((line.total for line in lines), Decimal(0)) + sum(charges, Decimal(0))
    difference = total - sum_
    if to_minor(sum_, currency) == total:
        return Explained(Decimal(0))
    match Mode(mode):
        case Mode.UNIT:
            rounded = [line for line in lines if line.unit_price % unit or line.total % unit]
        case Mode.LINE:
            rounded = [line for line in lines if line.total % unit]
        case Mode.TOTAL:
            rounded = list(lines)
    count = len(rounded) + sum(1 for amount in charges if amount % unit)
    allowed = unit / 2 * min(count, max(len(lines), 1))  # never more than half a minor unit per line
    return Explained(difference) if abs(difference) <= allowed else Unexplained(difference, allowed)

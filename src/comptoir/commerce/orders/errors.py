"""What the business refuses about orders, each with its facts: number and names, never an id alone.

ComptoirError
├── Conflict
│   ├── MoveNotAllowed      a status or preparation cannot follow the present one
│   ├── Blocked             changed at the channel: preparation waits for a person
│   ├── NotToPrepare        only a processing order is prepared and shipped
│   ├── AlreadyLeft         units have left: they cannot be cancelled or replaced
│   ├── TooMuch             more than is open on the line
│   └── NotEnough           an order that comes in complete lacks available units
└── BadInput
    ├── TotalsDiffer        lines and charges do not add up to the total
    └── NotAcceptable       a sale's field cannot become an order's
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from comptoir.kit.errors import BadInput, Conflict


class MoveNotAllowed(Conflict):
    """Order `number` is `before` and cannot become `after`."""

    def __init__(self, number: str, before: str, after: str) -> None:
        super().__init__(
            f"order {number} is {before} and cannot become {after}", number=number, before=before, after=after
        )
        self.number, self.before, self.after = number, before, after


class Blocked(Conflict):
    """Order `number` changed at its channel; a person decides before it is prepared."""

    def __init__(self, number: str) -> None:
        super().__init__(f"order {number} changed at its channel and waits for a person", number=number)
        self.number = number


class NotToPrepare(Conflict):
    """Order `number` is `status`, and only processing orders are prepared and shipped."""

    def __init__(self, number: str, status: str) -> None:
        super().__init__(
            f"order {number} is {status}; only a processing order is prepared", number=number, status=status
        )
        self.number, self.status = number, status


class AlreadyLeft(Conflict):
    """Units of order `number` have left, so that what was asked cannot be done; `lines` names them."""

    def __init__(self, number: str, lines: Sequence[str]) -> None:
        super().__init__(f"units of order {number} have left: {', '.join(lines)}", number=number, lines=list(lines))
        self.number, self.lines = number, list(lines)


class TooMuch(Conflict):
    """`asked` is more than the `open` units of a line of order `number`."""

    def __init__(self, number: str, line: str, asked: Decimal, open_: Decimal) -> None:
        super().__init__(
            f"order {number}, {line}: {asked} asked, {open_} open",
            number=number,
            line=line,
            asked=str(asked),
            open=str(open_),
        )
        self.number, self.line, self.asked, self.open = number, line, asked, open_


class NotEnough(Conflict):
    """A sale that would come in complete lacks available units; `short` is SKU -> missing."""

    def __init__(self, external_number: str, short: dict[str, Decimal]) -> None:
        super().__init__(
            f"{external_number} cannot come in complete: {', '.join(f'{sku} lacks {q}' for sku, q in short.items())}",
            number=external_number,
            short={sku: str(missing) for sku, missing in short.items()},
        )
        self.number, self.short = external_number, short


class TotalsDiffer(BadInput):
    """Lines and charges come to `sum`, the sale says `total`."""

    def __init__(self, external_number: str, total: Decimal, sum_: Decimal) -> None:
        super().__init__(
            f"{external_number}: lines and charges come to {sum_}, the total says {total}",
            number=external_number,
            total=str(total),
            sum=str(sum_),
            cure="explain the difference (orders.rounding) or repair the sale",
        )


class NotAcceptable(BadInput):
    """A field of a sale cannot become an order's: `place` names it."""

    def __init__(self, external_number: str, place: str, value: str, cure: str) -> None:
        super().__init__(
            f"{external_number}, {place}: {value!r}; {cure}",
            number=external_number,
            place=place,
            value=value,
            cure=cure,
        )

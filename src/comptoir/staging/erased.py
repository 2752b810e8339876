"""What stays of a sale whose buyer was erased: figures, goods, states and the country. Remembered with the staged row, so
that the shop, which still knows the buyer, does not bring them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from comptoir.channels.records import Address, Buyer, Sale

#: In the repairs of a staged sale: its buyer was erased, for good.
ERASED = "erased"


def is_erased(repairs: Mapping[str, Any]) -> bool:
    """Whether the buyer of this sale was erased."""
    return bool(repairs.get(ERASED))


def without_buyer(sale: Sale) -> Sale:
    """The sale with nothing in it that says who bought. Doing it again changes nothing."""
    return msgspec.structs.replace(
        sale,
        buyer=Buyer(),
        billing=_country_alone(sale.billing),
        shipping=_country_alone(sale.shipping),
        pickup_point="",
        note="",
    )


def _country_alone(address: Address | None) -> Address | None:
    return None if address is None else Address(country=address.country)

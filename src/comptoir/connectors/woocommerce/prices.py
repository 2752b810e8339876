"""Base prices of the shop: `regular_price` of products and variations. What stands there already is not written, and a sale
price is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Raw

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.woocommerce import mapping, wire
from comptoir.connectors.woocommerce.client import WooCommerceClient
from comptoir.connectors.woocommerce.lookups import Lookups
from comptoir.connectors.woocommerce.writing import Batch, BatchCall, Size, rows_of


class WooCommercePrices:
    """PriceTarget. Prices are in the shop's currency, with or without tax as its settings say."""

    batch_size = 50
    FIELDS = "id,regular_price,tax_status,tax_class"

    def __init__(self, client: WooCommerceClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._size = Size(self.batch_size)

    def figures(self, wanted: Sequence[tuple[str, str]]) -> list[PriceFigure]:
        pairs: dict[str, tuple[int, int]] = {}
        for listing, _ in wanted:
            try:
                pairs[listing] = mapping.listing_pair(listing)
            except ValueError:
                continue  # nothing that this shop has
        rows = rows_of(self._client, pairs.values(), self.FIELDS)
        found = []
        for listing, point in wanted:
            row = rows.get(pairs[listing]) if listing in pairs else None
            if row is None:
                continue
            try:
                found.append(self._figure(listing, point, wire.typed(wire.Variation, row)))
            except NotUnderstood:
                continue  # as if it were not there: it is answered as such, and read again with the products
        return found

    def set_prices(self, prices: Sequence[PriceToTell]) -> list[Answer]:
        return _Prices(self._client, self._size, prices).tell()

    def _figure(self, listing: str, point: str, row: wire.Variation) -> PriceFigure:
        tax_class = mapping.tax_class(row)
        return PriceFigure(
            listing=listing,
            selling_point=point,
            amount=wire.decimal(row.regular_price, "regular_price") or Decimal(0),
            currency=self._lookups.currency,
            tax_included=self._lookups.prices_include_tax,
            tax_class=tax_class,
            tax_rate=self._lookups.tax_rates.get(tax_class) if tax_class else Decimal(0),
        )


class _Prices(Batch[PriceToTell]):
    """One batch of prices on its way."""

    TWICE = "two prices for one listing"
    FIELDS = "id,regular_price"

    def _one_each(self) -> list[int]:
        """Less those that stand there already, and those that are not there."""
        places = super()._one_each()
        there = self._read(places)
        left = []
        for place in places:
            row = there.get(self._pairs[place])
            if row is None:
                self._answer(place, Fate.REFUSED, "the shop has no such listing")
            elif self._stands(place, row):
                self._answer(place, Fate.DONE)
            else:
                left.append(place)
        return left

    def _body(self, place: int) -> Mapping[str, Any]:
        return {"regular_price": mapping.price_text(self._items[place].amount)}

    def _stands(self, place: int, row: Raw) -> bool:
        found = wire.decimal(wire.typed(wire.Variation, row).regular_price, "regular_price")
        return found == self._items[place].amount.quantize(mapping.SIX, ROUND_HALF_UP)

    def _differs(self, place: int, row: Raw) -> BatchCall | None:
        found = wire.typed(wire.Variation, row).regular_price
        self._answer(place, Fate.REFUSED, f"the shop keeps {found} all the same")
        return None

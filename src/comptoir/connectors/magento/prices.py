"""Base prices of all store views, many in a call. The shop answers with the rows that it refuses; the others are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from comptoir.channels.errors import ChannelError, NotLetIn, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.magento import mapping, reading, wire
from comptoir.connectors.magento.client import MagentoClient, words
from comptoir.connectors.magento.lookups import Lookups, lacks_right
from comptoir.connectors.magento.reading import PRODUCTS

SIX = Decimal("0.000001")
PRICED = ("simple", "virtual", "downloadable", "bundle", "giftcard")
ALL_STORES = 0
INFORMATION = "products/base-prices-information"


class MagentoPrices:
    """PriceTarget. One price for the whole shop, whichever source it is asked for at."""

    batch_size = 100

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, wanted: Sequence[tuple[str, str]]) -> list[PriceFigure]:
        there = self.there({listing for listing, _ in wanted})
        rates = self._lookups.tax_rates
        found = []
        for listing, point in wanted:
            row = there.get(listing)
            if row is None or row.price is None:
                continue
            tax_class = str(mapping.attributes_of(row).get("tax_class_id") or "")
            found.append(
                PriceFigure(
                    listing=listing,
                    selling_point=point,
                    amount=row.price,
                    currency=self._lookups.currency,
                    tax_included=self._client.config.taxed,
                    tax_class="" if tax_class == "0" else tax_class,
                    tax_rate=rates.get(int(tax_class)) if tax_class.isdecimal() and tax_class != "0" else Decimal(0),
                )
            )
        return found

    def set_prices(self, prices: Sequence[PriceToTell]) -> list[Answer]:
        return _Prices(self, self._client, prices).tell()

    def there(self, listings: set[str]) -> dict[str, wire.Product]:
        """These products with their price for all store views."""
        batch = reading.some(self._client, PRODUCTS, sorted(listings), fields="id,sku,type_id,price,custom_attributes")
        rows = {
            str(one.id): one for one in (wire.typed(wire.Product, row) for row in batch.rows) if one.type_id in PRICED
        }
        by_sku = self._base([one.sku for one in rows.values()])
        return {key: _priced(row, by_sku.get(row.sku.lower())) for key, row in rows.items()}

    def _base(self, skus: Sequence[str]) -> dict[str, Decimal]:
        """What the list of products shows may be a store view's own; this is what counts where none has its own."""
        found: dict[str, Decimal] = {}
        waiting = [list(skus[start : start + self.batch_size]) for start in range(0, len(skus), self.batch_size)]
        while waiting:
            chunk = waiting.pop()
            try:
                content = self._client.ask(INFORMATION, {"skus": chunk})
            except Refused:
                middle = len(chunk) // 2  # one of them went away since it was listed: without it the others are told
                waiting += [half for half in (chunk[:middle], chunk[middle:]) if half and middle]
                continue
            for row in wire.found(content, INFORMATION).rows:
                one = wire.typed(wire.BasePrice, row)
                if one.store_id == ALL_STORES:
                    found[one.sku.lower()] = one.price
        return found


def _priced(row: wire.Product, price: Decimal | None) -> wire.Product:
    """A product with this price in place of the store view's own."""
    return msgspec.structs.replace(row, price=price)


class _Prices:
    """One batch of prices on its way; known by their places."""

    def __init__(self, target: MagentoPrices, client: MagentoClient, prices: Sequence[PriceToTell]) -> None:
        self._target = target
        self._client = client
        self._prices = prices
        self._skus: dict[int, str] = {}
        self._answers: dict[int, Answer] = {}

    def tell(self) -> list[Answer]:
        try:
            places = self._one_each()
            left = self._unlike(places)
            if left:
                self._write(left)
        except TryLater as error:
            if not self._answers:
                raise
            for place in self._open(range(len(self._prices))):
                self._answer(place, Fate.UNKNOWN, str(error))
        return [self._answers[place] for place in range(len(self._prices))]

    def _one_each(self) -> list[int]:
        """All sources of the shop have one price: of two the last counts."""
        last: dict[str, int] = {}
        for place, price in enumerate(self._prices):
            if (earlier := last.get(price.listing)) is not None:
                self._answer(earlier, Fate.CONFLICT, "two prices for one listing")
            last[price.listing] = place
        return sorted(last.values())

    def _unlike(self, places: Sequence[int]) -> list[int]:
        """Read these: what stands there already is done, what is gone is refused, the others come back."""
        there = self._target.there({self._prices[place].listing for place in places})
        left = []
        for place in places:
            row = there.get(self._prices[place].listing)
            if row is None:
                self._answer(place, Fate.REFUSED, "the shop has no such product with a price of its own")
            elif row.price == self._wanted(place):
                self._answer(place, Fate.DONE)
            else:
                self._skus[place] = row.sku
                left.append(place)
        return left

    def _wanted(self, place: int) -> Decimal:
        return self._prices[place].amount.quantize(SIX, ROUND_HALF_UP)

    def _write(self, places: list[int]) -> None:
        body = {
            "prices": [
                {"sku": self._skus[place], "price": self._wanted(place), "store_id": ALL_STORES} for place in places
            ]
        }
        try:
            wrong = self._client.write("POST", "products/base-prices", body)
        except Unknown as error:
            self._read_back(places, Fate.UNKNOWN, {}, str(error))
            return
        except Refused as error:
            if len(places) == 1:
                self._answer(places[0], Fate.REFUSED, str(error))
                return
            middle = len(places) // 2
            for half in (places[:middle], places[middle:]):
                self._write(half)
            return
        except NotLetIn as error:
            # The integration may read and sell but not price: that concerns these prices, and nothing else of the shop.
            if not (right := lacks_right(error)):
                raise
            for place in places:
                self._answer(place, Fate.REFUSED, f"the integration lacks the right {right}")
            return
        said = [one for one in wrong if isinstance(one, dict)] if isinstance(wrong, list) else []
        if not said:
            for place in places:
                self._answer(place, Fate.DONE)
            return
        # Rows that were refused are named in the words of each; which were saved shows by looking.
        reasons = {place: text for place in places for one in said if self._skus[place] in (text := words(one))}
        self._read_back(places, Fate.REFUSED, reasons, "; ".join(words(one) for one in said))

    def _read_back(self, places: Sequence[int], otherwise: Fate, reasons: Mapping[int, str], reason: str) -> None:
        try:
            left = self._unlike(places)
        except ChannelError as error:
            left, otherwise, reason = self._open(places), Fate.UNKNOWN, f"{reason}; {error}"
        for place in left:
            self._answer(place, otherwise, reasons.get(place, reason))

    def _open(self, places: Any) -> list[int]:
        return [place for place in places if place not in self._answers]

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        self._answers[place] = Answer(item=self._prices[place].offer, fate=fate, reason=reason)

"""Base prices: one per variant, whatever the location, in the shop's currency and with tax as the shop shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from comptoir.channels.errors import NotLetIn, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.shopify import operations, reading, wire
from comptoir.connectors.shopify.client import PageSize, ShopifyClient
from comptoir.connectors.shopify.lookups import Lookups
from comptoir.connectors.shopify.mapping import EXEMPT, TAXABLE
from comptoir.kit.money import to_minor

VARIANTS = 50  # asked for by id at once


class ShopifyPrices:
    """PriceTarget."""

    batch_size = 100

    def __init__(self, client: ShopifyClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, wanted: Sequence[tuple[str, str]]) -> list[PriceFigure]:
        shop = self._lookups.shop
        there = self._read([listing for listing, _ in wanted])
        return [
            PriceFigure(
                listing=listing,
                selling_point=point,
                amount=there[listing].price,
                currency=shop.currency_code,
                tax_included=shop.taxes_included,
                tax_class=TAXABLE if there[listing].taxable else EXEMPT,
                tax_rate=None if there[listing].taxable else Decimal(0),
            )
            for listing, point in wanted
            if listing in there
        ]

    def set_prices(self, prices: Sequence[PriceToTell]) -> list[Answer]:
        return _Prices(self, self._client, self._lookups.shop.currency_code, prices).tell()

    def _read(self, listings: Sequence[str]) -> dict[str, wire.PricedVariant]:
        rows = reading.by_id(self._client, operations.PRICES, "ProductVariant", listings, PageSize(VARIANTS, VARIANTS))
        found = (wire.typed(wire.PricedVariant, row) for row in rows)
        return {one.legacy_resource_id: one for one in found}


class _Prices:
    """One batch of prices on its way: each product's variants in one call, and what stands there already is not written."""

    def __init__(
        self, target: ShopifyPrices, client: ShopifyClient, currency: str, prices: Sequence[PriceToTell]
    ) -> None:
        self._target = target
        self._client = client
        self._prices = prices
        self._wanted = {place: to_minor(one.amount, currency) for place, one in enumerate(prices)}
        self._answers: dict[int, Answer] = {}

    def tell(self) -> list[Answer]:
        """The fate of each, in the order of the items."""
        try:
            for product, places in self._by_product().items():
                self._write(product, places)
        except TryLater as error:
            if not self._answers:
                raise
            for place in range(len(self._prices)):
                if place not in self._answers:
                    self._answer(place, Fate.UNKNOWN, str(error))
        return [self._answers[place] for place in range(len(self._prices))]

    def _by_product(self) -> dict[str, list[int]]:
        there = self._target._read([one.listing for one in self._prices])
        found: dict[str, list[int]] = defaultdict(list)
        first: dict[str, int] = {}
        for place, price in enumerate(self._prices):
            row = there.get(price.listing)
            earlier = first.setdefault(price.listing, place)
            if row is None:
                self._answer(place, Fate.REFUSED, "the shop has no such variant")
            elif self._wanted[earlier] != self._wanted[place]:
                self._answer(place, Fate.REFUSED, "a variant has one price at every location of the shop")
            elif row.price == self._wanted[place]:
                self._answer(place, Fate.DONE)
            else:
                found[row.product.legacy_resource_id].append(place)
        return found

    def _write(self, product: str, places: list[int]) -> None:
        listings = list(dict.fromkeys(self._prices[place].listing for place in places))
        amounts = {self._prices[place].listing: self._wanted[place] for place in places}
        rows = [{"id": wire.gid("ProductVariant", one), "price": str(amounts[one])} for one in listings]
        reasons: dict[str, str] = {}
        try:
            payload = self._client.change(operations.SET_PRICES, product=wire.gid("Product", product), variants=rows)
        except Unknown as error:
            self._read_back(places, str(error))
            return
        except NotLetIn as error:
            # The app may read and sell but not price: that concerns these prices, and nothing else of the shop.
            if "write_products" not in str(error.facts.get("right", "")):
                raise
            reasons = dict.fromkeys(listings, "the app lacks the scope write_products")
        except Refused as error:
            reasons = dict.fromkeys(listings, str(error))
        else:
            for row in payload.get("userErrors") or ():
                told = wire.typed(wire.UserError, row)
                at = next((int(part) for part in told.field or () if part.isdigit()), len(listings))
                reasons |= dict.fromkeys(listings[at : at + 1] or listings, told.message)
        for place in places:
            reason = reasons.get(self._prices[place].listing, "")
            self._answer(place, Fate.REFUSED if reason else Fate.DONE, reason)

    def _read_back(self, places: Sequence[int], reason: str) -> None:
        """The answer was lost: ask. What cannot be shown to be written stays unknown."""
        there = self._target._read([self._prices[place].listing for place in places])
        for place in places:
            row = there.get(self._prices[place].listing)
            is_there = row is not None and row.price == self._wanted[place]
            self._answer(place, Fate.DONE if is_there else Fate.UNKNOWN, "" if is_there else reason)

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        self._answers[place] = Answer(item=self._prices[place].offer, fate=fate, reason=reason)

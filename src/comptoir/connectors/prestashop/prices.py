"""Base prices of the shop: the product's own, and what each combination adds to it. Many in one PATCH from 8.0, one full PUT
each before. What stands there already is not written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.channels.errors import NotLetIn, NotUnderstood, Refused, Unknown
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.prestashop import mapping, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of, lacks_right
from comptoir.connectors.prestashop.lookups import Context, Lookups
from comptoir.connectors.prestashop.writing import Batch

SIX = Decimal("0.000001")
#: Shown by the shop, not taken back from anybody (error 93).
NOT_WRITABLE = ("manufacturer_name", "quantity")
NODES = {"products": "product", "combinations": "combination"}


@dataclass(frozen=True, slots=True)
class _There:
    """Prices of one shop's context as they stand."""

    products: dict[int, wire.BasePrice]
    impacts: dict[int, wire.Impact]

    def amount(self, listing: str) -> Decimal | None:
        """What a listing costs; None where it is not there."""
        product, attribute = mapping.listing_pair(listing)
        base = self.products.get(product)
        if base is None:
            return None
        if not attribute:
            return base.price
        impact = self.impacts.get(attribute)
        return None if impact is None or impact.id_product != product else base.price + impact.price


class PrestaShopPrices:
    """PriceTarget. Prices are without tax, in the shop's default currency, with six decimals."""

    batch_size = 50

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, wanted: Sequence[tuple[str, str]]) -> list[PriceFigure]:
        rates = self._lookups.tax_rates
        found = []
        for context, pairs in self._by_context(wanted).items():
            there = self._read(dict(context), [listing for listing, _ in pairs])
            for listing, point in pairs:
                amount = there.amount(listing)
                if amount is None:
                    continue
                group = there.products[mapping.listing_pair(listing)[0]].id_tax_rules_group
                found.append(
                    PriceFigure(
                        listing=listing,
                        selling_point=point,
                        amount=amount,
                        currency=self._lookups.base_currency,
                        tax_included=False,
                        tax_class=str(group or ""),
                        tax_rate=rates.get(group) if group else Decimal(0),
                    )
                )
        return found

    def set_prices(self, prices: Sequence[PriceToTell]) -> list[Answer]:
        return _Prices(self, self._client, self._lookups, prices).tell()

    def _by_context(self, pairs: Sequence[tuple[str, str]]) -> dict[Context, list[tuple[str, str]]]:
        groups: dict[Context, list[tuple[str, str]]] = defaultdict(list)
        for listing, point in pairs:
            if _is_listing(listing):
                groups[self._lookups.context_of(point)].append((listing, point))
        return groups

    def _read(self, context: Mapping[str, str], listings: Sequence[str]) -> _There:
        pairs = [mapping.listing_pair(one) for one in listings]
        products = self._typed(
            wire.BasePrice, "products", "[id,price,id_tax_rules_group]", {one for one, _ in pairs}, context
        )
        impacts = self._typed(
            wire.Impact, "combinations", "[id,id_product,price]", {one for _, one in pairs if one}, context
        )
        return _There(products, impacts)

    def _typed(
        self, kind: type[Any], resource: str, display: str, ids: set[int], context: Mapping[str, str]
    ) -> dict[int, Any]:
        found: dict[int, Any] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), 100):
            for element in self._client.rows(
                resource, filters={"id": any_of(wanted[start : start + 100])}, display=display, params=context
            ):
                try:
                    row = wire.typed(kind, element)
                except NotUnderstood:
                    continue  # as if it were not there: it is answered as such, and read again with the products
                found[row.id] = row
        return found


class _Prices(Batch[PriceToTell]):
    """One batch of prices on its way."""

    TWICE = "two prices for one listing"

    def __init__(
        self, target: PrestaShopPrices, client: PrestaShopClient, lookups: Lookups, prices: Sequence[PriceToTell]
    ) -> None:
        super().__init__(client, lookups, prices)
        self._target = target
        self._bases: dict[int, wire.BasePrice] = {}  # what combinations add to

    def _tell(self) -> None:
        """Write what differs, products apart from combinations, each shop in its own context."""
        for place, price in enumerate(self._items):
            if not _is_listing(price.listing):
                self._answer(place, Fate.REFUSED, f"{price.listing!r} is not a listing of this shop")
        for context, places in self._by_context().items():
            left = self._unlike(places, context)
            own = self._one_each([place for place in left if not self._pair(place)[1]])
            of = self._one_each([place for place in left if self._pair(place)[1]])
            if own:
                self._write("products", own, context)
            if {self._pair(place)[0] for place in own} & {self._pair(place)[0] for place in of}:
                of = self._unlike(of, context)  # what they add to has just changed
            if of:
                self._write("combinations", of, context)

    # -- comparing -----------------------------------------------------------------------------------------------------

    def _unlike(self, places: Sequence[int], context: Context) -> list[int]:
        """Read these: what stands there already is done, what is gone is refused, the others come back."""
        there = self._target._read(dict(context), [self._items[place].listing for place in places])
        self._bases.update(there.products)
        left = []
        for place in places:
            amount = there.amount(self._items[place].listing)
            if amount is None:
                self._answer(place, Fate.REFUSED, "the shop has no such listing")
            elif amount == self._wanted(place):
                self._answer(place, Fate.DONE)
            else:
                left.append(place)
        return left

    def _wanted(self, place: int) -> Decimal:
        return self._items[place].amount.quantize(SIX, ROUND_HALF_UP)

    def _value(self, place: int) -> str:
        """What is written: the price of a product, or what the combination adds to it."""
        product, attribute = self._pair(place)
        base = self._bases[product].price if attribute else Decimal(0)
        return f"{self._wanted(place) - base:.6f}"

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write(self, resource: str, places: list[int], context: Context) -> None:
        try:
            if self._client.takes_patch:
                self._patch(resource, places, context)
            else:
                self._put(resource, places, context)
        except NotLetIn as error:
            # The key may read and sell but not price: that concerns these prices, and nothing else of the shop.
            if not (right := lacks_right(error)):
                raise
            for place in self._open(places):
                self._answer(place, Fate.REFUSED, f"the key lacks the right {right}")

    def _patch(self, resource: str, places: list[int], context: Context) -> None:
        """Many in one call. The shop saves them one after another and stops at the first that it refuses: then those that
        were not saved go one by one."""
        rows = [{"id": self._id(place), "price": self._value(place)} for place in places]
        try:
            self._client.write("PATCH", resource, NODES[resource], rows, dict(context))
        except Unknown as error:
            self._read_back(places, context, str(error))
            return
        except Refused as error:
            if len(places) == 1:
                self._answer(places[0], Fate.REFUSED, str(error))
                return
            for place in self._unlike(places, context):
                self._patch(resource, [place], context)
            return
        for place in places:
            self._answer(place, Fate.DONE)

    def _put(self, resource: str, places: list[int], context: Context) -> None:
        """One full object per call: a field left out would be emptied."""
        ids = [self._id(place) for place in places]
        rows = self._client.rows(resource, filters={"id": any_of(ids)}, params=dict(context))
        there = {wire.identity(element): element for element in rows}
        bodies: dict[int, tuple[str, Mapping[str, object]]] = {}
        for place in places:
            element = there.get(self._id(place))
            if element is None:
                self._answer(place, Fate.REFUSED, "the shop has no such listing")
                continue
            kept = wire.whole(element, without=NOT_WRITABLE)
            bodies[place] = (f"{resource}/{self._id(place)}", {**kept, "price": self._value(place)})
        self._put_each(NODES[resource], bodies, context)

    def _pair(self, place: int) -> tuple[int, int]:
        return mapping.listing_pair(self._items[place].listing)

    def _id(self, place: int) -> str:
        product, attribute = self._pair(place)
        return str(attribute or product)


def _is_listing(listing: str) -> bool:
    product, _, attribute = listing.partition("-")
    return product.isdecimal() and attribute.isdecimal()

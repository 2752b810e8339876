"""Base prices of the shop: the product's own, and what each combination adds to it. Many in one PATCH from 8.0, one full PUT
each before. What stands there already is not written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.etree.ElementTree import Element

from comptoir.channels.errors import ChannelError, NotLetIn, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.prestashop import mapping, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of, lacks_right
from comptoir.connectors.prestashop.lookups import Lookups

SIX = Decimal("0.000001")
#: Shown by the shop, not taken back from anybody (error 93).
NOT_WRITABLE = ("manufacturer_name", "quantity")
NODES = {"products": "product", "combinations": "combination"}

Context = tuple[tuple[str, str], ...]


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
        task = _Task(self, self._client, prices)
        try:
            task.tell()
        except TryLater as error:
            if not task.answers:
                raise
            task.give_up(str(error))
        return task.in_order()

    def _by_context(self, pairs: Sequence[tuple[str, str]]) -> dict[Context, list[tuple[str, str]]]:
        groups: dict[Context, list[tuple[str, str]]] = defaultdict(list)
        for listing, point in pairs:
            if _is_listing(listing):
                groups[self.context(point)].append((listing, point))
        return groups

    def context(self, point: str) -> Context:
        """In which shop a price is read and written: in a multistore each shop has its own."""
        if not self._lookups.context:
            return ()
        if point.startswith("group-"):
            return (("id_shop_group", point.removeprefix("group-")),)
        return (("id_shop", point),) if point else tuple(self._lookups.context.items())

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

    def whole(self, resource: str, ids: Sequence[int], context: Mapping[str, str]) -> dict[int, Element]:
        """Objects with all their fields."""
        rows = self._client.rows(resource, filters={"id": any_of(ids)}, params=context)
        return {int(wire.identity(element)): element for element in rows}


class _Task:
    """One batch of prices on its way."""

    def __init__(self, target: PrestaShopPrices, client: PrestaShopClient, prices: Sequence[PriceToTell]) -> None:
        self._target = target
        self._client = client
        self._prices = prices
        self.answers: dict[int, Answer] = {}
        self._bases: dict[int, wire.BasePrice] = {}  # what combinations add to

    def in_order(self) -> list[Answer]:
        return [self.answers[place] for place in range(len(self._prices))]

    def give_up(self, reason: str) -> None:
        """Whatever has no answer yet was not told, or nobody knows."""
        for place in self._open():
            self._answer(place, Fate.UNKNOWN, reason)

    def tell(self) -> None:
        """Write what differs, products apart from combinations, each shop in its own context."""
        for place, price in enumerate(self._prices):
            if not _is_listing(price.listing):
                self._answer(place, Fate.REFUSED, f"{price.listing!r} is not a listing of this shop")
        for context, places in self._by_context().items():
            left = self._differing(places, context)
            own = self._one_each([place for place in left if not self._pair(place)[1]])
            of = self._one_each([place for place in left if self._pair(place)[1]])
            if own:
                self._write("products", own, dict(context))
            if {self._pair(place)[0] for place in own} & {self._pair(place)[0] for place in of}:
                of = self._differing(of, context)  # what they add to has just changed
            if of:
                self._write("combinations", of, dict(context))

    # -- comparing -----------------------------------------------------------------------------------------------------

    def _differing(self, places: Sequence[int], context: Context) -> list[int]:
        """Read these: what stands there already is done, what is gone is refused, the others come back."""
        there = self._target._read(dict(context), [self._prices[place].listing for place in places])
        self._bases.update(there.products)
        left = []
        for place in places:
            amount = there.amount(self._prices[place].listing)
            if amount is None:
                self._answer(place, Fate.REFUSED, "the shop has no such listing")
            elif amount == self._wanted(place):
                self._answer(place, Fate.DONE)
            else:
                left.append(place)
        return left

    def _wanted(self, place: int) -> Decimal:
        return self._prices[place].amount.quantize(SIX, ROUND_HALF_UP)

    def _value(self, place: int) -> str:
        """What is written: the price of a product, or what the combination adds to it."""
        product, attribute = self._pair(place)
        base = self._bases[product].price if attribute else Decimal(0)
        return f"{self._wanted(place) - base:.6f}"

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write(self, resource: str, places: list[int], context: dict[str, str]) -> None:
        try:
            if self._client.takes_patch:
                self._patch(resource, places, context)
            else:
                self._put(resource, places, context)
        except NotLetIn as error:
            # The key may read and sell but not price: that concerns these prices, and nothing else of the shop.
            if not (right := lacks_right(error)):
                raise
            for place in [one for one in places if one not in self.answers]:
                self._answer(place, Fate.REFUSED, f"the key lacks the right {right}")

    def _patch(self, resource: str, places: list[int], context: dict[str, str]) -> None:
        """Many in one call. The shop saves them one after another and stops at the first that it refuses: then those that
        were not saved go one by one."""
        rows = [{"id": self._id(place), "price": self._value(place)} for place in places]
        try:
            self._client.write("PATCH", resource, NODES[resource], rows, context)
        except Unknown as error:
            self._read_back(places, context, str(error))
            return
        except Refused as error:
            if len(places) == 1:
                self._answer(places[0], Fate.REFUSED, str(error))
                return
            for place in self._differing(places, tuple(context.items())):
                self._patch(resource, [place], context)
            return
        for place in places:
            self._answer(place, Fate.DONE)

    def _put(self, resource: str, places: list[int], context: dict[str, str]) -> None:
        """One full object per call: a field left out would be emptied."""
        there = self._target.whole(resource, [self._id(place) for place in places], context)
        bodies: list[tuple[int, tuple[str, Mapping[str, object]]]] = []
        for place in places:
            element = there.get(self._id(place))
            if element is None:
                self._answer(place, Fate.REFUSED, "the shop has no such listing")
                continue
            kept = wire.whole(element, without=NOT_WRITABLE)
            bodies.append((place, (f"{resource}/{self._id(place)}", {**kept, "price": self._value(place)})))
        outcomes = self._client.write_each("PUT", NODES[resource], [body for _, body in bodies], context)
        lost: list[int] = []
        stopped: ChannelError | None = None
        for (place, _), outcome in zip(bodies, outcomes, strict=True):
            match outcome:
                case None:
                    self._answer(place, Fate.DONE)
                case Unknown():
                    lost.append(place)
                case Refused():
                    self._answer(place, Fate.REFUSED, str(outcome))
                case _:
                    stopped = stopped or outcome
        if lost:
            self._read_back(lost, context, "the answer was lost")
        if stopped is not None:
            raise stopped

    def _read_back(self, places: Sequence[int], context: Mapping[str, str], reason: str) -> None:
        """The answer was lost: ask. What cannot be shown to be written stays unknown."""
        try:
            left = self._differing(places, tuple(context.items()))
        except ChannelError as error:
            left, reason = [place for place in places if place not in self.answers], f"{reason}; {error}"
        for place in left:
            self._answer(place, Fate.UNKNOWN, reason)

    # -- both ----------------------------------------------------------------------------------------------------------

    def _open(self) -> list[int]:
        return [place for place in range(len(self._prices)) if place not in self.answers]

    def _by_context(self) -> dict[Context, list[int]]:
        groups: dict[Context, list[int]] = defaultdict(list)
        for place in self._open():
            groups[self._target.context(self._prices[place].selling_point)].append(place)
        return groups

    def _one_each(self, places: Sequence[int]) -> list[int]:
        """An id may stand only once in a call: of two prices for one thing the last counts."""
        last: dict[int, int] = {}
        for place in places:
            if (earlier := last.get(self._id(place))) is not None:
                self._answer(earlier, Fate.CONFLICT, "two prices for one listing")
            last[self._id(place)] = place
        return list(last.values())

    def _pair(self, place: int) -> tuple[int, int]:
        return mapping.listing_pair(self._prices[place].listing)

    def _id(self, place: int) -> int:
        product, attribute = self._pair(place)
        return attribute or product

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        self.answers[place] = Answer(item=self._prices[place].offer, fate=fate, reason=reason)


def _is_listing(listing: str) -> bool:
    product, _, attribute = listing.partition("-")
    return product.isdecimal() and attribute.isdecimal()

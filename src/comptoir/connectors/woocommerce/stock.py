"""Stock figures of the shop, and levels told to it in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Raw

from comptoir.channels.errors import Missing, NotUnderstood
from comptoir.channels.records import Answer, Fate, LevelToTell, Odd, Page, StockFigure
from comptoir.connectors.woocommerce import mapping, reading, wire
from comptoir.connectors.woocommerce.client import WooCommerceClient
from comptoir.connectors.woocommerce.lookups import Lookups
from comptoir.connectors.woocommerce.writing import PRODUCTS, Batch, BatchCall, Size

PAGE = 100
FIELDS = "id,type,status,sku,manage_stock,stock_quantity,virtual,variations"
VARIATION_FIELDS = "id,status,sku,manage_stock,stock_quantity,virtual"


class WooCommerceStock:
    """StockSource. A figure is known by its listing: its `ref` is the same text."""

    def __init__(self, client: WooCommerceClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        for batch, after in reading.everything(self._client, PRODUCTS, cursor, {"_fields": FIELDS}, size=PAGE):
            page = _Figures(self._client)
            for identity, row in page.products(batch):
                if row.is_variable and row.variations != []:
                    page.variations(identity, row, reading.all_of(self._client, _of(identity), _SLIM))
            yield page.made(after)

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        """Variations are asked for by product, which says nothing of who counts: they say so themselves."""
        page = _Figures(self._client)
        simple: list[int] = []
        variations: dict[int, list[int]] = defaultdict(list)
        for ref in dict.fromkeys(refs):
            try:
                product, variation = mapping.listing_pair(ref)
            except ValueError:
                continue
            if variation:
                variations[product].append(variation)
            else:
                simple.append(product)
        list(page.products(reading.some(self._client, PRODUCTS, simple, {"_fields": FIELDS})))
        for product, ids in variations.items():
            try:
                page.variations(product, None, [reading.some(self._client, _of(product), ids, _SLIM)])
            except Missing:
                continue  # its product is gone, and it with it
        return page.made({})


_SLIM = {"_fields": VARIATION_FIELDS}


def _of(product: int) -> str:
    return f"{PRODUCTS}/{product}/variations"


class _Figures:
    """A page of figures while it is read."""

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client
        self._items: list[StockFigure] = []
        self._seen: list[str] = []
        self._odd: list[Odd] = []

    def products(self, batch: reading.Batch) -> Iterator[tuple[int, wire.Product]]:
        """Take the figures of products, and give each on. A variable one has a figure where it counts for its variations."""
        self._take_odd(batch, 0)
        for identity in batch.ids:
            listing = mapping.listing_id(identity)
            self._seen.append(listing)
            row = self._typed(wire.Product, batch.rows.get(identity), listing)
            if row is None:
                continue
            if row.type in mapping.COMPUTED:
                self._odd.append(Odd(code="stock_computed_by_shop", subject=f"listing:{listing}", severity="info"))
            elif row.type not in mapping.NOT_SOLD:
                self._figure(row, listing)
            yield identity, row

    def variations(self, product: int, row: wire.Product | None, batches: Any) -> None:
        """Take the figures of a product's variations; those that share its figure have none of their own."""
        for batch in batches:
            self._take_odd(batch, product)
            for identity in batch.ids:
                listing = mapping.listing_id(product, identity)
                self._seen.append(listing)
                one = self._typed(wire.Variation, batch.rows.get(identity), listing)
                if one is None:
                    continue
                if one.counted_by_parent:
                    self._odd.append(Odd(code="stock_computed_by_shop", subject=f"listing:{listing}", severity="info"))
                else:
                    self._figure(one, listing)

    def made(self, cursor: dict[str, Any]) -> Page[StockFigure]:
        odd = [*self._odd, *self._client.take_odd()]
        return Page(items=self._items, cursor=cursor, seen=tuple(self._seen), odd=tuple(odd))

    def _figure(self, row: wire.Sellable, listing: str) -> None:
        if not row.counts_itself or row.virtual:
            return
        try:
            quantity = wire.decimal(row.stock_quantity, "stock_quantity")
        except NotUnderstood as error:
            self._bad(listing, error)
            return
        point = mapping.POINT
        figure = StockFigure(listing=listing, selling_point=point, quantity=quantity or Decimal(0), ref=listing)
        self._items.append(figure)

    def _typed(self, kind: type[Any], row: Raw | None, listing: str) -> Any:
        if row is None:
            return None  # it could not be read, which is said
        try:
            return wire.typed(kind, row)
        except NotUnderstood as error:
            self._bad(listing, error)
            return None

    def _bad(self, listing: str, error: NotUnderstood) -> None:
        facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
        self._odd.append(Odd(code="malformed_row", subject=f"figure:{listing}", facts=facts))

    def _take_odd(self, batch: reading.Batch, product: int) -> None:
        for odd in batch.odd:
            identity = int(odd.subject.rpartition(":")[2])
            listing = mapping.listing_id(product, identity) if product else mapping.listing_id(identity)
            self._odd.append(Odd(code=odd.code, subject=f"figure:{listing}", severity=odd.severity, facts=odd.facts))


class WooCommerceLevels:
    """StockTarget. Levels are absolute and the shop cannot compare before it sets, so a lost answer is read back."""

    batch_size = 50

    def __init__(self, client: WooCommerceClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._size = Size(self.batch_size)

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        return _Levels(self._client, self._lookups, self._size, levels).tell()


class _Levels(Batch[LevelToTell]):
    """One batch of levels on its way.

    `manage_stock` is not sent at first: it would cut a variation loose from the figure that it shares with others. Where the
    answer says that nobody counts, counting is switched on with the level if the merchant wants that.
    """

    TWICE = "two levels for one thing"
    FIELDS = "id,manage_stock,stock_quantity"

    def __init__(self, client: WooCommerceClient, lookups: Lookups, size: Size, levels: Sequence[LevelToTell]) -> None:
        super().__init__(client, size, levels)
        self._lookups = lookups
        self._uncounted: set[int] = set()

    def _body(self, place: int) -> Mapping[str, Any]:
        body = {"stock_quantity": mapping.whole(self._items[place].level)}
        return {"manage_stock": True, **body} if place in self._uncounted else body

    def _stands(self, place: int, row: Raw) -> bool:
        found = wire.typed(wire.Variation, row)
        return found.counts_itself and wire.decimal(found.stock_quantity, "stock_quantity") == mapping.whole(
            self._items[place].level
        )

    def _differs(self, place: int, row: Raw) -> BatchCall | None:
        found = wire.typed(wire.Variation, row)
        if found.counted_by_parent:
            self._answer(place, Fate.REFUSED, "the shop counts this variation together with its product's others")
        elif not self._lookups.counts_stock:
            self._answer(place, Fate.REFUSED, "stock management is switched off in the shop's settings")
        elif not found.counts_itself and not self._client.config.counts_all:
            self._answer(place, Fate.REFUSED, "the shop does not count this: switch its stock management on there")
        elif not found.counts_itself and place not in self._uncounted:
            self._uncounted.add(place)
            product, variation = self._pairs[place]
            return BatchCall(product if variation else 0, [place])
        else:
            self._answer(place, Fate.REFUSED, f"the shop keeps {found.stock_quantity} all the same")
        return None

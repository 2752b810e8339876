"""Stock figures of the shop, and levels told to it: many in one PATCH from 8.0, one full PUT each before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from comptoir.channels.errors import Missing, NotUnderstood, Refused, Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, Odd, Page, StockFigure
from comptoir.connectors.prestashop import mapping, reading, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of
from comptoir.connectors.prestashop.lookups import Context, Lookups, malformed
from comptoir.connectors.prestashop.writing import Batch

PAGE = 1000  # small rows


class PrestaShopStock:
    """StockSource."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        after = int(str(cursor.get("after", 0)))
        while True:
            batch = reading.page(
                self._client, "stock_availables", after=after, limit=PAGE, params=self._lookups.context
            )
            after = reading.last(batch, after) if batch.ids else after
            yield self._page(batch, {"after": after})
            if len(batch.ids) < PAGE:
                return

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        wanted = [one for one in dict.fromkeys(refs) if one.isdigit()]
        batch = reading.Batch([], [])
        for start in range(0, len(wanted), 100):
            found = reading.some(
                self._client, "stock_availables", wanted[start : start + 100], params=self._lookups.context
            )
            batch.elements.extend(found.elements)
            batch.odd.extend(found.odd)
        there = {wire.identity(one) for one in batch.elements} | {odd.subject.partition(":")[2] for odd in batch.odd}
        batch.ids.extend(one for one in wanted if one in there)
        return self._page(batch, {})

    @cached_property
    def _with_combinations(self) -> set[int]:
        """Products that have combinations: their row for attribute 0 is only the sum of the others."""
        found: set[int] = set()
        for element in reading.all_of(
            self._client, "combinations", display="[id,id_product]", limit=2000, params=self._lookups.context
        ):
            found.add(wire.number(element, "id_product"))
        return found

    @cached_property
    def _computed(self) -> set[int]:
        """Packs whose stock the shop works out itself."""
        default = self._lookups.setting("PS_PACK_STOCK_TYPE")
        packs = reading.all_of(
            self._client,
            "products",
            filters={"cache_is_pack": "[1]"},
            display=wire.KIND_COLUMNS,
            params=self._lookups.context,
        )
        rows = [wire.typed(wire.ProductKind, element) for element in packs]
        return {row.id for row in rows if mapping.is_computed(row, default)}

    def _page(self, batch: reading.Batch, cursor: dict[str, Any]) -> Page[StockFigure]:
        """`seen` less items less odd ones are rows that a rule skips: sums, and shops that were not chosen."""
        odd = list(batch.odd)
        items: list[StockFigure] = []
        for element in batch.elements:
            try:
                row = wire.typed(wire.StockAvailable, element)
            except NotUnderstood as error:
                odd.append(malformed("stock_availables", element, error))
                continue
            if not row.id_product_attribute and row.id_product in self._with_combinations:
                continue
            if not self._lookups.is_ours(row.id_shop, row.id_shop_group):
                continue
            listing = mapping.listing_id(row.id_product, row.id_product_attribute)
            if row.id_product in self._computed:
                odd.append(Odd(code="stock_computed_by_shop", subject=f"listing:{listing}", severity="info"))
            elif row.depends_on_stock:
                odd.append(Odd(code="advanced_stock_management", subject=f"listing:{listing}", facts={"ref": row.id}))
            else:
                items.append(
                    StockFigure(
                        listing=listing,
                        selling_point=self._lookups.point(row.id_shop, row.id_shop_group),
                        quantity=Decimal(row.quantity),
                        ref=str(row.id),
                    )
                )
        odd.extend(self._client.take_odd())
        named = tuple(reading.about(one, "stock_availables", "figure") for one in odd)
        return Page(items=items, cursor=cursor, seen=tuple(batch.ids), odd=named)


class PrestaShopLevels:
    """StockTarget. Levels are absolute and the shop cannot compare before it sets, so a lost answer is read back."""

    batch_size = 50

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        batch = _Levels(self._client, self._lookups, levels)
        batch.find_rows()
        return batch.tell()


class _Levels(Batch[LevelToTell]):
    """One batch of levels on its way."""

    TWICE = "two levels for one stock row"

    def __init__(self, client: PrestaShopClient, lookups: Lookups, levels: Sequence[LevelToTell]) -> None:
        super().__init__(client, lookups, levels)
        self._refs = {place: level.ref for place, level in enumerate(levels)}

    def find_rows(self) -> None:
        """Levels without a row's id: the row is looked up by listing and selling point."""
        self._look_up([place for place, ref in self._refs.items() if not ref.isdigit()])

    def _tell(self) -> None:
        if self._client.takes_patch:
            self._patch()
        else:
            self._put()

    # -- 8.0 and later -----------------------------------------------------------------------------------------------

    def _patch(self) -> None:
        """Many rows in one call. The shop saves them one after another and stops at the first that it refuses."""
        for context, places in self._by_context().items():
            waiting = self._one_each(places)
            while waiting:
                waiting = self._patch_once(waiting, context)

    def _patch_once(self, places: list[int], context: Context) -> list[int]:
        """Send these; gives back those that are to be sent again."""
        try:
            self._client.write("PATCH", "stock_availables", "stock_available", self._bodies(places), dict(context))
        except Unknown as error:
            self._read_back(places, context, str(error))
            return []
        except Refused as error:
            if len(places) == 1:
                self._refused(places[0], error)
                return []
            left = self._unlike(places, context)
            # The first that is not saved is the likely culprit, but a buyer may have taken a piece of a saved one just
            # now: alone it shows. What comes after it was never tried.
            if left:
                self._patch_once(left[:1], context)
            return self._open(left[1:])
        for place in places:
            self._answer(place, Fate.DONE)
        return []

    # -- before 8.0 --------------------------------------------------------------------------------------------------

    def _put(self) -> None:
        """One full object per call: a field left out would be emptied, and without its shop a row is lost."""
        for context, places in self._by_context().items():
            wanted = self._one_each(places)
            rows = self._rows([self._refs[place] for place in wanted], display="full")
            for place in [one for one in wanted if self._refs[one] not in rows]:
                self._gone(place)
            moved = [place for place in self._open(wanted) if self._refs[place] not in rows]
            rows |= self._rows([self._refs[place] for place in moved], display="full")
            self._put_rows(self._open(wanted), rows, context)

    def _put_rows(self, places: list[int], rows: Mapping[str, wire.Row], context: Context) -> None:
        bodies = {}
        for place in places:
            kept = {name: text for name, text in rows[self._refs[place]].items() if name != "associations"}
            quantity = mapping.whole(self._items[place].level)
            bodies[place] = (f"stock_availables/{self._refs[place]}", {**kept, "quantity": quantity})
        self._put_each("stock_available", bodies, context)

    # -- both --------------------------------------------------------------------------------------------------------

    def _id(self, place: int) -> str:
        return self._refs[place]

    def _bodies(self, places: list[int]) -> list[dict[str, object]]:
        return [{"id": self._refs[one], "quantity": mapping.whole(self._items[one].level)} for one in places]

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        level, ref = self._items[place], self._refs[place]
        corrected = ref if ref != level.ref else ""
        self._answers[place] = Answer(item=level.offer, fate=fate, reason=reason, ref=corrected)

    def _rows(self, refs: Sequence[str], display: str) -> dict[str, wire.Row]:
        if not refs:
            return {}
        found = self._client.rows(
            "stock_availables", filters={"id": any_of(refs)}, display=display, params=self._lookups.context
        )
        return {wire.identity(element): wire.plain(element) for element in found}

    def _unlike(self, places: Sequence[int], context: Context) -> list[int]:
        rows = self._rows([self._refs[place] for place in places], display="[id,quantity]")
        left = []
        for place in places:
            row = rows.get(self._refs[place])
            if row is not None and row.get("quantity") == str(mapping.whole(self._items[place].level)):
                self._answer(place, Fate.DONE)
            else:
                left.append(place)
        return left

    def _refused(self, place: int, error: Refused) -> None:
        if isinstance(error, Missing):
            self._gone(place)
            if place not in self._answers:
                self._retell(place)
            return
        super()._refused(place, error)

    def _retell(self, place: int) -> None:
        """Once more, with the row's new id."""
        context = self._lookups.context_of(self._items[place].selling_point)
        if self._client.takes_patch:
            self._patch_once([place], context)
            return
        rows = self._rows([self._refs[place]], display="full")
        if self._refs[place] in rows:
            self._put_rows([place], rows, context)
        else:
            self._answer(place, Fate.REFUSED, f"stock row {self._refs[place]} is not there")

    def _gone(self, place: int) -> None:
        """A row that is not there any more: perhaps it has another id now; else the listing is gone."""
        before = self._refs[place]
        self._look_up([place])
        if place not in self._answers and self._refs[place] == before:
            self._answer(place, Fate.REFUSED, f"stock row {before} is not there")

    def _look_up(self, places: list[int]) -> None:
        wanted: dict[tuple[str, str], int] = {}
        products: set[int] = set()
        for place in places:
            level = self._items[place]
            try:
                products.add(mapping.listing_pair(level.listing)[0])
            except ValueError:
                self._answer(place, Fate.REFUSED, f"{level.listing!r} is not a listing of this shop")
                continue
            wanted[level.listing, level.selling_point] = place
        if not wanted:
            return
        for element in self._client.rows(
            "stock_availables", filters={"id_product": any_of(sorted(products))}, params=self._lookups.context
        ):
            row = wire.typed(wire.StockAvailable, element)
            key = mapping.listing_id(row.id_product, row.id_product_attribute)
            found = wanted.pop((key, self._lookups.point(row.id_shop, row.id_shop_group)), None)
            if found is not None:
                self._refs[found] = str(row.id)
        for place in wanted.values():
            self._answer(place, Fate.REFUSED, "the shop has no stock row for this")

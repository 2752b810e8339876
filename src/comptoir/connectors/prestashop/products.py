"""Products with their combinations, packs and pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comptoir.channels.errors import Missing, NotUnderstood
from comptoir.channels.records import Odd, Page, Product
from comptoir.connectors.prestashop import mapping, reading, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of
from comptoir.connectors.prestashop.lookups import Lookups, malformed
from comptoir.kit import clock

PAGE = 50
COMBINATIONS = 500


class PrestaShopProducts:
    """ProductSource. A product's stamp does not move with its combinations, images or stock (seen in every version), so
    `everything` is for a nightly look at all of them."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch, after in reading.changes(
            self._client,
            "products",
            cursor,
            zone=self._lookups.zone,
            start=None,
            now=clock.now(),
            limit=PAGE,
            params=self._lookups.context,
        ):
            yield self._page(batch, after)

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        after = int(str(cursor.get("after", 0)))
        while True:
            batch = reading.page(self._client, "products", after=after, limit=PAGE, params=self._lookups.context)
            after = reading.last(batch, after) if batch.ids else after
            yield self._page(batch, {"after": after})
            if len(batch.ids) < PAGE:
                return

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        wanted = [one for one in dict.fromkeys(external_ids) if one.isdigit()]
        batch = reading.Batch([], [])
        for start in range(0, len(wanted), PAGE):
            found = reading.some(self._client, "products", wanted[start : start + PAGE], params=self._lookups.context)
            batch.elements.extend(found.elements)
            batch.odd.extend(found.odd)
        there = {wire.identity(one) for one in batch.elements} | {odd.subject.partition(":")[2] for odd in batch.odd}
        batch.ids.extend(one for one in wanted if one in there)
        return self._page(batch, {})

    def image(self, ref: str) -> tuple[bytes, str]:
        product, _, image = ref.partition("/")
        if not (product.isdigit() and image.isdigit()):
            raise Missing(f"{ref!r} is not an image of this shop", ref=ref)
        return self._client.picture(ref)

    def _page(self, batch: reading.Batch, cursor: dict[str, Any]) -> Page[Product]:
        odd = list(batch.odd)
        rows: list[wire.Product] = []
        raw: dict[str, str] = {}
        for element in batch.elements:
            try:
                row = wire.typed(wire.Product, element)
            except NotUnderstood as error:
                odd.append(malformed("products", element, error))
                continue
            if row.state == 0:
                # Somebody is still typing: it comes when it is saved.
                odd.append(Odd(code="unsaved_draft", subject=f"product:{row.id}", severity="info"))
                continue
            rows.append(row)
            raw[str(row.id)] = wire.shown("product", element)
        combinations, bad = self._combinations(rows)
        names = self._names(combinations)
        items: list[Product] = []
        for row in rows:
            try:
                if problem := bad.get(row.id):
                    raise problem
                item, untidy = mapping.product(row, combinations.get(row.id, ()), names)
            except NotUnderstood as error:
                odd.append(
                    Odd(
                        code="malformed_row",
                        subject=f"product:{row.id}",
                        facts={"problem": str(error), "answer": str(error.facts.get("answer", ""))},
                    )
                )
                continue
            items.append(item)
            odd.extend(untidy)
        if items and not names.currency:
            odd.append(
                Odd(
                    code="unknown_currency",
                    subject="shop",
                    facts={"currency": self._lookups.settings.get("PS_CURRENCY_DEFAULT", "")},
                )
            )
        odd.extend(self._client.take_odd())
        named = tuple(reading.about(one, "products", "product") for one in odd)
        return Page(items=items, cursor=cursor, seen=tuple(batch.ids), odd=named, raw=raw)

    def _combinations(
        self, rows: Sequence[wire.Product]
    ) -> tuple[dict[int, list[wire.Combination]], dict[int, NotUnderstood]]:
        """The combinations of a page of products. A product with one that cannot be read waits as a whole: leaving the
        one out would look as if the shop had deleted it."""
        found: dict[int, list[wire.Combination]] = defaultdict(list)
        bad: dict[int, NotUnderstood] = {}
        # Old versions list no combinations in a product of theirs that has none; asking only for the others spares calls.
        ids = [row.id for row in rows if row.associations.combinations]
        if not ids:
            return found, bad
        for element in reading.all_of(
            self._client,
            "combinations",
            filters={"id_product": any_of(ids)},
            limit=COMBINATIONS,
            params=self._lookups.context,
        ):
            try:
                row = wire.typed(wire.Combination, element)
            except NotUnderstood as error:
                bad[wire.number(element, "id_product")] = error
                continue
            found[row.id_product].append(row)
        for product in rows:
            listed = {one.id for one in product.associations.combinations}
            if missing := listed - {one.id for one in found[product.id]}:
                bad.setdefault(product.id, NotUnderstood(f"combinations {sorted(missing)} cannot be read", answer=""))
        return found, bad

    def _names(self, combinations: Mapping[int, Sequence[wire.Combination]]) -> mapping.Names:
        lookups = self._lookups
        values = {
            reference.id
            for rows in combinations.values()
            for row in rows
            for reference in row.associations.product_option_values
        }
        pack = lookups.settings.get("PS_PACK_STOCK_TYPE", "")
        return mapping.Names(
            language=lookups.language,
            languages={key: row.iso_code for key, row in lookups.languages.items() if row.iso_code},
            currency=lookups.base_currency,
            categories=lookups.categories,
            option_values=lookups.option_values(values) if values else {},
            options=lookups.options if values else {},
            weight_unit=lookups.settings.get("PS_WEIGHT_UNIT", "kg"),
            pack_stock_type=int(pack) if pack.isdigit() else 0,
            shop_url=self._client.config.shop_url,
            zone=lookups.zone,
        )

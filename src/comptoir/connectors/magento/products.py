"""Products: a configurable with its variants is one page, so is a simple product that is nobody's variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comptoir.channels.errors import Missing, NotUnderstood
from comptoir.channels.records import Odd, Page, Product
from comptoir.connectors.magento import mapping, reading, wire
from comptoir.connectors.magento.client import MagentoClient
from comptoir.connectors.magento.lookups import Lookups
from comptoir.connectors.magento.reading import PRODUCTS, Batch
from comptoir.kit import clock

CATALOGUE = "/catalog/product"


class MagentoProducts:
    """ProductSource. A change of a variant stamps the variant alone, so its whole page is read then; stock and some prices
    stamp nothing, so `everything` is for a nightly look at all of them."""

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch, after in reading.changes(self._client, PRODUCTS, cursor, start=None, now=clock.now()):
            yield self._page(batch, after, with_parents=True)

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        after = int(str(cursor.get("after", 0)))
        while True:
            batch = reading.page(self._client, PRODUCTS, after=after)
            after = reading.last(batch, after) if batch.ids else after
            yield self._page(batch, {"after": after})
            if batch.is_last:
                return

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        return self._page(reading.some(self._client, PRODUCTS, external_ids), {}, with_parents=True)

    def image(self, ref: str) -> tuple[bytes, str]:
        if not ref.startswith("/") or ".." in ref:
            raise Missing(f"{ref!r} is not an image of this shop", ref=ref)
        return self._client.picture(f"{self._lookups.media_url}{CATALOGUE}{ref}")

    def _page(self, batch: Batch, cursor: dict[str, Any], *, with_parents: bool = False) -> Page[Product]:
        """`seen` less items less odd ones are variants, which come with their configurable: read on its own page, or brought
        along where only they have changed."""
        odd = list(batch.odd)
        rows = self._typed(batch.rows, odd)
        raw = {wire.identity(row, "id"): wire.shown(row) for row in batch.rows}
        parents = self._parents(rows)
        pages = [row for row in rows.values() if str(row.id) not in parents]
        if with_parents and (wanted := sorted(set(parents.values()) - rows.keys())):
            brought = reading.some(self._client, PRODUCTS, wanted)
            odd.extend(brought.odd)
            pages += self._typed(brought.rows, odd).values()
            raw |= {wire.identity(row, "id"): wire.shown(row) for row in brought.rows}
        variants, bad = self._variants(pages, rows, odd)
        names = self._names(pages)
        items: list[Product] = []
        for row in pages:
            try:
                if problem := bad.get(row.id):
                    raise problem
                item, untidy = mapping.product(row, variants.get(row.id, ()), names)
            except NotUnderstood as error:
                facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
                odd.append(Odd(code="malformed_row", subject=f"product:{row.id}", facts=facts))
                continue
            odd.extend(untidy)
            if item is not None:
                items.append(item)
        if items and not names.currency:
            odd.append(
                Odd(code="unknown_currency", subject="shop", facts={"currency": self._lookups.store.base_currency_code})
            )
        odd.extend(self._client.take_odd())
        seen = dict.fromkeys([*batch.ids, *(item.external_id for item in items)])
        kept = {item.external_id for item in items}
        return Page(
            items=items,
            cursor=cursor,
            seen=tuple(seen),
            odd=tuple(odd),
            raw={key: text for key, text in raw.items() if key in kept},
        )

    def _typed(self, rows: Sequence[wire.Row], odd: list[Odd]) -> dict[str, wire.Product]:
        found: dict[str, wire.Product] = {}
        for row in rows:
            try:
                one = wire.typed(wire.Product, row)
            except NotUnderstood as error:
                odd.append(reading.malformed(PRODUCTS, row, error))
                continue
            found[str(one.id)] = one
        return found

    def _parents(self, rows: Mapping[str, wire.Product]) -> dict[str, str]:
        """Which of these are variants, and whose. What is known is read again where a configurable shows another family."""
        shown = {
            row.id: row.extension_attributes.configurable_product_links
            for row in rows.values()
            if row.type_id == "configurable"
        }
        if any(self._lookups.families.get(family) != links for family, links in shown.items()):
            self._lookups.forget_families()
        known = self._lookups.parents if any(row.type_id != "configurable" for row in rows.values()) else {}
        return {str(row.id): str(known[row.id]) for row in rows.values() if row.id in known}

    def _variants(
        self, pages: Sequence[wire.Product], rows: Mapping[str, wire.Product], odd: list[Odd]
    ) -> tuple[dict[int, list[wire.Product]], dict[int, NotUnderstood]]:
        """The variants of each page. A page with one that cannot be read waits as a whole: leaving the one out would look as
        if the shop had deleted it."""
        wanted = {str(child) for row in pages for child in row.extension_attributes.configurable_product_links}
        known = {key: row for key, row in rows.items() if key in wanted}
        unread: set[str] = set()
        if missing := sorted(wanted - known.keys(), key=int):
            batch = reading.some(self._client, PRODUCTS, missing)
            untidy = list(batch.odd)
            known |= self._typed(batch.rows, untidy)
            unread = {one.subject.partition(":")[2] for one in untidy}
        unread |= {one.subject.partition(":")[2] for one in odd if one.code in ("malformed_row", "unreadable_answer")}
        found: dict[int, list[wire.Product]] = {}
        bad: dict[int, NotUnderstood] = {}
        for row in pages:
            links = [str(one) for one in row.extension_attributes.configurable_product_links]
            found[row.id] = []
            for variant in (known[one] for one in links if one in known):
                if self._lookups.parents.get(variant.id, row.id) == row.id:
                    found[row.id].append(variant)
                else:
                    facts = {"sku": variant.sku, "other": str(row.id)}
                    subject = f"listing:{variant.id}"
                    odd.append(Odd(code="variant_of_several", subject=subject, severity="info", facts=facts))
            if lost := [one for one in links if one in unread]:
                bad[row.id] = NotUnderstood(f"variants {', '.join(lost)} cannot be read", answer="")
        return found, bad

    def _names(self, pages: Sequence[wire.Product]) -> mapping.Names:
        lookups, config = self._lookups, self._client.config
        axes = {axis.attribute_id for row in pages for axis in row.extension_attributes.configurable_product_options}
        parts = {
            link.sku
            for row in pages
            for option in row.extension_attributes.bundle_product_options
            for link in option.product_links
        }
        has_brands = bool(config.brand) and any(config.brand in mapping.attributes_of(row) for row in pages)
        has_categories = any(row.extension_attributes.category_links for row in pages)
        return mapping.Names(
            currency=lookups.currency,
            taxed=config.taxed,
            weight_unit=lookups.store.weight_unit,
            shop_url=lookups.shop_url,
            barcode=config.barcode,
            brand=config.brand,
            brands=lookups.labels(config.brand) if has_brands else {},
            categories=lookups.categories if has_categories else {},
            attributes=lookups.attributes(axes) if axes else {},
            parts=lookups.ids(parts) if parts else {},
        )

"""Products with their variations and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd, Page, Product
from comptoir.connectors.woocommerce import mapping, reading, wire
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient
from comptoir.connectors.woocommerce.lookups import Lookups

PAGE = 50
PATH = f"{V3}/products"


class WooCommerceProducts:
    """ProductSource. A product's stamp need not move with a variation or with its stock, so `everything` is for a nightly look
    at all of them."""

    def __init__(self, client: WooCommerceClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch, after in reading.changes(self._client, PATH, cursor, {}, start=None, size=PAGE):
            yield self._page(batch, after)

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch, after in reading.everything(self._client, PATH, cursor, {}, size=PAGE):
            yield self._page(batch, after)

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        wanted = [int(one) for one in dict.fromkeys(external_ids) if one.isdecimal()]
        return self._page(reading.some(self._client, PATH, wanted, {}), {})

    def image(self, ref: str) -> tuple[bytes, str]:
        return self._client.picture(ref)

    def _page(self, batch: reading.Batch, cursor: dict[str, Any]) -> Page[Product]:
        lookups = self._lookups
        odd = list(batch.odd)
        items: list[Product] = []
        raw: dict[str, str] = {}
        names = mapping.Names(
            currency=lookups.currency,
            prices_include_tax=lookups.prices_include_tax,
            weight_unit=lookups.weight_unit,
            categories=lookups.categories if batch.rows else {},
            counts_all=self._client.config.counts_all,
        )
        for identity, row in batch.rows.items():
            raw[str(identity)] = bytes(row).decode("utf-8", "replace")
            try:
                one = wire.typed(wire.Product, row)
                if one.type in mapping.NOT_SOLD:
                    continue  # it is seen, and left out by a rule: what it leads to is a product of its own
                item, untidy = mapping.product(one, self._variations(one), names)
            except NotUnderstood as error:
                facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
                odd.append(Odd(code="malformed_row", subject=f"product:{identity}", facts=facts))
                continue
            items.append(item)
            odd += untidy
        if items and not names.currency:
            currency = lookups.setting("general", "woocommerce_currency")
            odd.append(Odd(code="unknown_currency", subject="shop", facts={"currency": currency}))
        odd += self._client.take_odd()
        return Page(
            items=items,
            cursor=dict(cursor),
            seen=tuple(map(str, batch.ids)),
            odd=tuple(reading.about(one, PATH, "product") for one in odd),
            raw=raw,
            total=batch.total,
        )

    def _variations(self, row: wire.Product) -> list[wire.Variation]:
        """All of a product's. One that cannot be read holds the product back: leaving it out would look as if it were
        deleted."""
        if not row.is_variable or row.variations == []:
            return []
        found: list[wire.Variation] = []
        for batch in reading.all_of(self._client, f"{PATH}/{row.id}/variations"):
            if batch.odd:
                raise NotUnderstood(str(batch.odd[0].facts["problem"]), answer=batch.odd[0].facts.get("answer", ""))
            found += [wire.typed(wire.Variation, one) for one in batch.rows.values()]
        return found

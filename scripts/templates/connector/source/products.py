"""ProductSource: goods and their prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import msgspec
from comptoir.connectors.acme import mapping, wire
from comptoir.connectors.acme.client import AcmeClient, Batch

from comptoir.channels.errors import Missing
from comptoir.channels.records import Odd, Page, Product

PAGE = 50


class AcmeProducts:
    """ProductSource."""

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    @cached_property
    def _currency(self) -> str:
        return self._client.get("account", wire.Account).currency

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch in self._client.changed("goods", cursor, PAGE, {}):
            yield self._page(batch)

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        for batch in self._client.by_id("goods", cursor, PAGE, {}):
            yield self._page(batch)

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        return self._page(self._client.these("goods", external_ids))

    def image(self, ref: str) -> tuple[bytes, str]:
        raise Missing("goods have no pictures here", ref=ref)

    def _page(self, batch: Batch) -> Page[Product]:
        items: list[Product] = []
        odd: list[Odd] = []
        for row, raw in batch.rows:
            try:
                item, untidy = mapping.product(msgspec.json.decode(raw, type=wire.Good), self._currency)
            except msgspec.DecodeError as error:
                facts = {"problem": str(error), "answer": bytes(raw).decode()}
                odd.append(Odd(code="malformed_row", subject=f"product:{row.id}", facts=facts))
                continue
            items.append(item)
            odd.extend(untidy)
        raws = {str(row.id): bytes(raw).decode() for row, raw in batch.rows}
        return Page(items=items, cursor=batch.cursor, seen=batch.seen, odd=tuple(odd), raw=raws)

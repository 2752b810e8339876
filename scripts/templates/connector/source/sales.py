"""SalesSource: sales and their changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from comptoir.connectors.acme import mapping, wire
from comptoir.connectors.acme.client import AcmeClient, Batch

from comptoir.channels.records import Odd, Page, Sale

PAGE = 50


class AcmeSales:
    """SalesSource."""

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        params = {"placed_from": start.isoformat()} if start else {}
        for batch in self._client.changed("sales", cursor, PAGE, params):
            yield _page(batch)

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        return _page(self._client.these("sales", external_ids))

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        params = {"placed_from": since.isoformat(), "placed_until": until.isoformat()}
        for batch in self._client.by_id("sales", {}, PAGE, params):
            yield batch.seen


def _page(batch: Batch) -> Page[Sale]:
    items: list[Sale] = []
    odd: list[Odd] = []
    for row, raw in batch.rows:
        try:
            items.append(mapping.sale(msgspec.json.decode(raw, type=wire.Sale)))
        except msgspec.DecodeError as error:
            facts = {"problem": str(error), "answer": bytes(raw).decode()}
            odd.append(Odd(code="malformed_sale", subject=f"sale:{row.id}", facts=facts))
    raws = {str(row.id): bytes(raw).decode() for row, raw in batch.rows}
    return Page(items=items, cursor=batch.cursor, seen=batch.seen, odd=tuple(odd), raw=raws)

"""Orders of the shop as sales: what changed, named ones, and the ids of those placed in a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd, Page, Sale
from comptoir.connectors.shopify import mapping, operations, reading, wire
from comptoir.connectors.shopify.client import PageSize, ShopifyClient
from comptoir.connectors.shopify.lookups import Lookups

#: Test orders are nobody's. Cancelled and archived ones come too: nothing but this is left out unless asked.
ONLY = "test:false"


class ShopifySales:
    """SalesSource."""

    def __init__(self, client: ShopifyClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._size = PageSize(10, 50)

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        for batch in reading.changes(
            self._client, operations.ORDERS, "orders", self._size, cursor, start=start, only=ONLY
        ):
            yield self._page(batch.rows, batch.cursor)

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        rows = reading.by_id(self._client, operations.ORDERS_BY_ID, "Order", external_ids, self._size)
        return self._page(rows, {})

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        text = f"{ONLY} AND created_at:>='{reading.stamp(since)}' AND created_at:<'{reading.stamp(until)}'"
        after: str | None = None
        while True:
            answer = self._client.ask(operations.ORDER_IDS, after=after, query=text)
            found = answer["orders"]
            yield [str(row["legacyResourceId"]) for row in found["nodes"]]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = found["pageInfo"]["endCursor"]

    def _page(self, rows: Sequence[dict[str, Any]], cursor: dict[str, Any]) -> Page[Sale]:
        around = mapping.Around(point=self._lookups.usual_point, accepts_authorized=self._client.config.authorized)
        items: list[Sale] = []
        odd: list[Odd] = []
        raw: dict[str, str] = {}
        for row in rows:
            external_id = reading.identity(row)
            try:
                self._complete(row)
                raw[external_id] = wire.text_of(row)
                order = wire.typed(wire.Order, row)
                if not order.test:
                    items.append(mapping.sale(order, around))
            except NotUnderstood as error:
                raw.setdefault(external_id, wire.text_of(row))
                odd.append(reading.malformed("sale", row, error, "malformed_sale"))
        seen = tuple(dict.fromkeys(reading.identity(row) for row in rows))
        return Page(items=items, cursor=cursor, seen=seen, odd=tuple(odd), raw=raw)

    def _complete(self, row: dict[str, Any]) -> None:
        """Lines beyond the first pages. A sale without one of them would be a wrong sale."""
        client = self._client
        client.complete(operations.MORE_LINES, ("order", "lineItems"), row)
        for refund in row.get("refunds") or ():
            client.complete(operations.MORE_REFUNDED, ("refund", "refundLineItems"), refund)
        for parcel in row.get("fulfillments") or ():
            client.complete(operations.MORE_SHIPPED, ("fulfillment", "fulfillmentLineItems"), parcel)

"""Orders of the shop as sales: what changed, named ones, and the ids of what was placed in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood
from comptoir.channels.records import Page, Sale
from comptoir.connectors.magento import mapping, reading, wire
from comptoir.connectors.magento.client import MagentoClient
from comptoir.connectors.magento.lookups import Lookups
from comptoir.connectors.magento.reading import ORDERS, Batch, Listing
from comptoir.kit import clock

SHIPMENTS = Listing("shipments", "entity_id", "shipment")
IDS = 300  # orders of which only the id is asked: the most that a shop with input limits gives


class MagentoSales:
    """SalesSource. A shipment alone may not stamp its order: those that are open here are asked for by `fetch`."""

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._sees_shipments = True

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        for batch, after in reading.changes(self._client, ORDERS, cursor, start=start, now=clock.now()):
            yield self._page(batch, after)

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        return self._page(reading.some(self._client, ORDERS, external_ids), {})

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        """Stamps have whole seconds: those at the very edge are looked at once more, here."""
        first, last = reading.to_shop(since), reading.to_shop(until + timedelta(seconds=1))
        filters = [("created_at", "gteq", first), ("created_at", "lteq", last)]
        after = 0
        while True:
            batch = reading.page(
                self._client, ORDERS, after=after, filters=filters, fields="entity_id,created_at", size=IDS
            )
            yield [
                wire.identity(row)
                for row in batch.rows
                if since <= reading.to_utc(str(row.get("created_at", ""))) < until
            ]
            if batch.is_last:
                return
            after = reading.last(batch, after)

    def _page(self, batch: Batch, cursor: dict[str, Any]) -> Page[Sale]:
        odd = list(batch.odd)
        orders: list[wire.Order] = []
        raw: dict[str, str] = {}
        for row in batch.rows:
            try:
                orders.append(wire.typed(wire.Order, row))
            except NotUnderstood as error:
                odd.append(
                    reading.malformed(ORDERS, row, error, "malformed_sale", reference=str(row.get("increment_id", "")))
                )
                continue
            raw[wire.identity(row)] = wire.shown(row)
        tracking = self._tracking([one for one in orders if any(item.qty_shipped for item in one.items)])
        items: list[Sale] = []
        for order in orders:
            try:
                items.append(
                    mapping.sale(
                        order,
                        offline=self._client.config.offline,
                        selling_point=self._lookups.point(order.store_id),
                        tracking=tracking.get(order.entity_id, ()),
                    )
                )
            except NotUnderstood as error:
                code = "unknown_currency" if error.facts.get("field") == "order_currency_code" else "malformed_sale"
                row = {"entity_id": order.entity_id}
                odd.append(reading.malformed(ORDERS, row, error, code, reference=order.increment_id))
        odd.extend(self._client.take_odd())
        return Page(items=items, cursor=cursor, seen=tuple(batch.ids), odd=tuple(odd), raw=raw)

    def _tracking(self, orders: Sequence[wire.Order]) -> dict[int, list[str]]:
        """Tracking numbers by order. A key without the right to see shipments goes without."""
        if not orders or not self._sees_shipments:
            return {}
        found: dict[int, list[str]] = {}
        try:
            for row in shipment_rows(self._client, [one.entity_id for one in orders]):
                try:
                    parcel = wire.typed(wire.Shipment, row)
                except NotUnderstood as error:
                    self._client.note(reading.malformed(SHIPMENTS, row, error))
                    continue
                found.setdefault(parcel.order_id, []).extend(track.track_number for track in parcel.tracks)
        except NotLetIn as error:
            self._lookups.right_missing(error)
            self._sees_shipments = False
        return found


def shipment_rows(client: MagentoClient, orders: Sequence[int]) -> Iterator[wire.Row]:
    """The shipments of these orders as they are on the wire, oldest first."""
    return client.all_of(
        SHIPMENTS.path,
        [("order_id", "in", ",".join(str(one) for one in orders))],
        sort=["entity_id"],
        fields="entity_id,order_id,tracks[track_number],comments[comment]",
    )


def shipments(client: MagentoClient, order: int) -> list[wire.Shipment]:
    """The shipments of one order, oldest first."""
    return [wire.typed(wire.Shipment, row) for row in shipment_rows(client, [order])]


def one_order(client: MagentoClient, sale: str) -> wire.Order:
    """An order as it is now; raises Missing."""
    if not sale.isdecimal():
        raise Missing(f"{sale!r} is not an order of this shop", sale=sale)
    return wire.typed(wire.Order, client.get(f"orders/{sale}"))

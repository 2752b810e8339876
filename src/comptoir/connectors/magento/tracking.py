"""Parcels and cancellations told to the shop. Neither can be repeated safely, so each is asked about first."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Any

from comptoir.channels.errors import Refused, Unknown
from comptoir.channels.records import Answer, Fate, LineKind, Parcel
from comptoir.connectors.magento import mapping, wire
from comptoir.connectors.magento.client import MagentoClient
from comptoir.connectors.magento.lookups import LEGACY, Lookups
from comptoir.connectors.magento.sales import one_order, shipments

CARRIERS = ("ups", "usps", "fedex", "dhl")  # those that Magento knows; another is "custom" with a title
NOT_NOW = ("canceled", "closed", "holded", "payment_review")
TOGETHER = "0"  # a bundle's `shipment_type`


class MagentoTracking:
    """TrackingTarget."""

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def confirm(self, parcel: Parcel) -> Answer:
        try:
            order = one_order(self._client, parcel.sale)
            if order.state in NOT_NOW:
                return Answer(item=0, fate=Fate.REFUSED, reason=f"the order is {order.status or order.state} there")
            if self._is_all_shipped(order):
                return self._add_track(order, parcel)
            if self._client.config.invoices:
                order = self._invoiced(order)
            self._client.write("POST", f"order/{order.entity_id}/ship", self._body(order, parcel))
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_confirmed(self, parcel: Parcel) -> bool:
        """By its tracking number, or by the mark in the shipment's comment where it has none."""
        if not parcel.sale.isdecimal():
            return False
        there = shipments(self._client, int(parcel.sale))
        if parcel.tracking:
            return any(track.track_number == parcel.tracking for one in there for track in one.tracks)
        return any(_mark(parcel) in said.comment for one in there for said in one.comments)

    def _is_all_shipped(self, order: wire.Order) -> bool:
        """Whether somebody has shipped everything with the shop's own screen."""
        goods = [one for one in mapping.lines_of(order) if one.kind is LineKind.GOODS]
        return bool(goods) and not any(mapping.open_units(one.row) > 0 for one in goods)

    def _add_track(self, order: wire.Order, parcel: Parcel) -> Answer:
        """Nothing is left to ship: our number joins the last shipment, so that the buyer can follow it."""
        there = shipments(self._client, order.entity_id)
        known = {track.track_number for one in there for track in one.tracks}
        if there and parcel.tracking and parcel.tracking not in known:
            entity = {
                "order_id": order.entity_id, "parent_id": there[-1].entity_id, "qty": 1, "weight": 0, "description": "",
                **_track(parcel),
            }  # fmt: skip
            self._client.write("POST", "shipment/track", {"entity": entity})
        return Answer(item=0, fate=Fate.DONE)

    def _invoiced(self, order: wire.Order) -> wire.Order:
        """The order with its invoice: made now where nobody has, all of it."""
        if all(one.qty_invoiced + one.qty_canceled >= one.qty_ordered for one in order.items):
            return order
        self._client.write(
            "POST", f"order/{order.entity_id}/invoice", {"capture": True, "notify": self._client.config.mails}
        )
        return one_order(self._client, str(order.entity_id))

    def _body(self, order: wire.Order, parcel: Parcel) -> dict[str, Any]:
        body: dict[str, Any] = {
            "notify": self._client.config.mails,
            "appendComment": False,
            "comment": {"comment": _mark(parcel), "is_visible_on_front": 0},
        }
        if items := self._items(order, parcel):
            body["items"] = items
        if parcel.tracking:
            body["tracks"] = [_track(parcel)]
        point = self._lookups.point(order.store_id)
        if point and point != LEGACY:
            body["arguments"] = {"extension_attributes": {"source_code": point}}
        return body

    def _items(self, order: wire.Order, parcel: Parcel) -> list[dict[str, object]]:
        """What is in the parcel by the rows that the shop ships, and no more of each than is open there: of a configurable the
        parent, which is the line already; of a bundle that ships together the bundle, as many as its parts here make up,
        and with the last parcel what is left of it."""
        rows = {str(one.item_id): one for one in order.items}
        found: dict[int, Decimal] = {}
        bundles: dict[int, dict[int, Decimal]] = {}
        for line in parcel.lines:
            row = rows.get(line.line)
            if row is None:
                raise Refused(f"the order has no line {line.line}")
            parent = rows.get(str(row.parent_item_id))
            if row.product_type == "bundle" or row.is_virtual:
                continue
            if parent is not None and parent.product_type == "bundle" and self._ships_together(parent):
                bundles.setdefault(parent.item_id, {})[row.item_id] = line.quantity
            else:
                found[row.item_id] = min(line.quantity, mapping.open_units(row))
        for key, parts in bundles.items():
            bundle, left = rows[str(key)], mapping.open_units(rows[str(key)])
            siblings = [one for one in order.items if one.parent_item_id == key and not one.is_virtual]
            here = min(_bundles(bundle, one, parts.get(one.item_id, Decimal(0))) for one in siblings)
            found[key] = left if parcel.completes else min(here, left)
        items: list[dict[str, object]] = [
            {"order_item_id": key, "qty": units} for key, units in found.items() if units > 0
        ]
        if parcel.lines and not items:
            why = "parts of a bundle leave together" if bundles else "nothing of these lines is open there"
            raise Refused(f"the shop cannot ship this parcel by itself: {why}")
        return items

    def _ships_together(self, bundle: wire.OrderItem) -> bool:
        found = self._client.search(
            "products",
            [("entity_id", "eq", str(bundle.product_id))],
            sort=["entity_id"],
            fields="id,sku,type_id,custom_attributes",
        )
        for row in found.rows:
            return str(mapping.attributes_of(wire.typed(wire.Product, row)).get("shipment_type", TOGETHER)) == TOGETHER
        return True


class MagentoCancelling:
    """CancelTarget."""

    def __init__(self, client: MagentoClient) -> None:
        self._client = client

    def cancel(self, sale: str) -> Answer:
        try:
            order = one_order(self._client, sale)
            if order.state == "canceled":
                return Answer(item=0, fate=Fate.DONE)
            if self._client.write("POST", f"orders/{order.entity_id}/cancel", {}) is False:
                reason = f"the shop does not cancel an order that is {order.status or order.state}: refund it there"
                return Answer(item=0, fate=Fate.REFUSED, reason=reason)
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_cancelled(self, sale: str) -> bool:
        return one_order(self._client, sale).state == "canceled"


def _mark(parcel: Parcel) -> str:
    return f"Comptoir {parcel.key}"


def _track(parcel: Parcel) -> dict[str, object]:
    title = parcel.carrier_name or parcel.carrier
    known = next((one for one in CARRIERS if one == title.lower()), "custom")
    return {"track_number": parcel.tracking, "title": title or "Carrier", "carrier_code": known}


def _bundles(bundle: wire.OrderItem, part: wire.OrderItem, units: Decimal) -> Decimal:
    """So many whole bundles are so many units of one part."""
    each = part.qty_ordered / bundle.qty_ordered
    return (units / each).to_integral_value(ROUND_FLOOR) if each > 0 else Decimal(0)

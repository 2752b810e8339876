"""Telling the shop that something left, or that a sale is cancelled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from comptoir.channels.errors import Missing, Refused, Unknown
from comptoir.channels.records import Answer, Fate, Parcel
from comptoir.connectors.shopify import operations, wire
from comptoir.connectors.shopify.client import ShopifyClient

Units = dict[str, int]  # by line of the order, as its global id


class ShopifyTracking:
    """TrackingTarget. What is to leave hangs on fulfilment orders, one for each location; a parcel is one fulfilment at
    each location that it has something of. There is no idempotency key: the tracking number tells what was told."""

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    def confirm(self, parcel: Parcel) -> Answer:
        try:
            order = self._order(parcel.sale)
            left = self._left(parcel, order)
            if left is not None and not any(left.values()):
                return Answer(item=0, fate=Fate.DONE)
            parts, short = _spread(order, left)
            if short or not parts:
                return Answer(item=0, fate=Fate.REFUSED, reason=_why_not(order))
            for rows in parts.values():
                self._ship(parcel, rows)
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_confirmed(self, parcel: Parcel) -> bool:
        order = self._order(parcel.sale)
        told = _told(parcel, order)
        if not told:
            return False
        left = self._left(parcel, order)
        return not any(left.values()) if left is not None else not _spread(order, None)[0]

    def _left(self, parcel: Parcel, order: wire.Shipping) -> Units | None:
        """What of the parcel is still to be told; None where it names no lines and all that remains is meant."""
        if not parcel.lines:
            return None
        told = _told(parcel, order)
        wanted: Units = defaultdict(int)
        for line in parcel.lines:
            wanted[wire.gid("LineItem", line.line)] += int(line.quantity)
        return {line: max(0, units - told.get(line, 0)) for line, units in wanted.items()}

    def _ship(self, parcel: Parcel, rows: list[dict[str, Any]]) -> None:
        tracking = {
            name: text
            for name, text in (
                ("company", parcel.carrier_name),
                ("number", parcel.tracking),
                ("url", parcel.tracking_url),
            )
            if text
        }
        body: dict[str, object] = {
            "notifyCustomer": self._client.config.mails,
            "lineItemsByFulfillmentOrder": rows,
            **({"trackingInfo": tracking} if parcel.tracking or parcel.tracking_url else {}),
        }
        payload = self._client.change(operations.SHIP, fulfillment=body)
        _refuse(payload.get("userErrors"))

    def _order(self, sale: str) -> wire.Shipping:
        row = self._client.ask(operations.SHIPPING, id=_gid(sale)).get("order")
        if row is None:
            raise Missing(f"order {sale} is not there", sale=sale)
        for one in (row.get("fulfillmentOrders") or {}).get("nodes") or ():
            self._client.complete(operations.MORE_TO_SHIP, ("fulfillmentOrder", "lineItems"), one)
        for one in row.get("fulfillments") or ():
            self._client.complete(operations.MORE_SHIPPED, ("fulfillment", "fulfillmentLineItems"), one)
        return wire.typed(wire.Shipping, row)


def _told(parcel: Parcel, order: wire.Shipping) -> Units:
    """Units that fulfilments with this parcel's number have; without a number, those without one that hold just the same."""
    found: Units = defaultdict(int)
    wanted = {wire.gid("LineItem", line.line): int(line.quantity) for line in parcel.lines}
    for one in order.fulfillments:
        numbers = {info.number for info in one.tracking_info if info.number}
        units = {line.line_item.id: line.quantity or 0 for line in one.fulfillment_line_items.nodes}
        is_it = parcel.tracking in numbers if parcel.tracking else not numbers and units == wanted
        if one.is_real and is_it:
            for line, count in units.items():
                found[line] += count
    return found


def _spread(order: wire.Shipping, wanted: Mapping[str, int] | None) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """What to send, by location, and whether units are left over that no open fulfilment order has."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    left = dict(wanted) if wanted is not None else None
    for one in order.fulfillment_orders.nodes:
        if not any(action.action == "CREATE_FULFILLMENT" for action in one.supported_actions):
            continue
        rows = []
        for line in one.line_items.nodes:
            units = line.remaining_quantity
            if left is not None:
                units = min(units, left.get(line.line_item.id, 0))
                left[line.line_item.id] = left.get(line.line_item.id, 0) - units
            if units:
                rows.append({"id": line.id, "quantity": units})
        if rows:
            place = one.assigned_location.location
            found[place.legacy_resource_id if place else one.id].append(
                {"fulfillmentOrderId": one.id, "fulfillmentOrderLineItems": rows}
            )
    return dict(found), any(count > 0 for count in (left or {}).values())


def _why_not(order: wire.Shipping) -> str:
    """Why the shop takes no parcel: cancelled, on hold, or nothing is left to ship."""
    if order.cancelled_at is not None:
        return "the order is cancelled there"
    holds = [hold for one in order.fulfillment_orders.nodes for hold in one.fulfillment_holds]
    if holds:
        notes = f": {holds[0].reason_notes}" if holds[0].reason_notes else ""
        return f"the order is on hold there ({holds[0].reason}{notes})"
    return "the shop has less of it left to ship than is in this parcel"


class ShopifyCancelling:
    """CancelTarget. The shop cancels for good, in its own time, and puts the units back on its shelf."""

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    def cancel(self, sale: str) -> Answer:
        try:
            if self.is_cancelled(sale):
                return Answer(item=0, fate=Fate.DONE)
            payload = self._client.change(operations.CANCEL, id=_gid(sale), refund=self._client.config.refunds)
            _refuse(payload.get("orderCancelUserErrors"))
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        if (payload.get("job") or {}).get("done") or self.is_cancelled(sale):
            return Answer(item=0, fate=Fate.DONE)
        return Answer(item=0, fate=Fate.UNKNOWN, reason="the shop has taken it and is still at it")

    def is_cancelled(self, sale: str) -> bool:
        row = self._client.ask(operations.CANCELLED, id=_gid(sale)).get("order")
        if row is None:
            raise Missing(f"order {sale} is not there", sale=sale)
        return row.get("cancelledAt") is not None


def _gid(sale: str) -> str:
    if not wire.is_number(sale):
        raise Missing(f"{sale!r} is not an order of this shop", sale=sale)
    return wire.gid("Order", sale)


def _refuse(errors: Any) -> None:
    """Raise what the shop has against it."""
    found = [wire.typed(wire.UserError, error) for error in errors or ()]
    if found:
        raise Refused("; ".join(one.message for one in found), code=found[0].code or "")

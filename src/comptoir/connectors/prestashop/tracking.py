"""Parcels and cancellations told to the shop: tracking number first, then the state, each asked about before it is repeated."""

from __future__ import annotations

from collections.abc import Mapping

from comptoir.channels.errors import Refused, Unknown
from comptoir.channels.records import Answer, Fate, Parcel, SaleState
from comptoir.connectors.prestashop import mapping, wire
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.lookups import Lookups
from comptoir.connectors.prestashop.sales import one_order, states


class PrestaShopTracking:
    """TrackingTarget."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def confirm(self, parcel: Parcel) -> Answer:
        try:
            order = one_order(self._client, self._lookups, parcel.sale)
            meaning = states(self._lookups).meaning(order.current_state)
            if meaning in (SaleState.CANCELLED, SaleState.REFUNDED):
                # Posting *shipped* on it would take its units off the shop's stock again.
                return Answer(item=0, fate=Fate.REFUSED, reason=f"the order is {meaning} there")
            self._tell_number(parcel, order)
            if parcel.completes and meaning is not SaleState.SHIPPED:
                self._tell_state(order, _shipped(self._client, self._lookups))
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_confirmed(self, parcel: Parcel) -> bool:
        order = one_order(self._client, self._lookups, parcel.sale)
        row = self._row(order)
        if row is not None and (wanted := _wanted(parcel)) and row.get("tracking_number", "") != wanted:
            return False
        if not parcel.completes or states(self._lookups).meaning(order.current_state) is SaleState.SHIPPED:
            return True
        # The status that the merchant chose need not carry the *shipped* flag.
        return order.current_state == _shipped(self._client, self._lookups)

    def _row(self, order: wire.Order) -> wire.Row | None:
        """The order's carrier row; of several the one of the order's own carrier. A virtual order has none."""
        found = self._client.rows("order_carriers", filters={"id_order": f"[{order.id}]"}, sort="id_ASC")
        rows = [wire.plain(element) for element in found]
        return next((row for row in rows if row.get("id_carrier") == str(order.id_carrier)), rows[0] if rows else None)

    def _tell_number(self, parcel: Parcel, order: wire.Order) -> None:
        wanted = _wanted(parcel)
        row = self._row(order) if wanted else None
        if row is None or row.get("tracking_number", "") == wanted:
            return
        body: Mapping[str, object] = {"id": row["id"], "tracking_number": wanted}
        method, path = "PATCH", "order_carriers"
        if not self._client.takes_patch:
            method, path = "PUT", f"order_carriers/{row['id']}"
            body = {**{name: text for name, text in row.items() if name != "associations"}, **body}
        try:
            self._client.write(method, path, "order_carrier", [body], _mails(self._client))
        except Unknown:
            # 500 with code 46 is also what a failed e-mail looks like, with the number saved (issue 20315).
            after = self._row(order)
            if after is None or after.get("tracking_number", "") != wanted:
                raise

    def _tell_state(self, order: wire.Order, state: int) -> None:
        post_state(self._client, self._lookups, order, state)


class PrestaShopCancelling:
    """CancelTarget."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def cancel(self, sale: str) -> Answer:
        known = states(self._lookups)
        try:
            order = one_order(self._client, self._lookups, sale)
            meaning = known.meaning(order.current_state)
            if meaning in (SaleState.SHIPPED, SaleState.REFUNDED):
                return Answer(item=0, fate=Fate.REFUSED, reason=f"the order is {meaning} there")
            if not known.cancelled:
                return Answer(item=0, fate=Fate.REFUSED, reason="the shop names no state for cancelled orders")
            if meaning is not SaleState.CANCELLED:
                post_state(self._client, self._lookups, order, known.cancelled)
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_cancelled(self, sale: str) -> bool:
        order = one_order(self._client, self._lookups, sale)
        return states(self._lookups).meaning(order.current_state) is SaleState.CANCELLED


def post_state(client: PrestaShopClient, lookups: Lookups, order: wire.Order, state: int) -> None:
    """Move an order to a state. The shop does not mind the same state twice and would write it twice, so after a lost
    answer it is asked."""
    if order.current_state == state:
        return
    body = {"id_order": order.id, "id_order_state": state}
    try:
        client.write("POST", "order_histories", "order_history", [body], _mails(client))
    except Unknown:
        # On 1.7.6 a failed e-mail answers 500 although the state was changed.
        if one_order(client, lookups, str(order.id)).current_state != state:
            raise


def _shipped(client: PrestaShopClient, lookups: Lookups) -> int:
    state = client.config.shipped_status or lookups.setting("PS_OS_SHIPPING")
    if not state:
        raise Refused("the shop names no state for shipped orders; choose one in the channel's settings")
    return state


def _wanted(parcel: Parcel) -> str:
    return mapping.tracking_text([*parcel.all_tracking, parcel.tracking])


def _mails(client: PrestaShopClient) -> dict[str, str]:
    return {"sendemail": "1"} if client.config.mails else {}

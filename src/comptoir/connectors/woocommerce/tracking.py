"""Parcels told to the shop in whichever way it knows them, then the order completed with the last; and cancellations."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from comptoir.channels.errors import Missing, NotLetIn, Refused, Unknown
from comptoir.channels.records import Answer, Fate, Parcel
from comptoir.connectors.woocommerce import mapping, wire
from comptoir.connectors.woocommerce.client import WooCommerceClient, lacks_route
from comptoir.connectors.woocommerce.sales import PATH, one_order

ENDED = ("cancelled", "refunded", "trash")
COMPLETED = "completed"
#: choice of the channel -> namespace of the plugin
NAMESPACES = {"shipment_tracking": "wc-shipment-tracking/v3", "advanced_shipment_tracking": "wc-ast/v3"}


class _Way(ABC):
    """How a shop keeps parcels."""

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client

    @abstractmethod
    def has(self, parcel: Parcel) -> bool:
        """Whether the shop has this parcel."""

    @abstractmethod
    def add(self, parcel: Parcel) -> None:
        """Give it to the shop."""


class _Fulfillments(_Way):
    """The shop's own parcels (in trial since 10.1). Units of lines go with each."""

    def has(self, parcel: Parcel) -> bool:
        return any(self._is_it(parcel, _meta(row)) for row in fulfillments(self._client, parcel.sale))

    def add(self, parcel: Parcel) -> None:
        known = {
            "_items": _items(parcel),
            "_tracking_number": parcel.tracking,
            "_shipment_provider": parcel.carrier_name or parcel.carrier,
            "_tracking_url": parcel.tracking_url,
        }
        content = {
            "status": "fulfilled",
            "is_fulfilled": True,
            "meta_data": [{"key": key, "value": value} for key, value in known.items() if value],
        }
        params = {"notify_customer": "true"} if self._client.config.mails else {}
        self._client.write("POST", f"{PATH}/{parcel.sale}/fulfillments", content, params)

    @staticmethod
    def _is_it(parcel: Parcel, meta: Mapping[str, Any]) -> bool:
        """Known by its number; without one by what is in it."""
        if parcel.tracking:
            return str(meta.get("_tracking_number", "")) == parcel.tracking
        held = meta.get("_items")
        there = [(one.get("item_id"), one.get("qty")) for one in held] if isinstance(held, list) else []
        return sorted(there) == sorted((one["item_id"], one["qty"]) for one in _items(parcel))


class _Plugin(_Way):
    """Shipment Tracking, or Advanced Shipment Tracking, which speaks alike. A parcel without a number is nothing to them."""

    def __init__(self, client: WooCommerceClient, namespace: str) -> None:
        super().__init__(client)
        self._namespace = namespace
        self._providers: dict[str, str] | None = None

    def has(self, parcel: Parcel) -> bool:
        found = self._client.get(self._path(parcel))
        rows = found if isinstance(found, list) else []
        return not parcel.tracking or any(
            isinstance(one, dict) and str(one.get("tracking_number", "")) == parcel.tracking for one in rows
        )

    def add(self, parcel: Parcel) -> None:
        name = parcel.carrier_name or parcel.carrier
        if self._providers is None:
            self._providers = self._ask_providers(parcel)
        provider = self._providers.get(name.casefold())
        carrier = (
            {"tracking_provider": provider}
            if provider
            else {"custom_tracking_provider": name, "custom_tracking_link": parcel.tracking_url}
        )
        content = {
            **carrier,
            "tracking_number": parcel.tracking,
            "date_shipped": parcel.shipped_at.date().isoformat(),
        }
        self._client.write("POST", self._path(parcel), content)

    def _ask_providers(self, parcel: Parcel) -> dict[str, str]:
        """Carriers that the plugin knows by name, from lists by country."""
        try:
            found = self._client.get(f"{self._path(parcel)}/providers")
        except Refused:
            return {}  # it does not say: then every carrier is one of our own
        countries = found.values() if isinstance(found, dict) else ()
        return {name.casefold(): name for one in countries if isinstance(one, dict) for name in one}

    def _path(self, parcel: Parcel) -> str:
        return f"{self._namespace}/orders/{parcel.sale}/shipment-trackings"


class _Note(_Way):
    """A note to the customer, where the shop knows no parcels."""

    def has(self, parcel: Parcel) -> bool:
        if not parcel.tracking:
            return True
        # Not word for word: WordPress rewrites signs such as & in what it keeps.
        number = re.compile(rf"(?<!\w){re.escape(parcel.tracking)}(?!\w)")
        notes = self._client.get(f"{PATH}/{parcel.sale}/notes")
        return any(number.search(str(one.get("note", ""))) for one in notes if isinstance(one, dict))

    def add(self, parcel: Parcel) -> None:
        content = {"note": self._words(parcel), "customer_note": self._client.config.mails}
        self._client.write("POST", f"{PATH}/{parcel.sale}/notes", content)

    @staticmethod
    def _words(parcel: Parcel) -> str:
        return f"{parcel.carrier_name or parcel.carrier}: {parcel.tracking} {parcel.tracking_url}".strip()


class WooCommerceTracking:
    """TrackingTarget. Tracking goes before the status, so that the shop's e-mail carries it."""

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client
        self._plugins = {name: _Plugin(client, namespace) for name, namespace in NAMESPACES.items()}
        self._has_fulfillments: bool | None = None  # None: not asked yet

    def confirm(self, parcel: Parcel) -> Answer:
        try:
            order = one_order(self._client, parcel.sale)
            if order.status in ENDED:
                return Answer(item=0, fate=Fate.REFUSED, reason=f"the order is {order.status} there")
            way = self._way(parcel)
            if not way.has(parcel):
                way.add(parcel)
            if parcel.completes and order.status != COMPLETED:
                set_status(self._client, order, COMPLETED)
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_confirmed(self, parcel: Parcel) -> bool:
        order = one_order(self._client, parcel.sale)
        if parcel.completes and order.status != COMPLETED:
            return False
        return self._way(parcel).has(parcel)

    def _way(self, parcel: Parcel) -> _Way:
        chosen = self._client.config.tracking
        if chosen == "fulfillments" or (chosen == "auto" and self._takes_fulfillments(parcel)):
            return _Fulfillments(self._client)
        for name, plugin in self._plugins.items():
            if chosen == name or (chosen == "auto" and NAMESPACES[name] in self._namespaces):
                return plugin
        return _Note(self._client)

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        found = self._client.index()
        return frozenset(found.get("namespaces") or ()) if isinstance(found, dict) else frozenset()

    def _takes_fulfillments(self, parcel: Parcel) -> bool:
        """Only the route itself says whether the trial is switched on; it wants a line for each parcel."""
        if self._has_fulfillments is None:
            try:
                fulfillments(self._client, parcel.sale)
                self._has_fulfillments = True
            except Missing as error:
                if not lacks_route(error):
                    raise
                self._has_fulfillments = False
            except NotLetIn as error:
                if error.facts.get("status") != 403:
                    raise
                self._has_fulfillments = False
        return self._has_fulfillments and bool(_items(parcel))


class WooCommerceCancelling:
    """CancelTarget. The shop puts the units back by itself, once."""

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client

    def cancel(self, sale: str) -> Answer:
        try:
            order = one_order(self._client, sale)
            if order.status in (COMPLETED, "refunded"):
                return Answer(item=0, fate=Fate.REFUSED, reason=f"the order is {order.status} there")
            if order.status not in ENDED:
                set_status(self._client, order, "cancelled")
        except Unknown as error:
            return Answer(item=0, fate=Fate.UNKNOWN, reason=str(error))
        except Refused as error:
            return Answer(item=0, fate=Fate.REFUSED, reason=str(error))
        return Answer(item=0, fate=Fate.DONE)

    def is_cancelled(self, sale: str) -> bool:
        return one_order(self._client, sale).status in ("cancelled", "trash")


def set_status(client: WooCommerceClient, order: wire.Order, status: str) -> None:
    """Move an order. After a lost answer it is asked, since a shop whose e-mail hangs answers late or never."""
    try:
        client.write("PUT", f"{PATH}/{order.id}", {"status": status})
    except Unknown:
        if one_order(client, str(order.id)).status != status:
            raise


def fulfillments(client: WooCommerceClient, sale: str) -> list[dict[str, Any]]:
    """The parcels that the shop keeps itself, which is in trial: a list, or an object that holds one."""
    found = client.get(f"{PATH}/{sale}/fulfillments")
    rows = found.get("fulfillments") if isinstance(found, dict) else found
    return [one for one in rows or () if isinstance(one, dict)]


def _meta(row: Mapping[str, Any]) -> dict[str, Any]:
    rows = row.get("meta_data") or ()
    return {str(one.get("key")): one.get("value") for one in rows if isinstance(one, dict)}


def _items(parcel: Parcel) -> list[dict[str, int]]:
    return [
        {"item_id": int(one.line), "qty": mapping.whole(one.quantity)}
        for one in parcel.lines
        if one.line.isdecimal() and mapping.whole(one.quantity)
    ]

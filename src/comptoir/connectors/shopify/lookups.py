"""What does not change within a run: the shop and its locations, asked for once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.connectors.shopify import operations, wire
from comptoir.connectors.shopify.client import ShopifyClient


class Lookups:
    """The shop's own facts."""

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    @cached_property
    def _answer(self) -> dict[str, Any]:
        return self._client.ask(operations.SHOP)

    @cached_property
    def shop(self) -> wire.Shop:
        return wire.typed(wire.Shop, self._answer.get("shop"))

    @cached_property
    def locations(self) -> tuple[wire.Place, ...]:
        """Active ones, oldest first."""
        rows = wire.typed(wire.Nodes[wire.Place], self._answer.get("locations")).nodes
        found = sorted((one for one in rows if one.is_active), key=lambda one: int(one.legacy_resource_id))
        if not found:
            raise NotUnderstood("a shop without a location", answer=str(self._answer)[:2_000])
        return tuple(found)

    @cached_property
    def usual_point(self) -> str:
        """Where a sale is from that names no place, such as one of downloads: the oldest that serves the web shop."""
        online = (one for one in self.locations if one.fulfills_online_orders)
        return next(online, self.locations[0]).legacy_resource_id

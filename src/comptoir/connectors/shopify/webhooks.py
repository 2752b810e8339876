"""Deliveries of the shop as hints, and asking the shop for them. What a payload says is never believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from comptoir.channels.errors import Refused
from comptoir.channels.records import Subscription
from comptoir.connectors.shopify import operations, wire
from comptoir.connectors.shopify.client import ShopifyClient
from comptoir.connectors.shopify.stock import ref_of

#: What the hub wants to hear of. A product that was deleted cannot be fetched: the nightly list tells of it.
TOPICS = (
    *("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_PAID", "ORDERS_EDITED", "ORDERS_CANCELLED", "REFUNDS_CREATE"),
    *("PRODUCTS_CREATE", "PRODUCTS_UPDATE", "INVENTORY_LEVELS_UPDATE", "INVENTORY_LEVELS_CONNECT"),
)


class Delivered(Struct, frozen=True, kw_only=True):
    """channels.abilities.Hint."""

    event_id: str
    topic: str
    external_id: str


class ShopifyWebhooks:
    """WebhookSource. There is no limit of age: Shopify delivers up to a day late, and repeats with the first signature."""

    def hint(self, headers: Mapping[str, str], body: bytes, secret: str, *, at: datetime) -> Delivered | None:
        given = {name.lower().removeprefix("x-"): text for name, text in headers.items()}
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        offered = given.get("shopify-hmac-sha256", "")
        if not hmac.compare_digest(offered.encode(), base64.b64encode(digest)):
            raise Refused("the signature is wrong")
        event_id, topic = given.get("shopify-webhook-id", ""), given.get("shopify-topic", "")
        if not event_id or not topic:
            raise Refused("the webhook's id or topic is missing")
        about, _, what = topic.partition("/")
        if about not in ("orders", "refunds", "products", "inventory_levels"):
            return None
        try:
            row = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Refused(f"the body is not an object: {error}") from error
        match about:
            case "orders":
                edit = row.get("order_edit")
                told = ("sale", _number((edit or {}).get("order_id") if what == "edited" else row.get("id")))
            case "refunds":
                told = ("sale", _number(row.get("order_id")))
            case "products":
                told = ("product", _number(row.get("id")))
            case _:
                told = ("stock", ref_of(_number(row.get("inventory_item_id")), _number(row.get("location_id"))))
        return Delivered(event_id=event_id, topic=told[0], external_id=told[1])


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not wire.is_number(str(value)):
        raise Refused(f"{value!r} is not an id")
    return str(value)


class ShopifySubscriptions:
    """SubscriptionTarget. The shop signs with the app's client secret, whatever we would like; after eight failures in a
    row it drops a subscription without a word."""

    topics = TOPICS

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    def listed(self, address: str) -> list[Subscription]:
        found: list[Subscription] = []
        after: str | None = None
        while True:
            answer = self._client.ask(operations.SUBSCRIPTIONS, uri=address, after=after)["webhookSubscriptions"]
            rows = [wire.typed(wire.Hooked, row) for row in answer["nodes"]]
            found += [
                Subscription(external_id=wire.number(one.id), topic=one.topic) for one in rows if one.uri == address
            ]
            if not answer["pageInfo"]["hasNextPage"]:
                return found
            after = answer["pageInfo"]["endCursor"]

    def subscribe(self, topic: str, address: str, secret: str) -> None:
        if not self._client.config.client_secret:
            raise Refused("without the client secret no delivery could be verified", topic=topic)
        payload = self._client.change(
            operations.SUBSCRIBE, topic=topic, subscription={"uri": address, "format": "JSON"}
        )
        if errors := payload.get("userErrors"):
            message = "; ".join(str(one.get("message")) for one in errors)
            if "already been taken" not in message:
                raise Refused(message, topic=topic)

    def unsubscribe(self, external_id: str) -> None:
        if not wire.is_number(external_id):
            return
        identity = wire.gid("WebhookSubscription", external_id)
        payload = self._client.change(operations.UNSUBSCRIBE, id=identity)
        if errors := payload.get("userErrors"):
            message = "; ".join(str(one.get("message")) for one in errors)
            if "not exist" not in message and "not found" not in message.lower():
                raise Refused(message)

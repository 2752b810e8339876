"""WooCommerce's own webhooks: what a delivery says, and asking the shop for them.

They are hints. The shop delivers once, gives up after a failure, and switches a webhook off after more than five in a row; so
polling goes on, and the subscriptions are looked at and switched on again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import Struct

from comptoir.channels.errors import Missing, NotUnderstood, Refused
from comptoir.channels.records import Subscription
from comptoir.connectors.woocommerce import mapping, reading, wire
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient

PATH = f"{V3}/webhooks"
TOPICS = tuple(
    f"{resource}.{event}"
    for resource in ("order", "product")
    for event in ("created", "updated", "deleted", "restored")
)
WORDS = {"order": "sale", "product": "product"}
_PING = b"webhook_id="


class _Payload(Struct):
    """The object as REST has it; of what is deleted only its id."""

    id: int
    parent_id: int | None = 0
    status: str | None = ""
    type: str | None = ""


class Delivered(Struct, frozen=True, kw_only=True):
    """channels.abilities.Hint."""

    event_id: str
    topic: str
    external_id: str


class WooCommerceWebhooks:
    """WebhookSource."""

    def hint(self, headers: Mapping[str, str], body: bytes, secret: str, *, at: datetime) -> Delivered | None:
        given = {name.lower(): text for name, text in headers.items()}
        if body.startswith(_PING) and body[len(_PING) :].isdigit():
            return None  # sent when a webhook is made, and never signed: it asks for nothing
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        offered = given.get("x-wc-webhook-signature", "").encode()
        if not hmac.compare_digest(offered, base64.b64encode(digest)):
            raise Refused("the signature is wrong")
        resource = given.get("x-wc-webhook-topic", "").partition(".")[0]
        if resource not in WORDS:
            return None
        try:
            found = msgspec.json.decode(body, type=_Payload, strict=False)
        except msgspec.DecodeError as error:
            raise Refused(f"the body is not what a webhook sends: {error}") from error
        if resource == "order" and found.status in mapping.DRAFTS:
            return None
        # A variation that is saved comes as a product of its own; what is fetched is its product.
        identity = found.parent_id if found.type == "variation" and found.parent_id else found.id
        delivery = given.get("x-wc-webhook-delivery-id", "") or hashlib.sha256(body).hexdigest()
        return Delivered(event_id=delivery, topic=WORDS[resource], external_id=str(identity))


class WooCommerceSubscriptions:
    """SubscriptionTarget."""

    topics = TOPICS

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client

    def listed(self, address: str) -> list[Subscription]:
        return [
            Subscription(external_id=str(one.id), topic=one.topic, active=one.status == "active")
            for one in self._at(address)
        ]

    def subscribe(self, topic: str, address: str, secret: str) -> None:
        """Ask for deliveries; one that the shop has switched off is switched on again."""
        content = {
            "name": f"Comptoir {topic}",
            "topic": topic,
            "delivery_url": address,
            "secret": secret,
            "status": "active",
        }
        there = next((one for one in self._at(address) if one.topic == topic), None)
        if there is None:
            self._client.write("POST", PATH, content)
        else:
            self._client.write("PUT", f"{PATH}/{there.id}", {"status": "active", "secret": secret})

    def unsubscribe(self, external_id: str) -> None:
        with suppress(Missing):  # one that is not there is ended
            self._client.write("DELETE", f"{PATH}/{external_id}", params={"force": "true"})

    def _at(self, address: str) -> list[wire.Webhook]:
        found: list[wire.Webhook] = []
        for batch in reading.all_of(self._client, PATH):
            if batch.odd:
                raise NotUnderstood(str(batch.odd[0].facts["problem"]), answer=batch.odd[0].facts.get("answer", ""))
            found += [wire.typed(wire.Webhook, row) for row in batch.rows.values()]
        return [one for one in found if one.delivery_url == address]

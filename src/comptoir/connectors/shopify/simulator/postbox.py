"""Webhooks of the double: who asked for what, what happened, and deliveries that come twice, late or not at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from comptoir.connectors.shopify.simulator.store import Row, Store
from comptoir.simulators.clock import Clock

MOST_FAILURES = 8
TIME_TO_ANSWER = 5.0


@dataclass(frozen=True)
class Delivery:
    """One delivery on its way."""

    subscription: int
    uri: str
    headers: dict[str, str]
    body: bytes


class Postbox:
    """What goes out to whoever subscribed."""

    store: Store

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.secret = ""  #: the app's client secret: deliveries are signed with it
        self._waiting: list[Delivery] = []
        self._courier: threading.Thread | None = None
        self._come = threading.Event()

    def now_text(self, at: datetime | None = None) -> str:
        """A moment as the shop writes it."""
        raise NotImplementedError

    def _emit(self, topic: str, payload: dict[str, Any]) -> None:
        event = str(uuid.uuid4())
        for row in self.store.all("webhook"):
            if row["topic"] == topic:
                self.store.after_commit(partial(self._enqueue, self._delivery(row, topic, payload, event)))

    def _enqueue(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        self._come.set()

    def _delivery(self, row: Row, topic: str, payload: dict[str, Any], event: str) -> Delivery:
        body = json.dumps(payload, separators=(",", ":")).encode()
        head, _, tail = topic.rpartition("_")
        domain = self.store.get("meta", "shop")["myshopifyDomain"]
        return Delivery(
            row["id"],
            row["uri"],
            {
                "Content-Type": "application/json",
                "X-Shopify-Topic": f"{head.lower()}/{tail.lower()}",
                "X-Shopify-Hmac-Sha256": self.signature(body),
                "X-Shopify-Shop-Domain": domain,
                "X-Shopify-API-Version": row["version"],
                "X-Shopify-Webhook-Id": str(uuid.uuid4()),
                "X-Shopify-Event-Id": event,
                "X-Shopify-Triggered-At": self.now_text(),
            },
            body,
        )

    def signature(self, body: bytes) -> str:
        """What the app's secret makes of a body."""
        return base64.b64encode(hmac.new(self.secret.encode(), body, hashlib.sha256).digest()).decode()

    def deliveries(self) -> list[Delivery]:
        """Take what waits, oldest first."""
        taken, self._waiting = self._waiting, []
        return taken

    def deliver(self, send: Callable[[Delivery], int]) -> int:
        """Hand what waits to `send`, which gives a status; a refused delivery waits on, and after eight failures in a row
        the subscription is gone. Gives the number accepted."""
        accepted = 0
        for delivery in self.deliveries():
            row = self.store.find("webhook", delivery.subscription)
            if row is None:
                continue
            if 200 <= send(delivery) < 300:
                accepted += 1
                self.store.change("webhook", row["id"], failures=0)
            elif row["failures"] + 1 >= MOST_FAILURES:
                self.store.remove("webhook", row["id"])
            else:
                self.store.change("webhook", row["id"], failures=row["failures"] + 1)
                self._waiting.append(delivery)
        return accepted

    def start_courier(self) -> None:
        """Post deliveries to their addresses from a thread of their own, as they come."""
        if self._courier is None:
            self._courier = threading.Thread(target=self._carry, name="shopify-webhooks", daemon=True)
            self._courier.start()

    def _carry(self) -> None:
        while True:
            self._come.wait()
            self._come.clear()
            self.deliver(post)

    def _product_payload(self, product: int) -> dict[str, Any]:
        row = self.store.get("product", product)
        return {
            "id": product,
            "admin_graphql_api_id": f"gid://shopify/Product/{product}",
            "title": row["title"],
            "status": row["status"].lower(),
            "updated_at": row["updatedAt"],
            "variants": [{"id": one, "product_id": product} for one in row["variants"][:100]],
        }

    def _order_payload(self, order: int) -> dict[str, Any]:
        row = self.store.get("order", order)
        return {
            "id": order,
            "admin_graphql_api_id": f"gid://shopify/Order/{order}",
            "name": row["name"],
            "financial_status": (row["financial"] or "").lower(),
            "created_at": row["createdAt"],
            "updated_at": row["updatedAt"],
            "line_items": [{"id": line["id"], "quantity": line["quantity"]} for line in row["lines"]],
        }


def post(delivery: Delivery) -> int:
    """The status with which an address takes a delivery; 0 where it does not answer."""
    request = Request(delivery.uri, data=delivery.body, headers=delivery.headers, method="POST")  # noqa: S310 - the subscriber's own address
    try:
        with urlopen(request, timeout=TIME_TO_ANSWER) as answer:  # noqa: S310
            return int(answer.status)
    except (URLError, OSError):
        return 0

"""The shop's own webhooks: a ping when one is made, a signed delivery for each event, no second try, and switched off after
more than five failures in a row."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
from typing import Any
from urllib.parse import urlsplit

from comptoir.connectors.woocommerce.simulator.shop import Base
from comptoir.connectors.woocommerce.simulator.store import Row

MOST_FAILURES = 5
TOPICS = tuple(
    f"{resource}.{event}"
    for resource in ("order", "product", "customer", "coupon")
    for event in ("created", "updated", "deleted", "restored")
)


class Hooks(Base):
    """Webhooks and their deliveries."""

    url = "https://shop.test/"  #: what X-WC-Webhook-Source says

    def add_webhook(
        self, topic: str, delivery_url: str, secret: str, *, name: str = "", status: str = "active", ping: bool = True
    ) -> int:
        """Make one; an active one is tried with a ping."""
        doc = {
            "name": name or f"Webhook: {topic}",
            "topic": topic,
            "delivery_url": delivery_url,
            "secret": secret,
            "failures": 0,
        }
        identity = self.store.add("webhook", doc, status=status)
        if ping and status == "active":
            self._queue(
                identity, delivery_url, {"Content-Type": "application/x-www-form-urlencoded"}, f"webhook_id={identity}"
            )
        return identity

    def fire(self, topic: str, payload: Row) -> None:
        """Something happened: one delivery for each active webhook of that topic."""
        resource, _, event = topic.partition(".")
        for hook in self.store.rows("SELECT id FROM objects WHERE kind = 'webhook' AND status = 'active'"):
            row = self.store.get("webhook", hook["id"])
            if row["doc"]["topic"] != topic:
                continue
            body = json.dumps(payload, ensure_ascii=False)
            digest = hmac.new(row["doc"]["secret"].encode(), body.encode(), hashlib.sha256).digest()
            number = self.store.fresh("delivery")
            headers = {
                "Content-Type": "application/json",
                "X-WC-Webhook-Source": self.url,
                "X-WC-Webhook-Topic": topic,
                "X-WC-Webhook-Resource": resource,
                "X-WC-Webhook-Event": event,
                "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
                "X-WC-Webhook-ID": str(row["id"]),
                "X-WC-Webhook-Delivery-ID": hashlib.md5(
                    f"{row['id']}-{number}".encode(), usedforsecurity=False
                ).hexdigest(),
            }
            self._queue(row["id"], row["doc"]["delivery_url"], headers, body)

    def _queue(self, webhook: int, url: str, headers: dict[str, str], body: str) -> None:
        self.store.execute(
            "INSERT INTO deliveries (webhook, url, headers, body) VALUES (?, ?, ?, ?)",
            (webhook, url, json.dumps(headers), body.encode()),
        )

    def deliveries(self) -> list[dict[str, Any]]:
        """What waits to be delivered, oldest first: id, webhook, url, headers, body (bytes)."""
        rows = self.store.rows("SELECT * FROM deliveries ORDER BY id")
        return [{**row, "headers": json.loads(row["headers"])} for row in rows]

    def delivered(self, delivery: int, status: int) -> None:
        """The address answered (0: it did not). A failed delivery is never tried again; too many in a row end the webhook."""
        found = self.store.rows("SELECT webhook FROM deliveries WHERE id = ?", (delivery,))
        self.store.execute("DELETE FROM deliveries WHERE id = ?", (delivery,))
        hook = self.store.find("webhook", found[0]["webhook"]) if found else None
        if hook is None:
            return
        if 200 <= status <= 302:
            self.store.save(hook, touch=False, failures=0)
            return
        failures = hook["doc"]["failures"] + 1
        self.store.save(hook, touch=False, failures=failures)
        if failures > MOST_FAILURES:
            self.store.save(hook, touch=False, status="disabled", failures=0)


class Courier:
    """Posts what waits, from a thread of its own: the shop's Action Scheduler, for the demo."""

    def __init__(self, shop: Hooks, every: float = 0.5) -> None:
        self._shop, self._every = shop, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="woocommerce-courier", daemon=True)

    def start(self) -> None:
        """Begin to deliver; a second time says nothing."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """End; a delivery under way is finished first."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self.deliver()

    def deliver(self) -> int:
        """Post everything that waits now, each once; gives how many."""
        waiting = self._shop.deliveries()
        for one in waiting:
            self._shop.delivered(one["id"], _post(one["url"], one["headers"], one["body"]))
        return len(waiting)


def _post(url: str, headers: dict[str, str], body: bytes) -> int:
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=10)
    try:
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()

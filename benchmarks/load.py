"""A sender of webhooks that costs little: signed beforehand, keep-alive connections, one request under way on each.

`python -m benchmarks.load` reads a JSON order on standard input and prints its figures as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import sys
import time
from typing import Any, cast

import uvloop

BODY_SIZE = 746  # of a small order notice; the size used when servers were compared


def body(external_id: int) -> bytes:
    """A notice that is padded to the usual size."""
    start = f'{{"topic":"sale","id":"{external_id}","note":"'.encode()
    return start + b"x" * (BODY_SIZE - len(start) - 2) + b'"}'


def request(token: str, secret: str, event_id: str, external_id: int, at: int) -> bytes:
    """A whole signed request, as a module in a shop sends it."""
    content = body(external_id)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{event_id}.{at}.".encode() + content, "sha256")).decode()
    head = (
        f"POST /hooks/{token} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\nwebhook-id: {event_id}\r\n"
        f"webhook-timestamp: {at}\r\nwebhook-signature: v1,{signature}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the last is answered."""

    def __init__(self, requests: list[bytes], waits: list[float], done: asyncio.Future[None]) -> None:
        self._requests, self._waits, self._done = requests, waits, done
        self._transport: asyncio.Transport
        self._sent = 0.0
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._next()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._seen.endswith(b"\r\n\r\n"):  # what the door keeps is answered without a body
            return
        self._waits.append(time.perf_counter() - self._sent)
        if not self._seen.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(ConnectionError(f"refused: {self._seen.decode()}"))
            self._transport.abort()
            return
        self._seen = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("the server hung up"))

    def _next(self) -> None:
        if not self._requests:
            self._done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(self._requests.pop())


async def send(order: dict[str, Any]) -> dict[str, Any]:
    """Send everything over that many connections; deliveries per second and the slowest hundredth."""
    loop = asyncio.get_running_loop()
    at = int(time.time())
    requests = [
        request(order["token"], order["secret"], f"{order['prefix']}-{number}", number, at)
        for number in range(order["count"])
    ]
    waits: list[float] = []
    ends = [loop.create_future() for _connection in range(order["connections"])]
    start = time.perf_counter()
    for end in ends:
        await loop.create_connection(
            lambda end=end: Sender(requests, waits, end),  # type: ignore[misc]
            "127.0.0.1",
            order["port"],
        )
    await asyncio.gather(*ends)
    took = time.perf_counter() - start
    waits.sort()
    return {
        "answered": len(waits),
        "per_second": len(waits) / took,
        "p50_ms": waits[len(waits) // 2] * 1000 if waits else 0,
        "p99_ms": waits[len(waits) * 99 // 100] * 1000 if waits else 0,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(send(json.load(sys.stdin)))))

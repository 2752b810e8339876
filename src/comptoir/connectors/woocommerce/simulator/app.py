"""The simulated shop as a web application: the index, `wc/v3` and the tracking plugins' routes, with their errors."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

from comptoir.connectors.woocommerce.simulator import world as worlds
from comptoir.connectors.woocommerce.simulator.auth import Problem, caller
from comptoir.connectors.woocommerce.simulator.goods import images_of
from comptoir.connectors.woocommerce.simulator.hooks import Courier
from comptoir.connectors.woocommerce.simulator.routes import ROUTES, Call
from comptoir.connectors.woocommerce.simulator.shop import DEMO_KEY, DEMO_SECRET
from comptoir.connectors.woocommerce.simulator.state import ACTIONS, Shop
from comptoir.connectors.woocommerce.simulator.trade import Trade
from comptoir.simulators.counters import Written
from comptoir.simulators.exchange import Answer, Request
from comptoir.simulators.simulator import Simulator, query_text

FULL_VERSIONS = {"6": "6.9.4", "7": "7.9.0", "8": "8.9.3", "9": "9.8.5", "10": "10.2.2", "11": "11.0.1"}
JSON = {"Content-Type": "application/json; charset=UTF-8"}
HTML = {"Content-Type": "text/html; charset=UTF-8"}


class WooCommerceSimulator(Trade, Simulator):
    """A WordPress site with WooCommerce, its REST API under /wp-json/ and ?rest_route=."""

    kind: ClassVar[str] = "woocommerce"

    def __init__(
        self,
        version: str = "10",
        world: str = "demo",
        key: str = DEMO_KEY,
        secret: str = DEMO_SECRET,
        timezone: str = "Europe/London",
        *,
        state: Path | None = None,
        currency: str = "GBP",
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.version = FULL_VERSIONS.get(version, version)
        self.key, self.secret = key, secret
        self.state = Shop(self.clock, timezone=timezone, version=self.version, path=state, currency=currency)
        #: delivers webhooks by HTTP once it is started
        self.courier = Courier(self.state)
        if key not in self.state.store.option("keys", {}):
            self.state.add_key(key, secret)
        self.counters.restore(self.state.store.log())
        if state is not None:
            self.counters.keep = self.state.store.keep
        if self.state.store.option("world") is None:
            with self.state.store.transaction():
                worlds.WORLDS[world](self.state, seed)
                self.state.store.set_option("world", world)

    # Harness ----------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What a client needs to connect."""
        return {
            "kind": self.kind,
            "key": self.key,
            "secret": self.secret,
            "version": self.version,
            "timezone": self.state.store.option("timezone"),
        }

    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        """A shop action by name."""
        if action not in ACTIONS:
            raise KeyError(f"no action {action}; known: {', '.join(ACTIONS)}")
        if action == "refund" and arguments.get("lines"):
            arguments["lines"] = {int(line): units for line, units in arguments["lines"].items()}
        return getattr(self.state, action)(**arguments)

    def dump(self) -> dict[str, Any]:
        """Goods, orders, what was told of them."""
        return self.state.dump()

    def deliver(self) -> bool:
        """By a courier of its own."""
        self.courier.start()
        return True

    def close(self) -> None:
        """Let go of the state file."""
        self.courier.stop()
        self.state.store.close()

    # One request ------------------------------------------------------------------------------------------------

    def answer(self, request: Request, fault: str) -> Answer:
        """Answer one request to the site, with the date by its own clock."""
        answer = self._answered(request, fault)
        # A site is where it is asked, on a port too: pictures are fetched by the addresses that it gives.
        answer.body = answer.body.replace(self.state.url.encode(), f"{request.base_url}/".encode())
        answer.headers.setdefault("Date", format_datetime(self.clock.now().replace(microsecond=0), usegmt=True))
        if request.method == "HEAD":
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.body = b""
        return answer

    def _answered(self, request: Request, fault: str) -> Answer:
        quirks = self.state.quirks
        if quirks.maintenance:
            return Answer(
                503, {**HTML, "Retry-After": "600"}, b"<!DOCTYPE html><html><body>Briefly unavailable</body></html>"
            )
        if quirks.firewall and request.method not in ("GET", "HEAD"):
            return Answer(403, dict(HTML), b"<!DOCTYPE html><html><body><h1>Blocked</h1> by the firewall</body></html>")
        if request.path.startswith("/wp-content/uploads/"):
            return self._picture(request.path)
        route = self._route(request)
        if route is None:
            return Answer(404, dict(HTML), b"<!DOCTYPE html><html><body><h1>Not found</h1></body></html>")
        try:
            return self._rest(request, route, fault)
        except Problem as problem:
            return _problem(problem)

    def _route(self, request: Request) -> str | None:
        """What is asked of REST, by pretty address or by `rest_route`."""
        if (plain := request.parameter("rest_route")) is not None and request.path in ("/", "/index.php"):
            return plain.rstrip("/") or "/"
        if not self.state.quirks.permalinks_off and (request.path + "/").startswith("/wp-json/"):
            return request.path.removeprefix("/wp-json").rstrip("/") or "/"
        return None

    def _rest(self, request: Request, route: str, fault: str) -> Answer:
        if route == "/":
            if request.headers.get("authorization", "").lower().startswith("basic "):
                # Outside its shop's routes WordPress takes it for an application password.
                raise Problem(401, "invalid_username", "Unknown username. Check again or try your email address.")
            self.counters.read("index")
            return _json(200, self._index())
        who = caller(self.state, request)
        for method, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, route)
            if found and _speaks(method, request.method):
                call = Call(self.state, self.counters, request, tuple(found.groups()), who)
                return self._performed(call, handler, request, fault)
        raise Problem(404, "rest_no_route", "No route was found matching the URL and request method.", {"status": 404})

    def _performed(self, call: Call, handler: Callable[[Call], Any], request: Request, fault: str) -> Answer:
        if request.method in ("GET", "HEAD"):
            call.may("read")
            return _json(200, handler(call), call.headers)
        status, content, changes = 200, None, []
        problem: Problem | None = None
        store = self.state.store
        with store.transaction():
            try:
                with store.recorded() as changes:
                    call.may("write")
                    content = handler(call)
            except Problem as raised:
                problem = raised
            status = problem.status if problem else call.status
            if call.saves:
                self.counters.wrote(
                    Written(
                        seq=self.counters.next_seq(),
                        at=self.clock.now().isoformat(),
                        method=request.method,
                        path=request.path,
                        query=query_text(request),
                        resource=call.saves,
                        ids=call.ids,
                        digest=hashlib.sha256(request.body).hexdigest(),
                        status=status,
                        changes=list(changes),
                        fault=fault,
                    )
                )
        if problem is not None:
            return _problem(problem)
        return _json(status, content, call.headers)

    def _index(self) -> dict[str, Any]:
        state = self.state
        name = str(state.store.option("timezone"))
        offset = state.clock.now().astimezone(state.timezone).utcoffset()
        namespaces = ["oembed/1.0", "wc/v1", "wc/v2", "wc/v3", "wc-analytics", "wp/v2"]
        if state.has_plugin("shipment-tracking"):
            namespaces.append("wc-shipment-tracking/v3")
        if state.has_plugin("ast"):
            namespaces.append("wc-ast/v3")
        return {
            "name": state.store.option("blogname"),
            "description": "",
            "url": state.url.rstrip("/"),
            "home": state.url.rstrip("/"),
            "gmt_offset": str((offset.total_seconds() if offset else 0) / 3600),
            "timezone_string": "" if name[:1] in "+-" else name,
            "namespaces": namespaces,
            "authentication": [],
            "routes": {},
        }

    def _picture(self, path: str) -> Answer:
        rows = [*self.state.store.all("product"), *self.state.store.all("variation")]
        one = images_of(rows).get(path)
        if one is None or one.get("missing"):
            return Answer(404, dict(HTML), b"<!DOCTYPE html><html><body>Not found</body></html>")
        return Answer(200, {"Content-Type": "image/png"}, png(one["id"]))


def _speaks(wanted: str, given: str) -> bool:
    """GET answers HEAD too; EDIT is any of the three that change an object."""
    return given in {"GET": ("GET", "HEAD"), "EDIT": ("POST", "PUT", "PATCH")}.get(wanted, (wanted,))


def _json(status: int, content: Any, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {**JSON, **(headers or {})}, json.dumps(content, ensure_ascii=False).encode())


def _problem(problem: Problem) -> Answer:
    data = problem.data if problem.data is not None else {"status": problem.status}
    return _json(problem.status, {"code": problem.code, "message": problem.message, "data": data})


def png(number: int) -> bytes:
    """A picture of eight by eight points in a colour of its own."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    colour = bytes((number * factor) % 256 for factor in (37, 91, 151))
    rows = b"".join(b"\0" + colour * 8 for _ in range(8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

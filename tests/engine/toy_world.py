"""A toy shop for the engine: a tiny HTTP server with items to pull and effects to count, and three flows that use it.

The server lives in the test's process and counts what really arrived. Nothing here knows a connector.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from comptoir.channels.records import Answer, Fate
from comptoir.engine import effects
from comptoir.engine.flow import HERE, Lane, flow
from comptoir.engine.models import EffectState, Severity
from comptoir.engine.runs import RunContext
from comptoir.kit import clock, sql

PORT = "COMPTOIR_TEST_TOY_PORT"

TABLES = """
CREATE TABLE toy_row (channel bigint, external int, times int NOT NULL DEFAULT 1, UNIQUE (channel, external));
CREATE TABLE toy_mark (channel bigint, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE toy_start (channel bigint, worker int, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE toy_gate (name text PRIMARY KEY);
"""


class Shop(ThreadingHTTPServer):
    """Serves `items` in pages and counts effects by key. `slow` seconds pass before an effect is answered."""

    daemon_threads = True

    def __init__(self, items: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items = items
        self.slow = 0.0
        self.effects: Counter[str] = Counter()
        self.served: set[int] = set()
        self.called = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        kind, _, rest = self.path.strip("/").partition("/")
        if kind == "items":
            after, size = map(int, rest.split("/"))
            page = list(range(after + 1, min(after + size, self.server.items) + 1))
            with self.server.lock:
                self.server.served.update(page)
            self._answer({"items": page})
        else:
            with self.server.lock:
                self._answer({"times": self.server.effects[rest]})

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.effects[self.path.rpartition("/")[2]] += 1
        self.server.called.set()
        time.sleep(self.server.slow)  # what a slow shop does
        self._answer({})

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the caller was killed

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def call(method: str, path: str) -> Any:
    """One call out to the toy shop. Kill tests wrap this."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ[PORT]), timeout=30)
    try:
        connection.request(method, path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


PAGE = 3


@flow("toy_pull", direction=HERE, title="Toy pull")
def toy_pull(run: RunContext, channel: None) -> None:
    """Bring every item of the toy shop here."""
    while True:
        items = call("GET", f"/items/{run.cursor.get('after', 0)}/{PAGE}")["items"]
        if not items:
            return
        with run.checkpoint({"after": items[-1]}):
            sql.execute(
                "INSERT INTO toy_row AS known (channel, external) SELECT %s, unnest(%s::int[])"
                " ON CONFLICT (channel, external) DO UPDATE SET times = known.times + 1",
                [run.channel_id, items],
            )
            run.count(seen=len(items), created=len(items))
            run.found("toy_page", f"page:{items[0]}", Severity.INFO, first=items[0])


def _effects(channels: Sequence[int]) -> set[int]:
    return effects.waiting("toy", list(channels), at=clock.now())


@flow("toy_push", direction=HERE, title="Toy push", lane=Lane.LIVE, facts=_effects)
def toy_push(run: RunContext, channel: None) -> None:
    """Bring every wanted effect about, once."""
    while taken := effects.take(run, run.channel_id, "toy", 2):
        for effect in taken:
            effects.tell(
                run,
                effect,
                call=lambda key=effect.key: _post(key),  # type: ignore[misc]
                ask=lambda key=effect.key: call("GET", f"/effects/{key}")["times"] > 0,  # type: ignore[misc]
            )


def _post(key: str) -> Answer:
    call("POST", f"/effects/{key}")
    return Answer(item=0, fate=Fate.DONE)


def _marks(channels: Sequence[int]) -> set[int]:
    return {
        row[0] for row in sql.rows("SELECT DISTINCT channel FROM toy_mark WHERE channel = ANY(%s)", [list(channels)])
    }


@flow("toy_drain", direction=HERE, title="Toy drain", lane=Lane.LIVE, facts=_marks)
def toy_drain(run: RunContext, channel: None) -> None:
    """Take the marks of a channel away, and note when this began."""
    _begun(run)
    with run.checkpoint():
        taken = sql.execute("DELETE FROM toy_mark WHERE channel = %s", [run.channel_id])
        run.count(seen=taken, changed=taken)


@flow("toy_long", direction=HERE, title="Toy refresh that waits at a gate", lane=Lane.BULK)
def toy_long(run: RunContext, channel: None) -> None:
    """Run in small steps until the gate is open."""
    _begun(run)
    while not sql.value("SELECT true FROM toy_gate WHERE name = 'open'"):
        with run.checkpoint(state={"steps": run.state.get("steps", 0) + 1}):
            pass
        threading.Event().wait(0.05)
    with run.checkpoint():
        run.count(seen=1, changed=1)


def _begun(run: RunContext) -> None:
    sql.execute("INSERT INTO toy_start (channel, worker) VALUES (%s, %s)", [run.channel_id, os.getpid()])


DONE = EffectState.DONE

"""A receiver on loopback that behaves as a test says, and destinations that lead to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.db import transaction

from comptoir.alerts import actions
from comptoir.alerts.models import Destination
from comptoir.config import bootstrap
from comptoir.engine import findings, runs
from comptoir.engine.models import Flow, Severity, Trigger
from comptoir.flows import house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "hush-hush-token"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_given: Any) -> None:
        """A test looks at what was received, not at a log."""


class Receiver:
    """What apprise's json:// posts to. `answer` is a status; `before` runs when a message is here and not answered yet."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answer = "200 OK"
        self.before: Callable[[], object] = lambda: None
        self._server = make_server("127.0.0.1", 0, self._app, handler_class=_Quiet)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def _app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.got.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        self.before()
        start_response(self.answer, [("Content-Type", "text/plain"), ("Location", "http://127.0.0.1:9/")])
        return [b"thank you"]

    @property
    def url(self) -> str:
        return f"json://me:{SECRET}@127.0.0.1:{self.port}/hooks/{SECRET}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class House:
    """A hub with the flow that sends alerts, and a clock."""

    def __init__(self, time: clock.ManualClock) -> None:
        self.clock = time
        bootstrap.set_up()
        self.hub = house.ensure_hub(at=time.now())

    @property
    def at(self) -> datetime:
        return self.clock.now()

    def destination(self, url: str, **wanted: Any) -> Destination:
        with transaction.atomic():
            given = actions.Wanted(**{"name": "Chat", "url": url, **wanted})
            return actions.save(None, given, actor=SYSTEM, at=self.at)

    def open(
        self, *subjects: str, code: str = "unknown_sku", severity: Severity = Severity.ERROR, **facts: Any
    ) -> None:
        with transaction.atomic():
            findings.report([findings.Report(None, code, one, severity, facts) for one in subjects], at=self.at)

    def close(self, *subjects: str) -> None:
        with transaction.atomic():
            findings.close(None, subjects, at=self.at)

    def request(self) -> int:
        flow = Flow.objects.get(channel=self.hub, kind="send_alerts")
        return runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=self.at)

    def run(self) -> None:
        runs.execute(self.request(), "test")

"""A simulated PrestaShop shop in this process that notes when each write arrived, and real workers beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.harness import wait_for
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

if TYPE_CHECKING:
    from comptoir.channels.models import Channel
    from comptoir.simulators.counters import Written
    from comptoir.simulators.exchange import Environ, StartResponse

CALLS_PER_MINUTE = 600_000  # the simulated shop bears it: what is measured is not its pace
PRIVATE = {"COMPTOIR_ALLOW_PRIVATE_ADDRESSES": "true"}


class Shop:
    """The simulator with a stop-watch: how long each of its own answers to a write took, and when which figure was set."""

    def __init__(self, things: int, quantity: int) -> None:
        from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
        from comptoir.simulators import server as servers

        self.simulator = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/London")
        self.simulator.counters.keep = self._wrote
        self.simulator.state.add_products(
            {"name": f"Thing {number}", "reference": f"THING-{number:04}", "price": "5.00", "quantity": quantity}
            for number in range(things)
        )
        self.answer_time = 0.0  # seconds that a write is made to wait, as by a shop far away
        self.answers: list[float] = []  # seconds
        self.calls: list[tuple[float, float]] = []  # from when to when each write was under way
        self.written: dict[int, list[tuple[float, int]]] = {}  # stock row -> when, quantity
        self.heard = threading.Condition()
        self._server = servers.start(self._wsgi)

    @property
    def url(self) -> str:
        return self._server.url

    def _wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter()
        writes = environ["REQUEST_METHOD"] == "PATCH"
        if writes and self.answer_time:
            time.sleep(self.answer_time)  # the wait that is measured against
        answer = self.simulator.wsgi(environ, start_response)
        if writes:
            self.answers.append(time.perf_counter() - begun)
            self.calls.append((begun, time.perf_counter()))
        return answer

    def _wrote(self, written: Written) -> None:
        now = time.perf_counter()
        with self.heard:
            for change in written.changes:
                if change["resource"] == "stock_availables":
                    self.written.setdefault(int(change["id"]), []).append((now, int(change["to"]["quantity"])))
            self.heard.notify_all()

    def arrived(self, row: int, quantity: int) -> float | None:
        """When this row first showed at least so many."""
        return next((when for when, what in self.written.get(row, ()) if what >= quantity), None)

    def wait_for(self, row: int, quantity: int, seconds: float = 30) -> float:
        """Wait until the row shows at least so many; when it did."""
        with self.heard:
            if not self.heard.wait_for(lambda: self.arrived(row, quantity) is not None, seconds):
                raise RuntimeError(f"stock row {row} was not told {quantity} within {seconds} s")
        when = self.arrived(row, quantity)
        assert when is not None
        return when

    def close(self) -> None:
        self._server.stop()
        self.simulator.close()


def connect(shop: Shop, code: str) -> Channel:
    """Connect the shop, read it, count its stock, go live."""
    from django.db import transaction

    from comptoir.channels.models import Channel
    from comptoir.config import bootstrap
    from comptoir.engine import inline
    from comptoir.flows import connecting, house

    allow_private()
    bootstrap.set_up()
    at = clock.now()
    house.ensure_hub(at=at)
    with transaction.atomic():
        row = connecting.connect(
            kind="prestashop", name=code, code=code, config={"url": shop.url, "key": shop.simulator.key},
            actor=SYSTEM, at=at,
        )  # fmt: skip
        Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
        row.refresh_from_db()
        connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=at)
    inline.drain(clock.now(), kinds=["pull_products", "pull_sales"], channels=[row.pk])
    run_now(row, "pull_stock_once")
    with transaction.atomic():
        row.refresh_from_db()
        connecting.go_live(row, actor=SYSTEM, at=clock.now(), accept_open_errors=True)
    inline.drain(clock.now(), kinds=["push_stock"], channels=[row.pk])
    return row


def run_now(row: Channel, kind: str) -> None:
    """Run one flow in this process, to its end."""
    from comptoir.engine import runs
    from comptoir.engine.models import Flow, RunStatus, Trigger

    run = runs.request(Flow.objects.get(channel=row, kind=kind).pk, Trigger.PERSON, SYSTEM, at=clock.now())
    if runs.execute(run, "bench") != RunStatus.DONE:
        raise RuntimeError(f"{kind} did not come to its end")


def allow_private() -> None:
    """Let this process and its children call shops on this machine."""
    from comptoir.kit.settings import settings

    os.environ |= PRIVATE
    settings.cache_clear()


@contextmanager
def workers(count: int, *, concurrency: int = 6) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Real worker processes, ready to work; told to end afterwards."""
    started = [
        subprocess.Popen([sys.executable, "-m", "comptoir.cli.main", "worker", "--concurrency", str(concurrency)])
        for _number in range(count)
    ]
    try:
        wait_for_workers(count)
        yield started
    finally:
        for one in started:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
        for one in started:
            one.wait(60)


def wait_for_workers(count: int, seconds: float = 60) -> None:
    """Until so many processes listen for jobs."""
    from comptoir.kit import sql

    def look() -> bool | None:
        alive = sql.value("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '10 s'")
        return alive >= count or None

    wait_for(look, seconds, f"{count} workers did not start", every=0.1)
    time.sleep(1.0)  # until the leader's first tick and the imports are behind them


def share(samples: list[float], part: float) -> float:
    """The sample that this part of all do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]

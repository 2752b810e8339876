"""PostgreSQL is restarted under a worker in the middle of reading a real shop: the run goes on and nothing is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.kit import postgres
from comptoir.simulators import server as simulators

pytestmark = [pytest.mark.kill]

PRODUCTS = 60  # two pages


@pytest.fixture
def database() -> Iterator[postgres.Server]:
    folder = Path(tempfile.mkdtemp(prefix="comptoir-restart-"))
    folder.chmod(0o755)  # the user that runs PostgreSQL for root must get in
    server = postgres.start(folder)
    yield server
    server.stop()
    postgres.remove(folder)


def wait_until(condition: Callable[[], Any], *, seconds: float = 90) -> None:
    """Another process is at work, so it is asked again and again."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this never came true"
        threading.Event().wait(0.1)


def test_a_worker_reads_a_shop_to_its_end_although_postgresql_was_restarted(
    database: postgres.Server, tmp_path: Path
) -> None:
    shop = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/London")
    products = shop.state.add_products(
        [{"name": f"Cup {one}", "reference": f"CUP-{one}", "price": "5", "quantity": 9} for one in range(PRODUCTS)]
    )
    sales = [shop.state.place_order([Line(products[0], quantity=1)], state="PS_OS_PAYMENT") for _ in range(3)]
    arrived, gate = threading.Event(), threading.Event()
    answer = shop.answer

    def at_the_gate(asked: Any, fault: str) -> Any:
        second_page = asked.path == "/api/products" and (asked.parameter("filter[id]") or "").strip(">[]") == "50"
        if second_page and asked.parameter("display") == "full":
            arrived.set()
            gate.wait(60)
        return answer(asked, fault)

    shop.answer = at_the_gate  # type: ignore[method-assign]
    environment = {
        **os.environ,
        "COMPTOIR_DATABASE_URL": database.url,
        "COMPTOIR_DATA_FOLDER": str(tmp_path / "data"),
        "COMPTOIR_ALLOW_PRIVATE_ADDRESSES": "true",
    }

    def comptoir(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "comptoir.cli.main", *command],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.url) as connection:
            return connection.execute(query).fetchall()

    with simulators.serve(shop) as url:
        comptoir("migrate")
        key = tmp_path / "key"
        key.write_text(shop.key)
        comptoir("channels", "connect", "prestashop", "shop", "--set", f"url={url}", "--secret-file", f"key={key}")
        with psycopg.connect(database.url) as connection:
            connection.execute("UPDATE channels_channel SET calls_per_minute = 60000")
        with (tmp_path / "log").open("w") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "comptoir.cli.main", "worker"], env=environment, stdout=log, stderr=log
            )
        try:
            wait_until(arrived.is_set)
            database.restart()
            gate.set()
            reading = (
                "SELECT r.status, r.outcome, r.created FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
                " WHERE f.kind = 'pull_products' ORDER BY r.id"
            )
            wait_until(lambda: ("done", "good", PRODUCTS) in ask(reading))
            staged = "SELECT external_id FROM staging_stagedsale ORDER BY 1"
            wait_until(lambda: len(ask(staged)) == len(sales))
            assert worker.poll() is None
            worker.terminate()
            assert worker.wait(30) == 0
        finally:
            worker.kill()
            worker.wait()
            sys.stderr.write((tmp_path / "log").read_text()[-20_000:])
    assert ask(staged) == [(str(one),) for one in sales]
    listed = ask("SELECT count(*), count(DISTINCT external_id) FROM offers_link WHERE kind = 'product'")
    assert listed == [(PRODUCTS, PRODUCTS)]
    assert ask("SELECT attempt > 1 FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
               " WHERE f.kind = 'pull_products' AND r.created > 0") == [(True,)]  # fmt: skip
    assert not any(json.loads(comptoir("check", "--json")).values())

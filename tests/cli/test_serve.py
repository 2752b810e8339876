"""`comptoir serve` and each role alone: started as an operator starts them, and ended in the middle of work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from command_line import Browser, Running, comptoir, environment, ground, wait_for
from comptoir_hub import Hub

from comptoir.simulators.faults import FaultKind

pytestmark = pytest.mark.kill

AT = r"Comptoir is at (http://127\.0\.0\.1:\d+)"


@pytest.fixture
def started() -> Iterator[list[Running]]:
    """What the test starts, ended with it."""
    started: list[Running] = []
    yield started
    for one in started:
        one.close()


def test_an_empty_folder_becomes_a_hub_which_ends_in_order(started: list[Running]) -> None:
    with ground() as folder:
        env = environment(COMPTOIR_DATA_FOLDER=folder / "data", COMPTOIR_PORT=0)
        running = Running(folder / "data", "serve", env=env)
        started.append(running)
        address = running.says(AT)[1]
        browser = Browser(address)
        assert browser.get("/healthz")[0] == 200
        assert browser.get("/")[1].startswith(f"{address}/account/login/")
        assert running.server() is not None
        assert running.end(signal.SIGTERM) == 0
        assert running.left() == []
        assert "Traceback" not in running.screen


def test_no_run_is_lost_when_all_are_told_to_end_and_a_worker_alone_ends_it(
    hub: Hub, started: list[Running], tmp_path: Path
) -> None:
    connected = comptoir(
        "channels", "connect", "prestashop", "shop", "--set", f"url={hub.address}", "--set", f"key={hub.shop.key}",
        **hub.settings,
    )  # fmt: skip
    assert connected.code == 0, connected.err
    serving = Running(tmp_path, "serve", env=environment(**hub.settings))
    started.append(serving)
    assert Browser(serving.says(AT)[1]).get("/healthz")[0] == 200
    assert serving.server() is None, "it was given a database, and needs none of its own"

    hub.shop.faults.add(FaultKind.TIME_OUT_BEFORE, path="*/orders*", times=None)
    hub.rows("UPDATE engine_flow SET next_at = now() WHERE kind = 'pull_sales'")
    pulling = (
        "SELECT r.id, r.status FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id WHERE f.kind = 'pull_sales'"
    )
    wait_for("a call to the shop", lambda: any(fault.hits for fault in hub.shop.faults.rules) or None)
    (run,) = wait_for("its run", lambda: [number for number, status in hub.rows(pulling) if status == "running"])

    # As a service manager does: each process is told, the worker by its keeper as well, so it waits for no shop.
    worker = wait_for("the worker", lambda: serving.child("comptoir.cli.main worker"))
    serving.processes()
    serving.process.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    assert serving.process.wait(60) == 0
    assert serving.left() == []
    assert (run, "queued") in hub.rows(pulling)

    hub.shop.faults.clear()
    alone = Running(tmp_path, "worker", "--concurrency", "2", env=environment(**hub.settings))
    started.append(alone)
    wait_for("the end of the run", lambda: (run, "done") in hub.rows(pulling) or None)
    there = {str(one) for one in hub.shop.counters.served_ids("orders")}
    assert {row[0] for row in hub.rows("SELECT external_id FROM staging_stagedsale")} == there
    assert alone.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("role", ["web", "door"])
def test_pages_and_door_run_alone_and_refuse_a_port_that_is_taken(
    role: str, hub: Hub, started: list[Running], tmp_path: Path
) -> None:
    alone = Running(tmp_path, role, env=environment(**hub.settings))
    started.append(alone)
    top = psutil.Process(alone.process.pid)

    def listens() -> int | None:
        for one in (top, *top.children(recursive=True)):
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
        return None

    port = wait_for("a port", listens)

    def answers() -> int | None:
        try:
            return Browser(f"http://127.0.0.1:{port}").get("/healthz")[0]
        except OSError:
            return None

    assert wait_for("an answer", answers) == 200
    refused = comptoir(role, **{**hub.settings, "COMPTOIR_PORT": port})
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"comptoir: port {port} on 127.0.0.1 is busy; COMPTOIR_PORT names another")
    assert alone.end(signal.SIGTERM) == 0
    assert alone.left() == []

"""Webhook intake: signature checked, durable, 64 connections; beside `pgbench` with the same insert on 64 connections."""

from __future__ import annotations

import json
import re
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import load
from benchmarks.harness import Bench, Row, at_least, below, wait_for
from comptoir.kit import clock, ids, postgres

CONNECTIONS = 64
SECRET = "whsec_" + "c2VjcmV0IGZvciBtZWFzdXJlbWVudHMgb25seQ=="

INSERT = """
INSERT INTO webhooks_delivery (channel_id, event_id, topic, external_id, body)
VALUES ({channel}, gen_random_uuid()::text, 'sale', '12', decode(:body, 'hex')) ON CONFLICT (channel_id, event_id) DO NOTHING;
"""


def run(bench: Bench) -> list[Row]:
    """Deliveries per second, and how long the slowest hundredth waits."""
    from comptoir.channels.channel import box
    from comptoir.channels.models import Channel

    channel = Channel.objects.create(
        name="Measured",
        code="measured",
        kind="prestashop",
        sealed=box().close({"webhook_secret": SECRET}),
        webhook_token=ids.token(),
        created_at=clock.now(),
    )
    slowest: list[float] = []
    number = iter(range(1_000))

    def door() -> float:
        answer = _send(port, channel.webhook_token, f"round{next(number)}", bench.size(40_000, 2_000))
        slowest.append(answer["p99_ms"])
        return float(answer["per_second"])

    with serving(bench) as port:
        _send(port, channel.webhook_token, "warm", 1_000)  # the first requests pay for imports
        ours, limit = bench.rounds(door, lambda: _pgbench(bench, channel.pk), settle=lambda: _settle(bench))
    return [
        at_least("webhook intake", ours, limit, "deliveries/s", 0.35),
        below("webhook intake, slowest hundredth", statistics.median(slowest), "ms", 40),
    ]


@contextmanager
def serving(bench: Bench) -> Iterator[int]:
    """The door alone, as `comptoir door` runs it; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--http", "1", "--loop", "uvloop",
         "--log-level", "warning", "--port", str(port), "comptoir.webhooks.door:application"]
    )  # fmt: skip
    try:
        wait_for(lambda: _answers(port), 20, "the door did not start", every=0.1)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _answers(port: int) -> bool | None:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0 or None


def _send(port: int, token: str, prefix: str, count: int) -> dict[str, Any]:
    order = {
        "port": port,
        "token": token,
        "secret": SECRET,
        "prefix": prefix,
        "count": count,
        "connections": CONNECTIONS,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    if answer["answered"] != count:
        raise RuntimeError(f"the door did not take all of {count}: {answer}")
    from comptoir.kit import sql

    kept = sql.value("SELECT count(*) FROM webhooks_delivery WHERE event_id LIKE %s", [f"{prefix}-%"])
    if kept != count:
        raise RuntimeError(f"{count} deliveries were answered, {kept} are kept")
    return answer


def _pgbench(bench: Bench, channel: int) -> float:
    script = bench.folder / "insert.sql"
    script.write_text(INSERT.format(channel=channel).strip().replace("\n", " ") + "\n")
    done = subprocess.run(
        [postgres.find_binaries() / "pgbench", "--no-vacuum", "--client", str(CONNECTIONS), "--jobs", "2",
         "--time", str(bench.size(10, 2)), "--protocol", "prepared", "--define", f"body={load.body(12).hex()}",
         "--file", script, "--dbname", bench.url],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = re.search(r"^tps = ([\d.]+) \(without initial", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pgbench says something else: {done.stdout}")
    return float(found[1])


def _settle(bench: Bench) -> None:
    """Both sides begin with an empty table and a written-out server."""
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("TRUNCATE webhooks_delivery")
        connection.execute("CHECKPOINT")

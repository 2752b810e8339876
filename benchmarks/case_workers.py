"""Two worker processes beside one, and four beside two, on shops that let us wait; and how soon a killed worker's run goes on elsewhere."""

from __future__ import annotations

import os
import signal
import statistics
import time
from typing import Any

import psycopg

from benchmarks import shop as shops
from benchmarks.harness import Bench, Row, at_least, below, say, wait_for

THINGS = 300  # of each channel: six calls of fifty
CHANNELS = 16  # more than two workers carry out at once
ANSWER = 1.0  # seconds that a shop takes for fifty rows
SLOW = 2.0  # seconds that it takes while a worker is to be struck in the middle

OFFERS = """
INSERT INTO offers_offer (point_id, variant_id, listing, ref, is_waiting, touched, is_active, refusals, staged_units)
SELECT %s, variant_id, listing, ref, false, 0, true, 0, 0 FROM offers_offer WHERE point_id = %s
"""
LINKS = """
INSERT INTO offers_link (channel_id, kind, external_id, variant_id, sku, pushes_stock, content_hash, seen_at, made_by)
SELECT %s, kind, external_id, variant_id, sku, pushes_stock, '', now(), made_by FROM offers_link
WHERE channel_id = %s AND kind = 'listing'
"""


def run(bench: Bench) -> list[Row]:
    """Levels per second; seconds from the kill to the next attempt."""
    shop = shops.Shop(bench.size(THINGS, 60), 50)
    try:
        channels = _channels(shop, bench.size(CHANNELS, 4))
        expected = len(channels) * bench.size(THINGS, 60)
        with psycopg.connect(bench.url, autocommit=True) as connection:
            shop.answer_time = ANSWER

            def side(count: int) -> float:
                with shops.workers(count):
                    return expected / _told(connection, shop, channels, expected)

            four, two, one = bench.rounds(lambda: side(4), lambda: side(2), lambda: side(1))
            shop.answer_time = SLOW
            again = [_struck(connection, channels[0]) for _round in range(bench.size(5, 1))]
    finally:
        shop.close()
    say("    " + ", ".join(f"{seconds:.1f} s" for seconds in again))
    return [
        at_least("two workers beside one, waiting channels", two, one, "levels/s", 1.8),
        at_least("four workers beside two, waiting channels", four, two, "levels/s", 1.8),
        below("run of a killed worker, next attempt", statistics.median(again), "s", 15),
    ]


def _channels(shop: shops.Shop, count: int) -> list[int]:
    """Channels that all speak to the same shop: what matters is that each of them waits."""
    from comptoir.channels.models import Channel
    from comptoir.engine.flow import ensure_flows
    from comptoir.kit import ids, sql
    from comptoir.offers.models import PointWarehouse, SellingPoint

    first = shops.connect(shop, "waiting-0")
    [point] = SellingPoint.objects.filter(channel=first)
    [source] = PointWarehouse.objects.filter(point=point)
    made = [first.pk]
    for number in range(1, count):
        row = Channel.objects.get(pk=first.pk)
        row.pk, row.code, row.external_identity, row.webhook_token = None, f"waiting-{number}", "", ids.token()
        row.save(force_insert=True)
        own = SellingPoint.objects.get(pk=point.pk)
        own.pk, own.channel = None, row
        own.save(force_insert=True)
        PointWarehouse.objects.create(point=own, warehouse=source.warehouse)
        sql.execute(LINKS, [row.pk, first.pk])
        sql.execute(OFFERS, [own.pk, point.pk])
        ensure_flows(row.pk, ["push_stock"])
        made.append(row.pk)
    sql.execute("UPDATE engine_flow SET enabled = false WHERE kind <> 'push_stock'")
    return made


def _make_wait(connection: psycopg.Connection[Any], channels: list[int]) -> None:
    connection.execute(
        "UPDATE offers_offer SET is_waiting = true, told = NULL, touched = touched + 1, not_before = NULL WHERE point_id IN"
        " (SELECT id FROM offers_sellingpoint WHERE channel_id = ANY(%s))",
        [channels],
    )


def _told(connection: psycopg.Connection[Any], shop: shops.Shop, channels: list[int], expected: int) -> float:
    """Seconds from the first call to the last answer."""
    shop.calls.clear()
    _make_wait(connection, channels)
    wait_for(lambda: _all_told(connection, expected), 300, f"not all of {expected} levels were told", every=0.1)
    return max(end for _begun, end in shop.calls) - min(begun for begun, _end in shop.calls)


def _all_told(connection: psycopg.Connection[Any], expected: int) -> bool | None:
    row = connection.execute("SELECT count(*) FROM offers_offer WHERE told IS NOT NULL AND NOT is_waiting").fetchone()
    return (row is not None and row[0] >= expected) or None


def _struck(connection: psycopg.Connection[Any], channel: int) -> float:
    """Kill the worker in the middle of a push; seconds until another has the run."""
    with shops.workers(2) as processes:
        _make_wait(connection, [channel])
        run, attempt, worker = _running(connection, channel, 0, 0)
        time.sleep(SLOW / 2)  # in the middle of its first call
        struck = next(one for one in processes if one.pid == int(worker.rpartition(":")[2]))
        os.kill(struck.pid, signal.SIGKILL)
        begun = time.perf_counter()
        _running(connection, channel, run, attempt)
        return time.perf_counter() - begun


def _running(connection: psycopg.Connection[Any], channel: int, run: int, attempt: int) -> tuple[int, int, str]:
    """The channel's push that is under way, once it is a later attempt than that one."""

    def look() -> tuple[int, int, str] | None:
        return connection.execute(
            "SELECT r.id, r.attempt, r.worker FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id"
            " WHERE f.channel_id = %s AND f.kind = 'push_stock' AND r.status = 'running' AND (%s = 0 OR r.id = %s)"
            " AND r.attempt > %s",
            [channel, run, run, attempt],
        ).fetchone()

    return wait_for(look, 120, "no push was started within two minutes")

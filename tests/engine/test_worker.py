"""Whole workers as processes: killed, stopped, told to end, filled up, and with PostgreSQL restarted under them."""

from __future__ import annotations

import itertools
import os
import signal
from functools import partial
from typing import Any

import pytest
import toy_process as child
import toy_world as world
from django.db import transaction
from toy_harness import Children, is_stopped, make_channel, make_flow, wait_until

from comptoir.engine import effects, leader, queue, runs
from comptoir.engine.models import Flow, Run, RunStatus, Trigger
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM

pytestmark = [pytest.mark.kill, pytest.mark.usefixtures("toys")]


class Crew:
    """Workers of a test."""

    def __init__(self, children: Children, shop: world.Shop) -> None:
        self._children, self._port = children, shop.port

    def hire(self, *, concurrency: int = 3, armed: tuple[Any, ...] | None = None) -> Any:
        return self._children.start(child.work, self._port, concurrency, armed, str(self._children.errors))


@pytest.fixture
def crew(children: Children, shop: world.Shop) -> Crew:
    return Crew(children, shop)


def ask(channel: Any, kind: str, **changes: Any) -> int:
    return runs.request(make_flow(channel, kind, **changes), Trigger.PERSON, SYSTEM, at=clock.now())


def started(channel: Any) -> list[int]:
    """Processes that began a run of this channel, in order."""
    return [row[0] for row in sql.rows("SELECT worker FROM toy_start WHERE channel = %s ORDER BY at", [channel.pk])]


def steps(run: int) -> int:
    return int(Run.objects.get(pk=run).state.get("steps", 0))


def open_gate() -> None:
    sql.execute("INSERT INTO toy_gate VALUES ('open')")


def done(run: int) -> bool:
    return Run.objects.get(pk=run).status == RunStatus.DONE


def leading() -> list[int]:
    """Backends that hold the leader's lock."""
    high, low = leader.LEADER >> 32, leader.LEADER & 0xFFFFFFFF
    return [
        row[0]
        for row in sql.rows(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::bigint::oid AND objid = %s::bigint::oid"
            " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [high, low],
        )
    ]


def test_a_killed_workers_run_goes_on_elsewhere_from_its_last_checkpoint(crew: Crew) -> None:
    channel = make_channel()
    crew.hire()
    crew.hire()
    run = ask(channel, "toy_long")
    [first] = wait_until(lambda: started(channel))
    kept = wait_until(lambda: steps(run))
    os.kill(first, signal.SIGKILL)
    [_, second] = wait_until(lambda: started(channel)[1:] and started(channel))
    assert second != first
    wait_until(lambda: steps(run) > kept)
    open_gate()
    wait_until(lambda: done(run))
    assert Run.objects.get(pk=run).attempt == 2


def test_a_stopped_leader_loses_its_run_and_its_office_and_is_fenced_when_it_wakes(
    crew: Crew, children: Children
) -> None:
    channel = make_channel()
    first = crew.hire(armed=("commit", 6, "after", signal.SIGSTOP))
    [office] = wait_until(leading)
    run = ask(channel, "toy_long")
    wait_until(lambda: is_stopped(first.pid))
    second = crew.hire()
    wait_until(lambda: started(channel) == [first.pid, second.pid])
    assert office not in leading()
    os.kill(first.pid, signal.SIGCONT)
    wait_until(lambda: f"run {run}: attempt 1 no longer counts" in children.errors.read_text())
    open_gate()
    wait_until(lambda: done(run))
    row = Run.objects.get(pk=run)
    assert (row.attempt, row.worker.endswith(f":{second.pid}"), row.seen) == (2, True, 1)
    wait_until(lambda: len(leading()) == 1)
    # The one that slept is of use again: its lanes are built anew.
    os.kill(second.pid, signal.SIGKILL)
    other = make_channel("other")
    following = ask(other, "toy_long")
    wait_until(lambda: done(following))
    assert started(other) == [first.pid]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_push_stopped_past_its_lease_and_continued_has_every_effect_once(
    children: Children, shop: world.Shop, when: str
) -> None:
    strikes = 0
    for number in itertools.count(1):
        channel = make_channel(f"stopped-{number}")
        for key in range(2):
            effects.want(channel.pk, "toy", f"{channel.pk}-{key}", f"parcel:{key}", {}, at=clock.now())
        run = ask(channel, "toy_push")
        first = children.start(child.execute, shop.port, run, ("commit", number, when, signal.SIGSTOP))
        stopped = wait_until(partial(_stopped_or_ended, first)) == "stopped"
        if stopped:
            strikes += 1
            # Stopped before a commit it still holds rows, and this waits until PostgreSQL ends its transaction.
            sql.execute("UPDATE engine_run SET heartbeat_at = clock_timestamp() - interval '10 s' WHERE id = %s", [run])
            second = children.start(child.execute, shop.port, run, None)
            second.join(60)
            assert second.exitcode == 0
            os.kill(first.pid, signal.SIGCONT)
            first.join(60)
        assert done(run)
        assert {key: times for key, times in shop.effects.items() if key.startswith(f"{channel.pk}-")} == {
            f"{channel.pk}-{key}": 1 for key in range(2)
        }
        if not stopped:
            break
    assert strikes >= 4


def _stopped_or_ended(process: Any) -> str:
    if not process.is_alive():
        return "ended"
    return "stopped" if is_stopped(process.pid) else ""


def test_a_worker_told_to_end_hands_its_run_back_at_once(crew: Crew) -> None:
    channel = make_channel()
    first = crew.hire()
    run = ask(channel, "toy_long")
    wait_until(lambda: steps(run))
    os.kill(first.pid, signal.SIGTERM)
    first.join(30)
    assert first.exitcode == 0
    assert Run.objects.get(pk=run).status == RunStatus.QUEUED
    open_gate()
    crew.hire()
    wait_until(lambda: done(run))


def test_a_worker_told_twice_to_end_does_not_wait_for_a_slow_shop(
    crew: Crew, children: Children, shop: world.Shop
) -> None:
    channel = make_channel()
    shop.slow = 60.0
    effects.want(channel.pk, "toy", "slow", "parcel:1", {}, at=clock.now())
    first = crew.hire()
    run = ask(channel, "toy_push")
    assert shop.called.wait(30)
    os.kill(first.pid, signal.SIGTERM)
    wait_until(lambda: "was told to end" in children.errors.read_text())
    os.kill(first.pid, signal.SIGTERM)
    first.join(30)
    assert first.exitcode == 0
    assert Run.objects.get(pk=run).status == RunStatus.QUEUED
    shop.slow = 0.0
    crew.hire()
    wait_until(lambda: done(run))
    assert shop.effects == {"slow": 1}, "it was called when the worker ended, so the shop was asked first"


def test_a_full_bulk_lane_delays_no_live_run(crew: Crew) -> None:
    crew.hire()
    refreshes = [ask(make_channel(f"bulk-{number}"), "toy_long") for number in range(4)]
    wait_until(lambda: any(steps(run) for run in refreshes))
    channel = make_channel("live")
    make_flow(channel, "toy_drain")
    with transaction.atomic():
        sql.execute("INSERT INTO toy_mark (channel) VALUES (%s)", [channel.pk])
        runs.start_after_commit("toy_drain", [channel.pk])
    wait_until(lambda: Run.objects.filter(flow__channel=channel, status=RunStatus.DONE).exists())
    assert not any(done(run) for run in refreshes)
    assert sum(steps(run) > 0 for run in refreshes) == 1, "bulk keeps to its own slots"


def test_a_lost_wake_up_costs_a_tick_and_nothing_else(crew: Crew) -> None:
    crew.hire()
    channel = make_channel()
    make_flow(channel, "toy_drain")
    wait_until(leading)
    with queue.without_wakeups():
        sql.execute("INSERT INTO toy_mark (channel) VALUES (%s)", [channel.pk])
    wait_until(lambda: not sql.value("SELECT true FROM toy_mark"))
    other = make_channel("queued")
    with queue.without_wakeups():  # a run that waits, and nobody was told
        run = ask(other, "toy_pull", enabled=False)
    wait_until(lambda: Run.objects.get(pk=run).status == RunStatus.DONE)


def test_a_flow_with_an_interval_runs_again_and_empty_runs_become_a_number(crew: Crew) -> None:
    crew.hire()
    flow = make_flow(make_channel(), "toy_pull", every=1, next_at=clock.now())
    wait_until(lambda: Flow.objects.get(pk=flow).empty_runs >= 3)
    assert not Run.objects.filter(flow=flow, status=RunStatus.DONE).exists()
    assert sql.value("SELECT count(*) FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')") == 0

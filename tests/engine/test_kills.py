"""A worker killed at any instruction costs time, never data: struck at every commit and every call of a run in turn."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest
import toy_process as child
import toy_world as world
from toy_harness import Children, make_channel, make_flow

from comptoir.engine import effects, runs
from comptoir.engine.models import Effect, Finding, Flow, Run, RunStatus, Trigger
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM

pytestmark = [pytest.mark.kill, pytest.mark.usefixtures("toys")]

ITEMS = 5  # two pages, and the empty one that ends them
EFFECTS = 3

STRIKES = [("commit", "before"), ("commit", "after"), ("call", "before"), ("call", "after")]


def _until_unkilled(children: Children, shop: world.Shop, ask: Any, what: str, when: str, check: Any) -> int:
    """Kill a run at its n-th commit or call, let another process resume it, check; n = 1, 2, … until nothing strikes."""
    for number in itertools.count(1):
        run, context = ask(number)
        first = children.start(child.execute, shop.port, run, (what, number, when, signal.SIGKILL))
        first.join(60)
        assert first.exitcode in (0, child.KILLED)
        if first.exitcode == child.KILLED:
            # The lease runs out; waiting for it here would only make the test slow.
            sql.execute("UPDATE engine_run SET heartbeat_at = clock_timestamp() - interval '10 s' WHERE id = %s", [run])
            second = children.start(child.execute, shop.port, run, None)
            second.join(60)
            assert second.exitcode == 0
        check(run, context)
        if first.exitcode == 0:
            return number - 1
    raise AssertionError


@pytest.mark.parametrize(("what", "when"), STRIKES)
def test_a_pull_killed_anywhere_brings_every_item_once(
    children: Children, shop: world.Shop, what: str, when: str
) -> None:
    shop.items = ITEMS

    def ask(number: int) -> tuple[int, Any]:
        channel = make_channel(f"{what}-{when}-{number}")
        flow = make_flow(channel, "toy_pull")
        return runs.request(flow, Trigger.PERSON, SYSTEM, at=clock.now()), channel

    def check(run: int, channel: Any) -> None:
        rows = sql.rows("SELECT external, times FROM toy_row WHERE channel = %s ORDER BY 1", [channel.pk])
        assert rows == [(item, 1) for item in range(1, ITEMS + 1)]
        row = Run.objects.get(pk=run)
        assert (row.status, row.seen, row.created, row.outcome) == (RunStatus.DONE, ITEMS, ITEMS, "good")
        assert Flow.objects.get(channel=channel).cursor == {"after": ITEMS} == row.cursor_after
        assert (
            list(Finding.objects.filter(channel=channel).order_by("subject").values_list("count", flat=True)) == [1] * 2
        )

    assert _until_unkilled(children, shop, ask, what, when, check) >= 3


@pytest.mark.parametrize(("what", "when"), STRIKES)
def test_a_push_killed_anywhere_has_every_effect_once(
    children: Children, shop: world.Shop, what: str, when: str
) -> None:
    def ask(number: int) -> tuple[int, Any]:
        channel = make_channel(f"{what}-{when}-{number}")
        flow = make_flow(channel, "toy_push")
        for key in range(EFFECTS):
            effects.want(channel.pk, "toy", f"{channel.pk}-{key}", f"parcel:{key}", {}, at=clock.now())
        return runs.request(flow, Trigger.PERSON, SYSTEM, at=clock.now()), channel

    def check(run: int, channel: Any) -> None:
        arrived = {key: times for key, times in shop.effects.items() if key.startswith(f"{channel.pk}-")}
        assert arrived == {f"{channel.pk}-{key}": 1 for key in range(EFFECTS)}
        assert set(Effect.objects.filter(channel=channel).values_list("state", flat=True)) == {"done"}
        row = Run.objects.get(pk=run)
        assert (row.status, row.seen, row.outcome) == (RunStatus.DONE, EFFECTS, "good")

    assert _until_unkilled(children, shop, ask, what, when, check) >= EFFECTS

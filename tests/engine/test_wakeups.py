"""Wake-ups: deferred after commit, and only then."""

from __future__ import annotations

import pytest
from django.db import transaction
from toy_harness import make_channel, make_flow

from comptoir.engine import inline, runs
from comptoir.engine.models import Run, RunStatus, Trigger
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM

pytestmark = pytest.mark.usefixtures("toys")


class Regret(Exception):
    """The business transaction comes to nothing."""


def jobs() -> int:
    return int(sql.value("SELECT count(*) FROM procrastinate_jobs"))


def request_and_regret(flow: int) -> None:
    with transaction.atomic():
        runs.request(flow, Trigger.PERSON, SYSTEM, at=clock.now())
        raise Regret


def leave_facts_and_regret(channel: int) -> None:
    with transaction.atomic():
        runs.start_after_commit("toy_drain", [channel])
        raise Regret


def test_a_request_that_is_rolled_back_leaves_neither_run_nor_job() -> None:
    flow = make_flow(make_channel(), "toy_drain")
    with pytest.raises(Regret):
        request_and_regret(flow)
    assert (Run.objects.count(), jobs()) == (0, 0)
    with transaction.atomic():
        runs.request(flow, Trigger.PERSON, SYSTEM, at=clock.now())
        assert jobs() == 0, "the job is deferred after commit"
    assert (Run.objects.count(), jobs()) == (1, 1)


def test_facts_that_are_rolled_back_start_nothing() -> None:
    channel = make_channel()
    make_flow(channel, "toy_drain")
    with pytest.raises(Regret):
        leave_facts_and_regret(channel.pk)
    assert not Run.objects.exists()
    with transaction.atomic():
        with pytest.raises(Regret):
            leave_facts_and_regret(channel.pk)
        runs.start_after_commit("toy_drain", [channel.pk])
        runs.start_after_commit("toy_drain", [channel.pk])
        assert not Run.objects.exists()
    assert (Run.objects.count(), jobs()) == (1, 1)


def test_the_drain_carries_out_what_has_facts_and_writes_no_jobs() -> None:
    channel = make_channel()
    make_flow(channel, "toy_drain")
    sql.execute("INSERT INTO toy_mark (channel) VALUES (%s)", [channel.pk])
    assert [one.status for one in inline.drain(clock.now(), kinds=["toy_drain"])] == [RunStatus.DONE]
    assert jobs() == 0

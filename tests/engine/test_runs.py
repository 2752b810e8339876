"""Runs in this process: what is asked for, what a step commits, and what the way a run stops leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import toy_world as world
from django.db import IntegrityError, OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_harness import make_channel, make_flow

from comptoir.channels.errors import NotLetIn, NotUnderstood, TryLater, Unknown, WritesRefused
from comptoir.channels.models import Channel, Health, Mode
from comptoir.channels.records import Answer, Fate
from comptoir.engine import books, effects, findings, flow, inline, runs, tick
from comptoir.engine.errors import Fenced, Stopped
from comptoir.engine.flow import HERE, IN
from comptoir.engine.models import Effect, Finding, Flow, Outcome, PlanRow, Run, RunStatus, Severity, Trigger
from comptoir.engine.runs import PlanLine, RunContext
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM, Actor, ActorKind
from comptoir.kit.errors import Conflict

pytestmark = pytest.mark.usefixtures("toys_rolled_back")

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
ANNA = Actor(ActorKind.PERSON, "7", "Anna")

Recipe = Callable[[RunContext], None]
_recipe: Recipe = lambda run: None  # noqa: E731
_facts: set[int] = set()


@flow.flow(
    "toy_script", direction=HERE, title="Toy script", facts=lambda channels: _facts & set(channels), previews=True
)
def toy_script(run: RunContext, channel: None) -> None:
    """Do what the test says."""
    _recipe(run)


@flow.flow("toy_writer", direction=HERE, title="Toy writer", writes=True, previews=True)
def toy_writer(run: RunContext, channel: None) -> None:
    """Do what the test says, where writing is allowed."""
    _recipe(run)


@flow.flow("toy_caller", direction=IN, title="Toy caller", facts=lambda channels: _facts & set(channels))
def toy_caller(run: RunContext, channel: Any) -> None:
    """Never opened here: no connector is called toy."""


@pytest.fixture(autouse=True)
def now() -> Iterator[clock.ManualClock]:
    global _recipe
    _recipe = lambda run: None  # noqa: E731
    manual = clock.ManualClock(START)
    with clock.using(manual):
        yield manual
    _facts.clear()


@pytest.fixture
def channel() -> Channel:
    return make_channel()


@pytest.fixture
def script(channel: Channel) -> int:
    return make_flow(channel, "toy_script")


def carry_out(flow_id: int, recipe: Recipe, **options: Any) -> Run:
    """Ask for a run of `recipe` and carry it out."""
    global _recipe
    _recipe = recipe
    run = runs.request(flow_id, Trigger.PERSON, ANNA, at=clock.now())
    runs.execute(run, "test", **options)
    return Run.objects.get(pk=run)


def fail_with(error: Exception) -> Recipe:
    def recipe(run: RunContext) -> None:
        raise error

    return recipe


def open_codes(channel: Channel) -> set[str]:
    return set(Finding.objects.filter(channel=channel, closed_at=None).values_list("code", flat=True))


# Asking


def test_a_second_request_is_served_by_the_run_that_waits(script: int) -> None:
    first = runs.request(script, Trigger.WEBHOOK, SYSTEM, at=START)
    assert runs.request(script, Trigger.PERSON, ANNA, at=START) == first
    row = Run.objects.get(pk=first)
    assert (row.trigger, row.actor["label"]) == ("person", "Anna")


def test_a_request_during_a_run_leads_to_another_run_after_it(script: int) -> None:
    def ask_meanwhile(run: RunContext) -> None:
        if run.trigger == Trigger.PERSON:
            assert runs.request(script, Trigger.WEBHOOK, SYSTEM, at=START) == run.id
        run.count(seen=1, unchanged=1)

    first = carry_out(script, ask_meanwhile)
    [second] = Run.objects.exclude(pk=first.pk)
    assert (second.status, second.trigger) == (RunStatus.QUEUED, "webhook")
    runs.execute(second.pk, "test")
    assert not Run.objects.filter(status=RunStatus.QUEUED).exists(), "once is enough"


def test_in_test_mode_a_flow_that_writes_is_only_previewed(channel: Channel) -> None:
    flow_id = make_flow(channel, "toy_writer", every=60, next_at=START)
    Channel.objects.update(mode=Mode.TEST)
    assert tick.start_due(START) == []
    run = carry_out(flow_id, lambda run: run.plan([PlanLine("level", "offer:1", "Bowl", "level", "3", "2")]))
    assert run.is_preview
    assert list(PlanRow.objects.values_list("run", "old", "new")) == [(run.pk, "3", "2")]
    Channel.objects.update(mode=Mode.PRODUCTION, writes_paused=True)
    assert tick.start_due(START) == []
    Channel.objects.update(writes_paused=False)
    assert len(tick.start_due(START)) == 1


def test_a_preview_moves_no_cursor_and_runs_beside_the_real_one(script: int) -> None:
    global _recipe

    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": 9}):
            run.plan([PlanLine("level", "offer:1", "Bowl", "level", None, "2", {"price": Decimal("1.10")})])

    _recipe = recipe
    real = runs.request(script, Trigger.PERSON, ANNA, at=START)
    preview = runs.request(script, Trigger.PERSON, ANNA, preview=True, at=START)
    assert preview != real
    runs.execute(preview, "test")
    assert Run.objects.get(pk=preview).status == RunStatus.DONE
    assert Flow.objects.get(pk=script).cursor == {}


def test_an_archived_channel_runs_nothing(script: int, channel: Channel) -> None:
    Channel.objects.update(archived_at=START)
    with pytest.raises(Conflict):
        runs.request(script, Trigger.PERSON, ANNA, at=START)
    _facts.add(channel.pk)
    assert tick.start_due(START) == []


# Steps


def step_twice_the_same(run: RunContext) -> None:
    with run.checkpoint({"after": 2}):
        run.count(seen=5, created=5)
        run.found("odd", "sale:2", Severity.INFO)
        sql.execute("INSERT INTO toy_gate VALUES ('a'), ('a')")


def test_a_step_that_fails_says_and_moves_nothing(script: int, channel: Channel) -> None:
    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": 1}):
            run.count(seen=1, created=1)
            run.found("odd", "sale:1", Severity.INFO)
        with pytest.raises(IntegrityError):
            step_twice_the_same(run)
        with run.checkpoint({"after": 3}):
            run.count(seen=1, unchanged=1)

    run = carry_out(script, recipe)
    assert (run.seen, run.created, run.unchanged, run.outcome) == (2, 1, 1, Outcome.GOOD)
    assert Flow.objects.get(pk=script).cursor == {"after": 3}
    assert list(Finding.objects.values_list("subject", flat=True)) == ["sale:1"]


def step_that_finishes(run: RunContext, effect: effects.Taken) -> None:
    with run.checkpoint({"after": 1}):
        sql.execute("INSERT INTO toy_gate VALUES ('mine')")
        effects.finish(run, effect, world.DONE)


def test_another_attempt_fences_every_way_to_write(script: int, channel: Channel) -> None:
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)
    tried = []

    def taken_over(run: RunContext) -> None:
        sql.execute("UPDATE engine_run SET attempt = attempt + 1")
        [effect] = effects.take(run, channel.pk, "toy", 5)
        with pytest.raises(Fenced):
            effects.calling(run, effect)
        tried.append("calling")
        with pytest.raises(Fenced):
            step_that_finishes(run, effect)
        tried.append("checkpoint")
        with pytest.raises(Fenced):
            run.check_fence()
        tried.append("look")

    run = carry_out(script, taken_over)
    assert tried == ["calling", "checkpoint", "look"]
    assert run.status == RunStatus.RUNNING, "the one that was fenced says nothing about the end either"
    assert Effect.objects.get().state == "wanted"
    assert not sql.value("SELECT true FROM toy_gate")
    assert Flow.objects.get(pk=script).cursor == {}


def test_what_a_run_saw_must_be_accounted_for(script: int, channel: Channel) -> None:
    run = carry_out(script, lambda run: run.count(seen=3, created=2))
    assert (run.status, run.outcome) == (RunStatus.DONE, Outcome.UNBALANCED)
    assert open_codes(channel) == {"run_unbalanced"}
    assert findings.bell() == 1
    run = carry_out(script, lambda run: run.count(seen=3, created=2, parked=1))
    assert run.outcome == Outcome.PARTIAL
    assert findings.bell() == 0


def test_a_person_stops_a_run_between_two_steps(script: int) -> None:
    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": 1}):
            run.count(seen=1, created=1)
        runs.cancel(run.id)
        with run.checkpoint({"after": 2}):
            run.count(seen=1, created=1)
        raise AssertionError("it went on")

    run = carry_out(script, recipe)
    assert (run.status, run.seen, run.cursor_after) == (RunStatus.CANCELLED, 2, {"after": 2})
    waiting = runs.request(script, Trigger.PERSON, ANNA, at=START)
    runs.cancel(waiting)
    assert runs.execute(waiting, "test") is None


def test_a_worker_that_ends_puts_its_run_back_with_all_that_was_done(script: int) -> None:
    asked = []

    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": run.cursor.get("after", 0) + 1}, {"left": 3}):
            run.count(seen=1, created=1)
            asked.append(run.attempt)

    run = carry_out(script, recipe, asked_to_stop=lambda: len(asked) == 1)
    assert (run.status, run.seen, run.state) == (RunStatus.QUEUED, 1, {"left": 3})
    runs.execute(run.pk, "other")
    run.refresh_from_db()
    assert (run.status, run.seen, run.cursor_after, run.attempt) == (RunStatus.DONE, 2, {"after": 2}, 2)


# What the way a run stops leads to


def test_try_later_puts_the_run_back_for_as_long_as_they_ask(script: int, now: clock.ManualClock) -> None:
    run = carry_out(script, fail_with(TryLater("busy", wait=300)))
    assert (run.status, run.not_before) == (RunStatus.QUEUED, START + timedelta(seconds=300))
    assert runs.execute(run.pk, "test") is None, "not before its time"
    assert tick.wake_waiting(START + timedelta(seconds=299)) == 0
    now.advance(timedelta(seconds=301))
    assert tick.wake_waiting(clock.now()) == 1


def test_a_shop_that_stays_away_fails_the_run_and_after_some_runs_rings_the_bell(
    script: int, channel: Channel, now: clock.ManualClock
) -> None:
    waits = []
    for failures in (1, 2, 3):
        run = carry_out(script, fail_with(TryLater("away")))
        while run.status == RunStatus.QUEUED:
            assert run.not_before is not None
            waits.append((run.not_before - clock.now()).total_seconds())
            now.set(run.not_before)
            runs.execute(run.pk, "test")
            run.refresh_from_db()
        row = Flow.objects.get(pk=script)
        assert (run.status, row.failures) == (RunStatus.FAILED, failures)
        assert row.waits_until is not None
        assert tick.start_due(clock.now()) == []
        assert findings.bell() == (1 if failures == 3 else 0)
        now.set(row.waits_until)
    assert waits[:5] == [2, 4, 8, 16, 32]
    channel.refresh_from_db()
    assert channel.health == Health.TROUBLED
    global _recipe
    _recipe = lambda run: None  # noqa: E731
    [drained] = inline.drain(clock.now())
    assert drained.status == RunStatus.DONE
    assert (Flow.objects.get(pk=script).failures, open_codes(channel)) == (0, set())


def test_progress_makes_patience_new(script: int, now: clock.ManualClock) -> None:
    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": run.cursor.get("after", 0) + 1}):
            run.count(seen=1, created=1)
        raise TryLater("paced")

    run = carry_out(script, recipe)
    for _ in range(20):
        assert (run.status, run.stalls) == (RunStatus.QUEUED, 0)
        now.set(run.not_before)
        runs.execute(run.pk, "test")
        run.refresh_from_db()
    assert (run.seen, Flow.objects.get(pk=script).cursor) == (21, {"after": 21})


def test_a_refused_key_stops_the_channel_until_a_person_acts(channel: Channel) -> None:
    flow_id = make_flow(channel, "toy_script", every=60, next_at=START)
    run = carry_out(flow_id, fail_with(NotLetIn("key revoked", right="orders")))
    assert run.status == RunStatus.FAILED
    channel.refresh_from_db()
    assert (channel.health, open_codes(channel)) == (Health.LOCKED_OUT, {"not_let_in"})
    caller = make_flow(channel, "toy_caller", every=60, next_at=START)
    _facts.add(channel.pk)
    assert tick.start_due(START + timedelta(days=1), kinds=["toy_caller"]) == []
    assert len(tick.start_due(START + timedelta(days=1))) == 1, "what needs no shop goes on"
    Run.objects.filter(status=RunStatus.QUEUED).delete()

    def answered(run: RunContext) -> None:
        from comptoir.channels.http import CallMade

        run.observe_call(CallMade("GET", "https://shop.example", False, 200, 0.2, 0, 512))

    run = carry_out(flow_id, answered)  # a person tries again
    assert run.calls == {"read": 1, "bytes": 512, "seconds": 0.2, "places": {"GET /": [1, 0.2, 512, 0]}}
    channel.refresh_from_db()
    assert (channel.health, open_codes(channel)) == (Health.GOOD, set())
    tick.start_due(START + timedelta(days=1))
    assert Run.objects.filter(flow=caller, status=RunStatus.QUEUED).exists()


def test_an_answer_of_an_unknown_shape_is_kept_with_the_run(script: int, channel: Channel) -> None:
    run = carry_out(script, fail_with(NotUnderstood("no total", answer="<html>maintenance</html>")))
    assert run.status == RunStatus.FAILED
    assert run.error["facts"] == {"answer": "<html>maintenance</html>"}
    assert open_codes(channel) == {"not_understood"}


def test_our_own_door_saying_no_is_nobodys_business(script: int, channel: Channel) -> None:
    run = carry_out(script, fail_with(WritesRefused("paused")))
    assert (run.status, open_codes(channel), findings.bell()) == (RunStatus.FAILED, {"writes_refused"}, 0)


def test_a_mistake_of_ours_is_written_down_with_its_place_and_logged(
    script: int, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    def recipe(run: RunContext) -> None:
        with run.checkpoint():
            run.count(seen=1, created=1)
        with run.checkpoint():
            raise KeyError("price")

    run = carry_out(script, recipe)
    assert (run.status, run.seen, run.error["code"]) == (RunStatus.FAILED, 1, "KeyError")
    [finding] = Finding.objects.filter(channel=channel)
    assert (finding.code, finding.severity) == ("run_failed", Severity.ERROR)
    assert finding.facts["where"]
    assert "KeyError" in caplog.text
    assert Flow.objects.get(pk=script).waits_until > START


def test_two_transactions_in_each_others_way_are_nobodys_mistake(script: int) -> None:
    def recipe(run: RunContext) -> None:
        if run.attempt == 1:
            with run.checkpoint():
                sql.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")

    run = carry_out(script, recipe)
    assert run.status == RunStatus.QUEUED
    assert not Finding.objects.exists()


def test_a_database_that_is_back_by_now_makes_a_run_wait(script: int) -> None:
    def recipe(run: RunContext) -> None:
        if run.attempt == 1:
            with run.checkpoint():
                sql.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P01'; END $$")

    run = carry_out(script, recipe)
    assert run.status == RunStatus.QUEUED
    assert not Finding.objects.exists()


def test_a_run_that_only_kills_its_workers_is_given_up(script: int, channel: Channel) -> None:
    run = runs.request(script, Trigger.PERSON, ANNA, at=START)
    dead = "UPDATE engine_run SET status = 'running', heartbeat_at = now() - interval '1 minute', stalls = %s"
    sql.execute(dead, [tick.MOST_STALLS - 1])
    assert tick.rescue(START) == [run]
    sql.execute(dead, [tick.MOST_STALLS])
    assert tick.rescue(START) == []
    assert Run.objects.get(pk=run).status == RunStatus.FAILED
    assert open_codes(channel) == {"run_gave_up"}


# Facts, schedules, the drain


def test_a_due_flow_runs_once_and_keeps_its_phase(channel: Channel, now: clock.ManualClock) -> None:
    flow_id = make_flow(channel, "toy_script", every=300, next_at=START)
    global _recipe
    _recipe = lambda run: run.count(seen=1, created=1)  # noqa: E731
    now.advance(timedelta(seconds=700))
    assert [one.kind for one in inline.drain(clock.now())] == ["toy_script"]
    assert Flow.objects.get(pk=flow_id).next_at == START + timedelta(seconds=900)
    assert inline.drain(clock.now()) == []


def test_facts_that_do_not_go_away_start_one_run_in_vain_and_no_more(script: int, channel: Channel) -> None:
    global _recipe
    _recipe = lambda run: None  # noqa: E731
    _facts.add(channel.pk)
    assert len(inline.drain(START)) == 1
    row = Flow.objects.get(pk=script)
    assert (row.empty_runs, Run.objects.count()) == (1, 0)


def test_facts_that_come_during_a_run_start_the_next(script: int, channel: Channel) -> None:
    def recipe(run: RunContext) -> None:
        run.count(seen=1, changed=1)
        _facts.add(channel.pk)

    first = carry_out(script, recipe)
    assert list(Run.objects.exclude(pk=first.pk).values_list("status", "trigger")) == [("queued", "fact")]


def test_a_flow_that_is_off_is_left_alone(script: int, channel: Channel) -> None:
    _facts.add(channel.pk)
    flow.switch(script, False, at=START)
    assert inline.drain(START) == []
    flow.switch(script, True, at=START)
    assert len(inline.drain(START)) == 1


def test_one_flows_mistake_in_its_facts_does_not_stop_the_others_clock(channel: Channel, script: int) -> None:
    make_flow(channel, "toy_drain")
    sql.execute("INSERT INTO toy_mark (channel) VALUES (%s)", [channel.pk])
    sql.execute("ALTER TABLE engine_effect RENAME TO engine_effect_away")  # what toy_push's facts read
    make_flow(channel, "toy_push")
    try:
        assert len(tick.start_due(START)) == 1
    finally:
        sql.execute("ALTER TABLE engine_effect_away RENAME TO engine_effect")
    [finding] = Finding.objects.filter(code="facts_failed")
    assert (finding.channel, finding.subject) == (None, "flow:toy_push")


# Findings


def test_a_finding_counts_closes_by_itself_and_opens_again(script: int, channel: Channel) -> None:
    def finds(run: RunContext) -> None:
        run.found("unknown_sku", "sale:1", Severity.ERROR, sku="A-1", price=Decimal("1.50"))
        run.found("late", "sale:1", Severity.INFO)

    for _ in range(3):
        carry_out(script, finds)
    [group, _] = findings.open_groups()
    assert (group.code, group.subjects, group.example) == ("unknown_sku", 1, "sale:1")
    found = Finding.objects.get(code="unknown_sku")
    assert (found.count, found.facts) == (3, group.facts) == (3, {"sku": "A-1", "price": "1.50"})
    carry_out(script, lambda run: run.resolved(["sale:1"], ["unknown_sku"]))
    assert open_codes(channel) == {"late"}
    carry_out(script, lambda run: run.resolved(["sale:1", "sale:2"]))
    assert (open_codes(channel), findings.bell()) == (set(), 0)
    carry_out(script, finds)
    assert (Finding.objects.get(code="unknown_sku").count, findings.bell()) == (4, 1)


def test_what_is_said_last_of_a_subject_within_a_step_counts(script: int, channel: Channel) -> None:
    def recipe(run: RunContext) -> None:
        run.found("odd", "sale:1", Severity.INFO)
        run.resolved(["sale:1"])
        run.resolved(["sale:2"])
        run.found("odd", "sale:2", Severity.INFO)

    carry_out(script, recipe)
    assert list(Finding.objects.filter(closed_at=None).values_list("subject", flat=True)) == ["sale:2"]


def test_a_finding_about_the_hub_itself_is_one_row_too() -> None:
    for _ in range(2):
        findings.report([findings.Report(None, "disk", "hub", Severity.ERROR)], at=START)
    assert Finding.objects.get().count == 2
    assert findings.close(None, ["hub"], at=START) == 1


# The journal


def tell_with(call: Callable[[], Answer], ask: Callable[[], bool] = lambda: False) -> Recipe:
    def recipe(run: RunContext) -> None:
        for effect in effects.take(run, run.channel_id, "toy", 10):
            effects.tell(run, effect, call, ask)

    return recipe


def lost() -> Answer:
    raise Unknown("connection reset")


def test_an_effect_whose_answer_is_lost_is_asked_about_later_and_never_repeated_unasked(
    script: int, channel: Channel, now: clock.ManualClock
) -> None:
    assert effects.want(channel.pk, "toy", "1", "parcel:1", {"tracking": "X"}, at=START)
    assert not effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START), "wanted once"
    run = carry_out(script, tell_with(lost))
    assert (run.status, run.parked, run.outcome) == (RunStatus.DONE, 1, Outcome.PARTIAL)
    effect = Effect.objects.get()
    assert (effect.state, open_codes(channel)) == ("called", {"toy_unknown"})
    assert effects.waiting("toy", [channel.pk], at=START) == set()
    assert effect.next_at is not None
    now.set(effect.next_at)
    assert effects.waiting("toy", [channel.pk], at=clock.now()) == {channel.pk}

    def never() -> Answer:
        raise AssertionError("it was repeated although they have it")

    run = carry_out(script, tell_with(never, ask=lambda: True))
    assert (run.unchanged, Effect.objects.get().state, open_codes(channel)) == (1, "done", set())


def test_an_effect_that_they_do_not_have_is_called_again_after_asking(
    script: int, channel: Channel, now: clock.ManualClock
) -> None:
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)
    waits = []
    for _ in range(3):
        carry_out(script, tell_with(lost))
        effect = Effect.objects.get()
        assert effect.next_at is not None
        waits.append(effect.next_at - clock.now())
        now.set(effect.next_at)
    assert waits == sorted(waits)
    assert waits[0] < waits[2]
    run = carry_out(script, tell_with(lambda: Answer(item=0, fate=Fate.DONE)))
    assert (run.changed, Effect.objects.get().calls) == (1, 4)


def test_an_effect_that_they_refuse_waits_for_a_person(script: int, channel: Channel) -> None:
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)
    run = carry_out(script, tell_with(lambda: Answer(item=0, fate=Fate.REFUSED, reason="closed order")))
    assert (run.failed, run.outcome, findings.bell()) == (1, Outcome.PARTIAL, 1)
    assert (Effect.objects.get().state, Effect.objects.get().reason) == ("refused", "closed order")


def test_an_effect_that_did_not_get_there_is_wanted_as_before(script: int, channel: Channel) -> None:
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)

    def busy() -> Answer:
        raise TryLater("429", wait=60)

    run = carry_out(script, tell_with(busy))
    assert (run.status, run.not_before) == (RunStatus.QUEUED, START + timedelta(seconds=60))
    effect = Effect.objects.get()
    assert (effect.state, effect.next_at) == ("wanted", START + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("breaks_at", "state", "calls"), [("preparing", "wanted", 0), ("calling", "called", 1), ("asking", "called", 1)]
)
def test_an_effect_that_breaks_us_is_put_off_and_named_and_the_others_go_on(
    script: int, channel: Channel, now: clock.ManualClock, breaks_at: str, state: str, calls: int
) -> None:
    for key in ("1", "2", "3"):
        effects.want(channel.pk, "toy", key, f"parcel:{key}", {}, at=START)
    if breaks_at == "asking":
        Effect.objects.filter(key="1").update(state="called", calls=1)
    is_mended = False

    def break_(where: str) -> bool:
        if not is_mended and where == breaks_at:
            raise ZeroDivisionError(where)
        return False

    def recipe(run: RunContext) -> None:
        for effect in effects.take(run, run.channel_id, "toy", 10):
            bad = effect.key == "1"
            with effects.apart(run, effect):
                if bad:
                    break_("preparing")

                def call(bad: bool = bad) -> Answer:
                    if bad:
                        break_("calling")
                    return Answer(item=0, fate=Fate.DONE)

                effects.tell(run, effect, call, lambda: break_("asking"))

    now.advance(timedelta(minutes=2))
    run = carry_out(script, recipe)
    assert (run.status, run.outcome, run.seen, run.changed, run.failed) == ("done", "partial", 3, 2, 1)
    broken = Effect.objects.get(key="1")
    assert (broken.state, broken.calls, broken.reason) == (state, calls, breaks_at)
    assert Effect.objects.filter(state="done").count() == 2
    found = Finding.objects.get(closed_at__isnull=True)
    assert (found.code, found.subject, found.severity) == ("toy_broken", "parcel:1", "error")
    assert (found.facts["error"], found.facts["reason"]) == ("ZeroDivisionError", breaks_at)
    assert broken.next_at is not None
    assert broken.next_at >= clock.now() + timedelta(minutes=2)

    is_mended = True
    now.set(broken.next_at)
    carry_out(script, recipe)
    assert (Effect.objects.get(key="1").state, open_codes(channel)) == ("done", set())


def test_what_is_wrong_with_more_than_one_effect_is_not_kept_to_it(script: int, channel: Channel) -> None:
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)

    def recipe(run: RunContext) -> None:
        for effect in effects.take(run, run.channel_id, "toy", 10):
            with effects.apart(run, effect):
                raise OperationalError("the database went away")

    run = carry_out(script, recipe)
    assert (run.status, run.not_before is not None, open_codes(channel)) == ("queued", True, set())


# The books


def test_sound_books_have_no_breach(script: int, channel: Channel) -> None:
    carry_out(script, lambda run: run.count(seen=1, created=1))
    make_flow(channel, "toy_pull", every=60, next_at=START)
    assert books.check_books() == []


@pytest.mark.parametrize(
    ("code", "breaking"),
    [
        ("run_unbalanced", "UPDATE engine_run SET created = created + 1"),
        ("run_ended_without_time", "UPDATE engine_run SET finished_at = NULL"),
        (
            "run_abandoned",
            "UPDATE engine_run SET status = 'running', finished_at = NULL, heartbeat_at = now() - interval '1 h'",
        ),
        ("cursor_astray", """UPDATE engine_flow SET cursor = '{"after": 99}'"""),
        ("effect_stuck", "UPDATE engine_effect SET state = 'called', called_at = now() - interval '1 day'"),
        ("effect_finished_without_time", "UPDATE engine_effect SET state = 'done'"),
        ("flow_never_due", "UPDATE engine_flow SET every = 60, next_at = NULL"),
        ("finding_closed_before_seen", "UPDATE engine_finding SET last_at = first_at - interval '1 s'"),
    ],
)
def test_each_broken_row_is_named(script: int, channel: Channel, code: str, breaking: str) -> None:
    def recipe(run: RunContext) -> None:
        with run.checkpoint({"after": 1}):
            run.count(seen=1, created=1)
            run.found("odd", "sale:1", Severity.INFO)

    carry_out(script, recipe)
    effects.want(channel.pk, "toy", "1", "parcel:1", {}, at=START)
    assert books.check_books() == []
    assert sql.execute(breaking) == 1
    assert [breach.code for breach in books.check_books()] == [code]
    assert books.check_books(most=0) == [], "as many of a kind as are asked for"


# Paging


@given(
    pages=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    crashes=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["before", "inside", "after"])), max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_pages_with_a_crash_anywhere_bring_each_item_once(pages: list[int], crashes: list[tuple[int, str]]) -> None:
    class Crash(BaseException):
        """The process is gone: nothing after it runs, and nobody settles the run."""

    channel = make_channel(f"paged-{Channel.objects.count()}")
    flow_id = make_flow(channel, "toy_script")
    left = list(crashes)

    def crash(page: int, where: str) -> None:
        if (page, where) in left:
            left.remove((page, where))
            raise Crash

    def recipe(run: RunContext) -> None:
        for page in range(run.cursor.get("page", 0), len(pages)):
            crash(page, "before")
            with run.checkpoint({"page": page + 1}):
                for item in range(pages[page]):
                    sql.execute(
                        "INSERT INTO toy_row (channel, external) VALUES (%s, %s)", [channel.pk, page * 10 + item]
                    )
                run.count(seen=pages[page], created=pages[page])
                crash(page, "inside")
            crash(page, "after")

    global _recipe
    _recipe = recipe
    run = runs.request(flow_id, Trigger.PERSON, ANNA, at=START)
    for _ in range(len(crashes) + 1):
        try:
            if runs.execute(run, "test") is not None:
                break
        except Crash:
            sql.execute("UPDATE engine_run SET heartbeat_at = now() - interval '10 s' WHERE id = %s", [run])
    row = Run.objects.get(pk=run)
    assert (row.status, row.outcome, row.seen) == (RunStatus.DONE, Outcome.GOOD, sum(pages))
    assert sql.value("SELECT count(*) FROM toy_row WHERE channel = %s", [channel.pk]) == sum(pages)
    assert Flow.objects.get(pk=flow_id).cursor == {"page": len(pages)}


def test_stopping_is_not_an_error(script: int) -> None:
    assert carry_out(script, fail_with(Stopped("asked", cancelled=True))).status == RunStatus.CANCELLED

"""What is old goes, what the books need stays: a played shop forgets everything it may and still adds up."""

from __future__ import annotations

from datetime import timedelta

from shop_world import World

from comptoir.engine import findings, forgetting, runs
from comptoir.engine.models import Effect, Finding, Flow, PlanRow, Run, Severity, Trigger
from comptoir.flows import house
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.staging import forgetting as staged
from comptoir.staging.models import StagedSale


def forget(world: World) -> Run:
    flow = Flow.objects.get(kind="forget_old")
    run = runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=world.at)
    runs.execute(run, "test")
    return Run.objects.get(pk=run)


def test_after_a_year_the_books_are_still_in_order(live: World) -> None:
    live.preview("push_stock")
    sql.execute("UPDATE offers_offer SET told = NULL, is_waiting = true")
    live.preview("push_stock")
    for _ in range(3):
        live.pass_time(minutes=10)
        live.run("pull_sales")
        live.run("update_orders")
    effects = Effect.objects.count()
    sales = dict(StagedSale.objects.values_list("id", "fingerprint"))
    standing = {flow.pk: flow.cursor for flow in Flow.objects.all()}
    lines = PlanRow.objects.count()
    assert lines > 0
    assert StagedSale.objects.exclude(raw="").exists()
    before = Run.objects.count()

    live.pass_time(days=365)
    done = forget(live)
    assert (done.status, done.outcome) == ("done", "good"), done.error
    assert Run.objects.count() < before
    assert house.check_all() == {part: [] for part in house.BOOKS}
    assert Effect.objects.count() == effects
    assert dict(StagedSale.objects.values_list("id", "fingerprint")) == sales
    assert not StagedSale.objects.filter(state="accepted").exclude(raw="").exists()
    assert {flow.pk: flow.cursor for flow in Flow.objects.exclude(kind="forget_old")}.items() <= standing.items()
    for flow in Flow.objects.exclude(cursor={}):
        assert Run.objects.filter(flow=flow, is_preview=False).exclude(cursor_after={}).exists(), flow.kind
    # Who forgot everything forgets nothing the next time, and the shop goes on where it stood.
    assert forget(live).changed == 0
    created = Run.objects.get(pk=live.run("pull_sales")).created
    assert created == 0
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_what_is_young_open_or_waiting_stays(live: World) -> None:
    first = live.run("pull_sales")
    live.run("pull_sales")
    findings.report([findings.Report(live.channel.pk, "a", "x:1", Severity.ERROR)], at=live.at, run=first)
    live.pass_time(days=89)
    kept = Run.objects.filter(is_preview=False).count()
    raw = StagedSale.objects.exclude(raw="").count()
    forget(live)
    assert Run.objects.filter(is_preview=False).count() == kept + 1
    assert StagedSale.objects.exclude(raw="").count() == raw
    live.pass_time(days=300)
    forget(live)
    assert not Run.objects.filter(pk=first).exists()
    assert Finding.objects.get(code="a").run is None, "an open finding outlives the run that made it"
    assert not StagedSale.objects.filter(state__in=["ready", "repair", "retry"], raw="").exists()


def test_closed_findings_go_but_not_what_a_person_said_for_good(live: World) -> None:
    at = live.at
    findings.report(
        [findings.Report(live.channel.pk, code, "order:1", Severity.ERROR) for code in ("order_gone_there", "x", "y")],
        at=at,
    )
    findings.close(live.channel.pk, ["order:1"], ["order_gone_there", "x"], at=at)
    Finding.objects.filter(code="order_gone_there").update(closed_by="Ann")
    live.pass_time(days=181)
    forget(live)
    assert set(Finding.objects.filter(subject="order:1").values_list("code", flat=True)) == {"order_gone_there", "y"}


def test_small_steps_come_to_the_same_end(live: World) -> None:
    for _ in range(5):
        live.run("update_orders")
    later = live.at + timedelta(days=400)
    after, steps, gone = 0, 0, 0
    while after or not steps:
        after, number = forgetting.old_runs(after, runs_before=later, previews_before=later, limit=3)
        steps, gone = steps + 1, gone + number
    assert (steps > 3, gone > 0) == (True, True)
    assert forgetting.old_runs(0, runs_before=later, previews_before=later) == (0, 0)
    after, steps = 0, 0
    while after or not steps:
        after, _ = staged.raw_answers(after, before=later, limit=2)
        steps += 1
    assert steps > 1
    assert staged.raw_answers(0, before=later) == (0, 0)
    assert house.check_all() == {part: [] for part in house.BOOKS}

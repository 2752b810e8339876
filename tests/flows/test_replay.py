"""An old run gone through again with today's code: an empty difference while the code is the same, exact lines where it is
not, and nothing written anywhere."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import transaction
from shop_world import World

from comptoir.channels.models import Channel
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop import mapping
from comptoir.connectors.prestashop.simulator import Line
from comptoir.engine import forgetting, inputs, runs
from comptoir.engine.models import Finding, Input, Outcome, PlanRow, Run, RunStatus
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import Conflict
from comptoir.offers.models import Offer

#: What a replay may write: itself and its difference, and what wakes a worker.
ITS_OWN = ("engine_run", "engine_planrow", "procrastinate_", "channels_pace")


def everything() -> dict[str, str]:
    """A sum of every row of every table, but of those that a replay may write."""
    tables = [row[0] for row in sql.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {
        table: sql.value(
            f"SELECT md5(coalesce(string_agg(md5(t::text), ',' ORDER BY md5(t::text)), '')) FROM {table} t"
        )
        for table in tables
        if not table.startswith(ITS_OWN)
    }


def replay(world: World, run: int) -> Run:
    made = runs.request_replay(run, SYSTEM, at=world.at)
    assert runs.execute(made, "test") == RunStatus.DONE, Run.objects.get(pk=made).error
    return Run.objects.get(pk=made)


def difference(run: Run) -> list[tuple[str, str, str, str | None, str | None]]:
    return list(PlanRow.objects.filter(run=run).order_by("id").values_list("kind", "subject", "field", "old", "new"))


@contextmanager
def newer_code(**changed: Any) -> Iterator[None]:
    """A release of the connector that makes something else of a sale."""
    before = mapping.sale

    def sale(*args: Any, **kwargs: Any) -> Any:
        return msgspec.structs.replace(before(*args, **kwargs), **changed)

    mapping.sale = sale
    try:
        yield
    finally:
        mapping.sale = before


@pytest.mark.parametrize(
    "kind", ["pull_products", "pull_stock_once", "pull_sales", "update_products", "update_orders", "pull_suppliers"]
)
def test_the_same_code_makes_the_same_of_the_same_answers_and_calls_nobody(world: World, kind: str) -> None:
    if kind != "pull_products":
        world.run("pull_products")
    if kind == "update_orders":
        world.run("pull_stock_once")
    run = Run.objects.get(pk=world.run(kind))
    assert run.status == RunStatus.DONE
    heard, made = inputs.read(run.pk)
    assert len(heard) == run.calls["read"] > 0
    assert made
    before = everything()
    cursors = list(Channel.objects.values_list("flows__cursor", flat=True))
    answer, asked = world.shop.answer, []
    world.shop.answer = lambda *given: asked.append(given) or answer(*given)  # type: ignore[method-assign, func-returns-value]
    again = replay(world, run.pk)
    assert difference(again) == []
    assert (again.outcome, again.seen, again.unchanged) == (Outcome.GOOD, again.seen, again.seen)
    assert again.seen > 0
    assert again.calls == {}
    assert everything() == before
    assert list(Channel.objects.values_list("flows__cursor", flat=True)) == cursors
    assert asked == []


def test_newer_code_shows_where_it_differs_and_for_which_sales(stocked: World) -> None:
    stocked.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")
    stocked.pass_time(minutes=40)
    run = stocked.run("pull_sales")
    sales = {row for (row,) in sql.rows("SELECT external_id FROM staging_stagedsale")}
    with newer_code(total=Decimal("1.23"), note="Ring twice at Jane's"):
        again = replay(stocked, run)
    lines = difference(again)
    assert {line[2] for line in lines} == {"total", "note"}
    assert {line[1].removeprefix("sale:") for line in lines} <= sales
    assert {line[4] for line in lines if line[2] == "total"} == {"1.23"}
    assert not [line for line in lines if "Jane" in str(line)], "what is about a person is masked"
    assert again.changed == len({line[1] for line in lines}) == again.seen
    assert again.planned == {"sale/total": again.changed, "sale/note": again.changed}
    assert not Finding.objects.filter(run=again).exists()
    # The shop has moved on, and the replay has not: it goes by what was heard then.
    stocked.shop.state.place_order([Line(20, quantity=3)], state="PS_OS_PAYMENT")
    assert difference(replay(stocked, run)) == []


def test_what_was_sent_is_compared_with_what_would_be_sent(live: World) -> None:
    warehouse = inventory.default_warehouse().pk
    offers = list(Offer.objects.filter(point__channel=live.channel, is_active=True).order_by("id")[:5])
    ready = Order.objects.filter(channel=live.channel.pk, status=Status.PROCESSING, is_blocked=False).first()
    assert ready is not None
    with transaction.atomic():
        facts = [Fact(offer.variant_id, warehouse, Decimal(3), "adjustment", f"r:{offer.pk}") for offer in offers]
        inventory.book(facts, at=live.at, actor=SYSTEM)
        shipments.ship(ready.pk, key="replayed", carrier=ready.carrier, tracking="JD77", at=live.at, actor=SYSTEM)
    levels, parcels = live.run("push_stock"), live.run("push_tracking")
    for run in (levels, parcels):
        assert Run.objects.get(pk=run).calls["write"] > 0
        assert difference(replay(live, run)) == []
    heard, made = inputs.read(levels)
    assert sum(len(one.args[0]) for one in made if one.method == "set_levels") == len(offers)
    # Of a newer release that would send another figure, each call shows both.
    content = msgspec.msgpack.encode([msgspec.structs.replace(one, args=_plus_one(one.args)) for one in made])
    sql.execute(
        "UPDATE engine_input SET content = %s WHERE run_id = %s AND kind = 'made'", [zlib.compress(content), levels]
    )
    lines = difference(replay(live, levels))
    sent = [line for line in lines if line[2] == "sent"]
    assert len(sent) == sum(one.writes for one in heard)
    assert all(line[3] != line[4] for line in sent)


def _plus_one(args: list[Any]) -> list[Any]:
    return [[{**level, "level": str(Decimal(level["level"]) + 1)} for level in args[0]]]


def test_a_broken_answer_is_kept_and_breaks_in_the_same_way(stocked: World) -> None:
    stocked.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")
    answer = stocked.shop.answer
    stocked.shop.answer = lambda asked, fault: answer(asked, "not_xml")  # type: ignore[method-assign]
    stocked.pass_time(minutes=40)
    run = Run.objects.get(pk=stocked.run("pull_sales"))
    stocked.shop.answer = answer  # type: ignore[method-assign]
    heard, made = inputs.read(run.pk)
    assert heard[-1].answer is not None
    assert [one.problem for one in made][-1:] == ([run.error["code"]] if run.error else [""])
    assert difference(replay(stocked, run.pk)) == []


def test_only_what_is_over_and_kept_can_be_replayed(stocked: World) -> None:
    run = stocked.run("pull_products")
    preview = stocked.preview("push_stock")
    with pytest.raises(Conflict, match="cannot be replayed"):
        runs.request_replay(preview, SYSTEM, at=stocked.at)
    with pytest.raises(Conflict, match="not there"):
        runs.request_replay(0, SYSTEM, at=stocked.at)
    Input.objects.all().delete()
    with pytest.raises(Conflict, match="nothing is kept"):
        runs.request_replay(run, SYSTEM, at=stocked.at)


def test_inputs_are_forgotten_by_age_by_number_and_by_size(stocked: World) -> None:
    ours = [stocked.run("pull_products") for _ in range(4)]
    size = max(sum(one.size for one in Input.objects.filter(run=run)) for run in ours)
    early = stocked.at - timedelta(days=1)

    def kept() -> list[int]:
        return sorted(set(Input.objects.filter(run__in=ours).values_list("run", flat=True)))

    assert kept() == ours
    forgetting.inputs(before=early, most_runs=3, most_bytes=2**40)
    assert kept() == ours[1:]
    forgetting.inputs(before=early, most_runs=100, most_bytes=2 * size)
    assert kept() == ours[-2:]
    forgetting.inputs(before=stocked.at + timedelta(days=1), most_runs=100, most_bytes=2**40)
    assert kept() == []
    assert Run.objects.filter(pk__in=ours).count() == len(ours)


def test_answers_over_the_limit_of_a_run_are_left_out_and_the_replay_says_so(world: World) -> None:
    keeper = inputs.Keeper(kept=2**40)
    run = world.run("pull_products")
    heard, _made = inputs.read(run)
    for one in heard:
        keeper.heard(one)
    Input.objects.filter(run=run, kind="heard").delete()
    with transaction.atomic():
        keeper.write(run)
    assert {one.is_cut for one in inputs.read(run)[0]} == {True}
    assert inputs.read(run)[0][0].url == heard[0].url
    [left_out] = [line for line in difference(replay(world, run)) if line[2] == "left_out"]
    assert left_out[3] == str(len(heard))


def test_no_secret_is_kept(world: World) -> None:
    world.run("pull_products")
    for one in Input.objects.all():
        assert world.shop.key.encode() not in zlib.decompress(bytes(one.content))

"""One shop in step, from its products to the parcel's number, and nothing written before a person said so."""

from __future__ import annotations

from shop_world import World

from comptoir.engine.models import Finding, Flow, Run
from comptoir.flows import house


def test_the_whole_round(world: World) -> None:
    for kind in ("pull_products", "pull_stock_once"):
        run = Run.objects.get(pk=world.run(kind))
        assert (run.status, run.outcome) != ("failed", ""), run.error
    world.drain()
    print(list(Finding.objects.values_list("code", "subject", "severity", "facts")))
    print([(r.flow.kind, r.status, r.outcome, r.seen, r.error) for r in Run.objects.select_related("flow")])
    print(Flow.objects.count())
    assert house.check_all() == {part: [] for part in house.BOOKS}

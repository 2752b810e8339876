"""What a run says it has seen is what was on the wire: the ids that the shop itself says it served, untidy rows included."""

from __future__ import annotations

import pytest
from shop_world import World

from comptoir.connectors.prestashop.simulator import Line
from comptoir.engine.models import Run

# What a run reads and counts; a stock check looks at what changed among sales first.
RESOURCES = {
    "pull_products": ("products",),
    "update_products": ("products",),
    "pull_sales": ("orders",),
    "update_orders": ("orders",),
    "retry_sales": ("orders",),
    "check_stock": ("stock_availables", "orders"),
}


def seen_and_served(world: World, kind: str) -> tuple[Run, set[tuple[str, int]]]:
    """Run a flow; what it says, and the ids that the shop served meanwhile."""
    since = world.shop.counters.as_dict()["last_served"]
    run = Run.objects.get(pk=world.run(kind))
    assert run.status == "done", run.error
    return run, {(name, one) for name in RESOURCES[kind] for one in world.shop.counters.served_ids(name, since)}


def balance(run: Run) -> int:
    return run.created + run.changed + run.unchanged + run.skipped + run.parked + run.failed


@pytest.mark.parametrize("kind", ["pull_products", "pull_sales"])
def test_a_first_import_has_seen_every_id_that_was_served(world: World, kind: str) -> None:
    if kind == "pull_sales":
        world.run("pull_products")
    run, served = seen_and_served(world, kind)
    assert run.seen == balance(run) == len(served) > 0
    everything = {(name, row["id"]) for name in RESOURCES[kind] for row in world.shop.state.dump()[name]}
    assert served == everything


@pytest.mark.parametrize("kind", ["update_products", "update_orders", "retry_sales", "check_stock"])
def test_a_later_look_has_seen_every_id_that_was_served(stocked: World, kind: str) -> None:
    stocked.pass_time(hours=2)
    run, served = seen_and_served(stocked, kind)
    assert run.seen == balance(run) == len(served) > 0


def test_rows_that_cannot_be_read_were_seen_too(world: World) -> None:
    store = world.shop.state.store
    store.execute("UPDATE products SET price = 'a lot' WHERE id = 5")
    run, served = seen_and_served(world, "pull_products")
    assert ("products", 5) in served
    assert (run.seen, run.failed, run.outcome) == (len(served), 1, "partial")
    orders = [world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT") for _ in range(2)]
    store.execute("UPDATE orders SET total_paid_tax_incl = 'nothing' WHERE id = ?", [orders[0]])
    run, served = seen_and_served(world, "pull_sales")
    assert {("orders", one) for one in orders} <= served
    assert (run.seen, run.failed) == (len(served), 1)


def test_figures_that_differ_are_read_again_and_seen_once(live: World) -> None:
    live.shop.state.set_stock(1, 3)
    live.shop.state.set_stock(2, 3)
    run, served = seen_and_served(live, "check_stock")
    assert (run.seen, run.failed) == (len(served), 2)

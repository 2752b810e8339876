"""What a preview says is what is then sent: row by row, in a world that has not changed meanwhile."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_world import World, connect

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine.models import Effect, PlanRow, Run
from comptoir.flows import levels
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions
from comptoir.offers.models import Offer

Sent = tuple[str, dict[str, str]]  # resource, the fields of one object


@pytest.fixture(params=["8.2", "1.7"])
def seen(
    request: pytest.FixtureRequest,
    db: None,
    doors: dict[str, PrestaShopSimulator],
    manual_clock: clock.ManualClock,
) -> tuple[World, list[Sent]]:
    """A shop in production, and every object that was sent to it."""
    shop = PrestaShopSimulator(version=request.param, world="demo", timezone="Europe/London")
    sent: list[Sent] = []
    answer = shop.answer

    def remembering(asked: Any, fault: str) -> Any:
        if asked.method in ("POST", "PUT", "PATCH"):
            sent.extend(
                (asked.path.split("/")[2], {field.tag: (field.text or "").strip() for field in entity})
                for entity in fromstring(asked.body)
            )
        return answer(asked, fault)

    shop.answer = remembering  # type: ignore[method-assign]
    doors["shop.test"] = shop
    world = connect(shop, manual_clock)
    for kind in ("pull_products", "pull_stock_once"):
        world.run(kind)
    world.go_live()
    world.drain()
    sent.clear()
    return world, sent


def listing_of(world: World, row: str) -> str:
    [found] = [one for one in world.shop.state.dump()["stock"] if str(one["id"]) == row]
    return f"{found['id_product']}-{found['id_product_attribute']}"


def planned(run: int) -> Iterable[tuple[Any, ...]]:
    return PlanRow.objects.filter(run_id=run).values_list("kind", "subject", "field", "old", "new", "facts")


def test_levels_that_are_sent_are_the_levels_of_the_preview(seen: tuple[World, list[Sent]]) -> None:
    world, sent = seen
    offers = list(Offer.objects.filter(point__channel=world.channel, is_active=True).order_by("id"))
    warehouse = inventory.default_warehouse().pk
    with transaction.atomic():
        inventory.book(
            [
                Fact(offer.variant_id, warehouse, Decimal(number), "adjustment", f"proof:{number}")
                for number, offer in enumerate(offers[:7], 1)
            ],
            at=world.at,
            actor=SYSTEM,
        )
    # A sale moved the figure there: what we told is not believed, and is told once more.
    world.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")
    world.shop.state.add_product("Vase", reference="VASE", price="9.00", quantity=4)  # an offer whose row is not known
    world.pass_time(minutes=40)
    world.run("pull_products")
    world.run("pull_sales")
    assert sent == []
    rows = list(planned(world.preview("push_stock")))
    assert sent == []
    expected = Counter((row[5]["listing"], row[4]) for row in rows)
    assert len(expected) >= 9
    assert {row[3] for row in rows} > {None}

    world.run("push_stock")
    assert {resource for resource, _ in sent} == {"stock_availables"}
    assert Counter((listing_of(world, one["id"]), one["quantity"]) for _, one in sent) == expected
    assert list(planned(world.preview("push_stock"))) == []


def test_parcels_and_cancellations_that_are_told_are_those_of_the_preview(seen: tuple[World, list[Sent]]) -> None:
    world, sent = seen
    ready = Order.objects.filter(channel=world.channel.pk, status=Status.PROCESSING, is_blocked=False).order_by("pk")
    with transaction.atomic():
        parcels = {
            order.external_id: shipments.ship(
                order.pk,
                key=f"proof:{order.pk}",
                carrier=order.carrier,
                tracking=f"JD{order.pk}",
                at=world.at,
                actor=SYSTEM,
            )
            for order in ready[:2]
        }
    assert len(parcels) == 2
    rows = list(planned(world.preview("push_tracking")))
    assert sent == []
    numbers = {f"shipment:{parcel.pk}": sale for sale, parcel in parcels.items()}
    expected = Counter((numbers[row[1]], row[4]) for row in rows)
    assert len(expected) == 2

    world.run("push_tracking")
    owners = {str(row["id"]): str(row["id_order"]) for row in world.shop.state.dump()["order_carriers"]}
    told = Counter((owners[one["id"]], one["tracking_number"]) for name, one in sent if name == "order_carriers")
    assert told == expected
    states = Counter(one["id_order"] for name, one in sent if name == "order_histories")
    assert set(states.values()) <= {1}
    assert set(states) <= set(parcels)
    assert list(planned(world.preview("push_tracking"))) == []

    sent.clear()
    gone = ready.exclude(external_id__in=parcels).latest("pk")
    with transaction.atomic():
        orders.cancel(gone.pk, reason="proof", at=world.at, actor=SYSTEM)
    rows = list(planned(world.preview("push_cancellations")))
    assert [(row[1], row[4]) for row in rows] == [(f"order:{gone.pk}", "cancelled")]
    assert sent == []
    world.run("push_cancellations")
    assert [(name, one["id_order"]) for name, one in sent] == [("order_histories", gone.external_id)]


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 24), st.sampled_from(["book", "lose", "sell", "forget", "refuse", "tell"]), st.integers(1, 9)
    ),
    max_size=14,
)


def apply(world: World, changes: list[tuple[int, str, int]], round_: int) -> None:
    """What may happen to stock and offers between two pushes."""
    offers = list(Offer.objects.filter(point__channel=world.channel, is_active=True).order_by("id"))
    warehouse = inventory.default_warehouse().pk
    for n, (place, what, number) in enumerate(changes):
        offer = offers[place % len(offers)]
        reference = f"property:{round_}:{n}"
        with transaction.atomic():
            match what:
                case "book":
                    fact = Fact(offer.variant_id, warehouse, Decimal(number), "adjustment", reference)
                    inventory.book([fact], at=world.at, actor=SYSTEM)
                case "lose":
                    fact = Fact(offer.variant_id, warehouse, Decimal(-number), "damage", reference)
                    inventory.book([fact], at=world.at, actor=SYSTEM)
                case "forget":
                    actions.forget_told(world.channel.pk, [offer.listing], at=world.at)
                case "refuse":
                    Offer.objects.filter(pk=offer.pk).update(
                        refusals=1, is_waiting=True, not_before=world.at + timedelta(minutes=number - 5)
                    )
                case "tell":  # told already, and waiting all the same
                    Offer.objects.filter(pk=offer.pk).update(is_waiting=True, waiting_since=world.at)
                case "sell":
                    world.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")


def test_whatever_happened_the_preview_is_what_the_run_sends(seen: tuple[World, list[Sent]]) -> None:
    world, sent = seen
    rounds = itertools.count()

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changes=CHANGES)
    def same(changes: list[tuple[int, str, int]]) -> None:
        apply(world, changes, next(rounds))
        sent.clear()
        preview = Run.objects.get(pk=world.preview("push_stock"))
        rows = list(planned(preview.pk))
        assert sent == []
        assert sum(preview.planned.values()) == len(rows)
        assert preview.seen == preview.changed + preview.unchanged + preview.parked
        world.run("push_stock")
        expected = Counter((row[5]["listing"], row[4]) for row in rows if row[0] == "level")
        assert Counter((listing_of(world, one["id"]), one["quantity"]) for _, one in sent) == expected

    same()


def test_levels_that_a_push_would_set_aside_are_shown_apart_and_are_not_sent(seen: tuple[World, list[Sent]]) -> None:
    world, sent = seen
    offers = list(Offer.objects.filter(point__channel=world.channel, is_active=True).order_by("id"))
    # Nothing explains these zeros: neither a movement nor a sale.
    variants = [offer.variant_id for offer in offers[:12]]
    sql.execute("UPDATE offers_sellingpoint SET buffer = 100000 WHERE channel_id = %s", [world.channel.pk])
    Offer.objects.filter(variant_id__in=variants).update(is_waiting=True, waiting_since=world.at)
    world.pass_time(minutes=10)
    Offer.objects.filter(pk=offers[0].pk).update(told=None)
    preview = Run.objects.get(pk=world.preview("push_stock"))
    rows = list(planned(preview.pk))
    held = {row[5]["listing"] for row in rows if row[0] == "held"}
    assert len(held) >= 10
    assert preview.parked == len(held)
    world.run("push_stock")
    told = {listing_of(world, one["id"]) for _, one in sent}
    assert told == {row[5]["listing"] for row in rows if row[0] == "level"}
    assert told & held == set()
    # A person lets them through: then they are what is sent, and a preview says so.
    levels.approve_suspicious(world.channel.pk)
    rows = list(planned(world.preview("push_stock")))
    assert {row[0] for row in rows} == {"level"}
    assert {row[5]["listing"] for row in rows} == held


def test_a_parcel_that_the_shop_has_already_is_not_planned_again(seen: tuple[World, list[Sent]]) -> None:
    world, sent = seen
    order = Order.objects.filter(channel=world.channel.pk, status=Status.PROCESSING, is_blocked=False).order_by("pk")[0]
    with transaction.atomic():
        shipments.ship(order.pk, key="lost", carrier=order.carrier, tracking="JD1", at=world.at, actor=SYSTEM)
    assert len(list(planned(world.preview("push_tracking")))) == 1
    world.run("push_tracking")
    # Its answer was lost, as far as we know: the run would ask before it repeats, and so does the preview.
    Effect.objects.filter(kind="tracking").update(state="called", finished_at=None, next_at=None)
    sent.clear()
    preview = Run.objects.get(pk=world.preview("push_tracking"))
    assert (preview.planned, preview.unchanged) == ({}, 1)
    world.run("push_tracking")
    assert sent == []

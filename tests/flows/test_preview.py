"""What a preview says is what is then sent: row by row, in a world that has not changed meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from django.db import transaction
from shop_world import World, connect

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine.models import PlanRow
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
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

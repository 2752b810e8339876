"""Staging: what waits for a person, how it is repaired, and that a repair is remembered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_world import World

from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Finding
from comptoir.flows import house
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput, Conflict
from comptoir.offers.models import Link, Mapping
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale


def stock_of(world: World) -> tuple[int, int]:
    """A product of the demo shop with some stock."""
    row = next(
        one for one in world.shop.state.dump()["stock"] if one["quantity"] > 10 and not one["id_product_attribute"]
    )
    return row["id_product"], 0


def staged(world: World, order: int) -> StagedSale:
    return StagedSale.objects.get(channel=world.channel, external_id=str(order))


def test_an_unknown_carrier_is_mapped_once_and_all_who_waited_go_on(live: World) -> None:
    product, attribute = stock_of(live)
    state = live.shop.state
    Mapping.objects.filter(channel=live.channel, kind="carrier").update(ours="")
    orders = [state.place_order([(product, attribute, 1)]) for _ in range(7)]
    live.pass_time(minutes=5)
    live.drain()
    assert {staged(live, one).state for one in orders} == {"repair"}
    found = Finding.objects.filter(code="unknown_carrier", closed_at__isnull=True)
    assert found.count() == 7
    carrier = found[0].facts["carrier"]
    result = staging.map_carrier(live.channel, carrier, "dpd", actor=SYSTEM, at=live.at)
    assert result.changed == 7
    live.drain("accept_sales")
    assert {staged(live, one).state for one in orders} == {"accepted"}
    assert set(Order.objects.filter(external_id__in=map(str, orders)).values_list("carrier", flat=True)) == {"dpd"}
    later = state.place_order([(product, attribute, 1)])
    live.pass_time(minutes=5)
    live.drain()
    assert staged(live, later).state == "accepted"
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_a_line_that_nobody_knows_is_mapped_and_remembered(live: World) -> None:
    product, attribute = stock_of(live)
    Link.objects.filter(channel=live.channel, external_id=f"{product}-0").delete()
    variant = Variant.objects.get(sku=live.shop.state.dump()["products"][product - 1]["reference"])
    Variant.objects.filter(pk=variant.pk).update(sku="RENAMED")
    variant.barcodes.all().delete()
    order = live.shop.state.place_order([(product, attribute, 1)])
    live.pass_time(minutes=5)
    live.drain("pull_sales", "accept_sales")
    row = staged(live, order)
    assert [one["code"] for one in row.anomalies] == ["unknown_sku"]
    with pytest.raises(BadInput):
        staging.map_line(row.pk, "no such line", variant.pk, actor=SYSTEM, at=live.at)
    staging.map_line(row.pk, row.anomalies[0]["line"], variant.pk, actor=SYSTEM, at=live.at)
    live.drain("accept_sales")
    assert staged(live, order).state == "accepted"
    assert Link.objects.get(channel=live.channel, external_id=f"{product}-0").variant_id == variant.pk


def test_a_total_that_nothing_explains_waits_and_a_person_may_take_it(live: World) -> None:
    product, attribute = stock_of(live)
    order = live.shop.state.place_order([(product, attribute, 2)])
    live.shop.state.store.execute(
        "UPDATE orders SET total_paid_tax_incl = total_paid_tax_incl + 1, total_paid = total_paid + 1 WHERE id = ?",
        (order,),
    )
    live.pass_time(minutes=5)
    live.drain()
    row = staged(live, order)
    assert [one["code"] for one in row.anomalies] == ["total_differs"]
    staging.accept_total(row.pk, actor=SYSTEM, at=live.at)
    live.drain("accept_sales")
    placed = Order.objects.get(external_id=str(order))
    assert placed.charges.get(kind="rounding").amount == Decimal(1)
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_a_status_of_the_merchants_own_waits_until_it_is_mapped(live: World) -> None:
    product, attribute = stock_of(live)
    order = live.shop.state.place_order([(product, attribute, 1)])
    live.pass_time(minutes=5)
    status = live.shop.state.dump()["orders"][order - 1]["current_state"]
    staging.map_status(live.channel, str(status), "hold", actor=SYSTEM, at=live.at)
    live.drain()
    assert Order.objects.get(external_id=str(order)).status == "on_hold"
    with pytest.raises(BadInput, match="no such import rule"):
        staging.map_status(live.channel, str(status), "maybe", actor=SYSTEM, at=live.at)


def test_a_channel_that_waits_for_a_person_accepts_what_is_approved(live: World) -> None:
    live.channel.accepts_by_itself = False
    live.channel.save()
    product, attribute = stock_of(live)
    first, second = (live.shop.state.place_order([(product, attribute, 1)]) for _ in range(2))
    live.pass_time(minutes=5)
    live.drain()
    assert {staged(live, first).state, staged(live, second).state} == {"ready"}
    assert staging.approve([staged(live, first).pk], actor=SYSTEM, at=live.at) == 1
    live.drain("accept_sales")
    assert (staged(live, first).state, staged(live, second).state) == ("accepted", "ready")
    assert Order.objects.filter(external_id__in=[str(first), str(second)]).count() == 1


def test_a_rejected_sale_frees_its_units_and_stays_out(live: World) -> None:
    live.channel.accepts_by_itself = False
    live.channel.save()
    product, attribute = stock_of(live)
    order = live.shop.state.place_order([(product, attribute, 1)])
    live.pass_time(minutes=5)
    live.drain()
    row = staged(live, order)
    with pytest.raises(BadInput, match="say why"):
        staging.reject([row.pk], " ", actor=SYSTEM, at=live.at)
    staging.reject([row.pk], "a test", actor=SYSTEM, at=live.at)
    live.run("update_orders")
    live.pass_time(minutes=5)
    live.drain()
    assert staged(live, order).state == "rejected"
    assert not Order.objects.filter(external_id=str(order)).exists()
    assert house.check_all() == {part: [] for part in house.BOOKS}


def test_a_sale_that_was_approved_then_rejected_is_asked_about_again_when_it_changes(live: World) -> None:
    live.channel.accepts_by_itself = False
    live.channel.save()
    product, attribute = stock_of(live)
    order = live.shop.state.place_order([(product, attribute, 1)], state="PS_OS_BANKWIRE")
    live.pass_time(minutes=5)
    live.drain()
    row = staged(live, order)
    assert row.state == "retry"
    staging.approve([row.pk], actor=SYSTEM, at=live.at)
    staging.reject([row.pk], "a test", actor=SYSTEM, at=live.at)
    live.shop.state.pay(order)
    live.pass_time(minutes=5)
    live.drain()
    assert (staged(live, order).state, staged(live, order).order) == ("ready", None)


def test_what_is_an_order_cannot_be_rejected(live: World) -> None:
    row = StagedSale.objects.filter(state="accepted").first()
    assert row is not None
    with pytest.raises(Conflict):
        staging.reject([row.pk], "too late", actor=SYSTEM, at=live.at)


def test_a_sale_seen_again_and_again_is_one_order(live: World) -> None:
    before = Order.objects.count(), StagedSale.objects.count()
    for _ in range(3):
        live.run("update_orders")
        live.run("pull_sales")
    live.shop.state.change_state(1, "PS_OS_DELIVERED")
    live.pass_time(minutes=5)
    live.drain()
    assert (Order.objects.count(), StagedSale.objects.count()) == before


def test_a_doubled_sku_stays_unlinked_however_often_it_is_read(live: World) -> None:
    doubled = [one["id"] for one in live.shop.state.dump()["products"] if one["reference"] == "DUP-500"]
    assert len(doubled) == 2
    for _ in range(2):
        live.run("update_products")
        live.run("pull_products")
    linked = Link.objects.filter(channel=live.channel, kind="listing", external_id__in=[f"{one}-0" for one in doubled])
    assert linked.count() == 1
    assert Finding.objects.filter(code="duplicate_sku", closed_at__isnull=True).count() == 1


def test_a_combination_made_anew_is_the_same_variant(live: World) -> None:
    combination = next(one for one in live.shop.state.dump()["combinations"] if one["reference"])
    product, sku = combination["id_product"], combination["reference"]
    variant = Variant.objects.get(sku=sku).pk
    live.shop.state.delete_combination(combination["id"])
    made = live.shop.state.add_combination(product, reference=sku, quantity=3)
    live.run("update_products")
    assert Link.objects.get(channel=live.channel, external_id=f"{product}-{made}").variant_id == variant
    assert not Finding.objects.filter(code="duplicate_sku", subject=f"listing:{product}-{made}").exists()


def test_a_new_product_is_for_those_who_waited_for_it_and_nobody_else_is_looked_at(live: World) -> None:
    state = live.shop.state
    gone = state.add_product("Lantern", reference="LANTERN-1", price=Decimal(4), quantity=5)
    without_product = state.place_order([(gone, 0, 1)])
    state.delete_product(gone)
    product, attribute = stock_of(live)
    Mapping.objects.filter(channel=live.channel, kind="carrier").update(ours="")
    without_carrier = state.place_order([(product, attribute, 1)])
    live.pass_time(minutes=5)
    live.drain("pull_sales")
    before = {order: staged(live, order).looks for order in (without_product, without_carrier)}
    assert [one["code"] for one in staged(live, without_carrier).anomalies] == ["unknown_carrier"]

    state.add_product("Lantern", reference="LANTERN-1", price=Decimal(4), quantity=5)
    live.run("pull_products")
    assert [one["code"] for one in staged(live, without_product).anomalies] == ["unknown_carrier"]
    assert staged(live, without_product).looks == before[without_product] + 1
    assert staged(live, without_carrier).looks == before[without_carrier]
    assert Finding.objects.get(code="unknown_carrier", subject=f"sale:{without_carrier}").count == 1

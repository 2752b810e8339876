"""Parcels and cancellations told to the simulated shop: once, by the rows that it ships, from the source that holds them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn
from comptoir.channels.records import Fate, Parcel, ParcelLine
from comptoir.connectors.magento.simulator import Line


@pytest.fixture
def shop(magento: Any) -> Any:
    bench = magento(world="empty")
    bench.simulator.stock({"CUP": 50, "POT": 50})
    return bench


def rows(bench: Any, order: int) -> dict[str, int]:
    return {row["sku"]: row["item_id"] for row in bench.shop.order(order)["items"] if not row.get("parent_item_id")}


def part(bench: Any, order: int, tracking: str, **units: int) -> Parcel:
    known = rows(bench, order)
    lines = tuple(ParcelLine(line=str(known[sku]), quantity=Decimal(n)) for sku, n in units.items())
    return bench.a_parcel(str(order), tracking, lines=lines, completes=False, key=f"key-{tracking}")  # type: ignore[no-any-return]


def shipments(bench: Any) -> list[dict[str, Any]]:
    return list(bench.simulator.dump()["shipments"])


def test_a_parcel_ships_its_lines_with_its_number(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 3), ("POT", 1)])
    target = shop.open().tracking
    first = part(shop, order, "GB1", CUP=2)
    assert not target.is_confirmed(first)
    assert target.confirm(first).fate is Fate.DONE
    assert target.is_confirmed(first)
    assert (shop.shop.quantity("CUP"), shop.shop.salable("CUP")) == (48, 47)
    second = part(shop, order, "GB2", CUP=1, POT=1)
    assert not target.is_confirmed(second)
    assert target.confirm(second).fate is Fate.DONE
    assert shop.simulator.parcels(str(order)) == ["GB1", "GB2"]
    assert shop.shop.order(order)["state"] == "complete"


def test_an_order_of_two_out_of_five_leaves_the_source_at_three_and_as_many_on_sale(shop: Any) -> None:
    shop.simulator.stock({"CUP": 5})
    order = shop.shop.place_order([("CUP", 2)])
    assert (shop.shop.quantity("CUP"), shop.shop.salable("CUP")) == (5, 3)
    assert shop.open().tracking.confirm(shop.a_parcel(str(order))).fate is Fate.DONE
    assert (shop.shop.quantity("CUP"), shop.shop.salable("CUP")) == (3, 3)


def test_a_configurable_is_shipped_by_its_parent(shop: Any) -> None:
    shop.shop.add_configurable("Shirt", sku="SH", variants=[{"sku": "SH-S", "quantity": 9, "options": {"Size": "S"}}])
    order = shop.shop.place_order([Line("SH-S", 2)])
    assert shop.open().tracking.confirm(shop.a_parcel(str(order))).fate is Fate.DONE
    assert (shop.shop.quantity("SH-S"), shop.shop.order(order)["state"]) == (7, "complete")


@pytest.mark.parametrize("shipment_type", ["0", "1"])
def test_a_bundle_is_shipped_whole_or_by_its_parts_as_the_shop_wants(shop: Any, shipment_type: str) -> None:
    bundle = [{"links": [("CUP", 2)]}, {"links": [("POT", 1)]}]
    attributes = {"shipment_type": shipment_type}
    shop.shop.add_product("Box", sku="BOX", price="10", kind="bundle", bundle=bundle, attributes=attributes)
    order = shop.shop.place_order([Line("BOX", 3)])
    answer = shop.open().tracking.confirm(shop.a_parcel(str(order)))
    assert (answer.fate, answer.reason) == (Fate.DONE, "")
    assert (shop.shop.quantity("CUP"), shop.shop.quantity("POT")) == (44, 47)
    assert shop.shop.order(order)["state"] == "complete"


def test_part_of_a_bundle_that_ships_together_is_refused_with_words(shop: Any) -> None:
    bundle = [{"links": [("CUP", 2)]}, {"links": [("POT", 1)]}]
    shop.shop.add_product("Box", sku="BOX", price="10", kind="bundle", bundle=bundle)
    order = shop.shop.place_order([Line("BOX")])
    cup = next(row["item_id"] for row in shop.shop.order(order)["items"] if row["sku"] == "CUP")
    lines = (ParcelLine(line=str(cup), quantity=Decimal(2)),)
    answer = shop.open().tracking.confirm(shop.a_parcel(str(order), lines=lines, completes=False))
    assert answer.fate is Fate.REFUSED
    assert "together" in answer.reason
    assert not shipments(shop)
    pot = next(row["item_id"] for row in shop.shop.order(order)["items"] if row["sku"] == "POT")
    last = shop.a_parcel(str(order), "GB2", lines=(ParcelLine(line=str(pot), quantity=Decimal(1)),))
    assert shop.open().tracking.confirm(last).fate is Fate.DONE  # with the last of it the bundle has left
    assert shop.shop.order(order)["state"] == "complete"


def test_no_more_is_shipped_than_is_open_there(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 3), ("POT", 1)])
    shop.shop.ship_order(order, [{"order_item_id": rows(shop, order)["CUP"], "qty": 2}])
    target = shop.open().tracking
    assert target.confirm(part(shop, order, "GB1", CUP=3)).fate is Fate.DONE
    assert shop.shop.quantity("CUP") == 47
    answer = target.confirm(part(shop, order, "GB2", CUP=1))
    assert (answer.fate, "open" in answer.reason) == (Fate.REFUSED, True)


def test_goods_leave_the_source_that_the_order_belongs_to(shop: Any) -> None:
    shop.shop.add_source("annex", priority=0)
    shop.shop.set_quantity("CUP", 4, "annex")
    order = shop.shop.place_order([("CUP", 1)])
    assert shop.open().tracking.confirm(shop.a_parcel(str(order))).fate is Fate.DONE
    assert (shop.shop.quantity("CUP", "annex"), shop.shop.quantity("CUP")) == (3, 50)


@pytest.mark.parametrize("fault", ["time_out_after", "status_after", "truncated", "reset_before"])
def test_a_lost_answer_is_asked_about_and_never_doubles_the_parcel(shop: Any, fault: str) -> None:
    order = shop.shop.place_order([("CUP", 2)])
    parcel = shop.a_parcel(str(order))
    target = shop.open().tracking
    shop.simulator.faults.add(fault, "POST", "*/ship")
    if fault == "truncated":  # saved, and the answer is cut in the middle: a read of it fails
        assert target.confirm(parcel).fate is Fate.UNKNOWN
    else:
        assert target.confirm(parcel).fate is Fate.UNKNOWN
    assert target.is_confirmed(parcel) is (fault != "reset_before")
    if not target.is_confirmed(parcel):
        assert target.confirm(parcel).fate is Fate.DONE
    assert len(shipments(shop)) == 1


def test_a_parcel_without_a_number_is_known_again_by_its_mark(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)])
    target = shop.open().tracking
    parcel = shop.a_parcel(str(order), "", key="parcel-77")
    other = shop.a_parcel(str(order), "", key="parcel-78")
    assert target.confirm(parcel).fate is Fate.DONE
    assert target.is_confirmed(parcel)
    assert not target.is_confirmed(other)
    assert shop.simulator.parcels(str(order)) == []


def test_what_the_shop_shipped_itself_only_gets_our_number(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)])
    shop.shop.ship_order(order)
    target = shop.open().tracking
    parcel = shop.a_parcel(str(order), "GB9")
    assert target.confirm(parcel).fate is Fate.DONE
    assert target.confirm(parcel).fate is Fate.DONE
    assert (len(shipments(shop)), shop.simulator.parcels(str(order))) == (1, ["GB9"])
    assert shop.shop.quantity("CUP") == 48


@pytest.mark.parametrize("state", ["canceled", "closed", "holded", "payment_review"])
def test_what_cannot_leave_now_is_refused_with_the_reason(shop: Any, state: str) -> None:
    order = shop.shop.place_order([("CUP", 2)], state=state)
    answer = shop.open().tracking.confirm(shop.a_parcel(str(order)))
    assert (answer.fate, state in answer.reason) == (Fate.REFUSED, True)
    assert shop.writes_received() == 0


def test_the_shops_own_words_say_why_a_parcel_is_refused(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)])
    shop.shop.set_quantity("CUP", 1)
    answer = shop.open().tracking.confirm(shop.a_parcel(str(order)))
    assert (answer.fate, answer.reason) == (
        Fate.REFUSED,
        "Not all of your products are available in the requested quantity.",
    )


@pytest.mark.parametrize(("invoices", "state"), [("no", "processing"), ("yes", "complete")])
def test_an_order_that_nobody_invoiced_is_invoiced_first_where_that_is_wished(
    shop: Any, invoices: str, state: str
) -> None:
    order = shop.shop.place_order([("CUP", 2)], state="new", method="cashondelivery")
    target = shop.open(invoices=invoices).tracking
    assert target.confirm(shop.a_parcel(str(order))).fate is Fate.DONE
    assert shop.shop.order(order)["state"] == state
    assert len(shop.simulator.dump()["invoices"]) == (invoices == "yes")


def test_an_invoice_whose_answer_was_lost_is_not_made_twice(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)], state="new", method="cashondelivery")
    target = shop.open(invoices="yes").tracking
    shop.simulator.faults.add("time_out_after", "POST", "*/invoice")
    parcel = shop.a_parcel(str(order))
    assert target.confirm(parcel).fate is Fate.UNKNOWN
    assert not target.is_confirmed(parcel)
    assert target.confirm(parcel).fate is Fate.DONE
    assert len(shop.simulator.dump()["invoices"]) == 1


@pytest.mark.parametrize(("name", "code"), [("DHL", "dhl"), ("Royal Mail", "custom"), ("", "custom")])
def test_a_carrier_is_one_of_magentos_own_or_custom_with_a_title(shop: Any, name: str, code: str) -> None:
    order = shop.shop.place_order([("CUP", 1)])
    shop.open().tracking.confirm(shop.a_parcel(str(order), carrier="", carrier_name=name))
    found = shop.shop.store.rows("SELECT doc FROM shipments")[0]["doc"]
    assert f'"carrier_code": "{code}"' in found


def test_a_sale_that_is_not_there_is_refused(shop: Any) -> None:
    parcel = Parcel(
        sale="99", key="k", carrier="", carrier_name="", tracking="X", tracking_url="", lines=(), completes=True,
        shipped_at=shop.simulator.clock.now(),
    )  # fmt: skip
    target = shop.open().tracking
    assert target.confirm(parcel).fate is Fate.REFUSED
    assert not target.is_confirmed(parcel)
    assert shop.open().cancelling.cancel("CUP").fate is Fate.REFUSED


def test_cancelling_gives_the_units_back_once(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 2)], state="new"))
    target = shop.open().cancelling
    assert not target.is_cancelled(order)
    assert [target.cancel(order).fate for _ in range(2)] == [Fate.DONE, Fate.DONE]
    assert target.is_cancelled(order)
    assert (shop.shop.salable("CUP"), shop.writes_received()) == (50, 1)


@pytest.mark.parametrize("state", ["processing", "complete", "closed"])
def test_what_the_shop_does_not_cancel_is_refused_with_words(shop: Any, state: str) -> None:
    order = str(shop.shop.place_order([("CUP", 2)], state=state))
    answer = shop.open().cancelling.cancel(order)
    assert answer.fate is Fate.REFUSED
    assert state in answer.reason
    assert not shop.open().cancelling.is_cancelled(order)


def test_a_lost_cancellation_is_asked_about(shop: Any) -> None:
    order = str(shop.shop.place_order([("CUP", 2)], state="new"))
    target = shop.open().cancelling
    shop.simulator.faults.add("time_out_after", "POST", "*/cancel")
    assert target.cancel(order).fate is Fate.UNKNOWN
    assert target.is_cancelled(order)


def test_a_missing_right_to_ship_is_named(shop: Any) -> None:
    order = shop.shop.place_order([("CUP", 2)])
    shop.shop.set_rights(["Magento_Sales::ship"])
    with pytest.raises(NotLetIn) as caught:
        shop.open().tracking.confirm(shop.a_parcel(str(order)))
    assert caught.value.facts["right"] == "Magento_Sales::ship"

"""Parcels told in whichever way the shop knows them, orders completed with the last, and cancelled: each with effect once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import Missing, Unknown
from comptoir.channels.records import Fate, Parcel, ParcelLine

WAYS = {
    "fulfillments": "*/fulfillments",
    "shipment-tracking": "*/shipment-trackings",
    "ast": "*/shipment-trackings",
    "": "*/notes",
}


def a_shop(woo: Any, plugin: str) -> Any:
    bench = woo()
    if plugin:
        bench.shop.add_plugin(plugin)
    return bench


def status(bench: Any, sale: str) -> str:
    return str(bench.shop.store.get("order", int(sale))["status"])


def two_parcels(bench: Any) -> tuple[str, Parcel, Parcel]:
    """A sale of five that leaves in two parcels."""
    order = bench.shop.place_order([{"product": bench.product("CAN-010"), "quantity": 5}])
    (line,) = (str(one["id"]) for one in bench.shop.store.get("order", order)["doc"]["lines"])
    first, second = (
        bench.a_parcel(
            str(order),
            number,
            key=number,
            carrier_name="DHL",
            tracking_url=f"https://track.example/{number}",
            lines=(ParcelLine(line=line, quantity=Decimal(units)),),
            completes=completes,
            all_tracking=seen,
        )
        for number, units, completes, seen in (("JD1", 2, False, ("JD1",)), ("JD2", 3, True, ("JD1", "JD2")))
    )
    return str(order), first, second


@pytest.mark.parametrize("plugin", WAYS)
def test_each_parcel_is_told_and_the_order_is_complete_with_the_last(woo: Any, plugin: str) -> None:
    bench = a_shop(woo, plugin)
    sale, first, second = two_parcels(bench)
    tracking = bench.open().tracking
    assert not tracking.is_confirmed(first)
    assert tracking.confirm(first).fate is Fate.DONE
    assert tracking.is_confirmed(first)
    assert not tracking.is_confirmed(second)
    assert (bench.simulator.parcels(sale), status(bench, sale)) == (["JD1"], "processing")
    assert tracking.confirm(second).fate is Fate.DONE
    assert tracking.is_confirmed(second)
    assert (bench.simulator.parcels(sale), status(bench, sale)) == (["JD1", "JD2"], "completed")


@pytest.mark.parametrize("plugin", WAYS)
@pytest.mark.parametrize("fault", ["time_out_after", "reset_after", "status_after", "time_out_before"])
def test_a_lost_answer_is_unknown_and_what_was_done_is_not_done_twice(woo: Any, plugin: str, fault: str) -> None:
    bench = a_shop(woo, plugin)
    sale, _, parcel = two_parcels(bench)
    bench.simulator.faults.add(fault, method="POST", path=WAYS[plugin], status=504)
    tracking = bench.open().tracking
    assert tracking.confirm(parcel).fate is Fate.UNKNOWN
    assert not tracking.is_confirmed(parcel)  # it is not complete yet
    assert bench.open().tracking.confirm(parcel).fate is Fate.DONE
    assert tracking.is_confirmed(parcel)
    assert (bench.simulator.parcels(sale), status(bench, sale)) == (["JD2"], "completed")
    told = [one for one in bench.simulator.counters.log if one.method == "POST" and one.changes]
    assert len(told) == 1


def test_an_html_page_instead_of_an_answer_is_not_taken_for_done(woo: Any) -> None:
    bench = woo()
    sale, _, parcel = two_parcels(bench)
    bench.simulator.faults.add("html_page", method="POST")
    assert bench.open().tracking.confirm(parcel).fate is Fate.UNKNOWN
    bench.simulator.faults.add("html_page", method="PUT")
    assert bench.open().tracking.confirm(parcel).fate is Fate.UNKNOWN
    assert (bench.simulator.parcels(sale), status(bench, sale)) == (["JD2"], "processing")


def test_a_lost_answer_to_the_status_is_asked_about(woo: Any) -> None:
    bench = woo()
    sale, _, parcel = two_parcels(bench)
    bench.simulator.faults.add("time_out_after", method="PUT")
    assert bench.open().tracking.confirm(parcel).fate is Fate.DONE
    bench.shop.change_status(int(sale), "processing")
    bench.simulator.faults.add("time_out_before", method="PUT")
    assert bench.open().tracking.confirm(parcel).fate is Fate.UNKNOWN


def test_tracking_goes_before_the_status_so_that_the_mail_carries_it(woo: Any) -> None:
    bench = a_shop(woo, "shipment-tracking")
    _, _, parcel = two_parcels(bench)
    bench.open().tracking.confirm(parcel)
    assert [one.resource for one in bench.simulator.counters.log] == ["trackings", "orders"]


def test_a_carrier_that_the_plugin_knows_is_named_as_it_does_and_another_is_our_own(woo: Any) -> None:
    bench = a_shop(woo, "shipment-tracking")
    sale, first, second = two_parcels(bench)
    bench.open().tracking.confirm(first)
    other = Parcel(**{**{name: getattr(second, name) for name in Parcel.__struct_fields__}, "carrier_name": "Owl post"})
    bench.open().tracking.confirm(other)
    known, own = bench.shop.trackings(int(sale))
    assert (known["tracking_provider"], known["date_shipped"]) == ("DHL", "2026-03-01")
    assert (own["custom_tracking_provider"], own["custom_tracking_link"]) == ("Owl post", "https://track.example/JD2")


def test_a_fulfillment_holds_the_units_of_its_lines(woo: Any) -> None:
    bench = a_shop(woo, "fulfillments")
    sale, first, _ = two_parcels(bench)
    bench.open().tracking.confirm(first)
    (row,) = bench.shop.store.all("fulfillment", parent=int(sale))
    meta = {one["key"]: one["value"] for one in row["doc"]["meta_data"]}
    assert meta["_items"] == [{"item_id": int(first.lines[0].line), "qty": 2}]
    assert (meta["_tracking_number"], meta["_shipment_provider"]) == ("JD1", "DHL")


def test_a_parcel_without_a_number_completes_the_order_and_is_told_only_where_goods_are(woo: Any) -> None:
    for plugin in WAYS:
        bench = a_shop(woo, plugin)
        sale = bench.sell(1)[0]
        parcel = bench.a_parcel(sale, tracking="")
        tracking = bench.open().tracking
        assert tracking.confirm(parcel).fate is Fate.DONE
        assert tracking.confirm(parcel).fate is Fate.DONE
        assert tracking.is_confirmed(parcel)
        assert status(bench, sale) == "completed"
        assert len(bench.shop.store.all("fulfillment", parent=int(sale))) == (plugin == "fulfillments")


@pytest.mark.parametrize(
    ("choice", "resource"),
    [
        ("note", "notes"),
        ("shipment_tracking", "trackings"),
        ("advanced_shipment_tracking", "trackings"),
        ("fulfillments", "fulfillments"),
        ("auto", "fulfillments"),
    ],
)
def test_the_merchant_may_choose_the_way(woo: Any, choice: str, resource: str) -> None:
    bench = woo()
    for plugin in ("fulfillments", "shipment-tracking", "ast"):
        bench.shop.add_plugin(plugin)
    _, first, _ = two_parcels(bench)
    assert bench.open(tracking=choice).tracking.confirm(first).fate is Fate.DONE
    assert [one.resource for one in bench.simulator.counters.log] == [resource]


def test_a_way_that_was_chosen_and_is_not_there_is_refused(woo: Any) -> None:
    bench = woo()
    _, first, _ = two_parcels(bench)
    assert bench.open(tracking="shipment_tracking").tracking.confirm(first).fate is Fate.REFUSED


@pytest.mark.parametrize("mails", ["yes", "no"])
def test_the_customer_hears_of_it_where_the_merchant_wants_that(woo: Any, mails: str) -> None:
    bench = woo()
    sale, first, _ = two_parcels(bench)
    bench.open(mails=mails).tracking.confirm(first)
    (note,) = bench.shop.store.all("note", parent=int(sale))
    assert note["doc"]["customer_note"] is (mails == "yes")
    assert note["doc"]["note"] == "DHL: JD1 https://track.example/JD1"


@pytest.mark.parametrize("ended", ["cancelled", "refunded", "trash"])
def test_an_order_that_is_ended_takes_no_parcel(woo: Any, ended: str) -> None:
    bench = woo()
    sale, _, parcel = two_parcels(bench)
    if ended == "trash":
        bench.shop.trash_order(int(sale))
    else:
        bench.shop.change_status(int(sale), ended)
    answer = bench.open().tracking.confirm(parcel)
    assert answer.fate is Fate.REFUSED
    assert ended in answer.reason
    assert bench.writes_received() == 0


def test_an_order_that_is_gone_is_refused(woo: Any) -> None:
    bench = woo()
    _, _, parcel = two_parcels(bench)
    gone = Parcel(**{**{name: getattr(parcel, name) for name in Parcel.__struct_fields__}, "sale": "999999"})
    assert bench.open().tracking.confirm(gone).fate is Fate.REFUSED
    with pytest.raises(Missing):
        bench.open().tracking.is_confirmed(gone)


# -- cancelling ------------------------------------------------------------------------------------------------------------


def test_a_cancellation_gives_the_stock_back_once(woo: Any) -> None:
    bench = woo()
    before = bench.simulator.shelf()["CAN-010"]
    sale = bench.simulator.buy({"CAN-010": 5})
    cancelling = bench.open().cancelling
    assert not cancelling.is_cancelled(sale)
    for _ in range(2):
        assert cancelling.cancel(sale).fate is Fate.DONE
    assert cancelling.is_cancelled(sale)
    assert bench.simulator.shelf()["CAN-010"] == before
    assert bench.writes_received() == 1


@pytest.mark.parametrize("there", ["completed", "refunded"])
def test_what_has_left_or_been_refunded_is_not_cancelled(woo: Any, there: str) -> None:
    bench = woo()
    (sale,) = bench.sell(1)
    bench.shop.change_status(int(sale), there)
    assert bench.open().cancelling.cancel(sale).fate is Fate.REFUSED


def test_a_cancellation_whose_answer_is_lost_is_asked_about(woo: Any) -> None:
    bench = woo()
    first, second = bench.sell(2)
    bench.simulator.faults.add("reset_after", method="PUT")
    assert bench.open().cancelling.cancel(first).fate is Fate.DONE
    bench.simulator.faults.add("reset_before", method="PUT")
    assert bench.open().cancelling.cancel(second).fate is Fate.UNKNOWN


def test_unknown_is_no_answer_from_a_question(woo: Any) -> None:
    bench = woo()
    (sale,) = bench.sell(1)
    bench.simulator.faults.add("time_out_before", method="GET")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any fate but one
        bench.open().cancelling.is_cancelled(sale)
    assert not isinstance(caught.value, Unknown)

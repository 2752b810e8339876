"""Parcels and cancellations told to Shopify: by fulfilment order and location, once, whatever became of an answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from comptoir.channels.errors import Missing
from comptoir.channels.records import Fate, Parcel, ParcelLine, PriceToTell
from comptoir.connectors.shopify.simulator import Line


@pytest.fixture
def bench(shopify: Any) -> Any:
    return shopify("empty")


def thing(bench: Any, sku: str, quantity: Any = 100) -> int:
    product = bench.shop.add_product(f"Thing {sku}", [{"sku": sku, "price": "5.00", "quantity": quantity}])
    return int(bench.shop.store.get("product", product)["variants"][0])


def order_of(bench: Any, *units: int) -> tuple[str, list[str]]:
    order = bench.shop.place_order([Line(thing(bench, f"T-{n}"), count) for n, count in enumerate(units)])
    return str(order), [str(line["id"]) for line in bench.shop.store.get("order", order)["lines"]]


def parcel(bench: Any, sale: str, units: dict[str, int], tracking: str = "JD0140", **more: Any) -> Parcel:
    lines = tuple(ParcelLine(line=line, quantity=Decimal(count)) for line, count in units.items())
    return bench.a_parcel(sale, tracking, **{"lines": lines, **more})  # type: ignore[no-any-return]


def creations(bench: Any) -> int:
    return sum(1 for one in bench.simulator.counters.log if one.query == "fulfillmentCreate" and one.changes)


def test_a_parcel_with_everything_ships_the_order(bench: Any) -> None:
    sale, (first, second) = order_of(bench, 2, 1)
    told = parcel(bench, sale, {first: 2, second: 1}, tracking_url="https://track.test/JD0140")
    target = bench.open().tracking
    assert not target.is_confirmed(told)
    assert target.confirm(told).fate is Fate.DONE
    assert target.is_confirmed(told)
    assert bench.simulator.sold()[sale] == "shipped"
    (made,) = bench.shop.fulfillments(int(sale))
    assert made["tracking"] == {"company": "My carrier", "number": "JD0140", "url": "https://track.test/JD0140"}
    assert made["notified"]


def test_several_parcels_each_with_its_own_part(bench: Any) -> None:
    sale, (first, second) = order_of(bench, 3, 1)
    target = bench.open(mails="no").tracking
    one = parcel(bench, sale, {first: 2}, "AA1", completes=False)
    two = parcel(bench, sale, {first: 1, second: 1}, "BB2")
    assert target.confirm(one).fate is Fate.DONE
    assert bench.simulator.sold()[sale] == "paid"
    assert (target.is_confirmed(one), target.is_confirmed(two)) == (True, False)
    assert target.confirm(two).fate is Fate.DONE
    assert bench.simulator.parcels(sale) == ["AA1", "BB2"]
    assert bench.simulator.sold()[sale] == "shipped"
    assert not any(row["notified"] for row in bench.shop.fulfillments(int(sale)))


def test_the_same_parcel_told_twice_is_one(bench: Any) -> None:
    sale, (first,) = order_of(bench, 2)
    told = parcel(bench, sale, {first: 1}, completes=False)
    target = bench.open().tracking
    assert [target.confirm(told).fate for _ in range(2)] == [Fate.DONE, Fate.DONE]
    assert creations(bench) == 1


@pytest.mark.parametrize("fault", ["time_out_after", "reset_after", "status_after"])
def test_a_lost_answer_is_unknown_and_the_shop_is_asked(bench: Any, fault: str) -> None:
    sale, (first,) = order_of(bench, 2)
    told = parcel(bench, sale, {first: 2})
    target = bench.open().tracking
    target.is_confirmed(told)
    bench.simulator.faults.add(fault, status=502, skip=1)
    assert target.confirm(told).fate is Fate.UNKNOWN
    assert target.is_confirmed(told)
    bench.simulator.faults.clear()
    sale, (first,) = order_of(bench, 2)
    told = parcel(bench, sale, {first: 2}, "CC3")
    bench.simulator.faults.add("time_out_before", skip=1)
    assert target.confirm(told).fate is Fate.UNKNOWN
    assert not target.is_confirmed(told)


def test_a_parcel_from_two_locations_is_one_call_for_each_and_goes_on_after_a_crash(bench: Any) -> None:
    home, other = bench.shop.locations()[0]["id"], bench.shop.add_location("Hill Road")
    here, there = thing(bench, "A", {home: 5}), thing(bench, "B", {other: 5})
    order = bench.shop.place_order([Line(here), Line(there)])
    lines = [str(line["id"]) for line in bench.shop.store.get("order", order)["lines"]]
    told = parcel(bench, str(order), dict.fromkeys(lines, 1))
    target = bench.open().tracking
    target.is_confirmed(told)
    bench.simulator.faults.add("time_out_before", skip=2)  # the second creation
    assert target.confirm(told).fate is Fate.UNKNOWN
    assert creations(bench) == 1
    assert not target.is_confirmed(told)
    assert target.confirm(told).fate is Fate.DONE
    assert creations(bench) == 2
    assert target.is_confirmed(told)
    assert bench.simulator.parcels(str(order)) == ["JD0140", "JD0140"]


def test_a_parcel_without_a_number_is_known_by_what_it_holds(bench: Any) -> None:
    sale, (first, second) = order_of(bench, 1, 1)
    target = bench.open().tracking
    told = parcel(bench, sale, {first: 1}, "", completes=False)
    assert target.confirm(told).fate is Fate.DONE
    assert target.is_confirmed(told)
    assert not target.is_confirmed(parcel(bench, sale, {second: 1}, ""))


def test_a_parcel_that_names_no_lines_means_all_that_is_left(bench: Any) -> None:
    sale, _ = order_of(bench, 2, 1)
    told = parcel(bench, sale, {})
    target = bench.open().tracking
    assert target.confirm(told).fate is Fate.DONE
    assert target.is_confirmed(told)
    assert bench.simulator.sold()[sale] == "shipped"


def test_more_lines_than_a_page_holds_are_all_shipped(bench: Any) -> None:
    sale, lines = order_of(bench, *[1] * 130)
    told = parcel(bench, sale, dict.fromkeys(lines, 1))
    target = bench.open().tracking
    assert target.confirm(told).fate is Fate.DONE
    assert target.is_confirmed(told)
    assert bench.simulator.sold()[sale] == "shipped"


def test_why_the_shop_takes_no_parcel_is_said(bench: Any) -> None:
    target = bench.open().tracking
    held, (line,) = order_of(bench, 1)
    bench.shop.hold(int(held), "AWAITING_PAYMENT", "a cheque")
    answer = target.confirm(parcel(bench, held, {line: 1}))
    assert (answer.fate, "AWAITING_PAYMENT: a cheque" in answer.reason) == (Fate.REFUSED, True)
    gone, (line,) = order_of(bench, 1)
    bench.shop.cancel(int(gone))
    assert "cancelled" in target.confirm(parcel(bench, gone, {line: 1})).reason
    done, (line,) = order_of(bench, 1)
    bench.shop.ship_in_shop(int(done), "THEIRS")
    answer = target.confirm(parcel(bench, done, {line: 1}))
    assert (answer.fate, "left to ship" in answer.reason) == (Fate.REFUSED, True)
    for stranger in ("99", "x"):
        nobodys = msgspec.structs.replace(parcel(bench, done, {line: 1}), sale=stranger)
        assert target.confirm(nobodys).fate is Fate.REFUSED
        with pytest.raises(Missing):
            target.is_confirmed(nobodys)
    assert creations(bench) == 0


def test_a_shop_that_refuses_the_fulfilment_says_why(bench: Any) -> None:
    sale, (line,) = order_of(bench, 1)
    scopes = [one for one in bench.shop.settings["scopes"] if one != "write_merchant_managed_fulfillment_orders"]
    bench.shop.configure(scopes=scopes)
    with pytest.raises(Exception, match="write_merchant_managed_fulfillment_orders"):
        bench.open().tracking.confirm(parcel(bench, sale, {line: 1}))


# -- cancelling ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("refunds", "financial"), [("no", "PAID"), ("yes", "REFUNDED")])
def test_a_cancellation_puts_units_back_and_gives_money_back_where_asked(
    bench: Any, refunds: str, financial: str
) -> None:
    variant = thing(bench, "A", 10)
    order = bench.shop.place_order([Line(variant, 3)])
    target = bench.open(refunds=refunds).cancelling
    assert not target.is_cancelled(str(order))
    assert target.cancel(str(order)).fate is Fate.DONE
    assert target.is_cancelled(str(order))
    assert target.cancel(str(order)).fate is Fate.DONE
    assert bench.shop.available(variant) == 10
    assert bench.shop.store.get("order", order)["financial"] == financial


def test_a_cancellation_that_is_still_going_on_is_unknown(bench: Any) -> None:
    bench.shop.quirks.slow_cancel = True
    sale, _ = order_of(bench, 1)
    target = bench.open().cancelling
    assert target.cancel(sale).fate is Fate.UNKNOWN
    bench.shop.cancel(int(sale))
    assert target.is_cancelled(sale)


def test_what_was_shipped_cannot_be_cancelled(bench: Any) -> None:
    sale, _ = order_of(bench, 1)
    bench.shop.ship_in_shop(int(sale), "AA1")
    answer = bench.open().cancelling.cancel(sale)
    assert (answer.fate, "fulfilled" in answer.reason) == (Fate.REFUSED, True)


def test_a_lost_answer_of_a_cancellation_is_unknown_and_the_shop_is_asked(bench: Any) -> None:
    sale, _ = order_of(bench, 1)
    target = bench.open().cancelling
    target.is_cancelled(sale)
    bench.simulator.faults.add("time_out_after", skip=1)
    assert target.cancel(sale).fate is Fate.UNKNOWN
    assert target.is_cancelled(sale)


# -- prices ----------------------------------------------------------------------------------------------------------------


def test_prices_go_by_product_and_a_refused_one_stops_no_other(bench: Any) -> None:
    variants = [thing(bench, sku) for sku in ("A", "B", "C")]
    client = bench.open()
    point = client.probe.look_around().points[0].external_id
    told = [
        PriceToTell(offer=n, listing=str(one), selling_point=point, amount=Decimal(amount))
        for n, (one, amount) in enumerate(zip([*variants, 99], ["7.005", "-1", "5.00", "3"], strict=True))
    ]
    answers = client.prices.set_prices(told)
    assert [one.fate for one in answers] == [Fate.DONE, Fate.REFUSED, Fate.DONE, Fate.REFUSED]
    assert [bench.shop.store.get("variant", one)["price"] for one in variants] == ["7.01", "5.00", "5.00"]
    first = PriceToTell(offer=8, listing=str(variants[0]), selling_point="1", amount=Decimal(9))
    two = [first, msgspec.structs.replace(first, selling_point="2", amount=Decimal(10))]
    assert [one.fate for one in client.prices.set_prices(two)] == [Fate.DONE, Fate.REFUSED]
    bench.simulator.faults.add("time_out_after", skip=1)
    lost = [PriceToTell(offer=1, listing=str(variants[1]), selling_point=point, amount=Decimal("6.66"))]
    assert [one.fate for one in client.prices.set_prices(lost)] == [Fate.DONE]


def test_an_app_that_may_not_price_refuses_prices_only(bench: Any) -> None:
    variant = thing(bench, "A")
    bench.shop.configure(scopes=[one for one in bench.shop.settings["scopes"] if one != "write_products"])
    client = bench.open()
    told = bench.a_price(client)
    (answer,) = client.prices.set_prices([told])
    assert (answer.fate, "write_products" in answer.reason) == (Fate.REFUSED, True)
    assert bench.shop.store.get("variant", variant)["price"] == "5.00"

"""Parcels and cancellations told to the simulated shop: once with effect, whatever happens to the answers."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.channels.records import Fate
from comptoir.connectors.prestashop.simulator import Line

LOST = ["time_out_before", "time_out_after", "reset_before", "reset_after", "status_before", "status_after"]


def a_sale(bench: Any, **details: Any) -> str:
    product = bench.shop.store.value("SELECT min(id) FROM products WHERE state = 1")
    return str(bench.shop.place_order([Line(product)], **details))


def numbers(bench: Any, sale: str) -> list[str]:
    return [row["tracking_number"] for row in bench.shop.dump()["order_carriers"] if str(row["id_order"]) == sale]


def history(bench: Any, sale: str) -> list[int]:
    return [row["id_order_state"] for row in bench.shop.dump()["order_histories"] if str(row["id_order"]) == sale]


@pytest.mark.parametrize("version", ["1.7", "8.2", "9.0"])
def test_the_number_comes_first_and_the_state_after_it(prestashop: Any, version: str) -> None:
    bench = prestashop(version)
    sale = a_sale(bench)
    client = bench.open()
    parcel = bench.a_parcel(sale)
    assert not client.tracking.is_confirmed(parcel)
    assert client.tracking.confirm(parcel).fate is Fate.DONE
    assert client.tracking.is_confirmed(parcel)
    assert numbers(bench, sale) == ["JD0140"]
    assert history(bench, sale)[-1] == bench.shop.configured_state("PS_OS_SHIPPING")
    writes = [call.url for call in bench.calls if call.writes]
    assert ["order_carriers" in url for url in writes] == [True, False]
    assert len(bench.shop.mails()) >= 1


def test_told_twice_it_has_its_effect_once(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    client = bench.open()
    for _ in range(2):
        assert client.tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
    assert len(history(bench, sale)) == 2  # placed, shipped
    assert len([call for call in bench.calls if call.writes]) == 2


@pytest.mark.parametrize("version", ["1.7", "8.2"])
@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("resource", ["order_carriers*", "order_histories"])
def test_a_lost_answer_is_asked_about_and_never_doubles_the_effect(
    prestashop: Any, version: str, fault: str, resource: str
) -> None:
    bench = prestashop(version)
    sale = a_sale(bench)
    client = bench.open()
    parcel = bench.a_parcel(sale)
    for method in ("PATCH", "PUT", "POST"):
        bench.simulator.faults.add(fault, method=method, path=f"/api/{resource}", times=1)
    answer = client.tracking.confirm(parcel)
    assert answer.fate is (Fate.DONE if fault.endswith("after") else Fate.UNKNOWN)
    assert client.tracking.is_confirmed(parcel) is (answer.fate is Fate.DONE)
    bench.simulator.faults.clear()
    assert client.tracking.confirm(parcel).fate is Fate.DONE
    shipped = bench.shop.configured_state("PS_OS_SHIPPING")
    assert history(bench, sale).count(shipped) == 1
    assert numbers(bench, sale) == ["JD0140"]


def test_a_mail_that_fails_answers_500_although_the_number_was_saved(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.set_quirk("mail_fails")
    sale = a_sale(bench, carrier=2)
    assert bench.open().tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
    assert numbers(bench, sale) == ["JD0140"]


def test_the_500_of_1_7_6_after_a_changed_state_is_seen_through(prestashop: Any) -> None:
    bench = prestashop("1.7")
    bench.shop.set_quirk("history_mail_500")
    sale = a_sale(bench)
    assert bench.open().tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
    assert len(history(bench, sale)) == 2


def test_a_part_sends_its_number_and_the_state_waits_for_the_last(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    client = bench.open()
    client.tracking.confirm(bench.a_parcel(sale, "A1", completes=False, all_tracking=("A1",)))
    assert len(history(bench, sale)) == 1
    client.tracking.confirm(bench.a_parcel(sale, "B2", all_tracking=("A1", "B2")))
    assert numbers(bench, sale) == ["A1, B2"]
    assert len(history(bench, sale)) == 2


def test_an_order_without_a_parcel_of_its_own_only_changes_its_state(prestashop: Any) -> None:
    bench = prestashop()
    guide = next(row["id"] for row in bench.shop.dump()["products"] if row["reference"] == "GVC-400")
    sale = str(bench.shop.place_order([Line(guide)], carrier=0))
    client = bench.open()
    assert client.tracking.confirm(bench.a_parcel(sale, "")).fate is Fate.DONE
    assert client.tracking.is_confirmed(bench.a_parcel(sale, ""))


def test_a_parcel_without_a_number_leaves_the_number_alone(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    client = bench.open()
    client.tracking.confirm(bench.a_parcel(sale, "A1", completes=False))
    client.tracking.confirm(bench.a_parcel(sale, ""))
    assert numbers(bench, sale) == ["A1"]


@pytest.mark.parametrize("state", ["PS_OS_SHIPPING", "PS_OS_DELIVERED"])
def test_what_the_shop_shipped_itself_is_not_shipped_again(prestashop: Any, state: str) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    bench.shop.ship_in_shop(int(sale), "JD0140", state)
    before = bench.writes_received()
    assert bench.open().tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
    assert bench.writes_received() == before


def test_a_cancelled_order_is_not_shipped(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    bench.shop.cancel(int(sale))
    answer = bench.open().tracking.confirm(bench.a_parcel(sale))
    assert answer.fate is Fate.REFUSED
    assert bench.writes_received() == 0


def test_a_number_with_signs_that_the_shop_refuses_is_cleaned(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    assert bench.open().tracking.confirm(bench.a_parcel(sale, "JD «0140»; é\n7")).fate is Fate.DONE
    assert numbers(bench, sale) == ["JD 0140 7"]


def test_a_sale_that_is_not_there_is_refused(prestashop: Any) -> None:
    client = prestashop().open()
    for sale in ("999999", "gid://shop/1"):
        assert client.tracking.confirm(prestashop().a_parcel(sale)).fate is Fate.REFUSED


def test_the_chosen_shipped_status_is_used_and_no_mail_is_sent_when_switched_off(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    delivered = bench.shop.configured_state("PS_OS_DELIVERED")
    bench.open(shipped_status=str(delivered), mails="no").tracking.confirm(bench.a_parcel(sale))
    assert history(bench, sale)[-1] == delivered
    assert bench.shop.mails() == []


def test_a_chosen_status_without_the_shipped_flag_is_told_once_too(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    preparation = bench.shop.configured_state("PS_OS_PREPARATION")
    client = bench.open(shipped_status=str(preparation))
    for _ in range(2):
        assert client.tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
        assert client.tracking.is_confirmed(bench.a_parcel(sale))
    assert history(bench, sale).count(preparation) == 1


def test_cancelling_gives_the_units_back_once(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    before = bench.shop.stock(1)
    client = bench.open()
    assert not client.cancelling.is_cancelled(sale)
    for _ in range(2):
        assert client.cancelling.cancel(sale).fate is Fate.DONE
    assert client.cancelling.is_cancelled(sale)
    assert len(history(bench, sale)) == 2
    assert bench.shop.stock(1) == before + 1


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_cancellation_is_asked_about(prestashop: Any, fault: str) -> None:
    bench = prestashop()
    sale = a_sale(bench)
    client = bench.open()
    bench.simulator.faults.add(fault, method="POST")
    answer = client.cancelling.cancel(sale)
    assert (answer.fate is Fate.DONE) is client.cancelling.is_cancelled(sale) is fault.endswith("after")


def test_a_shipped_order_is_not_cancelled(prestashop: Any) -> None:
    bench = prestashop()
    sale = a_sale(bench, state="PS_OS_SHIPPING")
    assert bench.open().cancelling.cancel(sale).fate is Fate.REFUSED
    assert bench.writes_received() == 0

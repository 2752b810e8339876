"""A foreign client, written by others against real shops, gets along with the simulated one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from comptoir.connectors.magento.simulator import Keys, Line, MagentoSimulator
from comptoir.simulators.server import serve


@pytest.fixture(params=["2.4.3", "2.4.8"])
def sim(request: Any) -> MagentoSimulator:
    sim = MagentoSimulator(version=request.param, world="demo")
    sim.state.set_quirk("bearer")
    return sim


@pytest.fixture
def client(sim: MagentoSimulator) -> Iterator[Any]:
    magento = pytest.importorskip("magento")
    with serve(sim) as url, magento.Magento(Keys.demo.access_token, url, batch_page_size=7) as client:
        yield client


def test_it_reads_every_product_page_by_page_and_ends(sim: MagentoSimulator, client: Any) -> None:
    sim.state.set_quirk("shuffles_unsorted", False)  # it sorts by nothing
    skus = [product["sku"] for product in client.get_products()]
    assert sorted(skus) == sorted(row["sku"] for row in sim.dump()["products"])


@pytest.mark.parametrize("sku", ["LAN-001", "GLU/10", "TIN + LID", "CAFÉ-7"])
def test_it_reads_one_product_by_its_path(client: Any, sku: str) -> None:
    assert client.get_product(sku)["sku"] == sku


def test_it_searches_orders_newest_first(sim: MagentoSimulator, client: Any) -> None:
    found = client.get_last_orders(3)
    assert [one["entity_id"] for one in found] == [12, 11, 10]
    numbers = [one["increment_id"] for one in found]
    assert set(client.get_orders_by_increment_ids(numbers)) == set(numbers)
    assert {one["state"] for one in client.get_orders(status="processing")} == {"processing"}


def test_it_writes_source_items_and_reads_them_back(sim: MagentoSimulator, client: Any) -> None:
    client.save_source_items([{"sku": "LAN-001", "source_code": "default", "quantity": 7, "status": 1}])
    (item,) = client.get_source_items(sku="LAN-001")
    assert (item["quantity"], item["status"]) == (7, 1)
    assert [one["source_code"] for one in client.get_sources()] == ["default"]


def test_it_invoices_and_ships(sim: MagentoSimulator, client: Any) -> None:
    order = sim.state.place_order([Line("LAN-001", 2)], state="new")
    client.create_order_invoice(order)
    track = {"track_number": "GB1", "title": "Courier", "carrier_code": "custom"}
    client.ship_order(order, {"tracks": [track]})
    (shipment,) = client.get_order_shipments(order)
    assert shipment["tracks"][0]["track_number"] == "GB1"
    assert client.get_order(order)["state"] == "complete"


def test_it_saves_prices_and_is_told_which_were_refused(sim: MagentoSimulator, client: Any) -> None:
    prices = [{"sku": "LAN-001", "price": 9.5, "store_id": 0}, {"sku": "NONE", "price": 1, "store_id": 0}]
    (refused,) = client.save_base_prices(prices)
    assert "NONE" in refused["parameters"]
    assert client.get_base_prices(["LAN-001"])[0]["price"] == 9.5


def test_it_understands_our_errors(client: Any) -> None:
    import magento

    with pytest.raises(magento.MagentoException) as refused:
        client.save_source_items([{"sku": "LAN-001", "source_code": "nowhere", "quantity": 7, "status": 1}])
    assert refused.value.response.status_code == 400
    assert client.get_product("NONE", none_on_404=True) is None


def test_it_is_turned_away_with_a_wrong_token(sim: MagentoSimulator) -> None:
    magento = pytest.importorskip("magento")
    with serve(sim) as url, magento.Magento("wrong", url) as stranger, pytest.raises(magento.MagentoException):
        list(stranger.get_orders())

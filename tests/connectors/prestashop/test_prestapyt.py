"""A foreign client, written by others against real shops, gets along with the simulated one."""

import pytest

from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator
from comptoir.simulators.server import serve

# Its module carries regular expressions that Python 3.12 will refuse, and it knows no shop newer than 1.7.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This library may not be compatible:UserWarning"),
]


@pytest.fixture(params=["1.7", "8.2"])
def sim(request):
    return PrestaShopSimulator(version=request.param, world="demo")


@pytest.fixture
def client(sim):
    prestapyt = pytest.importorskip("prestapyt")
    with serve(sim) as url:
        client = prestapyt.PrestaShopWebServiceDict(url, DEMO_KEY)
        yield client
        client.client.close()


def test_it_reads_one_product(client):
    product = client.get("products", 1)["product"]
    assert product["reference"] == "LAN-001"
    assert product["name"]["language"][1]["value"] == "Lanterne cœur blanche"


def test_it_searches_with_filters_sort_and_limit(sim, client):
    twins = [row["id"] for row in sim.state.dump()["products"] if row["reference"] == "DUP-500"]
    found = client.search("products", {"filter[reference]": "[DUP-500]", "sort": "[id_DESC]", "limit": "5"})
    assert found == sorted(twins, reverse=True)
    assert client.search("products", {"filter[id]": "[1,3]"}) == [1, 2, 3]
    assert client.search("orders", {"filter[date_upd]": ">[2000-01-01 00:00:00]", "date": "1", "limit": "2"}) == [1, 2]
    assert client.search("products", {"filter[reference]": "[nothing]"}) == []


def test_it_reads_orders_with_their_rows(sim, client):
    orders = client.get("orders", options={"display": "full", "filter[id]": "[1]"})["orders"]["order"]
    rows = orders["associations"]["order_rows"]["order_row"]
    assert len(rows if isinstance(rows, list) else [rows]) == len(sim.state.details(1))


def test_it_adds_a_history(sim, client):
    order = next(row["id"] for row in sim.state.dump()["orders"] if row["current_state"] == 2)
    added = client.add("order_histories", {"order_history": {"id_order": str(order), "id_order_state": "4"}})
    assert int(added["prestashop"]["order_history"]["id"]) > 0
    assert sim.state.order(order)["current_state"] == 4


def test_it_edits_stock_by_reading_changing_and_putting_back(sim, client):
    row = client.get("stock_availables", 1)
    row["stock_available"]["quantity"] = "77"
    client.edit("stock_availables", row)
    assert sim.state.stock(1) == 77


def test_it_understands_our_errors(client):
    import prestapyt

    with pytest.raises(prestapyt.PrestaShopWebServiceError) as refused:
        client.get("products", options={"filter[colour]": "[1]"})
    assert (refused.value.error_code, refused.value.ps_error_code) == (400, "32")


def test_it_is_turned_away_with_a_wrong_key(sim):
    prestapyt = pytest.importorskip("prestapyt")
    with serve(sim) as url:
        stranger = prestapyt.PrestaShopWebServiceDict(url, "K" * 32)
        with pytest.raises(prestapyt.PrestaShopAuthenticationError):
            stranger.get("products", 1)
        stranger.client.close()

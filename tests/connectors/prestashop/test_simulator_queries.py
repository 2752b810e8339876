"""The query language of the simulated webservice (fact sheet, section 2), with the quirks that cost real hubs real orders."""

from datetime import UTC, datetime, timedelta

import pytest
from defusedxml import ElementTree as ET

from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator
from comptoir.simulators.asking import Asker

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def sim():
    sim = PrestaShopSimulator(world="empty")
    sim.clock.set(NOON)
    for number in range(1, 7):
        sim.clock.set(NOON + timedelta(hours=number))
        sim.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price=f"{number}.5", quantity=10 * number)
    return sim


@pytest.fixture
def shop(sim):
    return Asker(sim.wsgi, DEMO_KEY)


def ids(heard):
    assert heard.status == 200, heard.text
    return [int(one.get("id")) for one in ET.fromstring(heard.body)[0]]


def error(heard):
    return heard.status, int(ET.fromstring(heard.body).findtext("errors/error/code"))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("[3]", [3]),
        ("3", [3]),
        ("[2|5]", [2, 5]),
        ("[2,4]", [2, 3, 4]),
        ("[4,2]", [2, 3, 4]),
        (">[4]", [5, 6]),
        ("<[3]", [1, 2]),
        ("![3]", [1, 2, 4, 5, 6]),
        ("![3|4]", [1, 2, 5, 6]),
    ],
)
def test_filters_on_numbers(shop, expression, found):
    assert ids(shop.get("/api/products", {"filter[id]": expression})) == found


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("[CUP-2]", [2]),
        ("[cup-2]", [2]),
        ("[CUP]%", [1, 2, 3, 4, 5, 6]),
        ("%[-4]", [4]),
        ("%[UP-5]%", [5]),
        ("[CUP]", []),
    ],
)
def test_filters_on_text_ignore_case(shop, expression, found):
    assert ids(shop.get("/api/products", {"filter[reference]": expression})) == found


def test_filters_on_amounts_compare_numbers(sim, shop):
    sim.state.add_product("Dear cup", price="10")
    assert ids(shop.get("/api/products", {"filter[price]": ">[5.5]"})) == [6, 7]
    assert ids(shop.get("/api/products", {"filter[price]": "[6.500]"})) == [6]


def test_filters_on_texts_in_several_languages_look_at_each(sim, shop):
    lamp = sim.state.add_product({1: "Lamp", 2: "Lampe de chevet"})
    assert ids(shop.get("/api/products", {"filter[name]": "%[chevet]%"})) == [lamp]
    assert ids(shop.get("/api/products", {"filter[name]": "%[chevet]%", "language": "1"})) == []


def test_several_filters_must_all_hold(shop):
    assert ids(shop.get("/api/products", {"filter[id]": ">[2]", "filter[reference]": "%[5]"})) == [5]


def test_an_interval_of_dates_includes_both_ends(shop):
    # Products were made at 13:00 … 18:00.
    query = {"date": "1", "filter[date_upd]": "[2026-03-02 14:00:00,2026-03-02 16:00:00]"}
    assert ids(shop.get("/api/products", query)) == [2, 3, 4]


@pytest.mark.parametrize(
    "interval",
    ["[2026-03-02T14:00:00,2026-03-02T16:00:00]", "[2026-03-02 14:00:00Z,2026-03-02 16:00:00Z]"],
)
def test_a_letter_in_an_interval_of_dates_silently_finds_nothing(shop, interval):
    assert ids(shop.get("/api/products", {"date": "1", "filter[date_upd]": interval})) == []


def test_an_interval_of_days_loses_the_last_day(shop):
    query = {"date": "1", "filter[date_upd]": "[2026-03-01,2026-03-02]"}
    assert ids(shop.get("/api/products", query)) == []
    query["filter[date_upd]"] = "[2026-03-01,2026-03-03]"
    assert len(ids(shop.get("/api/products", query))) == 6


def test_dates_need_date_1_to_be_filtered_or_sorted(shop):
    assert error(shop.get("/api/products", {"filter[date_upd]": ">[2026-03-01 00:00:00]"})) == (400, 32)
    assert error(shop.get("/api/products", {"sort": "[date_upd_ASC]"})) == (400, 38)
    assert ids(shop.get("/api/products", {"sort": "[date_upd_DESC]", "date": "1"})) == [6, 5, 4, 3, 2, 1]


def test_an_unknown_filter_is_code_32_an_empty_one_33_a_computed_one_34(shop):
    assert error(shop.get("/api/products", {"filter[colour]": "[1]"})) == (400, 32)
    assert error(shop.get("/api/products", {"filter[id]": ""})) == (400, 33)
    assert error(shop.get("/api/products", {"filter[quantity]": "[0]"})) == (400, 34)
    assert error(shop.get("/api/orders", {"filter[shipping_number]": "[X]"})) == (400, 34)


def test_a_wrong_display_sort_or_limit_is_codes_35_to_39(shop):
    assert error(shop.get("/api/products", {"display": "[colour]"})) == (400, 35)
    assert error(shop.get("/api/products", {"display": "id"})) == (400, 36)
    assert error(shop.get("/api/products", {"sort": "[id]"})) == (400, 37)
    assert error(shop.get("/api/products", {"sort": "[colour_ASC]"})) == (400, 38)
    assert error(shop.get("/api/products", {"limit": "1,2,3"})) == (400, 39)


def test_limit_counts_or_skips_and_counts(shop):
    assert ids(shop.get("/api/products", {"limit": "2"})) == [1, 2]
    assert ids(shop.get("/api/products", {"limit": "4,5"})) == [5, 6]


def test_offsets_shift_when_rows_come_in_but_a_keyset_does_not(sim, shop):
    newest_first = {"sort": "[id_DESC]"}
    first = ids(shop.get("/api/products", {**newest_first, "limit": "0,3"}))
    sim.state.add_product("Newcomer")
    second = ids(shop.get("/api/products", {**newest_first, "limit": "3,3"}))
    assert set(first) & set(second) == {4}
    assert ids(shop.get("/api/products", {"filter[id]": ">[3]", "limit": "3", "sort": "[id_ASC]"})) == [4, 5, 6]


def test_a_plain_list_has_ids_alone(shop):
    heard = shop.get("/api/products")
    assert b"<reference>" not in heard.body
    assert len(ids(heard)) == 6


def test_a_list_can_show_chosen_fields(shop):
    first = ET.fromstring(shop.get("/api/products", {"display": "[id,reference]"}).body).find("products/product")
    assert [(part.tag, part.text) for part in first] == [("id", "1"), ("reference", "CUP-1")]


def test_an_empty_list_is_an_empty_container(shop):
    root = ET.fromstring(shop.get("/api/orders", {"display": "full"}).body)
    assert [part.tag for part in root] == ["orders"]
    assert len(root[0]) == 0


def test_computed_prices_can_be_asked_for(shop):
    product = ET.fromstring(shop.get("/api/products/2", {"price[p][use_tax]": "1", "price[q][use_tax]": "0"}).body)[0]
    assert (product.findtext("p"), product.findtext("q")) == ("3.000000", "2.500000")


def test_languages_can_be_chosen(sim, shop):
    sim.state.add_product({1: "Lamp", 2: "Lampe"})
    names = ET.fromstring(shop.get("/api/products/7", {"language": "2"}).body).findall("product/name/language")
    assert [(name.get("id"), name.text) for name in names] == [("2", "Lampe")]
    both = ET.fromstring(shop.get("/api/products/7").body).findall("product/name/language")
    assert [name.text for name in both] == ["Lamp", "Lampe"]


def test_a_blank_schema_is_an_empty_form_and_a_synopsis_tells_what_is_required(shop):
    blank = ET.fromstring(shop.get("/api/order_histories", {"schema": "blank"}).body)[0]
    assert all(part.text is None for part in blank)
    synopsis = ET.fromstring(shop.get("/api/order_histories", {"schema": "synopsis"}).body)[0]
    assert synopsis.find("id_order").get("required") == "true"
    assert synopsis.find("date_add").get("required") is None


# Times --------------------------------------------------------------------------------------------------------------


def test_dates_are_the_shops_local_time_without_zone():
    sim = PrestaShopSimulator(world="empty", timezone="Europe/Paris")
    sim.clock.set(datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    order = sim.state.place_order([(sim.state.add_product("Cup"),)])
    assert sim.state.order(order)["date_add"] == "2026-07-02 00:30:00"
    zone = Asker(sim.wsgi, DEMO_KEY).get("/api/configurations", {"filter[name]": "[PS_TIMEZONE]", "display": "full"})
    assert ET.fromstring(zone.body).findtext("configurations/configuration/value") == "Europe/Paris"


def test_in_autumn_an_hour_comes_twice(sim):
    product = 1
    before = sim.state.place_order([(product,)], placed_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    after = sim.state.place_order([(product,)], placed_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert sim.state.order(before)["date_add"] == sim.state.order(after)["date_add"] == "2026-10-25 01:30:00"


def test_an_empty_date_is_written_with_zeros(sim, shop):
    order = sim.state.place_order([(1,)], state="PS_OS_BANKWIRE")
    written = ET.fromstring(shop.get(f"/api/orders/{order}").body)[0]
    assert written.findtext("invoice_date") == "0000-00-00 00:00:00"
    assert written.findtext("invoice_number") == "0"


# JSON traps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["output_format", "io_format"])
def test_json_drops_falsy_fields_of_a_single_object(sim, shop, asked):
    sim.state.edit_product(1, active=0)
    single = shop.get("/api/products/1", {asked: "JSON"}).json()["product"]
    assert "active" not in single
    listed = shop.get("/api/products", {asked: "JSON", "display": "full", "filter[id]": "[1]"}).json()["products"]
    assert listed[0]["active"] == "0"


def test_json_with_display_full_gives_a_single_object_as_a_list(shop):
    answer = shop.get("/api/products/1", {"output_format": "JSON", "display": "full"}).json()
    assert [one["id"] for one in answer["products"]] == [1]


def test_an_empty_json_list_is_an_array_instead_of_an_object(shop):
    assert shop.get("/api/orders", {"output_format": "JSON"}).json() == []


def test_json_texts_are_plain_in_one_language_and_arrays_in_several(shop):
    query = {"output_format": "JSON", "display": "[name]", "filter[id]": "[1]"}
    assert shop.get("/api/products", query).json()["products"][0]["name"][0] == {"id": "1", "value": "Cup 1"}
    assert shop.get("/api/products", {**query, "language": "1"}).json()["products"][0]["name"] == "Cup 1"


def test_json_errors_are_json(shop):
    assert shop.get("/api/products", {"output_format": "JSON", "filter[x]": "[1]"}).json()["errors"][0]["code"] == 32


def test_json_cannot_be_sent(shop):
    heard = shop.ask("PATCH", "/api/stock_availables", body='{"stock_available": {"id": 1, "quantity": 2}}')
    assert error(heard) == (500, 127)

"""Writing to the simulated shop: stock, tracking and states (fact sheet, sections 2.3, 7.2, 8 and 9)."""

import pytest
from defusedxml import ElementTree as ET

from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator, all_rights
from comptoir.simulators.asking import Asker


@pytest.fixture
def sim():
    return PrestaShopSimulator(world="empty")


@pytest.fixture
def shop(sim):
    return Asker(sim.wsgi, DEMO_KEY)


@pytest.fixture
def cup(sim):
    return sim.state.add_product("Cup", reference="CUP", price="5", quantity=10)


@pytest.fixture
def shirt(sim):
    return sim.state.add_product(
        "Shirt",
        combinations=[{"quantity": 4, "options": {"Size": "S"}}, {"quantity": 6, "options": {"Size": "M"}}],
    )


def error(heard):
    return heard.status, int(ET.fromstring(heard.body).findtext("errors/error/code"))


def stock_row(sim, product, attribute=0):
    return sim.state.store.rows(
        "SELECT * FROM stock_availables WHERE id_product = ? AND id_product_attribute = ?", (product, attribute)
    )[0]


def stock(*rows):
    inner = "".join(
        "<stock_available>" + "".join(f"<{k}>{v}</{k}>" for k, v in row.items()) + "</stock_available>" for row in rows
    )
    return f"<prestashop>{inner}</prestashop>"


def history(order, state):
    return (
        f"<prestashop><order_history><id_order>{order}</id_order>"
        f"<id_order_state>{state}</id_order_state></order_history></prestashop>"
    )


def whole(row, **changes):
    return {name: value for name, value in {**row, **changes}.items() if name != "associations"}


# Stock --------------------------------------------------------------------------------------------------------------


def test_patch_changes_what_was_sent_and_nothing_else(sim, shop, cup):
    row = stock_row(sim, cup)
    assert shop.ask("PATCH", "/api/stock_availables", body=stock({"id": row["id"], "quantity": 7})).status == 200
    assert stock_row(sim, cup) == {**row, "quantity": 7}


def test_one_request_may_hold_several_rows(sim, shop, cup, shirt):
    small, medium = sim.state.combinations_of(shirt)
    body = stock(
        {"id": stock_row(sim, cup)["id"], "quantity": 1},
        {"id": stock_row(sim, shirt, small)["id"], "quantity": 2},
        {"id": stock_row(sim, shirt, medium)["id"], "quantity": 3},
    )
    heard = shop.ask("PATCH", "/api/stock_availables/", body=body)
    assert len(ET.fromstring(heard.body).findall("stock_available")) == 3
    assert [sim.state.stock(cup), sim.state.stock(shirt, small), sim.state.stock(shirt, medium)] == [1, 2, 3]


def test_an_error_stops_a_request_of_several_rows_and_earlier_ones_stay_saved(sim, shop, cup, shirt):
    small, medium = sim.state.combinations_of(shirt)
    body = stock(
        {"id": stock_row(sim, cup)["id"], "quantity": 1},
        {"id": stock_row(sim, shirt, small)["id"], "quantity": "many"},
        {"id": stock_row(sim, shirt, medium)["id"], "quantity": 3},
    )
    assert error(shop.ask("PATCH", "/api/stock_availables", body=body)) == (400, 85)
    assert [sim.state.stock(cup), sim.state.stock(shirt, small), sim.state.stock(shirt, medium)] == [1, 4, 6]
    assert sim.counters.log[-1].ids == [stock_row(sim, cup)["id"]]


def test_ids_are_wanted_once_each_when_changing_and_never_when_adding(sim, shop, cup):
    row = stock_row(sim, cup)["id"]
    twice = stock({"id": row, "quantity": 1}, {"id": row, "quantity": 2})
    assert error(shop.ask("PATCH", "/api/stock_availables", body=twice)) == (400, 89)
    assert error(shop.ask("PATCH", "/api/stock_availables", body=stock({"quantity": 1}))) == (400, 90)
    with_id = history(1, 2).replace("<order_history>", "<order_history><id>5</id>")
    assert error(shop.ask("POST", "/api/order_histories", body=with_id)) == (400, 91)
    assert sim.state.stock(cup) == 10


def test_xml_that_cannot_be_parsed_is_500_with_code_127(shop):
    assert error(shop.ask("PATCH", "/api/stock_availables", body="<prestashop><stock_available>")) == (500, 127)


def test_stock_rows_can_neither_be_added_nor_deleted(sim, shop, cup):
    sim.state.add_key(DEMO_KEY, all_rights())
    assert error(shop.ask("POST", "/api/stock_availables", body=stock({"quantity": 1}))) == (405, 101)
    assert error(shop.ask("DELETE", f"/api/stock_availables/{stock_row(sim, cup)['id']}")) == (405, 101)


def test_put_wants_every_required_field(sim, shop, cup):
    row = stock_row(sim, cup)["id"]
    assert error(shop.ask("PUT", f"/api/stock_availables/{row}", body=stock({"id": row, "quantity": 1}))) == (400, 41)


def test_put_of_the_whole_row_changes_the_figure():
    sim = PrestaShopSimulator(version="1.7", world="empty")
    product = sim.state.add_product("Cup", quantity=10)
    row = stock_row(sim, product)
    body = stock(whole(row, quantity=6))
    assert Asker(sim.wsgi, DEMO_KEY).ask("PUT", f"/api/stock_availables/{row['id']}", body=body).status == 200
    assert stock_row(sim, product) == {**row, "quantity": 6}


def test_put_without_id_shop_breaks_the_row(sim, shop, cup):
    row = stock_row(sim, cup)
    body = whole(row, quantity=6)
    del body["id_shop"]
    assert shop.ask("PUT", f"/api/stock_availables/{row['id']}", body=stock(body)).status == 200
    assert stock_row(sim, cup)["id_shop"] == 0
    listed = shop.get("/api/stock_availables", {"filter[id_product]": f"[{cup}]"}).text
    assert f'id="{row["id"]}"' not in listed
    assert error(shop.get(f"/api/stock_availables/{row['id']}")) == (404, 131)
    # The next sale finds no row of its shop and makes a second one.
    sim.state.place_order([(cup, 0, 2)])
    rows = sim.state.store.rows("SELECT quantity FROM stock_availables WHERE id_product = ? ORDER BY id", (cup,))
    assert [one["quantity"] for one in rows] == [6, -2]


def test_put_sets_optional_fields_that_were_left_out_to_nothing(sim, shop, cup):
    row = stock_row(sim, cup)
    sim.state.store.update("stock_availables", row["id"], location="Aisle 4")
    body = whole(row)
    del body["location"]
    shop.ask("PUT", f"/api/stock_availables/{row['id']}", body=stock(body))
    assert stock_row(sim, cup)["location"] == ""


def test_the_total_of_a_product_with_combinations_follows_its_rows(sim, shop, shirt):
    small, _medium = sim.state.combinations_of(shirt)
    assert sim.state.stock(shirt) == 10
    shop.ask("PATCH", "/api/stock_availables", body=stock({"id": stock_row(sim, shirt, small)["id"], "quantity": 1}))
    assert sim.state.stock(shirt) == 7


@pytest.mark.parametrize(("version", "expected"), [("8.2", 500), ("9.0", 200)])
def test_a_row_under_advanced_stock_management_is_refused_up_to_8(version, expected):
    sim = PrestaShopSimulator(version=version, world="empty")
    product = sim.state.add_product("Cup", quantity=10)
    row = stock_row(sim, product)["id"]
    sim.state.store.update("stock_availables", row, depends_on_stock=1)
    heard = Asker(sim.wsgi, DEMO_KEY).ask("PATCH", "/api/stock_availables", body=stock({"id": row, "quantity": 1}))
    assert heard.status == expected
    if expected == 500:
        assert error(heard) == (500, 133)
        assert sim.state.stock(product) == 10


def test_a_stock_figure_may_be_negative(sim, shop, cup):
    sim.state.place_order([(cup, 0, 12)])
    heard = shop.get("/api/stock_availables", {"display": "full", "filter[id_product]": f"[{cup}]"})
    assert ET.fromstring(heard.body).findtext("stock_availables/stock_available/quantity") == "-2"


def test_fields_that_are_not_writable_are_refused_with_code_93(sim, shop, cup):
    sim.state.add_key(DEMO_KEY, all_rights())
    for name in ("manufacturer_name", "quantity"):
        body = f"<prestashop><product><id>{cup}</id><{name}>1</{name}></product></prestashop>"
        assert error(shop.ask("PATCH", "/api/products", body=body)) == (400, 93)


def test_a_write_that_changes_nothing_is_counted_as_a_write_without_effect(sim, shop, cup):
    body = stock({"id": stock_row(sim, cup)["id"], "quantity": 10})
    assert shop.ask("PATCH", "/api/stock_availables", body=body).status == 200
    assert sim.counters.writes["stock_availables"] == 1
    assert sim.counters.effects["stock_availables"] == 0


# States of orders ---------------------------------------------------------------------------------------------------


def test_a_history_row_changes_the_state_of_the_order(sim, shop, cup):
    order = sim.state.place_order([(cup,)])
    heard = shop.ask("POST", "/api/order_histories", body=history(order, 4))
    assert heard.status == 201
    row = sim.state.order(order)
    assert (row["current_state"], row["valid"]) == (4, 1)
    assert sim.state.mails() == []


def test_nothing_guards_against_the_same_state_twice(sim, shop, cup):
    order = sim.state.place_order([(cup,)])
    for _ in range(2):
        assert shop.ask("POST", "/api/order_histories", body=history(order, 4)).status == 201
    states = [row["id_order_state"] for row in sim.state.dump()["order_histories"]]
    assert states == [2, 4, 4]
    assert sim.counters.effects["order_histories"] == 2


def test_an_email_is_sent_only_when_asked_and_wanted_by_the_state(sim, shop, cup):
    order = sim.state.place_order([(cup,)])
    shop.ask("POST", "/api/order_histories", {"sendemail": "1"}, history(order, 5))
    assert sim.state.mails() == []  # "delivered" sends none
    shop.ask("POST", "/api/order_histories", {"sendemail": "1"}, history(order, 4))
    assert [mail["template"] for mail in sim.state.mails()] == ["shipped"]


def test_sendemail_can_answer_500_although_the_state_was_changed():
    sim = PrestaShopSimulator(version="1.7.6.4", world="empty")
    sim.state.set_quirk("history_mail_500")
    order = sim.state.place_order([(sim.state.add_product("Cup"),)])
    heard = Asker(sim.wsgi, DEMO_KEY).ask("POST", "/api/order_histories", {"sendemail": "1"}, history(order, 4))
    assert heard.status == 500
    assert sim.state.order(order)["current_state"] == 4


def test_a_history_of_an_unknown_order_or_without_state_is_refused(sim, shop, cup):
    assert error(shop.ask("POST", "/api/order_histories", body=history(99, 4))) == (500, 46)
    missing = "<prestashop><order_history><id_order>1</id_order></order_history></prestashop>"
    assert error(shop.ask("POST", "/api/order_histories", body=missing)) == (400, 41)


def test_a_state_written_on_the_order_always_sends_the_email_and_ignores_the_same_state(sim, shop, cup):
    sim.state.add_key(DEMO_KEY, all_rights())
    order = sim.state.place_order([(cup,)])
    body = f"<prestashop><order><id>{order}</id><current_state>4</current_state></order></prestashop>"
    for _ in range(2):
        assert shop.ask("PATCH", f"/api/orders/{order}", body=body).status == 200
    assert [row["id_order_state"] for row in sim.state.dump()["order_histories"]] == [2, 4]
    assert [mail["template"] for mail in sim.state.mails()] == ["shipped"]


def test_older_versions_write_the_history_of_a_put_state_twice():
    sim = PrestaShopSimulator(version="1.7", world="empty")
    sim.state.add_key(DEMO_KEY, all_rights())
    order = sim.state.place_order([(sim.state.add_product("Cup"),)])
    row = sim.state.order(order)
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in whole(row, current_state=4).items())
    heard = Asker(sim.wsgi, DEMO_KEY).ask(
        "PUT", f"/api/orders/{order}", body=f"<prestashop><order>{inner}</order></prestashop>"
    )
    assert heard.status == 200, heard.text
    assert [one["id_order_state"] for one in sim.state.dump()["order_histories"]] == [2, 4, 4]


# Tracking -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def parcel(sim, cup):
    order = sim.state.place_order([(cup,)], carrier=2)
    return sim.state.store.rows("SELECT * FROM order_carriers WHERE id_order = ?", (order,))[0]


def tracking(parcel, number):
    return (
        f"<prestashop><order_carrier><id>{parcel['id']}</id><tracking_number>{number}</tracking_number>"
        "</order_carrier></prestashop>"
    )


def test_a_tracking_number_is_shown_on_the_order_too(sim, shop, parcel):
    assert shop.ask("PATCH", f"/api/order_carriers/{parcel['id']}", body=tracking(parcel, "JD0140")).status == 200
    order = ET.fromstring(shop.get(f"/api/orders/{parcel['id_order']}").body)[0]
    assert order.findtext("shipping_number") == "JD0140"
    assert sim.state.mails() == []


def test_put_of_a_parcel_wants_order_and_carrier(shop, parcel):
    assert error(shop.ask("PUT", f"/api/order_carriers/{parcel['id']}", body=tracking(parcel, "JD"))) == (400, 41)


def test_the_in_transit_email_needs_a_carrier_with_an_address(sim, shop, cup, parcel):
    shop.ask("PATCH", "/api/order_carriers", {"sendemail": "1"}, tracking(parcel, "JD0140"))
    assert [mail["template"] for mail in sim.state.mails()] == ["in_transit"]
    letter = sim.state.place_order([(cup,)], carrier=3)  # no tracking address
    row = sim.state.store.rows("SELECT * FROM order_carriers WHERE id_order = ?", (letter,))[0]
    shop.ask("PATCH", "/api/order_carriers", {"sendemail": "1"}, tracking(row, "RR1"))
    assert len(sim.state.mails()) == 1


def test_a_failing_email_answers_500_code_46_although_the_number_is_saved(sim, shop, parcel):
    sim.state.set_quirk("mail_fails")
    heard = shop.ask("PATCH", "/api/order_carriers", {"sendemail": "1"}, tracking(parcel, "JD0140"))
    assert error(heard) == (500, 46)
    assert sim.state.store.get("order_carriers", parcel["id"])["tracking_number"] == "JD0140"
    assert sim.counters.log[-1].changes[0]["to"] == {"tracking_number": "JD0140"}


@pytest.mark.parametrize(
    ("number", "status"), [("AB 12~:#,%_=()[].?+-@/", 200), ("JD|0140", 400), ("né", 400), ("7" * 65, 500)]
)
def test_tracking_numbers_take_only_certain_signs_and_64_of_them(sim, shop, parcel, number, status):
    assert shop.ask("PATCH", "/api/order_carriers", body=tracking(parcel, number)).status == status
    saved = sim.state.store.get("order_carriers", parcel["id"])["tracking_number"]
    assert saved == (number if status == 200 else "")


def test_an_order_of_downloads_has_no_parcel_row(sim, shop):
    guide = sim.state.add_product("Guide", price="3", virtual=True, quantity=10)
    order = sim.state.place_order([(guide,)])
    heard = shop.get("/api/order_carriers", {"filter[id_order]": f"[{order}]", "display": "full"})
    assert len(ET.fromstring(heard.body)[0]) == 0

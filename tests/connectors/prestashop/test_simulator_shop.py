"""What a merchant and buyers do in the simulated shop, as the webservice then shows it (fact sheet, sections 3 to 7 and 10)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from defusedxml import ElementTree as ET

from comptoir.connectors.prestashop.simulator import DEMO_KEY, Line, PrestaShopSimulator
from comptoir.simulators.asking import Asker


@pytest.fixture
def sim():
    sim = PrestaShopSimulator(world="empty")
    sim.clock.set(datetime(2026, 1, 5, 9, 0, tzinfo=UTC))
    return sim


@pytest.fixture
def shop(sim):
    return Asker(sim.wsgi, DEMO_KEY)


@pytest.fixture
def cup(sim):
    return sim.state.add_product("Cup", reference="CUP", ean13="5012345000001", price="5", quantity=10, weight="0.3")


@pytest.fixture
def shirt(sim):
    return sim.state.add_product(
        "Shirt",
        price="20",
        combinations=[
            {"quantity": 4, "price": "1.5", "reference": "SH-S", "options": {"Size": "S", "Colour": "Red"}},
            {"quantity": 6, "options": {"Size": "M", "Colour": "Red"}},
        ],
    )


def one(heard):
    assert heard.status == 200, heard.text
    return ET.fromstring(heard.body)[0]


def listed(heard):
    return list(one(heard))


# Goods --------------------------------------------------------------------------------------------------------------


def test_the_quantity_of_a_product_is_always_zero_in_the_webservice(shop, cup, shirt):
    assert one(shop.get(f"/api/products/{cup}")).findtext("quantity") == "0"
    assert all(c.findtext("quantity") == "0" for c in listed(shop.get("/api/combinations", {"display": "full"})))


def test_a_products_associations_lead_to_its_combinations_values_stock_and_images(sim, shop, shirt):
    image = sim.state.add_image(shirt)
    product = one(shop.get(f"/api/products/{shirt}"))
    parts = product.find("associations")
    assert [int(c.findtext("id")) for c in parts.find("combinations")] == sim.state.combinations_of(shirt)
    assert len(parts.find("product_option_values")) == 3
    assert [int(i.findtext("id")) for i in parts.find("images")] == [image]
    attributes = [int(s.findtext("id_product_attribute")) for s in parts.find("stock_availables")]
    assert attributes == [0, *sim.state.combinations_of(shirt)]
    assert (product.findtext("product_type"), product.findtext("type")) == ("combinations", "simple")


def test_option_values_have_names_through_two_resources(sim, shop, shirt):
    combination = one(shop.get(f"/api/combinations/{sim.state.combinations_of(shirt)[0]}"))
    value = combination.find("associations/product_option_values/product_option_value").findtext("id")
    found = one(shop.get(f"/api/product_option_values/{value}"))
    option = one(shop.get(f"/api/product_options/{found.findtext('id_attribute_group')}"))
    assert (option.find("name/language").text, found.find("name/language").text) == ("Size", "S")


def test_product_type_is_not_there_before_8():
    sim = PrestaShopSimulator(version="1.7", world="empty")
    product = sim.state.add_product("Cup")
    answer = one(Asker(sim.wsgi, DEMO_KEY).get(f"/api/products/{product}"))
    assert answer.find("product_type") is None
    assert answer.findtext("type") == "simple"


def test_only_an_edit_of_the_product_itself_touches_its_date(sim, cup):
    before = sim.state.store.get("products", cup)["date_upd"]
    sim.clock.advance(timedelta(hours=1))
    sim.state.set_stock(cup, 3)
    sim.state.add_image(cup)
    sim.state.add_combination(cup, quantity=2, options={"Size": "S"})
    assert sim.state.store.get("products", cup)["date_upd"] == before
    sim.state.edit_product(cup, price="6")
    assert sim.state.store.get("products", cup)["date_upd"] > before


def test_a_deleted_product_simply_vanishes(sim, shop, cup, shirt):
    sim.state.delete_product(shirt)
    assert [p.get("id") for p in listed(shop.get("/api/products"))] == [str(cup)]
    assert shop.get(f"/api/products/{shirt}").status == 404
    assert len(listed(shop.get("/api/combinations"))) == 0
    assert [s.findtext("id_product") for s in listed(shop.get("/api/stock_availables", {"display": "full"}))] == [
        str(cup)
    ]


def test_ids_are_never_given_twice(sim, cup):
    sim.state.delete_product(cup)
    assert sim.state.add_product("Other cup") == cup + 1


def test_an_order_row_keeps_the_number_of_a_deleted_combination(sim, shop, shirt):
    small = sim.state.combinations_of(shirt)[0]
    order = sim.state.place_order([(shirt, small, 1)])
    sim.state.delete_combination(small)
    row = one(shop.get(f"/api/orders/{order}")).find("associations/order_rows/order_row")
    assert row.findtext("product_attribute_id") == str(small)
    assert shop.get(f"/api/combinations/{small}").status == 404
    assert sim.state.stock(shirt) == 6


def test_a_simple_product_that_gains_combinations_shows_their_sum(sim, cup):
    sim.state.add_combination(cup, quantity=2, options={"Size": "S"})
    sim.state.add_combination(cup, quantity=3, options={"Size": "M"})
    assert sim.state.stock(cup) == 5


def test_a_pack_that_counts_by_its_parts_follows_them(sim, cup):
    bowl = sim.state.add_product("Bowl", quantity=7)
    pack = sim.state.add_product("Set", price="9", bundle=[(cup, 0, 2), (bowl, 0, 1)], pack_stock_type=1)
    assert sim.state.stock(pack) == 5
    sim.state.place_order([(pack, 0, 2)])
    assert [sim.state.stock(cup), sim.state.stock(bowl), sim.state.stock(pack)] == [6, 5, 3]
    sim.state.set_stock(cup, 1)
    assert sim.state.stock(pack) == 0


def test_a_pack_with_stock_of_its_own_leaves_its_parts_alone(sim, shop, cup):
    pack = sim.state.add_product("Set", price="9", bundle=[(cup, 0, 2)], pack_stock_type=0, quantity=3)
    sim.state.place_order([(pack, 0, 1)])
    assert [sim.state.stock(cup), sim.state.stock(pack)] == [10, 2]
    part = one(shop.get(f"/api/products/{pack}")).find("associations/product_bundle/product")
    assert [p.text for p in part] == [str(cup), "0", "2"]


def test_images_are_real_files_and_a_product_without_any_is_404_without_body(sim, shop, cup):
    nothing = shop.get(f"/api/images/products/{cup}")
    assert (nothing.status, nothing.body) == (404, b"")
    image = sim.state.add_image(cup)
    assert [d.get("id") for d in listed(shop.get(f"/api/images/products/{cup}"))] == [str(image)]
    picture = shop.get(f"/api/images/products/{cup}/{image}")
    assert picture.body.startswith(b"\x89PNG")
    assert picture.headers["Content-Type"] == "image/png"
    smaller = shop.get(f"/api/images/products/{cup}/{image}/small_default")
    assert smaller.body != picture.body
    assert one(shop.get(f"/api/products/{cup}")).findtext("id_default_image") == str(image)


def test_an_image_whose_file_is_gone_is_500_with_code_59(sim, shop, cup):
    image = sim.state.add_image(cup, missing=True)
    heard = shop.get(f"/api/images/products/{cup}/{image}")
    assert (heard.status, ET.fromstring(heard.body).findtext("errors/error/code")) == (500, "59")


def test_tax_rates_are_found_through_rules(sim, shop, cup):
    group = one(shop.get(f"/api/products/{cup}")).findtext("id_tax_rules_group")
    query = {"filter[id_tax_rules_group]": f"[{group}]", "filter[id_country]": "[1]", "display": "full"}
    tax = listed(shop.get("/api/tax_rules", query))[0].findtext("id_tax")
    assert one(shop.get(f"/api/taxes/{tax}")).findtext("rate") == "20.000"


def test_a_carrier_gets_a_new_id_at_each_edit_and_keeps_its_reference(sim, shop):
    new = sim.state.edit_carrier(2, name="My better carrier")
    old, edited = one(shop.get("/api/carriers/2")), one(shop.get(f"/api/carriers/{new}"))
    assert (old.findtext("deleted"), edited.findtext("deleted")) == ("1", "0")
    assert old.findtext("id_reference") == edited.findtext("id_reference") == "2"


def test_an_edited_address_leaves_the_old_one_readable(sim, shop, cup):
    order = sim.state.place_order([(cup,)])
    old = sim.state.order(order)["id_address_delivery"]
    new = sim.state.edit_address(old, city="Leeds")
    assert one(shop.get(f"/api/addresses/{old}")).findtext("deleted") == "1"
    assert one(shop.get(f"/api/addresses/{new}")).findtext("city") == "Leeds"


# Orders -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["PS_OS_PAYMENT", "PS_OS_BANKWIRE", "PS_OS_CHEQUE"])
def test_stock_is_taken_when_an_order_is_placed_paid_or_not(sim, cup, state):
    sim.state.place_order([(cup, 0, 3)], state=state)
    assert sim.state.stock(cup) == 7


@pytest.mark.parametrize("state", ["PS_OS_CANCELED", "PS_OS_ERROR"])
def test_units_come_back_on_the_way_into_cancelled_or_error_and_go_again_on_the_way_out(sim, cup, state):
    order = sim.state.place_order([(cup, 0, 3)])
    sim.state.change_state(order, state)
    assert sim.state.stock(cup) == 10
    sim.state.change_state(order, state)
    assert sim.state.stock(cup) == 10
    sim.state.change_state(order, "PS_OS_PAYMENT")
    assert sim.state.stock(cup) == 7


def test_refunded_is_no_way_back_for_stock(sim, cup):
    order = sim.state.place_order([(cup, 0, 3)])
    sim.state.change_state(order, "PS_OS_REFUND")
    assert sim.state.stock(cup) == 7


def test_units_of_a_combination_come_back_to_its_row_and_its_total(sim, shirt):
    small = sim.state.combinations_of(shirt)[0]
    order = sim.state.place_order([(shirt, small, 3)])
    assert [sim.state.stock(shirt, small), sim.state.stock(shirt)] == [1, 7]
    sim.state.cancel(order)
    assert [sim.state.stock(shirt, small), sim.state.stock(shirt)] == [4, 10]


@pytest.mark.parametrize(
    ("setting", "logable", "paid", "shipped"),
    [
        ("PS_OS_CHEQUE", 0, 0, 0),
        ("PS_OS_PAYMENT", 1, 1, 0),
        ("PS_OS_SHIPPING", 1, 1, 1),
        ("PS_OS_CANCELED", 0, 0, 0),
        ("PS_OS_OUTOFSTOCK_PAID", 0, 1, 0),
        ("PS_OS_COD_VALIDATION", 0, 0, 0),
    ],
)
def test_the_states_of_an_installation_have_their_flags(sim, shop, setting, logable, paid, shipped):
    found = listed(shop.get("/api/configurations", {"filter[name]": f"[{setting}]", "display": "full"}))[0]
    state = one(shop.get(f"/api/order_states/{found.findtext('value')}"))
    assert [state.findtext(flag) for flag in ("logable", "paid", "shipped")] == [str(logable), str(paid), str(shipped)]


def test_a_merchants_own_state_has_flags_but_no_setting(sim, shop):
    state = one(shop.get("/api/order_states/14"))
    assert (state.findtext("paid"), state.findtext("unremovable")) == ("1", "0")
    assert len(listed(shop.get("/api/configurations", {"filter[value]": "[14]", "filter[name]": "[PS_OS]%"}))) == 0


def test_valid_is_logable_of_the_state_and_not_paid(sim, cup):
    order = sim.state.place_order([(cup,)], state="PS_OS_OUTOFSTOCK_PAID")
    assert sim.state.order(order)["valid"] == 0
    sim.state.pay(order)
    assert sim.state.order(order)["valid"] == 1


def test_paying_makes_an_invoice_and_a_payment_for_the_rest(sim, shop, cup):
    order = sim.state.place_order([(cup, 0, 2)], state="PS_OS_BANKWIRE", reference="ABCDEFGHI", shipping="3")
    assert sim.state.dump()["order_payments"] == []
    sim.clock.advance(timedelta(hours=2))
    sim.state.pay(order, transaction_id="tx-1")
    row = sim.state.order(order)
    assert row["invoice_number"] == 1
    assert row["date_upd"] == "2026-01-05 11:00:00"
    payments = listed(shop.get("/api/order_payments", {"filter[order_reference]": "[ABCDEFGHI]", "display": "full"}))
    assert [(p.findtext("amount"), p.findtext("transaction_id")) for p in payments] == [("15.000000", "tx-1")]


def test_split_orders_share_their_reference(sim, shop, cup):
    for _ in range(2):
        sim.state.place_order([(cup,)], reference="SPLITSPLI")
    assert len(listed(shop.get("/api/orders", {"filter[reference]": "[SPLITSPLI]"}))) == 2


def test_an_order_shows_lines_totals_and_parties(sim, shop, cup, shirt):
    small = sim.state.combinations_of(shirt)[0]
    buyer = sim.state.add_customer("Jean", "Moulin", company="Café SARL")
    address = sim.state.add_address(buyer, country="FR", vat_number="FR1")
    order = sim.state.place_order(
        [Line(cup, quantity=2), Line(shirt, small, 1)],
        customer=buyer,
        address=address,
        shipping="6",
        wrapping="1.20",
        discounts="2.40",
        message="Ring twice",
        currency="EUR",
    )
    found = one(shop.get(f"/api/orders/{order}"))
    rows = found.findall("associations/order_rows/order_row")
    assert [(r.findtext("product_reference"), r.findtext("product_quantity")) for r in rows] == [
        ("CUP", "2"),
        ("SH-S", "1"),
    ]
    assert rows[1].findtext("product_name") == "Shirt - S, Red"
    assert rows[1].findtext("unit_price_tax_excl") == "21.500000"
    assert found.findtext("total_products") == "31.500000"
    assert found.findtext("total_products_wt") == "37.800000"
    assert found.findtext("total_paid_tax_incl") == "42.600000"
    assert found.findtext("conversion_rate") == "1.170000"
    messages = listed(shop.get("/api/messages", {"filter[id_order]": f"[{order}]", "display": "full"}))
    assert [m.findtext("message") for m in messages] == ["Ring twice"]
    assert one(shop.get(f"/api/addresses/{address}")).findtext("vat_number") == "FR1"


@pytest.mark.parametrize(
    ("round_type", "total"),
    [(1, "12.60"), (2, "12.59"), (3, "12.59")],
)
def test_totals_follow_the_rounding_of_the_order(sim, round_type, total):
    # 1.7490 with tax: 1.75 a piece rounded per item, 10.494 and 2.099 otherwise.
    cheap = sim.state.add_product("Ribbon", price="1.4575", tax_rules_group=1, quantity=100)
    other = sim.state.add_product("Bow", price="1.4575", quantity=100)
    order = sim.state.place_order([(cheap, 0, 6), (other, 0, 1, None, "2.10")], round_type=round_type)
    assert Decimal(sim.state.order(order)["total_products_wt"]) == Decimal(total)


def test_a_partial_refund_makes_a_slip_and_counts_on_the_line(sim, shop, cup):
    order = sim.state.place_order([(cup, 0, 3)])
    line = sim.state.details(order)[0]["id"]
    slip = sim.state.refund_lines(order, {line: 1}, restock=True)
    detail = one(shop.get(f"/api/order_details/{line}"))
    assert (detail.findtext("product_quantity"), detail.findtext("product_quantity_refunded")) == ("3", "1")
    written = one(shop.get(f"/api/order_slip/{slip}"))
    assert written.findtext("total_products_tax_incl") == "6.000000"
    assert written.find("associations/order_slip_details/order_slip_detail").findtext("id_order_detail") == str(line)
    assert sim.state.stock(cup) == 8
    # A later cancellation gives back only what has not come back yet.
    sim.state.cancel(order)
    assert sim.state.stock(cup) == 10


def test_shipping_in_the_shops_own_screen_sets_tracking_and_state(sim, shop, cup):
    order = sim.state.place_order([(cup,)])
    sim.state.ship_in_shop(order, "JD0140")
    found = one(shop.get(f"/api/orders/{order}"))
    assert (found.findtext("shipping_number"), found.findtext("current_state")) == ("JD0140", "4")
    assert found.findtext("delivery_number") == "1"


def test_an_edited_line_changes_totals_stock_and_date(sim, cup):
    order = sim.state.place_order([(cup, 0, 3)])
    before = sim.state.order(order)
    sim.clock.advance(timedelta(minutes=5))
    sim.state.change_line(sim.state.details(order)[0]["id"], 1)
    after = sim.state.order(order)
    assert (before["total_paid_tax_incl"], after["total_paid_tax_incl"]) == ("18.000000", "6.000000")
    assert after["date_upd"] > before["date_upd"]
    assert sim.state.stock(cup) == 9


def test_many_orders_at_once_take_the_same_stock_as_one_by_one():
    def play(bulk):
        sim = PrestaShopSimulator(world="empty")
        goods = [sim.state.add_product(f"P{n}", price="2", quantity=5000) for n in range(5)]
        wanted = [{"lines": [(goods[n % 5], 0, 1 + n % 3), (goods[(n + 1) % 5], 0, 1)]} for n in range(450)]
        if bulk:
            sim.state.place_orders(wanted)
        else:
            for order in wanted:
                sim.state.place_order(**order)
        return [sim.state.stock(p) for p in goods], len(sim.state.dump()["order_details"])

    assert play(bulk=True) == play(bulk=False)


# Worlds -------------------------------------------------------------------------------------------------------------


def test_the_demo_world_has_every_shape_of_goods_and_orders():
    sim = PrestaShopSimulator(world="demo")
    dump = sim.state.dump()
    products = dump["products"]
    assert len(products) >= 38
    assert {p["product_type"] for p in products} == {"standard", "combinations", "pack", "virtual"}
    references = [p["reference"] for p in products]
    assert "" in references
    assert references.count("DUP-500") == 2
    assert len({o["current_state"] for o in dump["orders"]}) >= 7
    assert all(row["quantity"] >= 0 for row in dump["stock"])


def test_the_same_seed_makes_the_same_demo_shop():
    def world(seed):
        sim = PrestaShopSimulator(world="demo", seed=seed)
        dump = sim.state.dump()
        return dump["order_details"], dump["stock"]

    assert world(3) == world(3)
    assert world(3) != world(4)

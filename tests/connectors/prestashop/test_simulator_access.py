"""The simulated shop lets in, and turns away, as the fact sheet says (sections 0 and 1)."""

import hashlib

import pytest
from defusedxml import ElementTree as ET

from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator, read_rights
from comptoir.simulators.asking import Asker

OTHER_KEY = "K" * 32


@pytest.fixture
def sim():
    return PrestaShopSimulator()


@pytest.fixture
def shop(sim):
    return Asker(sim.wsgi, DEMO_KEY)


def error(heard):
    return heard.status, int(ET.fromstring(heard.body).findtext("errors/error/code"))


def test_a_request_without_key_is_401_with_code_16(sim):
    heard = Asker(sim.wsgi).get("/api/orders")
    assert error(heard) == (401, 16)
    assert heard.headers["WWW-Authenticate"].startswith("Basic")


def test_an_empty_key_is_code_17(sim):
    assert error(Asker(sim.wsgi, "").get("/api/orders")) == (401, 17)


def test_a_key_that_is_not_32_characters_long_is_code_18(sim):
    assert error(Asker(sim.wsgi, "short").get("/api/orders")) == (401, 18)


def test_an_unknown_or_revoked_key_is_code_20(sim, shop):
    assert error(Asker(sim.wsgi, OTHER_KEY).get("/api/orders")) == (401, 20)
    sim.state.revoke_key(DEMO_KEY)
    assert error(shop.get("/api/orders")) == (401, 20)


def test_a_key_without_any_permission_is_code_21(sim):
    sim.state.add_key(OTHER_KEY, {})
    assert error(Asker(sim.wsgi, OTHER_KEY).get("/api/orders")) == (401, 21)


def test_a_resource_outside_the_rights_of_the_key_is_code_26(sim):
    sim.state.add_key(OTHER_KEY, {"products": {"GET"}})
    assert error(Asker(sim.wsgi, OTHER_KEY).get("/api/orders")) == (401, 26)


def test_a_method_that_was_not_granted_is_405_with_code_25(sim):
    sim.state.add_key(OTHER_KEY, read_rights())
    heard = Asker(sim.wsgi, OTHER_KEY).ask("PATCH", "/api/stock_availables", body="<prestashop/>")
    assert error(heard) == (405, 25)


def test_the_hubs_key_may_not_change_products(shop):
    assert error(shop.ask("PUT", "/api/products/1", body="<prestashop/>")) == (405, 25)


def test_the_key_may_come_in_the_address(sim):
    assert Asker(sim.wsgi).get("/api/orders", {"ws_key": DEMO_KEY}).status == 200


def test_the_address_without_rewriting_works_too(shop):
    assert shop.get("/webservice/dispatcher.php", {"url": "orders/1"}).status == 200


def test_a_webservice_that_is_switched_off_is_503_with_code_22(sim, shop):
    sim.state.configure("PS_WEBSERVICE", "0")
    assert error(shop.get("/api/orders")) == (503, 22)


def test_maintenance_answers_an_html_page(sim, shop):
    sim.state.set_quirk("maintenance")
    heard = shop.get("/api/orders")
    assert heard.headers["Content-Type"].startswith("text/html")
    assert b"<html" in heard.body


def test_the_root_lists_what_the_key_may_do(shop):
    api = ET.fromstring(shop.get("/api/").body).find("api")
    stock = api.find("stock_availables")
    assert (stock.get("get"), stock.get("patch"), stock.get("post")) == ("true", "true", "false")
    assert api.find("order_histories").get("post") == "true"


def test_the_version_is_told_only_to_those_with_a_key(sim, shop):
    assert shop.get("/api/").headers["PSWS-Version"] == "8.2.1"
    assert "PSWS-Version" not in Asker(sim.wsgi).get("/api/").headers


@pytest.mark.parametrize(
    ("asked", "told"), [("1.7", "1.7.8.11"), ("8.2", "8.2.1"), ("9.0", "9.0.3"), ("1.7.6.4", "1.7.6.4")]
)
def test_each_version_says_its_own_number(asked, told):
    sim = PrestaShopSimulator(version=asked, world="empty")
    assert Asker(sim.wsgi, DEMO_KEY).get("/api/").headers["PSWS-Version"] == told


def test_an_answer_that_the_client_has_already_is_304_without_body(shop):
    first = shop.get("/api/orders/1")
    assert first.headers["Content-Sha1"] == hashlib.sha1(first.body, usedforsecurity=False).hexdigest()
    again = shop.get("/api/orders/1", local_content_sha1=first.headers["Content-Sha1"])
    assert (again.status, again.body) == (304, b"")


def test_an_unknown_id_is_404_with_an_empty_body(shop):
    heard = shop.get("/api/orders/99999")
    assert (heard.status, heard.body) == (404, b"")


def test_head_gives_headers_without_body(shop):
    heard = shop.ask("HEAD", "/api/orders/1")
    assert (heard.status, heard.body) == (200, b"")
    assert int(heard.headers["Content-Length"]) > 100


def test_the_method_can_be_overridden_in_the_address(sim, shop):
    body = "<prestashop><stock_available><id>1</id><quantity>3</quantity></stock_available></prestashop>"
    assert shop.ask("POST", "/api/stock_availables", {"ps_method": "PATCH"}, body).status == 200
    assert sim.state.stock(1) == 3


def test_patch_is_unknown_before_version_8():
    sim = PrestaShopSimulator(version="1.7")
    body = "<prestashop><stock_available><id>1</id><quantity>3</quantity></stock_available></prestashop>"
    assert error(Asker(sim.wsgi, DEMO_KEY).ask("PATCH", "/api/stock_availables", body=body)) == (405, 23)


# Several shops ------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_shops(sim):
    return sim.state.add_shop("Outlet")


def test_without_a_shop_the_default_one_answers(sim, shop, two_shops):
    here = sim.state.place_order([(1,)])
    there = sim.state.place_order([(1,)], shop=two_shops)
    assert f'id="{there}"' not in shop.get("/api/orders").text
    listed = shop.get("/api/orders", {"id_shop": two_shops}).text
    assert f'id="{there}"' in listed
    assert f'id="{here}"' not in listed
    both = shop.get("/api/orders", {"id_shop": "all"}).text
    assert f'id="{there}"' in both
    assert f'id="{here}"' in both


def test_an_object_of_another_shop_is_404_with_code_131(sim, shop, two_shops):
    there = sim.state.place_order([(1,)], shop=two_shops)
    assert error(shop.get(f"/api/orders/{there}")) == (404, 131)
    assert shop.get(f"/api/orders/{there}", {"id_shop": two_shops}).status == 200


def test_a_key_that_is_bound_to_a_shop_is_403_with_code_132_elsewhere(sim, two_shops):
    sim.state.add_key(OTHER_KEY, shops={1})
    bound = Asker(sim.wsgi, OTHER_KEY)
    assert bound.get("/api/orders").status == 200
    assert error(bound.get("/api/orders", {"id_shop": two_shops})) == (403, 132)


def test_shops_of_a_group_can_share_their_stock(sim, shop):
    first = sim.state.add_shop("North", group=None, share_stock=True)
    group = sim.state.group_of(first)
    second = sim.state.add_shop("South", group=group)
    product = sim.state.add_product("Shared", quantity=9, shops=[first, second])
    rows = ET.fromstring(
        shop.get(
            "/api/stock_availables", {"display": "full", "filter[id_product]": f"[{product}]", "id_shop": second}
        ).body
    ).findall("stock_availables/stock_available")
    assert [(r.findtext("id_shop"), r.findtext("id_shop_group"), r.findtext("quantity")) for r in rows] == [
        ("0", str(group), "9")
    ]
    sim.state.place_order([(product, 0, 2)], shop=second)
    assert sim.state.stock(product, shop=first) == 7

"""Suppliers of the simulated shop and what they sell, with the untidy rows that shops have (fact sheet, section 6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from defusedxml import ElementTree as ET

from comptoir.channels.records import SupplierListing
from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator, hub_rights
from comptoir.simulators.asking import Asker


def links(client: Any) -> dict[str, SupplierListing]:
    return {one.external_id: one for page in client.supplier_links.everything({}) for one in page.items}


@pytest.fixture
def bench(prestashop: Any) -> Any:
    return prestashop(world="empty")


def test_a_supplier_has_a_name_and_may_be_switched_off(bench: Any) -> None:
    north, south = bench.shop.add_supplier("North & Sons"), bench.shop.add_supplier("South")
    bench.shop.store.update("suppliers", south, active=0)
    [page] = bench.open().suppliers.everything({})
    assert [(one.external_id, one.name, one.enabled) for one in page.items] == [
        (str(north), "North & Sons", True), (str(south), "South", False),
    ]  # fmt: skip


def test_a_row_says_reference_price_currency_and_whether_it_is_the_default(bench: Any) -> None:
    shop = bench.shop
    north, south = shop.add_supplier("North"), shop.add_supplier("South")
    cup = shop.add_product("Cup", id_supplier=south)
    euros = shop.link_supplier(cup, north, reference="N-1", price="2.345678", currency=2)
    base = shop.link_supplier(cup, south, reference="S-1", price="3", currency=0)
    empty = shop.link_supplier(cup, shop.add_supplier("East"), reference="", price="0.000000")
    found = links(bench.open())
    one = found[str(euros)]
    assert (one.supplier, one.listings, one.reference) == (str(north), (f"{cup}-0",), "N-1")
    assert (one.price, one.currency, one.is_default) == (Decimal("2.345678"), "EUR", False)
    # Currency 0 is the shop's default one.
    assert (found[str(base)].price, found[str(base)].currency, found[str(base)].is_default) == (3, "GBP", True)
    assert (found[str(empty)].price, found[str(empty)].currency) == (None, "")  # nobody typed a price


def test_the_own_row_of_a_product_with_combinations_is_left_out_where_they_have_rows(bench: Any) -> None:
    shop = bench.shop
    north, south = shop.add_supplier("North"), shop.add_supplier("South")
    shirt = shop.add_product("Shirt", combinations=[{"options": {"Size": size}} for size in "SML"])
    small, medium, large = shop.combinations_of(shirt)
    row = shop.link_supplier(shirt, north, attribute=small, reference="N-S", price="4")
    whole = shop.link_supplier(shirt, south, reference="S-ALL", price="5")
    client = bench.open()
    found = links(client)
    assert set(found) == {str(row), str(whole)}
    assert found[str(row)].listings == (f"{shirt}-{small}",)
    # South names the product as a whole and no combination of it: all of them.
    assert found[str(whole)].listings == tuple(f"{shirt}-{one}" for one in (small, medium, large))
    [page] = client.supplier_links.everything({})
    assert len(page.seen) == 3  # the row that was left out was on the wire, and is accounted for


def test_a_row_for_a_combination_on_a_later_page_still_counts(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = bench.shop
    north = shop.add_supplier("North")
    shirt = shop.add_product("Shirt", combinations=[{"options": {"Size": size}} for size in "SM"])
    small, _medium = shop.combinations_of(shirt)
    row = shop.link_supplier(shirt, north, attribute=small, reference="N-S", price="4")
    monkeypatch.setattr("comptoir.connectors.prestashop.suppliers.LINKS", 1)
    pages = list(bench.open().supplier_links.everything({}))
    assert [one.external_id for page in pages for one in page.items] == [str(row)]


def test_a_currency_that_the_shop_has_lost_takes_the_price_away_and_says_so(bench: Any) -> None:
    shop = bench.shop
    row = shop.link_supplier(shop.add_product("Cup"), shop.add_supplier("North"), reference="N", price="4", currency=77)
    [page] = bench.open().supplier_links.everything({})
    assert (page.items[0].price, page.items[0].reference) == (None, "N")
    assert [(odd.code, odd.subject) for odd in page.odd] == [("unknown_currency", f"supplier_link:{row}")]


@pytest.mark.parametrize("what", ["suppliers", "supplier_links"])
def test_a_key_without_the_right_reads_nothing_and_says_which(bench: Any, what: str) -> None:
    shop = bench.shop
    shop.link_supplier(shop.add_product("Cup"), shop.add_supplier("North"))
    resource = {"suppliers": "suppliers", "supplier_links": "product_suppliers"}[what]
    rights = hub_rights()
    del rights[resource]
    shop.add_key(DEMO_KEY, rights)
    client = bench.open()
    [page] = getattr(client, what).everything({})
    assert (list(page.items), page.seen) == ([], ())
    assert [(odd.code, odd.facts["right"]) for odd in page.odd] == [("right_missing", f"{resource}: GET")]


# -- what the simulated shop does, by the sheet -------------------------------------------------------------------------


def rows_of(asker: Asker, resource: str) -> list[dict[str, str]]:
    root = ET.fromstring(asker.get(f"/api/{resource}", "display=full&sort=[id_ASC]").body)
    return [{child.tag: (child.text or "") for child in one} for one in root[0]]


def test_a_link_for_a_combination_brings_an_empty_one_for_its_product() -> None:
    sim = PrestaShopSimulator(world="empty")
    shop = sim.state
    shirt = shop.add_product("Shirt", combinations=[{"options": {"Size": size}} for size in "SM"])
    small, medium = shop.combinations_of(shirt)
    north = shop.add_supplier("North")
    for one in (small, medium):
        shop.link_supplier(shirt, north, attribute=one, reference=f"N-{one}", price="4")
    found = rows_of(Asker(sim.wsgi, DEMO_KEY), "product_suppliers")
    assert [(row["id_product_attribute"], row["product_supplier_reference"]) for row in found] == [
        ("0", ""), (str(small), f"N-{small}"), (str(medium), f"N-{medium}"),
    ]  # fmt: skip
    assert {row["id_currency"] for row in found} == {"0"}
    assert found[1]["product_supplier_price_te"] == "4.000000"
    assert "date_upd" not in found[0]  # nothing to ask for changes by


def test_the_price_of_a_combination_with_tax_is_product_and_impact_together() -> None:
    sim = PrestaShopSimulator(world="empty")
    shirt = sim.state.add_product(
        "Shirt", price="10", combinations=[{"price": "2.5", "options": {"Size": "L"}}], tax_rules_group=1
    )
    [large] = sim.state.combinations_of(shirt)
    answer = Asker(sim.wsgi, DEMO_KEY).get(f"/api/combinations/{large}", "price[p][use_tax]=1")
    assert ET.fromstring(answer.body).findtext("combination/p") == "15.000000"

"""Products of the simulated shop in every shape, and the untidy ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import Missing
from comptoir.channels.records import Page, Product
from comptoir.kit import clock


def read(bench: Any) -> tuple[dict[str, Product], list[Page[Product]]]:
    pages = list(bench.open().products.everything({}))
    return {product.external_id: product for page in pages for product in page.items}, pages


def odd(pages: list[Page[Any]]) -> dict[str, str]:
    return {one.subject: one.code for page in pages for one in page.odd}


@pytest.mark.parametrize("version", ["1.7", "8.2", "9.0"])
def test_every_shape_of_product_is_understood_in_every_version(prestashop: Any, version: str) -> None:
    bench = prestashop(version)
    products, pages = read(bench)
    rows = bench.shop.store.rows("SELECT id, reference FROM products")
    by_code = {row["reference"]: products.get(str(row["id"])) for row in rows}
    lantern, cushion, box, guide = (by_code[code] for code in ("LAN-001", "CUS-200", "PCK-300", "GVC-400"))
    assert lantern
    assert cushion
    assert box
    assert guide
    assert lantern.listings[0].external_id == f"{lantern.external_id}-0"
    assert lantern.listings[0].price is not None
    assert (lantern.listings[0].price.amount, lantern.listings[0].price.tax_included) == (Decimal("8.5"), False)
    assert lantern.names == {"fr": "Lanterne cœur blanche"}
    assert lantern.categories == (("Candles and light",),)
    assert len(cushion.listings) == 6
    big = next(one for one in cushion.listings if one.sku == "CUS-200-IND-60")
    assert big.options == {"Colour": "Indigo", "Size": "60"}
    assert big.price is not None
    assert big.price.amount == 22
    assert [(part.listing.endswith("-0"), part.quantity) for part in box.listings[0].parts] == [(True, 2), (True, 1)]
    assert box.listings[0].stock_computed
    assert guide.listings[0].stocked is False
    assert "product_without_sku" in odd(pages).values()
    assert "unsaved_draft" in odd(pages).values()


def test_a_combination_without_a_code_does_not_take_its_products(prestashop: Any) -> None:
    products, _ = read(prestashop())
    scarf = next(one for one in products.values() if one.name == "Wool scarf")
    assert [one.sku for one in scarf.listings] == ["", ""]


def test_two_products_with_one_code_both_come_in(prestashop: Any) -> None:
    products, _ = read(prestashop())
    assert sum(one.sku == "DUP-500" for product in products.values() for one in product.listings) == 2


def test_weight_and_six_decimals_are_kept(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    bench.shop.configure("PS_WEIGHT_UNIT", "g")
    one = bench.shop.add_product("P", reference="P", price="8.333333", weight="250")
    listing = read(bench)[0][str(one)].listings[0]
    assert listing.weight == Decimal("0.25")
    assert listing.price is not None
    assert listing.price.amount == Decimal("8.333333")


def test_a_pack_that_counts_itself_may_be_told_a_level(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    part = bench.shop.add_product("Part", reference="A", price="1")
    packs = {
        kind: bench.shop.add_product(
            "Pack", reference=f"K{kind}", price="1", bundle=[(part, 0, 2)], pack_stock_type=kind
        )
        for kind in (0, 1, 2, 3)
    }
    products, _ = read(bench)
    assert {kind: products[str(one)].listings[0].stock_computed for kind, one in packs.items()} == {
        0: False,
        1: True,
        2: True,
        3: False,  # as the shop's setting says
    }
    bench.shop.configure("PS_PACK_STOCK_TYPE", "2")
    assert read(bench)[0][str(packs[3])].listings[0].stock_computed


def test_a_negative_price_is_a_finding_and_the_product_comes_without_it(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    one = bench.shop.add_product("P", reference="P", price="-3.00")
    other = bench.shop.add_product("Q", reference="Q", price="3.00")
    products, pages = read(bench)
    assert products[str(one)].listings[0].price is None
    assert odd(pages) == {f"listing:{one}-0": "negative_price"}
    assert products[str(other)].listings[0].price is not None


def test_a_shop_without_a_known_currency_is_told_once(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.configure("PS_CURRENCY_DEFAULT", "77")
    products, pages = read(bench)
    assert products
    assert [code for code in odd(pages).values() if code == "unknown_currency"] == ["unknown_currency"]


def test_a_product_with_a_bad_field_is_named_and_the_rest_goes_on(prestashop: Any) -> None:
    bench = prestashop()
    whole, _ = read(bench)
    bench.shop.store.execute("UPDATE products SET price = 'free' WHERE id = 3")
    products, pages = read(bench)
    assert set(whole) - set(products) == {"3"}
    (found,) = [one for page in pages for one in page.odd if one.subject == "product:3"]
    assert "price" in found.facts["problem"]
    assert "3" in pages[0].seen


def test_a_product_with_one_unreadable_combination_waits_as_a_whole(prestashop: Any) -> None:
    bench = prestashop()
    cushion = next(row["id"] for row in bench.shop.dump()["products"] if row["reference"] == "CUS-200")
    bench.shop.store.execute("UPDATE combinations SET price = '?' WHERE reference = 'CUS-200-IND-60'")
    products, pages = read(bench)
    assert str(cushion) not in products
    assert odd(pages)[f"product:{cushion}"] == "malformed_row"


def test_only_what_changed_is_read_again(prestashop: Any) -> None:
    start = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    manual = clock.ManualClock(start)
    bench = prestashop(world="empty")
    bench.simulator.clock.set(start)
    with clock.using(manual):
        ids = [bench.shop.add_product(f"P{n}", reference=f"P{n}", price="1") for n in range(60)]
        cursor: dict[str, Any] = {}
        found = set()
        for page in bench.open().products.changed_since({}):
            found |= {product.external_id for product in page.items}
            cursor = page.cursor
        assert found == {str(one) for one in ids}
        bench.simulator.clock.set(start + timedelta(hours=5))
        manual.set(start + timedelta(hours=5))
        bench.shop.edit_product(ids[7], price="2")
        again = list(bench.open().products.changed_since(cursor))  # with the overlap
        assert str(ids[7]) in {one for page in again for one in page.seen}
        (page,) = bench.open().products.changed_since(again[-1].cursor)
        assert page.seen == (str(ids[7]),)


def test_fetching_leaves_out_deleted_products(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.delete_product(2)
    page = bench.open().products.fetch(["1", "2", "3"])
    assert {product.external_id for product in page.items} == {"1", "3"}


def test_pictures_come_with_their_type_and_a_lost_file_is_missing(prestashop: Any) -> None:
    bench = prestashop()
    client = bench.open()
    product = client.products.fetch(["1"]).items[0]
    good, lost = (image.ref for image in product.images)
    content, kind = client.products.image(good)
    assert (content[:4], kind) == (b"\x89PNG", "image/png")
    with pytest.raises(Missing):
        client.products.image(lost)
    with pytest.raises(Missing):
        client.products.image("1/999999")
    with pytest.raises(Missing):
        client.products.image("../../orders/1")
    bench.shop.delete_product(1)
    with pytest.raises(Missing):
        client.products.image(good)


def test_a_description_may_quote_a_doctype(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    page = "<!DOCTYPE html><p>1 < 2 &amp; so on</p>"
    one = bench.shop.add_product("P", reference="P", price="1", description=page)
    assert read(bench)[0][str(one)].description == page


def test_categories_that_go_in_circles_end(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    first = bench.shop.add_category("A")
    second = bench.shop.add_category("B", parent=first)
    bench.shop.store.update("categories", first, id_parent=second)
    one = bench.shop.add_product("P", reference="P", price="1", category=second)
    assert read(bench)[0][str(one)].categories == (("A", "B"),)

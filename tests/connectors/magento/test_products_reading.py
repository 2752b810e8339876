"""Products of the simulated shop: whose variant is what, packs, pictures, and everything untidy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import Missing, NotLetIn
from comptoir.channels.records import Page, Product

VARIANTS = [
    {"sku": f"SH-{size}", "quantity": 5, "price": "9.90", "options": {"Size": size, "Colour": "Red"}} for size in "SML"
]


def read(bench: Any, **config: Any) -> tuple[dict[str, Product], list[Page[Product]]]:
    pages = list(bench.open(**config).products.everything({}))
    return {product.external_id: product for page in pages for product in page.items}, pages


def by_sku(products: dict[str, Product]) -> dict[str, Product]:
    return {listing.sku: product for product in products.values() for listing in product.listings}


def odd(pages: list[Page[Any]]) -> dict[str, str]:
    return {one.subject: one.code for page in pages for one in page.odd}


@pytest.fixture
def shop(magento: Any) -> Any:
    return magento(world="empty")


def change_product(bench: Any, product: int, change: Callable[[dict[str, Any]], None]) -> None:
    def changed(path: str, body: bytes) -> bytes:
        if not path.endswith("/V1/products"):
            return body
        content = json.loads(body)
        for row in content["items"]:
            if row.get("id") == product and "name" in row:
                change(row)
        return json.dumps(content).encode()

    bench.change_bodies(changed)


def test_a_demo_shop_comes_in_without_a_complaint(magento: Any) -> None:
    products, pages = read(magento(), barcode="ean")
    assert not odd(pages)
    lantern = by_sku(products)["LAN-001"]
    (listing,) = lantern.listings
    assert (lantern.name, lantern.categories) == ("White hanging heart lantern", (("Candles and light", "Lanterns"),))
    assert listing.price is not None
    assert (listing.price.amount, listing.price.currency, listing.price.tax_included) == (Decimal("8.5"), "GBP", False)
    assert (listing.cost, listing.weight, listing.tax_class) == (Decimal("4.25"), Decimal("0.25"), "2")
    assert len(listing.barcodes[0]) == 13
    assert lantern.page_url == "http://shop.test:80/catalog/product/view/id/1"
    assert not by_sku(products)["GVC-400"].listings[0].stocked
    assert not by_sku(products)["VAS-900"].enabled


def test_variants_are_the_listings_of_their_configurable(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    products, pages = read(shop)
    assert list(products) == [str(shirt)]
    page = products[str(shirt)]
    assert [one.external_id for one in page.listings] == [str(child) for child in children]
    assert page.listings[0].options == {"Size": "S", "Colour": "Red"}
    assert {one for each in pages for one in each.seen} == {str(one) for one in (shirt, *children)}


def test_variants_on_another_page_than_their_configurable_are_brought(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    shop.simulator.stock({f"T-{number}": 1 for number in range(150)})
    late, _ = shop.shop.add_configurable("Late", sku="LATE", variants=[])
    shop.shop.edit_product(late, children=[children[2]])
    shop.shop.edit_product(shirt, children=children[:2])
    products, _ = read(shop)
    assert [one.sku for one in products[str(late)].listings] == ["SH-L"]
    assert [one.sku for one in products[str(shirt)].listings] == ["SH-S", "SH-M"]


def test_a_change_of_a_variant_brings_its_whole_page(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    client = shop.open()
    assert list(client.products.changed_since({}))
    known = {"until": shop.simulator.clock.advance(timedelta(hours=1)).isoformat()}
    shop.shop.edit_product(children[1], price=12)
    (page,) = client.products.changed_since(known)
    (product,) = page.items
    assert (product.external_id, len(product.listings)) == (str(shirt), 3)
    assert set(page.seen) == {str(shirt), str(children[1])}


def test_a_simple_product_that_becomes_a_variant_is_no_page_of_its_own(shop: Any) -> None:
    shop.simulator.stock({"SOLO": 3})
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    client = shop.open()
    assert len(next(client.products.everything({})).items) == 2
    solo = shop.shop.by_sku("SOLO")["entity_id"]
    shop.shop.edit_product(shirt, children=[*children, solo])
    page = client.products.fetch([str(shirt), str(solo)])
    assert [product.external_id for product in page.items] == [str(shirt)]
    assert len(page.items[0].listings) == 4


def test_a_variant_of_several_products_is_kept_with_the_first(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    other, _ = shop.shop.add_configurable("Other", sku="OTHER", variants=[])
    shop.shop.edit_product(other, children=children[:1])
    products, pages = read(shop)
    assert list(products) == [str(shirt)]
    assert len(products[str(shirt)].listings) == 3
    assert odd(pages) == {f"listing:{children[0]}": "variant_of_several", f"product:{other}": "product_of_choices"}


def test_a_variant_that_is_let_go_is_a_page_of_its_own(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    client = shop.open()
    assert len(next(client.products.everything({})).items) == 1
    shop.shop.edit_product(shirt, children=children[:2])
    page = next(client.products.everything({}))
    assert [product.external_id for product in page.items] == [str(children[2]), str(shirt)]


def test_a_bundle_without_a_choice_is_a_pack_and_one_with_choices_is_left_out(shop: Any) -> None:
    shop.simulator.stock({"CUP": 9, "POT": 9})
    cup, pot = (str(shop.shop.by_sku(sku)["entity_id"]) for sku in ("CUP", "POT"))
    fixed = [{"links": [("CUP", 2)]}, {"links": [("POT", 1)]}]
    shop.shop.add_product("Box", sku="BOX", price="9.00", kind="bundle", bundle=fixed)
    chosen = shop.shop.add_product(
        "Any", sku="ANY", price="9", kind="bundle", bundle=[{"links": [("CUP", 1), ("POT", 1)]}]
    )
    lost = shop.shop.add_product("Lost", sku="LOST", price="9", kind="bundle", bundle=[{"links": [("GONE", 1)]}])
    grouped = shop.shop.add_product("Set", sku="SET", kind="grouped")
    products, pages = read(shop)
    (box,) = by_sku(products)["BOX"].listings
    assert [(part.listing, part.quantity) for part in box.parts] == [(cup, 2), (pot, 1)]
    assert box.stock_computed
    assert box.stocked
    assert odd(pages) == {f"product:{one}": "product_of_choices" for one in (chosen, lost, grouped)}


def test_a_bundle_that_is_the_sum_of_its_parts_has_no_price(shop: Any) -> None:
    shop.simulator.stock({"CUP": 9})
    shop.shop.add_product(
        "Box", sku="BOX", price="0", kind="bundle", bundle=[{"links": [("CUP", 2)]}], attributes={"price_type": 0}
    )
    assert by_sku(read(shop)[0])["BOX"].listings[0].price is None


def test_six_decimals_and_pounds_are_kept(shop: Any) -> None:
    cup = shop.shop.add_product("Cup", sku="CUP", price="8.333333", weight="2")
    shop.change_bodies(lambda path, body: body.replace(b'"weight_unit":"kgs"', b'"weight_unit":"lbs"'))
    (listing,) = read(shop, taxed="yes")[0][str(cup)].listings
    assert listing.price is not None
    assert (listing.price.amount, listing.price.tax_included) == (Decimal("8.333333"), True)
    assert listing.weight == Decimal("0.90718474")


def test_a_brand_is_the_label_of_its_option(shop: Any) -> None:
    option = shop.shop.option("Manufacturer", "Harbour & Hill")
    cup = shop.shop.add_product("Cup", sku="CUP", attributes={"manufacturer": option})
    assert read(shop)[0][str(cup)].brand == "Harbour & Hill"
    assert read(shop, brand="")[0][str(cup)].brand == ""


def test_a_negative_price_is_a_finding_and_the_product_comes_without_it(shop: Any) -> None:
    cup = shop.shop.add_product("Cup", sku="CUP", price="-1")
    products, pages = read(shop)
    assert products[str(cup)].listings[0].price is None
    assert odd(pages) == {f"listing:{cup}": "negative_price"}


def test_a_shop_without_a_known_currency_is_told_once(shop: Any) -> None:
    shop.simulator.stock({"CUP": 1, "POT": 1})
    shop.change_bodies(lambda path, body: body.replace(b'"base_currency_code":"GBP"', b'"base_currency_code":""'))
    products, pages = read(shop)
    assert odd(pages) == {"shop": "unknown_currency"}
    assert sum(len(page.odd) for page in pages) == 1
    assert all(product.listings[0].price is None for product in products.values())


@pytest.mark.parametrize(
    "change",
    [lambda row: row.pop("sku"), lambda row: row.update(price="cheap"), lambda row: row.update(updated_at="now")],
)
def test_a_product_with_a_bad_field_is_named_and_the_rest_goes_on(
    shop: Any, change: Callable[[dict[str, Any]], None]
) -> None:
    shop.simulator.stock({"CUP": 1, "POT": 1})
    bad = shop.shop.by_sku("POT")["entity_id"]
    change_product(shop, bad, change)
    products, pages = read(shop)
    assert list(by_sku(products)) == ["CUP"]
    assert odd(pages) == {f"product:{bad}": "malformed_row"}


def test_a_product_with_one_unreadable_variant_waits_as_a_whole(shop: Any) -> None:
    shirt, children = shop.shop.add_configurable("Shirt", sku="SH", variants=VARIANTS)
    change_product(shop, children[1], lambda row: row.update(price="cheap"))
    products, pages = read(shop)
    assert products == {}
    assert odd(pages)[f"product:{shirt}"] == "malformed_row"


def test_only_what_changed_is_read_again(shop: Any) -> None:
    shop.simulator.stock({"CUP": 1, "POT": 1})
    client = shop.open()
    assert list(client.products.changed_since({}))
    known = {"until": shop.simulator.clock.advance(timedelta(hours=1)).isoformat()}
    shop.shop.edit_product(shop.shop.by_sku("POT")["entity_id"], name="Teapot")
    (page,) = client.products.changed_since(known)
    assert [product.name for product in page.items] == ["Teapot"]


def test_fetching_leaves_out_deleted_products(shop: Any) -> None:
    shop.simulator.stock({"CUP": 1, "POT": 1})
    cup, pot = (shop.shop.by_sku(sku)["entity_id"] for sku in ("CUP", "POT"))
    shop.shop.delete_product(pot)
    page = shop.open().products.fetch([str(cup), str(pot), "no id"])
    assert page.seen == (str(cup),)


def test_pictures_come_main_one_first_and_a_lost_file_is_missing(shop: Any) -> None:
    cup = shop.shop.add_product("Cup", sku="CUP", images=2)
    shop.shop.add_image(cup, disabled=True)
    lost = shop.shop.add_image(cup, missing=True)
    products, _ = read(shop)
    refs = [image.ref for image in products[str(cup)].images]
    assert len(refs) == 3
    assert refs[-1] == lost
    client = shop.open()
    content, kind = client.products.image(refs[0])
    assert (kind, content[:4]) == ("image/png", b"\x89PNG")
    with pytest.raises(Missing):
        client.products.image(lost)
    with pytest.raises(Missing):
        client.products.image("/../../etc/passwd")


def test_no_key_goes_along_with_a_picture(shop: Any) -> None:
    shop.shop.add_product("Cup", sku="CUP", images=1)
    seen: list[str] = []
    inner = shop.application

    def watching(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/media/"):
            seen.append(environ.get("HTTP_AUTHORIZATION", ""))
        return inner(environ, start_response)

    shop.application = watching
    products, _ = read(shop)
    shop.open().products.image(next(iter(products.values())).images[0].ref)
    assert seen == [""]


def test_categories_that_go_in_circles_end(shop: Any) -> None:
    first = shop.shop.add_category("A")
    second = shop.shop.add_category("B", first)
    cup = shop.shop.add_product("Cup", sku="CUP", categories=[second])
    shop.change_bodies(
        lambda path, body: body.replace(b'"parent_id":2,"name":"A"', f'"parent_id":{second},"name":"A"'.encode())
    )
    assert read(shop)[0][str(cup)].categories == (("A", "B"),)


def test_without_the_right_to_see_categories_products_come_in_and_it_is_said(shop: Any) -> None:
    shop.shop.add_product("Cup", sku="CUP", categories=[shop.shop.add_category("A")])
    shop.shop.set_rights(["Magento_Catalog::categories"])
    products, pages = read(shop)
    assert len(products) == 1
    assert odd(pages) == {"shop": "right_missing"}


def test_a_store_view_that_is_not_there_is_refused(shop: Any) -> None:
    shop.simulator.stock({"CUP": 1})
    with pytest.raises(Missing):
        read(shop, store="french")


def test_without_the_right_to_see_products_nothing_comes(shop: Any) -> None:
    shop.shop.set_rights(["Magento_Catalog::products"])
    with pytest.raises(NotLetIn) as caught:
        read(shop)
    assert caught.value.facts["right"] == "Magento_Catalog::products"

"""Products of the simulated shop with their variations: every type, shared figures, codes that are none, and bad rows."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import Missing, NotUnderstood
from comptoir.channels.records import Listing, Page, Product

PRODUCTS = "/wp-json/wc/v3/products"


def read(bench: Any) -> tuple[dict[str, Product], list[Page[Product]]]:
    pages = list(bench.open().products.everything({}))
    return {one.name: one for page in pages for one in page.items}, pages


def listings(product: Product) -> dict[str, Listing]:
    return {", ".join(one.options.values()): one for one in product.listings}


def odd(pages: list[Page[Any]], code: str) -> set[str]:
    return {one.subject for page in pages for one in page.odd if one.code == code}


def test_a_simple_product_comes_with_all_that_is_known_of_it(woo: Any) -> None:
    bench = woo()
    product = read(bench)[0]["Cream metal lantern"]
    identity = bench.product("LAN-002")
    (listing,) = product.listings
    assert product.external_id == str(identity)
    assert listing.external_id == f"{identity}-0"
    assert (listing.sku, listing.barcodes, listing.weight) == ("LAN-002", ("5012345000015",), Decimal("0.350"))
    assert listing.price is not None
    assert (listing.price.amount, listing.price.currency, listing.price.tax_included) == (
        Decimal("12.75"),
        "GBP",
        False,
    )
    assert (listing.stocked, listing.enabled, listing.stock_computed) == (True, True, False)
    assert (product.brand, product.categories) == ("Harbour & Hill", (("Candles and light",),))
    assert len(product.images) == 2
    assert product.page_url.endswith("/product/cream-metal-lantern/")
    assert listing.tax_class == "standard"


def test_categories_are_paths_from_the_root(woo: Any) -> None:
    assert read(woo())[0]["Stoneware dinner plate"].categories == (("Home and garden", "Table and kitchen"),)


def test_prices_say_whether_the_shop_writes_them_with_tax(woo: Any) -> None:
    bench = woo()
    bench.shop.configure("woocommerce_prices_include_tax", "yes")
    price = read(bench)[0]["Cream metal lantern"].listings[0].price
    assert price is not None
    assert price.tax_included


@pytest.mark.parametrize(("unit", "kilograms"), [("g", "0.00035"), ("lbs", "0.1587573295"), ("oz", None)])
def test_weights_are_told_in_the_shops_unit(woo: Any, unit: str, kilograms: str | None) -> None:
    bench = woo()
    bench.shop.configure("woocommerce_weight_unit", unit)
    weight = read(bench)[0]["Cream metal lantern"].listings[0].weight
    assert weight is not None
    assert kilograms is None or weight == Decimal(kilograms)


def test_variations_are_listings_with_their_options_and_the_product_is_none(woo: Any) -> None:
    bench = woo()
    found = listings(read(bench)[0]["Linen cushion"])
    assert len(found) == 6
    one = found["Sand, 60"]
    assert (one.sku, one.options) == ("CUS-200-SAN-60", {"Colour": "Sand", "Size": "60"})
    assert one.price is not None
    assert one.price.amount == 22
    assert not one.parts


def test_a_variation_with_its_products_sku_has_none(woo: Any) -> None:
    products, pages = read(woo())
    scarf = products["Wool scarf"]
    assert [one.sku for one in scarf.listings] == ["", ""]
    assert odd(pages, "product_without_sku") >= {f"listing:{one.external_id}" for one in scarf.listings}


def test_a_figure_that_variations_share_is_a_thing_of_its_own_and_each_of_them_a_pack_of_one(woo: Any) -> None:
    bench = woo()
    ribbon = read(bench)[0]["Ribbon off the reel"]
    shared, *variations = ribbon.listings
    assert (shared.external_id, shared.sku, shared.price) == (f"{ribbon.external_id}-0", "RIB-210", None)
    assert not shared.stock_computed
    assert len(variations) == 3
    for one in variations:
        assert one.stock_computed
        assert [(part.listing, part.quantity) for part in one.parts] == [(shared.external_id, 1)]


def test_a_variation_that_counts_itself_beside_others_that_share_is_no_pack(woo: Any) -> None:
    bench = woo()
    one = bench.shop.variations_of(bench.product("RIB-210"))[0]["id"]
    bench.shop.edit_variation(one, manage_stock=True, stock_quantity=4)
    shared, loose, *others = read(bench)[0]["Ribbon off the reel"].listings
    assert shared.sku == "RIB-210"
    assert (loose.parts, loose.stock_computed) == ((), False)
    assert all(other.parts for other in others)


@pytest.mark.parametrize(
    ("name", "stocked", "computed", "enabled"),
    [
        ("Gift guide (download)", False, True, True),
        ("Breakfast gift box", True, True, True),
        ("Retired vase", True, False, False),
        ("Unfinished draft", True, True, False),
        ("Gift wrapping paper", True, True, True),  # nobody counts it there: it stays on sale without limit
    ],
)
def test_what_is_stocked_computed_and_enabled(
    woo: Any, name: str, stocked: bool, computed: bool, enabled: bool
) -> None:
    (listing,) = read(woo())[0][name].listings
    assert (listing.stocked, listing.stock_computed, listing.enabled) == (stocked, computed, enabled)


def test_what_the_shop_does_not_count_is_told_where_the_merchant_wants_that(woo: Any) -> None:
    page = woo().open(counts_all="yes").products
    (listing,) = next(
        one for found in page.everything({}) for one in found.items if one.name == "Gift wrapping paper"
    ).listings
    assert not listing.stock_computed


def test_grouped_external_and_binned_products_are_left_out(woo: Any) -> None:
    bench = woo()
    products, pages = read(bench)
    assert not {"Breakfast set", "Garden bench, at a partner's", "Thrown away"} & set(products)
    seen = {one for page in pages for one in page.seen}
    assert str(bench.product("SET-320")) in seen
    assert str(bench.product("OLD-901")) not in seen


def test_a_product_that_is_deleted_while_it_is_read_is_not_among_those_fetched(woo: Any) -> None:
    bench = woo()
    lantern = bench.product("LAN-002")
    bench.shop.trash_product(lantern)
    page = bench.open().products.fetch([str(lantern), str(bench.product("LAN-001")), "x", "999999"])
    assert page.seen == (str(bench.product("LAN-001")),)


def test_pictures_are_fetched_by_their_address_without_our_key(woo: Any) -> None:
    bench = woo()
    client = bench.open()
    images = read(bench)[0]["White hanging heart lantern"].images
    bench.calls.clear()
    content, kind = client.products.image(images[0].ref)
    assert content.startswith(b"\x89PNG")
    assert kind == "image/png"
    with pytest.raises(Missing):
        client.products.image(images[-1].ref)
    with pytest.raises(NotUnderstood):
        client.products.image("https://shop.test/wp-json/")


def test_changed_products_come_and_unchanged_ones_do_not(woo: Any) -> None:
    bench = woo()
    client = bench.open()
    *_, last = client.products.changed_since({})
    bench.shop.edit_product(bench.product("LAN-001"), name="Heart lantern")
    bench.shop.store.execute("UPDATE objects SET modified = '2020-01-01T00:00:00' WHERE sku = 'LAN-002'")
    names = {one.name for page in client.products.changed_since(last.cursor) for one in page.items}
    assert "Heart lantern" in names
    assert "Cream metal lantern" not in names


def test_a_product_with_a_variation_that_cannot_be_read_waits_as_a_whole(woo: Any) -> None:
    bench = woo()
    cushion = bench.product("CUS-200")
    spoiled = bench.shop.variations_of(cushion)[2]["id"]

    def spoil(path: str, body: bytes) -> bytes:
        if path != f"{PRODUCTS}/{cushion}/variations":
            return body
        rows = json.loads(body)
        for row in rows:
            if row["id"] == spoiled:
                row["attributes"] = "red"
        return json.dumps(rows).encode()

    bench.change_bodies(spoil)
    products, pages = read(bench)
    assert "Linen cushion" not in products
    assert odd(pages, "malformed_row") == {f"product:{cushion}"}
    assert len(products) > 30


@pytest.mark.parametrize("price", ["dear", "NaN", "-3"])
def test_a_price_that_is_none_is_told(woo: Any, price: str) -> None:
    bench = woo(world="empty")
    cup = bench.shop.add_product("Cup", sku="CUP", price=price)
    products, pages = read(bench)
    if price == "-3":
        assert products["Cup"].listings[0].price is None
        assert odd(pages, "negative_price") == {f"listing:{cup}-0"}
    else:
        assert odd(pages, "malformed_row") == {f"product:{cup}"}


def test_a_shop_without_a_currency_is_told_once(woo: Any) -> None:
    bench = woo()
    bench.shop.configure("woocommerce_currency", "")
    products, pages = read(bench)
    assert products
    assert [one.subject for page in pages for one in page.odd if one.code == "unknown_currency"] == ["shop"]

"""Products: variants and their codes, bundles, pictures; all of them out of a bulk operation that may be slow, large or fail."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood, TryLater
from comptoir.channels.records import Listing, Product
from comptoir.connectors.shopify import products as reading


def by_name(pages: Any) -> dict[str, Product]:
    return {item.name: item for page in pages for item in page.items}


def all_of(bench: Any) -> dict[str, Product]:
    return by_name(bench.open().products.everything({}))


def only(product: Product) -> Listing:
    (listing,) = product.listings
    return listing


def test_the_three_ways_of_reading_give_the_same_products(shopify: Any) -> None:
    bench = shopify()
    everything = all_of(bench)
    assert len(everything) > 40
    assert by_name(bench.open().products.changed_since({})) == everything
    ids = [one.external_id for one in everything.values()]
    assert by_name([bench.open().products.fetch(ids)]) == everything


def test_what_a_product_is_here(shopify: Any) -> None:
    found = all_of(shopify())
    lantern = only(found["White hanging heart lantern"])
    assert (lantern.sku, lantern.options, lantern.stocked, lantern.weight) == ("LAN-001", {}, True, Decimal("0.25"))
    assert lantern.price is not None
    assert (lantern.price.amount, lantern.price.currency, lantern.price.tax_included) == (Decimal("10.20"), "GBP", True)
    assert lantern.cost == Decimal("4.25")
    cushion = found["Linen cushion"]
    assert len(cushion.listings) == 6
    assert cushion.listings[0].options == {"Colour": "Sand", "Size": "40"}
    assert cushion.listings[0].images == (cushion.images[0].ref,)
    guide = only(found["Gift guide (download)"])
    assert not guide.stocked
    pack = only(found["Breakfast gift box"])
    assert pack.stock_computed
    assert sorted(part.quantity for part in pack.parts) == [1, 2]
    assert {part.listing for part in pack.parts} <= {
        one.external_id for product in found.values() for one in product.listings
    }
    assert [found[name].enabled for name in ("Retired vase", "Vase to come", "Linen cushion")] == [False, False, True]
    assert len({only(found[name]).external_id for name in ("Ribbon, green", "Ribbon, gold")}) == 2


def test_a_variant_without_a_code_is_noticed_and_kept(shopify: Any) -> None:
    pages = list(shopify().open().products.everything({}))
    odd = [one for page in pages for one in page.odd]
    assert {one.code for one in odd} == {"product_without_sku"}
    assert len(odd) == 3
    assert {one.severity for one in odd} == {"info"}


def test_more_variants_than_a_page_holds_are_all_there(shopify: Any) -> None:
    bench = shopify("empty")
    sizes = [{"sku": f"S-{n}", "price": f"{n}.00", "options": {"Size": str(n)}} for n in range(1, 181)]
    product = bench.shop.add_product("Shirt", sizes)
    (shirt,) = bench.open().products.fetch([str(product)]).items
    assert [one.sku for one in shirt.listings] == [f"S-{n}" for n in range(1, 181)]
    assert all_of(bench) == {"Shirt": shirt}


# -- a bulk operation ------------------------------------------------------------------------------------------------------


def test_the_first_page_names_the_operation_and_while_it_runs_we_wait(shopify: Any) -> None:
    bench = shopify()
    bench.shop.quirks.bulk_seconds = 30.0
    clock = bench.simulator.clock
    clock.set(clock.now())
    pages = bench.open().products.everything({})
    first = next(pages)
    assert (list(first.items), first.seen) == ([], ())
    with pytest.raises(TryLater) as caught:
        next(pages)
    assert caught.value.wait == reading.LOOK_AGAIN
    with pytest.raises(TryLater):
        next(bench.open().products.everything(first.cursor))
    clock.advance(timedelta(seconds=31))
    assert len(by_name(bench.open().products.everything(first.cursor))) > 40
    assert len(bench.shop.store.all("bulk")) == 1


def test_an_operation_lately_begun_is_gone_on_with(shopify: Any) -> None:
    bench = shopify()
    for _ in range(3):  # killed before the page with its name was kept
        next(bench.open().products.everything({}))
    assert len(bench.shop.store.all("bulk")) == 1


@pytest.mark.parametrize("size", [700, 5_000, 1_000_000])
def test_a_result_is_read_in_pieces_and_goes_on_where_it_was(
    shopify: Any, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE", size)
    monkeypatch.setattr(reading, "PAGE", 7)
    bench = shopify()
    whole = list(bench.open().products.everything({}))
    kept, cursor = [], {}
    while (page := next(bench.open().products.everything(cursor), None)) is not None:
        kept.append(page)
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        assert len(kept) <= len(whole)
    assert [page.items for page in kept] == [page.items for page in whole]
    assert max(call.received for call in bench.calls if "/bulk/" in call.url) <= size


def test_a_server_that_ignores_ranges_is_read_all_the_same(shopify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = all_of(shopify())
    monkeypatch.setattr(reading, "PAGE", 7)
    bench = shopify()
    bench.shop.quirks.ignores_ranges = True
    first, second = list(bench.open().products.everything({}))[:2]
    rest = by_name(bench.open().products.everything(second.cursor))
    assert len({**by_name([first, second]), **rest}) == len(expected)


def test_an_operation_that_fails_is_begun_again_and_at_last_products_come_by_pages(shopify: Any) -> None:
    bench = shopify()
    expected = all_of(bench)
    bench.shop.store.remove("bulk", bench.shop.store.all("bulk")[0]["id"])
    bench.shop.quirks.bulk_fails = "INTERNAL_SERVER_ERROR"
    pages = list(bench.open().products.everything({}))
    assert by_name(pages) == expected
    assert len(bench.shop.store.all("bulk")) == reading.TRIES


def test_an_operation_that_the_shop_forbids_needs_a_person(shopify: Any) -> None:
    bench = shopify()
    bench.shop.quirks.bulk_fails = "ACCESS_DENIED"
    with pytest.raises(NotLetIn):
        list(bench.open().products.everything({}))


def test_a_shop_that_runs_too_many_of_them_is_waited_for(shopify: Any) -> None:
    bench = shopify()
    bench.shop.quirks.bulk_seconds = 999.0
    for _ in range(5):
        row = next(iter(bench.shop.store.all("bulk")), None)
        next(bench.open().products.everything({}))
        newest = bench.shop.store.all("bulk")[-1]
        bench.shop.store.change("bulk", newest["id"], query="{ other }")
        assert row is None or newest["id"] != row["id"]
    with pytest.raises(TryLater) as caught:
        next(bench.open().products.everything({}))
    assert caught.value.wait == reading.BUSY


def test_an_empty_shop_has_a_result_without_a_file(shopify: Any) -> None:
    assert all_of(shopify("empty")) == {}


@pytest.mark.parametrize(
    "line", [b"{broken\n", b'{"id":"gid://shopify/ProductVariant/1","__parentId":"gid://shopify/Product/9"}\n']
)
def test_a_result_that_makes_no_sense_is_kept_for_whoever_repairs_it(shopify: Any, line: bytes) -> None:
    bench = shopify()
    bench.change_bodies(lambda path, body: line if path.endswith(".jsonl") else body)
    with pytest.raises(NotUnderstood) as caught:
        list(bench.open().products.everything({}))
    assert caught.value.facts["answer"]


def test_one_product_that_cannot_be_read_does_not_stop_the_others(shopify: Any) -> None:
    bench = shopify()
    expected = all_of(bench)
    lantern = expected["White hanging heart lantern"].external_id
    bench.change_bodies(
        lambda path, body: body.replace(b'"price":"10.20"', b'"price":"dear"') if path.endswith(".jsonl") else body
    )
    pages = list(bench.open().products.everything({}))
    assert set(by_name(pages)) == set(expected) - {"White hanging heart lantern"}
    (odd,) = [one for page in pages for one in page.odd if one.code == "malformed_row"]
    assert odd.subject == f"product:{lantern}"


# -- pictures --------------------------------------------------------------------------------------------------------------


def test_a_picture_is_fetched_by_its_address_without_our_token(shopify: Any) -> None:
    bench = shopify()
    ref = all_of(bench)["Linen cushion"].images[0].ref
    content, kind = bench.open().products.image(ref)
    assert (content[:4], kind) == (b"\x89PNG", "image/png")
    bench.shop.store.change("media", int(ref.split("/")[-1].split(".")[0]), missing=True)
    with pytest.raises(Missing):
        bench.open().products.image(ref)
    with pytest.raises(Missing):
        bench.open().products.image("/etc/passwd")


def test_a_stock_figure_names_item_and_location(shopify: Any) -> None:
    bench = shopify()
    other = bench.shop.add_location("Hill Road")
    cushion = all_of(bench)["Linen cushion"].listings[0].external_id
    bench.shop.set_stock(int(cushion), 4, other)
    figures = [one for page in bench.open().stock.figures({}) for one in page.items if one.listing == cushion]
    assert [(one.selling_point, one.quantity) for one in figures][-1] == (str(other), 4)
    assert bench.open().stock.fetch([one.ref for one in figures]).items == figures
    assert bench.open().stock.fetch(["", "x@y", "1@2"]).items == []


def test_bundles_and_what_is_not_counted_have_no_figure(shopify: Any) -> None:
    bench = shopify()
    found = all_of(bench)
    listed = {one.listing for page in bench.open().stock.figures({}) for one in page.items}
    for name in ("Breakfast gift box", "Gift guide (download)", "Gift card"):
        assert only(found[name]).external_id not in listed

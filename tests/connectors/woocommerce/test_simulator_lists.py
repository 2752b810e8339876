"""Lists of the simulated shop: paging, filters and projections as the fact sheet says (section 2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def ids(found: list[Any]) -> list[int]:
    return [one["id"] for one in found]


def test_a_page_tells_how_many_there_are(woo: Any) -> None:
    bench = woo(world="empty")
    bench.add_products(25)
    heard = bench.ask("GET", "/wp-json/wc/v3/products")
    assert len(heard.json()) == 10
    assert (heard.headers["X-WP-Total"], heard.headers["X-WP-TotalPages"]) == ("25", "3")
    assert 'rel="next"' in heard.headers["Link"]
    assert len(bench.v3("GET", "products", {"page": 3})) == 5
    assert bench.v3("GET", "products", {"page": 4}) == []


@pytest.mark.parametrize("given", [{"per_page": 101}, {"per_page": 0}, {"orderby": "weather"}, {"order": "up"}])
def test_a_parameter_that_makes_no_sense_is_refused(woo: Any, given: dict[str, Any]) -> None:
    heard = woo().ask("GET", "/wp-json/wc/v3/products", given)
    assert (heard.status, heard.json()["code"]) == (400, "rest_invalid_param")


def test_sorting_by_change_is_not_on_every_version(woo: Any) -> None:
    assert woo("7").ask("GET", "/wp-json/wc/v3/products", {"orderby": "modified"}).status == 400
    assert woo("9").ask("GET", "/wp-json/wc/v3/products", {"orderby": "modified"}).status == 200


def test_unknown_parameters_are_ignored_in_silence(woo: Any) -> None:
    bench = woo()
    plain = ids(bench.v3("GET", "products", {"per_page": 100}))
    assert ids(bench.v3("GET", "products", {"per_page": 100, "include_types": "variation"})) == plain


def test_a_projection_answers_only_what_was_asked_for(woo: Any) -> None:
    found = woo().v3("GET", "products", {"_fields": "id,sku,stock_quantity", "per_page": 1})
    assert set(found[0]) == {"id", "sku", "stock_quantity"}


def test_named_ids_and_offsets(woo: Any) -> None:
    bench = woo(world="empty")
    bench.add_products(12)
    every = ids(bench.v3("GET", "products", {"orderby": "id", "order": "asc", "per_page": 100}))
    assert ids(bench.v3("GET", "products", {"include": f"{every[4]},{every[1]},99999"})) == [every[4], every[1]]
    assert ids(bench.v3("GET", "products", {"offset": 10, "orderby": "id", "order": "asc"})) == every[10:]


def test_pages_shift_while_they_are_read(woo: Any) -> None:
    """A row that leaves pulls the next page's first one over the border: who counts pages misses it."""
    bench = woo(world="empty")
    bench.add_products(20)
    asked = {"orderby": "id", "order": "asc"}
    every = ids(bench.v3("GET", "products", {**asked, "per_page": 100}))
    first = ids(bench.v3("GET", "products", {**asked, "page": 1}))
    bench.shop.trash_product(first[0])
    second = ids(bench.v3("GET", "products", {**asked, "page": 2}))
    assert set(every) - set(first) - set(second) == {every[10]}


def test_filters_take_the_shops_time_unless_told_that_it_is_gmt_and_never_hear_a_zone(woo: Any) -> None:
    bench = woo(world="empty", timezone="Europe/Paris")  # two hours ahead in July
    bench.simulator.clock.set(NOON)
    bench.add_products(1)
    before, after = "2026-07-01T11:00:00", "2026-07-01T13:00:00"

    def found(value: str, **more: str) -> int:
        return len(bench.v3("GET", "products", {"modified_after": value, **more}))

    assert (found(before), found(after), found("2026-07-01T14:30:00")) == (1, 1, 0)
    assert (found(before, dates_are_gmt="true"), found(after, dates_are_gmt="true")) == (1, 0)
    assert found(after + "Z") == found(after + "+00:00") == found(after) == 1


def test_stamps_come_local_and_in_gmt_without_a_zone(woo: Any) -> None:
    bench = woo(world="empty", timezone="Europe/Paris")
    bench.simulator.clock.set(NOON)
    bench.add_products(1)
    (one,) = bench.v3("GET", "products")
    assert (one["date_modified"], one["date_modified_gmt"]) == ("2026-07-01T14:00:00", "2026-07-01T12:00:00")


def test_a_very_old_shop_ignores_the_filters_of_change(woo: Any) -> None:
    bench = woo("6", world="empty")
    bench.add_products(3)
    bench.shop.set_quirk("ignores_modified")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    assert len(bench.v3("GET", "products", {"modified_after": tomorrow})) == 3


def test_any_status_leaves_the_bin_out_and_the_bin_can_be_asked_for(woo: Any) -> None:
    bench = woo()
    order = int(bench.sell(1)[0])
    bench.shop.trash_order(order)
    assert order not in ids(bench.v3("GET", "orders", {"status": "any", "per_page": 100}))
    assert ids(bench.v3("GET", "orders", {"status": "trash"})) == [order]
    assert bench.ask("GET", "/wp-json/wc/v3/orders", {"status": "weather"}).status == 400


def test_statuses_of_plugins_are_listed_on_recent_versions_and_reported_on_all(woo: Any) -> None:
    for version, status in (("8", 404), ("10", 200)):
        bench = woo(version)
        assert bench.ask("GET", "/wp-json/wc/v3/orders/statuses").status == status
        assert "partial-payment" in {one["slug"] for one in bench.v3("GET", "reports/orders/totals")}


def test_barcodes_and_brands_come_with_newer_versions(woo: Any) -> None:
    old, new = (woo(version).v3("GET", "products", {"sku": "LAN-002"})[0] for version in ("8", "10"))
    assert "global_unique_id" not in old
    assert "brands" not in old
    assert new["global_unique_id"]
    assert new["brands"][0]["name"] == "Harbour & Hill"


def test_a_variation_without_a_sku_shows_its_products(woo: Any) -> None:
    bench = woo()
    scarf = bench.product("SCA-201")
    assert {one["sku"] for one in bench.v3("GET", f"products/{scarf}/variations")} == {"SCA-201"}


def test_variations_that_share_say_so_and_show_the_shared_figure(woo: Any) -> None:
    bench = woo()
    found = bench.v3("GET", f"products/{bench.product('RIB-210')}/variations")
    assert {(one["manage_stock"], one["stock_quantity"]) for one in found} == {("parent", 58)}

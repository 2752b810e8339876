"""Stock figures read from the simulated shop, and levels told to it, with lost answers and refusals in the middle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, TryLater
from comptoir.channels.records import Answer, Fate, LevelToTell, StockFigure
from comptoir.connectors.prestashop.simulator import DEMO_KEY, read_rights

COLUMNS = "id, id_product, id_product_attribute, id_shop, id_shop_group, depends_on_stock, out_of_stock, location"


def figures(client: Any) -> dict[str, StockFigure]:
    return {figure.listing: figure for page in client.stock.figures({}) for figure in page.items}


def level(figure: StockFigure, quantity: str | int, offer: int = 1, **fields: Any) -> LevelToTell:
    given = {"listing": figure.listing, "selling_point": figure.selling_point, "ref": figure.ref, **fields}
    return LevelToTell(offer=offer, level=Decimal(quantity), **given)


def a_shop(prestashop: Any, version: str = "8.2", count: int = 50) -> tuple[Any, Any, list[StockFigure]]:
    bench = prestashop(version, world="empty")
    bench.add_products(count)
    client = bench.open()
    return bench, client, list(figures(client).values())


def fates(answers: list[Answer]) -> list[Fate]:
    return [answer.fate for answer in answers]


def quantities(bench: Any) -> list[int]:
    return [row["quantity"] for row in bench.shop.dump()["stock"]]


def test_sums_and_computed_packs_are_no_figures(prestashop: Any) -> None:
    bench = prestashop()
    client = bench.open()
    found = figures(client)
    by_code = {row["reference"]: row["id"] for row in bench.shop.dump()["products"]}
    assert f"{by_code['CUS-200']}-0" not in found
    assert sum(listing.startswith(f"{by_code['CUS-200']}-") for listing in found) == 6
    odd = [one for page in client.stock.figures({}) for one in page.odd]
    assert [(one.code, one.subject) for one in odd] == [("stock_computed_by_shop", f"listing:{by_code['PCK-300']}-0")]
    assert found[f"{by_code['LAN-001']}-0"].quantity == bench.shop.stock(by_code["LAN-001"])


def test_a_row_under_advanced_stock_management_is_a_finding(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, "1.7", 3)
    bench.shop.store.update("stock_availables", int(found[1].ref), depends_on_stock=1)
    pages = list(client.stock.figures({}))
    assert [one.code for page in pages for one in page.odd] == ["advanced_stock_management"]
    assert len(figures(client)) == 2


def test_fifty_levels_are_one_call_from_version_8(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop)
    before = bench.writes_received()
    answers = client.levels.set_levels([level(one, n, offer=n) for n, one in enumerate(found)])
    assert [(answer.item, answer.fate) for answer in answers] == [(n, Fate.DONE) for n in range(50)]
    assert bench.writes_received() - before == 1
    assert quantities(bench) == list(range(50))


def test_a_full_put_each_before_version_8_loses_nothing_of_the_row(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, "1.7", 20)
    bench.shop.store.execute("UPDATE stock_availables SET location = 'A-3', out_of_stock = 2")
    before = bench.shop.store.rows(f"SELECT {COLUMNS} FROM stock_availables")
    answers = client.levels.set_levels([level(one, n + 100) for n, one in enumerate(found)])
    assert set(fates(answers)) == {Fate.DONE}
    assert quantities(bench) == [n + 100 for n in range(20)]
    assert bench.shop.store.rows(f"SELECT {COLUMNS} FROM stock_availables") == before
    assert [call.method for call in bench.calls if call.writes] == ["PUT"] * 20


def test_a_shop_that_hides_its_version_is_taken_for_an_old_one_unless_we_are_told(prestashop: Any) -> None:
    bench = prestashop(world="empty")
    bench.add_products(2)
    bench.simulator.version = ""
    client = bench.open()
    client.levels.set_levels([level(one, 7) for one in figures(client).values()])
    assert [call.method for call in bench.calls if call.writes] == ["PUT", "PUT"]
    bench.calls.clear()
    client = bench.open(version="8.1.0")
    client.levels.set_levels([level(one, 8) for one in figures(client).values()])
    assert [call.method for call in bench.calls if call.writes] == ["PATCH"]


@pytest.mark.parametrize("version", ["1.7", "8.2"])
def test_a_row_that_is_refused_in_the_middle_does_not_hold_up_the_others(prestashop: Any, version: str) -> None:
    bench, client, found = a_shop(prestashop, version, 10)
    bench.shop.store.update("stock_availables", int(found[4].ref), depends_on_stock=1)
    answers = client.levels.set_levels([level(one, 77) for one in found])
    assert fates(answers) == [Fate.DONE] * 4 + [Fate.REFUSED] + [Fate.DONE] * 5
    assert "133" in answers[4].reason
    assert quantities(bench) == [77] * 4 + [5] + [77] * 5


@pytest.mark.parametrize("version", ["1.7", "8.2"])
@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ("time_out_after", Fate.DONE),
        ("reset_after", Fate.DONE),
        ("status_after", Fate.DONE),
        ("time_out_before", Fate.UNKNOWN),
        ("reset_before", Fate.UNKNOWN),
        ("status_before", Fate.UNKNOWN),
    ],
)
def test_after_a_lost_answer_the_shop_is_asked_what_it_holds(
    prestashop: Any, version: str, fault: str, fate: Fate
) -> None:
    bench, client, found = a_shop(prestashop, version, 3)
    bench.simulator.faults.add(
        fault, method="PATCH" if version == "8.2" else "PUT", path="/api/stock_availables*", times=3
    )
    assert set(fates(client.levels.set_levels([level(one, 42) for one in found]))) == {fate}


def test_when_even_asking_fails_nothing_is_known(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, count=3)
    bench.simulator.faults.add("time_out_after", method="PATCH")
    bench.simulator.faults.add("status_before", method="GET", path="/api/stock_availables")
    assert set(fates(client.levels.set_levels([level(one, 42) for one in found]))) == {Fate.UNKNOWN}


def test_a_throttle_before_anything_was_written_is_try_later(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, count=3)
    bench.simulator.faults.add("throttled", method="PATCH", retry_after="9")
    with pytest.raises(TryLater) as caught:
        client.levels.set_levels([level(one, 42) for one in found])
    assert caught.value.wait == 9
    assert quantities(bench) == [5, 5, 5]


def test_a_throttle_in_the_middle_keeps_the_answers_that_came(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, "1.7", 12)
    bench.simulator.faults.add("throttled", method="PUT", skip=8, times=None)
    answers = client.levels.set_levels([level(one, 42) for one in found])
    written = [quantity == 42 for quantity in quantities(bench)]
    assert [fate is Fate.DONE for fate in fates(answers)] == written
    assert sum(written) == 8


@pytest.mark.parametrize("version", ["1.7", "8.2"])
def test_a_row_with_a_new_id_is_found_by_its_listing(prestashop: Any, version: str) -> None:
    bench, client, found = a_shop(prestashop, version, 4)
    levels = [level(one, 9) for one in found]
    levels[1] = level(found[1], 9, ref="999999")
    levels[2] = level(found[2], 9, ref="")
    answers = client.levels.set_levels(levels)
    assert set(fates(answers)) == {Fate.DONE}
    assert [answer.ref for answer in answers] == ["", found[1].ref, found[2].ref, ""]
    assert quantities(bench) == [9] * 4


@pytest.mark.parametrize("version", ["1.7", "8.2"])
def test_a_listing_that_is_gone_is_refused(prestashop: Any, version: str) -> None:
    bench, client, found = a_shop(prestashop, version, 3)
    bench.shop.delete_product(int(found[1].listing.partition("-")[0]))
    answers = client.levels.set_levels([level(one, 9) for one in found])
    assert fates(answers) == [Fate.DONE, Fate.REFUSED, Fate.DONE]


def test_a_listing_that_is_not_of_this_shop_is_refused(prestashop: Any) -> None:
    _, client, found = a_shop(prestashop, count=2)
    answers = client.levels.set_levels([level(found[0], 9), level(found[1], 9, ref="", listing="gid://else")])
    assert fates(answers) == [Fate.DONE, Fate.REFUSED]


def test_of_two_levels_for_one_row_the_last_is_told(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, count=1)
    answers = client.levels.set_levels([level(found[0], 3), level(found[0], 4)])
    assert fates(answers) == [Fate.CONFLICT, Fate.DONE]
    assert quantities(bench) == [4]


def test_half_a_piece_is_not_sold(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, count=1)
    client.levels.set_levels([level(found[0], "2.750")])
    assert quantities(bench) == [2]


def test_a_read_only_key_is_not_let_in_and_names_the_right(prestashop: Any) -> None:
    bench, client, found = a_shop(prestashop, count=1)
    bench.shop.add_key(DEMO_KEY, read_rights())
    with pytest.raises(NotLetIn) as caught:
        client.levels.set_levels([level(found[0], 1)])
    assert caught.value.facts["right"] == "stock_availables: PATCH"


@pytest.mark.parametrize("version", ["1.7", "8.2"])
def test_each_shop_of_a_multistore_gets_its_own_level(prestashop: Any, version: str) -> None:
    bench = prestashop(version, world="empty")
    alone = bench.shop.add_shop("Alone")
    sharing = bench.shop.add_shop("Sharing", share_stock=True)
    twin = bench.shop.add_shop("Twin", group=bench.shop.group_of(sharing))
    product = bench.shop.add_product("P", reference="P", price="1", quantity=5, shops=[1, alone, sharing, twin])
    client = bench.open()
    found = [figure for page in client.stock.figures({}) for figure in page.items]
    group = f"group-{bench.shop.group_of(sharing)}"
    assert sorted(figure.selling_point for figure in found) == sorted(["1", str(alone), group])
    wanted = {"1": 11, str(alone): 22, group: 33}
    answers = client.levels.set_levels([level(figure, wanted[figure.selling_point]) for figure in found])
    assert set(fates(answers)) == {Fate.DONE}
    assert [bench.shop.stock(product, 0, shop) for shop in (1, alone, sharing, twin)] == [11, 22, 33, 33]
    assert {point.external_id for point in client.probe.look_around().points} == set(wanted)

"""Figures of sources, and levels told to them: bisected, read back after lost answers, never for what is not there."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.connector import Figure
from comptoir.channels.errors import NotLetIn, TryLater
from comptoir.channels.records import Fate, LevelToTell, StockFigure
from comptoir.connectors.magento.stock import MagentoLevels


@pytest.fixture
def shop(magento: Any) -> Any:
    bench = magento(world="empty")
    bench.simulator.stock({f"T-{number:03}": 5 for number in range(120)})
    return bench


def figures(bench: Any, client: Any = None) -> dict[str, StockFigure]:
    pages = list((client or bench.open()).stock.figures({}))
    return {figure.ref: figure for page in pages for figure in page.items}


def levels(found: dict[str, StockFigure], **wanted: Any) -> list[LevelToTell]:
    """A level for each figure, of 9 unless it is said by its SKU."""
    return [
        LevelToTell(
            offer=number,
            listing=one.listing,
            selling_point=one.selling_point,
            ref=one.ref,
            level=Decimal(str(wanted.get(one.ref.partition("/")[2].replace("-", "_"), 9))),
        )
        for number, one in enumerate(found.values())
    ]


def fates(answers: Any) -> list[Fate]:
    return [answer.fate for answer in answers]


def test_a_figure_is_physical_and_a_shop_without_sources_says_that_its_is_not(shop: Any) -> None:
    assert shop.card.figure is Figure.PHYSICAL
    (point,) = shop.open().probe.look_around().points
    assert (point.external_id, point.figure) == ("default", "")
    shop.shop.set_quirk("msi", False)
    (point,) = shop.open().probe.look_around().points
    assert (point.external_id, point.figure) == ("stock-items", "sellable")


def test_every_source_of_a_product_is_a_figure_and_awkward_skus_are_found(magento: Any) -> None:
    bench = magento()
    bench.shop.add_source("annex")
    for sku in ("GLU/10", "TIN + LID", "CAFÉ-7", "PEN,RED"):
        bench.shop.set_quantity(sku, 3, "annex")
    found = figures(bench)
    assert {found[f"annex/{sku}"].quantity for sku in ("GLU/10", "TIN + LID", "CAFÉ-7", "PEN,RED")} == {3}
    assert found["default/PEN,RED"].listing == found["annex/PEN,RED"].listing
    assert not [ref for ref in found if ref.endswith("/GVC-400")]  # a download lies nowhere
    refs = ["annex/PEN,RED", "default/GLU/10", "default/NONE"]
    page = bench.open().stock.fetch(refs)
    assert {figure.ref for figure in page.items} == set(page.seen) == set(refs[:2])


def test_what_a_source_holds_counts_the_units_of_open_orders(shop: Any) -> None:
    shop.shop.place_order([("T-001", 2)])
    assert figures(shop)["default/T-001"].quantity == 5


def test_a_hundred_levels_are_one_call_and_always_say_whether_they_are_in_stock(shop: Any) -> None:
    told = levels(figures(shop), T_001=0, T_002="2.5")[:100]
    shop.calls.clear()
    assert fates(shop.open().levels.set_levels(told)) == [Fate.DONE] * 100
    assert [call.method for call in shop.calls if call.writes] == ["POST"]
    rows = {row["sku"]: (row["quantity"], row["status"]) for row in shop.simulator.dump()["source_items"]}
    assert (rows["T-000"], rows["T-001"], rows["T-002"]) == ((9, 1), (0, 0), (2.5, 1))


def test_a_repeated_level_has_no_effect(shop: Any) -> None:
    told = levels(figures(shop))[:3]
    client = shop.open()
    client.levels.set_levels(told)
    before = shop.simulator.counters.effects.total()
    assert fates(client.levels.set_levels(told)) == [Fate.DONE] * 3
    assert shop.simulator.counters.effects.total() == before


def test_one_bad_row_is_found_by_halves_and_the_others_are_told(shop: Any) -> None:
    told = levels(figures(shop))[:64]
    bad = shop.shop.by_sku("T-020")["entity_id"]
    shop.shop.edit_product(bad, sku=" T-020")  # typed into the database by an import: no call takes it
    answers = shop.open().levels.set_levels(told)
    assert [answer.item for answer in answers if answer.fate is not Fate.DONE] == [20]
    assert answers[20].fate is Fate.REFUSED
    assert "leading or trailing" in answers[20].reason
    assert shop.shop.quantity("T-063") == 9


def test_a_shop_with_input_limits_is_told_in_smaller_calls_and_that_is_remembered(shop: Any) -> None:
    shop.shop.set_quirk("input_limit", 20)
    client = shop.open()
    told = levels(figures(shop, client))[:100]
    assert fates(client.levels.set_levels(told)) == [Fate.DONE] * 100
    shop.calls.clear()
    again = [
        LevelToTell(**{**{name: getattr(one, name) for name in one.__struct_fields__}, "level": Decimal(4)})
        for one in told
    ]
    assert fates(client.levels.set_levels(again)) == [Fate.DONE] * 100
    assert all(not call.problem for call in shop.calls)


def test_what_the_shop_does_not_have_is_refused_and_never_sent(shop: Any) -> None:
    (one,) = levels(figures(shop))[:1]
    variants = [{"sku": "SH-S", "quantity": 1, "options": {"Size": "S"}}]
    shirt, _ = shop.shop.add_configurable("Shirt", sku="SH", variants=variants)
    wrong = [
        LevelToTell(offer=1, listing="99999", selling_point="default", ref="", level=Decimal(1)),
        LevelToTell(offer=2, listing="CUP", selling_point="default", ref="", level=Decimal(1)),
        LevelToTell(offer=3, listing=one.listing, selling_point="nowhere", ref="", level=Decimal(1)),
        LevelToTell(offer=4, listing=str(shirt), selling_point="default", ref="", level=Decimal(1)),
    ]
    answers = shop.open().levels.set_levels(wrong)
    assert fates(answers) == [Fate.REFUSED] * 4
    assert all(answer.reason for answer in answers)
    assert shop.writes_received() == 0


def test_a_renamed_sku_is_told_by_its_new_name(shop: Any) -> None:
    (one,) = levels(figures(shop))[:1]
    shop.shop.edit_product(int(one.listing), sku="NEW")
    (answer,) = shop.open().levels.set_levels([one])
    assert (answer.fate, answer.ref) == (Fate.DONE, "default/NEW")
    assert shop.shop.quantity("NEW") == 9


def test_of_two_levels_for_one_figure_the_last_is_told(shop: Any) -> None:
    first = levels(figures(shop))[0]
    second = LevelToTell(offer=7, listing=first.listing, selling_point="default", ref=first.ref, level=Decimal(3))
    assert fates(shop.open().levels.set_levels([first, second])) == [Fate.CONFLICT, Fate.DONE]
    assert shop.shop.quantity("T-000") == 3


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ("time_out_after", Fate.DONE),
        ("status_after", Fate.DONE),
        ("reset_before", Fate.UNKNOWN),
        ("truncated", Fate.DONE),
    ],
)
def test_after_a_lost_answer_the_shop_is_asked_what_it_holds(shop: Any, fault: str, fate: Fate) -> None:
    told = levels(figures(shop))[:3]
    client = shop.open()
    shop.simulator.faults.add(fault, "POST", "*/source-items")
    assert fates(client.levels.set_levels(told)) == [fate] * 3
    assert shop.writes_received() == (fate is Fate.DONE)


def test_a_deadlock_leaves_them_unknown_and_telling_again_cures_it(shop: Any) -> None:
    told = levels(figures(shop))[:3]
    client = shop.open()
    shop.shop.set_quirk("deadlocks", 1)
    answers = client.levels.set_levels(told)
    assert fates(answers) == [Fate.UNKNOWN] * 3
    assert "Deadlock" in answers[0].reason
    assert fates(client.levels.set_levels(told)) == [Fate.DONE] * 3


def test_when_even_asking_fails_nothing_is_known(shop: Any) -> None:
    told = levels(figures(shop))[:3]
    client = shop.open()
    shop.simulator.faults.add("time_out_after", "POST", "*/source-items")
    shop.simulator.faults.add("status_before", "GET", "*/source-items")
    assert fates(client.levels.set_levels(told)) == [Fate.UNKNOWN] * 3


def test_a_throttle_before_anything_was_written_is_try_later(shop: Any) -> None:
    told = levels(figures(shop))[:3]
    client = shop.open()
    shop.throttle(5)
    with pytest.raises(TryLater):
        client.levels.set_levels(told)


def test_a_throttle_in_the_middle_keeps_the_answers_that_came(shop: Any) -> None:
    shop.shop.set_quirk("input_limit", 20)
    client = shop.open()
    told = levels(figures(shop, client))[:40]
    client.levels.set_levels(told)
    again = [
        LevelToTell(offer=one.offer, listing=one.listing, selling_point="default", ref=one.ref, level=Decimal(1))
        for one in told
    ]
    shop.simulator.faults.add("throttled", "POST", "*/source-items", skip=1)
    assert fates(client.levels.set_levels(again)) == [Fate.DONE] * 20 + [Fate.UNKNOWN] * 20


def test_without_the_right_to_write_stock_nobody_is_let_in_and_the_right_is_named(shop: Any) -> None:
    told = levels(figures(shop))[:3]
    shop.shop.set_rights(["Magento_InventoryApi::stock_source_item_assign"])
    with pytest.raises(NotLetIn) as caught:
        shop.open().levels.set_levels(told)
    assert caught.value.facts["right"] == "Magento_InventoryApi::stock_source_item_assign"


def test_a_row_that_makes_no_sense_is_a_finding(shop: Any) -> None:
    shop.change_bodies(
        lambda path, body: body.replace(
            b'"sku":"T-007","source_code":"default","quantity":5',
            b'"sku":"T-007","source_code":"default","quantity":"few"',
        )
    )
    pages = list(shop.open().stock.figures({}))
    assert [(one.code, one.subject) for page in pages for one in page.odd] == [
        ("malformed_row", "figure:default/T-007")
    ]
    assert sum(len(page.items) for page in pages) == 119


# -- without sources -------------------------------------------------------------------------------------------------


def test_without_sources_each_product_has_one_figure(magento: Any) -> None:
    bench = magento(world="empty", msi=False)
    bench.simulator.stock({"CUP": 5, "TIN + LID": 6, "CAFÉ": 7})
    client = bench.open()
    found = figures(bench, client)
    assert {ref: int(one.quantity) for ref, one in found.items()} == {
        "stock-items/CUP": 5, "stock-items/TIN + LID": 6, "stock-items/CAFÉ": 7,
    }  # fmt: skip
    assert fates(client.levels.set_levels(levels(found))) == [Fate.DONE] * 3
    assert bench.simulator.shelf() == {"CUP": 9, "TIN + LID": 9, "CAFÉ": 9}
    sale = bench.simulator.buy({"CUP": 1})
    assert client.sales.fetch([sale]).items[0].selling_point == "stock-items"


def test_without_sources_a_slash_cannot_be_signed_but_asked_for_by_token(magento: Any) -> None:
    bench = magento(world="empty", msi=False, bearer=True)
    bench.simulator.stock({"A/B": 5})
    (page,) = bench.open().stock.figures({})
    assert [(one.code, one.subject) for one in page.odd] == [("malformed_row", "figure:stock-items/A/B")]
    tokens = {"access_token_secret": "", "consumer_key": "", "consumer_secret": ""}
    client = bench.open(**tokens)
    (figure,) = next(client.stock.figures({})).items
    assert figure.quantity == 5
    assert fates(bench.open().levels.set_levels(levels({figure.ref: figure}))) == [Fate.REFUSED]
    assert fates(client.levels.set_levels(levels({figure.ref: figure}))) == [Fate.DONE]


# -- through the shop's queue ----------------------------------------------------------------------------------------


def queued(bench: Any) -> tuple[Any, list[float]]:
    client = bench.open(bulk="yes")
    assert isinstance(client.levels, MagentoLevels)
    waited: list[float] = []
    client.levels._queue._pause = waited.append
    return client, waited


def test_many_levels_go_through_the_queue_where_somebody_works_it_off(shop: Any) -> None:
    client, _ = queued(shop)
    assert client.levels.batch_size == 1000
    told = levels(figures(shop, client))
    shop.calls.clear()
    assert fates(client.levels.set_levels(told)) == [Fate.DONE] * 120
    assert sum(call.writes for call in shop.calls) == 2  # the trial and all of them
    assert set(shop.simulator.shelf().values()) == {9}
    assert shop.simulator.counters.effects["source_items"] == 120
    assert not [row for row in shop.simulator.dump()["source_items"] if row["sku"] == "comptoir-trial"]
    shop.calls.clear()
    client.levels.set_levels(told[:100])
    assert not [call for call in shop.calls if "async" in call.url]


def test_where_nobody_works_it_off_no_level_ever_lies_in_the_queue(shop: Any) -> None:
    shop.shop.set_quirk("consumer", False)
    client, waited = queued(shop)
    assert fates(client.levels.set_levels(levels(figures(shop, client)))) == [Fate.DONE] * 120
    assert sum(waited) < 20
    (operation,) = shop.shop.store.rows("SELECT body FROM operations")
    assert [row["sku"] for row in json.loads(operation["body"])["sourceItems"]] == ["comptoir-trial"]
    client.levels.set_levels(levels(figures(shop, client)))
    assert len(shop.simulator.dump()["operations"]) == 1


def test_a_bad_row_in_the_queue_is_found_outside_it(shop: Any) -> None:
    client, _ = queued(shop)
    told = levels(figures(shop, client))
    shop.shop.edit_product(shop.shop.by_sku("T-020")["entity_id"], sku=" T-020")
    answers = client.levels.set_levels(told)
    assert [answer.item for answer in answers if answer.fate is not Fate.DONE] == [20]


def test_a_queue_that_stops_in_between_is_not_trusted_again(shop: Any) -> None:
    client, _ = queued(shop)
    told = levels(figures(shop, client))
    client.levels.set_levels(told)
    shop.shop.set_quirk("consumer", False)
    again = levels(figures(shop, client), **{f"T_{number:03}": 2 for number in range(120)})
    assert fates(client.levels.set_levels(again)) == [Fate.UNKNOWN] * 120
    assert fates(client.levels.set_levels(again)) == [Fate.DONE] * 120
    assert set(shop.simulator.shelf().values()) == {2}

"""Levels told to Shopify: compared before they are set, one answer each, and never twice with effect."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from comptoir.channels.errors import NotLetIn, TryLater
from comptoir.channels.records import Fate, LevelToTell, StockFigure
from comptoir.connectors.shopify import operations
from comptoir.connectors.shopify.simulator import DEMO_TOKEN, VERSIONS
from comptoir.simulators.asking import Asker


def figures(bench: Any, **config: Any) -> dict[str, StockFigure]:
    found = {}
    for page in bench.open(**config).stock.figures({}):
        found.update({one.listing: one for one in page.items})
    return found


def levels(kept: list[StockFigure], units: int, *, expected: bool = True) -> list[LevelToTell]:
    return [
        LevelToTell(
            offer=number,
            listing=one.listing,
            selling_point=one.selling_point,
            ref=one.ref,
            level=Decimal(units),
            expected=one.quantity if expected else None,
        )
        for number, one in enumerate(kept)
    ]


def available(bench: Any, figure: StockFigure) -> int:
    return int(bench.shop.available(int(figure.listing)))


def sets(bench: Any) -> list[Any]:
    return [one for one in bench.simulator.counters.log if one.query == "inventorySetQuantities"]


@pytest.mark.parametrize("version", VERSIONS)
def test_many_levels_go_in_one_call_in_every_version(shopify: Any, version: str) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:20]
    answers = bench.open(version=version).levels.set_levels(levels(kept, 77))
    assert [one.item for one in answers] == list(range(20))
    assert {one.fate for one in answers} == {Fate.DONE}
    assert {available(bench, one) for one in kept} == {77}
    assert len(sets(bench)) == 1


def test_a_stale_level_is_a_conflict_and_the_others_are_written(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:5]
    bench.shop.set_stock(int(kept[1].listing), 3)
    bench.shop.set_stock(int(kept[3].listing), 4)
    answers = bench.open().levels.set_levels(levels(kept, 50))
    assert [one.fate for one in answers] == [Fate.DONE, Fate.CONFLICT, Fate.DONE, Fate.CONFLICT, Fate.DONE]
    assert [available(bench, one) for one in kept] == [50, 3, 50, 4, 50]
    assert len(sets(bench)) == 2


def test_an_error_that_names_no_entry_is_found_by_halves(shopify: Any) -> None:
    bench = shopify()
    bench.shop.quirks.stale_without_place = True
    kept = list(figures(bench).values())[:6]
    bench.shop.set_stock(int(kept[4].listing), 3)
    answers = bench.open().levels.set_levels(levels(kept, 50))
    assert [one.fate for one in answers] == [Fate.DONE] * 4 + [Fate.CONFLICT, Fate.DONE]
    assert [available(bench, one) for one in kept] == [50] * 4 + [3, 50]


def test_where_we_believe_nothing_the_figure_is_read_and_compared_with(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:3]
    bench.shop.set_stock(int(kept[0].listing), 9)
    bench.shop.set_stock(int(kept[1].listing), 50)
    answers = bench.open().levels.set_levels(levels(kept, 50, expected=False))
    assert {one.fate for one in answers} == {Fate.DONE}
    assert [available(bench, one) for one in kept] == [50, 50, 50]
    (call,) = sets(bench)
    assert len(call.changes) == 2  # what stood there already is not written again


def test_what_is_sold_between_reading_and_writing_is_a_conflict(shopify: Any) -> None:
    """Not believed and read: even so a buyer may be quicker than the write."""
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    variant = bench.shop.store.get("variant", kept.listing)
    inner = bench.application

    def buying(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        if b"inventorySetQuantities" in body:
            bench.shop.set_available(variant["item"], int(kept.selling_point), 1)
        return inner(environ, start_response)

    bench.application = buying
    (answer,) = bench.open().levels.set_levels(levels([kept], 50, expected=False))
    assert answer.fate is Fate.CONFLICT
    assert available(bench, kept) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_an_item_not_stocked_at_a_location_is_activated_and_set(shopify: Any, version: str) -> None:
    bench = shopify()
    other = bench.shop.add_location("Hill Road")
    kept = list(figures(bench).values())[:2]
    item = bench.shop.store.get("variant", kept[0].listing)["item"]
    told = LevelToTell(
        offer=1,
        listing=kept[0].listing,
        selling_point=str(other),
        ref=f"{item}@{other}",
        level=Decimal(6),
        expected=Decimal(0),
    )
    # Not compared first either: then the shop itself says that it is not stocked there.
    answers = bench.open(version=version).levels.set_levels(
        [
            told,
            *levels(kept[1:], 8),
            msgspec.structs.replace(told, offer=2, listing=kept[1].listing, ref="", expected=None),
        ]
    )
    assert [one.fate for one in answers] == [Fate.DONE] * 3
    assert bench.shop.level(item, other)["available"] == 6
    second = bench.shop.store.get("variant", kept[1].listing)["item"]
    assert answers[2].ref == f"{second}@{other}"
    assert bench.shop.level(second, other)["available"] == 6


def test_what_was_stocked_before_stands_again_and_is_set_afterwards(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    item, location = (int(part) for part in kept.ref.split("@"))
    bench.shop.deactivate(item, location)
    (answer,) = bench.open().levels.set_levels(levels([kept], 6, expected=False))
    assert answer.fate is Fate.DONE
    assert bench.shop.level(item, location)["available"] == 6


@pytest.mark.parametrize("fault", ["time_out_after", "reset_after", "time_out_before", "status_after"])
def test_a_lost_answer_is_asked_for_with_the_same_key_and_has_one_effect(shopify: Any, fault: str) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:3]
    client = bench.open()
    client.probe.look_around()
    bench.simulator.faults.add(fault, status=502)
    answers = client.levels.set_levels(levels(kept, 31))
    assert {one.fate for one in answers} == {Fate.DONE}
    assert [available(bench, one) for one in kept] == [31, 31, 31]
    assert bench.simulator.counters.effects["inventory_levels"] == 3


def test_an_answer_lost_twice_is_read_back(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:2]
    client = bench.open()
    bench.simulator.faults.add("time_out_after", times=2)
    assert {one.fate for one in client.levels.set_levels(levels(kept, 31))} == {Fate.DONE}
    now = [msgspec.structs.replace(one, quantity=Decimal(31)) for one in kept]
    bench.simulator.faults.add("time_out_before", times=2)
    assert {one.fate for one in client.levels.set_levels(levels(now, 32))} == {Fate.UNKNOWN}
    assert [available(bench, one) for one in kept] == [31, 31]


def test_a_bundle_and_a_stranger_are_refused_and_the_others_written(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:2]
    pack = next(row for row in bench.shop.store.all("variant") if row["parts"])
    place = kept[0].selling_point
    one = Decimal(1)
    extra = [
        LevelToTell(offer=offer, listing=listing, selling_point=point, ref=ref, level=one, expected=expected)
        for offer, listing, point, ref, expected in (
            (10, str(pack["id"]), place, f"{pack['item']}@{place}", Decimal(0)),
            (11, "99", place, f"99@{place}", Decimal(0)),
            (12, "99", place, "", None),
            (13, "x", "y", "z", None),
        )
    ]
    answers = bench.open().levels.set_levels([*levels(kept, 8), *extra])
    assert [one.fate for one in answers] == [Fate.DONE, Fate.DONE, *[Fate.REFUSED] * 4]
    assert "NON_MUTABLE_INVENTORY_ITEM" in answers[2].reason
    assert [available(bench, one) for one in kept] == [8, 8]


def test_of_two_levels_for_one_figure_the_last_counts(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    first, second = levels([kept], 8)[0], msgspec.structs.replace(levels([kept], 9)[0], offer=5)
    assert [one.fate for one in bench.open().levels.set_levels([first, second])] == [Fate.CONFLICT, Fate.DONE]
    assert available(bench, kept) == 9


def test_fractions_are_rounded_down(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    told = msgspec.structs.replace(levels([kept], 1)[0], level=Decimal("7.900"))
    assert bench.open().levels.set_levels([told])[0].fate is Fate.DONE
    assert available(bench, kept) == 7


def test_a_throttled_batch_waits_and_nothing_was_done(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:2]
    client = bench.open()
    bench.shop.quirks.bucket, bench.shop.quirks.restore = 2000.0, 100.0
    bench.simulator.bucket.left = 0.0
    with pytest.raises(TryLater) as caught:
        client.levels.set_levels(levels(kept, 8))
    assert caught.value.wait is not None
    assert bench.writes_received() == 0


def test_what_was_written_before_a_throttle_is_answered(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:3]
    bench.shop.set_stock(int(kept[1].listing), 3)
    bench.shop.quirks.stale_without_place = True
    client = bench.open()
    bench.simulator.faults.add("throttled", skip=2, retry_after="3", times=None)
    fates = [one.fate for one in client.levels.set_levels(levels(kept, 50))]
    assert fates[0] is Fate.DONE
    assert set(fates[1:]) == {Fate.UNKNOWN}


def test_without_the_scope_it_is_said_which(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:1]
    bench.shop.configure(scopes=[one for one in bench.shop.settings["scopes"] if one != "write_inventory"])
    with pytest.raises(NotLetIn) as caught:
        bench.open().levels.set_levels(levels(kept, 8))
    assert caught.value.facts["right"] == "write_inventory"


# -- the double keeps what the sheet says --------------------------------------------------------------------------------


def ask(bench: Any, query: str, version: str = "2026-07", **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables})
    headers = {"x-shopify-access-token": DEMO_TOKEN, "content-type": "application/json"}
    return (
        Asker(bench.simulator.wsgi).ask("POST", f"/admin/api/{version}/graphql.json", body=body, headers=headers).json()
    )


def entry(figure: StockFigure, quantity: int, **more: Any) -> dict[str, Any]:
    item, location = figure.ref.split("@")
    return {
        "inventoryItemId": f"gid://shopify/InventoryItem/{item}",
        "locationId": f"gid://shopify/Location/{location}",
        "quantity": quantity,
        **more,
    }


KEY = "0b0e5f0e-6f0d-4b59-9a53-2f2b6d1f9b11"
PLAIN = operations.SET_LEVELS.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")


def told(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"name": "available", "reason": "correction", "quantities": list(entries)}


def codes(answer: Any) -> list[str]:
    return [one["code"] for one in answer["data"]["inventorySetQuantities"]["userErrors"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_directive_is_required_from_2026_04_on(shopify: Any, version: str) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    answer = ask(bench, PLAIN, version, input=told(entry(kept, 5, changeFromQuantity=None)))
    assert ("errors" in answer) is (version >= "2026-04")


def test_the_compared_figure_must_be_sent_and_null_writes_without_looking(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    assert codes(ask(bench, operations.SET_LEVELS, input=told(entry(kept, 5)), key=KEY)) == [
        "COMPARE_QUANTITY_REQUIRED"
    ]
    given = told(entry(kept, 5, changeFromQuantity=None))
    assert codes(ask(bench, operations.SET_LEVELS, input=given, key=KEY.replace("0b", "1b"))) == []
    assert available(bench, kept) == 5


def test_the_old_comparison_is_taken_in_2026_01_only(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    old = told(entry(kept, 5, compareQuantity=int(kept.quantity)))
    assert codes(ask(bench, PLAIN, "2026-01", input=old)) == []
    assert "errors" in ask(bench, operations.SET_LEVELS, "2026-04", input=old, key=KEY)


def test_the_same_key_gives_the_stored_answer_and_another_question_is_a_mismatch(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    given = told(entry(kept, 5, changeFromQuantity=int(kept.quantity)))
    first = ask(bench, operations.SET_LEVELS, input=given, key=KEY)
    again = ask(bench, operations.SET_LEVELS, input=given, key=KEY)
    assert codes(first) == codes(again) == []
    assert bench.simulator.counters.effects["inventory_levels"] == 1
    other = told(entry(kept, 6, changeFromQuantity=5))
    assert codes(ask(bench, operations.SET_LEVELS, input=other, key=KEY)) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]


def test_one_stale_entry_leaves_the_whole_list_as_it_was(shopify: Any) -> None:
    bench = shopify()
    kept = list(figures(bench).values())[:2]
    given = told(entry(kept[0], 5, changeFromQuantity=int(kept[0].quantity)), entry(kept[1], 5, changeFromQuantity=999))
    assert codes(ask(bench, operations.SET_LEVELS, input=given, key=KEY)) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert available(bench, kept[0]) == kept[0].quantity


def test_a_pair_may_stand_once_and_a_level_may_not_be_negative(shopify: Any) -> None:
    bench = shopify()
    (kept,) = list(figures(bench).values())[:1]
    one = entry(kept, 5, changeFromQuantity=int(kept.quantity))
    assert codes(ask(bench, operations.SET_LEVELS, input=told(one, one), key=KEY)) == [
        "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
    ]
    minus = told(entry(kept, -1, changeFromQuantity=None))
    assert codes(ask(bench, operations.SET_LEVELS, input=minus, key=KEY.replace("0b", "1b"))) == [
        "INVALID_QUANTITY_NEGATIVE"
    ]

"""Stock figures of the simulated shop, and levels told to it: batches, parts of batches, and figures that are not what they seem."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, TryLater
from comptoir.channels.records import Answer, Fate, LevelToTell

BATCH = "/wp-json/wc/v3/products/batch"


def level(offer: int, listing: str, quantity: str | int) -> LevelToTell:
    return LevelToTell(offer=offer, listing=listing, selling_point="shop", ref=listing, level=Decimal(quantity))


def figures(bench: Any) -> dict[str, Decimal]:
    pages = list(bench.open().stock.figures({}))
    return {one.listing: one.quantity for page in pages for one in page.items}


def fates(answers: list[Answer]) -> list[tuple[int, Fate]]:
    return [(one.item, one.fate) for one in answers]


def many(bench: Any, count: int) -> list[str]:
    return [f"{bench.shop.add_product(f'P{n}', sku=f'P{n}', price='1', quantity=5)}-0" for n in range(count)]


# -- figures -------------------------------------------------------------------------------------------------------------


def test_every_figure_that_is_counted_is_read_once_and_by_its_listing(woo: Any) -> None:
    bench = woo()
    found = figures(bench)
    shelf = bench.simulator.shelf()
    lantern, cushion, ribbon = (bench.product(sku) for sku in ("LAN-001", "CUS-200", "RIB-210"))
    assert found[f"{lantern}-0"] == shelf["LAN-001"]
    first = bench.shop.variations_of(cushion)[0]
    assert found[f"{cushion}-{first['id']}"] == shelf[first["sku"]]
    assert f"{cushion}-0" not in found
    assert found[f"{ribbon}-0"] == 58  # the one figure, once
    assert not any(listing.startswith(f"{ribbon}-") and listing != f"{ribbon}-0" for listing in found)
    for sku in ("GVC-400", "WRP-310", "SET-320", "EXT-330", "BOX-340"):
        assert f"{bench.product(sku)}-0" not in found


def test_what_shares_or_is_computed_is_said_and_not_read(woo: Any) -> None:
    bench = woo()
    pages = list(bench.open().stock.figures({}))
    said = {one.subject for page in pages for one in page.odd if one.code == "stock_computed_by_shop"}
    ribbon = bench.product("RIB-210")
    expected = {f"listing:{ribbon}-{one['id']}" for one in bench.shop.variations_of(ribbon)}
    assert said == expected | {f"listing:{bench.product('BOX-340')}-0"}


def test_figures_are_read_again_by_what_they_are_called(woo: Any) -> None:
    bench = woo()
    known = figures(bench)
    wanted = [*list(known)[:5], *(one for one in known if not one.endswith("-0"))]
    page = bench.open().stock.fetch([*wanted, "nonsense", "999999-0", "999999-1", wanted[0]])
    assert {one.ref: one.quantity for one in page.items} == {one: known[one] for one in wanted}
    assert set(page.seen) == set(wanted)


def test_a_negative_figure_and_a_fraction_are_read_as_they_stand(woo: Any) -> None:
    bench = woo(world="empty")
    cup = bench.shop.add_product("Cup", sku="CUP", price="1", quantity=1, backorders="notify")
    bench.shop.place_order([{"product": cup, "quantity": 4}])
    assert figures(bench) == {f"{cup}-0": Decimal(-3)}
    bench.change_bodies(lambda path, body: body.replace(b'"stock_quantity": -3', b'"stock_quantity": 2.375'))
    assert figures(bench) == {f"{cup}-0": Decimal("2.375")}


def test_a_figure_that_makes_no_sense_is_a_finding_and_the_others_go_on(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 3)
    bench.shop.set_stock(int(listings[1].split("-")[0]), 77)
    bench.change_bodies(lambda path, body: body.replace(b'"stock_quantity": 77', b'"stock_quantity": "plenty"'))
    (page,) = bench.open().stock.figures({})
    assert [one.listing for one in page.items] == [listings[0], listings[2]]
    assert [(one.code, one.subject) for one in page.odd] == [("malformed_row", f"figure:{listings[1]}")]


# -- levels --------------------------------------------------------------------------------------------------------------


def test_simple_products_go_in_one_call_and_variations_in_one_for_each_product(woo: Any) -> None:
    bench = woo()
    cushion, scarf = bench.product("CUS-200"), bench.product("SCA-201")
    listings = [f"{bench.product(sku)}-0" for sku in ("LAN-001", "LAN-002", "CAN-010")]
    listings += [f"{one}-{row['id']}" for one in (cushion, scarf) for row in bench.shop.variations_of(one)]
    client = bench.open()
    list(client.sales.changed_since({}, start=None))  # by then the shop has let us in
    bench.calls.clear()
    answers = client.levels.set_levels([level(n, one, n + 1) for n, one in enumerate(listings)])
    assert fates(answers) == [(n, Fate.DONE) for n in range(len(listings))]
    assert [call.writes for call in bench.calls] == [True] * 3
    known = figures(bench)
    assert [known[one] for one in listings] == [n + 1 for n in range(len(listings))]


def test_a_level_is_whole_pieces_rounded_down(woo: Any) -> None:
    bench = woo(world="empty")
    (cup,) = many(bench, 1)
    assert bench.open().levels.set_levels([level(1, cup, "4.999")])[0].fate is Fate.DONE
    assert figures(bench)[cup] == 4


def test_an_item_that_is_refused_does_not_hold_the_others(woo: Any) -> None:
    bench = woo()
    cushion = bench.product("CUS-200")
    lantern = f"{bench.product('LAN-001')}-0"
    one = f"{cushion}-{bench.shop.variations_of(cushion)[0]['id']}"
    told = [lantern, "999999-0", f"{cushion}-999999", "999999-5", "nonsense", one]
    answers = bench.open().levels.set_levels([level(n, listing, 3) for n, listing in enumerate(told)])
    assert [answer.fate for answer in answers] == [
        Fate.DONE,
        Fate.REFUSED,
        Fate.REFUSED,
        Fate.REFUSED,
        Fate.REFUSED,
        Fate.DONE,
    ]
    assert all(answer.reason for answer in answers if answer.fate is Fate.REFUSED)


def test_a_batch_that_is_refused_as_a_whole_is_halved_unless_its_place_is_gone(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 8)
    told = [level(n, one, 3) for n, one in enumerate(listings)]
    client = bench.open()
    client.sales.fetch(["1"])
    bench.simulator.faults.add("status_before", method="POST", path=BATCH, status=413)
    assert {answer.fate for answer in client.levels.set_levels(told)} == {Fate.DONE}
    assert bench.writes_received() == 2
    bench.calls.clear()
    bench.simulator.faults.add("status_before", method="POST", path=BATCH, status=404, times=None)
    assert {answer.fate for answer in client.levels.set_levels(told)} == {Fate.REFUSED}
    assert len(bench.calls) == 1


def test_the_shared_figure_is_told_once_and_a_variation_of_it_never(woo: Any) -> None:
    bench = woo()
    ribbon = bench.product("RIB-210")
    variation = bench.shop.variations_of(ribbon)[0]["id"]
    shared, own = bench.open().levels.set_levels([level(1, f"{ribbon}-0", 40), level(2, f"{ribbon}-{variation}", 9)])
    assert (shared.fate, own.fate) == (Fate.DONE, Fate.REFUSED)
    assert "together" in own.reason
    assert bench.shop.figure(ribbon, variation) == 40
    assert bench.shop.store.get("variation", variation)["doc"]["manage_stock"] is False


def test_what_the_shop_does_not_count_stays_so_unless_the_merchant_wants_it_counted(woo: Any) -> None:
    bench = woo()
    paper = bench.product("WRP-310")
    (answer,) = bench.open().levels.set_levels([level(1, f"{paper}-0", 12)])
    assert answer.fate is Fate.REFUSED
    assert "does not count" in answer.reason
    assert bench.shop.figure(paper) is None
    assert bench.open(counts_all="yes").levels.set_levels([level(1, f"{paper}-0", 12)])[0].fate is Fate.DONE
    assert bench.shop.figure(paper) == 12


def test_a_shop_that_counts_nothing_refuses_and_says_why(woo: Any) -> None:
    bench = woo()
    bench.shop.configure("woocommerce_manage_stock", "no")
    (answer,) = bench.open().levels.set_levels([level(1, f"{bench.product('LAN-001')}-0", 12)])
    assert answer.fate is Fate.REFUSED
    assert "switched off" in answer.reason
    assert bench.shop.figure(bench.product("LAN-001")) == 42


def test_of_two_levels_for_one_thing_the_last_counts(woo: Any) -> None:
    bench = woo(world="empty")
    (cup,) = many(bench, 1)
    answers = bench.open().levels.set_levels([level(1, cup, 3), level(2, cup, 8)])
    assert fates(answers) == [(1, Fate.CONFLICT), (2, Fate.DONE)]
    assert figures(bench)[cup] == 8


def test_fifty_go_in_one_call_and_neither_stock_status_nor_counting_is_sent(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 50)
    bodies: list[bytes] = []
    inner = bench.application

    def kept(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            import io

            bodies.append(environ["wsgi.input"].read())
            environ["wsgi.input"] = io.BytesIO(bodies[-1])
        return inner(environ, start_response)

    bench.application = kept
    answers = bench.open().levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert {answer.fate for answer in answers} == {Fate.DONE}
    assert len(bodies) == 1
    assert b"stock_status" not in bodies[0]
    assert b"manage_stock" not in bodies[0]


# -- answers that are lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (b'{"update": "yes"}', Fate.DONE),
        (b'{"success": true}', Fate.DONE),
        (b"[]", Fate.DONE),
        (b'{"update": [{"id": %d, "manage_stock": true, "stock_quantity": "plenty"}]}', Fate.UNKNOWN),
        (b'{"update": [{"id": %d, "error": {"code": "stop", "message": "no"}}]}', Fate.REFUSED),
        (b'{"update": [{"id": %d, "error": {}}]}', Fate.REFUSED),
        (b'{"update": [{"id": %d, "manage_stock": true, "stock_quantity": 4}]}', Fate.REFUSED),
    ],
)
def test_an_answer_to_a_batch_that_is_none_is_read_back_and_one_that_differs_is_said(
    woo: Any, answer: bytes, fate: Fate
) -> None:
    bench = woo(world="empty")
    (cup,) = many(bench, 1)
    told = answer % int(cup.split("-")[0]) if b"%d" in answer else answer
    bench.change_bodies(lambda path, body: told if path == BATCH else body)
    assert bench.open().levels.set_levels([level(1, cup, 2)])[0].fate is fate
    bench.application = bench.simulator.wsgi
    assert figures(bench)[cup] == 2


@pytest.mark.parametrize(
    "fault", ["time_out_after", "reset_after", "status_after", "truncated", "malformed", "html_page"]
)
def test_a_lost_answer_is_read_back(woo: Any, fault: str) -> None:
    bench = woo(world="empty")
    listings = many(bench, 6)
    bench.simulator.faults.add(fault, method="POST", path=BATCH, status=504)
    answers = bench.open().levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert {answer.fate for answer in answers} == {Fate.DONE}
    assert set(figures(bench).values()) == {2}


def test_a_lost_answer_to_something_that_was_not_done_is_told_again_in_halves(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 8)
    bench.simulator.faults.add("time_out_before", method="POST", path=BATCH)
    answers = bench.open().levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert {answer.fate for answer in answers} == {Fate.DONE}
    assert bench.simulator.counters.writes["products"] == 2


def test_a_batch_too_heavy_for_the_shop_is_halved_until_it_fits_and_stays_so(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 100)
    bench.shop.set_quirk("weighs", 15)
    levels = bench.open().levels
    first = levels.set_levels([level(n, one, 2) for n, one in enumerate(listings[:50])])
    assert {answer.fate for answer in first} == {Fate.DONE}
    before = len(bench.calls)
    second = levels.set_levels([level(n, one, 3) for n, one in enumerate(listings[50:])])
    assert {answer.fate for answer in second} == {Fate.DONE}
    assert all(call.status == 200 for call in bench.calls[before:])  # the size that fitted is remembered


def test_a_shop_that_never_manages_leaves_them_unknown_after_a_few_tries(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 50)
    bench.simulator.faults.add("time_out_before", method="POST", path=BATCH, times=None)
    answers = bench.open().levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert {answer.fate for answer in answers} == {Fate.UNKNOWN}
    assert sum(call.writes for call in bench.calls) < 20
    assert set(figures(bench).values()) == {5}


def test_where_not_even_reading_back_works_they_are_unknown(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 4)
    client = bench.open()
    list(client.sales.changed_since({}, start=None))
    bench.simulator.faults.add("time_out_after", times=None)
    answers = client.levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert {answer.fate for answer in answers} == {Fate.UNKNOWN}


def test_a_throttle_before_anything_is_told_is_handed_on(woo: Any) -> None:
    bench = woo(world="empty")
    listings = many(bench, 2)
    client = bench.open()
    bench.throttle(9, times=2)
    with pytest.raises(TryLater) as caught:
        client.levels.set_levels([level(n, one, 2) for n, one in enumerate(listings)])
    assert caught.value.wait == 9


def test_a_throttle_in_the_middle_keeps_the_answers_that_are_there(woo: Any) -> None:
    bench = woo()
    cushion = bench.product("CUS-200")
    told = [f"{bench.product('LAN-001')}-0", f"{cushion}-{bench.shop.variations_of(cushion)[0]['id']}"]
    client = bench.open()
    list(client.sales.changed_since({}, start=None))
    bench.simulator.faults.add("throttled", method="POST", path="*/variations/batch")
    answers = client.levels.set_levels([level(n, one, 2) for n, one in enumerate(told)])
    assert fates(answers) == [(0, Fate.DONE), (1, Fate.UNKNOWN)]


def test_a_key_that_is_revoked_pauses_the_channel(woo: Any) -> None:
    bench = woo(world="empty")
    (cup,) = many(bench, 1)
    client = bench.open()
    list(client.sales.changed_since({}, start=None))
    bench.revoke()
    with pytest.raises(NotLetIn):
        client.levels.set_levels([level(1, cup, 2)])


def test_the_echo_of_a_level_is_a_hint_that_changes_nothing(woo: Any) -> None:
    bench = woo(world="empty")
    (cup,) = many(bench, 1)
    client = bench.open()
    product = cup.split("-")[0]
    before = client.products.fetch([product]).items[0]
    bench.shop.add_webhook("product.updated", "https://hub.test/x", "hush", ping=False)
    client.levels.set_levels([level(1, cup, 2)])
    assert len(bench.shop.deliveries()) == 1
    after = client.products.fetch([product]).items[0]
    assert after.listings == before.listings

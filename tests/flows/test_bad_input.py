"""Untidy shops: what cannot be read ends as a finding that says what and where, the rest goes on, and it heals by itself
once the shop is tidy again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from shop_world import World, connect

from comptoir.commerce.catalog.models import Price, Variant
from comptoir.commerce.orders.models import Order
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine.models import Finding, Flow, Run
from comptoir.flows import house
from comptoir.kit import clock
from comptoir.offers.models import Link
from comptoir.simulators.faults import Fault, FaultKind, spoil
from comptoir.staging.models import StagedSale

GOODS = 6
MARK = "Spoilt"


@pytest.fixture
def tidy(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """A small shop that was read once without a complaint."""
    shop = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/London")
    shop.clock.set(manual_clock.now())
    for number in range(GOODS):
        shop.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=40)
    doors["shop.test"] = shop
    world = connect(shop, manual_clock)
    for kind in ("pull_products", "pull_sales", "pull_stock_once"):
        world.run(kind)
    assert open_findings() == []
    return world


def open_findings(*codes: str) -> list[tuple[str, str]]:
    """What is open, of these codes where some are given: (code, subject)."""
    found = Finding.objects.filter(closed_at__isnull=True).order_by("code", "subject")
    return list((found.filter(code__in=codes) if codes else found).values_list("code", "subject"))


def facts_of(code: str) -> dict[str, Any]:
    return dict(Finding.objects.get(code=code, closed_at__isnull=True).facts)


def later(world: World, kind: str, **span: float) -> Run:
    """The same flow some time later."""
    world.pass_time(**(span or {"hours": 3}))
    return Run.objects.get(pk=world.run(kind))


def sell(world: World, product: int, **details: Any) -> int:
    return world.shop.state.place_order([Line(product, quantity=1)], **{"state": "PS_OS_PAYMENT", **details})


def spoil_answers(world: World, kind: str, mark: str) -> Callable[[], None]:
    """Every answer in which `mark` occurs goes wrong, until the function that comes back is called."""
    answer = world.shop.answer
    fault = Fault(FaultKind(kind))

    def spoilt(asked: Any, hidden: str) -> Any:
        good = answer(asked, hidden)
        if mark.encode() not in good.body:
            return good
        if kind == "html_page":
            good.headers["Content-Type"] = "text/html"
            good.body = b"<!DOCTYPE html><html><body><h1>Back soon</h1></body></html>"
            return good
        return spoil(fault, good)

    world.shop.answer = spoilt  # type: ignore[method-assign]

    def heal() -> None:
        world.shop.answer = answer  # type: ignore[method-assign]

    return heal


# -- answers that cannot be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["malformed", "html_page", "huge"])
def test_one_product_that_spoils_its_page_is_named_and_the_rest_comes_in(tidy: World, kind: str) -> None:
    state = tidy.shop.state
    tidy.pass_time(hours=1)
    before = state.add_product("Jug A", reference="JUG-A", price="5.00")
    bad = state.add_product(MARK, reference="BAD", price="5.00")
    after = state.add_product("Jug B", reference="JUG-B", price="5.00")
    heal = spoil_answers(tidy, kind, MARK)
    run = later(tidy, "pull_products")
    assert (run.status, run.outcome, run.failed, run.created) == ("done", "partial", 1, 2)
    assert open_findings() == [("unreadable_answer", f"product:{bad}")]
    facts = facts_of("unreadable_answer")
    assert facts["problem"]
    assert facts.get("answer") or facts.get("size")
    known = set(Link.objects.filter(kind="product").values_list("external_id", flat=True))
    assert {str(before), str(after)} <= known
    assert str(bad) not in known

    heal()
    run = later(tidy, "update_products")
    assert (run.outcome, run.created) == ("good", 1)
    assert open_findings() == []


@pytest.mark.parametrize("kind", ["malformed", "html_page", "huge"])
def test_one_sale_that_spoils_its_page_is_named_and_the_rest_becomes_orders(tidy: World, kind: str) -> None:
    tidy.pass_time(hours=1)
    good, bad, other = sell(tidy, 1), sell(tidy, 2, reference="SPOILTREF"), sell(tidy, 3)
    heal = spoil_answers(tidy, kind, "<reference><![CDATA[SPOILTREF]]>")
    run = later(tidy, "pull_sales")
    assert (run.status, run.outcome, run.failed, run.created) == ("done", "partial", 1, 2), run.error
    assert open_findings() == [("unreadable_answer", f"sale:{bad}")]
    assert set(Order.objects.values_list("external_id", flat=True)) == {str(good), str(other)}

    heal()
    tidy.shop.state.store.update("orders", bad, note="touched")
    run = later(tidy, "pull_sales")
    assert set(Order.objects.values_list("external_id", flat=True)) == {str(good), str(bad), str(other)}
    assert open_findings() == []


@pytest.mark.parametrize("flow", ["pull_products", "pull_sales", "check_stock"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("malformed", "not_understood"),
        ("html_page", "not_understood"),
        ("huge", "not_understood"),
        ("truncated", "channel_unreachable"),
    ],
)
def test_a_shop_that_answers_nothing_readable_fails_the_run_and_says_where(
    tidy: World, kind: str, code: str, flow: str
) -> None:
    tidy.pass_time(hours=1)
    tidy.shop.state.add_product("Jug", reference="JUG", price="5.00")
    sell(tidy, 1)
    cursor = Flow.objects.get(channel=tidy.channel, kind=flow).cursor
    tidy.shop.faults.add(kind, times=None)
    run = later(tidy, flow)
    for _ in range(10):  # what may pass is tried again by itself first
        if run.status != "queued":
            break
        tidy.pass_time(minutes=10)
        tidy.drain(flow)
        run.refresh_from_db()
    assert run.status == "failed", run.error
    assert open_findings(code) == [(code, f"flow:{flow}")]
    facts = facts_of(code)
    assert "shop.test/api" in facts["url"]
    assert facts["text"]
    assert Flow.objects.get(channel=tidy.channel, kind=flow).cursor == cursor

    tidy.shop.faults.clear()
    run = later(tidy, flow)
    assert (run.status, run.outcome) == ("done", "good"), run.error
    assert open_findings() == []


@pytest.mark.parametrize(
    "kind", ["malformed", "html_page", "truncated", "huge", "junk_before", "reset_before", "throttled"]
)
def test_a_hiccup_costs_time_and_leaves_nothing_open(tidy: World, kind: str) -> None:
    tidy.pass_time(hours=1)
    product = tidy.shop.state.add_product("Jug", reference="JUG", price="5.00")
    tidy.shop.faults.add(kind, path="/api/products", query="display=full", times=1)
    run = later(tidy, "pull_products")
    tidy.pass_time(minutes=10)
    tidy.drain("pull_products")
    run.refresh_from_db()
    assert (run.status, run.outcome) == ("done", "good"), run.error
    assert Link.objects.filter(kind="product", external_id=str(product)).exists()
    assert [one for one in open_findings() if one[0] != "junk_in_answer"] == []


# -- products ------------------------------------------------------------------------------------------------------------


def test_a_product_without_sku_gets_one_of_ours_and_is_named(tidy: World) -> None:
    tidy.pass_time(hours=1)
    product = tidy.shop.state.add_product("Nameless", reference="", price="5.00")
    run = later(tidy, "pull_products")
    assert (run.outcome, run.created) == ("good", 1)
    assert open_findings() == [("product_without_sku", f"listing:{product}-0")]
    assert Link.objects.get(kind="listing", external_id=f"{product}-0").variant.sku == f"shop-{product}-0"

    tidy.shop.state.edit_product(product, reference="NAMED")
    later(tidy, "pull_products")
    assert open_findings("product_without_sku") == []


def test_two_products_with_one_sku_wait_for_a_person_and_the_rest_comes_in(tidy: World) -> None:
    tidy.pass_time(hours=1)
    first = tidy.shop.state.add_product("Vase", reference="VASE", price="5.00", quantity=1)
    second = tidy.shop.state.add_product("Other vase", reference="vase", price="5.00", quantity=1)
    third = tidy.shop.state.add_product("Jug", reference="JUG", price="5.00", quantity=1)
    later(tidy, "pull_products")
    [(code, subject)] = open_findings()
    assert code == "duplicate_sku"
    assert subject in {f"listing:{first}-0", f"listing:{second}-0"}
    assert facts_of("duplicate_sku")["sku"].lower() == "vase"
    assert Variant.objects.filter(sku__iexact="vase").count() == 1
    assert Link.objects.filter(kind="listing", external_id=f"{third}-0").exists()

    tidy.shop.state.edit_product(second, reference="VASE-2")
    tidy.shop.state.edit_product(first, reference="VASE")
    run = later(tidy, "pull_products")
    assert run.outcome == "good"
    assert open_findings() == []
    skus = Link.objects.filter(kind="listing", external_id__in=[f"{first}-0", f"{second}-0"])
    assert {one.variant.sku for one in skus} == {"VASE", "VASE-2"}


def test_a_negative_price_is_named_and_not_taken_over(tidy: World) -> None:
    tidy.pass_time(hours=1)
    product = tidy.shop.state.add_product("Jug", reference="JUG", price="5.00")
    tidy.shop.state.store.update("products", product, price="-5.000000")
    other = tidy.shop.state.add_product("Bowl", reference="BOWL", price="6.00")
    later(tidy, "pull_products")
    assert open_findings() == [("negative_price", f"listing:{product}-0")]
    assert facts_of("negative_price")["price"].startswith("-5")
    assert set(Price.objects.filter(variant__sku__in=["JUG", "BOWL"]).values_list("variant__sku", "amount")) == {
        ("BOWL", Decimal(6))
    }
    assert Link.objects.filter(kind="listing", external_id=f"{other}-0").exists()

    tidy.shop.state.edit_product(product, price="5.00")
    later(tidy, "pull_products")
    assert open_findings() == []
    assert Price.objects.get(variant__sku="JUG").amount == Decimal(5)


# -- sales ---------------------------------------------------------------------------------------------------------------


def test_a_sale_with_a_negative_price_waits_for_a_person_and_the_rest_becomes_orders(tidy: World) -> None:
    tidy.pass_time(hours=1)
    bad = tidy.shop.state.place_order(
        [Line(1, quantity=1, unit_price_tax_excl=Decimal(-5), unit_price_tax_incl=Decimal(-6))], state="PS_OS_PAYMENT"
    )
    good = sell(tidy, 2)
    run = later(tidy, "pull_sales")
    assert (run.parked, run.created) == (1, 1)
    assert ("negative_price", f"sale:{bad}") in open_findings()
    assert StagedSale.objects.get(external_id=str(bad)).state == "repair"
    assert list(Order.objects.values_list("external_id", flat=True)) == [str(good)]


def test_a_sale_in_an_unknown_currency_waits_and_heals(tidy: World) -> None:
    tidy.pass_time(hours=1)
    bad, good = sell(tidy, 1), sell(tidy, 2)
    store = tidy.shop.state.store
    pounds = store.value("SELECT id_currency FROM orders WHERE id = ?", [bad])
    store.execute("UPDATE orders SET id_currency = 77 WHERE id = ?", [bad])
    run = later(tidy, "pull_sales")
    assert (run.outcome, run.failed, run.created) == ("partial", 1, 1)
    assert open_findings() == [("unknown_currency", f"sale:{bad}")]
    assert "77" in facts_of("unknown_currency")["problem"]
    assert list(Order.objects.values_list("external_id", flat=True)) == [str(good)]

    store.execute("UPDATE orders SET id_currency = ? WHERE id = ?", [pounds, bad])
    later(tidy, "pull_sales")
    assert Order.objects.count() == 2
    assert open_findings() == []


@pytest.mark.parametrize("flow", ["pull_products", "pull_sales"])
def test_a_clock_that_is_wrong_is_named_and_hides_nothing(tidy: World, flow: str) -> None:
    """A stamp from the future must not carry the cursor over what comes before it."""
    resource, word = ("products", "product") if flow == "pull_products" else ("orders", "sale")
    state = tidy.shop.state
    tidy.pass_time(hours=1)

    def make(name: str) -> int:
        return state.add_product(name, reference=name, price="5.00") if resource == "products" else sell(tidy, 1)

    ahead = make("AHEAD")
    stamp = (tidy.at + timedelta(days=40)).strftime("%Y-%m-%d %H:%M:%S")
    state.store.execute(f"UPDATE {resource} SET date_upd = ? WHERE id = ?", [stamp, ahead])
    later(tidy, flow)
    assert open_findings() == [("clock_ahead", f"clock:{word}")]
    assert (facts_of("clock_ahead")["stamp"], facts_of("clock_ahead")["row"]) == (stamp, str(ahead))
    following = make("NEXT")
    later(tidy, flow)
    assert open_findings() == [("clock_ahead", f"clock:{word}")]
    if resource == "products":
        here = set(Link.objects.filter(kind="product").values_list("external_id", flat=True))
    else:
        here = set(Order.objects.values_list("external_id", flat=True))
    assert {str(ahead), str(following)} <= here

    stamp = tidy.at.strftime("%Y-%m-%d %H:%M:%S")
    state.store.execute(f"UPDATE {resource} SET date_upd = ? WHERE id = ?", [stamp, ahead])
    later(tidy, flow)
    assert open_findings() == []


def test_pages_that_shift_while_they_are_read_lose_nothing(tidy: World) -> None:
    """Between two pages a row changes, one is deleted and one is new: what is not in this run is in the next."""
    state = tidy.shop.state
    tidy.pass_time(hours=1)
    made = state.add_products(
        [{"name": f"Thing {number}", "reference": f"T-{number}", "price": "1.00"} for number in range(120)]
    )
    answer = tidy.shop.answer
    pages = 0

    def shifting(asked: Any, fault: str) -> Any:
        nonlocal pages
        given = answer(asked, fault)
        if asked.path == "/api/products" and asked.parameter("limit") == "50":
            pages += 1
            tidy.shop.clock.advance(timedelta(seconds=1))
            state.delete_product(made[pages])  # read already
            state.edit_product(made[pages + 10], price="2.00")  # read already, and changed
            state.edit_product(made[110 + pages], price="3.00")  # still to be read: its stamp leaves the interval
            made.append(state.add_product(f"New {pages}", reference=f"NEW-{pages}", price="4.00"))
        return given

    tidy.shop.answer = shifting  # type: ignore[method-assign]
    run = later(tidy, "pull_products")
    assert (run.status, run.outcome) == ("done", "good"), run.error
    assert pages >= 3
    tidy.shop.answer = answer  # type: ignore[method-assign]
    later(tidy, "pull_products")
    there = {str(row["id"]): row["price"] for row in state.dump()["products"]}
    here = dict(
        Price.objects.filter(variant__links__kind="listing").values_list("variant__links__external_id", "amount")
    )
    assert {key: Decimal(price) for key, price in there.items()} == {key: here.get(f"{key}-0") for key in there}
    assert house.check_all() == {part: [] for part in house.BOOKS}

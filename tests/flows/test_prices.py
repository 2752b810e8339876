"""Prices that the hub owns are told in the shop's terms, once, and only where they differ; whoever errs by much is asked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from shop_world import NOW, World, connect

from comptoir.channels.models import Channel
from comptoir.channels.records import Named, PriceFigure
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Price, PriceList
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator, hub_rights, pricing_rights
from comptoir.engine import queue
from comptoir.engine.models import Finding, PlanRow, Run
from comptoir.flows import connecting, taxes
from comptoir.flows import prices as flow
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.offers import actions as offers
from comptoir.offers import prices
from comptoir.offers.models import Link, OfferPrice, SellingPoint

RETAIL = "Retail"


class Shop:
    """A shop of a shirt at 10.00 in two sizes, the large one 2.00 more, and a dozen cups at 5.00; in production."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = world.shop.state
        self.point = SellingPoint.objects.get(channel=world.channel)
        self.own = PriceList.objects.get(currency="GBP", tax_included=False)

    def rule(self, price_list: PriceList | None = None, **rules: Any) -> None:
        """The hub owns prices from now on, by this list."""
        given = {"owns_price": False, "rate": None, "most_share": 10, "most_change": 30, **rules}
        with transaction.atomic(), queue.without_wakeups():
            chosen = (price_list or self.own).pk
            prices.set_rules(self.point.pk, price_list=chosen, at=self.world.at, actor=SYSTEM, **given)

    def variant(self, listing: str) -> int:
        found = Link.objects.get(channel=self.world.channel, kind="listing", external_id=listing).variant_id
        assert found is not None
        return found

    def price(self, listing: str, amount: str, price_list: PriceList | None = None) -> None:
        """A person changes a price."""
        with transaction.atomic(), queue.without_wakeups():
            chosen = (price_list or self.own).pk
            catalog.set_price(self.variant(listing), chosen, Decimal(amount), at=self.world.at, actor=SYSTEM)

    def there(self, listing: str) -> Decimal:
        product, attribute = map(int, listing.split("-"))
        base = Decimal(self.state.store.get("products", product)["price"])
        return base + Decimal(self.state.store.get("combinations", attribute)["price"]) if attribute else base

    def look_around(self) -> None:
        """Test the connection, as a person does."""
        row = self.world.channel
        seen = connecting.ask_around(row)
        with transaction.atomic(), queue.without_wakeups():
            connecting.keep_surroundings(row, seen, actor=SYSTEM, at=self.world.at)

    def state_tax(self, tax: str, rate: str) -> None:
        """A person states a rate."""
        self.world.channel.refresh_from_db()
        with transaction.atomic(), queue.without_wakeups():
            flow.state_tax(self.world.channel, tax, Decimal(rate), at=self.world.at, actor=SYSTEM)

    def push(self) -> Run:
        return Run.objects.get(pk=self.world.run("push_prices"))

    def planned(self) -> dict[str, tuple[str | None, str | None]]:
        rows = PlanRow.objects.filter(run_id=self.world.preview("push_prices"))
        return {row.facts["listing"]: (row.old, row.new) for row in rows}

    def writes(self) -> int:
        return int(self.world.shop.counters.writes.total())

    def open(self, code: str) -> dict[str, dict[str, Any]]:
        rows = Finding.objects.filter(channel=self.world.channel, code=code, closed_at__isnull=True)
        return {row.subject: row.facts for row in rows}


@pytest.fixture
def shop_of(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> Callable[..., Shop]:
    def make(version: str = "8.2", *, live: bool = True) -> Shop:
        simulator = PrestaShopSimulator(version=version, world="empty", timezone="Europe/London")
        simulator.clock.set(manual_clock.now())
        simulator.state.add_key(simulator.key, pricing_rights())
        simulator.state.add_product(
            "Shirt",
            reference="SHI",
            price="10.00",
            combinations=[
                {"reference": f"SHI-{size}", "price": extra, "quantity": 5, "options": {"Size": size}}
                for size, extra in (("S", "0"), ("L", "2.00"))
            ],
        )
        for number in range(12):
            simulator.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=9)
        doors["shop.test"] = simulator
        world = connect(simulator, manual_clock)
        for kind in ("pull_products", "pull_stock_once"):
            world.run(kind)
        if live:
            world.go_live()
            world.drain()
        return Shop(world)

    return make


SMALL, LARGE, CUP = "1-1", "1-2", "2-0"


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_an_imported_price_pushed_back_writes_nothing_and_the_preview_is_empty(
    shop_of: Callable[..., Shop], version: str
) -> None:
    shop = shop_of(version)
    shop.state.edit_product(3, price="4.123457")  # six decimals come in and stay
    shop.world.pass_time(minutes=40)
    shop.world.run("pull_products")
    before = shop.writes()
    shop.rule()
    assert shop.planned() == {}
    run = shop.push()
    assert (run.seen, run.unchanged, run.outcome) == (14, 14, "good")
    assert shop.writes() == before
    told = OfferPrice.objects.get(offer__listing="3-0")
    assert (told.told, told.currency, told.is_waiting, told.told_run) == (Decimal("4.123457"), "GBP", False, run.pk)
    assert not OfferPrice.objects.filter(is_waiting=True).exists()
    assert prices.channels_waiting([shop.world.channel.pk], shop.world.at) == set()


@pytest.mark.parametrize("version", ["8.2", "1.7"])
def test_what_a_preview_says_is_what_is_told_and_combinations_get_their_impact(
    shop_of: Callable[..., Shop], version: str
) -> None:
    shop = shop_of(version)
    shop.rule()
    shop.push()
    before = shop.writes()
    shop.price(SMALL, "12.50")
    shop.price(CUP, "5.25")
    planned = shop.planned()
    assert planned == {SMALL: ("10.00 GBP", "12.50 GBP"), CUP: ("5.00 GBP", "5.25 GBP")}
    assert shop.writes() == before  # a preview of a shop in production writes nothing

    run = shop.push()
    assert (run.seen, run.changed, run.outcome) == (2, 2, "good")
    assert shop.writes() - before == 2  # one call to products, one to combinations; 1.7: one object each
    assert shop.state.store.get("combinations", 1)["price"] == "2.500000"
    assert shop.state.store.get("products", 1)["price"] == "10.000000"
    assert (shop.there(SMALL), shop.there(CUP), shop.there(LARGE)) == (Decimal("12.5"), Decimal("5.25"), Decimal(12))
    assert shop.planned() == {}


def test_a_list_with_tax_is_told_without_by_the_rate_of_the_shop_or_that_of_a_person(
    shop_of: Callable[..., Shop],
) -> None:
    shop = shop_of()
    shop.state.edit_product(3, id_tax_rules_group=2)  # 5 %, and the others 20 %
    retail = catalog.price_list("retail", RETAIL, "GBP", tax_included=True)
    for listing, amount in ((CUP, "7.20"), ("3-0", "6.30"), (LARGE, "19.60")):
        shop.price(listing, amount, retail)
    shop.rule(retail, most_change=100)
    assert shop.planned() == {
        CUP: ("5.00 GBP", "6.00 GBP"),
        "3-0": ("5.00 GBP", "6.00 GBP"),
        LARGE: ("12.00 GBP", "16.333333 GBP"),
    }
    run = shop.push()
    assert (run.changed, run.skipped) == (3, 11)  # the list has no price for the others: theirs stay the shop's
    assert shop.there(LARGE) == Decimal("16.333333")
    assert shop.state.store.get("combinations", 2)["price"] == "6.333333"

    with transaction.atomic():
        offers.map_to(shop.world.channel.pk, "tax", "1", "10", at=shop.world.at, actor=SYSTEM)
        prices.mark_point(shop.point.pk, at=shop.world.at)
    assert shop.planned() == {CUP: ("6.00 GBP", "6.545455 GBP"), LARGE: ("16.333333 GBP", "17.818182 GBP")}


def test_without_a_tax_rate_nothing_is_told_and_a_person_is_asked_for_it(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.state.store.execute("DELETE FROM tax_rules WHERE id_tax_rules_group = 1")
    retail = catalog.price_list("retail", RETAIL, "GBP", tax_included=True)
    shop.price(CUP, "7.20", retail)
    shop.rule(retail, most_change=100)
    run = shop.push()
    assert (run.changed, run.parked) == (0, 1)
    assert shop.open("price_tax_missing") == {"tax:1": {"tax": "VAT standard"}}
    shop.look_around()
    asked = taxes.rows(shop.world.channel)
    assert [(one.name, one.rate) for one in asked] == [("VAT standard", None), ("VAT reduced", Decimal(5))]
    shop.state_tax("1", "20")
    assert shop.open("prices_held") == {f"channel:{shop.world.channel.pk}": {"prices": 14}}
    assert shop.push().changed == 0  # of a live channel a person sees the difference first
    flow.let_through(shop.world.channel.pk)
    assert shop.push().changed == 1
    assert shop.there(CUP) == Decimal(6)
    assert shop.open("price_tax_missing") == {}


def test_a_rate_that_the_shop_changes_lets_its_prices_be_compared_again(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    retail = catalog.price_list("retail", RETAIL, "GBP", tax_included=True)
    shop.price(CUP, "6.00", retail)
    shop.rule(retail, most_change=100)
    assert (shop.push().unchanged, shop.push().seen) == (1, 0)
    shop.look_around()
    assert shop.push().seen == 0  # it says what it said before
    shop.state.store.execute("UPDATE taxes SET rate = 25 WHERE id = 1")
    shop.look_around()
    assert shop.push().changed == 1
    assert shop.there(CUP) == Decimal("4.80")


def test_a_tax_class_without_a_rate_is_proposed_one_by_its_name_or_by_what_another_shop_says(db: None) -> None:
    here, other = (
        Channel.objects.create(
            name=code, code=code, kind="prestashop", currency="EUR", created_at=NOW, webhook_token=code
        )
        for code in ("here", "other")
    )
    names = {"1": "FR Taux réduit (5,5%)", "2": "Livres", "3": "Entre 5 % et 20 %", "4": "Import"}
    offers.see(here.pk, "tax", [Named(external_id=key, name=name) for key, name in names.items()], at=NOW)
    offers.see(here.pk, "tax", [Named(external_id="1", name="")], at=NOW)  # met again in a price, which has no names
    offers.see(other.pk, "tax", [Named(external_id="9", name="LIVRES")], at=NOW)
    offers.map_to(other.pk, "tax", "9", "5.5", at=NOW, actor=SYSTEM)
    offers.map_to(here.pk, "tax", "4", "0", at=NOW, actor=SYSTEM)

    found = taxes.rows(here)

    assert [(one.name, one.rate, one.proposed) for one in found] == [
        ("Entre 5 % et 20 %", None, None),
        ("FR Taux réduit (5,5%)", None, Decimal("5.5")),
        ("Livres", None, Decimal("5.5")),
        ("Import", Decimal(0), None),
    ]
    Channel.objects.filter(pk=other.pk).update(currency="SEK")  # another country's books are taxed otherwise
    assert [one.proposed for one in taxes.rows(here) if one.name == "Livres"] == [None]


def test_another_currency_is_told_at_a_stated_rate_and_without_one_refused(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    euros = catalog.price_list("euros", "Euros", "EUR", tax_included=False)
    shop.price(CUP, "6.00", euros)
    shop.price(SMALL, "12.00", euros)
    before = shop.writes()
    shop.rule(euros)
    run = shop.push()
    assert (run.changed, run.parked, run.outcome) == (0, 2, "partial")
    assert shop.open("price_rate_missing") == {"rate:EUR-GBP@1": {"from": "EUR", "to": "GBP"}}
    assert shop.writes() == before
    assert prices.channels_waiting([shop.world.channel.pk], shop.world.at) == set()  # it does not spin

    shop.rule(euros, rate=Decimal("0.85"))
    assert shop.open("price_rate_missing") == {}
    assert shop.push().changed == 2
    assert (shop.there(CUP), shop.there(SMALL)) == (Decimal("5.10"), Decimal("10.20"))
    # A rate is of two currencies: it is not taken for two others.
    point = SellingPoint.objects.get(pk=shop.point.pk)
    assert (point.price_rate_from, point.price_rate_to) == ("EUR", "GBP")
    SellingPoint.objects.filter(pk=point.pk).update(price_rate_to="USD")
    prices.mark_point(point.pk, at=shop.world.at)
    assert shop.push().parked == 2


def test_where_the_channel_owns_prices_nothing_is_ever_told(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    before = shop.writes()
    shop.price(CUP, "9.99")
    assert shop.planned() == {}
    assert shop.push().seen == 0
    shop.rule()
    shop.rule(owns_price=True)
    shop.price(CUP, "8.88")
    assert (shop.push().seen, shop.writes() - before) == (0, 0)
    assert shop.there(CUP) == 5


def test_a_price_of_nothing_waits_for_a_person_and_goes_out_with_a_yes(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    shop.price(CUP, "0")
    shop.price("3-0", "5.10")
    run = shop.push()
    assert (run.changed, run.parked, run.outcome) == (1, 1, "partial")
    assert (shop.there(CUP), shop.there("3-0")) == (5, Decimal("5.10"))
    assert shop.planned() == {CUP: ("5.00 GBP", "0.00 GBP")}
    assert PlanRow.objects.latest("id").kind == "held"  # a preview shows apart what waits for a person
    facts = shop.open("suspicious_prices")[f"channel:{shop.world.channel.pk}"]
    assert (facts["prices"], facts["sku"], facts["before"], facts["after"]) == (1, "CUP-0", "5.00 GBP", "0.00 GBP")
    shop.world.pass_time(hours=2)
    assert shop.push().parked == 1  # it waits for a person, however long
    with transaction.atomic(), queue.without_wakeups():
        flow.let_through(shop.world.channel.pk)
    assert shop.push().changed == 1
    assert shop.there(CUP) == 0
    assert shop.open("suspicious_prices") == {}


def test_many_large_changes_wait_and_small_ones_beside_them_go_out(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    wrong = [f"{number}-0" for number in range(2, 5)]
    for listing in wrong:
        shop.price(listing, "500")  # somebody lost the point
    shop.price("9-0", "5.50")
    run = shop.push()
    assert (run.changed, run.parked) == (1, 3)
    assert {shop.there(listing) for listing in wrong} == {Decimal(5)}
    # The mistake is corrected: what waited is settled, and nobody is asked any more.
    for listing in wrong:
        shop.price(listing, "5.00")
    assert shop.push().unchanged == 3
    assert shop.open("suspicious_prices") == {}
    # Two large changes are no more than the share allows, in a shop of fourteen: they are meant.
    for listing in wrong[:2]:
        shop.price(listing, "7.50")
    assert shop.push().changed == 2


def test_other_rules_of_a_live_channel_tell_nothing_before_a_person_has_looked(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.price(CUP, "5.25")
    shop.rule()
    with transaction.atomic():
        flow.look_first(shop.world.channel.pk, shop.point.pk, at=shop.world.at)
    shop.world.drain("push_prices")
    assert (shop.push().seen, shop.there(CUP)) == (0, 5)
    assert shop.open("prices_held") == {f"channel:{shop.world.channel.pk}": {"prices": 14}}
    assert shop.planned() == {CUP: ("5.00 GBP", "5.25 GBP")}
    with transaction.atomic(), queue.without_wakeups():
        flow.let_through(shop.world.channel.pk)
    assert shop.push().changed == 1
    assert (shop.there(CUP), shop.open("prices_held")) == (Decimal("5.25"), {})


def test_in_test_mode_a_push_only_says_what_it_would_do(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of(live=False)
    shop.rule()
    shop.price(CUP, "5.25")
    run = Run.objects.get(pk=shop.world.run("push_prices"))
    assert run.is_preview
    assert list(PlanRow.objects.filter(run=run).values_list("old", "new")) == [("5.00 GBP", "5.25 GBP")]
    shop.world.drain()
    assert shop.writes() == 0
    shop.world.go_live()
    shop.world.drain()
    assert shop.there(CUP) == Decimal("5.25")


def test_a_changed_price_starts_a_push_by_itself(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.world.drain()
    shop.price(LARGE, "12.50")
    assert flow.with_prices_to_tell([shop.world.channel.pk]) == {shop.world.channel.pk}
    shop.world.drain("push_prices")
    assert shop.there(LARGE) == Decimal("12.5")
    assert flow.with_prices_to_tell([shop.world.channel.pk]) == set()


def test_what_somebody_types_at_the_shop_is_told_over_and_never_taken_over(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    shop.state.edit_product(2, price="6.66")
    new = shop.state.add_product("Bowl", reference="BOWL", price="8.00", quantity=1)
    shop.world.pass_time(minutes=40)
    shop.world.run("pull_products")
    assert Price.objects.get(variant=shop.variant(CUP), price_list=shop.own).amount == 5
    assert (
        Price.objects.get(variant=shop.variant(f"{new}-0"), price_list=shop.own).amount == 8
    )  # it has to begin somehow
    row = OfferPrice.objects.get(offer__listing=CUP)
    assert (row.there, row.told, row.is_waiting) == (Decimal("6.66"), None, True)
    shop.push()
    assert (shop.there(CUP), shop.there(f"{new}-0")) == (5, 8)


@pytest.mark.parametrize("fault", ["time_out_before", "time_out_after"])
def test_a_lost_answer_is_unknown_and_the_shop_is_asked_before_anything_is_repeated(
    shop_of: Callable[..., Shop], fault: str
) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    shop.price(CUP, "5.25")
    shop.world.shop.faults.add(fault, method="PATCH", times=1)
    shop.world.shop.faults.add("status_before", method="GET", path="/api/products", skip=2, times=1, status=503)
    run = shop.push()
    row = OfferPrice.objects.get(offer__listing=CUP)
    assert (run.parked, row.told, row.is_waiting, row.refusals) == (1, None, True, 1)
    before = shop.writes()
    shop.world.pass_time(minutes=1)
    again = shop.push()
    came = fault == "time_out_after"
    assert (again.unchanged, again.changed) == ((1, 0) if came else (0, 1))
    assert shop.writes() - before == (0 if came else 1)
    assert (shop.there(CUP), OfferPrice.objects.get(offer__listing=CUP).told) == (Decimal("5.25"), Decimal("5.25"))


def test_a_refusal_is_a_finding_of_its_own_and_the_others_are_told(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    shop.state.add_key(shop.world.shop.key, hub_rights())
    shop.price(CUP, "5.25")
    run = shop.push()
    assert (run.status, run.failed) == ("done", 1)
    assert shop.open("price_refused")[f"listing:{CUP}"]["reason"] == "the key lacks the right products: PATCH"
    assert shop.world.channel.__class__.objects.get(pk=shop.world.channel.pk).health == "good"
    shop.state.add_key(shop.world.shop.key, pricing_rights())
    shop.world.pass_time(minutes=2)
    assert shop.push().changed == 1
    assert shop.open("price_refused") == {}


def test_back_in_test_what_was_told_is_not_believed_any_more(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of()
    shop.rule()
    shop.push()
    with transaction.atomic(), queue.without_wakeups():
        offers.tell_again(shop.world.channel.pk, at=shop.world.at, actor=SYSTEM)
    assert set(OfferPrice.objects.values_list("told", "is_waiting")) == {(None, True)}
    before = shop.writes()
    assert (shop.push().unchanged, shop.writes()) == (14, before)


def test_rules_that_make_no_sense_are_refused(shop_of: Callable[..., Shop]) -> None:
    shop = shop_of(live=False)
    rules = {
        "owns_price": False,
        "rate": None,
        "most_share": 10,
        "most_change": 30,
        "at": shop.world.at,
        "actor": SYSTEM,
    }
    for wrong, place in (
        ({"price_list": None}, "price_list"),
        ({"price_list": shop.own.pk, "rate": Decimal(0)}, "rate"),
        ({"price_list": shop.own.pk, "most_share": 0}, "most_share"),
    ):
        with pytest.raises(BadInput) as refused:
            prices.set_rules(shop.point.pk, **{**rules, **wrong})
        assert refused.value.facts["place"] == place


def figure(**fields: Any) -> PriceFigure:
    given = {"listing": "1-0", "selling_point": "1", "amount": Decimal(1), "currency": "EUR", "tax_included": False}
    return PriceFigure(**{**given, **fields})


def asked(amount: str, **fields: Any) -> prices.Wanted:
    given = {
        "offer": 1, "listing": "1-0", "point": "1", "variant": 1, "sku": "A", "told": None, "touched": 0, "refusals": 0,
        "amount": Decimal(amount), "currency": "EUR", "tax_included": False, "rate": None, "rate_from": "", "rate_to": "",
        "most_share": 10, "most_change": 30,
    }  # fmt: skip
    return prices.Wanted(**{**given, **fields})


@pytest.mark.parametrize(
    ("wanted", "there", "stated", "expected"),
    [
        (asked("12.345678"), figure(), {}, "12.345678"),
        (asked("19.60", tax_included=True), figure(tax_rate=Decimal(20)), {}, "16.333333"),
        (asked("19.60", tax_included=True), figure(tax_rate=Decimal(20), tax_class="1"), {"1": Decimal("5.5")}, "18.578199"),
        (asked("10"), figure(tax_included=True, tax_rate=Decimal(20)), {}, "12.000000"),
        (asked("10", tax_included=True), figure(tax_included=True), {}, "10.000000"),
        (
            asked("10", currency="USD", rate=Decimal("0.9"), rate_from="USD", rate_to="EUR"), figure(), {}, "9.000000",
        ),
        (
            asked("12", currency="USD", tax_included=True, rate=Decimal("0.9"), rate_from="USD", rate_to="EUR"),
            figure(tax_rate=Decimal(20)), {}, "9.000000",
        ),
        (asked("0.0000005"), figure(), {}, "0.000001"),
    ],
)  # fmt: skip
def test_a_price_is_converted_by_the_rates_that_are_stated(
    wanted: prices.Wanted, there: PriceFigure, stated: dict[str, Decimal], expected: str
) -> None:
    assert prices.convert(wanted, there, stated) == Decimal(expected)

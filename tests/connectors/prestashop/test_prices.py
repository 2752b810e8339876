"""Base prices read from the simulated shop and told to it: impacts, six decimals, lost answers and refusals in the middle."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn
from comptoir.channels.records import Answer, Fate, PriceFigure, PriceToTell
from comptoir.connectors.prestashop.simulator import DEMO_KEY, hub_rights, pricing_rights

VERSIONS = pytest.mark.parametrize("version", ["8.2", "1.7"])


class Shop:
    """A cup at 5.00, and a shirt at 10.00 of which one combination costs 2.00 more."""

    def __init__(self, prestashop: Any, version: str = "8.2") -> None:
        self.bench = prestashop(version, world="empty")
        state = self.bench.shop
        state.add_key(DEMO_KEY, pricing_rights())
        self.cup = state.add_product(
            {1: "Cup", 2: "Tasse"}, reference="CUP", price="5.00", ean13="5012345000015", images=1,
            description={1: "<p>Blue &amp; white</p>", 2: ""}, id_manufacturer=state.add_manufacturer("Harbour"),
        )  # fmt: skip
        sizes = [{"price": extra, "options": {"Size": size}} for size, extra in (("S", "0"), ("L", "2.00"))]
        self.shirt = state.add_product("Shirt", reference="SHI", price="10.00", combinations=sizes, tax_rules_group=2)
        self.small, self.large = state.combinations_of(self.shirt)
        self.client = self.bench.open()

    @property
    def listings(self) -> list[str]:
        return [f"{self.cup}-0", f"{self.shirt}-{self.small}", f"{self.shirt}-{self.large}"]

    def figures(self, *listings: str) -> dict[str, PriceFigure]:
        return {one.listing: one for one in self.client.prices.figures([(one, "1") for one in listings])}

    def tell(self, **amounts: str) -> list[Answer]:
        """`tell(cup="6")`: what the shop answers."""
        named = dict(zip(("cup", "small", "large"), self.listings, strict=True))
        return self.tell_listings({named[name]: amount for name, amount in amounts.items()})

    def tell_listings(self, amounts: dict[str, str]) -> list[Answer]:
        return self.client.prices.set_prices(
            [
                PriceToTell(offer=number, listing=listing, selling_point="1", amount=Decimal(amount))
                for number, (listing, amount) in enumerate(amounts.items())
            ]
        )

    def column(self, table: str, identity: int, name: str = "price") -> Any:
        return self.bench.shop.store.get(table, identity)[name]


def fates(answers: list[Answer]) -> list[Fate]:
    return [answer.fate for answer in answers]


def test_a_price_is_the_product_and_what_its_combination_adds(prestashop: Any) -> None:
    shop = Shop(prestashop)
    found = shop.figures(*shop.listings, "987-0", f"{shop.cup}-{shop.large}", "nonsense")
    assert [found[one].amount for one in shop.listings] == [Decimal(5), Decimal(10), Decimal(12)]
    assert set(found) == set(shop.listings)
    assert {(one.currency, one.tax_included) for one in found.values()} == {("GBP", False)}
    # The shop's own country has VAT of 20 % by group 1 and of 5 % by group 2.
    assert [(found[one].tax_class, found[one].tax_rate) for one in shop.listings[:2]] == [("1", 20), ("2", 5)]


def test_a_rate_that_nobody_may_read_is_not_guessed(prestashop: Any) -> None:
    shop = Shop(prestashop)
    rights = pricing_rights()
    del rights["taxes"]
    shop.bench.shop.add_key(DEMO_KEY, rights)
    shop.bench.shop.edit_product(shop.shirt, id_tax_rules_group=0)
    found = shop.figures(*shop.listings)
    assert found[shop.listings[0]].tax_rate is None
    assert found[shop.listings[1]].tax_rate == 0  # no group: no tax, which the shop says by itself


def test_the_connection_test_says_each_class_and_its_rate_as_far_as_the_key_may_read(prestashop: Any) -> None:
    shop = Shop(prestashop)
    shop.bench.shop.store.update("tax_rule_groups", 2, active=0)
    assert classes(shop) == {"1": ("VAT standard", 20)}
    rights = pricing_rights()
    del rights["taxes"]
    shop.bench.shop.add_key(DEMO_KEY, rights)
    assert classes(shop) == {"1": ("VAT standard", None)}
    del rights["tax_rule_groups"]
    shop.bench.shop.add_key(DEMO_KEY, rights)
    assert classes(shop) == {}
    seen = shop.bench.open().probe.look_around()
    assert (seen.missing_rights, seen.warnings) == ((), ())  # only who tells prices needs them


def classes(shop: Shop) -> dict[str, tuple[str, Any]]:
    return {one.external_id: (one.name, one.rate) for one in shop.bench.open().probe.look_around().tax_classes}


@VERSIONS
def test_a_combination_is_told_what_it_adds_to_its_product(prestashop: Any, version: str) -> None:
    shop = Shop(prestashop, version)
    assert fates(shop.tell(small="12.50", large="9.333333", cup="6.1")) == [Fate.DONE] * 3
    assert shop.column("products", shop.shirt) == "10.000000"  # what both add to stays the shop's
    assert shop.column("combinations", shop.small) == "2.500000"
    assert shop.column("combinations", shop.large) == "-0.666667"
    assert shop.column("products", shop.cup) == "6.100000"
    assert [one.amount for one in shop.figures(*shop.listings).values()] == [
        Decimal("6.1"), Decimal("12.5"), Decimal("9.333333"),
    ]  # fmt: skip


@VERSIONS
def test_what_stands_there_already_is_not_written(prestashop: Any, version: str) -> None:
    shop = Shop(prestashop, version)
    before = {listing: one.amount for listing, one in shop.figures(*shop.listings).items()}
    assert fates(shop.tell_listings({listing: str(amount) for listing, amount in before.items()})) == [Fate.DONE] * 3
    assert shop.bench.writes_received() == 0


def test_nothing_but_the_price_changes_with_an_old_shop_which_wants_everything(prestashop: Any) -> None:
    shop = Shop(prestashop, "1.7")
    before = {table: shop.bench.shop.store.rows(f"SELECT * FROM {table}") for table in ("products", "combinations")}
    assert fates(shop.tell(cup="6", large="13")) == [Fate.DONE] * 2
    for table, rows in before.items():
        for row in rows:
            now = shop.bench.shop.store.get(table, row["id"])
            changed = {name for name in row if _texts(row[name]) != _texts(now[name])} - {"date_upd"}
            assert changed <= {"price"}, (table, row["id"])
    assert shop.bench.shop.store.value("SELECT count(*) FROM product_images") == 1


def _texts(column: Any) -> Any:
    """A column; of texts by language those that say something."""
    if isinstance(column, str) and column.startswith("{"):
        return {key: text for key, text in json.loads(column).items() if text}
    return column


def test_many_prices_go_in_one_call_to_products_and_one_to_combinations(prestashop: Any) -> None:
    shop = Shop(prestashop)
    cups = [shop.bench.shop.add_product(f"Cup {n}", price="5") for n in range(30)]
    prices = {f"{one}-0": "7" for one in cups} | dict.fromkeys(shop.listings[1:], "11")
    assert fates(shop.tell_listings(prices)) == [Fate.DONE] * 32
    assert shop.bench.writes_received() == 2


def test_a_product_and_its_combinations_in_one_batch_come_out_right(prestashop: Any) -> None:
    """A product that gained combinations may still be listed by itself."""
    shop = Shop(prestashop)
    told = {f"{shop.shirt}-0": "20", f"{shop.shirt}-{shop.large}": "25"}
    assert fates(shop.tell_listings(told)) == [Fate.DONE] * 2
    assert shop.column("products", shop.shirt) == "20.000000"
    assert shop.column("combinations", shop.large) == "5.000000"


@VERSIONS
def test_one_refusal_leaves_the_others_told(prestashop: Any, version: str) -> None:
    shop = Shop(prestashop, version)
    vase = shop.bench.shop.add_product("Vase", price="5")
    # Somebody gave it a code that the shop would not save again.
    shop.bench.shop.store.execute("UPDATE products SET reference = ? WHERE id = ?", ("x" * 65, shop.cup))
    answers = shop.tell_listings({f"{shop.cup}-0": "6", f"{vase}-0": "7", "987-0": "8", "what?": "9"})
    expected = Fate.DONE if version == "8.2" else Fate.REFUSED  # only a PUT sends the code along
    assert fates(answers) == [expected, Fate.DONE, Fate.REFUSED, Fate.REFUSED]
    assert shop.column("products", vase) == "7.000000"


def test_a_refusal_in_the_middle_of_a_call_is_read_back_and_the_rest_goes_on(prestashop: Any) -> None:
    shop = Shop(prestashop)
    cups = [shop.bench.shop.add_product(f"Cup {n}", price="5") for n in range(4)]
    shop.client.prices.figures([(f"{one}-0", "1") for one in cups])
    gone = cups[2]
    delete = shop.bench.shop.delete_product
    inner = shop.bench.application

    def vanishing(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "PATCH" and shop.bench.shop.store.get("products", gone):
            delete(gone)  # between our look and our writing
        return inner(environ, start_response)

    shop.bench.application = vanishing
    answers = shop.tell_listings({f"{one}-0": "8" for one in cups})
    assert fates(answers) == [Fate.DONE, Fate.DONE, Fate.REFUSED, Fate.DONE]
    assert [shop.column("products", one) for one in cups if one != gone] == ["8.000000"] * 3


@VERSIONS
@pytest.mark.parametrize("fault", ["time_out_before", "time_out_after"])
def test_a_lost_answer_is_asked_about(prestashop: Any, version: str, fault: str) -> None:
    shop = Shop(prestashop, version)
    shop.bench.simulator.faults.add(fault, method="PATCH" if version == "8.2" else "PUT", times=1)
    answers = shop.tell(cup="6")
    came = fault == "time_out_after"
    assert fates(answers) == [Fate.DONE if came else Fate.UNKNOWN]
    assert shop.column("products", shop.cup) == ("6.000000" if came else "5.000000")


@VERSIONS
def test_a_key_that_may_not_price_is_refused_price_by_price_and_stops_nothing_else(
    prestashop: Any, version: str
) -> None:
    shop = Shop(prestashop, version)
    shop.bench.shop.add_key(DEMO_KEY, hub_rights())
    answers = shop.tell(cup="6", large="13")
    assert fates(answers) == [Fate.REFUSED] * 2
    assert {answer.reason.rpartition(" ")[0] for answer in answers} == {
        "the key lacks the right products:", "the key lacks the right combinations:",
    }  # fmt: skip
    assert shop.client.products.fetch([str(shop.cup)]).items
    shop.bench.revoke()
    with pytest.raises(NotLetIn):
        shop.tell(cup="6")

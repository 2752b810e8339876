"""Base prices of the simulated shop: read as they stand, written where they differ, a sale price left alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.records import Fate, PriceToTell


def price(offer: int, listing: str, amount: str) -> PriceToTell:
    return PriceToTell(offer=offer, listing=listing, selling_point="shop", amount=Decimal(amount))


@pytest.mark.parametrize("includes", ["yes", "no"])
def test_a_figure_says_currency_tax_and_rate(woo: Any, includes: str) -> None:
    bench = woo(currency="EUR")
    bench.shop.configure("woocommerce_prices_include_tax", includes)
    cup = bench.shop.add_product("Cup", sku="CUP", price="7.50", tax_class="reduced-rate")
    free = bench.shop.add_product("Stamp", sku="STA", price="1", tax_status="none")
    cushion = bench.product("CUS-200")
    variation = bench.shop.variations_of(cushion)[1]["id"]
    wanted = [(f"{cup}-0", "shop"), (f"{free}-0", "shop"), (f"{cushion}-{variation}", "shop"), ("999999-0", "shop")]
    reduced, untaxed, standard = bench.open().prices.figures(wanted)
    assert (reduced.amount, reduced.currency, reduced.tax_included) == (Decimal("7.50"), "EUR", includes == "yes")
    assert (reduced.tax_class, reduced.tax_rate) == ("reduced-rate", Decimal("5.5"))
    assert (untaxed.tax_class, untaxed.tax_rate) == ("", 0)
    assert (standard.amount, standard.tax_class, standard.tax_rate) == (22, "standard", 20)


def test_a_price_is_written_with_its_decimals_and_the_sale_price_stays(woo: Any) -> None:
    bench = woo()
    lantern = bench.product("LAN-001")
    bench.shop.edit_product(lantern, sale_price="6.00")
    (answer,) = bench.open().prices.set_prices([price(1, f"{lantern}-0", "9.123456")])
    assert answer.fate is Fate.DONE
    doc = bench.shop.store.get("product", lantern)["doc"]
    assert (doc["regular_price"], doc["sale_price"]) == ("9.123456", "6.00")


def test_only_what_differs_is_written_and_each_has_its_answer(woo: Any) -> None:
    bench = woo()
    lantern, candle = bench.product("LAN-001"), bench.product("CAN-010")
    cushion = bench.product("CUS-200")
    variation = f"{cushion}-{bench.shop.variations_of(cushion)[0]['id']}"
    told = [
        price(1, f"{lantern}-0", "8.5000"),  # stands there already
        price(2, f"{candle}-0", "4.00"),
        price(3, variation, "19.90"),
        price(4, "999999-0", "1"),
        price(5, "nonsense", "1"),
        price(6, f"{cushion}-999999", "1"),
    ]
    answers = bench.open().prices.set_prices(told)
    done, refused = Fate.DONE, Fate.REFUSED
    assert [(one.item, one.fate) for one in answers] == [
        (1, done),
        (2, done),
        (3, done),
        (4, refused),
        (5, refused),
        (6, refused),
    ]
    assert [written.ids for written in bench.simulator.counters.log] == [
        [candle],
        [int(variation.split("-")[1])],
    ]


def test_a_lost_answer_is_read_back(woo: Any) -> None:
    bench = woo()
    lantern = f"{bench.product('LAN-001')}-0"
    bench.simulator.faults.add("reset_after", method="POST")
    assert bench.open().prices.set_prices([price(1, lantern, "9.99")])[0].fate is Fate.DONE
    bench.simulator.faults.add("reset_before", method="POST")
    assert bench.open().prices.set_prices([price(1, lantern, "8.88")])[0].fate is Fate.UNKNOWN


def test_a_shop_with_rates_for_parts_of_the_country_names_the_one_for_all_of_it(woo: Any) -> None:
    bench = woo()
    rows = (
        b'[{"id": 1, "country": "GB", "state": "", "postcode": "BT1", "rate": "3.0"},'
        b' {"id": 2, "country": "", "rate": "15.0"}, {"id": 3, "country": "GB", "rate": "broken"},'
        b' {"id": 4, "country": "GB", "rate": "20.0"}, {"id": 5, "country": "FR", "rate": "19.6"}]'
    )
    bench.change_bodies(lambda path, body: rows if path.endswith("/taxes") else body)
    rates = {one.external_id: one.rate for one in bench.open().probe.look_around().tax_classes}
    assert rates["standard"] == 20

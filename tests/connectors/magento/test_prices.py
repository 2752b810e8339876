"""Base prices read from the simulated shop and told to it: many in a call, refused row by row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.records import Fate, PriceToTell


@pytest.fixture
def shop(magento: Any) -> Any:
    bench = magento(world="empty")
    bench.simulator.stock({f"T-{number}": 5 for number in range(6)})
    return bench


def told(bench: Any, *amounts: str) -> list[PriceToTell]:
    return [
        PriceToTell(offer=place, listing=str(place + 1), selling_point="default", amount=Decimal(amount))
        for place, amount in enumerate(amounts)
    ]


def test_a_price_says_its_tax_class_and_what_is_charged_by_it_in_the_chosen_country(shop: Any) -> None:
    (one,) = shop.open(country="gb", taxed="yes").prices.figures([("1", "default")])
    assert (one.amount, one.currency, one.tax_included) == (5, "GBP", True)
    assert (one.tax_class, one.tax_rate) == ("2", 20)
    (one,) = shop.open().prices.figures([("1", "default")])
    assert one.tax_rate is None
    (one,) = shop.open(country="FR").prices.figures([("1", "default")])
    assert one.tax_rate is None


def test_what_stands_there_already_is_not_written(shop: Any) -> None:
    answers = shop.open().prices.set_prices(told(shop, "5", "6.123456"))
    assert [answer.fate for answer in answers] == [Fate.DONE] * 2
    (call,) = (call for call in shop.calls if call.writes)
    assert call.url.endswith("/rest/all/V1/products/base-prices")
    assert shop.shop.product(1)["price"] == 5
    assert shop.shop.product(2)["price"] == 6.123456


def test_one_refusal_leaves_the_others_told(shop: Any) -> None:
    answers = shop.open().prices.set_prices(told(shop, "7", "-1", "8"))
    assert [answer.fate for answer in answers] == [Fate.DONE, Fate.REFUSED, Fate.DONE]
    assert "Price = -1" in answers[1].reason
    assert "SKU = T-1" in answers[1].reason
    assert [shop.shop.product(one)["price"] for one in (1, 2, 3)] == [7, 5, 8]


def test_what_has_no_price_of_its_own_is_refused(shop: Any) -> None:
    variants = [{"sku": "SH-S", "quantity": 1, "options": {"Size": "S"}}]
    shirt, _ = shop.shop.add_configurable("Shirt", sku="SH", variants=variants)
    wrong = [
        PriceToTell(offer=1, listing=str(shirt), selling_point="default", amount=Decimal(1)),
        PriceToTell(offer=2, listing="999", selling_point="default", amount=Decimal(1)),
        PriceToTell(offer=3, listing="no id", selling_point="default", amount=Decimal(1)),
    ]
    assert {answer.fate for answer in shop.open().prices.set_prices(wrong)} == {Fate.REFUSED}
    assert shop.writes_received() == 0


def test_a_product_that_goes_away_in_between_does_not_hold_up_the_others(shop: Any) -> None:
    client = shop.open()
    inner = shop.application

    def deleting(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith("base-prices-information") and shop.shop.by_sku("T-1"):
            shop.shop.delete_product(2)
        return inner(environ, start_response)

    shop.application = deleting
    found = client.prices.figures([("1", "default"), ("2", "default"), ("3", "default")])
    assert [one.listing for one in found] == ["1", "3"]


def test_of_two_prices_for_one_product_the_last_is_told(shop: Any) -> None:
    both = [
        PriceToTell(offer=1, listing="1", selling_point="default", amount=Decimal(7)),
        PriceToTell(offer=2, listing="1", selling_point="annex", amount=Decimal(8)),
    ]
    assert [answer.fate for answer in shop.open().prices.set_prices(both)] == [Fate.CONFLICT, Fate.DONE]
    assert shop.shop.product(1)["price"] == 8


@pytest.mark.parametrize(("fault", "fate"), [("time_out_after", Fate.DONE), ("time_out_before", Fate.UNKNOWN)])
def test_a_lost_answer_is_asked_about(shop: Any, fault: str, fate: Fate) -> None:
    shop.simulator.faults.add(fault, "POST", "*/base-prices")
    assert [answer.fate for answer in shop.open().prices.set_prices(told(shop, "7", "8"))] == [fate] * 2


def test_an_integration_that_may_not_price_is_refused_price_by_price_and_stops_nothing_else(shop: Any) -> None:
    client = shop.open()
    known = client.prices.figures([("1", "default")])
    shop.simulator.faults.add(
        "status_before", "POST", "*/base-prices", status=401, content_type="application/json",
        body=b'{"message":"The consumer isn\'t authorized to access %resources.","parameters":{"resources":"Magento_Catalog::products"}}',
    )  # fmt: skip
    (answer,) = client.prices.set_prices(told(shop, "7"))
    assert (answer.fate, answer.reason) == (Fate.REFUSED, "the integration lacks the right Magento_Catalog::products")
    assert client.prices.figures([("1", "default")]) == known

"""What the shop says when it says no, and that a person is told plainly what to change."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from comptoir.channels.errors import ChannelError, Missing, NotLetIn, NotUnderstood, TryLater, Unknown
from comptoir.channels.http import HttpDoor
from comptoir.channels.records import Fate, SaleState
from comptoir.connectors.magento import config
from comptoir.connectors.magento.client import MagentoClient, any_of, chunks, coded, signature, words
from comptoir.connectors.magento.simulator import Keys
from comptoir.kit.errors import BadInput
from comptoir.simulators import server

TOKEN_ALONE = {"access_token_secret": "", "consumer_key": "", "consumer_secret": ""}


def test_the_signature_of_a_known_call_is_the_known_one() -> None:
    """Base string and key put together by hand from RFC 5849, the digest by `openssl dgst -sha256 -hmac`."""
    params = {
        "searchCriteria[pageSize]": "1", "oauth_consumer_key": "ck", "oauth_nonce": "n", "oauth_timestamp": "1",
        "oauth_signature_method": "HMAC-SHA256", "oauth_token": "at", "oauth_version": "1.0",
    }  # fmt: skip
    known = "R60iR7x+K3JHct6dVtsvLerIwRpEaTk8Np4r6NuJBmc="
    assert signature("GET", "https://Shop.example:443/rest/V1/orders", params, "cs", "as") == known


def test_paths_and_parameters_are_encoded_as_rfc_3986_says() -> None:
    assert coded("TIN + LID/é~") == "TIN%20%2B%20LID%2F%C3%A9~"


def test_every_call_has_a_nonce_of_its_own(magento: Any) -> None:
    bench = magento()
    client = bench.open()
    for _ in range(5):
        client.sales.fetch(["1"])
    assert not [call for call in bench.calls if call.problem]


@pytest.mark.parametrize("name", list(asdict(Keys.demo)))
def test_a_wrong_key_is_not_let_in(magento: Any, name: str) -> None:
    with pytest.raises(NotLetIn) as caught:
        magento().open(**{name: "wrong"}).probe.look_around()
    assert caught.value.facts["right"] == "key"
    assert "hint" not in caught.value.facts


def test_a_token_alone_works_where_the_shop_allows_it(magento: Any) -> None:
    bench = magento(bearer=True)
    assert bench.open(**TOKEN_ALONE).probe.look_around().currency == "GBP"


def test_a_token_alone_that_is_refused_says_where_it_is_allowed(magento: Any) -> None:
    from comptoir.web import connect_refusals

    bench = magento("2.4.8")
    with pytest.raises(NotLetIn) as caught:
        bench.open(**TOKEN_ALONE).probe.look_around()
    assert caught.value.facts["hint"] == "bearer_refused"
    place, said = connect_refusals.explain(caught.value, bench.card)
    assert place == "access_token"
    assert "OAuth" in said


def test_a_clock_that_is_off_is_not_let_in_and_the_reason_is_said(magento: Any) -> None:
    bench = magento()
    bench.simulator.guard.off = 7200
    with pytest.raises(NotLetIn, match="timestamp"):
        bench.open().probe.look_around()


def test_a_shop_that_does_not_know_the_signature_is_not_let_in_though_it_calls_that_a_bad_request(magento: Any) -> None:
    bench = magento()
    bench.simulator.faults.add(
        "status_before", status=400, content_type="application/json", times=None,
        body=b'{"message":"Signature method %1 is not supported","parameters":["HMAC-SHA256"]}',
    )  # fmt: skip
    with pytest.raises(NotLetIn, match="HMAC-SHA256 is not supported"):
        bench.open().probe.look_around()


def test_the_connection_test_names_every_missing_right(magento: Any) -> None:
    bench = magento()
    assert bench.open().probe.look_around().missing_rights == ()
    lacking = ["Magento_Sales::actions_view", "Magento_Catalog::categories", "Magento_Tax::manage_tax"]
    bench.shop.set_rights(lacking)
    assert set(bench.open().probe.look_around().missing_rights) == {f"{right}: GET" for right in lacking}


def test_a_right_with_colons_is_told_as_something_to_be_read() -> None:
    from comptoir.web import connect_refusals

    (said,) = connect_refusals.lacking(("Magento_Sales::actions_view: GET",))
    assert "Magento_Sales::actions_view" in said
    assert "read" in said


@pytest.mark.parametrize("right", ["Magento_Backend::store", "Magento_InventoryApi::source"])
def test_without_the_store_or_its_sources_nothing_can_be_mapped(magento: Any, right: str) -> None:
    bench = magento()
    bench.shop.set_rights([right])
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["right"] == right


def test_what_is_around_is_found_for_mapping(magento: Any) -> None:
    bench = magento(timezone="Europe/Paris", currency="EUR")
    bench.shop.add_source("annex", "The annex")
    bench.shop.add_source("closed", enabled=False)
    bench.shop.place_order([("MUG-020", 1)], status="picking", method="cashondelivery")
    seen = bench.open(country="GB").probe.look_around()
    assert (seen.timezone, seen.currency, seen.identity) == ("Europe/Paris", "EUR", "http://shop.test:80/")
    assert [(point.external_id, point.name) for point in seen.points] == [
        ("annex", "The annex"),
        ("default", "Default Source"),
    ]
    states = {status.external_id: status.state for status in seen.statuses}
    assert states["processing/picking"] is SaleState.PAID
    assert states["complete/complete"] is SaleState.SHIPPED
    assert [(one.external_id, one.name) for one in seen.carriers] == [("flatrate_flatrate", "Flat Rate - Fixed")]
    assert {one.external_id for one in seen.payment_methods} == {"banktransfer", "cashondelivery", "stripe_payments"}
    assert [(one.external_id, one.name, one.rate) for one in seen.tax_classes] == [("2", "Taxable Goods", 20)]
    assert [(one.external_id, one.name) for one in seen.languages] == [("default", "en")]


def test_a_clock_that_is_off_is_measured(magento: Any) -> None:
    bench = magento()
    bench.simulator.clock.advance(timedelta(minutes=10))
    skew = bench.open().probe.look_around().clock_skew
    assert 590 < skew < 610


def test_maintenance_passes_by_itself(magento: Any) -> None:
    bench = magento()
    bench.simulator.faults.add("status_before", status=503, retry_after="30")
    with pytest.raises(TryLater) as caught:
        bench.open().probe.look_around()
    assert caught.value.wait == 30


def test_an_address_where_no_magento_answers_is_missing_or_leads_on(magento: Any) -> None:
    with pytest.raises(Missing):
        magento().open(url="http://shop.test/elsewhere").probe.look_around()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"message": "No such entity with %fieldName = %fieldValue", "parameters": {"fieldName": "sku", "fieldValue": "X"}},
         "No such entity with sku = X"),
        ({"message": "Row %1 of %2", "parameters": ["3", "9"]}, "Row 3 of 9"),
        ({"message": "100 % wrong %unknown", "parameters": None}, "100 % wrong %unknown"),
        ({"message": "Failed", "errors": [{"message": '"%field" is bad', "parameters": {"field": "sku"}}]}, 'Failed; "sku" is bad'),
    ],
)  # fmt: skip
def test_messages_have_their_places_filled(told: dict[str, Any], said: str) -> None:
    assert words(told) == said


def test_an_error_keeps_its_text_without_the_keys(magento: Any) -> None:
    bench = magento()
    door: HttpDoor = bench.door()
    client = MagentoClient(config.read({**bench.config}), door)
    with pytest.raises(ChannelError) as caught:
        client.get("orders/99")
    assert isinstance(caught.value, Missing)
    assert "99" in str(caught.value)
    assert not [secret for secret in bench.secrets if secret in f"{caught.value!r} {caught.value.facts!r}"]


@pytest.mark.parametrize(
    "typed",
    [
        "http://shop.test",
        "http://shop.test/",
        "http://shop.test/rest",
        "http://shop.test/rest/V1",
        "http://shop.test/rest/all/V1/?x=1",
    ],
)
def test_the_address_may_be_typed_in_several_ways(magento: Any, typed: str) -> None:
    assert magento().open(url=typed).probe.look_around().currency == "GBP"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"url": "shop.example"}, "url"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": "with blank"}, "access_token"),
        ({"consumer_key": "ß"}, "consumer_key"),
        ({"consumer_secret": ""}, "consumer_secret"),
        ({"country": "France"}, "country"),
        ({"store": "../all"}, "store"),
    ],
)
def test_what_cannot_be_right_is_refused_when_it_is_typed(given: dict[str, str], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.read({"url": "https://shop.example", **asdict(Keys.demo), **given})
    assert caught.value.facts["place"] == place


def test_the_config_shows_no_keys() -> None:
    shown = repr(config.read({"url": "https://shop.example", **asdict(Keys.demo)}))
    assert shown == "MagentoConfig(https://shop.example)"


def test_alternatives_with_a_comma_are_asked_for_alone() -> None:
    assert any_of("sku", ["A", "B,C", "D"]) == [("sku", "in", "A,D"), ("sku", "eq", "B,C")]
    assert any_of("sku", ["B,C"]) == [("sku", "eq", "B,C")]


def test_an_address_never_grows_too_long() -> None:
    skus = [f"{'É' * 60}{number}" for number in range(100)]
    found = list(chunks(skus))
    assert [one for chunk in found for one in chunk] == skus
    assert max(len(coded(",".join(chunk))) for chunk in found) < 4_000


def test_a_read_that_is_no_json_is_kept_for_whoever_repairs_it(magento: Any) -> None:
    bench = magento()
    bench.simulator.faults.add("junk_before")
    with pytest.raises(NotUnderstood) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["answer"]


def test_on_a_real_connection_a_lost_answer_to_a_write_is_unknown(magento: Any) -> None:
    bench = magento()
    figure = next(bench.open().stock.figures({})).items[0]
    with server.serve(bench.simulator) as url:
        door = bench.door(simulator=None, allow_private=True, limits=None)
        client = bench.open(door, url=url)
        bench.simulator.faults.add("reset_after", "POST", "*/source-items")
        (answer,) = client.levels.set_levels([bench.a_level(figure)])
        assert answer.fate is Fate.DONE  # asked for, and found there
        bench.simulator.faults.add("reset_after", "POST", "*/cancel")
        assert client.cancelling.cancel(bench.simulator.buy({"MUG-020": 1}, paid=False)).fate is Fate.UNKNOWN
        door.close()
    assert issubclass(Unknown, TryLater)


def test_on_a_real_connection_awkward_skus_are_signed_and_found(magento: Any) -> None:
    bench = magento(msi=False)
    with server.serve(bench.simulator) as url:
        door = bench.door(simulator=None, allow_private=True, limits=None)
        client = bench.open(door, url=url)
        (page,) = client.stock.figures({})
        assert {one.ref for one in page.items} >= {"stock-items/TIN + LID", "stock-items/CAFÉ-7", "stock-items/PEN,RED"}
        door.close()

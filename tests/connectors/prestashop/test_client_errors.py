"""What the webservice says when it says no, and that a person is told plainly what to change."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir import connectors
from comptoir.channels.connector import Figure
from comptoir.channels.errors import ChannelError, NotLetIn, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.http import HttpDoor, Limits
from comptoir.channels.records import Fate
from comptoir.connectors.prestashop import config
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.simulator import DEMO_KEY, hub_rights, read_rights
from comptoir.kit.errors import BadInput
from comptoir.simulators import server


def a_client(bench: Any, **options: Any) -> PrestaShopClient:
    return PrestaShopClient(config.read({"url": "http://shop.test", "key": DEMO_KEY, **options}), bench.door())


@pytest.mark.parametrize(
    ("key", "code"), [("short", 18), ("X" * 32, 20), (" " + DEMO_KEY + "\n", None)], ids=["short", "wrong", "pasted"]
)
def test_a_wrong_key_is_said_plainly(prestashop: Any, key: str, code: int | None) -> None:
    client = prestashop().open(key=key)
    if code is None:
        assert client.probe.look_around().name
        return
    with pytest.raises(NotLetIn) as caught:
        client.probe.look_around()
    assert caught.value.facts["code"] == code


def test_a_key_without_any_right_is_said_plainly(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.add_key(DEMO_KEY, {})
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["code"] == 21


def test_a_web_server_that_drops_the_authorization_is_recognised(prestashop: Any) -> None:
    bench = prestashop()
    inner = bench.application

    def dropping(environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("HTTP_AUTHORIZATION", None)
        return inner(environ, start_response)

    bench.application = dropping
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["hint"] == "authorization_dropped"


@pytest.mark.parametrize(("version", "edit"), [("1.7", "PUT"), ("8.2", "PATCH")])
def test_the_connection_test_names_every_missing_right(prestashop: Any, version: str, edit: str) -> None:
    bench = prestashop(version)
    assert bench.open().probe.look_around().missing_rights == ()
    rights = read_rights()
    del rights["messages"]
    bench.shop.add_key(DEMO_KEY, rights)
    assert set(bench.open().probe.look_around().missing_rights) == {
        "messages: GET",
        f"stock_availables: {edit}",
        f"order_carriers: {edit}",
        "order_histories: POST",
    }


def test_without_the_settings_nothing_can_be_mapped(prestashop: Any) -> None:
    bench = prestashop()
    rights = hub_rights()
    del rights["configurations"]
    bench.shop.add_key(DEMO_KEY, rights)
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["right"] == "configurations: GET"


def test_a_key_for_another_shop_is_not_let_in(prestashop: Any) -> None:
    bench = prestashop()
    other = bench.shop.add_shop("Other")
    bench.shop.add_key(DEMO_KEY, hub_rights(), shops={other})
    with pytest.raises(NotLetIn) as caught:
        list(bench.open(shops="1").sales.changed_since({}, start=None))
    assert caught.value.facts["right"] == "shop"


def test_a_webservice_that_is_switched_off_needs_a_person(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.configure("PS_WEBSERVICE", "0")
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["right"] == "webservice"


def test_maintenance_passes_by_itself(prestashop: Any) -> None:
    bench = prestashop()
    bench.shop.set_quirk("maintenance")
    with pytest.raises(TryLater) as caught:
        bench.open().probe.look_around()
    assert caught.value.wait == 3600


@pytest.mark.parametrize(
    ("method", "path", "body", "fate"),
    [
        ("PATCH", "stock_availables", {"quantity": 1}, Refused),  # 90: id missing
        ("PATCH", "stock_availables", {"id": 1, "quantity": "many"}, Refused),  # 85
        ("POST", "order_histories", {"id": 3, "id_order": 1}, Refused),  # 91
        ("PUT", "products/1", {"id": 1, "manufacturer_name": "x"}, NotLetIn),  # 25
        ("PATCH", "stock_availables", {"id": 987654, "quantity": 1}, Refused),  # 404
        ("POST", "orders", {}, NotLetIn),
    ],
)
def test_a_refused_write_has_the_fate_that_its_code_means(
    prestashop: Any, method: str, path: str, body: dict[str, object], fate: type[ChannelError]
) -> None:
    with pytest.raises(fate) as caught:
        a_client(prestashop()).write(method, path, "entity", [body])
    assert not isinstance(caught.value, Unknown)


def test_a_question_that_the_version_does_not_know_is_ours_to_repair(prestashop: Any) -> None:
    client = a_client(prestashop())
    for filters, display in (({"no_such_field": "[1]"}, "full"), ({}, "[nonsense]")):
        with pytest.raises(NotUnderstood):
            client.rows("orders", filters=filters, display=display)


def test_an_error_keeps_its_text_without_the_key(prestashop: Any) -> None:
    bench = prestashop()
    bench.simulator.faults.add("status_before", status=500, body=f"failed for {DEMO_KEY}".encode())
    with pytest.raises(TryLater) as caught:
        a_client(bench).rows("orders")
    assert caught.value.facts["text"] == "failed for …"
    assert DEMO_KEY not in repr(a_client(bench).config)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://shop.example", "https://shop.example/api"),
        ("https://shop.example/", "https://shop.example/api"),
        (" https://shop.example/fr/api/ ", "https://shop.example/fr/api"),
        ("https://shop.example/webservice/dispatcher.php?url=", "https://shop.example/webservice/dispatcher.php"),
    ],
)
def test_the_address_may_be_typed_in_several_ways(typed: str, base: str) -> None:
    assert config.read({"url": typed, "key": "K" * 32}).base == base


def test_a_shop_without_address_rewriting_is_asked_through_its_dispatcher(prestashop: Any) -> None:
    bench = prestashop()
    client = bench.open(url="http://shop.test/webservice/dispatcher.php?url=")
    assert client.probe.look_around().name
    assert client.sales.fetch(["1"]).items
    figure = next(iter(client.stock.figures({}))).items[0]
    assert client.levels.set_levels([bench.a_level(figure)])[0].fate is Fate.DONE
    assert client.products.fetch(["1"]).items[0].page_url.startswith("http://shop.test/index.php")


@pytest.mark.parametrize(
    "given",
    [
        {"url": "shop.example", "key": "K" * 32},
        {"url": "https://shop.example", "key": ""},
        {"url": "https://shop.example", "key": "clé"},
        {"url": "https://shop.example", "key": "K\nInjected: yes"},
        {"url": "https://shop.example", "key": "K" * 32, "shops": "one"},
        {"url": "https://shop.example", "key": "K" * 32, "shipped_status": "four"},
    ],
)
def test_what_cannot_be_right_is_refused_when_it_is_typed(given: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        config.read(given)


def test_what_is_around_is_found_for_mapping(prestashop: Any) -> None:
    bench = prestashop("9.0", timezone="Europe/Paris", currency="EUR")
    found = bench.open().probe.look_around()
    assert (found.version, found.timezone, found.currency) == ("9.0.3", "Europe/Paris", "EUR")
    assert len(found.statuses) == 14
    assert [point.external_id for point in found.points] == ["1"]
    assert found.clock_skew is not None
    assert abs(found.clock_skew) < 60


def test_every_card_is_found_by_its_name_and_a_stranger_is_not() -> None:
    for kind in connectors.kinds():
        card = connectors.find(kind)
        assert card is not None
        assert card.kind == kind
        assert isinstance(card.figure, Figure)
    assert connectors.find("no such kind") is None


@pytest.mark.parametrize("fault", ["time_out_after", "reset_after", "truncated", "slow"])
def test_on_a_real_connection_a_lost_answer_to_a_write_is_unknown(prestashop: Any, fault: str) -> None:
    bench = prestashop(world="empty")
    bench.add_products(1)
    with server.serve(bench.simulator) as url:
        door = HttpDoor(may_write=lambda: True, allow_private=True, limits=Limits(total=1.5, connect=1, body=4_000_000))
        client = PrestaShopClient(config.read({"url": url, "key": DEMO_KEY}), door)
        client.get("")
        bench.simulator.faults.add(fault, method="PATCH", seconds=20)
        with pytest.raises(Unknown):
            client.write("PATCH", "stock_availables", "stock_available", [{"id": 1, "quantity": 3}])
        assert bench.shop.stock(1) == 3
        door.close()


def test_on_a_real_connection_forty_megabytes_are_refused_while_they_are_read(prestashop: Any) -> None:
    bench = prestashop()
    bench.simulator.faults.add("huge", path="/api/orders", times=None)
    with server.serve(bench.simulator) as url:
        door = HttpDoor(may_write=lambda: False, allow_private=True, limits=Limits(total=20))
        client = PrestaShopClient(config.read({"url": url, "key": DEMO_KEY}), door)
        with pytest.raises(NotUnderstood) as caught:
            client.rows("orders")
        assert caught.value.facts["limit"] == 32 * 1024 * 1024
        assert door.counts.received < caught.value.facts["limit"]
        door.close()

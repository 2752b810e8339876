"""What the shop says when it says no, and that a person is told plainly what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comptoir.channels.errors import ChannelError, Missing, NotLetIn, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.http import HttpDoor, Limits
from comptoir.channels.records import Fate, SaleState
from comptoir.connectors.woocommerce import config
from comptoir.connectors.woocommerce.client import WooCommerceClient
from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET
from comptoir.kit.errors import BadInput
from comptoir.simulators import server

PAIR = {"key": DEMO_KEY, "secret": DEMO_SECRET}


def a_client(bench: Any, **options: Any) -> WooCommerceClient:
    return WooCommerceClient(config.read({"url": "https://shop.test", **PAIR, **options}), bench.door())


# -- who we are ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"key": "ck_nobody"}, {"secret": "cs_wrong"}])
def test_a_wrong_key_is_said_plainly(woo: Any, wrong: dict[str, str]) -> None:
    with pytest.raises(NotLetIn) as caught:
        woo().open(**wrong).probe.look_around()
    assert caught.value.facts["right"] == "key"


def test_a_key_may_be_pasted_with_blanks_around_it(woo: Any) -> None:
    assert woo().open(key=f" {DEMO_KEY}\n").probe.look_around().name


def test_where_the_web_server_takes_the_header_away_the_keys_go_in_the_address(woo: Any) -> None:
    bench = woo()
    bench.shop.set_quirk("strips_authorization")
    client = bench.open()
    seen = client.probe.look_around()
    assert "authorization_dropped" in seen.warnings
    assert next(client.sales.changed_since({}, start=None)).items
    assert not any(DEMO_SECRET in repr(call) or DEMO_KEY in repr(call) for call in bench.calls)
    # Whoever has been told may say so: then nothing is tried in vain.
    bench.calls.clear()
    told = bench.open(keys_in_address="yes").probe.look_around()
    assert told.warnings == ()
    assert all(call.status != 401 for call in bench.calls)


def test_a_stranger_is_not_taken_for_a_stripped_header(woo: Any) -> None:
    bench = woo()
    client = a_client(bench, key="ck_nobody")
    with pytest.raises(NotLetIn):
        client.rows("wc/v3/orders")
    assert not client.in_address


def test_a_level_is_told_even_if_it_is_the_first_thing_said_through_a_stripped_header(woo: Any) -> None:
    bench = woo()
    figure = next(iter(bench.open().stock.figures({}))).items[0]
    bench.shop.set_quirk("strips_authorization")
    assert bench.open().levels.set_levels([bench.a_level(figure)])[0].fate is Fate.DONE


def test_over_http_every_call_is_signed_anew(woo: Any) -> None:
    bench = woo()
    for stripped in (False, True):
        bench.shop.set_quirk("strips_authorization", stripped)
        client = bench.open(url="http://shop.test")
        assert client.probe.look_around().name
        assert client.sales.fetch(bench.sell(1)).items
        figure = next(iter(client.stock.figures({}))).items[0]
        assert client.levels.set_levels([bench.a_level(figure)])[0].fate is Fate.DONE
    assert bench.shop.store.value("SELECT count(*) FROM nonces") > 20


def test_a_signature_covers_blanks_commas_and_what_is_not_ascii(woo: Any) -> None:
    bench = woo()
    client = a_client(bench, url="http://shop.test")
    rows, _ = client.rows("wc/v3/products", {"sku": "LAN-001,é à&=+%~", "_fields": "id, sku"})
    assert len(rows) == 1


def test_a_retry_after_a_lost_answer_is_not_taken_for_a_replay(woo: Any) -> None:
    bench = woo()
    client = a_client(bench, url="http://shop.test")
    bench.simulator.faults.add("reset_after")
    with pytest.raises(TryLater):
        client.rows("wc/v3/orders")
    assert client.rows("wc/v3/orders")[0]


@pytest.mark.parametrize("plain", ["https://shop.test/?rest_route=/", "https://shop.test/index.php?rest_route=/wc/v3"])
def test_a_shop_without_pretty_addresses_is_asked_by_rest_route(woo: Any, plain: str) -> None:
    bench = woo()
    bench.shop.set_quirk("permalinks_off")
    client = bench.open(url=plain)
    assert client.probe.look_around().name
    figure = next(iter(client.stock.figures({}))).items[0]
    assert client.levels.set_levels([bench.a_level(figure)])[0].fate is Fate.DONE
    signed = bench.open(url=plain.replace("https", "http"))
    assert signed.sales.fetch(bench.sell(1)).items


def test_permalinks_that_are_off_are_named_with_the_address_to_type(woo: Any) -> None:
    bench = woo()
    bench.shop.set_quirk("permalinks_off")
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["hint"] == "permalinks_off"
    assert caught.value.facts["address"] == "https://shop.test/?rest_route=/"


# -- what the key may do ---------------------------------------------------------------------------------------------------


def test_the_connection_test_names_every_missing_right_and_writes_nothing(woo: Any) -> None:
    bench = woo()
    assert bench.open().probe.look_around().missing_rights == ()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, "read", manages=False)
    seen = bench.open().probe.look_around()
    assert set(seen.missing_rights) == {
        "settings/general: GET",
        "webhooks: GET",
        "taxes/classes: GET",
        "shipping/zones: GET",
        "payment_gateways: GET",
        "products: POST",
        "orders: POST",
    }
    assert {one.external_id for one in seen.statuses} >= {"processing", "completed"}
    assert bench.writes_received() == 0


def test_a_key_that_may_not_read_is_not_let_in(woo: Any) -> None:
    bench = woo()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, "write")
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["right"] == "orders: GET"


def test_a_read_only_key_that_writes_names_the_right(woo: Any) -> None:
    bench = woo()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, "read")
    figure = next(iter(bench.open().stock.figures({}))).items[0]
    with pytest.raises(NotLetIn) as caught:
        bench.open().levels.set_levels([bench.a_level(figure)])
    assert caught.value.facts["right"] == "products: POST"


# -- what is around --------------------------------------------------------------------------------------------------------


def test_what_is_around_is_found_for_mapping(woo: Any) -> None:
    bench = woo("9", timezone="Europe/Paris", currency="EUR")
    found = bench.open().probe.look_around()
    assert (found.name, found.version, found.timezone, found.currency) == (
        "Gifts and Lights",
        "9.8.5",
        "Europe/Paris",
        "EUR",
    )
    assert [point.external_id for point in found.points] == ["shop"]
    states = {one.external_id: one.state for one in found.statuses}
    assert states["processing"] is SaleState.PAID
    assert states["on-hold"] is SaleState.UNPAID
    assert states["partial-payment"] is SaleState.UNKNOWN
    assert "checkout-draft" not in states
    assert {one.external_id: one.name for one in found.carriers}["flat_rate:3"] == "Europe: Europe tracked"
    assert "cod" in {one.external_id for one in found.payment_methods}
    assert {one.external_id: str(one.rate) for one in found.tax_classes} == {
        "standard": "20.0000",
        "reduced-rate": "5.5000",
        "zero-rate": "None",
    }
    assert found.identity == "https://shop.test"
    assert found.clock_skew is not None
    assert abs(found.clock_skew) < 60


@pytest.mark.parametrize(("zone", "named"), [("+2", "Etc/GMT-2"), ("-3", "Etc/GMT+3"), ("+5.5", "UTC"), ("+0", "UTC")])
def test_a_site_may_have_an_offset_instead_of_a_zone(woo: Any, zone: str, named: str) -> None:
    assert woo(timezone=zone).open().probe.look_around().timezone == named


@pytest.mark.parametrize("version", ["6", "7", "8", "9", "10", "11"])
def test_every_version_tells_its_statuses_with_those_of_plugins(woo: Any, version: str) -> None:
    found = woo(version).open().probe.look_around()
    assert found.version.startswith(version)
    assert "Partially paid" in {one.name for one in found.statuses}


def test_a_shop_that_counts_nothing_is_said(woo: Any) -> None:
    bench = woo()
    bench.shop.configure("woocommerce_manage_stock", "no")
    assert bench.open().probe.look_around().warnings == ("stock_management_off",)


def test_a_wordpress_without_a_shop_is_said(woo: Any) -> None:
    bench = woo()
    bench.change_bodies(lambda path, body: body.replace(b'"wc/v3", ', b""))
    with pytest.raises(NotUnderstood, match="no WooCommerce"):
        bench.open().probe.look_around()


# -- answers that are none -------------------------------------------------------------------------------------------------


def test_maintenance_passes_by_itself(woo: Any) -> None:
    bench = woo()
    bench.shop.set_quirk("maintenance")
    with pytest.raises(TryLater) as caught:
        bench.open().probe.look_around()
    assert caught.value.wait == 600


def test_a_firewall_is_named(woo: Any) -> None:
    bench = woo()
    figure = next(iter(bench.open().stock.figures({}))).items[0]
    bench.shop.set_quirk("firewall")
    with pytest.raises(NotLetIn) as caught:
        bench.open().levels.set_levels([bench.a_level(figure)])
    assert caught.value.facts["hint"] == "firewall"


@pytest.mark.parametrize("status", [429, 502, 503, 508, 520, 521, 522, 523, 524])
def test_what_hosts_answer_under_load_passes_by_itself(woo: Any, status: int) -> None:
    bench = woo()
    client = a_client(bench)
    bench.simulator.faults.add("status_before", status=status, retry_after="11")
    with pytest.raises(TryLater) as caught:
        client.rows("wc/v3/orders")
    assert caught.value.wait == 11
    bench.simulator.faults.add("status_before", status=status, retry_after="11")
    with pytest.raises(TryLater) as written:
        client.write("PUT", "wc/v3/orders/1", {"status": "completed"})
    assert isinstance(written.value, Unknown) is (status != 429)


@pytest.mark.parametrize(
    ("method", "path", "content", "fate"),
    [
        ("PUT", "orders/999999", {"status": "completed"}, Missing),
        ("PUT", "orders/{order}", {"status": "weather"}, Refused),
        ("POST", "orders/{order}/notes", {}, Refused),
        ("POST", "webhooks", {"topic": "weather.changed", "delivery_url": "https://hub.test"}, Refused),
        ("POST", "weather", {}, Missing),
    ],
)
def test_a_refused_write_has_the_fate_that_its_code_means(
    woo: Any, method: str, path: str, content: dict[str, object], fate: type[ChannelError]
) -> None:
    bench = woo()
    order = bench.sell(1)[0]
    with pytest.raises(fate) as caught:
        a_client(bench).write(method, "wc/v3/" + path.format(order=order), content)
    assert not isinstance(caught.value, Unknown)
    assert caught.value.facts["code"]


def test_a_question_that_the_version_does_not_know_is_ours_to_repair(woo: Any) -> None:
    with pytest.raises(NotUnderstood):
        a_client(woo("6")).rows("wc/v3/products", {"orderby": "modified"})


def test_an_error_keeps_its_text_without_the_keys(woo: Any) -> None:
    bench = woo()
    bench.simulator.faults.add("status_before", status=500, body=f"failed for {DEMO_SECRET}".encode())
    with pytest.raises(TryLater) as caught:
        a_client(bench).rows("wc/v3/orders")
    assert caught.value.facts["text"] == "failed for …"
    assert DEMO_SECRET not in repr(a_client(bench).config)


def test_a_notice_of_php_around_the_answer_does_no_harm_and_is_told(woo: Any) -> None:
    bench = woo()
    expected = [sale for page in bench.open().sales.changed_since({}, start=None) for sale in page.items]
    notice = b"<br />\n<b>Warning</b>: Undefined array key [3] in {plugin} on line 12<br />\n"
    bench.change_bodies(lambda path, body: notice + body + b"\n<!-- cached -->")
    pages = list(bench.open().sales.changed_since({}, start=None))
    assert [sale for page in pages for sale in page.items] == expected
    assert {odd.code for page in pages for odd in page.odd} == {"junk_in_answer"}


# -- what is typed in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "site", "plain"),
    [
        ("https://shop.example", "https://shop.example", False),
        (" https://shop.example/ ", "https://shop.example", False),
        ("https://shop.example/shop/wp-json/wc/v3/", "https://shop.example/shop", False),
        ("https://shop.example/?rest_route=/", "https://shop.example", True),
        ("https://shop.example/index.php?rest_route=/wc/v3", "https://shop.example", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", False),
        ("http://192.168.1.20/", "http://192.168.1.20", False),
        ("http://shop.local", "http://shop.local", False),
    ],
)
def test_the_address_may_be_typed_in_several_ways(typed: str, site: str, plain: bool) -> None:
    found = config.read({"url": typed, **PAIR})
    assert (found.site, found.plain) == (site, plain)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"url": "shop.example"}, "url"),
        ({"url": "https://"}, "url"),
        ({"key": ""}, "key"),
        ({"key": "clé"}, "key"),
        ({"key": "ck_a b"}, "key"),
        ({"secret": "cs\nInjected: yes"}, "secret"),
        ({"secret": ""}, "secret"),
        ({"tracking": "pigeon"}, "tracking"),
    ],
)
def test_what_cannot_be_right_is_refused_when_it_is_typed(given: dict[str, str], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.read({"url": "https://shop.example", **PAIR, **given})
    assert caught.value.facts["place"] == place
    assert DEMO_SECRET not in repr(caught.value.facts)


@pytest.mark.parametrize("url", ["http://shop.example", "http://93.184.216.34/"])
def test_a_public_address_without_tls_is_refused_at_its_field_with_the_cure(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.read({"url": url, **PAIR})
    assert caught.value.facts["place"] == "url"
    assert caught.value.facts["cure"].startswith("https://")
    assert "read on the way" in str(caught.value)


def test_an_administrator_may_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from comptoir.kit import settings

    monkeypatch.setenv("COMPTOIR_ALLOW_PRIVATE_ADDRESSES", "yes")
    settings.settings.cache_clear()
    try:
        assert config.read({"url": "http://shop.example", **PAIR}).site == "http://shop.example"
    finally:
        settings.settings.cache_clear()


# -- on a real connection --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["time_out_after", "reset_after", "truncated", "slow"])
def test_on_a_real_connection_a_lost_answer_to_a_write_is_unknown(woo: Any, fault: str) -> None:
    bench = woo(world="empty")
    cup = bench.shop.add_product("Cup", sku="CUP", price="5.00", quantity=9)
    with server.serve(bench.simulator) as url:
        door = HttpDoor(may_write=lambda: True, allow_private=True, limits=Limits(total=1.5, connect=1, body=4_000_000))
        client = WooCommerceClient(config.read({"url": url, **PAIR}), door)
        client.rows("wc/v3/orders")
        bench.simulator.faults.add(fault, method="PUT", seconds=20)
        with pytest.raises(Unknown):
            client.write("PUT", f"wc/v3/products/{cup}", {"stock_quantity": 3})
        assert bench.shop.figure(cup) == 3
        door.close()


def test_on_a_real_connection_forty_megabytes_are_refused_while_they_are_read(woo: Any) -> None:
    bench = woo()
    bench.simulator.faults.add("huge", path="/wp-json/wc/v3/orders", times=None)
    with server.serve(bench.simulator) as url:
        door = HttpDoor(may_write=lambda: False, allow_private=True, limits=Limits(total=20))
        client = WooCommerceClient(config.read({"url": url, **PAIR}), door)
        with pytest.raises(NotUnderstood) as caught:
            client.rows("wc/v3/orders")
        assert caught.value.facts["limit"] == 32 * 1024 * 1024
        door.close()


def test_what_a_simulator_describes_is_all_that_is_needed_to_connect(woo: Any) -> None:
    bench = woo()
    told = json.loads(json.dumps(bench.simulator.describe()))
    with server.serve(bench.simulator) as url:
        door = HttpDoor(may_write=lambda: False, allow_private=True)
        client = bench.card.connect({"url": url, "key": told["key"], "secret": told["secret"]}, door)
        assert client.probe.look_around().version == told["version"]
        door.close()

"""Connecting a WooCommerce shop: each refusal is named where something can be done."""

from __future__ import annotations

from typing import Any

import pytest

from comptoir.channels.http import HttpDoor
from comptoir.connectors.woocommerce.connector import connector
from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET, WooCommerceSimulator
from comptoir.kit.errors import ComptoirError
from comptoir.web.connect_refusals import explain, lacking


def told(sim: WooCommerceSimulator, **typed: str) -> tuple[str, str]:
    """The field that is to blame, and what is said there."""
    given: dict[str, Any] = {"url": "https://shop.test", "key": DEMO_KEY, "secret": DEMO_SECRET, **typed}
    with pytest.raises(ComptoirError) as caught:
        connector.connect(given, HttpDoor(may_write=lambda: False, simulator=sim.wsgi)).probe.look_around()
    return explain(caught.value, connector)


@pytest.mark.parametrize(
    ("typed", "field", "part"),
    [
        ({"key": "ck_nobody"}, "key", "refuses this key"),
        ({"secret": "cs_wrong"}, "key", "refuses this key"),
        ({"secret": ""}, "secret", "fill this in"),
        ({"url": "http://shop.example"}, "url", "https://shop.example"),
        ({"url": "https://shop.test/blog"}, "url", "Nothing at this address"),
    ],
)
def test_what_was_mistyped_is_named_at_its_field(typed: dict[str, str], field: str, part: str) -> None:
    where, words = told(WooCommerceSimulator(world="empty"), **typed)
    assert where == field
    assert part in words


def test_plain_permalinks_are_named_with_the_address_to_type() -> None:
    sim = WooCommerceSimulator(world="empty")
    sim.state.set_quirk("permalinks_off")
    where, words = told(sim)
    assert where == "url"
    assert "https://shop.test/?rest_route=/" in words


def test_a_key_that_may_not_read_is_told_its_right() -> None:
    sim = WooCommerceSimulator(world="empty")
    sim.state.add_key(DEMO_KEY, DEMO_SECRET, "write")
    where, words = told(sim)
    assert where == "key"
    assert "orders: GET" in words


def test_a_firewall_is_named_and_not_the_key() -> None:
    sim = WooCommerceSimulator(world="empty")
    sim.faults.add("status_before", status=403, times=None)
    where, words = told(sim)
    assert where == "url"
    assert "firewall" in words


def test_a_read_only_key_is_called_so() -> None:
    sim = WooCommerceSimulator(world="empty")
    sim.state.add_key(DEMO_KEY, DEMO_SECRET, "read")
    door = HttpDoor(may_write=lambda: False, simulator=sim.wsgi)
    given = {"url": "https://shop.test", "key": DEMO_KEY, "secret": DEMO_SECRET}
    seen = connector.connect(given, door).probe.look_around()
    (words,) = lacking(seen.missing_rights)
    assert words == "The key may only read. It may not change: products, orders."

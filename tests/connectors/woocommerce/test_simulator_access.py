"""The simulated shop lets in, and turns away, as the fact sheet says (section 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote

import pytest

from comptoir.connectors.woocommerce.simulator import DEMO_KEY, DEMO_SECRET

ORDERS = "/wp-json/wc/v3/orders"
PAIR = {"consumer_key": DEMO_KEY, "consumer_secret": DEMO_SECRET}


def code(heard: Any) -> tuple[int, str]:
    return heard.status, heard.json()["code"]


def signed(nonce: str = "n1", *, path: str = ORDERS, at: float | None = None, **given: str) -> dict[str, str]:
    """Parameters of a signed GET, worked out here and not by our client."""
    params = {
        **given,
        "oauth_consumer_key": DEMO_KEY,
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(at or time.time())),
    }
    pairs = "&".join(f"{name}={quote(params[name], safe='')}" for name in sorted(params))
    told = "&".join(quote(part, safe="") for part in ("GET", f"http://shop.test{path}", pairs))
    digest = hmac.new(f"{DEMO_SECRET}&".encode(), told.encode(), hashlib.sha256).digest()
    return {**params, "oauth_signature": base64.b64encode(digest).decode()}


def test_over_https_the_key_comes_by_basic_or_in_the_query(woo: Any) -> None:
    bench = woo()
    assert bench.ask("GET", ORDERS).status == 200
    assert bench.ask("GET", ORDERS, PAIR, headers={}).status == 200


def test_without_a_key_or_with_an_unknown_one_nothing_is_listed(woo: Any) -> None:
    bench = woo()
    refused = (401, "woocommerce_rest_cannot_view")
    assert code(bench.ask("GET", ORDERS, headers={})) == refused
    assert code(bench.ask("GET", ORDERS, {**PAIR, "consumer_key": "ck_nobody"}, headers={})) == refused
    assert code(bench.ask("POST", ORDERS + "/1/notes", headers={}, content={"note": "x"}))[0] == 401


def test_a_wrong_secret_is_said(woo: Any) -> None:
    heard = woo().ask("GET", ORDERS, {**PAIR, "consumer_secret": "cs_wrong"}, headers={})
    assert code(heard) == (401, "woocommerce_rest_authentication_error")


def test_basic_and_bare_keys_count_over_https_only(woo: Any) -> None:
    bench = woo()
    assert bench.ask("GET", ORDERS, scheme="http").status == 401
    assert bench.ask("GET", ORDERS, PAIR, scheme="http", headers={}).status == 401


def test_over_http_a_request_is_signed_in_the_query_or_in_the_header(woo: Any) -> None:
    bench = woo()
    assert bench.ask("GET", ORDERS, signed(status="any"), scheme="http", headers={}).status == 200
    given = signed("n2")
    header = "OAuth " + ", ".join(f'{name}="{quote(text, safe="")}"' for name, text in given.items())
    assert bench.ask("GET", ORDERS, scheme="http", headers={"authorization": header}).status == 200


def test_a_signature_of_another_question_is_refused(woo: Any) -> None:
    bench = woo()
    heard = bench.ask("GET", ORDERS, {**signed(status="any"), "status": "trash"}, scheme="http", headers={})
    assert code(heard) == (401, "woocommerce_rest_authentication_error")
    assert "signature" in heard.text


def test_a_nonce_counts_once(woo: Any) -> None:
    bench = woo()
    given = signed("once")
    assert bench.ask("GET", ORDERS, given, scheme="http", headers={}).status == 200
    heard = bench.ask("GET", ORDERS, given, scheme="http", headers={})
    assert heard.status == 401
    assert "nonce" in heard.text


@pytest.mark.parametrize("off", [-16 * 60, 16 * 60])
def test_a_clock_more_than_a_quarter_of_an_hour_off_is_refused(woo: Any, off: int) -> None:
    heard = woo().ask("GET", ORDERS, signed(at=time.time() + off), scheme="http", headers={})
    assert heard.status == 401
    assert "timestamp" in heard.text


def test_a_web_server_may_strip_the_header(woo: Any) -> None:
    bench = woo()
    bench.shop.set_quirk("strips_authorization")
    assert code(bench.ask("GET", ORDERS)) == (401, "woocommerce_rest_cannot_view")
    assert bench.ask("GET", ORDERS, PAIR, headers={}).status == 200


@pytest.mark.parametrize(("rights", "method"), [("read", "POST"), ("write", "GET")])
def test_a_key_does_only_what_its_rights_allow(woo: Any, rights: str, method: str) -> None:
    bench = woo()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, rights)
    heard = bench.ask(method, "/wp-json/wc/v3/products/batch" if method == "POST" else ORDERS, content={})
    assert code(heard) == (401, "woocommerce_rest_authentication_error")
    assert "permissions" in heard.text


def test_settings_and_webhooks_are_for_those_who_manage_the_shop(woo: Any) -> None:
    bench = woo()
    bench.shop.add_key(DEMO_KEY, DEMO_SECRET, manages=False)
    for path in ("settings/tax", "webhooks", "taxes/classes", "system_status", "payment_gateways", "shipping/zones"):
        assert code(bench.ask("GET", f"/wp-json/wc/v3/{path}")) == (403, "woocommerce_rest_cannot_view")
    assert bench.ask("GET", ORDERS).status == 200


def test_the_index_is_public_and_tells_zone_and_namespaces(woo: Any) -> None:
    found = woo(timezone="Europe/Paris").ask("GET", "/wp-json/", headers={}).json()
    assert "wc/v3" in found["namespaces"]
    assert found["timezone_string"] == "Europe/Paris"
    offset = woo(timezone="+5.5").ask("GET", "/wp-json", headers={}).json()
    assert (offset["timezone_string"], offset["gmt_offset"]) == ("", "5.5")


def test_the_index_takes_a_key_for_a_password_of_wordpress(woo: Any) -> None:
    assert code(woo().ask("GET", "/wp-json/")) == (401, "invalid_username")


def test_the_plain_form_answers_always_and_the_pretty_one_only_with_permalinks(woo: Any) -> None:
    bench = woo()
    for quirk in (False, True):
        bench.shop.set_quirk("permalinks_off", quirk)
        assert bench.ask("GET", "/", {"rest_route": "/wc/v3/orders", "per_page": "1"}).status == 200
    assert bench.ask("GET", ORDERS).status == 404
    assert "text/html" in bench.ask("GET", ORDERS).headers["Content-Type"]


def test_an_unknown_route_says_so(woo: Any) -> None:
    assert code(woo().ask("GET", "/wp-json/wc/v3/weather")) == (404, "rest_no_route")


def test_every_answer_has_the_shops_date(woo: Any) -> None:
    bench = woo()
    assert bench.ask("GET", ORDERS).headers["Date"].endswith("GMT")

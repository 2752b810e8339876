"""Getting in, points, and the errors that come under status 200; a person is told plainly what to change."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from comptoir.channels.errors import NotLetIn, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.exchanges import Exchange
from comptoir.connectors.shopify import config, operations
from comptoir.connectors.shopify.client import PageSize, ShopifyClient, TooCostly
from comptoir.connectors.shopify.simulator import DEMO_CLIENT, DEMO_SECRET, DEMO_TOKEN, DOMAIN
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.simulators.asking import Asker

BY_TOKEN = {"client_id": "", "client_secret": "", "token": DEMO_TOKEN}


class Told:
    """A pace that remembers what it was told."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.shown: list[tuple[float, float, float]] = []

    def take(self, live: bool) -> None: ...

    def back_off(self, seconds: float) -> None:
        self.waits.append(seconds)

    def points(self, left: float, most: float, per_second: float) -> None:
        self.shown.append((left, most, per_second))


def tokens(bench: Any) -> int:
    return int(bench.simulator.counters.reads["tokens"])


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("gifts", "https://gifts.myshopify.com"),
        ("gifts.myshopify.com", "https://gifts.myshopify.com"),
        ("https://gifts.myshopify.com/", "https://gifts.myshopify.com"),
        ("https://gifts.myshopify.com/admin/products?x=1", "https://gifts.myshopify.com"),
        ("https://admin.shopify.com/store/gifts/settings", "https://gifts.myshopify.com"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
    ],
)
def test_the_address_is_read_from_whatever_people_copy(typed: str, base: str) -> None:
    assert config.read({"url": typed, "token": "shpat_x"}).base == base


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"url": "", "token": "x"}, "url"),
        ({"url": "ftp://gifts", "token": "x"}, "url"),
        ({"url": "gifts"}, "client_id"),
        ({"url": "gifts", "client_id": "abc"}, "client_secret"),
        ({"url": "gifts", "token": "two words"}, "token"),
        ({"url": "gifts", "token": "x", "version": "2025-10"}, "version"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_field(given: dict[str, str], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.read(given)
    assert caught.value.facts["place"] == place


def test_a_token_is_asked_for_once_and_again_before_it_ends(shopify: Any) -> None:
    bench = shopify()
    now = clock.ManualClock(clock.now())
    with clock.using(now):
        bench.simulator.clock.set(now.now())
        for _ in range(3):
            bench.open(url="http://one.test").probe.look_around()
        assert tokens(bench) == 1
        later = now.now() + timedelta(hours=23, minutes=56)
        now.set(later)
        bench.simulator.clock.set(later)
        bench.open(url="http://one.test").probe.look_around()
        assert tokens(bench) == 2


def test_a_token_that_was_taken_back_is_replaced_once(shopify: Any) -> None:
    bench = shopify()
    client = bench.open(url="http://two.test")
    client.probe.look_around()
    for row in bench.shop.store.all("token"):
        bench.shop.store.remove("token", row["id"])
    client.probe.look_around()
    assert tokens(bench) == 2


@pytest.mark.parametrize(
    ("given", "right"),
    [({"client_secret": "shpss_wrong"}, "client"), ({**BY_TOKEN, "token": "shpat_wrong"}, "token")],
)
def test_wrong_credentials_are_said_plainly(shopify: Any, given: dict[str, str], right: str) -> None:
    with pytest.raises(NotLetIn) as caught:
        shopify().open(**given).probe.look_around()
    assert caught.value.facts["right"] == right


def test_a_token_of_the_admin_lets_in_without_asking_for_another(shopify: Any) -> None:
    bench = shopify()
    seen = bench.open(**BY_TOKEN).probe.look_around()
    assert seen.identity == DOMAIN
    assert tokens(bench) == 0
    assert "webhooks_unsigned" in seen.warnings


def test_the_probe_tells_the_shop_and_what_is_missing(shopify: Any) -> None:
    bench = shopify(timezone="Asia/Kolkata")
    bench.shop.add_location("Hill Road")
    bench.shop.add_location("Closed", active=False)
    seen = bench.open().probe.look_around()
    assert (seen.name, seen.version, seen.timezone, seen.currency) == (
        "Gifts and Lights",
        "2026-07",
        "Asia/Kolkata",
        "GBP",
    )
    assert [point.name for point in seen.points] == ["Harbour Street", "Hill Road"]
    assert [carrier.name for carrier in seen.carriers] == ["Standard", "Express"]
    assert (seen.missing_rights, seen.warnings) == ((), ())
    bench.shop.configure(scopes=["read_locations", "read_products", "write_inventory", "read_orders"])
    seen = bench.open().probe.look_around()
    assert set(seen.missing_rights) == {
        *("read_customers", "write_orders", "write_products"),
        *("read_merchant_managed_fulfillment_orders", "write_merchant_managed_fulfillment_orders"),
    }
    assert seen.warnings == ("only_recent_sales",)
    bench.shop.configure(scopes=[])
    with pytest.raises(NotLetIn) as caught:
        bench.open().probe.look_around()
    assert caught.value.facts["right"] == "read_locations"


def test_no_record_of_a_call_holds_a_secret_or_a_token(shopify: Any) -> None:
    bench = shopify()
    kept: list[Exchange] = []
    client = bench.open(bench.door(recorder=kept.append), url="http://three.test")
    client.probe.look_around()
    list(client.products.everything({}))
    given = [row["id"] for row in bench.shop.store.all("token")]
    assert given
    text = repr(kept)
    assert not [secret for secret in (DEMO_SECRET, *given) if secret in text]


# -- points ----------------------------------------------------------------------------------------------------------------


def test_points_are_shown_and_a_page_too_many_waits_for_them(shopify: Any) -> None:
    bench, pace = shopify(), Told()
    bench.shop.quirks.bucket, bench.shop.quirks.restore = 1_000.0, 50.0
    bench.simulator.clock.set(bench.simulator.clock.now())
    client = bench.open(bench.door(pace=pace))

    def read_on_and_on() -> None:
        for _ in range(30):
            list(client.sales.changed_since({}, start=None))

    with pytest.raises(TryLater) as caught:
        read_on_and_on()
    left, most, per_second = pace.shown[-1]
    assert (most, per_second) == (1_000.0, 50.0)
    assert caught.value.wait == pytest.approx((_wanted(bench) - left) / 50)
    assert pace.waits[-1] == caught.value.wait
    bench.simulator.clock.advance(timedelta(seconds=caught.value.wait + 0.1))
    next(client.sales.changed_since({}, start=None))


def _wanted(bench: Any) -> float:
    """What the throttled operation would have cost, told by the shop when its bucket is full."""
    before, bench.simulator.bucket.left = bench.simulator.bucket.left, None
    body = json.dumps({"query": operations.ORDERS, "variables": {"first": 10, "after": None, "query": "test:false"}})
    heard = Asker(bench.simulator.wsgi).ask(
        "POST", "/admin/api/2026-07/graphql.json", body=body, headers={"x-shopify-access-token": DEMO_TOKEN}
    )
    bench.simulator.bucket.left = before
    return float(heard.json()["extensions"]["cost"]["requestedQueryCost"])


def test_a_page_that_costs_too_much_is_made_smaller_and_never_asked_as_it_was(shopify: Any) -> None:
    bench = shopify()
    whole = {sale.external_id for page in bench.open().sales.changed_since({}, start=None) for sale in page.items}
    bench.shop.quirks.most_cost = 400.0
    small = list(bench.open().sales.changed_since({}, start=None))
    assert {sale.external_id for page in small for sale in page.items} == whole
    assert max(len(page.items) for page in small) < 10
    bench.shop.quirks.most_cost = 100.0
    with pytest.raises(TooCostly):
        list(bench.open().sales.changed_since({}, start=None))


def test_sales_by_ids_are_asked_for_in_fewer_where_they_cost_too_much(shopify: Any) -> None:
    bench = shopify()
    ids = [str(row["id"]) for row in bench.shop.store.all("order")]
    bench.shop.quirks.most_cost = 400.0
    assert {sale.external_id for sale in bench.open().sales.fetch(ids).items} == set(ids)


def test_a_page_grows_while_it_is_cheap() -> None:
    size = PageSize(10, 50)
    size.learn(200)
    assert size.now == 20
    size.learn(440)
    size.learn(899)
    assert size.now == 40
    size.learn(950)
    assert size.now == 30


# -- errors ----------------------------------------------------------------------------------------------------------------


def errors(code: str, **more: Any) -> bytes:
    return json.dumps({"errors": [{"message": "No.", "extensions": {"code": code, **more}}]}).encode()


@pytest.mark.parametrize(
    ("body", "read", "write"),
    [
        (errors("ACCESS_DENIED", requiredAccess="`write_orders` access scope."), NotLetIn, NotLetIn),
        (errors("SHOP_INACTIVE"), NotLetIn, NotLetIn),
        (errors("INTERNAL_SERVER_ERROR"), TryLater, Unknown),
        (errors("undefinedField"), NotUnderstood, NotUnderstood),
        (b'{"errors": "Not Found"}', NotUnderstood, NotUnderstood),
        (b'{"errors": {"query": "missing"}}', NotUnderstood, NotUnderstood),
        (b'{"data": null}', NotUnderstood, NotUnderstood),
        (b"[]", NotUnderstood, NotUnderstood),
        (b"", NotUnderstood, NotUnderstood),
        (errors("THROTTLED"), TryLater, TryLater),
    ],
)
def test_an_error_under_status_200_has_the_fate_that_it_means(
    shopify: Any, body: bytes, read: type[Exception], write: type[Exception]
) -> None:
    bench = shopify()
    client = ShopifyClient(config.read({**bench.config, **BY_TOKEN}), bench.door())
    bench.change_bodies(lambda path, _: body)
    with pytest.raises(read) as caught:
        client.ask(operations.SHOP)
    assert not isinstance(caught.value, Unknown)
    with pytest.raises(write) as caught:
        client.change(operations.CANCEL, id="gid://shopify/Order/1", refund=False)
    assert isinstance(caught.value, Unknown) is (write is Unknown)


@pytest.mark.parametrize(
    ("status", "fate"), [(402, NotLetIn), (423, NotLetIn), (404, NotLetIn), (430, TryLater), (503, TryLater)]
)
def test_a_status_has_the_fate_that_it_means(shopify: Any, status: int, fate: type[Exception]) -> None:
    bench = shopify()
    bench.simulator.faults.add("status_before", status=status, times=None)
    with pytest.raises(fate):
        bench.open(**BY_TOKEN).probe.look_around()


def test_a_shop_that_answers_in_another_version_is_noticed(shopify: Any) -> None:
    bench = shopify()
    inner = bench.application

    def older(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]]) -> Any:
            return start_response(status, [(n, "2026-10" if n == "X-Shopify-API-Version" else v) for n, v in headers])

        return inner(environ, start)

    bench.application = older
    assert bench.open(client_id=DEMO_CLIENT).probe.look_around().warnings == ("api_version_ended",)


def test_business_errors_are_refusals(shopify: Any) -> None:
    client = shopify().open()
    with pytest.raises(Refused):
        client.subscriptions.subscribe("ORDERS_CREATE", "http://hub.test/plain", "s")

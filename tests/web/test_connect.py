"""Connecting a shop in the browser: every refusal is named where something can be done, and no step does anything twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import quick_doors
from django.db import connections, transaction
from django.test import Client
from shop_world import NOW

from comptoir.accounts.models import Role, User
from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel, Mode, Seen
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Warehouse
from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator, hub_rights, read_rights
from comptoir.engine.models import Finding, Flow
from comptoir.events.models import Event
from comptoir.flows import connecting, taxes
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.secrets import Box
from comptoir.offers.models import Mapping, SellingPoint

NEW = "/channels/connect/prestashop/"
STEP = "/channels/demo-shop/connect/"


@pytest.fixture
def shop() -> Iterator[PrestaShopSimulator]:
    """A shop behind every door, whatever the address."""
    shop = PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London")

    channels.set_up_doors(quick_doors.to(shop.wsgi))
    time = clock.ManualClock(NOW)
    shop.clock.set(NOW)
    with clock.using(time):
        yield shop
    channels.set_up_doors(HttpDoor)
    pace.close()


def typed(**changed: str) -> dict[str, str]:
    return {"url": "http://shop.test", "key": DEMO_KEY, "mails": "yes", "name": "Demo shop", **changed}


def typed_config() -> dict[str, str]:
    return {"url": "http://shop.test", "key": DEMO_KEY}


def connected(owner: Client) -> Channel:
    owner.post(NEW, typed())
    return Channel.objects.get(kind="prestashop")


def to_the_summary(owner: Client, **places: Any) -> Channel:
    row = connected(owner)
    owner.post(STEP + "found/", {"how": "on"})
    owner.post(STEP + "products/", {"how": "on"})
    owner.post(STEP + "mappings/", {})
    warehouse = Warehouse.objects.earliest("id").pk
    given = {f"{p.pk}-warehouse": warehouse for p in row.points.all()}
    assert (
        owner.post(STEP + "places/", {**given, "accepts_by_itself": "yes", **places})["Location"] == STEP + "summary/"
    )
    row.refresh_from_db()
    return row


# -- taxes ---------------------------------------------------------------------------------------------------------------


def at_the_mappings(owner: Client) -> str:
    owner.post(STEP + "found/", {"how": "on"})
    owner.post(STEP + "products/", {"how": "on"})
    return owner.get(STEP + "mappings/").content.decode()


def test_rates_that_the_shop_says_are_shown_and_another_may_be_stated(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    page = at_the_mappings(owner)

    assert "The shop says its rates" in page
    assert page.index("VAT reduced") < page.index("5 %") < page.index("VAT standard") < page.index("20 %")

    answer = owner.post(STEP + "mappings/", {"tax:1": "120", "tax:2": ""})
    assert answer["Location"] == STEP + "mappings/"
    assert "A tax rate is 0 to 100 percent" in owner.get(STEP + "mappings/").content.decode()
    owner.post(STEP + "mappings/", {"tax:1": "10 %", "tax:2": ""})
    assert [(one.external_id, one.stated, one.rate) for one in taxes.rows(row)] == [
        ("2", None, Decimal(5)),
        ("1", Decimal(10), Decimal(10)),
    ]
    assert (
        Event.objects.get(name="offers.mapping.changed").facts["kind"] == "tax"
    )  # what was left as it is says nothing


def test_a_class_without_a_rate_is_said_first_with_what_its_name_says(owner: Client, shop: PrestaShopSimulator) -> None:
    shop.state.store.update("tax_rule_groups", 1, name="VAT 17,5 %")
    shop.state.store.execute("DELETE FROM tax_rules WHERE id_tax_rules_group = 1")
    row = connected(owner)
    page = at_the_mappings(owner).partition('id="taxes"')[2]

    assert "1 class has no rate" in page
    assert page.index("VAT 17,5") < page.index("proposed") < page.index("VAT reduced")
    assert 'value="17.5"' in page
    assert taxes.rows(row)[0].rate is None  # until somebody has said yes


def test_where_the_key_may_not_read_rates_nothing_is_asked_yet(owner: Client, shop: PrestaShopSimulator) -> None:
    rights = hub_rights()
    rights["tax_rule_groups"] = set()
    shop.state.add_key(DEMO_KEY, rights)
    connected(owner)

    assert "asked for then" in at_the_mappings(owner)


def test_rates_stand_in_the_mappings_of_a_channel_for_who_may_change_them(
    owner: Client, person: Callable[[Role], User], shop: PrestaShopSimulator
) -> None:
    row = to_the_summary(owner)
    address = f"/channels/{row.code}/mappings/"
    reader = Client()
    reader.force_login(person(Role.READER))

    assert f'action="/channels/{row.code}/settings/prices/tax"' in owner.get(address).content.decode()
    assert "VAT standard" in (page := reader.get(address).content.decode())
    assert "<input" not in page[page.index('id="taxes"') :].partition("</table>")[0]

    given = {"class": "2", "rate": "5,5"}
    assert owner.post(f"/channels/{row.code}/settings/prices/tax", given)["Location"] == f"{address}#taxes"
    assert taxes.rows(row)[0].stated == Decimal("5.5")


# -- credentials ---------------------------------------------------------------------------------------------------------


def refusal(answer: Any) -> tuple[str, str]:
    """The field at which something is said, and what; there must be one, and nothing kept."""
    assert answer.status_code == 422
    assert not Channel.objects.filter(kind="prestashop").exists()
    said = [(one["name"], " ".join(one["wrong"])) for one in answer.context["fields"] if one["wrong"]]
    assert len(said) == 1
    assert DEMO_KEY not in answer.content.decode()
    return said[0]


def test_a_wrong_key_is_named_at_the_key(owner: Client, shop: PrestaShopSimulator) -> None:
    field, words = refusal(owner.post(NEW, typed(key="W" * 32)))

    assert field == "key"
    assert "refuses this key" in words


def test_a_key_that_was_switched_off_is_named_at_the_key(owner: Client, shop: PrestaShopSimulator) -> None:
    shop.state.revoke_key(DEMO_KEY)

    assert refusal(owner.post(NEW, typed()))[0] == "key"


def test_a_webservice_that_is_switched_off_is_named(owner: Client, shop: PrestaShopSimulator) -> None:
    shop.state.configure("PS_WEBSERVICE", "0")

    field, words = refusal(owner.post(NEW, typed()))

    assert field == "url"
    assert "switched off" in words


def test_a_missing_right_is_named_and_may_be_passed_over(owner: Client, shop: PrestaShopSimulator) -> None:
    rights = hub_rights()
    rights["carriers"] = set()
    shop.state.add_key(DEMO_KEY, rights)

    field, words = refusal(owner.post(NEW, typed()))
    assert (field, words) == ("key", "The key may not read: carriers.")

    assert owner.post(NEW, typed(anyway="yes"))["Location"] == STEP + "found/"
    assert "may not read: carriers" in owner.get(STEP + "found/").content.decode()
    assert Finding.objects.get(code="right_missing").facts == {"right": "carriers: GET"}


def test_a_right_without_which_nothing_can_be_mapped_is_asked_for_first(
    owner: Client, shop: PrestaShopSimulator
) -> None:
    rights = hub_rights()
    rights["order_states"] = set()
    shop.state.add_key(DEMO_KEY, rights)

    field, words = refusal(owner.post(NEW, typed(anyway="yes")))

    assert field == "key"
    assert "order_states: GET" in words


def test_a_key_that_may_only_read_is_called_so(owner: Client, shop: PrestaShopSimulator) -> None:
    shop.state.add_key(DEMO_KEY, read_rights())

    field, words = refusal(owner.post(NEW, typed()))

    assert field == "key"
    assert words.startswith("The key may only read. It may not change: stock_availables")


@pytest.mark.parametrize(
    ("changed", "field", "part"),
    [
        ({"url": ""}, "url", "fill this in"),
        ({"key": ""}, "key", "fill this in"),
        ({"key": "ключ"}, "key", "cannot be a key"),
        ({"url": "ftp://shop.test"}, "url", "https://"),
        ({"shops": "one"}, "shops", "whole numbers"),
    ],
)
def test_what_was_mistyped_is_named_at_its_field(
    owner: Client, shop: PrestaShopSimulator, changed: dict[str, str], field: str, part: str
) -> None:
    where, words = refusal(owner.post(NEW, typed(**changed)))

    assert where == field
    assert part in words


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://127.0.0.1:9", "inside a private network"),
        ("http://[::1]/", "inside a private network"),
        ("http://shop.invalid", "no host called shop.invalid"),
        ("http://name:word@shop.test", "must not hold a user name"),
    ],
)
def test_an_address_that_leads_nowhere_good_is_never_called(owner: Client, url: str, part: str) -> None:
    field, words = refusal(owner.post(NEW, typed(url=url)))

    assert field == "url"
    assert part in words


def test_a_shop_that_does_not_answer_is_named_at_the_address(owner: Client) -> None:
    channels.set_up_doors(lambda **options: HttpDoor(allow_private=True, **options))
    try:
        field, words = refusal(owner.post(NEW, typed(url="http://127.0.0.1:9")))
    finally:
        channels.set_up_doors(HttpDoor)

    assert field == "url"
    assert "127.0.0.1 does not answer" in words


def _answers(status: int, body: bytes = b"", headers: list[tuple[str, str]] | None = None) -> Any:
    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start(f"{status} Said", [("content-type", "text/html"), *(headers or [])])
        return [body]

    return application


@pytest.mark.parametrize(
    ("application", "part"),
    [
        (_answers(200, b"<html>Hello</html>"), "not PrestaShop"),
        (_answers(404), "Nothing at this address answers as PrestaShop"),
        (_answers(500), "an error of its own (500)"),
        (_answers(301, headers=[("location", "https://www.shop.test/api/")]), "leads on to https://www.shop.test"),
        (_answers(429), "slower"),
    ],
)
def test_something_else_than_the_shop_is_named_at_the_address(owner: Client, application: Any, part: str) -> None:
    channels.set_up_doors(quick_doors.to(application))
    try:
        field, words = refusal(owner.post(NEW, typed()))
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()

    assert field == "url"
    assert part in words


def test_a_page_that_asks_by_htmx_gets_the_words_alone_and_goes_on_by_a_header(
    owner: Client, shop: PrestaShopSimulator
) -> None:
    htmx: Any = {"headers": {"HX-Request": "true"}}
    answer = owner.post(NEW, typed(key="W" * 32), **htmx)
    assert answer.status_code == 200
    assert b"<form" not in answer.content
    assert b'id="wrong-key" class="wrong" role="alert" hx-swap-oob="true"><p>The shop refuses' in answer.content

    assert owner.post(NEW, typed(), **htmx)["HX-Redirect"] == STEP + "found/"


def test_the_key_is_kept_encrypted_and_never_shown(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)

    assert channels.config_of(row)["key"] == DEMO_KEY
    assert "key" not in row.config
    for step in ("found/", "credentials/"):
        assert DEMO_KEY not in owner.get(STEP + step).content.decode()
    assert not Event.objects.filter(facts__icontains=DEMO_KEY).exists()


# -- one shop, one channel -----------------------------------------------------------------------------------------------


def test_the_same_shop_sent_twice_is_one_channel(owner: Client, shop: PrestaShopSimulator) -> None:
    first = owner.post(NEW, typed())
    second = owner.post(NEW, typed(url="http://shop.test/api/", name="Another tab"))

    assert first["Location"] == second["Location"] == STEP + "found/"
    assert Channel.objects.filter(kind="prestashop").count() == 1
    assert Event.objects.filter(name="channels.channel.connected").count() == 1
    assert channels.config_of(Channel.objects.get(kind="prestashop"))["url"].startswith("http://shop.test")


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_the_same_moment_make_one_channel(owner: Client, shop: PrestaShopSimulator) -> None:
    tried = [channels.draft(kind="prestashop", name="", code="", config=typed_config(), at=NOW) for _ in range(2)]
    seen = connecting.ask_around(tried[0])

    def keep(row: Channel) -> int:
        return connecting.keep(row, seen, step="found", actor=SYSTEM, at=NOW).pk

    def other_tab() -> int:
        try:
            with transaction.atomic():
                return keep(tried[1])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = keep(tried[0])
            other = pool.submit(other_tab)
            while not sql.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert not other.done()
                sql.value("SELECT pg_sleep(0.01)::text")
        assert other.result(20) == first
    assert Channel.objects.filter(kind="prestashop").count() == 1


def test_a_shop_that_is_done_with_is_left_alone(owner: Client, shop: PrestaShopSimulator) -> None:
    row = to_the_summary(owner)
    owner.post(STEP + "summary/")
    shop.state.add_key("N" * 32)

    answer = owner.post(NEW, typed(key="N" * 32), follow=True)

    assert answer.redirect_chain == [("/channels/demo-shop/", 302)]
    assert "connected already" in answer.content.decode()
    row.refresh_from_db()
    assert channels.config_of(row)["key"] == DEMO_KEY


def test_two_shops_of_one_name_get_codes_of_their_own(owner: Client, shop: PrestaShopSimulator) -> None:
    owner.post(NEW, typed(name="Connect"))
    owner.post(NEW, typed(name="Connect", url="http://other.test"))

    codes = Channel.objects.filter(kind="prestashop").order_by("id").values_list("code", flat=True)
    assert list(codes) == ["connect-2", "connect-3"]


def test_without_a_name_the_shop_gives_its_own(owner: Client, shop: PrestaShopSimulator) -> None:
    owner.post(NEW, typed(name=""))

    assert Channel.objects.get(kind="prestashop").name == shop.state.configuration("PS_SHOP_NAME")


# -- steps ---------------------------------------------------------------------------------------------------------------


def test_what_was_found_is_shown(owner: Client, shop: PrestaShopSimulator) -> None:
    connected(owner)

    page = owner.get(STEP + "found/").content.decode()

    for text in ("8.2", "GBP", "en, fr", "Europe/London", "In step with ours.", "Payment accepted"):
        assert text in page, text


def test_a_clock_that_is_wrong_is_told(owner: Client, shop: PrestaShopSimulator) -> None:
    shop.clock.set(NOW.replace(year=NOW.year + 1))
    connected(owner)

    assert "ahead of ours. Set it right" in owner.get(STEP + "found/").content.decode()


def test_nothing_is_read_before_the_mappings_were_seen(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    assert (row.mode, row.connecting) == (Mode.TEST, "found")
    assert not Flow.objects.filter(channel=row).exists()

    row = to_the_summary(owner)
    assert {"pull_products", "pull_sales", "push_stock"} <= set(
        Flow.objects.filter(channel=row, enabled=True).values_list("kind", flat=True)
    )
    assert set(Flow.objects.filter(channel=row).values_list("timezone", flat=True)) == {"Europe/London"}


def test_who_left_in_the_middle_goes_on_where_they_were(owner: Client, shop: PrestaShopSimulator) -> None:
    connected(owner)
    owner.post(STEP + "found/", {"how": "on"})

    for page in ("/channels/", "/channels/demo-shop/", "/channels/connect/"):
        assert "Go on connecting" in owner.get(page).content.decode(), page
    assert owner.get(STEP)["Location"] == STEP + "products/"
    assert owner.get(STEP + "summary/")["Location"] == STEP + "products/"
    assert owner.get(STEP + "found/").status_code == 200


def test_a_step_sent_twice_does_nothing_twice(owner: Client, shop: PrestaShopSimulator) -> None:
    row = to_the_summary(owner)
    before = list(Event.objects.order_by("id").values_list("name", flat=True))
    flows = list(Flow.objects.filter(channel=row).order_by("id").values("id", "next_at", "every", "enabled"))

    row = to_the_summary(owner)

    assert row.connecting == "summary"
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == before
    assert list(Flow.objects.filter(channel=row).order_by("id").values("id", "next_at", "every", "enabled")) == flows


def test_a_tab_left_open_changes_nothing_once_it_is_done(owner: Client, shop: PrestaShopSimulator) -> None:
    row = to_the_summary(owner)
    owner.post(STEP + "summary/")
    [point] = row.points.all()

    for step in ("found/", "products/", "mappings/", "places/", "summary/"):
        answer = owner.post(STEP + step, {f"{point.pk}-warehouse": "", f"{point.pk}-buffer": "9"})
        assert answer["Location"] == "/channels/demo-shop/", step

    point.refresh_from_db()
    row.refresh_from_db()
    assert (point.buffer, row.connecting) == (Decimal(0), "")
    assert "Go on connecting" not in owner.get("/channels/").content.decode()


def test_statuses_without_a_meaning_come_first_and_choices_are_kept(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    owner.post(STEP + "found/", {"how": "on"})
    owner.post(STEP + "products/", {"how": "on"})
    seen = Seen.objects.get(channel=row)
    [shipped] = [one for one in seen.content["statuses"] if one["name"] == "Shipped"]
    shipped["state"] = "unknown"  # a status whose flags say nothing
    seen.save()
    page = owner.get(STEP + "mappings/")
    statuses = page.context["groups"]["status"]["rows"]
    assert [(one["name"], one["is_open"]) for one in statuses[:2]] == [
        ("Shipped", True),
        ("Awaiting bank wire payment", False),
    ]
    assert "1 status says nothing about payment" in page.content.decode()
    assert [one["by_flags"] for one in statuses if one["name"] == "Payment accepted"] == ["Import as valid"]
    assert "by its flags: Import as valid" in page.content.decode()
    carrier = Mapping.objects.filter(channel=row, kind="carrier").earliest("id")
    assert carrier.ours == carrier.name

    owner.post(STEP + "mappings/", {statuses[0]["field"]: "hold", f"carrier:{carrier.external_id}": "dpd"})

    kept = {(one.kind, one.external_id): one.ours for one in Mapping.objects.filter(channel=row)}
    assert kept["status", statuses[0]["external_id"]] == "hold"
    assert kept["carrier", carrier.external_id] == "dpd"
    assert Event.objects.filter(name="offers.mapping.changed").count() == 2


def test_a_carrier_that_another_shop_has_is_proposed_under_the_name_it_has_here(
    owner: Client, shop: PrestaShopSimulator
) -> None:
    first = connected(owner)
    carrier = Mapping.objects.get(channel=first, kind="carrier", name="Letter post")
    Mapping.objects.filter(pk=carrier.pk).update(ours="letter-post")

    owner.post(NEW, typed(name="Second", url="http://other.test"))

    theirs = Mapping.objects.filter(channel__code="second", kind="carrier")
    assert theirs.get(name="Letter post").ours == "letter-post"
    assert theirs.get(name="My carrier").ours == "My carrier"


def test_a_rule_that_does_not_exist_is_refused_and_the_step_stays(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    owner.post(STEP + "found/", {"how": "on"})
    owner.post(STEP + "products/", {"how": "on"})
    first = Mapping.objects.filter(channel=row, kind="status").earliest("id")

    answer = owner.post(STEP + "mappings/", {f"status:{first.external_id}": "burn"}, follow=True)

    assert answer.redirect_chain == [(STEP + "mappings/", 302)]
    assert "No such import rule" in answer.content.decode()
    row.refresh_from_db()
    assert row.connecting == "mappings"


def test_warehouses_buffer_and_the_first_day_are_kept(owner: Client, shop: PrestaShopSimulator) -> None:
    connected(owner)
    other = inventory.create_warehouse("annex", "Annex", at=NOW, actor=SYSTEM)
    [point] = SellingPoint.objects.filter(channel__code="demo-shop")

    both = [inventory.default_warehouse().pk, other.pk]
    given = {f"{point.pk}-warehouse": both, f"{point.pk}-buffer": "2,5", "sales_from": "2026-06-01"}
    row = to_the_summary(owner, **given)

    assert list(point.sources.order_by("position").values_list("warehouse_id", flat=True)) == both
    point.refresh_from_db()
    assert point.buffer == Decimal("2.5")
    for step in ("places/", "summary/"):
        assert ("2026-06-01" if step == "places/" else "June 1, 2026") in owner.get(STEP + step).content.decode()
    assert row.sales_from == datetime(2026, 5, 31, 23, 0, tzinfo=UTC)  # midnight in London, in summer


@pytest.mark.parametrize(
    ("field", "text", "part"),
    [("warehouse", "", "at least one warehouse"), ("buffer", "many", "Not a number"), ("buffer", "-1", "do not fit")],
)
def test_a_place_that_makes_no_sense_is_refused_whole(
    owner: Client, shop: PrestaShopSimulator, field: str, text: str, part: str
) -> None:
    row = connected(owner)
    owner.post(STEP + "found/", {"how": "on"})
    owner.post(STEP + "products/", {"how": "on"})
    owner.post(STEP + "mappings/", {})
    [point] = row.points.all()
    given = {f"{point.pk}-warehouse": str(Warehouse.objects.earliest("id").pk), "sales_from": "2026-06-01"}

    answer = owner.post(STEP + "places/", {**given, f"{point.pk}-{field}": text}, follow=True)

    assert part in answer.content.decode()
    row.refresh_from_db()
    assert (row.connecting, row.sales_from) == ("places", None)
    assert not Flow.objects.filter(channel=row).exists()


def test_the_summary_says_what_to_do_in_turn(owner: Client, shop: PrestaShopSimulator) -> None:
    to_the_summary(owner)

    page = owner.get(STEP + "summary/").content.decode()

    assert page.index("Run products now") < page.index("Run stock once") < page.index("Preview")
    assert owner.post(STEP + "summary/")["Location"] == "/channels/demo-shop/"


# -- other credentials ---------------------------------------------------------------------------------------------------


def test_a_new_key_for_a_known_shop_is_tried_before_it_is_kept(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    shop.state.add_key("N" * 32)

    assert owner.post(STEP + "credentials/", typed(key="W" * 32)).status_code == 422
    assert channels.config_of(row)["key"] == DEMO_KEY

    assert owner.post(STEP + "credentials/", typed(key="N" * 32)).status_code == 302
    row.refresh_from_db()
    assert channels.config_of(row)["key"] == "N" * 32
    assert channels.config_of(row)["webhook_secret"]


def test_a_connected_shop_gets_another_key_from_its_settings(owner: Client, shop: PrestaShopSimulator) -> None:
    row = to_the_summary(owner)
    owner.post(STEP + "summary/")
    shop.state.add_key("N" * 32)
    assert STEP + "credentials/" in owner.get("/channels/demo-shop/settings/").content.decode()
    assert "Steps" not in owner.get(STEP + "credentials/").content.decode()

    answer = owner.post(STEP + "credentials/", typed(key="N" * 32))

    assert answer["Location"] == "/channels/demo-shop/settings/"
    row.refresh_from_db()
    assert (channels.config_of(row)["key"], row.connecting) == ("N" * 32, "")


def test_an_empty_key_keeps_the_one_there_is_and_another_shop_is_refused(
    owner: Client, shop: PrestaShopSimulator
) -> None:
    row = connected(owner)

    answer = owner.post(STEP + "credentials/", typed(key="", url="http://elsewhere.test"))

    assert answer.status_code == 422
    assert "another shop" in answer.content.decode()
    row.refresh_from_db()
    assert row.config["url"] == "http://shop.test"
    assert owner.post(STEP + "credentials/", typed(key="", shipped_status="4")).status_code == 302
    row.refresh_from_db()
    assert (row.config["shipped_status"], channels.config_of(row)["key"]) == ("4", DEMO_KEY)


def test_looking_again_says_what_went_wrong(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    shop.state.revoke_key(DEMO_KEY)

    page = owner.post(STEP + "found/", {"how": "again"}, follow=True).content.decode()

    assert "refuses this key" in page
    row.refresh_from_db()
    assert row.health == "locked_out"


def test_an_unknown_kind_leads_to_those_there_are(owner: Client) -> None:
    assert owner.get("/channels/connect/spaceship/")["Location"] == "/channels/connect/"
    assert "PrestaShop" in owner.get("/channels/connect/").content.decode()


def test_credentials_that_no_key_opens_any_more_are_typed_again(owner: Client, shop: PrestaShopSimulator) -> None:
    row = connected(owner)
    other = Box(("a key that is gone",))
    Channel.objects.filter(pk=row.pk).update(sealed=other.close({"key": DEMO_KEY}))
    before = Event.objects.filter(name="channels.channel.corrected").count()

    assert owner.get(STEP + "credentials/").status_code == 200
    assert owner.post(NEW, typed())["Location"] == STEP + "found/"  # as if it were connected anew

    row.refresh_from_db()
    assert channels.config_of(row)["key"] == DEMO_KEY
    Channel.objects.filter(pk=row.pk).update(sealed=other.close({"key": DEMO_KEY}))
    answer = owner.post(STEP + "credentials/", typed(key=""))
    assert answer.status_code == 422
    assert "cannot be read any more" in answer.content.decode()
    assert owner.post(STEP + "credentials/", typed()).status_code == 302
    row.refresh_from_db()
    assert channels.config_of(row)["key"] == DEMO_KEY
    assert Event.objects.filter(name="channels.channel.corrected").count() == before + 2

"""A merchant connects a shop alone: from the empty list of channels to an empty first difference, and to production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import quick_doors
from house_world import LONG, RIGHT_TO_LEFT
from playwright.sync_api import Page, expect
from shop_world import NOW

from comptoir.accounts.models import Role, User
from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel, Mode
from comptoir.config import bootstrap
from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator
from comptoir.engine import runs
from comptoir.engine.models import Flow, PlanRow, Run, RunStatus, Trigger
from comptoir.flows import connecting
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

from .conftest import PASSWORD, SIZES, keep_picture, wrong_with

pytestmark = pytest.mark.browser

#: States that no other test shows to axe.
UNUSUAL = {"2-refused", "4-products", "7-ready", "8-live"}


@pytest.fixture
def house(transactional_db: None) -> Iterator[PrestaShopSimulator]:
    """A new hub, its owner, and a shop that is not connected."""
    bootstrap.set_up()
    shop = PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London")

    channels.set_up_doors(quick_doors.to(shop.wsgi))
    shop.clock.set(NOW)
    try:
        with clock.using(clock.ManualClock(NOW)):
            User.objects.create_user("owner@hub.test", PASSWORD, role=Role.OWNER, name="Odile Owner")
            yield shop
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()


@pytest.fixture
def looks_well(signed_in: Page) -> Callable[[str], None]:
    """Keep pictures of a step, wide and narrow, wide in light and narrow in dark; none is wider than its window."""

    def look(step: str) -> None:
        signed_in.evaluate("scrollTo(0, 0)")
        keep_picture(signed_in, f"connecting-{step}-wide-light")
        assert signed_in.evaluate("document.documentElement.scrollWidth") <= SIZES["wide"][0], step
        width, height = SIZES["narrow"]
        signed_in.set_viewport_size({"width": width, "height": height})
        signed_in.emulate_media(color_scheme="dark")
        keep_picture(signed_in, f"connecting-{step}-narrow-dark")
        assert signed_in.evaluate("document.documentElement.scrollWidth") <= width, step
        if step in UNUSUAL:
            assert wrong_with(signed_in) == [], step
        signed_in.emulate_media(color_scheme="light")
        signed_in.set_viewport_size({"width": SIZES["wide"][0], "height": SIZES["wide"][1]})

    return look


def carry_out() -> Run:
    """A worker takes the run that was just asked for."""
    run = Run.objects.latest("id")
    assert runs.execute(run.pk, "test") == RunStatus.DONE
    return run


def test_a_shop_is_connected_from_nothing(
    signed_in: Page, house: PrestaShopSimulator, looks_well: Callable[[str], None]
) -> None:
    page = signed_in
    page.goto("/channels/")
    page.get_by_role("main").get_by_role("link", name="Connect a shop").first.click()
    looks_well("1-kind")
    page.get_by_role("link", name="PrestaShop").click()

    # A wrong key is named at the key, and what was typed stays.
    key = page.get_by_label("Webservice key")
    page.get_by_label("Address of the shop").fill("http://shop.test")
    key.fill("W" * 32)
    page.get_by_role("button", name="Try the connection").click()
    expect(page.locator("#wrong-key")).to_contain_text("refuses this key")
    expect(key).to_have_value("W" * 32)
    looks_well("2-refused")
    assert not Channel.objects.filter(kind="prestashop").exists()

    key.fill(DEMO_KEY)
    page.get_by_role("button", name="Try the connection").click()
    expect(page.get_by_role("heading", name="What is there")).to_be_visible()
    looks_well("3-found")

    # Leaving in the middle, and going on.
    page.goto("/channels/")
    looks_well("3-left")
    page.get_by_role("link", name="Go on connecting").click()
    page.get_by_role("button", name="Go on to products").click()
    page.get_by_role("button", name="Read the products").click()
    expect(page.get_by_text("The products are being read")).to_be_visible()
    carry_out()
    expect(page.get_by_text("Only there")).to_be_visible()  # by itself, a second later
    looks_well("4-products")
    page.get_by_role("link", name="Mapping doctor").click()
    page.get_by_text("Repair", exact=True).last.click()
    page.get_by_label("Reason").fill("Sold there only")
    looks_well("4-doctor")
    page.get_by_role("button", name="Ignore it").click()
    expect(page.get_by_text("It stays findable")).to_be_visible()
    page.get_by_role("link", name="Go on connecting").click()
    page.get_by_role("button", name="Go on to mappings").click()
    expect(page.get_by_role("heading", name="Mappings")).to_be_visible()
    looks_well("4-mappings")
    page.get_by_role("button", name="Keep, and go on").click()
    expect(page.get_by_role("heading", name="Where it sells from")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Keep, and go on").click()
    looks_well("5-places")
    page.get_by_role("button", name="Begin to read this shop").click()
    expect(page.get_by_role("heading", name="What comes next")).to_be_visible()
    looks_well("6-summary")

    for button in ("Run products now", "Run stock once", "Preview"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_text("Waits for a worker")).to_be_visible()
        run = carry_out()
        page.goto("/channels/")
        page.get_by_role("link", name="Go on connecting").click()
    looks_well("7-ready")
    assert run.is_preview
    assert not PlanRow.objects.filter(run=run).exists()

    page.get_by_role("button", name="Done: open the channel").click()
    expect(page.get_by_text("Go on connecting")).to_have_count(0)
    channel = Channel.objects.get(kind="prestashop")
    assert channel.mode == Mode.TEST
    assert house.counters.writes.total() == 0

    # Going live: what is open is shipped here from now on, and the first push has nothing to say.
    runs.execute(
        runs.request(Flow.objects.get(channel=channel, kind="accept_sales").pk, Trigger.PERSON, SYSTEM, at=NOW), "test"
    )
    page.goto(f"/channels/{channel.code}/settings/")
    page.get_by_role("main").get_by_role("link", name="Go live").click()
    page.get_by_role("button", name="All undecided are shipped here").click()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    carry_out()
    expect(page.get_by_text("Nothing would be written")).to_be_visible()  # by itself
    page.reload()
    looks_well("8-live")
    if page.get_by_label("Go live although errors are open").count():
        page.get_by_label("Go live although errors are open").check()
    page.get_by_label("Type the name of the channel").fill(channel.name)
    page.get_by_role("button", name="Go live: nothing to write yet").click()
    expect(page.get_by_role("status").filter(has_text="Writes are on.")).to_be_visible()
    channel.refresh_from_db()
    assert channel.mode == Mode.PRODUCTION
    assert house.counters.writes.total() == 0


@pytest.mark.parametrize("language", ["fr", "es"])
def test_no_step_is_wider_than_a_phone_in_any_language(
    signed_in: Page, house: PrestaShopSimulator, tmp_path: Path, language: str
) -> None:
    house.state.configure("PS_SHOP_NAME", (RIGHT_TO_LEFT + " " + LONG)[:120])
    config = {"url": "http://shop.test", "key": DEMO_KEY}
    tried = channels.draft(kind="prestashop", name="", code="", config=config, at=NOW)
    row = connecting.keep(tried, connecting.ask_around(tried), step="summary", actor=SYSTEM, at=NOW)
    connecting.begin(row)
    signed_in.get_by_label("Language").click()
    signed_in.locator(f"button[name=language][value={language}]").click()
    signed_in.locator(f"html[lang={language}]").wait_for()
    signed_in.set_viewport_size({"width": 390, "height": 844})
    steps = ["", "prestashop/"]
    own = ["credentials/", "found/", "products/", "mappings/", "places/", "summary/"]
    wide = []
    for address in ["/channels/", *(f"/channels/connect/{one}" for one in steps)] + [
        f"/channels/{row.code}/connect/{one}" for one in own
    ]:
        signed_in.goto(address)
        signed_in.screenshot(path=tmp_path / f"{address.strip('/').replace('/', '-')}.png", full_page=True)
        if (found := signed_in.evaluate("document.documentElement.scrollWidth")) > 390:
            wide.append((address, found))

    assert wide == []

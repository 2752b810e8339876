"""What people do all day, done in a browser: sign in, run a flow, repair and accept a sale, ship, read a number."""

from __future__ import annotations

import re

import pytest
from django.db.models.functions import Lower
from house_world import sell_something_unknown
from playwright.sync_api import Page, expect
from shop_world import World

from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.inventory.models import Level, Reservation
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments.models import Shipment
from comptoir.engine import runs
from comptoir.engine.models import Run
from comptoir.offers.models import Offer
from comptoir.staging.models import StagedSale, State
from comptoir.web import lists

pytestmark = pytest.mark.browser


def test_signing_in_with_a_wrong_password_says_so_and_with_the_right_one_opens_the_house(
    page: Page, house: World
) -> None:
    page.goto("/orders/")
    page.get_by_label("E-mail").fill("owner@hub.test")
    page.get_by_label("Password").fill("wrong wrong wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Orders")).to_be_visible()
    page.get_by_text("Odile Owner").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_flow_is_run_and_its_page_follows_it_to_the_end(signed_in: Page, house: World) -> None:
    house.shop.state.place_order([_line(house)], state="PS_OS_PAYMENT")
    house.pass_time(minutes=6)
    signed_in.goto("/channels/shop/flows/")
    row = signed_in.get_by_role("row").filter(has_text="New and changed orders")
    row.get_by_role("button", name="Run now").click()
    expect(signed_in.get_by_text("Waits for a worker")).to_be_visible()

    runs.execute(Run.objects.latest("id").pk, "test")  # a worker takes it

    expect(signed_in.get_by_text(re.compile("Done|Some items wait"))).to_be_visible()
    expect(signed_in.get_by_role("button", name="Run again")).to_be_visible()


def _line(house: World) -> object:
    from comptoir.connectors.prestashop.simulator import Line

    return Line(1, quantity=1)


def test_a_staged_sale_is_repaired_where_it_stands_and_accepted(signed_in: Page, house: World) -> None:
    sell_something_unknown(house)
    staged = StagedSale.objects.get(state=State.REPAIR)
    sku = Offer.objects.earliest("id").variant.sku

    signed_in.get_by_role("link", name="Staging", exact=True).click()
    signed_in.get_by_role("link", name=staged.number).click()
    signed_in.get_by_placeholder("Our SKU").fill(sku)
    signed_in.get_by_role("button", name="Map").click()
    expect(signed_in.get_by_role("status")).to_contain_text("1 sale can go on")
    signed_in.get_by_role("button", name="Accept", exact=True).click()
    expect(signed_in.get_by_role("status")).to_contain_text("1 sale is being accepted")

    house.drain("accept_sales")
    signed_in.reload()
    signed_in.get_by_role("link", name="Open order").click()
    order = Order.objects.get(external_id=staged.external_id)
    expect(signed_in.get_by_role("heading", name=order.number)).to_be_visible()


def test_an_order_is_shipped_with_its_tracking_number(signed_in: Page, house: World) -> None:
    order = Order.objects.get(pk=Reservation.objects.earliest("id").order)

    signed_in.get_by_placeholder("SKU or order number").fill(order.number)
    signed_in.keyboard.press("Enter")
    signed_in.get_by_label("Tracking number").fill("1Z-TEST-77")
    signed_in.get_by_role("button", name="Ship this parcel").click()

    parcel = Shipment.objects.get(order=order)
    expect(signed_in.get_by_role("status")).to_contain_text(parcel.number)
    expect(signed_in.get_by_role("cell", name="1Z-TEST-77")).to_be_visible()
    expect(signed_in.get_by_text("will be told")).to_be_visible()

    house.drain()
    signed_in.reload()
    expect(signed_in.get_by_text("told", exact=True)).to_be_visible()


def test_the_stock_explanation_leads_from_a_number_to_its_causes(signed_in: Page, house: World) -> None:
    promise = Reservation.objects.select_related("variant").earliest("id")
    order = Order.objects.get(pk=promise.order)

    signed_in.goto("/channels/shop/offers/")
    signed_in.get_by_role("link", name=promise.variant.sku, exact=True).click()
    signed_in.get_by_text("How this number comes about").click()
    panel = signed_in.locator("section.panel").first
    expect(panel.get_by_role("columnheader", name="Reserved")).to_be_visible()
    signed_in.get_by_role("link", name=order.number).click()

    expect(signed_in.get_by_role("heading", name=order.number)).to_be_visible()


def test_a_list_narrows_in_place_and_its_address_keeps_it(signed_in: Page) -> None:
    signed_in.goto("/products/")
    signed_in.get_by_placeholder("SKU, barcode or name").fill("lantern")
    expect(signed_in.get_by_role("status").filter(has_text="row")).not_to_contain_text("46")
    expect(signed_in).to_have_url(re.compile("q=lantern"))

    signed_in.reload()
    expect(signed_in.get_by_role("link", name="LAN-001")).to_be_visible()
    expect(signed_in.get_by_role("link", name="MUG-020")).to_have_count(0)


def test_a_list_looks_on_by_itself_until_it_has_found_something(
    signed_in: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT", 5)
    last = Variant.objects.filter(kind="simple").order_by(Lower("sku")).last()
    assert last is not None
    Level.objects.exclude(variant=last).update(on_hand=0, reserved=0, held=0)
    signed_in.goto("/products/?stock=some")
    expect(signed_in.get_by_role("link", name=last.sku)).to_be_visible()
    expect(signed_in).to_have_url(re.compile("after="))


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_is_wider_than_its_window(signed_in: Page, house: World, width: int) -> None:
    sell_something_unknown(house)
    signed_in.set_viewport_size({"width": width, "height": 844})
    order, staged = Order.objects.earliest("id"), StagedSale.objects.get(state=State.REPAIR)
    variant = Offer.objects.earliest("id").variant_id
    channel = "/channels/shop/"
    pages = ["/", "/orders/?tab=all", f"/orders/{order.number}/", "/staging/", f"/staging/{staged.pk}/", "/products/",
             f"/products/{variant}/", "/inventory/", "/inventory/receive/", "/channels/", channel, *(
                 channel + tab for tab in ("flows/", "offers/", "mappings/", "preview/", "settings/")),
             "/runs/", "/findings/", "/findings/all/", "/settings/tokens/", "/settings/people/", "/me/"]  # fmt: skip
    wide = []
    for address in pages:
        signed_in.goto(address)
        if (found := signed_in.evaluate("document.documentElement.scrollWidth")) > width:
            wide.append((address, found))

    assert wide == []

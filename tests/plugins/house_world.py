"""A running house for tests of pages: the demo shop in step with the hub, the people who work there, and every page there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import quick_doors
from django.db import transaction
from shop_world import NOW, World, connect

from comptoir.accounts import actions as accounts
from comptoir.accounts import invitations
from comptoir.accounts.models import Role
from comptoir.alerts import actions as alerts
from comptoir.alerts.models import Destination
from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.purchasing import actions as purchasing
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine import runs
from comptoir.engine.models import Run
from comptoir.flows import connecting
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Doubt, Listed, Offer
from comptoir.staging.models import StagedSale, State
from comptoir.web import orders, staging

HOSTILE = '<script>alert("x")</script>'
LONG = "A very long name that goes on " * 4
RIGHT_TO_LEFT = "מוצר לדוגמה ארוך"


@contextmanager
def running(*, live: bool = True) -> Iterator[World]:
    """The demo shop: products and sales are in, stock is counted, and (if live) levels are told."""
    time = clock.ManualClock(NOW)
    try:
        with clock.using(time):
            shop = PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London")
            # Also of a shop that is only tried, at the pace of its kind, nobody waits for it here.
            channels.set_up_doors(quick_doors.to(shop.wsgi))
            world = connect(shop, time)
            world.run("pull_products")
            world.run("pull_stock_once")
            world.drain()
            if live:
                world.go_live()
                world.drain()
            yield world
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()


def sell_something_unknown(world: World) -> str:
    """A sale of a product that the hub has never read; the external id of the sale."""
    product = world.shop.state.add_product(LONG, reference="NEW-777", price="9.00", quantity=4)
    order = world.shop.state.place_order([Line(product, quantity=2)], state="PS_OS_PAYMENT")
    world.pass_time(minutes=6)
    world.run("pull_sales")
    return str(order)


def furnish(world: World) -> None:
    """Something on every page: a sale to repair, a plan, a replay, a channel in test and one half connected, suppliers, a
    price list, an alert, a token and an invitation. (All channels are one simulated shop at several addresses.)"""
    at = world.at
    sell_something_unknown(world)
    world.preview("push_stock")
    pulled = Run.objects.filter(flow__channel=world.channel, flow__kind="pull_products").earliest("id")
    runs.execute(runs.request_replay(pulled.pk, SYSTEM, at=at), "test")

    with transaction.atomic():
        offer = Offer.objects.filter(variant__kind="simple").select_related("variant").earliest("id")
        supplier = purchasing.create_supplier(
            "Northern Candles", email="orders@north.test", currency="GBP", lead_days=7, at=at, actor=SYSTEM
        )
        purchasing.link_product(
            supplier.pk,
            offer.variant_id,
            reference="NC-14",
            price=Decimal("3.20"),
            pack_units=Decimal(6),
            at=at,
            actor=SYSTEM,
        )
        trade = catalog.price_list("trade", "Trade customers", "GBP", tax_included=False)
        catalog.set_price(offer.variant_id, trade.pk, Decimal("7.40"), at=at, actor=SYSTEM)
        alerts.save(None, alerts.Wanted(name="The office", url="json://alerts.test"), actor=SYSTEM, at=at)
        accounts.make_token("Catalogue, web shop", ["catalog.read"], actor=SYSTEM, at=at)
        invitations.invite("picker@hub.test", Role.PICKER, actor=SYSTEM, at=at)

    second = connect(world.shop, world.clock, "second", "http://second.test")
    Channel.objects.filter(pk=second.channel.pk).update(name="Second shop")
    for number in range(3):
        world.shop.state.add_product(
            f"Sold there only {number}", reference=f"THERE-{number}", price="4.00", quantity=number
        )
    world.shop.state.add_product("No SKU there", reference="", price="4.00", quantity=7)
    second.run("match_products")
    second.run("pull_sales")
    second.drain("accept_sales")

    tried = channels.draft(
        kind="prestashop", name="Third shop", code="", config={"url": "http://third.test", "key": world.shop.key}, at=at
    )
    seen = connecting.ask_around(tried)
    with transaction.atomic():
        connecting.begin(connecting.keep(tried, seen, step="summary", actor=SYSTEM, at=at))


def addresses() -> list[str]:
    """Every page that a person can open in a house with a sale to repair."""
    order = Order.objects.filter(status=Status.PROCESSING).earliest("id")
    sale = StagedSale.objects.filter(state=State.REPAIR).earliest("id")
    offer = Offer.objects.filter(variant__reservations__isnull=False).earliest("id")
    run = Run.objects.order_by("-seen").first()
    assert run is not None
    channel = "/channels/shop"
    kits = Offer.objects.filter(variant__kind="kit").values_list("variant", flat=True).distinct()
    return [
        "/", "/orders/", *(f"/orders/?tab={tab}" for tab in orders.TABS),
        f"/orders/{order.number}/", "/staging/", *(f"/staging/?tab={tab}" for tab in staging.TABS),
        f"/staging/{sale.pk}/", f"/staging/{sale.pk}/raw/", "/products/", "/products/?q=lantern&state=sale&stock=some&kind=simple",
        f"/products/{offer.variant_id}/", *(f"/products/{kit}/" for kit in kits), "/products/price-lists/",
        "/inventory/", "/inventory/?q=bowl&stock=reserved", "/inventory/movements/", "/inventory/movements/?reason=opening&sort=oldest",
        "/inventory/receive/", "/inventory/adjust/", "/channels/", f"{channel}/", f"{channel}/flows/", f"{channel}/offers/",
        f"{channel}/offers/?state=waiting&q=CUS", f"{channel}/mappings/", f"{channel}/preview/",
        f"{channel}/webhooks/", f"{channel}/settings/",
        f"{channel}/matching/", f"{channel}/matching/file/", f"{channel}/doctor/",
        "/channels/hub/", "/channels/hub/flows/", "/runs/", "/runs/?status=done&outcome=partial&trigger=person", f"/runs/{run.pk}/",
        "/runs/999999/", "/findings/", "/findings/all/", "/findings/all/?severity=error&state=open&code=unknown_sku",
        "/purchasing/suppliers/", "/purchasing/suppliers/new/",
        "/settings/tokens/", "/settings/people/", "/settings/roles/", "/settings/audit/", "/settings/alerts/", "/settings/personal/",
        "/me/", "/me/second-factor/", "/me/sessions/",
        "/search?q=cushion",
    ]  # fmt: skip


def furnished_addresses() -> list[str]:
    """The pages that a furnished house has besides."""
    supplier, sold = Supplier.objects.earliest("id"), SupplierProduct.objects.earliest("id")
    plan = Run.objects.filter(flow__kind="push_stock", is_preview=True).latest("id")
    replay = Run.objects.filter(replays__isnull=False).latest("id")
    listed = Listed.objects.filter(channel__code="second", match="none").earliest("id")
    doubt = Doubt.objects.filter(channel__code="second", listing=listed.external_id).earliest("id")
    second, wizard = "/channels/second", "/channels/third-shop/connect"
    return [
        f"/runs/{plan.pk}/", f"/runs/{plan.pk}/difference/", f"/runs/{replay.pk}/", f"/runs/{replay.pk}/difference/",
        f"/purchasing/suppliers/{supplier.pk}/", f"/purchasing/products/{sold.pk}/", f"/products/{sold.variant_id}/",
        f"/settings/alerts/{Destination.objects.earliest('id').pk}/", "/settings/audit/?tab=signins",
        f"{second}/live/", f"{second}/", f"{second}/matching/?match=none", f"{second}/matching/{listed.pk}/", f"{second}/doctor/",
        f"{second}/doctor/{doubt.pk}/", f"{second}/flows/",
        "/channels/connect/", "/channels/connect/prestashop/",
        *(f"{wizard}/{step}/" for step in ("credentials", "found", "products", "mappings", "places", "summary")),
    ]  # fmt: skip

"""What people go through with the hub, each story once from its beginning to its end: in one of the three languages and at one
width, so that all of them occur. Words come from the catalogues, as the pages take them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import quick_doors
import shop_world
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext, ngettext
from playwright.sync_api import Browser, Page, expect
from proof_children import KILLED, children, lease_runs_out
from shop_world import NOW, World

from comptoir.accounts import actions as accounts
from comptoir.accounts.models import Role, User
from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Mode
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.inventory.models import Movement
from comptoir.commerce.orders.models import Order, Status
from comptoir.config import bootstrap
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine import queue, runs
from comptoir.engine.models import Finding, Flow, PlanRow, Run, RunStatus, Trigger
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Doubt, Link, Mapping
from comptoir.simulators import server
from comptoir.staging.models import StagedSale, State

from .conftest import PASSWORD, keep_picture, sign_in, window, wrong_with

pytestmark = pytest.mark.browser


@contextmanager
def told(chromium: Browser, address: str, *, language: str, size: str) -> Iterator[Page]:
    """A story's window, and its language for what the test looks for."""
    with translation.override(language), window(chromium, address, size=size, language=language) as page:
        yield page


@contextmanager
def owner(chromium: Browser, address: str, *, language: str, size: str) -> Iterator[Page]:
    """The same, signed in."""
    User.objects.create_user("owner@hub.test", PASSWORD, role=Role.OWNER, name="Odile Owner")
    with told(chromium, address, language=language, size=size) as page:
        sign_in(page, language)
        yield page


@contextmanager
def shop(world: str = "empty") -> Iterator[World]:
    """A shop in this process, connected, in test mode, nothing read yet."""
    simulator = PrestaShopSimulator(version="8.2", world=world, timezone="Europe/London")
    channels.set_up_doors(quick_doors.to(simulator.wsgi))
    time = clock.ManualClock(NOW)
    try:
        with clock.using(time):
            yield shop_world.connect(simulator, time)
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()


def seen(page: Page, step: str) -> None:
    """A step of a story is sound, and a picture of it is kept."""
    assert wrong_with(page) == [], step
    keep_picture(page, f"story-{step}")


def test_a_new_hub_becomes_somebodys(chromium: Browser, live_server: Any, transactional_db: None) -> None:
    """First start, French, on a phone: the one-time address makes its first visitor the owner, and nobody else."""
    bootstrap.set_up()
    with transaction.atomic():
        secret = accounts.expect_owner(actor=SYSTEM, at=clock.now())
    with told(chromium, live_server.url, language="fr", size="narrow") as page:
        page.goto(f"/welcome/{secret}")
        expect(page.locator("html")).to_have_attribute("lang", "fr")
        seen(page, "first-start")
        page.get_by_label(gettext("E-mail")).fill("odile@boutique.test")
        page.get_by_label(gettext("Password"), exact=False).first.fill("une phrase assez longue")
        page.get_by_label(gettext("The password again")).fill("une phrase assez longue")
        page.get_by_role("button", name=gettext("Become the owner")).click()

        expect(page.get_by_role("status").filter(has_text=gettext("This hub is yours."))).to_be_visible()
        page.get_by_role("main").get_by_role("link", name=gettext("Connect a shop")).first.click()
        page.get_by_role("link", name="PrestaShop").click()
        expect(page.get_by_role("button", name=gettext("Try the connection"))).to_be_visible()
        assert page.request.get(f"{live_server.url}/welcome/{secret}").status == 404
        page.goto("/settings/people/")
        expect(page.get_by_role("main").get_by_text("odile@boutique.test").first).to_be_visible()
    assert User.objects.get().role == Role.OWNER


def test_the_list_of_the_doctor_is_repaired(chromium: Browser, live_server: Any, transactional_db: None) -> None:
    """Spanish, at a desk: each kind of doubt by its own repair, until everything fits. Nothing is written to the shop."""
    with shop() as world, owner(chromium, live_server.url, language="es", size="wide") as page:
        for sku, *barcodes in (("A", "4006381333931"), ("B", "4006381333948"), ("SODA",), ("LONELY",)):
            with transaction.atomic():
                catalog.create_product(f"Our {sku}", sku, barcodes=barcodes, at=world.at, actor=SYSTEM)
        add = functools.partial(world.shop.state.add_product, price="5.00", quantity=3)
        add("Our A", reference="A", ean13="4006381333948")
        add("Our SODA pack of 6", reference="SODA")
        add("Nameless", reference="")
        add("Our TWIN", reference="TWIN")
        other = add("Our TWIN", reference="TWIN")
        add("Gift", reference="GIFT")
        world.run("match_products")
        form = page.locator(".repairs")

        def repair(code: str, button: str, **fields: str) -> None:
            before = Doubt.objects.filter(code=code, ignored_at=None).count()
            page.goto(f"/channels/shop/doctor/?code={code}")
            page.locator("details.repair summary").filter(has_text=gettext("Repair")).last.click()
            for label, text in fields.items():
                form.get_by_label(gettext(label)).fill(text)
            form.get_by_role("button", name=button).click()
            expect(form).to_have_count(0)
            assert Doubt.objects.filter(code=code, ignored_at=None).count() < before, code

        page.goto("/channels/shop/doctor/")
        expect(page.locator("details.repair")).to_have_count(Doubt.objects.count())
        seen(page, "doctor")
        both = gettext("Both are one: %(ours)s shares the stock of %(other)s") % {"ours": "A", "other": "B"}
        repair("barcode_elsewhere", both)
        repair("pack_suspected", gettext("Make the kit"))
        repair("no_sku", gettext("Give it this SKU"), **{"SKU here": "NAMED"})
        repair("same_sku", gettext("Link to this variant"), **{"SKU or barcode of yours": "B"})
        repair("only_here", gettext("Link this listing"), **{"Its id or SKU there": f"{other}-0"})
        while left := Doubt.objects.filter(ignored_at=None).first():
            repair(left.code, gettext("Ignore it"), Reason=gettext("A gift only"))
        page.goto("/channels/shop/doctor/")
        expect(page.get_by_text(gettext("Everything fits"))).to_be_visible()
        seen(page, "doctor-done")

        assert {Variant.objects.get(sku=sku).kind for sku in ("A",)} == {"alias"}
        assert Link.objects.filter(variant__kind="kit").exists()
        assert world.shop.counters.writes.total() == 0


def test_a_shop_goes_live_with_orders_in_flight(chromium: Browser, live_server: Any, transactional_db: None) -> None:
    """French, at a desk: three orders are open, one of them has left already. The first difference is empty, and nothing
    is written when writes begin."""
    with shop() as world, owner(chromium, live_server.url, language="fr", size="wide") as page:
        product = world.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
        placed = [world.shop.state.place_order([(product, 0, 1)], state="PS_OS_PAYMENT") for _ in range(3)]
        world.run("pull_products")
        world.run("pull_sales")
        world.drain("accept_sales")
        numbers = [Order.objects.get(external_id=str(one)).number for one in placed]

        page.goto("/channels/shop/")
        page.goto("/channels/shop/live/")
        count = page.get_by_role("button", name=gettext("Count, and show the first push"))
        expect(count).to_be_disabled()
        for number, choice in zip(numbers, ("Shipped here", "Shipped here", "Left already"), strict=True):
            one = page.get_by_role("group", name=gettext("Who ships %(number)s") % {"number": number})
            one.get_by_label(gettext(choice)).check()
        page.get_by_role("button", name=gettext("Keep these decisions")).click()
        count.click()
        expect(page.get_by_role("link", name=gettext("Waits for a worker"))).to_be_visible()
        run = Run.objects.latest("id")
        assert runs.execute(run.pk, "test") == RunStatus.DONE

        nothing = gettext("Nothing would be written: the shop has what it should have.")
        expect(page.get_by_text(nothing)).to_be_visible()  # by itself
        page.reload()
        seen(page, "going-live")
        assert not PlanRow.objects.filter(run__gte=run.pk).exists()
        page.get_by_label(gettext("Type the name of the channel")).fill("Demo shop")
        page.get_by_role("button", name=gettext("Go live: nothing to write yet")).click()
        expect(page.get_by_role("status").filter(has_text=gettext("Writes are on."))).to_be_visible()
        expect(page.get_by_role("main").get_by_text(gettext("Production")).first).to_be_visible()

        world.channel.refresh_from_db()
        assert world.channel.mode == Mode.PRODUCTION
        world.drain()
        assert world.shop.counters.writes.total() == 0
        assert [Order.objects.get(number=one).status for one in numbers] == [
            Status.PROCESSING,
            Status.PROCESSING,
            Status.COMPLETE,
        ]
        assert not Movement.objects.filter(reason="shipment").exists()


def test_a_carrier_is_mapped_from_its_finding_and_the_orders_behind_it_go_on(
    chromium: Browser, live_server: Any, transactional_db: None
) -> None:
    """Spanish, on a phone: seven sales wait for one shipping method that is mapped to nothing."""
    with shop() as world, owner(chromium, live_server.url, language="es", size="narrow") as page:
        product = world.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=50)
        for kind in ("pull_products", "pull_stock_once", "pull_sales"):
            world.run(kind)
        Mapping.objects.filter(channel=world.channel, kind="carrier").update(ours="")
        placed = [str(world.shop.state.place_order([(product, 0, 1)], state="PS_OS_PAYMENT")) for _ in range(7)]
        world.pass_time(minutes=6)
        world.run("pull_sales")
        waiting = StagedSale.objects.filter(external_id__in=placed, state=State.REPAIR)
        assert waiting.count() == 7
        name = Finding.objects.filter(code="unknown_carrier").earliest("id").facts["name"]
        title = gettext("No carrier of yours is mapped to the shipping method “%(name)s”") % {"name": name}

        page.goto("/findings/")
        finding = page.get_by_role("listitem").filter(has_text=title)
        seen(page, "carrier-finding")
        finding.get_by_role("link").last.click()
        page.get_by_role("link", name=waiting.earliest("id").number).click()
        page.get_by_label(gettext("Carrier"), exact=True).fill("dpd")
        page.get_by_role("button", name=gettext("Use this carrier")).click()
        said = ngettext("Remembered. %(n)d sale can go on.", "Remembered. %(n)d sales can go on.", 7) % {"n": 7}
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
        seen(page, "carrier-mapped")

        world.drain("accept_sales")
        page.reload()
        page.get_by_role("link", name=gettext("Open order %(order_number)s").partition("%")[0]).click()
        expect(page.get_by_text("dpd").first).to_be_visible()
        page.goto("/findings/")
        expect(page.get_by_text(title)).to_have_count(0)
        assert set(Order.objects.filter(external_id__in=placed).values_list("carrier", flat=True)) == {"dpd"}
        assert Order.objects.filter(external_id__in=placed).count() == 7


@pytest.mark.kill
def test_a_run_is_watched_while_its_worker_is_killed(
    chromium: Browser, live_server: Any, transactional_db: None
) -> None:
    """English, on a phone: the page stays with the run, and follows the worker that takes it over to the end."""
    time = clock.ManualClock(NOW)
    with ExitStack() as ends:
        ends.enter_context(clock.using(time))
        far = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/London")
        for number in range(9):
            far.state.add_product(f"Cup {number}", reference=f"CUP-{number}", price="5.00", quantity=4)
        channels.set_up_doors(functools.partial(HttpDoor, allow_private=True))
        ends.callback(channels.set_up_doors, HttpDoor)
        ends.callback(pace.close)
        world = shop_world.connect(far, time, url=ends.enter_context(server.serve(far)))
        them = ends.enter_context(children())
        page = ends.enter_context(owner(chromium, live_server.url, language="en", size="narrow"))
        flow = Flow.objects.get(channel=world.channel, kind="pull_products")
        with queue.without_wakeups():
            run = runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=world.at)
        page.goto(f"/runs/{run}/")
        expect(page.get_by_text("Waits for a worker")).to_be_visible()

        assert them.wait(them.start(run, world.at, armed=("commit", "after", 4))) == KILLED
        expect(page.get_by_text("Running", exact=True)).to_be_visible()  # by itself
        expect(page.get_by_text("attempt 2")).to_have_count(0)
        assert Run.objects.get(pk=run).status == RunStatus.RUNNING
        seen(page, "worker-killed")
        lease_runs_out(run)
        assert them.wait(them.start(run, world.at)) == 0

        expect(page.get_by_text(re.compile("Done|Some items wait"))).to_be_visible()  # by itself
        expect(page.get_by_text("attempt 2")).to_be_visible()
        seen(page, "worker-replaced")
        assert Variant.objects.count() == 9

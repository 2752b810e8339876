"""Pages of a running house: what they show, that they stay cheap, and that hostile text stays text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import transaction
from django.test import Client
from house_world import HOSTILE, LONG, RIGHT_TO_LEFT, addresses, running, sell_something_unknown
from shop_world import World

from comptoir.accounts.models import Role, User
from comptoir.commerce.catalog.models import Product
from comptoir.commerce.inventory.models import Level, Movement, Reservation
from comptoir.commerce.orders.models import Line, Order, Status
from comptoir.commerce.shipments.models import Shipment
from comptoir.engine.models import Finding, Flow, Run
from comptoir.flows import budget, reach
from comptoir.offers.models import Doubt, Mapping, Offer, SellingPoint
from comptoir.staging.models import StagedSale, State
from comptoir.web import hooks

MOST_STATEMENTS = 30


@pytest.fixture(scope="module")
def built(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The demo shop in production, with a sale that waits for a repair: built once, in a transaction that is never kept."""
    with django_db_blocker.unblock(), transaction.atomic():
        with running() as world:
            sell_something_unknown(world)
            world.preview("push_stock")
            yield world
        transaction.set_rollback(True)


@pytest.fixture
def house(built: World, db: None) -> World:
    """The same house for every test: what a test changes is undone."""
    built.channel.refresh_from_db()
    return built


@pytest.fixture
def person(house: World) -> Callable[[Role], User]:
    """Somebody of a role."""
    return lambda role: User.objects.create_user(f"{role.value}@hub.test", role=role, name=role.label)


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that reaches PostgreSQL, whichever way it takes."""
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        seen.append(str(query)[:200])
        return execute(self, query, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counted)
        yield seen


def test_every_page_opens_and_costs_few_statements(
    house: World, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first visit warms what a process keeps; the second is counted."""
    dear = {}
    for address in addresses():
        owner.get(address)
        with statements(monkeypatch) as seen:
            answer = owner.get(address)
        assert answer.status_code == (404 if "999999" in address else 200), address
        assert len(answer.content) < 200_000, address
        assert seen, address
        if len(seen) > MOST_STATEMENTS:
            dear[address] = len(seen)

    assert dear == {}


def test_hostile_text_stays_text_on_every_page(house: World, owner: Client) -> None:
    Product.objects.update(name=HOSTILE)
    Product.objects.filter(pk__in=Product.objects.values("pk")[:3]).update(name=RIGHT_TO_LEFT)
    Line.objects.update(name=HOSTILE + LONG[:200])
    Order.objects.update(note=HOSTILE, buyer={"name": HOSTILE, "company": "", "email": HOSTILE}, carrier_name=HOSTILE)
    StagedSale.objects.update(buyer=HOSTILE, status_name=HOSTILE, raw=HOSTILE)
    Finding.objects.update(facts={"sku": HOSTILE, "name": HOSTILE, "carrier": HOSTILE})
    Mapping.objects.update(name=HOSTILE)
    Flow.objects.update(cron="")
    User.objects.update(name=HOSTILE)
    house.channel.name = HOSTILE
    house.channel.save(update_fields=["name"])
    met = 0

    for address in addresses():
        page = owner.get(address).content.decode()
        assert HOSTILE not in page, address
        assert not re.search(r"\son\w+=|\sstyle=|javascript:", page.lower().replace("&quot;", "")), address
        met += "&lt;script&gt;" in page

    assert met > 30


def test_a_list_is_walked_to_its_end_without_a_row_twice_or_never(house: World, owner: Client) -> None:
    Order.objects.update(placed_at=Order.objects.earliest("id").placed_at)  # ties are broken by id
    for listing, address in (
        ("web.orders.ORDERS", "/orders/?tab=all"),
        ("web.inventory.MOVEMENTS", "/inventory/movements/?x=1"),
    ):
        seen, place = [], address
        while place:
            shown = owner.get(place).context["list"]
            seen += [row.pk for row in shown.items]
            place = f"{address.split('?')[0]}{shown.next}" if shown.next else ""
        expected = Order.objects.count() if "orders" in listing else Movement.objects.count()
        assert len(seen) == len(set(seen)) == expected, listing


def test_search_jumps_to_what_is_called_exactly_so(house: World, owner: Client) -> None:
    order = Order.objects.earliest("id")
    variant = Offer.objects.earliest("id").variant

    assert owner.get(f"/search?q={order.number}")["Location"] == f"/orders/{order.number}/"
    assert owner.get(f"/search?q={variant.sku.lower()}")["Location"] == f"/products/{variant.pk}/"


def test_roles_that_need_not_know_the_buyer_do_not_see_one(house: World, person: Callable[[Role], User]) -> None:
    order = Order.objects.exclude(buyer__name="").earliest("id")
    pages = {}
    for role in (Role.READER, Role.PICKER):
        client = Client()
        client.force_login(person(role))
        pages[role] = "".join(client.get(a).content.decode() for a in ("/orders/?tab=all", f"/orders/{order.number}/"))

    assert order.buyer["name"] in pages[Role.PICKER]
    assert order.buyer["name"] not in pages[Role.READER]
    assert order.buyer["email"] not in pages[Role.READER]


def test_goods_typed_in_are_booked_once_however_often_the_form_is_sent(house: World, owner: Client) -> None:
    level = Level.objects.select_related("variant").earliest("id")
    before = level.on_hand
    form = {
        "key": "abc",
        "warehouse": level.warehouse_id,
        "sku": [level.variant.sku.lower(), ""],
        "quantity": ["3", ""],
    }

    for _again in range(2):
        assert owner.post("/inventory/receive/", form).status_code == 302

    level.refresh_from_db()
    assert level.on_hand == before + 3


def test_a_file_of_goods_is_booked_whole_or_not_at_all(house: World, owner: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    level = Level.objects.select_related("variant").earliest("id")
    before, movements = level.on_hand, Movement.objects.count()

    def send(content: str, key: str) -> str:
        file = SimpleUploadedFile("goods.csv", content.encode())
        form = {"key": key, "warehouse": level.warehouse_id, "file": file}
        return owner.post("/inventory/receive/", form, follow=True).content.decode()

    for bad, named in (
        (f"sku;quantity\n{level.variant.sku};2\nNOPE;1\n", "row 3"),
        (f"sku,quantity\n{level.variant.sku},two\n", "row 2"),
        (f'sku,quantity\n{level.variant.sku},"1,000"\n', "row 2"),
        (f"sku,quantity\n{level.variant.sku},-1\n", "row 2"),
        (f"code,quantity\n{level.variant.sku},1\n", "sku"),
        ("", "sku"),
    ):
        assert named in send(bad, "k1")
        assert Movement.objects.count() == movements, bad
    send(f"\ufeffSKU;Quantity\r\n{level.variant.sku};2\r\n", "k2")
    level.refresh_from_db()
    assert level.on_hand == before + 2


def test_a_correction_is_booked_with_its_reason(house: World, owner: Client) -> None:
    level = Level.objects.select_related("variant").filter(reserved=0, on_hand__gte=2).earliest("id")
    form = {"key": "k", "sku": level.variant.sku, "warehouse": level.warehouse_id, "change": "-2", "comment": "broken"}
    page = owner.post("/inventory/adjust/", form, follow=True).content.decode()

    assert "broken" in page
    level.refresh_from_db()
    assert Movement.objects.latest("id").comment == "broken"


def test_a_parcel_leaves_once_however_often_the_button_is_pressed(house: World, owner: Client) -> None:
    promise = Reservation.objects.filter(quantity__gte=2).earliest("id")
    order = Order.objects.get(pk=promise.order)
    form = {"key": "parcel-1", f"take-{promise.line}-{promise.warehouse_id}": "1", "tracking": "1Z999"}

    for _again in range(2):
        owner.post(f"/orders/{order.number}/ship", form)

    assert Shipment.objects.filter(order=order).count() == 1
    page = owner.get(f"/orders/{order.number}/").content.decode()
    assert "1Z999" in page
    assert "shipped 1" in page


def test_more_than_is_reserved_cannot_be_shipped_and_the_page_says_why(house: World, owner: Client) -> None:
    promise = Reservation.objects.earliest("id")
    order = Order.objects.get(pk=promise.order)
    form = {"key": "k", f"take-{promise.line}-{promise.warehouse_id}": "999"}

    page = owner.post(f"/orders/{order.number}/ship", form, follow=True).content.decode()

    assert 'class="error"' in page
    assert not Shipment.objects.filter(order=order).exists()


def test_an_order_is_held_released_and_cancelled_with_reasons(house: World, owner: Client) -> None:
    order = Order.objects.filter(status=Status.PROCESSING).earliest("id")
    do = f"/orders/{order.number}/do/"

    assert "say why" in owner.post(do + "hold", {}, follow=True).content.decode().lower()
    for deed, data, status in (
        ("hold", {"reason": "ask the buyer"}, Status.ON_HOLD),
        ("release", {}, Status.PROCESSING),
        ("cancel", {"reason": "never mind"}, Status.CANCELLED),
    ):
        page = owner.post(do + deed, data, follow=True).content.decode()
        order.refresh_from_db()
        assert order.status == status
    assert "never mind" in page
    assert owner.post(do + "explode").status_code == 404


def test_a_sale_is_repaired_where_it_stands_and_the_repair_is_remembered(house: World, owner: Client) -> None:
    staged = StagedSale.objects.get(state=State.REPAIR)
    line = staged.sale["lines"][0]["external_id"]
    sku = Offer.objects.earliest("id").variant.sku

    wrong = owner.post(f"/staging/{staged.pk}/repair", {"what": "line", "line": line, "sku": "NOPE"}, follow=True)
    assert "NOPE" in wrong.content.decode()
    owner.post(f"/staging/{staged.pk}/repair", {"what": "line", "line": line, "sku": sku})

    staged.refresh_from_db()
    assert staged.state == State.READY
    assert not Finding.objects.filter(code="unknown_sku", closed_at__isnull=True).exists()


def test_a_rejected_sale_says_why_and_its_findings_close(house: World, owner: Client) -> None:
    staged = StagedSale.objects.get(state=State.REPAIR)

    owner.post("/staging/decide", {"picked": [staged.pk], "answer": "reject", "reason": ""})
    staged.refresh_from_db()
    assert staged.state == State.REPAIR

    owner.post("/staging/decide", {"picked": [staged.pk], "answer": "reject", "reason": "a test of the shop"})
    staged.refresh_from_db()
    assert staged.state == State.REJECTED
    assert not Finding.objects.filter(subject=f"sale:{staged.external_id}", closed_at__isnull=True).exists()


def test_a_schedule_that_makes_no_sense_changes_nothing(house: World, owner: Client) -> None:
    flow = Flow.objects.get(channel=house.channel, kind="pull_sales")

    for form in ({"minutes": "0.01"}, {"cron": "every day"}, {"minutes": "5", "cron": "0 3 * * *"}, {"minutes": "x"}):
        page = owner.post(f"/flows/{flow.pk}/schedule", form, follow=True).content.decode()
        assert 'class="error"' in page, form
    owner.post(f"/flows/{flow.pk}/schedule", {"minutes": "7"})
    flow.refresh_from_db()
    assert (flow.every, flow.cron) == (420, "")
    assert "every 7 minutes" in owner.get("/channels/shop/flows/").content.decode()


def test_advice_before_going_live_is_there_until_it_is_heeded(house: World, owner: Client) -> None:
    owner.post("/channels/shop/settings/mode", {"mode": "test"})
    shop = house.channel.pk

    def says(part: str) -> bool:
        return part in owner.get("/channels/shop/live/").content.decode()

    # Prices that the hub tells need the rate of each tax class.
    luxury = Mapping.objects.create(channel_id=shop, kind="tax", external_id="99", name="Luxury", changed_at=house.at)
    assert not says("Tax classes without a rate")
    SellingPoint.objects.filter(channel=shop).update(owns_price=False)
    assert says("Tax classes without a rate: 1.")
    Mapping.objects.filter(pk=luxury.pk).update(ours="33")
    assert not says("Tax classes without a rate")

    # The mapping doctor must have looked, and what it doubts is counted until a person says that it is well.
    assert says("not be noticed")
    house.run("match_products")
    doubts = Doubt.objects.filter(channel=shop, ignored_at=None)
    number = doubts.count()
    assert number > 1
    assert not says("not be noticed")
    assert says(f"Listings and variants that do not: {number},")
    doubts.update(ignored_at=house.at, ignored_by="Anna")
    assert not says("Listings and variants that do not")


def test_going_live_asks_for_the_name_of_the_channel(house: World, owner: Client) -> None:
    owner.post("/channels/shop/settings/mode", {"mode": "test"})
    house.channel.refresh_from_db()
    assert house.channel.mode == "test"

    page = owner.get("/channels/shop/live/").content.decode()
    assert "Going live" in page
    assert "appears when the steps above are done" in page
    assert "not be noticed" in page  # nobody has let the mapping doctor look
    assert "Tax classes without a rate" not in page  # the shop says them, and its prices are its own
    assert Order.objects.filter(channel=house.channel.pk, taken_over="", status="processing").exists()
    owner.post("/channels/shop/live/orders", {"all": "elsewhere"}, follow=True)
    first = Order.objects.filter(channel=house.channel.pk, status="processing").earliest("id")
    owner.post("/channels/shop/live/orders", {f"order-{first.pk}": "left", "order-x": "left"})
    first.refresh_from_db()
    assert (first.taken_over, first.is_blocked) == ("left", True)
    owner.post("/channels/shop/live/orders", {"all": "here"})
    first.refresh_from_db()
    assert first.taken_over == "left"
    owner.post("/channels/shop/live/orders", {f"order-{first.pk}": "here"})
    owner.post("/channels/shop/live/count")
    house.drain("take_over")
    shown = Run.objects.filter(flow__kind="take_over").latest("id")
    assert (shown.status, shown.error) == ("done", None)
    assert f'name="shown" value="{shown.pk}"' in owner.get("/channels/shop/live/").content.decode()

    for wrong in ({"name": "Demo"}, {"name": house.channel.name, "shown": "7"}):
        given = {"shown": str(shown.pk), "despite_errors": "yes", **wrong}
        page = owner.post("/channels/shop/live/go", given, follow=True).content.decode()
        assert 'class="error"' in page
        house.channel.refresh_from_db()
        assert house.channel.mode == "test"
    owner.post("/channels/shop/live/go", {"name": house.channel.name, "shown": str(shown.pk), "despite_errors": "yes"})
    house.channel.refresh_from_db()
    assert house.channel.mode == "production"


def test_a_live_channel_changes_through_a_difference(house: World, owner: Client) -> None:
    point = house.channel.points.get()
    given = {"warehouse": [str(source.warehouse_id) for source in point.sources.all()], "buffer": "2"}
    page = owner.post(f"/channels/shop/settings/point/{point.pk}", given).content.decode()
    assert "Change it, and tell" in page
    point.refresh_from_db()
    assert point.buffer == 0
    owner.post(f"/channels/shop/settings/point/{point.pk}", {**given, "seen": "yes"})
    point.refresh_from_db()
    assert point.buffer == 2
    assert owner.post(f"/channels/shop/settings/point/{point.pk}", {**given, "buffer": "-2"}).status_code == 302
    point.refresh_from_db()
    assert point.buffer == 2

    row = StagedSale.objects.filter(channel=house.channel, order=None, state="retry").earliest("id")
    wish = {"kind": "status", "external_id": row.external_status, "ours": "hold"}
    page = owner.post("/channels/shop/mappings/map", wish).content.decode()
    assert "Map it so" in page
    row.refresh_from_db()
    assert row.state == "retry"
    owner.post("/channels/shop/mappings/map", {**wish, "seen": "yes"})
    row.refresh_from_db()
    assert row.state in ("ready", "accepted")


def test_stock_counted_from_a_live_shop_is_booked_from_its_preview(house: World, owner: Client) -> None:
    offer = Offer.objects.filter(point__channel=house.channel, told__gt=3, variant__kind="simple").earliest("id")
    house.shop.state.set_stock(int(offer.listing.partition("-")[0]), int(offer.told or 0) - 2)
    preview = house.preview("pull_stock_once")
    page = owner.get(f"/channels/shop/preview/?run={preview}").content.decode()
    assert "Book 1 difference of stock" in page
    before = Level.objects.get(variant=offer.variant).on_hand
    owner.post(f"/runs/{preview}/approve-count")
    house.drain("pull_stock_once")
    assert Level.objects.get(variant=offer.variant).on_hand == before - 2
    other = Run.objects.filter(is_preview=True).exclude(pk=preview).latest("id")
    assert "too old" in owner.post(f"/runs/{other.pk}/approve-count", follow=True).content.decode()


def test_a_channel_is_archived_by_its_name(house: World, owner: Client) -> None:
    assert "Archive this channel" in owner.get("/channels/shop/settings/").content.decode()
    owner.post("/channels/shop/settings/archive", {"name": "shop"})
    house.channel.refresh_from_db()
    assert house.channel.archived_at is None
    owner.post("/channels/shop/settings/archive", {"name": house.channel.name})
    house.channel.refresh_from_db()
    assert house.channel.archived_at is not None
    assert house.channel.name in owner.get("/channels/").content.decode()
    for tab in ("", "flows/", "offers/", "mappings/", "preview/", "settings/"):
        assert owner.get(f"/channels/shop/{tab}").status_code == 200
    assert owner.get("/channels/shop/live/").status_code == 302


def test_a_change_at_the_channel_shows_both_versions_and_theirs_can_be_taken(house: World, owner: Client) -> None:
    promise = Reservation.objects.filter(quantity__gte=2).earliest("id")
    order = Order.objects.get(pk=promise.order)
    detail = house.shop.state.details(int(order.external_id or 0))[0]
    house.shop.state.change_line(detail["id"], int(detail["product_quantity"]) - 1)
    house.pass_time(minutes=61)
    house.run("update_orders")
    order.refresh_from_db()
    assert order.is_blocked

    page = owner.get(f"/orders/{order.number}/").content.decode()
    assert "What changed there" in page
    assert owner.get("/orders/?tab=changed").context["list"].items == [order]
    owner.post(f"/orders/{order.number}/do/take_theirs")

    order.refresh_from_db()
    assert not order.is_blocked
    assert order.lines.get(pk=promise.line).quantity == int(detail["product_quantity"]) - 1


def test_the_budget_says_what_a_cycle_costs_before_a_flow_is_on(house: World, owner: Client) -> None:
    row = Flow.objects.get(channel=house.channel, kind="check_stock")
    Run.objects.filter(flow=row).delete()
    flow = Flow.objects.get(channel=house.channel, kind="pull_sales")
    found = budget.budget(house.channel, at=house.at)
    listings = house.channel.links.filter(kind="listing", gone_at=None).count()
    assert (found.costs[row.pk].is_measured, found.costs[row.pk].calls, found.costs[row.pk].times) == (False, 1.0, 1.0)
    assert listings < 1000
    assert found.costs[flow.pk].is_measured
    assert found.costs[flow.pk].times == 86400 / (flow.every or 0)
    assert 0 < found.share < 1
    Flow.objects.filter(channel=house.channel).update(enabled=False)
    off = budget.budget(house.channel, at=house.at)
    assert (off.share, off.costs.keys()) == (0, found.costs.keys())
    Flow.objects.filter(channel=house.channel).update(enabled=True)
    house.channel.calls_per_minute = 1
    house.channel.save()
    assert budget.budget(house.channel, at=house.at).share > 1
    assert "they never catch up" in owner.get("/channels/shop/flows/").content.decode()


def test_the_window_is_what_was_measured_else_what_the_schedule_allows(house: World, owner: Client) -> None:
    StagedSale.objects.filter(channel=house.channel).delete()
    Run.objects.filter(flow__kind="push_stock").delete()
    none = reach.window(house.channel, at=house.at)
    every = Flow.objects.get(channel=house.channel, kind="pull_sales").every
    assert (none.learns, none.tells, none.seconds, none.polls_every, none.has_webhooks) == (
        None,
        None,
        None,
        every,
        False,
    )
    assert "Polling only" in owner.get("/channels/shop/").content.decode()
    placed = max(house.channel.created_at, house.at - timedelta(hours=1))
    for number in range(6):
        StagedSale.objects.create(
            channel=house.channel, external_id=f"w-{number}", number=str(number), sale={}, total=0, state="closed",
            placed_at=placed, seen_at=placed + timedelta(seconds=60 if number else 400), changed_at=placed,
        )  # fmt: skip
    found = reach.window(house.channel, at=house.at)
    assert found.learns is not None
    assert (found.learns.median, found.learns.counted) == (60, 6)
    assert found.learns.slow > 60


def test_the_public_address_must_lead_back_here(house: World, owner: Client) -> None:
    page = owner.post("/channels/shop/webhooks/address", follow=True).content.decode()
    assert "no public address" in page
    answer = Client().get("/reach/some-nonce")
    assert answer.content.decode() == hooks.proof("some-nonce")
    assert hooks.proof("some-nonce") != hooks.proof("another")


def test_the_secret_is_for_those_who_change_channels(
    house: World, owner: Client, person: Callable[[Role], User]
) -> None:
    page = owner.get("/channels/shop/webhooks/").content.decode()
    assert house.channel.webhook_token in page
    assert "whsec_" not in page
    assert "whsec_" in owner.post("/channels/shop/webhooks/secret").content.decode()
    reader = Client()
    reader.force_login(person(Role.READER))
    assert house.channel.webhook_token not in reader.get("/channels/shop/webhooks/").content.decode()
    assert reader.post("/channels/shop/webhooks/secret").status_code == 403

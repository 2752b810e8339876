"""What a person does about a finding where it is shown: on the order, in the list; and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from house_world import running
from shop_world import World

from comptoir.accounts.models import Role, User
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order, Status
from comptoir.engine import findings
from comptoir.engine.models import Finding, Severity
from comptoir.events.models import Event
from comptoir.kit.actor import SYSTEM


@pytest.fixture(scope="module")
def built(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The demo shop in production: built once, in a transaction that is never kept."""
    with django_db_blocker.unblock(), transaction.atomic():
        with running() as world:
            yield world
        transaction.set_rollback(True)


@pytest.fixture
def house(built: World, db: None) -> World:
    built.channel.refresh_from_db()
    return built


@pytest.fixture
def browser(house: World, person: Callable[[Role], User]) -> Callable[[Role], Client]:
    """The browser of somebody of a role."""

    def sign_in(role: Role) -> Client:
        client = Client()
        client.force_login(person(role))
        return client

    return sign_in


def open_order(house: World) -> Order:
    return Order.objects.filter(channel=house.channel.pk, status=Status.PROCESSING).earliest("id")


def changed_there(house: World, order: Order, state: str) -> None:
    house.pass_time(minutes=1)
    house.shop.state.change_state(int(order.external_id or 0), state)
    house.run("pull_sales")
    order.refresh_from_db()


def open_codes(order: Order) -> set[str]:
    return set(
        Finding.objects.filter(subject=f"order:{order.pk}", closed_at__isnull=True).values_list("code", flat=True)
    )


def test_somebody_says_that_a_finding_is_dealt_with_and_it_comes_back_if_it_is_not(
    house: World, browser: Callable[[Role], Client]
) -> None:
    order = open_order(house)
    report = findings.Report(
        house.channel.pk, "tracking_refused", f"order:{order.pk}", Severity.ERROR, {"reason": "no"}
    )
    findings.report([report], at=house.at)
    service = browser(Role.SERVICE)
    assert "Dealt with" in service.get(f"/orders/{order.number}/").content.decode()
    found = Finding.objects.get(code="tracking_refused")

    service.post("/findings/done", {"picked": [found.pk], "note": "typed into the shop"})

    found.refresh_from_db()
    assert found.closed_at is not None
    assert (found.closed_by, found.closed_note) == ("Customer service", "typed into the shop")
    assert "typed into the shop" in service.get("/findings/all/?state=closed").content.decode()
    assert "typed into the shop" in service.get(f"/orders/{order.number}/").content.decode()
    event = Event.objects.get(name="engine.findings.dealt_with")
    assert event.facts["findings"] == [[house.channel.pk, "tracking_refused", f"order:{order.pk}"]]

    service.post("/findings/done", {"picked": [found.pk], "note": "again"})
    assert Event.objects.filter(name="engine.findings.dealt_with").count() == 1
    findings.report([report], at=house.at)
    found.refresh_from_db()
    assert (found.closed_at, found.closed_by, found.closed_note) == (None, "", "")


def test_a_sale_that_was_reopened_there_is_decided_on_its_order(
    house: World, browser: Callable[[Role], Client]
) -> None:
    order = open_order(house)
    changed_there(house, order, "PS_OS_CANCELED")
    changed_there(house, order, "PS_OS_PAYMENT")
    assert (order.status, open_codes(order)) == ("cancelled", {"reopened_there"})
    owner = browser(Role.OWNER)
    page = owner.get(f"/orders/{order.number}/").content.decode()
    assert ("Take theirs" in page, "Keep ours" in page) == (True, True)

    owner.post(f"/orders/{order.number}/do/take_theirs")

    order.refresh_from_db()
    assert (order.status, open_codes(order)) == ("processing", set())


def test_nobody_but_those_who_may_sees_how_to_close_a_finding(house: World, browser: Callable[[Role], Client]) -> None:
    findings.report([findings.Report(house.channel.pk, "clock_ahead", "clock:sale", Severity.ERROR)], at=house.at)
    for role, may in ((Role.MANAGER, True), (Role.READER, False)):
        client = browser(role)
        for page in ("/findings/", "/findings/all/", "/channels/shop/"):
            assert ("/findings/done" in client.get(page).content.decode()) == may, (role, page)


@pytest.mark.parametrize(("way", "status"), [("book", "complete"), ("agree", "processing")])
def test_what_left_there_is_asked_about_where_the_channel_is_set_so(
    house: World, browser: Callable[[Role], Client], way: str, status: str
) -> None:
    owner = browser(Role.OWNER)
    owner.post("/channels/shop/settings/choices", {"accepts_by_itself": "yes"})
    order = open_order(house)
    changed_there(house, order, "PS_OS_SHIPPING")
    assert (order.status, order.is_blocked, open_codes(order)) == ("processing", True, {"shipped_there_unbooked"})
    changed_there(house, order, "PS_OS_SHIPPING")
    assert open_codes(order) == {"shipped_there_unbooked"}
    page = owner.get(f"/orders/{order.number}/").content.decode()
    assert "Book what left" in page
    assert "Leave it as it is" in page
    assert "Take theirs" not in page  # nothing differs but the status

    owner.post(f"/orders/{order.number}/do/{way}")

    order.refresh_from_db()
    assert (order.status, order.is_blocked, open_codes(order)) == (status, False, set())
    assert order.shipments.filter(is_ours=False).count() == (1 if way == "book" else 0)
    changed_there(house, order, "PS_OS_SHIPPING")
    assert (order.status, open_codes(order)) == (status, set())


def test_what_left_there_is_booked_where_nothing_else_was_chosen(house: World) -> None:
    order = open_order(house)
    changed_there(house, order, "PS_OS_SHIPPING")
    assert (order.status, open_codes(order)) == ("complete", {"shipped_there"})


def test_whoever_has_the_goods_in_hand_puts_them_back(house: World, browser: Callable[[Role], Client]) -> None:
    order = open_order(house)
    orders.pick(order.pk, at=house.at, actor=SYSTEM)
    changed_there(house, order, "PS_OS_CANCELED")
    assert open_codes(order) == {"cancelled_there_while_prepared"}
    picker = browser(Role.PICKER)
    assert f"/orders/{order.number}/put-back" in picker.get(f"/orders/{order.number}/").content.decode()

    picker.post(f"/orders/{order.number}/put-back")

    assert open_codes(order) == set()
    assert f"/orders/{order.number}/put-back" not in picker.get(f"/orders/{order.number}/").content.decode()

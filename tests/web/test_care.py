"""The pages of Settings where an operator says who is told, and hands over or erases what is kept about a customer."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alert_world import SECRET, Receiver
from django.db import transaction
from django.test import Client
from house_world import running
from shop_world import World

from comptoir.accounts.models import Role, User
from comptoir.alerts.models import Destination
from comptoir.commerce.orders.models import Order
from comptoir.events.models import Event
from comptoir.kit.settings import settings

CHOSEN = {
    "name": "Chat", "severities": ["error"], "window": "10", "timezone": "Europe/Paris", "language": "fr", "is_on": "on",
    "quiet_from": "22:00", "quiet_until": "07:00", "tells_resolved": "on",
}  # fmt: skip


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("COMPTOIR_ALLOW_PRIVATE_ADDRESSES", "yes")
    settings.cache_clear()
    there = Receiver()
    yield there
    there.stop()
    settings.cache_clear()


@pytest.fixture
def manager(person: Callable[[Role], User]) -> Client:
    client = Client()
    client.force_login(person(Role.MANAGER))
    return client


def test_a_destination_is_named_tried_changed_and_removed(manager: Client, receiver: Receiver) -> None:
    page = "/settings/alerts/"
    assert "Nobody is told yet" in manager.get(page).content.decode()
    answer = manager.post(page, {**CHOSEN, "url": receiver.url}, follow=True).content.decode()
    place = Destination.objects.get()
    assert "JSON · 127.0.0.1" in answer
    assert SECRET not in answer
    assert (place.timezone, str(place.quiet_from), place.urgent_breaks_quiet) == ("Europe/Paris", "22:00:00", False)
    assert SECRET not in manager.get(f"{page}{place.pk}/").content.decode()

    told = manager.post(f"{page}{place.pk}/try", follow=True).content.decode()
    assert "has taken the message" in told
    assert len(receiver.got) == 1
    receiver.answer = "403 Forbidden"
    told = manager.post(f"{page}{place.pk}/try", follow=True).content.decode()
    assert "403" in told
    assert SECRET not in told

    manager.post(f"{page}{place.pk}/", {**CHOSEN, "name": "Night shift", "is_on": ""})
    place.refresh_from_db()
    assert (place.name, place.is_on) == ("Night shift", False)
    manager.post(f"{page}{place.pk}/remove")
    assert not Destination.objects.exists()
    assert SECRET not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "nonsense"}, "alerts cannot go to this address"),
        ({"url": ""}, "say where alerts go"),
        ({"url": "json://x.example", "quiet_until": ""}, "quiet hours need a beginning and an end"),
        ({"url": "json://x.example", "severities": []}, "This field is required"),
    ],
)
def test_what_is_wrong_with_a_destination_is_said(manager: Client, changed: dict[str, Any], said: str) -> None:
    answer = manager.post("/settings/alerts/", {**CHOSEN, **changed}, follow=True).content.decode()
    assert said.lower() in answer.lower()
    assert not Destination.objects.exists()


def test_a_customer_is_found_handed_over_and_erased_only_when_confirmed(
    person: Callable[[Role], User],
) -> None:
    with running() as world:
        _through_the_pages(world, person)
        transaction.set_rollback(True)


def _through_the_pages(world: World, person: Callable[[Role], User]) -> None:
    owner = Client()
    owner.force_login(person(Role.OWNER))
    order = Order.objects.filter(status="complete").first() or Order.objects.latest("id")
    Order.objects.filter(buyer__email=order.buyer["email"]).update(status="complete")
    email = order.buyer["email"]
    page = "/settings/personal/"
    assert "Nobody is known by that" in owner.post(page, {"customer": "no@body.example"}).content.decode()
    shown = owner.post(page, {"customer": email}).content.decode()
    assert order.number in shown
    file = owner.post(f"{page}export", {"customer": email})
    assert file["Content-Disposition"] == 'attachment; filename="customer.zip"'
    names = zipfile.ZipFile(io.BytesIO(b"".join(file.streaming_content))).namelist()  # type: ignore[attr-defined]
    assert {"data.json", "orders.csv", "summary.txt"} <= set(names)

    said = owner.post(f"{page}erase", {"customer": email, "again": "something else"}, follow=True).content.decode()
    assert "Nothing was erased" in said
    order.refresh_from_db()
    assert order.buyer["email"] == email
    said = owner.post(f"{page}erase", {"customer": email, "again": email.upper()}, follow=True).content.decode()
    assert "Erased from" in said
    order.refresh_from_db()
    assert order.buyer == {}
    assert owner.get(f"/orders/{order.number}/").status_code == 200
    assert "Personal data of the customer erased" in owner.get(f"/orders/{order.number}/").content.decode()
    assert "Nobody is known by that" in owner.post(f"{page}export", {"customer": email}, follow=True).content.decode()

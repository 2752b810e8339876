"""The palette finds any SKU, order, channel, page and action, and only what the reader may use."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from comptoir.accounts.models import Role, User
from comptoir.accounts.rights import right_of
from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import Product, Variant
from comptoir.commerce.orders.models import Order, Status
from comptoir.engine.flow import ensure_flows
from comptoir.web.urls import urlpatterns

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def house(db: None) -> Channel:
    """A shop with a flow of each kind, an order and a few variants."""
    shop = Channel.objects.create(name="Épicerie <b>", code="shop", kind="prestashop", webhook_token="t", created_at=AT)
    ensure_flows(shop.pk, ["pull_sales", "push_stock"])
    product = Product.objects.create(name="Tasse à café", created_at=AT, changed_at=AT)
    for n in range(30):
        Variant.objects.create(product=product, sku=f"CUP-{n:03}", created_at=AT, changed_at=AT)
    Order.objects.create(
        number="R1042", external_number="XKBKNABJK", placed_at=AT, accepted_at=AT, changed_at=AT, total=Decimal(1),
        currency="EUR", status=Status.PROCESSING, search="r1042 xkbknabjk jane roe",
    )  # fmt: skip
    return shop


def hits(client: Client, text: str) -> list[tuple[str, str, str]]:
    """Where each option goes, how, and what it is called."""
    answer = client.get("/palette", {"q": text})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert len(set(re.findall(r' id="([^"]+)"', page))) == len(re.findall(r' id="', page))
    found = re.findall(r'role="option".*?data-goes-to="([^"]+)"(?: data-how="(\w+)")?><bdi>(.*?)</bdi>', page)
    return [(unescape(url), how, unescape(title)) for url, how, title in found]


def test_what_is_typed_is_found(house: Channel, owner: Client) -> None:
    variant = Variant.objects.get(sku="CUP-007")
    assert hits(owner, "cup-007")[0] == (f"/products/{variant.pk}/", "", "CUP-007")
    assert hits(owner, "R1042")[0] == ("/orders/R1042/", "", "R1042")
    assert hits(owner, "XKBKNABJK")[0] == ("/orders/R1042/", "", "R1042")
    assert ("/channels/shop/", "", "Épicerie <b>") in hits(owner, "epicerie")
    assert ("/channels/shop/mappings/", "", "Épicerie <b> · Mappings") in hits(owner, "map epic")
    assert [hit for hit in hits(owner, "inventory") if hit[0] == "/inventory/"]
    assert len([hit for hit in hits(owner, "cup-") if hit[0].startswith("/products/")]) == 8
    [flow] = [hit for hit in hits(owner, "preview stock") if hit[1]]
    assert flow[1:] == ("preview", "Preview “Stock levels”")
    assert owner.post(flow[0], {"how": flow[1]}).status_code == 302
    # A channel in test mode is not written to: to run its push is not offered.
    assert not [hit for hit in hits(owner, "run stock levels") if hit[1] == "now"]
    Channel.objects.update(mode="production")
    assert [hit[1] for hit in hits(owner, "run stock levels") if hit[1]] == ["now"]
    assert hits(owner, "no such thing at all") == []


def test_without_a_text_it_says_where_one_can_go(house: Channel, owner: Client) -> None:
    shown = hits(owner, "")
    assert ("/orders/", "", "Orders") in shown
    assert ("/channels/shop/", "", "Épicerie <b>") in shown
    assert not [hit for hit in shown if hit[1]]


@pytest.mark.parametrize("role", Role)
def test_nobody_is_led_where_they_may_not_go(house: Channel, person: Callable[[Role], User], role: Role) -> None:
    client = Client()
    user = person(role)
    client.force_login(user)
    for text in ("", "s", "o", "e", "stock", "shop", "order", "cup", "R1042", "jane", "preview", "people", "epic"):
        for url, how, title in hits(client, text):
            answer = client.post(url, {"how": "preview"}) if how else client.get(url)
            assert answer.status_code in (200, 302), (role, text, title)
    # Who may not see buyers does not find an order by the name of one.
    finds_buyers = [hit for hit in hits(client, "jane") if hit[0] == "/orders/R1042/"] != []
    assert finds_buyers == (role not in (Role.BUYER, Role.READER))


def test_the_search_page_finds_the_same_without_a_script(house: Channel, owner: Client, stranger: Client) -> None:
    page = owner.get("/search", {"q": "epicerie"}).content.decode()
    assert 'href="/channels/shop/mappings/"' in page
    assert "&lt;b&gt;" in page
    assert "Épicerie <b>" not in page
    page = owner.get("/search", {"q": "preview stock"}).content.decode()
    assert re.search(r'<form[^>]*action="/flows/\d+/run"', page)
    assert owner.get("/search", {"q": "R1042"})["Location"] == "/orders/R1042/"
    assert stranger.get("/palette").status_code == 302


@pytest.mark.parametrize("text", ["%00", "'; --", "%", "_", "a" * 400, "\u202e", "é" * 90, "1" * 30])
def test_any_text_can_be_asked_for(house: Channel, owner: Client, text: str) -> None:
    hits(owner, text)


def test_every_page_has_the_palette_and_its_parts_are_named(house: Channel, owner: Client) -> None:
    page = owner.get("/").content.decode()
    assert '<dialog id="palette"' in page
    assert 'role="combobox"' in page
    assert 'aria-controls="palette-list"' in page
    assert 'role="listbox"' in page
    assert [one for one in urlpatterns if one.name == "palette" and right_of(one.callback)]

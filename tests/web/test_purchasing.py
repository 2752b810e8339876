"""Suppliers, what they sell and what things cost, as pages: written down, changed, taken away as files, told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from offer_world import AT, channel, offer, point, variant, warehouse

from comptoir.accounts.models import Role, User
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Price, PriceList
from comptoir.commerce.purchasing import actions
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.engine import findings
from comptoir.engine.models import Finding, Severity
from comptoir.events.models import Event
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Mapping, OfferPrice, SellingPoint

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def buyer(person: Callable[[Role], User]) -> Client:
    client = Client()
    client.force_login(person(Role.BUYER))
    return client


def test_a_supplier_is_written_down_changed_and_found(buyer: Client) -> None:
    form = {
        "name": EVIL,
        "email": "orders@north.test",
        "currency": "eur",
        "lead_days": "7",
        "minimum_order": "150.50",
        "enabled": "on",
    }
    answer = buyer.post(reverse("supplier_new"), form)
    row = Supplier.objects.get()
    assert answer["Location"] == reverse("supplier", args=[row.pk])
    assert (row.code, row.currency, row.lead_days, row.minimum_order) == (
        "scriptalert1script",
        "EUR",
        7,
        Decimal("150.5"),
    )
    page = buyer.get(reverse("supplier", args=[row.pk])).content.decode()
    assert EVIL not in page
    assert "150.50\N{NO-BREAK SPACE}EUR" in page
    buyer.post(reverse("supplier_edit", args=[row.pk]), {**form, "name": "North & Sons", "code": "NORTH"})
    assert Supplier.objects.get().code == "NORTH"
    assert "North &amp; Sons" in buyer.get(reverse("suppliers"), {"q": "nort"}).content.decode()
    assert "North" not in buyer.get(reverse("suppliers"), {"state": "off"}).content.decode().split("<tbody>")[-1]
    other = buyer.post(reverse("supplier_new"), {**form, "name": "South", "code": "north"}, follow=True)
    assert "another supplier has the code north" in other.content.decode().lower()
    assert list(Event.objects.filter(name__startswith="purchasing.").order_by("id").values_list("name", flat=True)) == [
        "purchasing.supplier.created", "purchasing.supplier.changed",
    ]  # fmt: skip


def test_what_a_supplier_sells_is_written_down_and_one_is_primary(buyer: Client) -> None:
    cup = variant("CUP")
    north, south = (actions.create_supplier(name, currency="EUR", at=AT, actor=SYSTEM) for name in ("North", "South"))
    form = {"sku": "cup", "reference": "N-1", "price": "2.345678", "currency": "", "pack_units": "6", "minimum": "12"}
    for seller in (north, south):
        buyer.post(reverse("supplier_add", args=[seller.pk]), form)
    first, second = SupplierProduct.objects.order_by("id")
    assert (first.price, first.currency, first.pack_units) == (Decimal("2.345678"), "EUR", 6)
    assert (first.is_primary, second.is_primary) == (True, False)
    change = {
        "reference": "S-1",
        "price": "2",
        "currency": "USD",
        "pack_units": "1",
        "minimum": "0",
        "is_primary": "on",
    }
    buyer.post(reverse("supplier_product", args=[second.pk]), change)
    assert list(SupplierProduct.objects.order_by("id").values_list("is_primary", "currency")) == [
        (False, "EUR"),
        (True, "USD"),
    ]
    page = buyer.get(reverse("variant", args=[cup.pk])).content.decode()
    assert "South" in page
    assert "2.00\N{NO-BREAK SPACE}USD" in page
    again = buyer.post(reverse("supplier_add", args=[north.pk]), form, follow=True).content.decode()
    assert "sells this already" in again
    files = [
        buyer.get(reverse(name)).content.decode("utf-8-sig") for name in ("suppliers_csv", "supplier_products_csv")
    ]
    assert files[0].splitlines()[0].startswith("code,name,email")
    assert "north,CUP,N-1,2.345678,EUR,6.000,12.000,f" in files[1]
    assert "south" not in buyer.get(reverse("supplier_products_csv"), {"supplier": north.pk}).content.decode()
    buyer.post(reverse("supplier_product_remove", args=[first.pk]))
    assert SupplierProduct.objects.count() == 1


def test_a_price_that_a_person_changes_is_theirs_from_then_on(owner: Client) -> None:
    cup = variant("CUP")
    cup.owners = {"price": 7}
    cup.save()
    retail = catalog.price_list("retail", "Retail", "EUR", tax_included=True)
    owner.post(reverse("variant_price", args=[cup.pk]), {"list": retail.pk, "amount": "19.605"})
    cup.refresh_from_db()
    assert (Price.objects.get().amount, cup.owners) == (Decimal("19.605"), {})
    page = owner.get(reverse("variant", args=[cup.pk])).content.decode()
    assert "19.605\N{NO-BREAK SPACE}EUR" in page
    owner.post(reverse("variant_price", args=[cup.pk]), {"list": retail.pk, "amount": ""})
    assert not Price.objects.exists()
    owner.post(reverse("variant_price", args=[cup.pk]), {"list": retail.pk, "amount": "-1"})
    assert not Price.objects.exists()


def test_lists_are_made_by_whoever_may_change_prices(owner: Client, buyer: Client) -> None:
    form = {"name": "Retail", "currency": "eur", "tax": "included"}
    assert buyer.post(reverse("price_lists"), form).status_code == 403
    owner.post(reverse("price_lists"), form)
    owner.post(reverse("price_lists"), form)  # twice is once
    assert list(PriceList.objects.values_list("code", "currency", "tax_included")) == [("retail", "EUR", True)]
    assert "Retail" in buyer.get(reverse("price_lists")).content.decode()


def test_who_owns_prices_is_said_in_the_settings_and_what_waits_is_let_through(owner: Client) -> None:
    shop = channel("shop")
    shop.currency = "GBP"
    shop.save()
    euros = catalog.price_list("euros", "Euros", "EUR", tax_included=False)
    place = point(shop, warehouse("paris"))
    of = offer(variant("CUP"), place)
    Mapping.objects.create(channel=shop, kind="tax", external_id="1", name="1", changed_at=AT)
    page = owner.get(reverse("channel_settings", args=["shop"])).content.decode()
    assert reverse("channel_prices", args=["shop", place.pk]) in page
    rules = {"owner": "hub", "list": euros.pk, "rate": "0,85", "most_share": "5", "most_change": "40"}
    owner.post(reverse("channel_prices", args=["shop", place.pk]), rules)
    kept = SellingPoint.objects.get()
    assert (kept.owns_price, kept.price_list, kept.price_rate) == (False, euros, Decimal("0.85"))
    assert (kept.price_rate_from, kept.price_rate_to, kept.price_most_share) == ("EUR", "GBP", 5)
    held = OfferPrice.objects.get()
    assert (held.offer, held.is_waiting, held.is_aside) == (of, True, True)  # of a live channel, somebody looks first
    assert Finding.objects.get(code="prices_held").facts == {"prices": 1}
    assert "1 EUR = 0.85 GBP" in owner.get(reverse("channel_settings", args=["shop"])).content.decode()
    owner.post(reverse("channel_tax", args=["shop"]), {"class": "1", "rate": "5.5"})
    assert Mapping.objects.get(kind="tax").ours == "5.5"
    refused = owner.post(reverse("channel_prices", args=["shop", place.pk]), {**rules, "list": ""}, follow=True)
    assert "price list is missing" in refused.content.decode()

    OfferPrice.objects.update(is_aside=True, not_before=AT)
    facts = {"prices": 1, "of": 1, "sku": "CUP", "before": "5.00 GBP", "after": "0.00 GBP"}
    report = findings.Report(shop.pk, "suspicious_prices", f"channel:{shop.pk}", Severity.ERROR, facts)
    findings.report([report], at=AT)
    findings.close(shop.pk, [f"channel:{shop.pk}"], ["prices_held"], at=AT)
    assert "CUP from 5.00 GBP to 0.00 GBP" in owner.get(reverse("channel_settings", args=["shop"])).content.decode()
    page = owner.get(reverse("variant", args=[of.variant_id])).content.decode()
    assert "Waits for a person" not in page  # it is in no list yet, which is said first
    owner.post(reverse("let_prices_through", args=["shop"]))
    row = OfferPrice.objects.get()
    assert (row.is_aside, row.not_before) == (False, None)
    assert SellingPoint.objects.get().approved_prices_until is not None

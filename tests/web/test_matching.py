"""Matching and the mapping doctor in the browser: who may, what was typed wrong, what is repaired where it stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import quick_doors
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from house_world import HOSTILE, LONG, RIGHT_TO_LEFT
from shop_world import World, connect

from comptoir.accounts.models import Role, User
from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine import runs
from comptoir.engine.models import Flow, Run
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Doubt, Link, Listed

AT = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
PAGE = "/channels/shop/matching/"
DOCTOR = "/channels/shop/doctor/"
STEP = "/channels/shop/connect/"


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """A shop whose products are not what the hub has."""
    shop = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")

    channels.set_up_doors(quick_doors.to(shop.wsgi))
    time = clock.ManualClock(AT)
    with clock.using(time):
        yield connect(shop, time)
    channels.set_up_doors(HttpDoor)
    pace.close()


def ours(sku: str, *barcodes: str) -> Variant:
    return catalog.create_product(f"Our {sku}", sku, barcodes=barcodes, at=AT, actor=SYSTEM)


def theirs(world: World, sku: str, barcode: str = "", name: str = "") -> str:
    product = world.shop.state.add_product(name or f"Our {sku}", reference=sku, price="5.00", quantity=3, ean13=barcode)
    return f"{product}-0"


def row(listing: str) -> Listed:
    return Listed.objects.get(external_id=listing)


def said(answer: Any) -> str:
    return " ".join(str(one) for one in answer.context["messages"])


def test_the_step_reads_shows_and_keeps_the_choice(owner: Client, world: World) -> None:
    ours("CUP")
    theirs(world, "CUP")
    theirs(world, "VASE")
    Channel.objects.update(connecting="products")
    Flow.objects.filter(channel=world.channel).delete()

    assert "Read the products" in owner.get(STEP + "products/").content.decode()
    for _twice in range(2):
        assert owner.post(STEP + "products/", {"how": "read"})["Location"] == STEP + "products/"
    run = Run.objects.get()
    assert "The products are being read" in owner.get(STEP + "products/").content.decode()
    runs.execute(run.pk, "test")
    page = owner.get(STEP + "products/")
    assert {value: n for value, _words, n in page.context["matches"]} == {"sku": 1, "none": 1}
    assert "1 listing becomes a product of yours" in page.content.decode()
    assert not Link.objects.exists()
    assert not Flow.objects.filter(channel=world.channel).exclude(kind="match_products").exists()

    for _twice in range(2):
        answer = owner.post(STEP + "products/", {"how": "on", "creates": "no"})
        assert answer["Location"] == STEP + "mappings/"
    world.channel.refresh_from_db()
    assert (world.channel.creates_products, world.channel.connecting) == (False, "mappings")
    assert "Prices in GBP, without tax" in owner.get(STEP + "mappings/").content.decode()


def test_a_listing_is_found_matched_set_apart_and_left_to_the_rules(owner: Client, world: World) -> None:
    mug = ours("MUG")
    listing = theirs(world, "CUP")
    world.run("match_products")
    page = f"{PAGE}{row(listing).pk}/"

    assert "MUG" in owner.get(page + "?q=mug").content.decode()
    assert "Nothing of yours is called so" in owner.get(page + "?q=" + "z" * 300).content.decode()
    for _twice in range(2):
        owner.post(page, {"what": "link", "sku": "mug"})
    assert (row(listing).match, row(listing).variant_id) == ("hand", mug.pk)
    owner.post(page, {"what": "apart"})
    assert row(listing).match == "apart"
    owner.post(page, {"what": "rules"})
    assert row(listing).match == "none"
    assert "no variant has this" in said(owner.post(page, {"what": "link", "sku": "nobody"}, follow=True)).lower()
    assert "nothing can be repaired" in said(owner.post(page, {"what": "burn"}, follow=True)).lower()
    assert [one.external_id for one in owner.get(PAGE + "?match=none&q=cup").context["list"].items] == [listing]


def test_a_file_is_looked_at_before_it_is_kept(owner: Client, world: World) -> None:
    mug = ours("MUG")
    listing = theirs(world, "CUP")
    world.run("match_products")

    def upload(content: bytes, name: str = "mine.csv") -> Any:
        return owner.post(PAGE + "file/", {"file": SimpleUploadedFile(name, content)}, follow=True)

    bad = upload(f"external id;sku\n{listing};<b>none</b>\n".encode())
    assert bad.status_code == 422
    assert "&lt;b&gt;none&lt;/b&gt;" in bad.content.decode()
    for content, name, part in (
        (b"", "empty.csv", "empty"),
        (b"PK\x03\x04 no archive", "broken.xlsx", "damaged"),
        (b"external id;sku\n", "bare.csv", "no rows"),
        (b"a;b\n1;2\n", "other.csv", "sku"),
    ):
        assert part in said(upload(content, name)), name
    assert "Choose a file" in said(owner.post(PAGE + "file/", follow=True))
    assert not Listed.objects.filter(proposed__isnull=False).exists()

    page = upload(b"External SKU,SKU\ncup,mug\n")
    assert "Match 1 listing" in page.content.decode()
    assert not Link.objects.exists()
    owner.post(PAGE + "file/keep", {"how": "forget"})
    owner.post(PAGE + "file/keep", {"how": "keep"})
    assert not Link.objects.exists()
    upload(b"External SKU,SKU\ncup,mug\n")
    for _twice in range(2):
        owner.post(PAGE + "file/keep", {"how": "keep"})
    assert Link.objects.get().variant_id == mug.pk


def test_every_doubt_is_repaired_where_it_stands(owner: Client, world: World) -> None:
    for sku, *barcodes in (("A", "4006381333931"), ("B", "4006381333948"), ("SODA",), ("LONELY",)):
        ours(sku, *barcodes)
    theirs(world, "A", "4006381333948")
    six = theirs(world, "SODA", name="Our SODA pack of 6")
    nameless = theirs(world, "", name="Nameless")
    twin, other = theirs(world, "TWIN"), theirs(world, "TWIN")
    gift = theirs(world, "GIFT")
    world.run("match_products")

    def doubt(code: str) -> str:
        return f"{DOCTOR}{Doubt.objects.filter(code=code, ignored_at__isnull=True).earliest('id').pk}/"

    page = owner.get(DOCTOR)
    found = sorted(one.code for one in page.context["list"].items)
    assert found == [
        "barcode_elsewhere",
        "no_sku",
        "only_here",
        "only_here",
        "only_there",
        "pack_suspected",
        "same_sku",
        "same_sku",
    ]
    assert page.context["doubts_in_all"] == len(found)
    for code, given in (
        ("barcode_elsewhere", {"what": "alias", "sku": "B"}),
        ("pack_suspected", {"what": "pack", "number": "6", "sku": "SODA-6"}),
        ("no_sku", {"what": "sku", "sku": "NAMED"}),
        ("same_sku", {"what": "link", "sku": "B"}),
        ("only_here", {"what": "listing", "listing": other}),
    ):
        address = doubt(code)
        assert "<form" in owner.get(address, headers={"HX-Request": "true"}).content.decode()
        assert owner.get(address).status_code == 200
        before = Doubt.objects.filter(code=code, ignored_at__isnull=True).count()
        answer = owner.post(address, given, follow=True)
        assert answer.status_code == 200
        assert Doubt.objects.filter(code=code, ignored_at__isnull=True).count() < before, (code, said(answer))
    assert row(six).variant is not None
    assert row(six).variant.kind == "kit"  # type: ignore[union-attr]
    assert row(nameless).own_sku == "NAMED"
    assert row(twin).match == row(other).match == "hand"
    assert Variant.objects.get(sku="A").kind == "alias"

    last = f"{DOCTOR}{Doubt.objects.get(code='only_there', listing=gift).pk}/"
    assert "why" in said(owner.post(last, {"what": "ignore", "reason": " "}, follow=True))
    owner.post(last, {"what": "ignore", "reason": "A gift only"})
    assert "A gift only" in owner.get(DOCTOR + "?state=ignored").content.decode()
    owner.post(last, {"what": "heed"})
    assert owner.get(DOCTOR + "?state=ignored").context["list"].items == []
    owner.post(last, {"what": "apart"})
    assert "settled already" in said(owner.post(last, {"what": "apart"}, follow=True))
    owner.post(DOCTOR + "examine")
    assert {one.code for one in Doubt.objects.all()} <= {"only_here"}


def test_hostile_names_stay_words_on_pages_and_in_the_file(owner: Client, world: World) -> None:
    ours("CUP")
    for name in (HOSTILE, LONG[:120], RIGHT_TO_LEFT, "=HYPERLINK(1)"):
        theirs(world, "", name=name)
    theirs(world, "=1+1", name="Formula")
    world.run("match_products")
    Listed.objects.filter(sku="=1+1").update(address="javascript:alert(1)")

    for address in (
        PAGE,
        DOCTOR,
        f"{PAGE}{Listed.objects.earliest('id').pk}/",
        f"{DOCTOR}{Doubt.objects.earliest('id').pk}/",
    ):
        page = owner.get(address).content.decode()
        assert HOSTILE not in page
        assert "<bdi" in page
    answer = owner.get(DOCTOR + "export")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = [one for one in csv.DictReader(io.StringIO(text)) if one["listing"]]
    assert len(rows) == 5
    assert {one["label"][:3] for one in rows} >= {"'=1", "'=H"}
    assert Decimal(rows[0]["at_risk"]) == 0


def test_who_may_only_look_sees_the_list_and_changes_nothing(
    person: Callable[[Role], User], stranger: Client, world: World
) -> None:
    ours("CUP")
    listing = theirs(world, "CUP-2")
    world.run("match_products")
    reader = Client()
    reader.force_login(person(Role.READER))
    one = Doubt.objects.earliest("id").pk

    assert reader.get(DOCTOR).status_code == 200
    assert "Repair" not in reader.get(DOCTOR).content.decode()
    assert reader.get(PAGE).status_code == 200
    for address, given in (
        (f"{PAGE}{row(listing).pk}/", {"what": "link", "sku": "CUP"}),
        (f"{DOCTOR}{one}/", {"what": "ignore", "reason": "no"}),
        (PAGE + "choice", {"creates": "no"}),
        (PAGE + "file/", {}),
        (PAGE + "file/keep", {"how": "keep"}),
        (PAGE + "read", {}),
    ):
        assert reader.post(address, given).status_code == 403, address
        assert stranger.post(address, given)["Location"].startswith("/account"), address
    assert not Link.objects.exists()
    assert not Doubt.objects.filter(ignored_at__isnull=False).exists()

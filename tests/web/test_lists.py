"""Lists of many rows: counts that stop, keyset pages that miss nothing, searches that look at some, the newest of several
indexes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from comptoir.accounts.models import User
from comptoir.channels.models import Channel
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.models import Hold, Level, Movement, Warehouse
from comptoir.commerce.inventory.records import Receipt
from comptoir.commerce.purchasing import queries as purchasing
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.engine import runs
from comptoir.engine.models import Flow, Run, RunStatus
from comptoir.flows import doctor, matching
from comptoir.kit import ids, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Doubt, Listed, Match
from comptoir.web import lists, zone
from comptoir.webhooks.models import Delivery

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def channel(code: str = "shop") -> Channel:
    return Channel.objects.create(
        name=code, code=code, kind="prestashop", currency="EUR", webhook_token=ids.token(), created_at=AT
    )


def listed(it: Channel, number: int, match: Match = Match.NONE) -> None:
    Listed.objects.bulk_create(
        Listed(
            channel=it, external_id=f"{match}-{n}", page=str(n), name=f"Thing {n}", sku=f"{match}-{n}".upper(), unit="piece",
            fingerprint="", read_at=AT, match=match, search=f"{match}-{n} thing {n}",
        )
        for n in range(number)
    )  # fmt: skip


def doubts(it: Channel, number: int, code: str, *, ignored: bool = False) -> None:
    Doubt.objects.bulk_create(
        Doubt(
            channel=it, code=code, subject=f"listing:{code}{n}", listing=f"{n}", label=f"SKU-{n} · Blue Mug {n}",
            facts={"listing": str(n)}, basis=n % 3, risk=Decimal(n % 7), found_at=AT, ignored_at=AT if ignored else None,
            ignored_by="Anna" if ignored else "",
        )
        for n in range(number)
    )  # fmt: skip


def variant(sku: str) -> Variant:
    return catalog.create_product(f"Our {sku}", sku, at=AT, actor=SYSTEM)


def receive(one: Variant, times: int) -> None:
    place = inventory.default_warehouse().pk
    inventory.receive([Receipt(one.pk, place, Decimal(1), f"{one.sku}:{n}") for n in range(times)], at=AT, actor=SYSTEM)


def skus(page: str) -> list[str]:
    return re.findall(r"/matching/\d+/\">([A-Z]+-\d+)<", page)


def walk(client: Client, address: str) -> list[str]:
    """What every page of a list shows, following its links."""
    found: list[str] = []
    while True:
        html = client.get(address).content.decode()
        found += skus(html)
        more = re.search(r'href="(\?[^"]*after=[^"]*)"[^>]*rel="next"', html)
        if more is None:
            return found
        address = address.partition("?")[0] + more[1].replace("&amp;", "&")


# -- counts that stop ----------------------------------------------------------------------------------------------------


def test_listings_are_counted_by_match_as_far_as_asked() -> None:
    it, other = channel(), channel("other")
    listed(it, 5, Match.SKU)
    listed(it, 2, Match.NONE)
    listed(other, 3, Match.SKU)

    assert matching.counts(it.pk, most=100) == {**dict.fromkeys(Match.values, 0), "sku": 5, "none": 2}
    assert matching.counts(it.pk, most=3)["sku"] == 3


def test_doubts_are_counted_by_code_without_ignored_ones() -> None:
    it = channel()
    doubts(it, 4, "only_there")
    doubts(it, 2, "no_sku", ignored=True)

    assert doctor.counts(it.pk, most=100) == {"only_there": 4}
    assert doctor.counts(it.pk, most=3) == {"only_there": 3}


def test_what_a_supplier_sells_is_counted_as_far_as_asked() -> None:
    big, empty = (
        Supplier.objects.create(code=code, name=code, created_at=AT, changed_at=AT) for code in ("big", "empty")
    )
    SupplierProduct.objects.bulk_create(
        SupplierProduct(supplier=big, variant=variant(f"S-{n}"), created_at=AT, changed_at=AT) for n in range(3)
    )
    assert purchasing.counts([big.pk, empty.pk], most=10) == {big.pk: 3, empty.pk: 0}
    assert purchasing.counts([big.pk], most=2) == {big.pk: 2}


def test_a_long_count_is_exact_to_its_limit_and_an_estimate_behind_it() -> None:
    query, few = "SELECT FROM generate_series(1, %s)", 40
    assert sql.about(query, [few], exact=40) == few
    assert sql.about(query, [few], exact=39) >= 39


# -- keyset pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["", "?match=sku"])
def test_each_listing_stands_on_one_page(owner: Client, asked: str) -> None:
    it = channel()
    for match in (Match.SKU, Match.NONE):
        listed(it, 60, match)
    listed(channel("other"), 60, Match.SKU)

    wanted = [f"{match.upper()}-{n}" for match in (("sku",) if asked else ("sku", "none")) for n in range(60)]
    assert walk(owner, f"/channels/{it.code}/matching/{asked}") == wanted


def test_ignored_doubts_of_one_kind_come_by_what_is_at_risk(owner: Client) -> None:
    it = channel()
    doubts(it, 60, "no_sku", ignored=True)
    doubts(it, 5, "only_there", ignored=True)

    shown = owner.get(f"/channels/{it.code}/doctor/?state=ignored&code=no_sku").context["list"].items
    assert [row.code for row in shown] == ["no_sku"] * 50
    assert [(row.basis, row.risk, row.pk) for row in shown] == sorted(
        ((row.basis, row.risk, row.pk) for row in Doubt.objects.filter(code="no_sku")), reverse=True
    )[:50]


def test_doubts_are_found_by_name_whatever_its_case(owner: Client) -> None:
    it = channel()
    doubts(it, 3, "no_sku")

    shown = owner.get(f"/channels/{it.code}/doctor/?q=blue mug 2").context["list"].items
    assert [row.listing for row in shown] == ["2"]


# -- searches that look at some --------------------------------------------------------------------------------------------


def movements_of(*variants: Variant) -> list[int]:
    return sorted(Movement.objects.filter(variant__in=variants).values_list("pk", flat=True), reverse=True)


def latest(variants: Sequence[Variant], *, most: int, fewest: int = 1) -> tuple[list[int], bool]:
    found, is_cut = stock.latest_movements([one.pk for one in variants], most=most, fewest=fewest)
    return list(found), is_cut


def test_of_one_variant_the_newest_movements_are_found() -> None:
    mug = variant("MUG")
    receive(mug, 5)
    assert latest([mug], most=10) == (movements_of(mug), False)
    assert latest([mug], most=5) == (movements_of(mug), False)
    assert latest([mug], most=3) == (movements_of(mug)[:3], True)
    assert latest([], most=3) == ([], False)


def test_of_many_variants_each_gives_some_and_the_cut_is_said() -> None:
    mug, cup = variant("MUG"), variant("CUP")
    receive(mug, 6)
    receive(cup, 1)  # the newest
    found, is_cut = latest([mug, cup], most=4)
    assert is_cut
    assert len(found) == 4
    assert found[0] == movements_of(cup)[0]
    assert latest([mug, cup], most=100) == (movements_of(mug, cup), False)
    assert latest([mug, cup], most=2, fewest=2)[1]


def test_movements_are_searched_by_what_moved(owner: Client) -> None:
    mug, cup = variant("MUG"), variant("CUP")
    receive(mug, 3)
    receive(cup, 1)
    shown = owner.get("/inventory/movements/?q=mug").context["list"]
    assert [row.pk for row in shown.items] == movements_of(mug)
    assert not shown.note


# -- the newest of several indexes -----------------------------------------------------------------------------------------


def test_the_latest_runs_are_of_the_flow_or_of_the_channel() -> None:
    it, other = channel(), channel("other")
    flows = [Flow.objects.create(channel=one, kind=kind, lane="live") for one in (it, other) for kind in ("a", "b")]
    made = [Run.objects.create(flow=flow, trigger="person", status=RunStatus.DONE, queued_at=AT) for flow in flows * 3]

    assert list(runs.latest(it.pk, "a")) == [made[8], made[4], made[0]]
    assert runs.latest(it.pk, "nothing").first() is None
    assert runs.latest_of_channel(it.pk, most=4) == [made[9], made[8], made[5], made[4]]


def test_deliveries_come_newest_first_drained_or_not(owner: Client) -> None:
    it = channel()
    for n in range(6):
        Delivery.objects.create(
            channel=it, event_id=str(n), topic="sale", external_id=str(n), body=b"", drained_at=AT if n % 2 else None
        )
    shown = owner.get(f"/channels/{it.code}/webhooks/").context["deliveries"]
    assert [row.event_id for row in shown] == ["5", "4", "3", "2", "1", "0"]


# -- pages that would grow -------------------------------------------------------------------------------------------------


def test_a_variant_shows_the_first_causes_of_a_figure_and_says_so(owner: Client) -> None:
    mug = variant("MUG")
    place = inventory.default_warehouse().pk
    Hold.objects.bulk_create(
        Hold(source=f"1:{n}", variant=mug, warehouse_id=place, quantity=1, until=AT - timedelta(days=n))
        for n in range(1, 27)
    )
    page = owner.get(f"/products/{mug.pk}/")
    assert [row.source for row in page.context["holds"]] == [f"1:{n}" for n in range(26, 1, -1)]
    assert page.content.decode().count("These are the first 25.") == 1


def test_a_zone_is_chosen_among_all_and_kept(owner: Client) -> None:
    html = owner.get("/me/").content.decode()
    assert '<option value="UTC" selected>' in html
    assert html.count("<option") >= len(zone.choices())
    assert owner.post("/me/", {"name": "Owner", "timezone": "Europe/Madrid"}).status_code == 302
    assert User.objects.get().timezone == "Europe/Madrid"
    assert '<option value="Europe/Madrid" selected>' in owner.get("/me/").content.decode()
    assert owner.post("/me/", {"name": "Owner", "timezone": "Europe/Atlantis"}).status_code != 302


def test_a_list_by_warehouse_goes_on_where_it_ended_either_way(owner: Client) -> None:
    here = inventory.default_warehouse()
    there = Warehouse.objects.create(code="there", name="There", position=1)
    mugs = [variant(f"MUG-{n}") for n in range(60)]
    Level.objects.bulk_create(Level(variant=mug, warehouse=place, on_hand=1) for mug in mugs for place in (here, there))
    for sort in ("first", "last"):
        first = owner.get("/inventory/", {"warehouse": there.pk, "sort": sort}).context["list"]
        then = owner.get(f"/inventory/{first.next}").context["list"]
        rows = [*first.items, *then.items]
        wanted = sorted(Level.objects.filter(warehouse=there).values_list("pk", flat=True), reverse=sort == "last")
        assert [row.pk for row in rows] == wanted


@pytest.mark.parametrize("asked", ["some", "none"])
def test_what_stands_on_no_shelf_is_neither_in_stock_nor_out_of_it(owner: Client, asked: str) -> None:
    mug, empty = variant("MUG"), variant("EMPTY")
    Level.objects.create(variant=mug, warehouse=inventory.default_warehouse(), on_hand=1)
    kit = variant("KIT")
    Variant.objects.filter(pk=kit.pk).update(kind="kit")
    rows = owner.get("/products/", {"stock": asked}).context["list"].items
    assert [row.sku for row in rows] == [{"some": mug, "none": empty}[asked].sku]


@pytest.mark.parametrize("sort", ["sku", "newest"])
def test_a_page_looks_at_so_many_products_and_the_next_goes_on_behind_them(
    owner: Client, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT", 4)
    for number in range(10):
        it = variant(f"MUG-{number}")
        if number in (0, 6, 8):
            receive(it, 1)

    pages, place = [], ""
    while not pages or pages[-1].next:
        place = pages[-1].next if pages else f"?stock=some&sort={sort}"
        pages.append(owner.get(f"/products/{place}").context["list"])

    met = [[it.sku for it in shown.items] for shown in pages]
    assert met == ([["MUG-0"], ["MUG-6"], ["MUG-8"]] if sort == "sku" else [["MUG-8", "MUG-6"], [], ["MUG-0"]])
    assert ["behind" in shown.note for shown in pages] == [True, True, False]
    assert [shown.looks_on for shown in pages] == [not skus for skus in met], "nobody presses a button to see nothing"
    assert pages[0].count == ("at least 1 row" if sort == "sku" else "at least 2 rows"), "of the first four"

    monkeypatch.setattr(lists, "LOOKED_AT", 10)
    shown = owner.get(f"/products/?stock=some&sort={sort}").context["list"]
    assert (len(shown.items), shown.next, shown.note, shown.count) == (3, "", "", "3 rows")


def test_levels_are_chosen_by_what_their_figures_say(owner: Client) -> None:
    place = inventory.default_warehouse()
    for n, (on_hand, reserved, held) in enumerate([(5, 0, 0), (5, 5, 0), (5, 1, 4), (0, 0, 0), (0, 0, 1)]):
        mug = variant(f"L{n}")
        Level.objects.create(variant=mug, warehouse=place, on_hand=on_hand, reserved=reserved, held=held)
    found = {
        asked: [row.variant.sku for row in owner.get("/inventory/", {"stock": asked}).context["list"].items]
        for asked in ("some", "reserved", "over")
    }
    assert found == {"some": ["L0", "L1", "L2"], "reserved": ["L1", "L2"], "over": ["L1", "L2", "L3", "L4"]}


def test_a_search_of_the_catalogue_shows_as_many_as_any_other_and_says_so(owner: Client) -> None:
    for n in range(260):
        variant(f"MUG-{n}")
    shown = owner.get("/products/", {"q": "mug"}).context["list"]
    assert (shown.count, shown.note) == ("250 rows", "More than 250 match: these are some of them.")

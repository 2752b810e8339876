"""What a channel's listings are here: by link, SKU, then barcode; decided by people and files; and followed by what comes in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from shop_world import World, connect

from comptoir.channels.models import Channel, Mode
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import Product, Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Receipt
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine.models import Finding, Run
from comptoir.events.models import Event
from comptoir.flows import doctor, matching
from comptoir.kit import clock
from comptoir.kit.actor import Actor, ActorKind
from comptoir.kit.errors import BadInput
from comptoir.offers.models import Doubt, Link, Listed, Offer
from comptoir.staging.models import StagedSale

PERSON = Actor(ActorKind.PERSON, "1", "Odile Owner")


@pytest.fixture
def world(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    """An empty shop, connected, before a hub that has a few variants."""
    manual_clock.set(datetime(2026, 5, 4, 10, 0, tzinfo=UTC))
    shop = doors["shop.test"] = PrestaShopSimulator(version="8.2", world="empty", timezone="Europe/Paris")
    return connect(shop, manual_clock)


def ours(world: World, sku: str, *barcodes: str, name: str = "", price: str = "") -> Variant:
    made = catalog.create_product(name or f"Our {sku}", sku, barcodes=barcodes, at=world.at, actor=PERSON)
    if price:
        prices = catalog.price_list("base", "Base", "GBP", tax_included=False)
        catalog.set_price(made.pk, prices.pk, Decimal(price), at=world.at, actor=PERSON)
    return made


def theirs(world: World, sku: str, barcode: str = "", *, name: str = "", price: str = "5.00") -> str:
    """A listing at the shop; its external id."""
    product = world.shop.state.add_product(name or f"Our {sku}", reference=sku, price=price, quantity=3, ean13=barcode)
    return f"{product}-0"


def matches(world: World) -> dict[str, tuple[str, str | None]]:
    rows = Listed.objects.filter(channel=world.channel).select_related("variant")
    return {row.external_id: (row.match, row.variant.sku if row.variant else None) for row in rows}


def doubts(world: World, code: str = "") -> dict[tuple[str, str], Mapping[str, object]]:
    rows = Doubt.objects.filter(channel=world.channel, ignored_at__isnull=True)
    return {(row.code, row.subject): row.facts for row in (rows.filter(code=code) if code else rows)}


def only_maps(world: World) -> None:
    assert matching.choose(world.channel, creates=False, actor=PERSON, at=world.at)
    world.channel.refresh_from_db()


# -- reading and matching ------------------------------------------------------------------------------------------------


def test_a_reading_says_what_each_listing_would_be_and_writes_nothing_else(world: World) -> None:
    ours(world, "CUP", "4006381333931")
    ours(world, "JUG", "4006381333948")
    ours(world, "LONELY")
    by_sku, by_barcode = theirs(world, "cup"), theirs(world, "JUG-FR", "4006381333948")
    new = theirs(world, "VASE", "4006381333955")
    before = list(Variant.objects.values_list("sku", "changed_at")), Product.objects.count()

    run = Run.objects.get(pk=world.run("match_products"))

    assert (run.outcome, run.seen, run.created) == ("good", 3, 3)
    assert matches(world) == {by_sku: ("sku", "CUP"), by_barcode: ("barcode", "JUG"), new: ("none", None)}
    assert (list(Variant.objects.values_list("sku", "changed_at")), Product.objects.count()) == before
    assert not Link.objects.exists()
    assert set(doubts(world)) == {
        ("only_there", f"listing:{new}"),
        ("only_here", f"variant:{Variant.objects.get(sku='LONELY').pk}"),
    }
    assert world.shop.counters.writes.total() == 0

    world.pass_time(minutes=1)
    world.shop.state.edit_product(int(new.partition("-")[0]), reference="LONELY")
    world.shop.state.delete_product(int(by_sku.partition("-")[0]))
    run = Run.objects.get(pk=world.run("match_products"))
    assert (run.created, run.changed, run.unchanged) == (0, 1, 1)
    assert matches(world) == {by_barcode: ("barcode", "JUG"), new: ("sku", "LONELY")}
    assert set(doubts(world)) == {("only_here", f"variant:{Variant.objects.get(sku='CUP').pk}")}


def test_what_was_matched_comes_in_as_it_was_seen_and_the_rest_is_created(world: World) -> None:
    jug = ours(world, "JUG", "4006381333948")
    listing, new = theirs(world, "JUG-FR", "4006381333948"), theirs(world, "VASE")
    world.run("match_products")

    run = Run.objects.get(pk=world.run("pull_products"))

    assert (run.outcome, run.seen, run.skipped) == ("good", 2, 0)
    assert Link.objects.get(external_id=listing, kind="listing").variant_id == jug.pk
    assert Variant.objects.get(sku="VASE")
    assert matches(world) == {listing: ("link", "JUG"), new: ("link", "VASE")}
    assert doubts(world) == {}


def test_a_channel_that_only_maps_creates_nothing_and_says_so_once(world: World) -> None:
    cup, jug = ours(world, "CUP"), ours(world, "JUG", "4006381333948")
    by_sku, by_barcode = theirs(world, "CUP"), theirs(world, "JUG-FR", "4006381333948")
    theirs(world, "VASE")
    bowl = world.shop.state.add_product(
        "Bowl",
        price="4.00",
        combinations=[
            {"reference": "BOWL-S", "options": {"Size": "S"}},
            {"reference": "BOWL-L", "options": {"Size": "L"}},
        ],
    )
    small = ours(world, "BOWL-S")
    only_maps(world)
    number = Variant.objects.count()

    run = Run.objects.get(pk=world.run("pull_products"))

    assert (run.outcome, run.seen, run.skipped, run.created) == ("good", 4, 1, 0)
    assert Variant.objects.count() == number
    linked = dict(Link.objects.filter(kind="listing").values_list("external_id", "variant_id"))
    [first, second] = world.shop.state.combinations_of(bowl)
    assert linked == {by_sku: cup.pk, by_barcode: jug.pk, f"{bowl}-{first}": small.pk}
    [finding] = Finding.objects.filter(channel=world.channel, closed_at__isnull=True, code="listings_left_out")
    assert (finding.severity, finding.facts["listings"]) == ("info", 2)

    # The same again changes nothing; once the channel may create, the next look at everything brings the rest.
    run = Run.objects.get(pk=world.run("update_products"))
    assert (run.outcome, run.changed, run.unchanged, run.skipped) == ("good", 0, 3, 1)
    assert Finding.objects.filter(code="listings_left_out").count() == 1
    assert matching.choose(world.channel, creates=True, actor=PERSON, at=world.at)
    world.channel.refresh_from_db()
    world.run("update_products")
    assert Variant.objects.filter(sku__in=["VASE", "BOWL-L"]).count() == 2
    assert not Finding.objects.filter(code="listings_left_out", closed_at__isnull=True).exists()
    assert {match for match, _sku in matches(world).values()} == {"link"}
    assert second


# -- what people say -----------------------------------------------------------------------------------------------------


def test_a_person_goes_before_sku_and_barcode_and_products_that_come_in_follow(world: World) -> None:
    cup, mug = ours(world, "CUP"), ours(world, "MUG")
    listing = theirs(world, "CUP")
    world.run("match_products")

    matching.link(world.channel, {listing: mug.pk}, actor=PERSON, at=world.at)
    matching.link(world.channel, {listing: mug.pk}, actor=PERSON, at=world.at)  # sent twice

    assert Event.objects.filter(name="offers.listings.matched").count() == 1
    world.run("pull_products")
    assert matches(world) == {listing: ("hand", "MUG")}
    assert Offer.objects.get().variant_id == mug.pk
    assert set(doubts(world)) == {("only_here", f"variant:{cup.pk}")}

    matching.leave_to_rules(world.channel, listing, actor=PERSON, at=world.at)
    assert matches(world) == {listing: ("sku", "CUP")}
    assert not Offer.objects.exists()
    world.run("update_products")
    assert Offer.objects.get().variant_id == cup.pk


def test_a_listing_set_apart_is_left_alone_by_products_and_sales(world: World) -> None:
    ours(world, "CUP")
    listing = theirs(world, "CUP")
    world.run("match_products")
    world.run("pull_products")
    assert Offer.objects.count() == 1

    matching.set_apart(world.channel, listing, actor=PERSON, at=world.at)

    assert matches(world) == {listing: ("apart", None)}
    assert not Offer.objects.exists()
    world.shop.state.edit_product(int(listing.partition("-")[0]), price="6.00")
    world.pass_time(hours=1)
    run = Run.objects.get(pk=world.run("update_products"))
    assert (run.outcome, run.skipped) == ("good", 1)
    assert not Link.objects.filter(kind="listing").exists()
    world.shop.state.place_order([Line(int(listing.partition("-")[0]), quantity=1)], state="PS_OS_PAYMENT")
    world.pass_time(minutes=6)
    world.run("pull_sales")
    [sale] = StagedSale.objects.all()
    assert [one["code"] for one in sale.anomalies] == ["unknown_sku"]

    # Said otherwise later, the sale that waited goes on.
    said = matching.link(world.channel, {listing: Variant.objects.get(sku="CUP").pk}, actor=PERSON, at=world.at)
    assert said.changed == 1
    sale.refresh_from_db()
    assert sale.anomalies == []


def test_a_listing_without_a_sku_comes_in_under_the_one_it_was_given(world: World) -> None:
    ours(world, "CUP")
    listing, other = theirs(world, "", name="Nameless"), theirs(world, "", name="Nameless, too")
    world.run("match_products")
    assert set(doubts(world, "no_sku")) == {("no_sku", f"listing:{listing}"), ("no_sku", f"listing:{other}")}

    for sku, part in (("cup", "has this SKU"), (" ", "1 to 80"), ("x" * 81, "1 to 80")):
        with pytest.raises(BadInput, match=part):
            matching.call_it(world.channel, listing, sku, actor=PERSON, at=world.at)
    matching.call_it(world.channel, listing, "VASE", actor=PERSON, at=world.at)
    with pytest.raises(BadInput, match="another listing"):
        matching.call_it(world.channel, other, "vase", actor=PERSON, at=world.at)
    world.run("pull_products")

    assert set(doubts(world, "no_sku")) == {("no_sku", f"listing:{other}")}
    assert Variant.objects.get(sku="VASE", is_sku_generated=False)
    made_up = Variant.objects.get(is_sku_generated=True)
    matching.call_it(world.channel, other, "VASE-2", actor=PERSON, at=world.at)
    made_up.refresh_from_db()
    assert (made_up.sku, made_up.is_sku_generated) == ("VASE-2", False)
    assert doubts(world, "no_sku") == {}


# -- by a file -----------------------------------------------------------------------------------------------------------


def a_file(folder: Path, text: str) -> Path:
    path = folder / "upload.tmp"
    path.write_text(text)
    return path


def test_a_file_matches_by_their_id_or_their_sku_and_is_kept_only_when_somebody_says_so(
    world: World, tmp_path: Path
) -> None:
    cup, mug = ours(world, "CUP"), ours(world, "MUG")
    first, second = theirs(world, "A"), theirs(world, "B")
    world.run("match_products")

    text = f"External ID;External SKU;SKU\n{first};;cup\n;b;MUG\n;b;mug\n"
    read = matching.read_file(world.channel, a_file(tmp_path, text), "mine.csv")

    assert (read.rows, read.faults, read.pairs) == (3, [], {first: cup.pk, second: mug.pk})
    matching.propose(world.channel, read.pairs)
    assert not Link.objects.exists()
    assert matching.keep_proposed(world.channel, actor=PERSON, at=world.at)[0] == 2
    assert matches(world) == {first: ("hand", "CUP"), second: ("hand", "MUG")}
    assert matching.keep_proposed(world.channel, actor=PERSON, at=world.at)[0] == 0  # sent twice


def test_a_file_with_a_bad_row_is_refused_whole_and_names_each_cell(world: World, tmp_path: Path) -> None:
    ours(world, "CUP")
    ours(world, "MUG")
    first = theirs(world, "A")
    theirs(world, "TWIN")
    theirs(world, "twin")
    world.run("match_products")

    text = (
        "external_id,external sku,our sku\n"
        f"{first},,CUP\n"
        ",,CUP\n"
        "999-0,,CUP\n"
        f"{first},OTHER,CUP\n"
        ",NOBODY,CUP\n"
        ",TWIN,CUP\n"
        f"{first},,\n"
        f"{first},,<b>VASE</b>\n"
        f"{first},a,MUG\n"
    )
    read = matching.read_file(world.channel, a_file(tmp_path, text), "mine.csv")

    assert read.pairs == {}
    assert [(one.row, one.column, one.value) for one in read.faults] == [
        (3, "external_id", ""),
        (4, "external_id", "999-0"),
        (5, "external sku", "OTHER"),
        (6, "external sku", "NOBODY"),
        (7, "external sku", "TWIN"),
        (8, "our sku", ""),
        (9, "our sku", "<b>VASE</b>"),
        (10, "our sku", "MUG"),
    ]
    assert all(one.text and one.cure for one in read.faults)
    for bad, part in (
        ("a,b\n1,2\n", "no column holds the sku"),
        ("sku\nCUP\n", "no column says which"),
        ("", "is empty"),
    ):
        with pytest.raises(BadInput, match=part) as refused:
            matching.read_file(world.channel, a_file(tmp_path, bad), "mine.csv")
        assert str(tmp_path) not in str(refused.value.facts)


# -- the doctor ----------------------------------------------------------------------------------------------------------


def test_the_doctor_names_what_does_not_fit_and_each_repair_takes_it_off_the_list(world: World) -> None:
    a, b = ours(world, "A", "4006381333931"), ours(world, "B", "4006381333948")
    single = ours(world, "SODA", name="Soda", price="1.50")
    plain = ours(world, "SOAP", name="Soap", price="3.00")
    ours(world, "TEA", name="Tea 10 x 20 cm", price="4.00")
    twin, other_twin = theirs(world, "TWIN"), theirs(world, "twin")
    torn = theirs(world, "A", "4006381333948")
    six = theirs(world, "SODA", name="Soda, pack of 6", price="8.10")
    dear = theirs(world, "SOAP", name="Soap", price="9.05")
    coded, also_coded = theirs(world, "C1", "4006381333979"), theirs(world, "C2", "4006381333979")
    theirs(world, "TEA", name="Tea box 10 x 20 cm", price="4.10")
    world.run("match_products")

    found = doubts(world)
    assert found["same_sku", f"listing:{twin}"]["other"] == other_twin
    torn_between = found["barcode_elsewhere", f"listing:{torn}"]
    assert (torn_between["ours"], torn_between["other"]) == ("A", "B")
    words = found["pack_suspected", f"listing:{six}"]
    assert (words["why"], words["there"], words["here"]) == ("words", "6", "1")
    price = found["pack_suspected", f"listing:{dear}"]
    assert (price["why"], price["ratio"]) == ("price", "3")
    assert found["same_barcode", f"listing:{coded}"]["other"] == also_coded
    assert set(doubts(world, "pack_suspected")) == {("pack_suspected", f"listing:{one}") for one in (six, dear)}

    # Link to a variant: the other one has its SKU for itself from then on.
    matching.link(world.channel, {twin: b.pk}, actor=PERSON, at=world.at)
    assert doubts(world, "same_sku") == {}
    # A kit of so many.
    for number, sku in (("1", "SODA-6"), ("six", "SODA-6"), ("6", "SODA")):
        with pytest.raises(BadInput):
            matching.make_pack(world.channel, six, number, sku, actor=PERSON, at=world.at)
    matching.make_pack(world.channel, six, "6", "SODA-6", actor=PERSON, at=world.at)
    kit = Variant.objects.get(sku="SODA-6")
    assert [(part.part_id, part.quantity) for part in kit.parts.all()] == [(single.pk, Decimal(6))]
    assert matches(world)[six] == ("hand", "SODA-6")
    # Two variants that are one thing: an alias.
    matching.make_alias(world.channel, torn, b.pk, actor=PERSON, at=world.at)
    a.refresh_from_db()
    assert (a.kind, a.alias_of_id) == ("alias", b.pk)
    assert doubts(world, "barcode_elsewhere") == {}
    # It may stay so.
    soap = Doubt.objects.get(code="pack_suspected")
    with pytest.raises(BadInput, match="why"):
        doctor.ignore(world.channel, soap.pk, " ", actor=PERSON, at=world.at)
    doctor.ignore(world.channel, soap.pk, "Dearer there", actor=PERSON, at=world.at)
    world.run("match_products")
    assert doubts(world, "pack_suspected") == {}
    soap.refresh_from_db()
    assert (soap.ignored_by, soap.ignored_note) == ("Odile Owner", "Dearer there")
    doctor.heed(world.channel, soap.pk)
    assert set(doubts(world, "pack_suspected")) == {("pack_suspected", f"listing:{dear}")}
    assert plain.pk == Listed.objects.get(external_id=dear).variant_id


def test_a_decision_about_one_listing_leaves_the_doubts_about_others_as_a_whole_look_would(world: World) -> None:
    stock = [ours(world, f"V{n}", f"40063813339{n:02}") for n in range(8)]
    listings = [theirs(world, f"V{n % 5}", f"40063813339{(n * 3) % 8:02}", price=str(4 + n)) for n in range(8)]
    world.run("match_products")

    for n, listing in enumerate(listings):
        match n % 4:
            case 0:
                matching.link(world.channel, {listing: stock[(n + 2) % 8].pk}, actor=PERSON, at=world.at)
            case 1:
                matching.set_apart(world.channel, listing, actor=PERSON, at=world.at)
            case 2:
                matching.link(world.channel, {listing: stock[n].pk}, actor=PERSON, at=world.at)
                matching.leave_to_rules(world.channel, listing, actor=PERSON, at=world.at)
        step = matches(world), doubts(world)
        matching.examine(world.channel.pk, at=world.at)
        assert matches(world) == step[0]
        assert doubts(world) == step[1]


def test_doubts_are_ranked_by_what_was_sold_there_lately_then_by_stock(world: World) -> None:
    ours(world, "A")
    shelf = ours(world, "SHELF", price="10.00")
    warehouse = inventory.default_warehouse().pk
    receipt = Receipt(shelf.pk, warehouse, Decimal(5), "r:1")
    inventory.receive([receipt], at=world.at, actor=PERSON)
    slow, fast, never = theirs(world, "SLOW"), theirs(world, "FAST"), theirs(world, "NEVER")
    for listing, number in ((slow, 1), (fast, 7)):
        world.shop.state.place_order([Line(int(listing.partition("-")[0]), quantity=number)], state="PS_OS_PAYMENT")
    world.run("match_products")
    world.pass_time(minutes=6)
    world.run("pull_sales")  # sales of what is not here wait in staging
    world.run("match_products")

    ranked = list(Doubt.objects.order_by("-basis", "-risk", "-id").values_list("subject", "basis", "units", "risk"))

    assert [row[0] for row in ranked[:3]] == [f"listing:{fast}", f"listing:{slow}", f"variant:{shelf.pk}"]
    assert [(row[1], int(row[2])) for row in ranked[:3]] == [(2, 7), (2, 1), (1, 5)]
    assert ranked[2][3] == Decimal("50.00")
    assert {row[0]: row[1] for row in ranked[3:]} == {
        f"listing:{never}": 0,
        f"variant:{Variant.objects.get(sku='A').pk}": 0,
    }


def test_currency_and_clock_are_doubted_once_for_the_channel(world: World) -> None:
    ours(world, "A", price="4.00")
    euros = catalog.price_list("euros", "Euros", "EUR", tax_included=False)
    theirs(world, "A")
    world.run("match_products")
    assert doubts(world) == {}

    world.channel.points.update(price_list=euros)
    sql_skew = Channel.objects.get(pk=world.channel.pk).surroundings
    sql_skew.content["clock_skew"] = 3600.0
    sql_skew.save()
    world.run("match_products")

    found = doubts(world)
    [(code, _subject)] = [key for key in found if key[0] == "currency_differs"]
    assert code
    assert found["clock_differs", "clock"] == {"seconds": 3600}
    assert world.channel.mode == Mode.TEST


def test_a_reading_that_dies_in_the_middle_goes_on_and_forgets_nothing_it_did_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [theirs(world, f"S{n}") for n in range(60)]  # two pages
    world.run("match_products")
    world.pass_time(hours=1)
    world.shop.state.edit_product(int(made[0].partition("-")[0]), name="Renamed")
    world.shop.state.revoke_key(world.shop.key)
    world.run("match_products")

    assert Listed.objects.count() == 60
    assert not Listed.objects.filter(name="Renamed").exists()

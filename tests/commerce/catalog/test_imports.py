"""A channel's products come in: made, followed, left alone, and what is untidy named while the rest of the page goes on."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from comptoir.commerce.catalog import actions, queries
from comptoir.commerce.catalog.models import Barcode, Category, ForeignValue, PriceList, Product, ProductImage, Variant
from comptoir.commerce.catalog.records import PROBLEM_CODES, ImageWanted, Outcome, PartWanted
from comptoir.events.models import Event
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

from .builders import EUROS, NOON, OTHER_SHOP, SHOP, bring_in, listing, one, page, problems

pytestmark = pytest.mark.django_db


@pytest.fixture
def retail() -> int:
    return actions.price_list("retail", "Retail", "EUR", tax_included=False).pk


def written() -> int:
    """Rows inserted, updated or deleted in this transaction so far, in any table of the catalogue."""
    sql.execute("SELECT pg_stat_clear_snapshot()")
    return int(
        sql.value(
            "SELECT COALESCE(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables"
            " WHERE relname LIKE 'catalog!_%%' ESCAPE '!'"
        )
    )


def full(retail: int) -> list:
    mug = page(
        listing(
            "MUG-S", barcodes=("4006381333931",), options={"Size": "S"}, prices={retail: EUROS}, weight=Decimal("0.3")
        ),
        listing("MUG-L", options={"Size": "L"}, prices={retail: Decimal(9)}, images=(ImageWanted("24/106"),)),
        brand="Porcelain & Co",
        categories=(("Home", "Kitchen", "Mugs"), ("Home", "Gifts")),
        images=(ImageWanted("24/105"),),
        names={"fr": "Tasse"},
        custom={"material": "porcelain"},
        page_url="https://shop.example/mug",
    )
    box = page(listing("BOX", parts=(PartWanted(Decimal(6), key="l:MUG-S"),)), key="p:2", name="Box of six")
    return [mug, box]


def test_a_page_is_made_whole(retail: int) -> None:
    outcome = bring_in(*full(retail))
    assert outcome.problems == ()
    assert {a.outcome for a in [*outcome.products.values(), *outcome.variants.values()]} == {Outcome.CREATED}
    small = Variant.objects.get(sku="MUG-S")
    assert outcome.variants["l:MUG-S"].id == small.pk
    assert (small.options, small.weight, small.product.brand.name) == (
        {"Size": "S"},
        Decimal("0.3000"),
        "Porcelain & Co",
    )
    assert small.prices.get().amount == EUROS
    assert set(small.product.categories.values_list("path", flat=True)) == {"Home / Kitchen / Mugs", "Home / Gifts"}
    assert Category.objects.get(path="Home / Kitchen").parent.path == "Home"
    assert queries.expand([outcome.variants["l:BOX"].id]) == {outcome.variants["l:BOX"].id: [(small.pk, Decimal(6))]}
    assert set(ProductImage.objects.values_list("source", flat=True)) == {"3:24/105", "3:24/106"}
    assert queries.by_barcode(["4006381333931"]) == {"4006381333931": small.pk}


@pytest.mark.parametrize("linked", [True, False])
def test_a_second_pass_over_the_same_page_writes_nothing(retail: int, linked: bool) -> None:
    wanted = full(retail)
    first = bring_in(*wanted)
    if linked:
        wanted = [
            replace(
                p,
                product=first.products[p.key].id,
                variants=tuple(replace(v, variant=first.variants[v.key].id) for v in p.variants),
            )
            for p in wanted
        ]
    before, events = written(), Event.objects.count()
    second = bring_in(*wanted)
    assert {a.outcome for a in [*second.products.values(), *second.variants.values()]} == {Outcome.UNCHANGED}
    assert {key: a.id for key, a in second.variants.items()} == {key: a.id for key, a in first.variants.items()}
    assert (written(), Event.objects.count()) == (before, events)


def test_the_number_of_statements_does_not_grow_with_the_page(retail: int) -> None:
    def statements(prefix: str, number: int) -> int:
        products = [
            page(listing(f"{prefix}-{i}", prices={retail: EUROS}, barcodes=(f"{prefix}{i}",)), key=f"p:{i}")
            for i in range(number)
        ]
        before = sql.value("SELECT count(*) FROM pg_prepared_statements")
        with CaptureQueriesContext(connection) as captured:
            bring_in(*products)
        return len(captured) + int(sql.value("SELECT count(*) FROM pg_prepared_statements") - before)

    statements("WARM", 2)
    assert statements("FEW", 2) == statements("MANY", 200)


def test_a_field_that_the_channel_owns_follows_it(retail: int) -> None:
    first = bring_in(page(listing("MUG", prices={retail: EUROS}, barcodes=("1", "2"))))
    changed = listing("MUG", prices={retail: Decimal(10)}, barcodes=("2", "3"), cost=Decimal("1.5"), enabled=False)
    second = bring_in(page(changed, name="Big mug"))
    assert second.variants["l:MUG"].outcome == second.products["p:1"].outcome == Outcome.CHANGED
    row = Variant.objects.get(pk=one(first))
    assert (row.product.name, row.cost, row.enabled, row.prices.get().amount) == ("Big mug", Decimal("1.5"), False, 10)
    assert set(Barcode.objects.values_list("code", flat=True)) == {"2", "3"}


def test_two_shops_with_one_sku_are_one_variant_and_do_not_fight_over_its_fields(retail: int) -> None:
    ours = bring_in(page(listing("MUG-1", prices={retail: EUROS}), brand="Porcelain & Co"))
    theirs = page(listing("mug-1", prices={retail: Decimal(7)}, weight=Decimal(2)), name="Tasse", brand="Other")
    outcome = bring_in(theirs, channel=OTHER_SHOP)
    assert outcome.variants["l:mug-1"].was_matched
    assert one(outcome) == one(ours)
    assert outcome.products["p:1"].id == ours.products["p:1"].id
    row = Variant.objects.get()
    assert (row.product.name, row.prices.get().amount, row.weight, row.sku) == ("Mug", EUROS, None, "MUG-1")
    said = dict(ForeignValue.objects.filter(channel=OTHER_SHOP).values_list("field", "value"))
    assert said == {"name": "Tasse", "brand": "Other", f"price:{retail}": "7.000000", "weight": "2.0000"}
    before = written()
    bring_in(theirs, channel=OTHER_SHOP)
    assert written() == before
    bring_in(replace(theirs, name="Mug"), channel=OTHER_SHOP)  # they agree now
    assert not ForeignValue.objects.filter(field="name").exists()
    assert ForeignValue.objects.filter(field="brand").exists()


def test_a_field_given_to_the_hub_is_not_overwritten(retail: int) -> None:
    first = bring_in(page(listing("MUG")))
    product = first.products["p:1"].id
    actions.set_owner("name", None, product=product, at=NOON, actor=SYSTEM)
    actions.edit_product(product, name="Our mug", at=NOON, actor=SYSTEM)
    bring_in(page(listing("MUG"), name="Their mug"))
    assert Product.objects.get().name == "Our mug"
    assert ForeignValue.objects.get().value == "Their mug"
    actions.set_owner("name", SHOP, product=product, at=NOON, actor=SYSTEM)
    bring_in(page(listing("MUG"), name="Their mug"))
    assert Product.objects.get().name == "Their mug"
    assert not ForeignValue.objects.exists()


def test_two_listings_with_one_sku_are_one_variant_and_a_problem() -> None:
    outcome = bring_in(
        page(listing("MUG", key="24"), key="p:1"), page(listing("mug", key="25"), key="p:2", name="Other page")
    )
    assert problems(outcome) == [("duplicate_sku", "25")]
    assert outcome.variants["24"].id == outcome.variants["25"].id
    assert outcome.products["p:1"].id == outcome.products["p:2"].id
    assert Product.objects.get().name == "Mug"


def test_what_is_untidy_is_named_and_the_rest_of_the_page_goes_on(retail: int) -> None:
    bring_in(page(listing("TAKEN", barcodes=("111",))))
    outcome = bring_in(
        page(listing("A", prices={retail: Decimal(-1)}), key="p:A"),
        page(listing("B", barcodes=("111", "222")), key="p:B"),
        page(listing("  ", key="blank"), key="p:C"),
        page(listing("D", parts=(PartWanted(Decimal(1), key="nowhere"),)), key="p:D"),
        page(listing("E" * 81, key="long"), listing("E"), key="p:E"),
        page(listing("F", unit="dozen", weight=Decimal("NaN"), prices={999999: Decimal(1)}), key="p:F", name=" "),
        page(listing("G", variant=999999), product=999999, key="p:G"),
        page(key="p:H"),
        page(listing("I", barcodes=("222",), mpn="x" * 100), key="p:I", custom={"a": "b\0c"}, description="d\0e"),
    )
    assert sorted(problems(outcome)) == sorted(
        [
            ("negative_price", "l:A"),
            ("barcode_taken", "l:B"),
            ("sku_empty", "blank"),
            ("part_unknown", "l:D"),
            ("value_too_long", "long"),
            ("unit_unknown", "l:F"),
            ("not_a_number", "l:F"),
            ("price_list_unknown", "l:F"),
            ("name_empty", "p:F"),
            ("variant_unknown", "l:G"),
            ("product_unknown", "p:G"),
            ("product_without_variants", "p:C"),
            ("product_without_variants", "p:H"),
            ("barcode_taken", "l:I"),
            ("value_too_long", "l:I"),
        ]
    )
    assert {problem.code for problem in outcome.problems} <= set(PROBLEM_CODES)
    assert set(Variant.objects.values_list("sku", flat=True)) == {"TAKEN", *"ABDEFGI"}
    assert {key for key, a in outcome.products.items() if a.outcome is Outcome.REFUSED} == {"p:C", "p:H"}
    assert Variant.objects.get(sku="D").kind == "kit"
    assert queries.expand([Variant.objects.get(sku="D").pk]) == {Variant.objects.get(sku="D").pk: []}


def test_a_changed_sku_waits_for_a_person() -> None:
    first = bring_in(page(listing("MUG")))
    outcome = bring_in(page(listing("CUP", variant=one(first))))
    assert problems(outcome) == [("sku_differs", "l:CUP")]
    assert Variant.objects.get().sku == "MUG"


def test_a_listing_without_a_sku_of_its_own_is_found_by_its_barcode() -> None:
    first = bring_in(page(listing("MUG", barcodes=("111",))))
    theirs = listing("4-77", is_sku_generated=True, barcodes=("111",))
    outcome = bring_in(page(theirs), channel=OTHER_SHOP)
    assert (one(outcome), outcome.problems) == (one(first), ())


def test_a_new_combination_joins_the_product_of_its_siblings() -> None:
    first = bring_in(page(listing("MUG-S")))
    second = bring_in(page(listing("MUG-S"), listing("MUG-L")))
    assert second.variants["l:MUG-L"].outcome is Outcome.CREATED
    assert Variant.objects.get(sku="MUG-L").product_id == first.products["p:1"].id


def test_packs_change_their_parts_and_a_simple_variant_does_not_become_one_by_itself() -> None:
    cups = page(listing("CUP"), listing("SAUCER"), key="p:1")
    bring_in(cups, page(listing("SET", parts=(PartWanted(Decimal(1), key="l:CUP"),)), key="p:2"))
    kit = Variant.objects.get(sku="SET").pk
    both = (PartWanted(Decimal(2), key="l:CUP"), PartWanted(Decimal(2), key="l:SAUCER"))
    outcome = bring_in(cups, page(listing("SET", parts=both), key="p:2"))
    assert outcome.variants["l:SET"].outcome is Outcome.CHANGED
    assert sorted(q for _, q in queries.expand([kit])[kit]) == [2, 2]
    assert Event.objects.filter(name="catalog.variant.composed").count() == 2
    outcome = bring_in(
        cups,
        page(listing("SET"), key="p:2"),
        page(listing("OTHER", parts=(PartWanted(Decimal(1), variant=kit),)), key="p:3"),
    )
    assert sorted(problems(outcome)) == [("no_longer_pack", "l:SET"), ("part_is_kit", "l:OTHER")]
    outcome = bring_in(page(listing("CUP", parts=(PartWanted(Decimal(1), key="l:SAUCER"),)), listing("SAUCER")))
    assert problems(outcome) == [("became_pack", "l:CUP")]


def test_pictures_follow_their_owner() -> None:
    bring_in(page(listing("MUG"), images=(ImageWanted("a"), ImageWanted("b", 1))))
    outcome = bring_in(page(listing("MUG"), images=(ImageWanted("b"), ImageWanted("c", 1))))
    assert outcome.products["p:1"].outcome is Outcome.CHANGED
    assert set(ProductImage.objects.values_list("source", "position")) == {("3:b", 0), ("3:c", 1)}
    bring_in(page(listing("MUG"), images=(ImageWanted("z"),)), channel=OTHER_SHOP)
    assert ProductImage.objects.count() == 2


def test_what_is_missing_is_retired_unless_too_much_is_and_returns_when_it_is_seen() -> None:
    outcome = bring_in(*(page(listing(f"MUG-{i}"), key=f"p:{i}") for i in range(10)))
    everything = [a.id for a in outcome.variants.values() if a.id]
    share = Decimal("0.2")
    refused = actions.retire_missing(everything, everything[3:], most_share=share, at=NOON, actor=SYSTEM)
    assert (refused.is_refused, refused.missing, refused.retired) == (True, 3, ())
    retired = actions.retire_missing(everything, everything[2:], most_share=share, at=NOON, actor=SYSTEM)
    assert retired.retired == tuple(everything[:2])
    assert Variant.objects.filter(retired_at=None).count() == 8
    again = bring_in(page(listing("MUG-0"), key="p:0"))
    assert again.variants["l:MUG-0"].outcome is Outcome.CHANGED
    assert Variant.objects.get(sku="MUG-0").retired_at is None


def test_price_lists_are_not_made_twice_with_another_meaning() -> None:
    actions.price_list("retail", "Retail", "EUR", tax_included=True)
    with pytest.raises(BadInput):
        actions.price_list("retail", "Retail", "USD", tax_included=True)
    assert PriceList.objects.count() == 1

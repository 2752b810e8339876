"""What people do to the catalogue, and what is looked up in it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from comptoir.commerce.catalog import actions, queries
from comptoir.commerce.catalog.errors import BadPart, BarcodeTaken, SkuTaken
from comptoir.commerce.catalog.models import Price, Product, Variant
from comptoir.events.models import Event
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

from .builders import NOON, bring_in, listing, one, page

pytestmark = pytest.mark.django_db


def made(sku: str, **fields: object) -> Variant:
    return actions.create_product(f"Product {sku}", sku, at=NOON, actor=SYSTEM, **fields)


def edit(variant: Variant, **fields: object) -> bool:
    return actions.edit_variant(variant.pk, at=NOON, actor=SYSTEM, **fields)


def test_a_sku_is_taken_whatever_its_case() -> None:
    first = made("Mug-1", barcodes=["111"], brand="Acme", categories=[("Home", "Mugs")], unit="piece")
    with pytest.raises(SkuTaken) as refusal:
        made("mUG-1")
    assert refusal.value.facts["variant"] == first.pk
    with pytest.raises(BarcodeTaken):
        made("OTHER", barcodes=["111"])
    with pytest.raises(IntegrityError), transaction.atomic():  # PostgreSQL says so too
        sql.execute("UPDATE catalog_variant SET sku = 'MUG-1' WHERE id <> %s", [first.pk])
    assert Product.objects.get(pk=first.product_id).categories.get().path == "Home / Mugs"


def test_an_edit_says_which_fields_changed_and_an_edit_of_nothing_says_nothing() -> None:
    mug = made("MUG", barcodes=["1"])
    assert edit(mug, weight=Decimal("0.5"), sku="CUP", barcodes=["2"])
    assert Event.objects.latest("id").facts["fields"] == ["barcodes", "sku", "weight"]
    events = Event.objects.count()
    assert not edit(mug, weight=Decimal("0.5"), sku="CUP", barcodes=["2"])
    assert Event.objects.count() == events
    for wrong in ({"unit": "dozen"}, {"sku": " "}, {"product_id": 1}, {"barcodes": [""]}):
        with pytest.raises(BadInput):
            edit(mug, **wrong)


def test_a_price_set_twice_is_written_once_and_none_takes_it_out() -> None:
    mug, retail = made("MUG"), actions.price_list("retail", "Retail", "EUR", tax_included=True).pk
    assert actions.set_price(mug.pk, retail, Decimal("9.9"), at=NOON, actor=SYSTEM)
    assert not actions.set_price(mug.pk, retail, Decimal("9.900000"), at=NOON, actor=SYSTEM)
    with pytest.raises(BadInput):
        actions.set_price(mug.pk, retail, Decimal("-0.01"), at=NOON, actor=SYSTEM)
    assert actions.set_price(mug.pk, retail, None, at=NOON, actor=SYSTEM)
    assert not Price.objects.exists()


def test_an_alias_takes_its_masters_stock_a_kit_its_parts_and_an_alias_of_a_kit_too() -> None:
    cup, saucer, kit, alias, of_kit = (made(sku) for sku in ("CUP", "SAUCER", "SET", "CUP-2", "SET-2"))
    parts = {cup.pk: Decimal(2), saucer.pk: Decimal(1)}
    actions.make_kit(kit.pk, parts, at=NOON, actor=SYSTEM)
    actions.make_alias(alias.pk, cup.pk, at=NOON, actor=SYSTEM)
    actions.make_alias(of_kit.pk, kit.pk, at=NOON, actor=SYSTEM)
    taken = queries.expand([cup.pk, kit.pk, alias.pk, of_kit.pk])
    assert taken[cup.pk] == taken[alias.pk] == [(cup.pk, 1)]
    assert dict(taken[kit.pk]) == dict(taken[of_kit.pk]) == parts
    affected = queries.affected_by([cup.pk, saucer.pk])
    assert affected == {
        cup.pk: {cup.pk, alias.pk, kit.pk, of_kit.pk},
        saucer.pk: {saucer.pk, kit.pk, of_kit.pk},
    }
    for refused in (
        lambda: actions.make_alias(cup.pk, alias.pk, at=NOON, actor=SYSTEM),  # has an alias and is a part itself
        lambda: actions.make_alias(saucer.pk, cup.pk, at=NOON, actor=SYSTEM),  # a part of a kit
        lambda: actions.make_kit(saucer.pk, {cup.pk: Decimal(1)}, at=NOON, actor=SYSTEM),
        lambda: actions.make_kit(made("BOX").pk, {kit.pk: Decimal(1)}, at=NOON, actor=SYSTEM),
    ):
        with pytest.raises(BadPart):
            refused()
    actions.make_simple(alias.pk, at=NOON, actor=SYSTEM)
    assert queries.expand([alias.pk]) == {alias.pk: [(alias.pk, 1)]}


def test_a_search_finds_parts_of_skus_names_and_whole_barcodes_from_three_letters_on() -> None:
    mug = made("MUG_100%", barcodes=["4006381333931"])
    other = made("PLATE")
    assert queries.search("g_100%").ids == (mug.pk,)
    assert queries.search("4006381333931").ids == (mug.pk,)
    assert set(queries.search("product").ids) == {mug.pk, other.pk}
    assert queries.search("___").ids == ()
    with pytest.raises(BadInput):
        queries.search(" mu ")


def test_a_search_looks_at_a_thousand_and_says_when_it_is_cut() -> None:
    bring_in(*(page(listing(f"BULK-{i}"), key=f"p:{i}", name="Bulk") for i in range(1001)))
    exact = one(bring_in(page(listing("BULK"), name="Bulk", key="p:exact")))
    found = queries.search("bulk")
    assert (len(found.ids), found.is_cut, found.ids[0]) == (1000, True, exact)


def test_summaries_and_skus_are_looked_up_as_a_page() -> None:
    mug = made("Mug", options={"Size": "S"})
    assert queries.by_sku(["MUG", "nope"]) == {"MUG": mug.pk}
    summary = queries.summaries([mug.pk])[mug.pk]
    assert (summary.sku, summary.name, summary.options) == ("Mug", "Product Mug", {"Size": "S"})
    assert actions.retire([mug.pk], at=NOON, actor=SYSTEM) == (mug.pk,)
    assert actions.retire([mug.pk], at=NOON, actor=SYSTEM) == ()
    assert queries.summaries([mug.pk])[mug.pk].is_retired
    assert actions.unretire([mug.pk], at=NOON, actor=SYSTEM) == (mug.pk,)

"""Suppliers and what they sell: what people and shops say of them, who wins, and what the database refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.purchasing import actions, queries
from comptoir.commerce.purchasing.errors import AlreadySupplied, SupplierCodeTaken
from comptoir.commerce.purchasing.models import Supplier, SupplierLink, SupplierProduct
from comptoir.commerce.purchasing.records import Became, SupplierWanted, SupplyWanted
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHOP, OTHER_SHOP = 3, 4

pytestmark = pytest.mark.django_db


def variant(sku: str) -> int:
    return catalog.create_product(sku, sku, at=NOON, actor=SYSTEM).pk


def supplier(name: str, **fields: Any) -> Supplier:
    return actions.create_supplier(name, **{"currency": "EUR", **fields}, at=NOON, actor=SYSTEM)


def link(seller: Supplier, sku: int, **fields: Any) -> SupplierProduct:
    return actions.link_product(seller.pk, sku, **fields, at=NOON, actor=SYSTEM)


def come_in(*wanted: SupplierWanted, channel: int = SHOP, run: int = 1) -> dict[str, Became]:
    return dict(actions.import_suppliers(channel, wanted, run=run, at=NOON, actor=SYSTEM).outcomes)


def supplies(*wanted: SupplyWanted, channel: int = SHOP, run: int = 1) -> dict[str, Became]:
    return dict(actions.import_products(channel, wanted, run=run, at=NOON, actor=SYSTEM).outcomes)


def primaries(sku: int) -> list[str]:
    return [one.name for one in queries.suppliers_of(sku) if one.is_primary]


def test_a_supplier_without_a_code_gets_one_of_its_name_that_nobody_has() -> None:
    assert [supplier(name).code for name in ("Nord & Söhne", "NORD söhne", "香水")] == [
        "nord-sohne", "nord-sohne-2", "supplier",
    ]  # fmt: skip
    with pytest.raises(SupplierCodeTaken):
        supplier("Else", code="NORD-sohne")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"email": "nobody"}, "email"), ({"currency": "EURO"}, "currency"), ({"lead_days": -1}, "lead_days"),
        ({"minimum_order": Decimal(-1)}, "minimum_order"), ({"code": "x" * 41}, "code"), ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        supplier("North", **fields)
    assert refused.value.facts["place"] == place


def test_the_first_supplier_of_a_variant_is_its_primary_one_and_there_is_never_a_second() -> None:
    cup, north, south = variant("CUP"), supplier("North"), supplier("South")
    link(north, cup)
    second = link(south, cup, price=Decimal("2.5"))
    assert primaries(cup) == ["North"]
    actions.edit_product(second.pk, is_primary=True, at=NOON, actor=SYSTEM)
    assert primaries(cup) == ["South"]
    with transaction.atomic(), pytest.raises(IntegrityError):  # the database says no, too
        SupplierProduct.objects.filter(supplier=north).update(is_primary=True)
    with pytest.raises(AlreadySupplied):
        link(north, cup)


def test_a_price_has_a_currency_its_own_or_that_of_its_supplier() -> None:
    cup = variant("CUP")
    assert link(supplier("North"), cup, price=Decimal("1.2345678")).price == Decimal("1.234568")
    with pytest.raises(BadInput) as refused:
        link(supplier("South", currency=""), cup, price=Decimal(1))
    assert refused.value.facts["place"] == "currency"


def test_suppliers_of_a_shop_come_in_once_and_follow_it() -> None:
    assert come_in(SupplierWanted("1", "North"), SupplierWanted("2", "North")) == {"1": "created", "2": "created"}
    assert sorted(Supplier.objects.values_list("code", flat=True)) == ["north", "north-2"]
    assert set(come_in(SupplierWanted("1", "North"), SupplierWanted("2", "North")).values()) == {"unchanged"}
    assert come_in(SupplierWanted("1", "North Ltd", enabled=False)) == {"1": "changed"}
    row = SupplierLink.objects.get(external_id="1").supplier
    assert (row.name, row.enabled, row.code) == ("North Ltd", False, "north")


def test_a_second_shop_that_buys_from_the_same_people_finds_them_by_name() -> None:
    here = supplier("North & Sons", email="orders@north.test")
    assert come_in(SupplierWanted("7", "NORTH & sons", enabled=False)) == {"7": "changed"}
    assert come_in(SupplierWanted("9", "North & Sons"), channel=OTHER_SHOP) == {"9": "changed"}
    assert set(SupplierLink.objects.values_list("supplier", flat=True)) == {here.pk}
    here.refresh_from_db()
    assert (here.name, here.enabled, here.email) == ("North & Sons", True, "orders@north.test")  # written by a person


def test_what_a_person_changed_is_not_written_over() -> None:
    come_in(SupplierWanted("1", "North"))
    seller = Supplier.objects.get()
    cup = variant("CUP")
    first = SupplyWanted("11", seller.pk, cup, "N-1", Decimal(2), "EUR", is_primary=True)
    assert supplies(first) == {"11": "created"}
    actions.edit_supplier(seller.pk, name="North (Leeds)", at=NOON, actor=SYSTEM)
    row = SupplierProduct.objects.get()
    actions.edit_product(row.pk, price=Decimal("1.90"), at=NOON, actor=SYSTEM)
    assert come_in(SupplierWanted("1", "Norths", enabled=False)) == {"1": "changed"}
    later = SupplyWanted("11", seller.pk, cup, "N-1b", Decimal(3), "USD", is_primary=True)
    assert supplies(later) == {"11": "changed"}
    seller.refresh_from_db()
    row.refresh_from_db()
    assert (seller.name, seller.enabled) == ("North (Leeds)", False)
    assert (row.price, row.currency, row.reference) == (Decimal("1.90"), "EUR", "N-1b")
    assert set(supplies(later).values()) == {"unchanged"}


def test_the_default_supplier_of_a_shop_is_primary_until_a_person_chooses_another() -> None:
    come_in(SupplierWanted("1", "North"), SupplierWanted("2", "South"))
    north, south = Supplier.objects.order_by("id")
    cup = variant("CUP")
    rows = [SupplyWanted("11", north.pk, cup, is_primary=True), SupplyWanted("12", south.pk, cup)]
    supplies(*rows)
    assert primaries(cup) == ["North"]
    swapped = [SupplyWanted("11", north.pk, cup), SupplyWanted("12", south.pk, cup, is_primary=True)]
    assert supplies(*swapped)["12"] == "changed"
    assert primaries(cup) == ["South"]
    actions.edit_product(SupplierProduct.objects.get(supplier=north).pk, is_primary=True, at=NOON, actor=SYSTEM)
    supplies(*swapped)
    assert primaries(cup) == ["North"]


def test_two_rows_for_one_pair_and_hostile_values_make_one_tidy_row() -> None:
    seller, cup = supplier("North"), variant("CUP")
    outcome = supplies(
        SupplyWanted("11", seller.pk, cup, "first", Decimal(1), "EUR"),
        SupplyWanted("12", seller.pk, cup, "x\0" + "y" * 200, Decimal("NaN"), "EUR"),
    )
    assert outcome == {"11": "created", "12": "created"}
    row = SupplierProduct.objects.get()
    assert (row.reference, row.price, row.currency) == ("x" + "y" * 79, None, "")


def test_what_a_complete_reading_lacks_is_gone_there_and_stays_here_unless_it_is_too_much() -> None:
    seller = supplier("North")
    rows = [SupplyWanted(str(n), seller.pk, variant(f"CUP-{n}")) for n in range(10)]
    supplies(*rows, run=1)
    supplies(*rows[:9], run=2)
    asked = {"what": "products", "most_share": Decimal("0.2"), "at": NOON}
    assert actions.retire_missing(SHOP, 2, **asked) == (1, 10)
    assert list(SupplierProduct.objects.filter(gone_at__isnull=False).values_list("external_id", flat=True)) == ["9"]
    supplies(*rows[:2], run=3)
    actions.seen(SHOP, 3, {"2"}, what="products")  # listed, but it could not be read
    assert actions.retire_missing(SHOP, 3, **asked) == (6, 9)
    assert SupplierProduct.objects.filter(gone_at__isnull=True).count() == 9
    assert supplies(rows[9], run=4) == {"9": "changed"}  # it is there again
    assert not SupplierProduct.objects.filter(gone_at__isnull=False).exists()

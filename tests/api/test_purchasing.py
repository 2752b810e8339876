"""Suppliers, what they sell and prices over the API: exact, paged, and only for who may see them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from comptoir.accounts.models import Role
from comptoir.accounts.rights import Scope
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.purchasing import actions
from comptoir.kit.actor import SYSTEM

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DOORS = ("suppliers", "supplier-products", "price-lists", "price-lists/retail/prices")


@pytest.fixture
def north(db: None) -> int:
    """A supplier of cups, which cost 19.605 in a list."""
    cup = catalog.create_product("Cup", "CUP", at=AT, actor=SYSTEM)
    seller = actions.create_supplier("North", currency="EUR", minimum_order=Decimal(150), at=AT, actor=SYSTEM)
    actions.create_supplier("South", enabled=False, at=AT, actor=SYSTEM)
    actions.link_product(seller.pk, cup.pk, reference="N-1", price=Decimal("2.345678"), at=AT, actor=SYSTEM)
    retail = catalog.price_list("retail", "Retail", "EUR", tax_included=True)
    catalog.set_price(cup.pk, retail.pk, Decimal("19.605"), at=AT, actor=SYSTEM)
    return seller.pk


def test_suppliers_and_what_they_sell_are_read_page_by_page(with_token: Any, north: int) -> None:
    client = with_token(Scope.PURCHASING_READ)
    first = client.get("/api/v1/suppliers", {"limit": 1}).json()
    assert [(one["code"], one["minimum_order"]) for one in first["items"]] == [("north", "150.000000")]
    second = client.get("/api/v1/suppliers", {"limit": 1, "after": first["after"]}).json()
    assert ([one["code"] for one in second["items"]], second["after"]) == (["south"], None)
    assert [one["code"] for one in client.get("/api/v1/suppliers", {"enabled": False}).json()["items"]] == ["south"]
    assert client.get(f"/api/v1/suppliers/{north}").json()["name"] == "North"
    assert client.get("/api/v1/suppliers/0").status_code == 404
    [row] = client.get("/api/v1/supplier-products", {"sku": "cup", "supplier": north}).json()["items"]
    assert (row["supplier_code"], row["sku"], row["price"], row["currency"], row["is_primary"]) == (
        "north", "CUP", "2.345678", "EUR", True,
    )  # fmt: skip


def test_prices_are_read_by_list_with_all_their_decimals(with_token: Any, north: int) -> None:
    client = with_token(Scope.CATALOG_READ)
    assert client.get("/api/v1/price-lists").json() == [
        {"code": "retail", "name": "Retail", "currency": "EUR", "tax_included": True}
    ]
    [row] = client.get("/api/v1/price-lists/retail/prices").json()["items"]
    assert (row["sku"], row["amount"], row["tax_included"]) == ("CUP", "19.605000", True)
    assert client.get("/api/v1/price-lists/none/prices").status_code == 404


def test_buying_prices_are_not_for_everybody(with_token: Any, signed_in: Any, north: int) -> None:
    catalog_only, picker = with_token(Scope.CATALOG_READ), signed_in(Role.PICKER)
    for client in (catalog_only, picker):
        assert [client.get(f"/api/v1/{door}").status_code for door in DOORS] == [403, 403, 200, 200]

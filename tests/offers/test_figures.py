"""Figures of a channel against our levels: few are looked up, many are added up in passing, and all ways say the same."""

from decimal import Decimal

import pytest
from offer_world import channel, offer, point, push, stock, variant, warehouse

from comptoir.channels.records import StockFigure
from comptoir.commerce.catalog.models import Kind
from comptoir.commerce.inventory.models import Warehouse
from comptoir.offers import queries
from comptoir.offers.models import SellingPoint

pytestmark = pytest.mark.django_db


def figure(of: SellingPoint, listing: str, quantity: int, ref: str = "") -> StockFigure:
    return StockFigure(
        listing=listing, selling_point=of.external_id, quantity=Decimal(quantity), ref=ref or f"ref-{listing}"
    )


@pytest.fixture(params=["looked up", "added up"])
def places(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Warehouse]:
    """Warehouses that the points of a test sell from: one or several; few figures are many where so many are asked for."""
    monkeypatch.setattr(queries, "FEW", 5_000 if request.param == "looked up" else 0)
    return [warehouse("paris"), warehouse("lyon")]


@pytest.mark.parametrize("sources", [1, 2])
def test_what_differs_is_found_whichever_way_levels_are_computed(places: list[Warehouse], sources: int) -> None:
    shop = channel("shop")
    own, other = point(shop, *places[:sources], buffer=1), point(shop, *places[:sources])
    cup, pot = variant("CUP"), variant("POT")
    box = variant("BOX", kind=Kind.KIT, parts={cup: 2})
    for thing in (cup, pot, box, variant("EMPTY")):
        offer(thing, own)
    for place in places:
        stock(cup, place, 10)
    stock(pot, places[0], 3)
    push(shop)
    free = 10 * sources

    figures = queries.Figures(shop.pk)
    figures.add(
        [
            figure(own, "EMPTY-0", 0),
            figure(own, "POT-0", 3),  # we would tell 2
            figure(own, "CUP-0", free - 1),
            figure(other, "CUP-0", free),  # its other point keeps nothing back
            figure(own, "BOX-0", free // 2),  # we would tell one less
            figure(own, "NOBODYS-0", 7),
        ]
    )
    compared = figures.compare()

    assert [(one.listing, one.quantity, level) for one, level in compared.differing] == [
        ("POT-0", 3, 2),
        ("BOX-0", free // 2, free // 2 - 1),
    ]
    assert [one.listing for one in compared.untold] == ["NOBODYS-0"]
    assert {one.listing for one in compared.moved} == {"EMPTY-0", "POT-0", "CUP-0", "BOX-0"}, "no ref is known yet"

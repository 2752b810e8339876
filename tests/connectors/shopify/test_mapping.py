"""Answers as Shopify gives them, word for word in shape, as our records: what the double does not do of itself."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Charge, ChargeKind, Sale, SaleState
from comptoir.connectors.shopify import mapping, wire


def bag(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "EUR"}}


def tax(amount: str, rate: float = 0.21) -> dict[str, Any]:
    return {"title": "IVA", "rate": rate, "priceSet": bag(amount)}


def line(number: int, price: str, quantity: int, current: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "title": f"Thing {number}",
        "quantity": quantity,
        "currentQuantity": current,
        "originalUnitPriceSet": bag(price),
        "variant": {"legacyResourceId": str(40_000 + number), "barcode": None},
        "product": {"legacyResourceId": "8001"},
        "sku": f"SKU-{number}",
        "requiresShipping": True,
        **more,
    }


ORDER: dict[str, Any] = {
    "id": "gid://shopify/Order/5550001112223",
    "legacyResourceId": "5550001112223",
    "name": "#1001",
    "createdAt": "2026-03-01T09:30:00Z",
    "updatedAt": "2026-03-02T10:00:00Z",
    "currencyCode": "EUR",
    "taxesIncluded": True,
    "displayFinancialStatus": "PAID",
    "displayFulfillmentStatus": "UNFULFILLED",
    "totalPriceSet": bag("46.47"),
    "lineItems": {"nodes": [line(1, "19.99", 2, 2, taxLines=[tax("6.94")])]},
    "shippingLines": {"nodes": [{"title": "Correos", "code": None, "discountedPriceSet": bag("6.49"), "taxLines": []}]},
}
AROUND = mapping.Around(point="77")


def sale(**changes: Any) -> Sale:
    return mapping.sale(wire.typed(wire.Order, {**copy.deepcopy(ORDER), **changes}), AROUND)


def test_an_order_in_words() -> None:
    found = sale()
    assert (found.external_id, found.number, found.currency, found.total) == (
        "5550001112223",
        "#1001",
        "EUR",
        Decimal("46.47"),
    )
    assert (found.selling_point, found.carrier, found.carrier_name) == ("77", "Correos", "Correos")
    assert found.status_name == "Paid, unfulfilled"
    (only,) = found.lines
    assert (only.listing, only.total, only.tax, only.tax_rate) == (
        "40001",
        Decimal("39.98"),
        Decimal("6.94"),
        Decimal(21),
    )


@pytest.mark.parametrize(("lines", "tips"), [(1, 1), (2, 0)])
def test_a_tip_is_counted_once_whether_it_is_a_line_or_not(lines: int, tips: int) -> None:
    rows = [*ORDER["lineItems"]["nodes"], line(2, "3.33", 1, 1, sku=None, variant=None, product=None)]
    found = sale(totalPriceSet=bag("49.80"), totalTipReceivedSet=bag("3.33"), lineItems={"nodes": rows[:lines]})
    assert [one.kind for one in found.charges].count(ChargeKind.TIP) == tips
    assert sum(one.total for one in found.lines) + sum(one.amount for one in found.charges) == found.total


def test_duties_that_are_within_the_prices_are_not_added() -> None:
    assert (
        Charge(kind=ChargeKind.FEE, amount=Decimal("5.00"), name="Duties", tax=Decimal(0))
        in sale(currentTotalDutiesSet=bag("5.00"), totalPriceSet=bag("51.47")).charges
    )
    assert not [
        one for one in sale(currentTotalDutiesSet=bag("5.00"), dutiesIncluded=True).charges if one.name == "Duties"
    ]


def test_what_was_edited_away_takes_its_share_of_discount_and_tax_along() -> None:
    cut = [{"allocatedAmountSet": bag("1.00")}]
    row = line(1, "10.00", 3, 1, discountAllocations=cut, taxLines=[tax("6.09")])
    refunds = [
        {"id": "gid://shopify/Refund/1", "refundLineItems": {"nodes": [{"quantity": 1, "lineItem": {"id": row["id"]}}]}}
    ]
    (only,) = sale(taxesIncluded=False, lineItems={"nodes": [row]}, refunds=refunds).lines
    assert (only.quantity, only.refunded) == (2, 1)
    assert (only.discount, only.tax, only.total) == (Decimal("0.67"), Decimal("4.06"), Decimal("23.39"))
    assert only.unit_price == Decimal("12.100000")


def test_statuses_that_nobody_has_heard_of_are_read_all_the_same() -> None:
    assert sale(displayFulfillmentStatus="FULFILLMENT_NOT_REQUIRED").state is SaleState.PAID
    assert sale(displayFinancialStatus="IN_LIMBO").state is SaleState.UNPAID
    assert sale(displayFinancialStatus=None).status == "/UNFULFILLED"
    assert sale(confirmed=False).state is SaleState.UNPAID
    assert sale(displayFulfillmentStatus="FULFILLED", displayFinancialStatus="PENDING").state is SaleState.SHIPPED


def test_cancelled_and_failed_fulfilments_shipped_nothing() -> None:
    parcels = [
        {
            "id": f"gid://shopify/Fulfillment/{number}",
            "status": status,
            "trackingInfo": [{"number": f"N{number}"}],
            "fulfillmentLineItems": {"nodes": [{"quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/1"}}]},
        }
        for number, status in enumerate(("CANCELLED", "SUCCESS", "FAILURE", "ERROR"))
    ]
    found = sale(fulfillments=parcels)
    assert (found.tracking, found.shipped_lines) == (("N1",), {"1": Decimal(1)})


def test_a_large_number_stays_what_it_is() -> None:
    assert sale(legacyResourceId="9007199254740993").external_id == "9007199254740993"


@pytest.mark.parametrize("quantity", [(-1, 0), (1, -1)])
def test_a_negative_quantity_is_not_understood(quantity: tuple[int, int]) -> None:
    with pytest.raises(NotUnderstood):
        sale(lineItems={"nodes": [line(1, "1.00", *quantity)]})

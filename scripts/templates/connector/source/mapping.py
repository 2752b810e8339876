"""Acme's shapes to neutral records. Pure: no I/O, no clock, no log."""

from __future__ import annotations

from decimal import Decimal

from comptoir.connectors.acme import wire

from comptoir.channels.records import (
    Buyer,
    Listing,
    Odd,
    Payment,
    Price,
    Product,
    Sale,
    SaleLine,
    SaleState,
    StockFigure,
)

POINT = "main"  # an account has one shelf

STATES = {
    "unpaid": SaleState.UNPAID,
    "paid": SaleState.PAID,
    "sent": SaleState.SHIPPED,
    "cancelled": SaleState.CANCELLED,
}


def product(row: wire.Good, currency: str) -> tuple[Product, list[Odd]]:
    """A good is a product with one listing. The second is what is untidy about it."""
    listing = Listing(
        external_id=str(row.id),
        sku=row.sku,
        price=Price(amount=row.price, currency=currency, tax_included=True),
    )
    odd = [] if row.sku else [Odd(code="product_without_sku", subject=f"listing:{row.id}", severity="info")]
    return Product(external_id=str(row.id), name=row.name, listings=(listing,), changed_at=row.changed_at), odd


def figure(row: wire.Good) -> StockFigure:
    """What the account says it has of a good."""
    return StockFigure(listing=str(row.id), selling_point=POINT, quantity=Decimal(row.units), ref=str(row.id))


def sale(row: wire.Sale) -> Sale:
    """A sale. A state that is new to us is for a person to map."""
    state = STATES.get(row.state, SaleState.UNKNOWN)
    return Sale(
        external_id=str(row.id),
        number=f"#{row.id}",
        status=row.state,
        state=state,
        placed_at=row.placed_at,
        changed_at=row.changed_at,
        currency=row.currency,
        total=row.total,
        lines=tuple(_line(one) for one in row.lines),
        payments=() if state is SaleState.UNPAID else (Payment(method="card", amount=row.total),),
        selling_point=POINT,
        carrier=row.carrier,
        payment_method="card",
        buyer=Buyer(name=row.buyer, email=row.email),
        takes_stock=state is not SaleState.CANCELLED,  # units are given back when it is cancelled
        tracking=tuple(one.tracking for one in row.parcels),
    )


def _line(row: wire.Line) -> SaleLine:
    return SaleLine(
        external_id=str(row.id),
        name=row.name,
        quantity=Decimal(row.units),
        unit_price=row.price,
        total=row.price * row.units,
        listing=str(row.good),
        sku=row.sku,
    )

"""Orders with their lines; buyers are masked for roles that have no need of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import caller, needs
from comptoir.api.errors import NotThere
from comptoir.api.pages import Asked, Moment, Number, Page, page
from comptoir.channels.models import Channel
from comptoir.commerce.inventory import queries as inventory
from comptoir.commerce.inventory.records import LineStanding
from comptoir.commerce.orders.models import Line, Order, Status

ZERO = Decimal("0.000")

router = Router(tags=["orders"], auth=needs(Scope.ORDERS_READ))


class LineOut(Schema):
    """One line. What is open = quantity - cancelled - shipped."""

    position: int
    kind: str
    variant: int | None
    sku: str
    name: str
    quantity: Number
    cancelled: Number
    shipped: Number
    reserved: Number
    backordered: Number
    unit_price: Number
    discount: Number
    total: Number
    tax_rate: Number | None
    tax: Number | None


class ChargeOut(Schema):
    """Something for the order as a whole; discounts are negative."""

    kind: str
    name: str
    amount: Number
    tax: Number | None


class OrderOut(Schema):
    """An accepted sale. `buyer`, `billing` and `shipping` are null where they may not be seen."""

    number: str
    channel: int | None
    external_id: str | None
    external_number: str
    external_status: str
    status: str
    preparation: str
    is_blocked: bool
    currency: str
    total: Number
    total_tax: Number | None
    carrier: str
    buyer: dict[str, Any] | None
    billing: dict[str, Any] | None
    shipping: dict[str, Any] | None
    placed_at: Moment
    accepted_at: Moment
    changed_at: Moment
    lines: list[LineOut]
    charges: list[ChargeOut]


@router.get("/orders", response=Page[OrderOut], summary="Orders with their lines, newest first")
def orders(
    request: HttpRequest,
    place: Asked,
    status: Status | None = None,
    channel: int | None = None,
    external_id: str | None = None,
) -> dict[str, Any]:
    rows = _whole()
    if status is not None:
        rows = rows.filter(status=status)
    if channel is not None:
        rows = rows.filter(channel=channel)
    if external_id is not None:
        channels = [channel] if channel is not None else list(Channel.objects.values_list("pk", flat=True))
        rows = rows.filter(channel__in=channels, external_id=external_id)  # unique together, and found so
    found = page(rows, ("-placed_at", "-id"), place, lambda order: order)
    found["items"] = _shown(found["items"], caller(request).sees_buyers)
    return found


@router.get("/orders/{number}", response=OrderOut, summary="One order, by its number")
def order(request: HttpRequest, number: str) -> dict[str, Any]:
    rows = list(_whole().filter(number=number))
    if not rows:
        raise NotThere("there is no such order")
    return _shown(rows, caller(request).sees_buyers)[0]


def _whole() -> QuerySet[Order]:
    return Order.objects.prefetch_related("lines", "charges")


def _shown(rows: Sequence[Order], sees_buyers: bool) -> list[dict[str, Any]]:
    standings = inventory.reserved_by_line([row.pk for row in rows])
    return [_one(row, standings, sees_buyers) for row in rows]


def _one(row: Order, standings: Mapping[int, LineStanding], sees_buyers: bool) -> dict[str, Any]:
    plain = set(OrderOut.model_fields) - {"lines", "charges"}
    shown = {name: getattr(row, name) for name in plain}
    if not sees_buyers:
        shown |= {"buyer": None, "billing": None, "shipping": None}
    lines = sorted(row.lines.all(), key=lambda line: line.position)
    return {
        **shown,
        "lines": [_line(line, standings.get(line.pk)) for line in lines],
        "charges": list(row.charges.all()),
    }


def _line(line: Line, standing: LineStanding | None) -> dict[str, Any]:
    plain = set(LineOut.model_fields) - {"variant", "reserved", "backordered"}
    return {
        **{name: getattr(line, name) for name in plain},
        "variant": line.variant_id,
        "reserved": standing.reserved_total if standing else ZERO,
        "backordered": standing.backordered if standing else ZERO,
    }

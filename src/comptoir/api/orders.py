"""Orders with their lines; buyers are masked for roles that have no need of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import caller, needs
from comptoir.api.errors import NotThere
from comptoir.api.pages import Asked, Moment, Number, Page, page, sent
from comptoir.channels.models import Channel
from comptoir.commerce.inventory import queries as inventory
from comptoir.commerce.orders.models import Charge, Line, Order, Status

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
) -> HttpResponse:
    rows = Order.objects.only(*_PLAIN)
    if status is not None:
        rows = rows.filter(status=status)
    if channel is not None:
        rows = rows.filter(channel=channel)
    if external_id is not None:
        channels = [channel] if channel is not None else list(Channel.objects.values_list("pk", flat=True))
        rows = rows.filter(channel__in=channels, external_id=external_id)  # unique together, and found so
    found = page(rows, ("-placed_at", "-id"), place, lambda order: order)
    found["items"] = _shown(found["items"], caller(request).sees_buyers)
    return sent(found)


@router.get("/orders/{number}", response=OrderOut, summary="One order, by its number")
def order(request: HttpRequest, number: str) -> HttpResponse:
    rows = list(Order.objects.only(*_PLAIN).filter(number=number))
    if not rows:
        raise NotThere("there is no such order")
    return sent(_shown(rows, caller(request).sees_buyers)[0])


_PLAIN = tuple(name for name in OrderOut.model_fields if name not in ("lines", "charges"))
_OF_LINE = tuple(name for name in LineOut.model_fields if name not in ("variant", "reserved", "backordered"))


def _shown(rows: Sequence[Order], sees_buyers: bool) -> list[dict[str, Any]]:
    """Orders as `OrderOut` describes them; a page has hundreds of lines, so they are read as values, together."""
    ids = [row.pk for row in rows]
    standings = inventory.reserved_by_line(ids)
    lines: dict[int, list[dict[str, Any]]] = {pk: [] for pk in ids}
    for line in (
        Line.objects.filter(order__in=ids).order_by("order", "position").values("id", "order", "variant", *_OF_LINE)
    ):
        pk, of = line.pop("id"), line.pop("order")
        standing = standings.get(pk)
        line["reserved"] = standing.reserved_total if standing else ZERO
        line["backordered"] = standing.backordered if standing else ZERO
        lines[of].append(line)
    charges: dict[int, list[dict[str, Any]]] = {pk: [] for pk in ids}
    for charge in Charge.objects.filter(order__in=ids).order_by("id").values("order", *ChargeOut.model_fields):
        charges[charge.pop("order")].append(charge)
    return [_one(row, lines[row.pk], charges[row.pk], sees_buyers) for row in rows]


def _one(row: Order, lines: list[dict[str, Any]], charges: list[dict[str, Any]], sees_buyers: bool) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in _PLAIN}
    if not sees_buyers:
        shown |= {"buyer": None, "billing": None, "shipping": None}
    return {**shown, "lines": lines, "charges": charges}

"""Small makers of what tests of orders and shipments need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from comptoir.commerce.catalog.models import KitPart, Product, Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import checks as inventory_checks
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.models import Warehouse
from comptoir.commerce.inventory.records import Receipt
from comptoir.commerce.orders import actions, checks
from comptoir.commerce.orders.models import Line, Order
from comptoir.commerce.orders.records import Intake, NewCharge, NewLine, NewOrder, Placed
from comptoir.commerce.shipments import checks as shipment_checks
from comptoir.kit.actor import Actor, ActorKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = Actor(ActorKind.PERSON, "7", "Anna")
SHOP = 3
_numbers = count(1)


def number() -> int:
    return next(_numbers)


def variant(sku: str = "", **fields: Any) -> int:
    product = Product.objects.create(name="Mug", created_at=NOON, changed_at=NOON)
    row = Variant.objects.create(
        product=product, sku=sku or f"SKU-{number()}", created_at=NOON, changed_at=NOON, **fields
    )
    return row.pk


def kit(parts: dict[int, int], sku: str = "") -> int:
    made = variant(sku, kind="kit")
    KitPart.objects.bulk_create(
        KitPart(kit_id=made, part_id=part, quantity=Decimal(quantity)) for part, quantity in parts.items()
    )
    return made


def warehouse(code: str = "") -> int:
    code = code or f"wh-{number()}"
    return Warehouse.objects.create(code=code, name=code).pk


def receive(variant: int, warehouse: int, quantity: int | Decimal) -> None:
    receipt = Receipt(variant, warehouse, Decimal(quantity), f"test:{number()}")
    inventory.receive([receipt], at=NOON, actor=ANNA)


def line(variant: int | None, quantity: int | str = 1, price: str = "10.00", **fields: Any) -> NewLine:
    amount = Decimal(quantity)
    given = {"name": "Mug", "external_id": f"l{number()}", "sku": f"sold-{variant}", **fields}
    given.setdefault("total", amount * Decimal(price))
    return NewLine(quantity=amount, unit_price=Decimal(price), variant=variant, **given)


def new(*lines: NewLine, warehouses: tuple[int, ...] = (), sale: str = "", day: int = 0, **fields: Any) -> NewOrder:
    """A sale of the shop; its total is what lines and charges come to."""
    charges: tuple[NewCharge, ...] = fields.get("charges", ())
    total = sum((x.total for x in lines), Decimal(0)) + sum((c.amount for c in charges), Decimal(0))
    given: dict[str, Any] = {
        "intake": Intake.VALID,
        "currency": "EUR",
        "total": total,
        "placed_at": NOON + timedelta(days=day),
        "channel": SHOP,
        "external_id": sale or f"s{number()}",
        "meaning": "paid",
        **fields,
    }
    given.setdefault("external_number", f"PS-{given['external_id']}")
    return NewOrder(lines=lines, warehouses=warehouses, **given)


def place(*orders: NewOrder) -> list[Placed]:
    return actions.place(orders, at=NOON, actor=ANNA)


def placed(*lines: NewLine, **fields: Any) -> int:
    """The id of a new order of these lines."""
    answer = place(new(*lines, **fields))[0]
    assert answer.refusal is None
    assert answer.order is not None
    return answer.order


def the(order: int) -> Order:
    return Order.objects.get(pk=order)


def lines(order: int) -> list[Line]:
    return list(Line.objects.filter(order_id=order).order_by("position"))


def reserved(order: int) -> int:
    return int(sum(s.reserved_total for s in stock.reserved_by_line([order]).values()))


def backordered(order: int) -> int:
    return int(sum(s.backordered for s in stock.reserved_by_line([order]).values()))


def on_hand(variant: int) -> int:
    return int(sum(f.on_hand for f in stock.levels([variant])))


def available(variant: int) -> int:
    return int(sum(f.available for f in stock.levels([variant])))


def books_are_right() -> bool:
    """Whether no invariant of stock, orders or shipments is broken; shows which is."""
    assert [*inventory_checks.check_books(), *checks.check_books(), *shipment_checks.check_books()] == []
    return True

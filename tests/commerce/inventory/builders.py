"""Small makers of what stock tests need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from comptoir.commerce.catalog.models import Product, Variant
from comptoir.commerce.inventory import actions, checks, queries
from comptoir.commerce.inventory.models import Mark, Warehouse
from comptoir.commerce.inventory.records import Booked, Count, Demand, Fact, HoldWanted, LevelFigures, Pick, Receipt
from comptoir.kit.actor import SYSTEM

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_numbers = count(1)


def number() -> int:
    """A number not used before."""
    return next(_numbers)


def reference() -> str:
    """A reference not used before."""
    return f"test:{number()}"


def variant(sku: str = "", **fields: object) -> int:
    """A new variant."""
    product = Product.objects.create(name="Mug", created_at=NOON, changed_at=NOON)
    row = Variant(product=product, sku=sku or f"SKU-{number()}", created_at=NOON, changed_at=NOON)
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    return row.pk


def warehouse(code: str = "") -> int:
    """A new warehouse."""
    code = code or f"wh-{number()}"
    return Warehouse.objects.create(code=code, name=code).pk


def receive(variant: int, warehouse: int, quantity: int | str, ref: str = "") -> Booked:
    """Goods come in."""
    receipt = Receipt(variant, warehouse, Decimal(quantity), ref or reference())
    return actions.receive([receipt], at=NOON, actor=SYSTEM)


def demand(
    variant: int,
    quantity: int | str,
    *warehouses: int,
    line: int = 0,
    order: int = 0,
    day: int = 0,
) -> Demand:
    """What a line wants; `day` orders it in time."""
    line = line or number()
    return Demand(line, order or line, variant, Decimal(quantity), warehouses, NOON + timedelta(days=day))


def reserve(*demands: Demand, releasing: Iterable[str] = ()) -> dict[int, Decimal]:
    """Reserve."""
    return actions.reserve(demands, releasing=list(releasing), at=NOON, actor=SYSTEM)


def hold(source: str, variant: int, quantity: int, *warehouses: int, scope: int | None = None, days: int = 3) -> None:
    """Hold for a sale."""
    wanted = HoldWanted(source, variant, Decimal(quantity), warehouses, scope, NOON + timedelta(days=days))
    actions.hold([wanted], at=NOON, actor=SYSTEM)


def fact(variant: int, warehouse: int, delta: int, reason: str = "damage", ref: str = "") -> Booked:
    """Something happened to goods."""
    return actions.book([Fact(variant, warehouse, Decimal(delta), reason, ref or reference())], at=NOON, actor=SYSTEM)


def count_as(variant: int, warehouse: int, counted: int, ref: str = "") -> Booked:
    """Somebody counted."""
    return actions.count([Count(variant, warehouse, Decimal(counted), ref or reference())], at=NOON, actor=SYSTEM)


def ship(line: int, variant: int, warehouse: int, quantity: int, ref: str = "") -> Booked:
    """Units leave for a line."""
    return actions.ship([Pick(line, variant, warehouse, Decimal(quantity), ref or reference())], at=NOON, actor=SYSTEM)


def figures(variant: int, warehouse: int) -> tuple[int, int, int, int]:
    """(on hand, reserved, held, available)."""
    for f in queries.levels([variant]):
        if f.warehouse == warehouse:
            return _whole(f)
    return (0, 0, 0, 0)


def _whole(f: LevelFigures) -> tuple[int, int, int, int]:
    return (int(f.on_hand), int(f.reserved), int(f.held), int(f.available))


def waits(line: int) -> int:
    """What a line waits for."""
    standing = queries.standing_of_lines([line]).get(line)
    return int(standing.backordered) if standing else 0


def has(line: int) -> dict[int, int]:
    """What a line has reserved, by warehouse."""
    standing = queries.standing_of_lines([line]).get(line)
    return {warehouse: int(quantity) for warehouse, quantity in standing.reserved.items()} if standing else {}


def marks() -> list[int]:
    """The variants with a mark, each mark removed."""
    found = sorted(Mark.objects.values_list("variant", flat=True))
    Mark.objects.all().delete()
    return found


def books_are_right() -> bool:
    """Whether no invariant is broken; shows which is."""
    assert checks.check_books() == []
    return True

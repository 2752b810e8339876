"""Each invariant, broken by hand, is named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from comptoir.commerce.orders import checks
from comptoir.commerce.orders.models import Line, Order
from comptoir.commerce.orders.records import Intake
from comptoir.commerce.shipments import actions as shipments
from comptoir.commerce.shipments import checks as shipment_checks
from comptoir.kit import sql

from .builders import ANNA, NOON, books_are_right, line, lines, placed, receive, the, variant, warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> int:
    """3 of 5 ordered at 10.00, one of them shipped."""
    paris, mug = warehouse("paris"), variant("MUG")
    receive(mug, paris, 9)
    order = placed(line(mug, 3), warehouses=(paris,))
    shipments.ship(order, [(lines(order)[0].pk, paris, Decimal(1))], key="a", at=NOON, actor=ANNA)
    for intake in (Intake.COMPLETE, Intake.HISTORY, Intake.CANCEL, Intake.HOLD):
        placed(line(mug), warehouses=(paris,), intake=intake)
    assert books_are_right()
    return order


def alter(statement: str) -> None:
    """Change a table in a transaction that has changed its rows."""
    sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
    sql.execute(statement)


def found() -> dict[str, dict[str, str]]:
    """The broken rules, with their facts."""
    breaches = [*checks.check_books(), *shipment_checks.check_books()]
    return {breach.code: breach.facts for breach in breaches}


def test_a_sale_with_two_orders(order: int) -> None:
    alter("ALTER TABLE orders_order DROP CONSTRAINT order_one_per_sale")
    again = the(order)
    again.pk, again.number = None, "again"
    again.save()
    [breach] = [b for b in checks.check_books() if b.code == "sale_with_several_orders"]
    assert breach.subject == f"sale:3:{the(order).external_id}"


def test_a_total_that_is_a_cent_off(order: int) -> None:
    Order.objects.filter(pk=order).update(total=Decimal("30.01"))
    assert found() == {
        "order_total_differs": {
            "number": the(order).number,
            "total": "30.010000",
            "currency": "EUR",
            "sum": "30.000000",
        }
    }


def test_a_yen_order_is_compared_in_whole_yen(order: int) -> None:
    Order.objects.filter(pk=order).update(currency="JPY", total=Decimal("30.40"))
    assert found() == {}
    Order.objects.filter(pk=order).update(total=Decimal("30.60"))
    assert set(found()) == {"order_total_differs"}


def test_more_served_than_ordered(order: int) -> None:
    alter("ALTER TABLE orders_line DROP CONSTRAINT line_served_within_quantity")
    Line.objects.filter(order_id=order).update(cancelled=3)
    assert "line_served_beyond_quantity" in found()


@pytest.mark.parametrize(
    "statement",
    [
        'DELETE FROM inventory_reservation WHERE "order" = %s',
        'UPDATE inventory_reservation SET quantity = quantity + 1 WHERE "order" = %s',
        "UPDATE orders_line SET cancelled = 1 WHERE order_id = %s",
    ],
)
def test_open_units_that_nobody_promised(statement: str, order: int) -> None:
    sql.execute(statement, [order])
    assert set(found()) == {"line_open_differs_from_promises"}
    assert found()["line_open_differs_from_promises"]["number"] == the(order).number


def test_promises_to_a_line_that_is_gone(order: int) -> None:
    sql.execute('UPDATE inventory_reservation SET line = 999999 WHERE "order" = %s', [order])
    breaches = [b for b in checks.check_books() if b.code == "line_open_differs_from_promises"]
    assert {b.facts["line"] for b in breaches} == {str(lines(order)[0].pk), "999999"}


def test_a_complete_order_with_something_open(order: int) -> None:
    Order.objects.filter(pk=order).update(status="complete")
    assert set(found()) == {"complete_order_has_open_lines", "line_open_differs_from_promises"}


def test_a_cancelled_order_with_reservations_and_parcels(order: int) -> None:
    Order.objects.filter(pk=order).update(status="cancelled")
    assert set(found()) == {
        "cancelled_order_has_reservations",
        "cancelled_order_has_left",
        "line_open_differs_from_promises",
    }


def test_an_order_that_came_in_complete_without_its_movement(order: int) -> None:
    alter("ALTER TABLE inventory_movement DISABLE TRIGGER USER")
    sql.execute("UPDATE inventory_movement SET reference = 'lost' WHERE reference LIKE 'order:%%'", [])
    assert set(found()) == {"finished_order_lacks_movements"}


def test_a_parcel_without_its_movement(order: int) -> None:
    alter("ALTER TABLE inventory_movement DISABLE TRIGGER USER")
    sql.execute("UPDATE inventory_movement SET reference = 'shipment:0:0' WHERE reference LIKE 'shipment:%%'", [])
    assert set(found()) == {"shipment_line_lacks_its_movement", "movement_lacks_its_shipment_line"}


def test_a_parcel_whose_movement_is_another_quantity(order: int) -> None:
    alter("ALTER TABLE inventory_movement DISABLE TRIGGER USER")
    sql.execute("UPDATE inventory_movement SET quantity = 2 WHERE reference LIKE 'shipment:%%'", [])
    assert set(found()) == {"shipment_line_lacks_its_movement"}


def test_a_line_that_left_otherwise_than_its_parcels_say(order: int) -> None:
    sql.execute("UPDATE orders_line SET shipped = 2 WHERE order_id = %s", [order])
    sql.execute('UPDATE inventory_reservation SET quantity = 1 WHERE "order" = %s', [order])
    assert set(found()) == {"shipped_differs_from_parcels"}


def test_a_parcel_with_another_orders_line(order: int) -> None:
    other = Order.objects.get(status="on_hold")
    sql.execute("UPDATE shipments_shipment SET order_id = %s", [other.pk])
    assert set(found()) == {"shipment_of_another_orders_line"}

"""Each rule of stock, broken by SQL, is named by the check of the books."""

from __future__ import annotations

import pytest

from comptoir.commerce.inventory import checks
from comptoir.kit import sql

from .builders import demand, hold, receive, reserve, variant, warehouse

pytestmark = pytest.mark.django_db

ALTER = "ALTER TABLE inventory_movement"
BREACHES = {
    "on_hand_differs_from_movements": ["UPDATE inventory_level SET on_hand = on_hand + 1"],
    "level_out_of_bounds": [
        "ALTER TABLE inventory_level DROP CONSTRAINT level_reserved_on_hand",
        "UPDATE inventory_level SET reserved = on_hand + 1",
    ],
    "reserved_differs_from_reservations": ["UPDATE inventory_level SET reserved = reserved - 1"],
    "held_differs_from_holds": ["UPDATE inventory_hold SET quantity = quantity + 1"],
    "movement_booked_twice": [
        (
            "DO $$ DECLARE name text; BEGIN"
            " SELECT conname INTO name FROM pg_constraint"
            " WHERE conrelid = 'inventory_movement'::regclass AND contype = 'u';"
            " EXECUTE 'ALTER TABLE inventory_movement DROP CONSTRAINT ' || name; END $$"
        ),
        (
            "INSERT INTO inventory_movement (variant_id, to_warehouse_id, quantity, reason, reference, comment, supplier,"
            " actor_kind, actor_id, actor_label, at, to_balance)"
            " SELECT variant_id, to_warehouse_id, quantity, reason, reference, comment, supplier,"
            " actor_kind, actor_id, actor_label, at, to_balance FROM inventory_movement"
        ),
    ],
    "balance_differs_from_on_hand": [
        f"{ALTER} DISABLE TRIGGER movement_only_grows",
        "UPDATE inventory_movement SET to_balance = to_balance + 1",
        f"{ALTER} ENABLE TRIGGER movement_only_grows",
    ],
    "ledger_is_not_append_only": [f"{ALTER} DISABLE TRIGGER movement_only_grows"],
    "goods_idle_while_a_backorder_waits": ["UPDATE inventory_level SET held = held - 1"],
    "pieces_are_not_whole": ["UPDATE inventory_level SET on_hand = on_hand + 0.5"],
    "stock_of_a_kit_or_alias": ["UPDATE catalog_variant SET kind = 'kit'"],
}


def test_every_rule_is_broken_by_a_test() -> None:
    assert set(BREACHES) == set(checks.RULES)


@pytest.mark.parametrize("code", BREACHES)
def test_a_broken_rule_is_named_with_its_subject(code: str) -> None:
    mug, paris = variant(), warehouse()
    receive(mug, paris, 5)
    hold("3:1", mug, 2, paris)
    reserve(demand(mug, 4, paris))  # three are reserved, one waits
    assert checks.check_books() == []
    sql.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks waiting for the commit cannot be altered
    for statement in BREACHES[code]:
        sql.execute(statement)
    named = {breach.code: breach for breach in checks.check_books()}
    assert code in named
    if code not in ("movement_booked_twice", "ledger_is_not_append_only"):
        assert named[code].subject == f"variant:{mug}"
    assert all(isinstance(value, str) for value in named[code].facts.values())

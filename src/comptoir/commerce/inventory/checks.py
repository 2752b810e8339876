"""What must always be true of stock, looked up on live data: each query gives the rows that break one rule."""

from __future__ import annotations

import json

from comptoir.kit import sql
from comptoir.kit.breach import Breach

# Code -> a query with a column `subject`; the other columns are facts by their names.
RULES: dict[str, str] = {
    # On hand is the sum of movements, per variant and warehouse.
    "on_hand_differs_from_movements": """
        WITH moved AS (
            SELECT variant_id, warehouse_id, sum(quantity) AS on_hand FROM (
                SELECT variant_id, to_warehouse_id AS warehouse_id, quantity FROM inventory_movement
                WHERE to_warehouse_id IS NOT NULL
                UNION ALL
                SELECT variant_id, from_warehouse_id, -quantity FROM inventory_movement
                WHERE from_warehouse_id IS NOT NULL
            ) AS side GROUP BY variant_id, warehouse_id
        )
        SELECT 'variant:' || variant_id AS subject, warehouse_id AS warehouse, COALESCE(level.on_hand, 0) AS on_hand,
               COALESCE(moved.on_hand, 0) AS movements
        FROM moved FULL JOIN inventory_level AS level USING (variant_id, warehouse_id)
        WHERE COALESCE(moved.on_hand, 0) <> COALESCE(level.on_hand, 0)
    """,
    # 0 <= reserved <= on hand; held is not negative.
    "level_out_of_bounds": """
        SELECT 'variant:' || variant_id AS subject, warehouse_id AS warehouse, on_hand, reserved, held
        FROM inventory_level WHERE reserved < 0 OR reserved > on_hand OR held < 0
    """,
    "reserved_differs_from_reservations": """
        WITH promised AS (
            SELECT variant_id, warehouse_id, sum(quantity) AS reserved FROM inventory_reservation GROUP BY 1, 2
        )
        SELECT 'variant:' || variant_id AS subject, warehouse_id AS warehouse, COALESCE(level.reserved, 0) AS reserved,
               COALESCE(promised.reserved, 0) AS reservations
        FROM promised FULL JOIN inventory_level AS level USING (variant_id, warehouse_id)
        WHERE COALESCE(promised.reserved, 0) <> COALESCE(level.reserved, 0)
    """,
    # Holds for one selling point alone are not part of the level.
    "held_differs_from_holds": """
        WITH set_aside AS (
            SELECT variant_id, warehouse_id, sum(quantity) AS held FROM inventory_hold WHERE scope IS NULL GROUP BY 1, 2
        )
        SELECT 'variant:' || variant_id AS subject, warehouse_id AS warehouse, COALESCE(level.held, 0) AS held,
               COALESCE(set_aside.held, 0) AS holds
        FROM set_aside FULL JOIN inventory_level AS level USING (variant_id, warehouse_id)
        WHERE COALESCE(set_aside.held, 0) <> COALESCE(level.held, 0)
    """,
    "movement_booked_twice": """
        SELECT 'movement:' || min(id) AS subject, reference, count(*) AS times
        FROM inventory_movement GROUP BY reference HAVING count(*) > 1
    """,
    # A balance is written when the movement is booked: the last one is what is on hand, or a row was changed since.
    "balance_differs_from_on_hand": """
        SELECT 'variant:' || level.variant_id AS subject, level.warehouse_id AS warehouse, level.on_hand, last.balance
        FROM inventory_level AS level
        CROSS JOIN LATERAL (
            SELECT CASE level.warehouse_id WHEN to_warehouse_id THEN to_balance ELSE from_balance END AS balance
            FROM inventory_movement AS movement
            WHERE movement.variant_id = level.variant_id AND level.warehouse_id IN (to_warehouse_id, from_warehouse_id)
            ORDER BY id DESC LIMIT 1
        ) AS last
        WHERE last.balance IS DISTINCT FROM level.on_hand
    """,
    # The trigger that refuses changes to the ledger is there and enabled.
    "ledger_is_not_append_only": """
        SELECT 'table:inventory_movement' AS subject, 'movement_only_grows' AS trigger
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger
            WHERE tgrelid = 'inventory_movement'::regclass AND tgname = 'movement_only_grows' AND tgenabled IN ('O', 'A')
        )
    """,
    "goods_idle_while_a_backorder_waits": """
        SELECT 'variant:' || waiting.variant_id AS subject, waiting.line, waiting."order", level.warehouse_id AS warehouse,
               waiting.quantity, level.on_hand - level.reserved - level.held AS available
        FROM inventory_backorder AS waiting
        JOIN inventory_level AS level
          ON level.variant_id = waiting.variant_id AND level.warehouse_id = ANY (waiting.warehouses)
        WHERE level.on_hand - level.reserved - level.held > 0
    """,
    "pieces_are_not_whole": """
        SELECT 'variant:' || level.variant_id AS subject, variant.sku, level.warehouse_id AS warehouse, level.on_hand,
               level.reserved, level.held
        FROM inventory_level AS level JOIN catalog_variant AS variant ON variant.id = level.variant_id
        WHERE variant.unit = 'piece'
          AND (level.on_hand <> trunc(level.on_hand) OR level.reserved <> trunc(level.reserved)
               OR level.held <> trunc(level.held))
    """,
    "stock_of_a_kit_or_alias": """
        SELECT 'variant:' || level.variant_id AS subject, variant.sku, variant.kind, level.warehouse_id AS warehouse, level.on_hand,
               level.reserved, level.held
        FROM inventory_level AS level JOIN catalog_variant AS variant ON variant.id = level.variant_id
        WHERE variant.kind <> 'simple' AND (level.on_hand <> 0 OR level.reserved <> 0 OR level.held <> 0)
    """,
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every broken rule of stock, at most `most` rows of each; best on a snapshot (repeatable read)."""
    # Facts as text: a number in JSON would come back as a float.
    return [
        Breach(code, subject, json.loads(facts))
        for code, query in RULES.items()
        for subject, facts in sql.rows(
            "SELECT subject, (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(breach) - 'subject'))"
            f" FROM ({query}) AS breach LIMIT %s",
            [most],
        )
    ]

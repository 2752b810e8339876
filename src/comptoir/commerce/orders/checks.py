"""What must always be true of orders, looked up on live data: each query gives the rows that break one rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from comptoir.kit import sql
from comptoir.kit.breach import Breach
from comptoir.kit.money import minor_unit

# Code -> a query with a column `subject`; the other columns are facts by their names.
RULES: dict[str, str] = {
    # Constraints say this already; it is looked at all the same, as a constraint can be dropped.
    "sale_with_several_orders": """
        SELECT 'sale:' || channel || ':' || external_id AS subject, array_agg(number ORDER BY id) AS orders
        FROM orders_order WHERE channel IS NOT NULL GROUP BY channel, external_id HAVING count(*) > 1
    """,
    "order_total_differs": """
        SELECT 'order:' || ordered.id AS subject, ordered.number, ordered.total, ordered.currency,
               coalesce(lines.total, 0) + coalesce(charges.amount, 0) AS sum
        FROM orders_order AS ordered
        LEFT JOIN (SELECT order_id, sum(total) AS total FROM orders_line GROUP BY 1) AS lines
               ON lines.order_id = ordered.id
        LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM orders_charge GROUP BY 1) AS charges
               ON charges.order_id = ordered.id
        JOIN unnest(%(currencies)s::text[], %(places)s::int[]) AS minor (currency, places) USING (currency)
        WHERE round(coalesce(lines.total, 0) + coalesce(charges.amount, 0), minor.places)
              <> round(ordered.total, minor.places)
    """,
    "line_served_beyond_quantity": """
        SELECT 'order:' || order_id AS subject, id AS line, sku, quantity, cancelled, shipped
        FROM orders_line WHERE shipped < 0 OR cancelled < 0 OR shipped + cancelled > quantity
    """,
    # What is open of an order that is being served is reserved or waits for goods, to the unit; of no other is anything.
    "line_open_differs_from_promises": """
        WITH promised AS (
            SELECT line, sum(reserved) AS reserved, sum(waiting) AS waiting, min("order") AS ordered FROM (
                SELECT line, "order", quantity AS reserved, 0 AS waiting FROM inventory_reservation
                UNION ALL
                SELECT line, "order", 0, quantity FROM inventory_backorder
            ) AS promise GROUP BY line
        ),
        wanted AS (
            SELECT line.id AS line, line.order_id, ordered.number, line.sku,
                   line.quantity - line.cancelled - line.shipped AS open
            FROM orders_line AS line JOIN orders_order AS ordered ON ordered.id = line.order_id
            WHERE ordered.status IN ('pending', 'processing', 'on_hold') AND line.kind IN ('goods', 'part')
        )
        SELECT 'order:' || coalesce(wanted.order_id, promised.ordered) AS subject, line, number, sku,
               coalesce(open, 0) AS open, coalesce(reserved, 0) AS reserved, coalesce(waiting, 0) AS waiting
        FROM wanted FULL JOIN promised USING (line)
        WHERE coalesce(open, 0) <> coalesce(reserved, 0) + coalesce(waiting, 0)
    """,
    "complete_order_has_open_lines": """
        SELECT 'order:' || ordered.id AS subject, ordered.number, line.id AS line, line.sku,
               line.quantity - line.cancelled - line.shipped AS open
        FROM orders_order AS ordered JOIN orders_line AS line ON line.order_id = ordered.id
        WHERE ordered.status = 'complete' AND line.quantity > line.cancelled + line.shipped
    """,
    "cancelled_order_has_reservations": """
        SELECT 'order:' || ordered.id AS subject, ordered.number, sum(promise.quantity) AS quantity
        FROM orders_order AS ordered
        JOIN (SELECT "order", quantity FROM inventory_reservation
              UNION ALL SELECT "order", quantity FROM inventory_backorder) AS promise ON promise."order" = ordered.id
        WHERE ordered.status = 'cancelled' GROUP BY ordered.id
    """,
    "cancelled_order_has_left": """
        SELECT 'order:' || ordered.id AS subject, ordered.number, line.id AS line, line.shipped
        FROM orders_order AS ordered JOIN orders_line AS line ON line.order_id = ordered.id
        WHERE ordered.status = 'cancelled' AND line.shipped > 0
    """,
    # Who came in complete moved stock, once per line and warehouse; who came as history did not.
    "finished_order_lacks_movements": """
        SELECT 'order:' || ordered.id AS subject, ordered.number, line.id AS line, line.sku, line.shipped,
               coalesce(sum(movement.quantity), 0) AS moved
        FROM orders_history AS placed
        JOIN orders_order AS ordered ON ordered.id = placed.order_id
        JOIN orders_line AS line ON line.order_id = ordered.id AND line.kind IN ('goods', 'part')
        CROSS JOIN inventory_warehouse AS warehouse
        LEFT JOIN inventory_movement AS movement
               ON movement.reference = concat_ws(':', 'order', ordered.id, line.id, warehouse.id)
        WHERE placed.what = 'placed' AND placed.facts ->> 'intake' = 'complete'
        GROUP BY ordered.id, line.id HAVING coalesce(sum(movement.quantity), 0) <> line.shipped
    """,
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every broken rule of orders, at most `most` rows of each; best on a snapshot (repeatable read)."""
    currencies = [row[0] for row in sql.rows("SELECT DISTINCT currency FROM orders_order")]
    places = [-int(minor_unit(currency).as_tuple().exponent) for currency in currencies]
    return find_breaches(RULES, {"currencies": currencies, "places": places, "most": most})


def find_breaches(rules: Mapping[str, str], params: Mapping[str, Any]) -> list[Breach]:
    """What these rules find. Facts as text: a number in JSON would come back as a float."""
    return [
        Breach(code, subject, json.loads(facts))
        for code, query in rules.items()
        for subject, facts in sql.rows(
            "SELECT subject, (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(breach) - 'subject'))::text"
            f" FROM ({query}) AS breach LIMIT %(most)s",
            dict(params),
        )
    ]

"""What must always be true of staged sales, looked over on live data."""

from __future__ import annotations

import json

from comptoir.kit import sql
from comptoir.kit.breach import Breach

_CHECKS = {
    # A constraint says this already; it is looked at all the same, as a constraint can be dropped.
    "sale_staged_twice": """
        SELECT 'staged:' || min(id), jsonb_build_object('sale', external_id, 'times', count(*))
        FROM staging_stagedsale GROUP BY channel_id, external_id HAVING count(*) > 1""",
    # One order per sale, and each end knows the other.
    "accepted_without_order": """
        SELECT 'staged:' || s.id, jsonb_build_object('sale', s.external_id, 'order', s."order")
        FROM staging_stagedsale s LEFT JOIN orders_order o
            ON o.id = s."order" AND o.channel = s.channel_id AND o.external_id = s.external_id
        WHERE (s.state = 'accepted' OR s."order" IS NOT NULL) AND o.id IS NULL""",
    "order_without_sale": """
        SELECT 'order:' || o.id, jsonb_build_object('channel', o.channel, 'sale', o.external_id)
        FROM orders_order o LEFT JOIN staging_stagedsale s ON s.channel_id = o.channel AND s.external_id = o.external_id
        WHERE o.channel IS NOT NULL AND s."order" IS DISTINCT FROM o.id""",
    # Every wait has an end: a person, an hour, or the next breath.
    "retry_without_hour": """
        SELECT 'staged:' || id, jsonb_build_object('sale', external_id) FROM staging_stagedsale
        WHERE state = 'retry' AND next_look_at IS NULL""",
    "repair_without_reason": """
        SELECT 'staged:' || id, jsonb_build_object('sale', external_id) FROM staging_stagedsale
        WHERE state = 'repair' AND jsonb_array_length(anomalies) = 0""",
    # What is an order or will never be one sets nothing aside.
    "hold_of_settled_sale": """
        SELECT 'staged:' || s.id, jsonb_build_object('sale', s.external_id, 'state', s.state)
        FROM staging_stagedsale s
        WHERE s.state IN ('accepted', 'information', 'rejected', 'closed')
          AND EXISTS (SELECT FROM inventory_hold h WHERE h.source = s.channel_id || ':' || s.external_id)""",
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every invariant of this part: what does not hold, at most `most` of each."""
    return [
        Breach(code, subject, json.loads(facts))
        for code, query in _CHECKS.items()
        for subject, facts in sql.rows(f"{query} ORDER BY 1 LIMIT %s", [most])
    ]

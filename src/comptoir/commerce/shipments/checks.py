"""What must always be true of shipments, looked up on live data."""

from __future__ import annotations

from comptoir.commerce.orders.checks import find_breaches
from comptoir.kit.breach import Breach

RULES: dict[str, str] = {
    # Lines without a warehouse belong to parcels that left before the hub counted.
    "shipment_line_lacks_its_movement": """
        SELECT 'shipment:' || line.shipment_id AS subject, line.id AS shipment_line, line.quantity,
               movement.quantity AS moved
        FROM shipments_shipmentline AS line
        JOIN orders_line AS ordered ON ordered.id = line.line_id
        LEFT JOIN inventory_movement AS movement
               ON movement.reference = concat_ws(':', 'shipment', line.shipment_id, line.id)
        WHERE line.warehouse_id IS NOT NULL
          AND (movement.id IS NULL OR movement.quantity <> line.quantity OR movement.variant_id <> ordered.variant_id
               OR movement.from_warehouse_id IS DISTINCT FROM line.warehouse_id)
    """,
    "movement_lacks_its_shipment_line": """
        SELECT 'movement:' || movement.id AS subject, movement.reference, movement.quantity
        FROM inventory_movement AS movement
        WHERE movement.reference LIKE 'shipment:%%' AND movement.reason = 'shipment'
          AND NOT EXISTS (SELECT FROM shipments_shipmentline AS line
                          WHERE movement.reference = concat_ws(':', 'shipment', line.shipment_id, line.id))
    """,
    "shipped_differs_from_parcels": """
        WITH parcels AS (SELECT line_id, sum(quantity) AS quantity FROM shipments_shipmentline GROUP BY 1)
        SELECT 'order:' || line.order_id AS subject, line.id AS line, line.sku, line.shipped, parcels.quantity AS in_parcels
        FROM orders_line AS line JOIN parcels ON parcels.line_id = line.id
        WHERE line.shipped <> parcels.quantity
    """,
    "shipment_of_another_orders_line": """
        SELECT 'shipment:' || parcel.id AS subject, parcel.number, ordered.order_id AS "order"
        FROM shipments_shipment AS parcel
        JOIN shipments_shipmentline AS line ON line.shipment_id = parcel.id
        JOIN orders_line AS ordered ON ordered.id = line.line_id
        WHERE ordered.order_id <> parcel.order_id
    """,
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every broken rule of shipments, at most `most` rows of each."""
    return find_breaches(RULES, {"most": most})

"""What inventory says has happened: one event per call of an action that changed something, whatever its number of rows.

Facts of all of them: `variants` (ids whose figures changed); where it applies `references`, `lines`, `sources`, and
`filled`, `taken_back` ([line, order, variant, quantity]) and `gaps` ([variant, warehouse, quantity, reference]).
"""

RECEIVED = "inventory.stock.received"
BOOKED = "inventory.stock.booked"
COUNTED = "inventory.stock.counted"
TRANSFERRED = "inventory.stock.transferred"
REBASED = "inventory.stock.rebased"
SHIPPED = "inventory.stock.shipped"
RESERVED = "inventory.stock.reserved"
RELEASED = "inventory.stock.released"
PICKED = "inventory.stock.picked"
HELD = "inventory.stock.held"
HOLDS_RELEASED = "inventory.holds.released"
HOLDS_EXPIRED = "inventory.holds.expired"
WAREHOUSE_CREATED = "inventory.warehouse.created"
WAREHOUSE_RENAMED = "inventory.warehouse.renamed"

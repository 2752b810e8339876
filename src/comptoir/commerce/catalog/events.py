"""What the catalogue says has happened: one event per call that changed something.

Facts: `variants` and `products` (ids); for a page of an import also `channel`, `created` and `changed` (counts).
`COMPOSED` matters to stock: what a kit or an alias may sell is computed anew.
"""

IMPORTED = "catalog.page.imported"
CREATED = "catalog.variant.created"
CHANGED = "catalog.variant.changed"
PRICED = "catalog.variant.priced"
COMPOSED = "catalog.variant.composed"  # became a kit, an alias, or simple again
RETIRED = "catalog.variant.retired"
UNRETIRED = "catalog.variant.unretired"
OWNED = "catalog.field.owned"

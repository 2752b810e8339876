"""What purchasing says has happened, past tense; one event per page of an import that changed something."""

#: facts: supplier, code
SUPPLIER_CREATED = "purchasing.supplier.created"

#: facts: supplier, fields
SUPPLIER_CHANGED = "purchasing.supplier.changed"

#: facts: channel, created, changed (counts)
SUPPLIERS_IMPORTED = "purchasing.suppliers.imported"

#: facts: supplier, variant
PRODUCT_LINKED = "purchasing.product.linked"

#: facts: supplier, variant, fields
PRODUCT_CHANGED = "purchasing.product.changed"

#: facts: supplier, variant
PRODUCT_UNLINKED = "purchasing.product.unlinked"

#: facts: channel, created, changed (counts)
PRODUCTS_IMPORTED = "purchasing.products.imported"

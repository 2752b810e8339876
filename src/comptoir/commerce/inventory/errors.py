"""What inventory refuses.

BadInput
└── NotCounted      kits and aliases have no stock of their own
Conflict
└── HasStock        a variant with a history of stock cannot become a kit or an alias
"""

from __future__ import annotations

from comptoir.kit.errors import BadInput, Conflict


class NotCounted(BadInput):
    """A movement or promise was asked of something that is not counted itself. Facts: `variant`, `sku`, `kind`."""


class HasStock(Conflict):
    """It has movements, promises or holds. Facts: `variant`, `sku`."""

"""What the catalogue refuses beside plain bad input.

BadInput
├── SkuTaken        another variant has this SKU, whatever its case
├── BarcodeTaken    another variant has this barcode
├── BadPart         a kit or an alias cannot be part of a kit, or a master
└── BadImage        too large, or not a picture that browsers show
"""

from __future__ import annotations

from comptoir.kit.errors import BadInput


class SkuTaken(BadInput):
    """Facts: `sku`, `variant` (who has it)."""


class BarcodeTaken(BadInput):
    """Facts: `barcode`, `variant` (who has it)."""


class BadPart(BadInput):
    """Facts: `variant`, `sku`, `kind`."""


class BadImage(BadInput):
    """Facts: `size`, `limit` or `content_type`."""

"""What purchasing refuses beside plain bad input.

BadInput
├── SupplierCodeTaken   another supplier has this code, whatever its case
└── AlreadySupplied     this supplier sells this variant already
"""

from __future__ import annotations

from comptoir.kit.errors import BadInput


class SupplierCodeTaken(BadInput):
    """Facts: `supplier` (who has it)."""


class AlreadySupplied(BadInput):
    """Facts: `product` (the row there is)."""

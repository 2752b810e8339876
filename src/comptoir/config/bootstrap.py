"""Puts the parts together; the only file that knows them all. Every process calls `set_up()` once after Django's own."""

from __future__ import annotations

from comptoir import connectors
from comptoir.channels import registry
from comptoir.flows import house, inbox, levels, products, reactions, retention, sales, shipping, stock

#: Modules whose import declares flows.
FLOWS = (house, inbox, levels, products, retention, sales, shipping, stock)

_is_set_up = False


def set_up() -> None:
    """Make connectors findable, flows declared and reactions registered; a second call does nothing."""
    global _is_set_up
    if _is_set_up:
        return
    _is_set_up = True
    registry.set_up(connectors.find, connectors.kinds)
    reactions.set_up()

"""The connectors that come with Comptoir, by name; other packages announce theirs by an entry point.

A card is imported when it is asked for, so that a process pays only for the channels it talks to.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from comptoir.channels.connector import Connector

NAMES = ("prestashop", "shopify", "woocommerce", "magento")
ENTRY_POINTS = "comptoir.connectors"


@cache
def _announced() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=ENTRY_POINTS) if found.name not in NAMES}


def kinds() -> tuple[str, ...]:
    """Every kind of channel that can be connected: ours, then those of other packages."""
    return (*NAMES, *sorted(_announced()))


@cache
def find(kind: str) -> Connector | None:
    """The card of a kind, or None."""
    if kind in NAMES:
        card = import_module(f"comptoir.connectors.{kind}.connector").connector
    elif kind in _announced():
        card = _announced()[kind].load()
    else:
        return None
    if not isinstance(card, Connector) or card.kind != kind:
        raise TypeError(f"{kind!r} must lead to a Connector of that kind, not to {card!r}")
    return card

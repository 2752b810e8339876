"""Puts the parts together; the only file that knows them all. Every process calls `set_up()` once after Django's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir import connectors
from comptoir.alerts import digests
from comptoir.channels import registry
from comptoir.engine import flow
from comptoir.flows import (
    alerts,
    completeness,
    house,
    inbox,
    levels,
    prices,
    products,
    reactions,
    replay,
    retention,
    sales,
    shipping,
    stock,
    subscribing,
    suppliers,
    takeover,
)

#: Modules whose import declares flows.
FLOWS = (
    alerts, completeness, house, inbox, levels, prices, products, retention, sales, shipping, stock, subscribing, suppliers,
    takeover,
)  # fmt: skip

_is_set_up = False


def set_up() -> None:
    """Make connectors findable, flows declared and reactions registered; a second call does nothing."""
    global _is_set_up
    if _is_set_up:
        return
    _is_set_up = True
    registry.set_up(connectors.find, connectors.kinds)
    reactions.set_up()
    prices.set_up()
    flow.set_up_replay(replay.replay)
    digests.speak_with(_finding_in_words)


def _finding_in_words(code: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """A finding as pages put it. Imported when there is something to say: a worker needs no page otherwise."""
    from comptoir.web import findings_words

    return findings_words.title(code, facts), findings_words.cure(code, facts)

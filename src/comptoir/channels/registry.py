"""Which connectors this process knows. `config/bootstrap.py` fills it, so that nothing below connectors imports one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from comptoir.channels.connector import Connector
from comptoir.kit.errors import BadInput

_find: Callable[[str], Connector | None] = lambda kind: None  # noqa: E731
_kinds: Callable[[], Iterable[str]] = lambda: ()  # noqa: E731


def set_up(find: Callable[[str], Connector | None], kinds: Callable[[], Iterable[str]]) -> None:
    """Say where cards are found; a card is imported when it is first asked for."""
    global _find, _kinds
    _find, _kinds = find, kinds


def kinds() -> list[str]:
    """The kinds of channel that can be connected."""
    return sorted(_kinds())


def abilities(kind: str) -> frozenset[str]:
    """What channels of a kind can do; nothing where its connector is not installed, as of the hub itself."""
    card = _find(kind)
    return frozenset() if card is None else card.abilities


def find(kind: str) -> Connector:
    """The card of a kind; raises BadInput when there is none."""
    card = _find(kind)
    if card is None:
        raise BadInput(f"no connector is called {kind!r}", place="kind", value=kind, cure=", ".join(kinds()))
    return card

"""What the actions of purchasing take and give: frozen, with ids of ours. `key` is the caller's, to match answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SupplierWanted:
    """A supplier as a channel has it. `key` is its id there."""

    key: str
    name: str
    enabled: bool = True
    email: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class SupplyWanted:
    """A supplier's product as a channel has it. `key` is the channel's row."""

    key: str
    supplier: int
    variant: int
    reference: str = ""
    price: Decimal | None = None
    currency: str = ""
    is_primary: bool = False


class Became(StrEnum):
    """What became of one thing of a page."""

    CREATED = "created"  #: it is new here
    CHANGED = "changed"  #: something that the channel writes is different now
    UNCHANGED = "unchanged"  #: it was here, just so


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of each thing of a page, by its key."""

    outcomes: Mapping[str, Became] = field(default_factory=dict)

    def count(self, became: Became) -> int:
        """How many became this."""
        return sum(1 for one in self.outcomes.values() if one is became)

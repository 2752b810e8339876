"""An invariant found broken on live data: what `comptoir check` prints, whichever part found it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Breach:
    """`code` names the invariant, `subject` the thing ("variant:12"), `facts` are plain values, safe to store and show."""

    code: str
    subject: str
    facts: dict[str, Any] = field(default_factory=dict)

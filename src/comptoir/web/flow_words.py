"""What flows are called on pages: the declaration's own title, or the kind where this process does not know it."""

from __future__ import annotations

from comptoir.engine import flow


def title(kind: str) -> str:
    """The name of a flow for people."""
    known = flow.declared().get(kind)
    return str(known.title) if known else kind.replace("_", " ").capitalize()

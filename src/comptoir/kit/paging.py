"""Keyset pages: a place in a sorted list is the sort values of its last row, never an offset."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from comptoir.kit.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of a list and the opaque place after it; `after` is None on the last page."""

    items: Sequence[T]
    after: str | None


def encode(values: Sequence[Any]) -> str:
    """The sort values of the last row as an opaque, URL-safe text."""
    return (
        base64.urlsafe_b64encode(json.dumps([str(v) if v is not None else None for v in values]).encode())
        .decode()
        .rstrip("=")
    )


def decode(place: str, length: int) -> list[str | None]:
    """The sort values in `place`; raises BadInput when somebody made it up."""
    try:
        values = json.loads(base64.urlsafe_b64decode(place + "=" * (-len(place) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadInput(
            "not a place in this list", place="after", value=place, cure="start at the first page"
        ) from error
    if not isinstance(values, list) or len(values) != length:
        raise BadInput("a place in another list", place="after", value=place, cure="start at the first page")
    return values

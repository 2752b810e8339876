"""What the shop answers instead: a status, a message with places, and what belongs in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """Becomes `{"message": …, "parameters": …}`."""

    def __init__(
        self, status: int, message: str, parameters: Mapping[str, Any] | Sequence[Any] = (), errors: Sequence[Any] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters
        self.errors = errors


def no_such(**fields: object) -> Problem:
    """An entity that is not there."""
    ((name, value),) = fields.items()
    return Problem(404, "No such entity with %fieldName = %fieldValue", {"fieldName": name, "fieldValue": value})

"""The search language of lists, as far as it is asked here: `field:op'value'` with AND and OR. As at Shopify, a filter that
is not understood is left out, and a warning in the answer says so; an unquoted time falls apart at its colons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from comptoir.connectors.shopify.simulator.store import Row

_TERM = re.compile(r"""(?P<name>[a-z_]+):(?P<op>>=|<=|>|<)?(?:'(?P<quoted>[^']*)'|(?P<plain>[^\s:]+(?P<bad>:\S*)?))""")
Field = Callable[[Row], Any]


def moment(text: str) -> datetime:
    """A time of a filter or of a row, in UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def matcher(query: str | None, fields: Mapping[str, Field]) -> tuple[Callable[[Row], bool], list[str]]:
    """Whether a row is found, and the warnings."""
    warnings: list[str] = []
    groups = [_conjunction(part, fields, warnings) for part in re.split(r"\s+OR\s+", query or "")]
    return (lambda row: any(all(test(row) for test in tests) for tests in groups)), warnings


def _conjunction(text: str, fields: Mapping[str, Field], warnings: list[str]) -> list[Callable[[Row], bool]]:
    tests = []
    for found in _TERM.finditer(text):
        name = found["name"]
        value = found["quoted"] if found["quoted"] is not None else found["plain"]
        if name not in fields or found["bad"]:
            warnings.append(f"{found[0]} is not a filter that is understood here")
            continue
        tests.append(_test(fields[name], found["op"] or "", value))
    return tests


def _test(field: Field, operator: str, text: str) -> Callable[[Row], bool]:
    def holds(row: Row) -> bool:
        value = field(row)
        if value is None:
            return False
        wanted: Any = text
        if isinstance(value, bool):
            wanted = text == "true"
        elif isinstance(value, int):
            wanted = int(text)
        elif isinstance(value, datetime):
            wanted = moment(text)
        match operator:
            case ">=":
                return bool(value >= wanted)
            case "<=":
                return bool(value <= wanted)
            case ">":
                return bool(value > wanted)
            case "<":
                return bool(value < wanted)
        return bool(str(value).lower() == text.lower() if isinstance(value, str) else value == wanted)

    return holds

"""Files that people open in a spreadsheet: what begins like a formula stands in them as text, a number as a number."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any, LiteralString

# Both are read by Python and by PostgreSQL alike.
_FORMULA: LiteralString = r"^[=+@\t\r\n-]"
_NUMBER: LiteralString = r"^-?[0-9]+([.][0-9]+)?$"


def cell(value: Any) -> str:
    """A value as it may stand in a file; nothing is an empty cell."""
    text = "" if value is None else str(value)
    return f"'{text}" if re.search(_FORMULA, text) and not re.fullmatch(_NUMBER, text) else text


def column(name: LiteralString) -> LiteralString:
    """The same of a text column, where PostgreSQL writes the file."""
    return f"CASE WHEN {name} ~ '{_FORMULA}' AND {name} !~ '{_NUMBER}' THEN '''' || {name} ELSE {name} END"


def lines(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, each value as `cell` has it."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()

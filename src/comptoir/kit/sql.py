"""Hot SQL in one place: statements whose plan is kept, pages of rows in and out, server-side cursors.

Django's own cursor does neither; these helpers use the psycopg connection beneath it, so they take part in the
surrounding transaction. A plan is kept only where it is asked for (`keep_plan`): a kept plan does not see its tables
grow until PostgreSQL has analyzed them, and an import into empty tables took four times as long with one. A jsonb column
comes as its text (Django's connection is set up so): decode it where it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any, LiteralString, cast

import psycopg
from django.db import DatabaseError, connections
from django.db.utils import DEFAULT_DB_ALIAS
from psycopg import sql
from psycopg.types.json import Jsonb

#: serialization failure, deadlock, lock time-out: two transactions in each other's way, and nothing is wrong with either
PASSING = frozenset({"40001", "40P01", "55P03"})

Row = tuple[Any, ...]
Params = Sequence[Any] | dict[str, Any] | None

__all__ = [
    "PASSING", "Jsonb", "Row", "about", "advisory_lock", "as_json", "execute", "is_passing", "load", "one", "raw", "rows",
    "stream", "value", "write_rows",
]  # fmt: skip


def is_passing(error: Exception) -> bool:
    """Whether the same transaction, begun again, may well go through."""
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", None) in PASSING


_ZERO = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def as_json(content: Mapping[str, Any]) -> Jsonb:
    """A JSON parameter. Decimals and times become text; a zero in a text, such as an answer that is no text at all, becomes
    the sign for what cannot be shown: PostgreSQL has no room for it."""
    return Jsonb(dict(content), dumps=_dumped)


def _dumped(content: Any) -> str:
    return _ZERO.sub("\\1\N{REPLACEMENT CHARACTER}", json.dumps(content, default=str, ensure_ascii=False))


def raw(using: str = DEFAULT_DB_ALIAS) -> psycopg.Connection[Row]:
    """The psycopg connection beneath Django's; inside `atomic()` it is in that transaction."""
    connection = connections[using]
    connection.ensure_connection()
    return cast("psycopg.Connection[Row]", connection.connection)


def _execute(
    cursor: psycopg.Cursor[Row], query: str, params: Params, using: str, keep_plan: bool
) -> psycopg.Cursor[Row]:
    # Django turns driver errors into its own; so must a statement that goes round it, or `atomic` misses them.
    with connections[using].wrap_database_errors:
        return cursor.execute(query, params, prepare=keep_plan)


def execute(query: str, params: Params = None, *, keep_plan: bool = False, using: str = DEFAULT_DB_ALIAS) -> int:
    """Run a statement; the number of rows it touched."""
    with psycopg.Cursor(raw(using)) as cursor:
        return _execute(cursor, query, params, using, keep_plan).rowcount


def rows(query: str, params: Params = None, *, keep_plan: bool = False, using: str = DEFAULT_DB_ALIAS) -> list[Row]:
    """All rows of a statement (SELECT or RETURNING)."""
    with psycopg.Cursor(raw(using)) as cursor:
        return _execute(cursor, query, params, using, keep_plan).fetchall()


def one(query: str, params: Params = None, *, keep_plan: bool = False, using: str = DEFAULT_DB_ALIAS) -> Row | None:
    """The first row or None."""
    with psycopg.Cursor(raw(using)) as cursor:
        return _execute(cursor, query, params, using, keep_plan).fetchone()


def value(query: str, params: Params = None, *, using: str = DEFAULT_DB_ALIAS) -> Any:
    """The first column of the first row; None where there is no row."""
    row = one(query, params, using=using)
    return None if row is None else row[0]


def about(query: str, params: Sequence[Any], *, exact: int, using: str = DEFAULT_DB_ALIAS) -> int:
    """How many rows a SELECT finds: counted as far as `exact`, of more what the planner takes it for."""
    counted: int = value(f"SELECT count(*) FROM ({query} LIMIT {exact + 1:d}) AS met", params, using=using)
    if counted <= exact:
        return counted
    plan = value(f"EXPLAIN (FORMAT JSON) {query}", params, using=using)
    return max(exact, int(plan[0]["Plan"]["Plan Rows"]))


@contextmanager
def stream(
    query: str, params: Params = None, *, size: int = 2000, using: str = DEFAULT_DB_ALIAS
) -> Iterator[Iterator[Row]]:
    """Rows through a server-side cursor, `size` at a time; wants an open transaction."""
    with psycopg.ServerCursor(raw(using), "comptoir_stream") as cursor:
        cursor.itersize = size
        with connections[using].wrap_database_errors:
            cursor.execute(query, params)
        yield iter(cursor)


def load(
    table: str,
    columns: Sequence[str],
    content: Iterable[Sequence[Any]],
    *,
    types: Sequence[str],
    using: str = DEFAULT_DB_ALIAS,
) -> None:
    """COPY rows into a fresh temporary table that is dropped at commit; `types` are PostgreSQL types by column.

    For `INSERT … SELECT … ON CONFLICT` and `UPDATE … FROM`. Wants an open transaction.
    """
    _temporary(table, columns, types, "ON COMMIT DROP", using)
    with _copying(table, columns, types, using) as copy:
        write_rows(copy, content)
    analyze(table, using=using)


def fresh(table: str, columns: Sequence[str], *, types: Sequence[str], using: str = DEFAULT_DB_ALIAS) -> None:
    """An empty temporary table that lasts as long as this connection: for what is gathered over several transactions."""
    _temporary(table, columns, types, "ON COMMIT PRESERVE ROWS", using)


def _temporary(table: str, columns: Sequence[str], types: Sequence[str], at_commit: LiteralString, using: str) -> None:
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in zip(columns, types, strict=True)
    )
    with psycopg.Cursor(raw(using)) as cursor, connections[using].wrap_database_errors:
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(sql.Identifier(table)))
        cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ({}) ").format(sql.Identifier(table), definition) + sql.SQL(at_commit)
        )


def add(
    table: str, content: Mapping[str, Sequence[Any]], *, types: Sequence[str], using: str = DEFAULT_DB_ALIAS
) -> None:
    """COPY rows that come as their columns into a temporary table."""
    with _copying(table, list(content), types, using) as copy:
        write_columns(copy, list(content.values()))


@contextmanager
def _copying(table: str, columns: Sequence[str], types: Sequence[str], using: str) -> Iterator[psycopg.Copy]:
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with (
        psycopg.Cursor(raw(using)) as cursor,
        connections[using].wrap_database_errors,
        cursor.copy(copying) as copy,
    ):
        copy.set_types(list(types))
        yield copy


TOGETHER = 5_000  # rows that are put into words at once
_PLAIN = frozenset({str, int, Decimal, bool, type(None)})  # what can be said without psycopg's adapters
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def write_rows(copy: psycopg.Copy, content: Iterable[Sequence[Any]]) -> None:
    """Write rows into a COPY of text, plain values column by column: psycopg's own way takes three times as long a row."""
    rows = iter(content)
    while together := list(islice(rows, TOGETHER)):
        write_columns(copy, list(zip(*together, strict=True)))


def write_columns(copy: psycopg.Copy, columns: Sequence[Sequence[Any]]) -> None:
    """The same of rows that come as their columns, each as long as the others."""
    said = [_column(values) for values in columns]
    texts = [one for one in said if one is not None]
    if len(texts) < len(said):  # something that only an adapter can say
        for row in zip(*columns, strict=True):
            copy.write_row(row)
    elif texts[0]:
        copy.write("\n".join(map("\t".join, zip(*texts, strict=True))) + "\n")


def _column(values: Sequence[Any]) -> Sequence[str] | None:
    """The values of a column as COPY reads them; None where one is not plain."""
    kinds = set(map(type, values))
    if kinds == {str}:
        whole = "\n".join(values)
        is_tame = "\\" not in whole and "\t" not in whole and "\r" not in whole and whole.count("\n") == len(values) - 1
        return values if is_tame else [value.translate(_ESCAPED) for value in values]
    if not kinds <= _PLAIN:
        return None
    if kinds <= {int, Decimal}:
        return list(map(str, values))
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    return ("t" if value else "f") if isinstance(value, bool) else str(value)


def analyze(table: str, *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Tell the planner how many rows a temporary table has by now; wants an open transaction."""
    with psycopg.Cursor(raw(using)) as cursor, connections[using].wrap_database_errors:
        # Three thousand rows say as much of such a table as thirty thousand, which take as long as a tenth of filling it.
        cursor.execute(sql.SQL("SET LOCAL default_statistics_target = 10; ANALYZE {}").format(sql.Identifier(table)))


def advisory_lock(key: int, *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Try to take a session-wide advisory lock; False where somebody else holds it. It goes with the connection."""
    return bool(value("SELECT pg_try_advisory_lock(%s)", [key], using=using))

"""The query language of the webservice turned into SQL: filter, sort, limit, date=1, shop context. Quirks included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from comptoir.connectors.prestashop.simulator.resources import NUMERIC, Field, Resource

_FILTER = re.compile(r"^(.*)\[(.*)\](.*)$", re.DOTALL)
_INTERVAL = re.compile(r"^([\d.:\-\s]+),([\d.:\-\s]+)$")
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?")
_DATES = ("date_add", "date_upd")


class Problem(Exception):
    """An error answer: HTTP status, the webservice's own code, words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass
class Query:
    """What a list request asks for."""

    filters: dict[str, str] = field(default_factory=dict)
    sort: str | None = None
    limit: str | None = None
    dates: bool = False
    languages: tuple[int, ...] = ()


def parse(parameters: tuple[tuple[str, str], ...]) -> Query:
    """Collect the list parameters of a request."""
    query = Query()
    for name, value in parameters:
        if name.startswith("filter[") and name.endswith("]"):
            query.filters[name[7:-1]] = value
        elif name == "sort":
            query.sort = value
        elif name == "limit":
            query.limit = value
        elif name == "date":
            query.dates = value not in {"", "0"}
    return query


def statement(resource: Resource, query: Query, shops: list[int], groups: list[int]) -> tuple[str, list[Any]]:
    """The SQL that lists the rows asked for, or a Problem."""
    where: list[str] = []
    values: list[Any] = []
    _shop_context(resource, shops, groups, where, values)
    for name, text in query.filters.items():
        _filter(resource, query, name, text, where, values)
    order = _order(resource, query)
    sql = f'SELECT * FROM "{resource.name}" AS main'
    if where:
        sql += " WHERE " + " AND ".join(where)
    return f"{sql} ORDER BY {order}{_limit(query.limit)}", values


def _shop_context(resource: Resource, shops: list[int], groups: list[int], where: list[str], values: list[Any]) -> None:
    if resource.shop == "list":
        marks = ", ".join("?" * len(shops))
        where.append(f"id IN (SELECT id FROM shop_members WHERE resource = '{resource.name}' AND id_shop IN ({marks}))")
        values += shops
    elif resource.shop == "row":
        shop_marks, group_marks = ", ".join("?" * len(shops)), ", ".join("?" * len(groups))
        # A row whose shop and group are both 0 belongs to nobody and is never listed.
        where.append(f"(id_shop IN ({shop_marks}) OR (id_shop = 0 AND id_shop_group IN ({group_marks})))")
        values += [*shops, *groups]


def _filterable(resource: Resource, query: Query) -> list[str]:
    return ["id", *(one.name for one in resource.shown if query.dates or one.name not in _DATES)]


def _filter(resource: Resource, query: Query, name: str, text: str, where: list[str], values: list[Any]) -> None:
    if name not in _filterable(resource, query):
        raise Problem(400, 32, f'No filter "{name}" here. Known: {", ".join(_filterable(resource, query))}')
    if text == "":
        raise Problem(400, 33, f'Filter "{name}" is malformed')
    one = Field("id", "id") if name == "id" else resource.by_name[name]
    if one.computed:
        raise Problem(400, 34, f'"{name}" is computed and cannot be filtered')
    if one.many:
        inner: list[str] = []
        _compare(Field("value", "text"), text, "each.value", inner, values)
        marks = ", ".join(f"'{language}'" for language in query.languages)
        where.append(
            f'EXISTS (SELECT 1 FROM json_each(main."{name}") AS each WHERE each.key IN ({marks}) '
            f"{''.join(f' AND {part}' for part in inner)})"
        )
        return
    column = f'main."{name}"'
    if one.kind in {"money", "rate"}:
        column = f"CAST({column} AS REAL)"
    elif one.kind == "text":
        column = f"{column} COLLATE NOCASE"
    _compare(one, text, column, where, values)


def _compare(one: Field, text: str, column: str, where: list[str], values: list[Any]) -> None:
    """One filter expression; a prefix that the service does not know is silently no filter at all."""
    found = _FILTER.match(text)
    if found is None:
        where.append(f"{column} = ?")
        values.append(_value(one, text))
        return
    before, inside, after = found.groups()
    if before == "%" or after == "%":
        where.append(f"{column} LIKE ?")
        values.append(f"{before}{inside}{after}")
    elif before == "" and after == "":
        if "|" in inside[1:]:
            parts = inside.split("|")
            where.append(f"{column} IN ({', '.join('?' * len(parts))})")
            values += [_value(one, part) for part in parts]
        elif interval := _INTERVAL.match(inside):
            # Both ends included, and sorted first. An end with a letter in it (a T or Z in a date) never comes here:
            # it is compared as one text and finds nothing.
            ends = [_value(one, end) for end in interval.groups()]
            where.append(f"{column} BETWEEN ? AND ?")
            values += sorted(ends)
        else:
            where.append(f"{column} = ?")
            values.append(_value(one, inside))
    elif before in {">", "<"}:
        where.append(f"{column} {before} ?")
        values.append(_value(one, inside))
    elif before == "!":
        for part in inside.split("|"):
            where.append(f"{column} <> ?")
            values.append(_value(one, part))


def _value(one: Field, text: str) -> Any:
    """A value as the database would understand it: numbers by their leading digits, dates with midnight added."""
    if one.kind in NUMERIC:
        number = _NUMBER.match(text)
        if number is None:
            return 0
        return float(number[0]) if one.kind in {"money", "rate"} or number[1] else int(number[0])
    if one.kind == "date":
        text = text.strip()
        return f"{text} 00:00:00" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text
    return text


def _order(resource: Resource, query: Query) -> str:
    if query.sort is None:
        return "id"
    bare = query.sort[1:-1] if query.sort.startswith("[") and query.sort.endswith("]") else query.sort
    parts = []
    for one in bare.split(","):
        name, underscore, direction = one.rpartition("_")
        if not underscore or direction.upper() not in {"ASC", "DESC"}:
            raise Problem(400, 37, f'"{one}" is no sort; write field_ASC or [field_1_DESC,field_2_ASC]')
        if name not in _filterable(resource, query):
            raise Problem(400, 38, f'Cannot sort by "{name}". Known: {", ".join(_filterable(resource, query))}')
        if name != "id" and resource.by_name[name].computed:
            raise Problem(400, 38, f'Cannot sort by "{name}"')
        kind = "id" if name == "id" else resource.by_name[name].kind
        column = f'CAST("{name}" AS REAL)' if kind in {"money", "rate"} else f'"{name}"'
        parts.append(f"{column} {direction.upper()}")
    return ", ".join(parts)


def _limit(text: str | None) -> str:
    if text is None:
        return ""
    parts = text.split(",")
    if len(parts) > 2:
        raise Problem(400, 39, 'A limit is "10" or "5,25"')
    numbers = [int(number[0]) if (number := re.match(r"\s*\d+", part)) else 0 for part in parts]
    return f" LIMIT {numbers[0]}" if len(numbers) == 1 else f" LIMIT {numbers[1]} OFFSET {numbers[0]}"


def display(resource: Resource, text: str | None, prices: set[str]) -> list[str] | None:
    """The fields of a list: None for ids alone, every one for `full`; 'associations.name' for association parts."""
    if text is None or text == "minimum":
        return None
    if text == "full":
        return ["*"]
    if not (text.startswith("[") and text.endswith("]")):
        raise Problem(400, 36, "display is full or [field_1,field_2]")
    wanted = []
    associations = {one.name: one for one in resource.associations}
    for part in re.findall(r"[^,\[\]]+(?:\[[^\]]*\])?", text[1:-1]):
        name, bracket, inner = part.partition("[")
        name = name.strip()
        if bracket:
            known = associations.get(name)
            if known is None or any(one.strip() not in known.fields for one in inner.rstrip("]").split(",")):
                raise Problem(400, 35, f'Cannot display "{part}"')
            wanted.append(f"associations.{name}")
        elif name == "id" or name in {one.name for one in resource.shown} | prices:
            wanted.append(name)
        else:
            raise Problem(400, 35, f'Cannot display "{name}". Known: {", ".join(one.name for one in resource.shown)}')
    return wanted

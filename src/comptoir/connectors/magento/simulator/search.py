"""`searchCriteria` in the query of a request: filter groups, sorting, pages; and `fields`, the projection of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptoir.connectors.magento.simulator.problem import Problem

_PLACE = re.compile(r"^search_?criteria(.*)$", re.IGNORECASE)
_PART = re.compile(r"\[([^\]]*)\]")
_WORDS = {
    "filtergroups": "filter_groups", "conditiontype": "condition_type", "sortorders": "sort_orders",
    "pagesize": "page_size", "currentpage": "current_page",
}  # fmt: skip

#: condition -> SQL; what takes a list is not here
_COMPARES = {
    "eq": "=", "neq": "<>", "gt": ">", "gteq": ">=", "moreq": ">=", "from": ">=", "lt": "<", "lteq": "<=", "to": "<=",
    "like": "LIKE", "nlike": "NOT LIKE",
}  # fmt: skip


@dataclass
class Filter:
    """One comparison."""

    field: str = ""
    value: str = ""
    condition: str = "eq"


@dataclass
class Criteria:
    """What was asked: groups are ANDed, filters within one are ORed."""

    groups: list[list[Filter]] = field(default_factory=list)
    sorts: list[tuple[str, str]] = field(default_factory=list)
    page_size: int = 0  # 0: all rows
    page: int = 1


def parse(query: Sequence[tuple[str, str]]) -> Criteria:
    """Read the criteria; both spellings of each word work."""
    groups: dict[str, dict[str, Filter]] = {}
    sorts: dict[str, list[str]] = {}
    found = Criteria()
    for name, value in query:
        place = _PLACE.match(name)
        if place is None:
            continue
        parts = [_WORDS.get(part.lower().replace("_", ""), part) for part in _PART.findall(place[1])]
        match parts:
            case ["filter_groups", group, "filters", number, ("field" | "value" | "condition_type") as what]:
                one = groups.setdefault(group, {}).setdefault(number, Filter())
                setattr(one, "condition" if what == "condition_type" else what, value)
            case ["sort_orders", number, ("field" | "direction") as what]:
                sorts.setdefault(number, ["", "ASC"])[0 if what == "field" else 1] = value
            case ["page_size"]:
                found.page_size = _whole(value, "page_size")
            case ["current_page"]:
                found.page = max(1, _whole(value, "current_page"))
    found.groups = [list(filters.values()) for _, filters in sorted(groups.items())]
    found.sorts = [(name, direction.upper()) for _, (name, direction) in sorted(sorts.items())]
    return found


def _whole(value: str, what: str) -> int:
    if not value.isdigit():
        raise Problem(400, '"%1" is not a number', {"1": what})
    return int(value)


def where(criteria: Criteria, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The condition in SQL over these columns. Values go in as text: the columns' affinity makes numbers of them."""
    values: list[Any] = []
    groups = []
    for group in criteria.groups:
        parts = []
        for one in group:
            column = columns.get(one.field)
            if column is None:
                raise Problem(400, "Column not found: 1054 Unknown column '%1' in 'where clause'", {"1": one.field})
            condition = one.condition.lower()
            if condition in ("in", "nin"):
                wanted = one.value.split(",")
                parts.append(f"{column} {'NOT ' if condition == 'nin' else ''}IN ({', '.join('?' * len(wanted))})")
                values += wanted
            elif condition in ("null", "notnull"):
                parts.append(f"{column} IS {'NOT ' if condition == 'notnull' else ''}NULL")
            elif condition in ("finset", "nfinset"):
                parts.append(
                    f"{'NOT ' if condition == 'nfinset' else ''}instr(',' || {column} || ',', ',' || ? || ',')"
                )
                values.append(one.value)
            elif condition in _COMPARES:
                parts.append(f"{column} {_COMPARES[condition]} ?")
                values.append(one.value)
            else:
                raise Problem(400, "Undefined condition type %1", {"1": one.condition})
        groups.append(f"({' OR '.join(parts)})")
    return " AND ".join(groups) or "1", values


def order(criteria: Criteria, columns: Mapping[str, str]) -> str:
    """The sorting in SQL; empty where none was asked for."""
    found = []
    for name, direction in criteria.sorts:
        if name not in columns:
            raise Problem(400, "Column not found: 1054 Unknown column '%1' in 'order clause'", {"1": name})
        found.append(f"{columns[name]} {'DESC' if direction == 'DESC' else 'ASC'}")
    return ", ".join(found)


def project(content: Any, fields: str) -> Any:
    """`items[sku,name],total_count`: only these of an answer."""
    wanted, _ = _tree(fields, 0)
    return _only(content, wanted)


Tree = dict[str, Any]


def _tree(text: str, at: int) -> tuple[Tree, int]:
    found: Tree = {}
    name = ""
    while at < len(text):
        sign = text[at]
        at += 1
        if sign == "[":
            found[name], at = _tree(text, at)
            name = ""
        elif sign in ",]":
            if name:
                found[name] = {}
            name = ""
            if sign == "]":
                return found, at
        else:
            name += sign
    if name:
        found[name] = {}
    return found, at


def _only(content: Any, wanted: Tree) -> Any:
    if isinstance(content, list):
        return [_only(one, wanted) for one in content]
    if not isinstance(content, dict):
        return content
    return {
        name: _only(content[name], inner) if inner else content[name]
        for name, inner in wanted.items()
        if name in content
    }

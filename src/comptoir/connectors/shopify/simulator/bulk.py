"""Bulk operations: a query is run over everything and becomes lines of JSON, children on lines of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from graphql import DocumentNode, FieldNode, GraphQLError, SelectionSetNode

MOST_CONNECTIONS = 5
MOST_DEPTH = 2

_everything: ContextVar[bool] = ContextVar("everything", default=False)


def is_on() -> bool:
    """Whether lists give all that they have."""
    return _everything.get()


@contextmanager
def everything() -> Iterator[None]:
    """Within, lists give all that they have."""
    token = _everything.set(True)
    try:
        yield
    finally:
        _everything.reset(token)


def check(document: DocumentNode) -> None:
    """One top-level field, at least one connection, not more than five, not nested deeper than two."""
    operation = document.definitions[0]
    selection: SelectionSetNode | None = getattr(operation, "selection_set", None)
    if selection is None or len(selection.selections) != 1:
        raise GraphQLError("Bulk queries must have one top-level field")
    count, depth = _connections(selection, 0)
    if not count:
        raise GraphQLError("Bulk queries must contain at least one connection")
    if count > MOST_CONNECTIONS:
        raise GraphQLError(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections")
    if depth > MOST_DEPTH + 1:
        raise GraphQLError(f"Bulk queries cannot contain connections with a nesting depth greater than {MOST_DEPTH}")


def _connections(selection: SelectionSetNode | None, depth: int) -> tuple[int, int]:
    count, deepest = 0, depth
    for node in selection.selections if selection else ():
        inner: SelectionSetNode | None = getattr(node, "selection_set", None)
        is_edges = isinstance(node, FieldNode) and node.name.value == "edges"
        found, reached = _connections(inner, depth + is_edges)
        count += found + is_edges
        deepest = max(deepest, reached)
    return count, deepest


def lines(data: Mapping[str, Any], *, grouped: bool) -> list[dict[str, Any]]:
    """The lines of a result: a parent before its children, and right before them where objects are grouped."""
    roots = [edge["node"] for value in data.values() for edge in value["edges"]]
    if grouped:
        return [line for root in roots for line in _family(root, None)]
    families = [list(_family(root, None)) for root in roots]
    return [family[0] for family in families] + [line for family in families for line in family[1:]]


def _family(node: Mapping[str, Any], parent: str | None) -> Iterator[dict[str, Any]]:
    children = {name: value for name, value in node.items() if isinstance(value, Mapping) and "edges" in value}
    own = {name: value for name, value in node.items() if name not in children}
    yield own if parent is None else {**own, "__parentId": parent}
    for value in children.values():
        for edge in value["edges"]:
            yield from _family(edge["node"], str(node["id"]))

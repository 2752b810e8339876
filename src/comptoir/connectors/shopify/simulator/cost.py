"""What an operation costs in points, and the bucket that they are taken from.

Shopify documents 0 for a scalar, 1 for an object, 10 for a mutation, and connections "sized by first or last"; a published
measurement (23 points for first: 3, 43 for first: 10) shows that the size counts less than in full. Here it is its square
root."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

MUTATION = 10.0


class Cost:
    """Requested cost by the sizes asked for; actual cost by the sizes that came."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
        self.is_mutation = self._operation.operation.value == "mutation"

    def requested(self) -> float:
        """Before it runs."""
        return self._whole(None)

    def actual(self, data: Any) -> float:
        """After it ran."""
        return self._whole(data if data is not None else {})

    def _whole(self, data: Any) -> float:
        root = self._schema.mutation_type if self.is_mutation else self._schema.query_type
        assert root is not None  # noqa: S101 - every schema here has both
        found = self._set(self._operation.selection_set, root, data)
        return float(math.ceil(found + (MUTATION if self.is_mutation else 0)))

    def _set(self, selection: SelectionSetNode | None, parent: Any, data: Any) -> float:
        found = 0.0
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                found += self._field(node, parent, data)
            elif isinstance(node, InlineFragmentNode):
                kind = self._schema.type_map[node.type_condition.name.value] if node.type_condition else parent
                found += self._set(node.selection_set, kind, data)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                found += self._set(
                    fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value], data
                )
        return found

    def _field(self, node: FieldNode, parent: Any, data: Any) -> float:
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        definition = fields.get(node.name.value)
        if definition is None:
            return 0.0
        kind = get_named_type(definition.type)
        if is_leaf_type(kind) or kind.name == "PageInfo":
            return 0.0
        value = _under(data, node.alias.value if node.alias else node.name.value)
        if data is not None and value is None:
            return 1.0
        if kind.name.endswith("Connection"):
            listed = _listed(value)
            count = (self._size(node, "first", "last") or 1) if listed is None else len(listed)
            one = sum(
                self._set(inner.selection_set, self._node_type(kind, inner.name.value), _first(listed))
                for inner in (node.selection_set.selections if node.selection_set else ())
                if isinstance(inner, FieldNode) and inner.name.value in ("nodes", "edges")
            )
            return 1 + math.sqrt(count) * (1 + one)
        asked = self._size(node, "first") or self._length(node) or 1
        count = len(value) if isinstance(value, list) else asked
        inner_data = _first(value) if isinstance(value, list) else value
        return math.sqrt(count) * (1 + self._set(node.selection_set, kind, inner_data))

    def _node_type(self, connection: Any, name: str) -> Any:
        if name == "nodes":
            return get_named_type(connection.fields["nodes"].type)
        return get_named_type(connection.fields["edges"].type)

    def _size(self, node: FieldNode, *names: str) -> int | None:
        for argument in node.arguments:
            if argument.name.value in names:
                value = argument.value
                if isinstance(value, VariableNode):
                    given = self._variables.get(value.name.value)
                    return int(given) if given is not None else None
                if isinstance(value, IntValueNode):
                    return int(value.value)
        return None

    def _length(self, node: FieldNode) -> int | None:
        """`nodes(ids:)` is as large as what it is asked."""
        for argument in node.arguments:
            if argument.name.value == "ids":
                value = argument.value
                given = self._variables.get(value.name.value) if isinstance(value, VariableNode) else None
                if isinstance(given, Sequence):
                    return len(given)
                return len(value.values) if isinstance(value, ListValueNode) else None
        return None


def _under(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, Mapping) else None


def _listed(value: Any) -> list[Any] | None:
    if not isinstance(value, Mapping):
        return None
    found = value.get("nodes", value.get("edges"))
    return found if isinstance(found, list) else None


def _first(values: Any) -> Any:
    return next((one for one in values if one is not None), {}) if isinstance(values, list) else None


class Bucket:
    """Points that run back in."""

    def __init__(self) -> None:
        self.left: float | None = None
        self._at: datetime | None = None

    def filled(self, now: datetime, most: float, restore: float) -> float:
        """What is in it now."""
        if self.left is None or self._at is None:
            self.left = most
        else:
            self.left = min(most, self.left + max(0.0, (now - self._at).total_seconds()) * restore)
        self._at = now
        return self.left

    def take(self, points: float) -> None:
        """Out of it, or back where negative."""
        assert self.left is not None  # noqa: S101 - asked after `filled`
        self.left -= points

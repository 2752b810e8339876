"""Which known problem of the field a test stands for, and for which kinds of channel it stands.

A test marked `needs("levels")` is run for the kinds whose card has that ability, and is not there for the others; one
marked `unless("sku_is_required")` not for those whose bench says so. With `--conformance FILE` a collection writes down
what it found: docs/reference/conformance.md is made of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import connector_bench
import pytest

from comptoir import connectors

#: Parameters of tests whose value is a kind; and the one whose value is an ability, where there is a kind too.
KINDS = ("kind", "bench")
ABILITY = "what"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance", help="write the problems that the collected tests stand for to this file")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    stays: list[pytest.Item] = []
    leaves: list[pytest.Item] = []
    found: list[dict[str, Any]] = []
    for item in items:
        kinds = kinds_of(item)
        able = [kind for kind in kinds if needs_of(item) <= abilities(kind) and not is_excepted(item, kind)]
        (leaves if kinds and not able else stays).append(item)
        found += [
            {"problem": mark.args[0], "kind": kind, "applies": kind in able, "test": item.nodeid.partition("[")[0]}
            for mark in item.iter_markers("survives")
            for kind in kinds
        ]
    items[:] = stays
    config.hook.pytest_deselected(items=leaves)
    if path := config.getoption("--conformance"):
        Path(path).write_text(json.dumps(found), encoding="utf-8")


def kinds_of(item: pytest.Item) -> tuple[str, ...]:
    """The kinds a test speaks of: its parameter, the folder of its connector, or all of them at once."""
    given = parameters(item)
    for name in KINDS:
        if given.get(name) in connectors.kinds():
            return (str(given[name]),)
    folder = item.path.parent
    if folder.parent.name == "connectors" and folder.name in connectors.kinds():
        return (folder.name,)
    return connectors.kinds() if item.get_closest_marker("survives") else ()


def needs_of(item: pytest.Item) -> set[str]:
    """The abilities without which a test would have nothing to look at."""
    needed = {str(name) for mark in item.iter_markers("needs") for name in mark.args}
    given = parameters(item)
    if ABILITY in given and "bench" in given:
        needed.add(str(given[ABILITY]))
    return needed


def is_excepted(item: pytest.Item, kind: str) -> bool:
    """Whether the kind's bench says that what the test is about does not exist there."""
    names = [str(name) for mark in item.iter_markers("unless") for name in mark.args]
    return any(getattr(connector_bench.find(kind), name) for name in names)


def parameters(item: pytest.Item) -> dict[str, Any]:
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def abilities(kind: str) -> set[str]:
    card = connectors.find(kind)
    assert card is not None
    return set(card.abilities) | ({"webhooks"} if card.webhooks is not None else set())

"""What import contracts of the form "only" say; layers and independence are in .importlinter."""

from __future__ import annotations

from collections.abc import Iterable

import grimp
import pytest

from comptoir import connectors
from comptoir.connectors import NAMES

FOR_CONNECTORS = {f"comptoir.channels.{name}" for name in ("records", "abilities", "connector", "errors", "http")}
NOT_FOR_CONNECTORS = {"psycopg", "psycopg_pool", "procrastinate", "comptoir.kit.sql", "comptoir.kit.postgres"}
DOOR = {"comptoir.channels.http", "comptoir.channels.addresses"}
LOWER_FOR_CONNECTORS = ("comptoir.feeds", "comptoir.simulators", "comptoir.kit")


def within(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def modules_of(graph: grimp.ImportGraph, *packages: str) -> list[str]:
    return sorted(module for module in graph.modules if within(module, packages))


def imports_outside(graph: grimp.ImportGraph, part: str, allowed: Iterable[str]) -> list[str]:
    """Imports of ours made by modules of `part` that are neither its own nor allowed."""
    allowed = [part, *allowed]
    return [
        f"{importer} imports {imported}"
        for importer in modules_of(graph, part)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if imported.startswith("comptoir") and imported != "comptoir" and not within(imported, allowed)
    ]


def test_the_graph_sees_the_package(graph: grimp.ImportGraph) -> None:
    assert "comptoir.kit.sql" in graph.find_modules_directly_imported_by("comptoir.events.record")


def test_kit_imports_nothing_of_ours(graph: grimp.ImportGraph) -> None:
    assert imports_outside(graph, "comptoir.kit", []) == []


def test_commerce_imports_only_events_and_kit(graph: grimp.ImportGraph) -> None:
    assert imports_outside(graph, "comptoir.commerce", ["comptoir.events", "comptoir.kit"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_connector_knows_the_neutral_words_and_no_more(name: str, graph: grimp.ImportGraph) -> None:
    found = imports_outside(graph, f"comptoir.connectors.{name}", [*FOR_CONNECTORS, *LOWER_FOR_CONNECTORS])
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_a_connector_touches_no_database_and_no_queue(name: str, graph: grimp.ImportGraph) -> None:
    for module in modules_of(graph, f"comptoir.connectors.{name}"):
        imported = graph.find_modules_directly_imported_by(module)
        assert not imported & NOT_FOR_CONNECTORS, f"{module} imports {sorted(imported & NOT_FOR_CONNECTORS)}"
        if "django" in imported:
            lines = [detail["line_contents"] for detail in graph.get_import_details(importer=module, imported="django")]
            assert all("django.utils" in line for line in lines), (
                f"{module}: of Django a connector may use utils: {lines}"
            )


@pytest.mark.parametrize("name", NAMES)
def test_a_simulator_never_reaches_its_client_wire_or_mapping(name: str, graph: grimp.ImportGraph) -> None:
    """Not even through others, or both would share one misunderstanding of the channel."""
    folder = f"comptoir.connectors.{name}"
    simulator = modules_of(graph, f"{folder}.simulator")
    ours = [module for module in modules_of(graph, folder) if module != folder and module not in simulator]
    assert simulator, f"{name} has no simulator"
    chains = [
        " -> ".join(chain)
        for module in simulator
        for other in ours
        if (chain := graph.find_shortest_chain(importer=module, imported=other))
    ]
    assert chains == []


@pytest.mark.parametrize("name", NAMES)
def test_the_package_of_a_connector_says_nothing_so_that_its_simulator_loads_alone(
    name: str, graph: grimp.ImportGraph
) -> None:
    assert not graph.find_modules_directly_imported_by(f"comptoir.connectors.{name}")


def test_the_harness_of_simulators_knows_no_connector(graph: grimp.ImportGraph) -> None:
    found = imports_outside(graph, "comptoir.simulators", ["comptoir.kit"])
    assert found == []


def test_every_folder_of_connectors_is_in_the_tuple_that_names_them(graph: grimp.ImportGraph) -> None:
    folders = {module.rsplit(".", 1)[1] for module in graph.find_children("comptoir.connectors")}
    assert folders == set(connectors.NAMES)


def test_only_the_door_speaks_http(graph: grimp.ImportGraph) -> None:
    """So that the client can be exchanged in a day, and test mode has one place to be enforced."""
    for client in ("pyreqwest", "httpx", "requests", "aiohttp", "urllib3"):
        if client in graph.modules:
            users = graph.find_modules_that_directly_import(client)
            assert users <= DOOR, f"{client} is imported by {sorted(users - DOOR)}"


def test_an_apps_package_is_empty_since_django_loads_it_before_models(graph: grimp.ImportGraph) -> None:
    with_models = {module.rsplit(".", 1)[0] for module in graph.modules if module.endswith(".models")}
    packages = {module for module in with_models if module.startswith("comptoir.")}
    assert packages
    for package in packages:
        imported = graph.find_modules_directly_imported_by(package)
        assert not imported, f"{package}/__init__.py imports {sorted(imported)}"

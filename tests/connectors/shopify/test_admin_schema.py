"""What we send, and what our double answers, held to Shopify's own Admin schema of every version that we claim."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    NoDeprecatedCustomRule,
    build_client_schema,
    get_named_type,
    parse,
    specified_rules,
    validate,
)
from npm_contracts import Package

from comptoir.connectors.shopify import config, operations
from comptoir.connectors.shopify.simulator.schema import VERSIONS, schema
from comptoir.connectors.shopify.webhooks import TOPICS

SCHEMAS = Package(
    "@shopify/dev-mcp",
    "1.16.0",
    "b6a8119caeec4218dec3e86dc6d95e4c7db79d70797d972cae15a0124a26b28ac65ef2ce0769a1daea70666f2ecee4c3353667aad2cc7bae3223087ab366b0b7",
)


@cache
def official(version: str) -> GraphQLSchema:
    return build_client_schema(json.loads(gzip.decompress(SCHEMAS.read(f"dist/data/admin_{version}.json.gz")))["data"])


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_double_speaks_every_version_that_can_be_chosen() -> None:
    assert tuple(config.VERSIONS) == VERSIONS
    assert config.VERSION in VERSIONS


def test_operations_are_all_there() -> None:
    assert len(operations.ALL) > 20
    named = [
        text.split("{")[0].split("(")[0].split()[1] for name, text in operations.ALL.items() if name != "BULK_PRODUCTS"
    ]
    assert len(named) == len(set(named))


def test_every_operation_is_one_that_shopify_knows_and_does_not_advise_against(version: str) -> None:
    for name, text in operations.ALL.items():
        problems = validate(official(version), parse(text), [*specified_rules, NoDeprecatedCustomRule])
        assert not problems, f"{name}: {problems[0].message}"


def test_every_topic_is_one_that_shopify_knows(version: str) -> None:
    known = official(version).type_map["WebhookSubscriptionTopic"].values  # type: ignore[attr-defined]
    assert set(TOPICS) <= set(known)


def test_our_schema_is_a_part_of_theirs(version: str) -> None:
    theirs = official(version)
    wrong: list[str] = []
    for name, ours in schema(version).type_map.items():
        other = theirs.type_map.get(name)
        if name.startswith("__"):
            continue
        if other is None or type(other) is not type(ours):
            wrong.append(f"type {name}")
            continue
        wrong += [f"{name} {value}" for value in set(getattr(ours, "values", ())) - set(getattr(other, "values", ()))]
        wrong += [
            f"{name} is no {one.name}"
            for one in getattr(ours, "interfaces", ())
            if one.name not in {each.name for each in other.interfaces}  # type: ignore[attr-defined]
        ]
        for field, kept in getattr(ours, "fields", {}).items():
            wrong += _differences(f"{name}.{field}", kept, other.fields.get(field))  # type: ignore[attr-defined]
    assert not wrong


def _differences(place: str, ours: Any, theirs: Any) -> list[str]:
    if theirs is None:
        return [f"{place} is not there"]
    found = [] if str(ours.type) == str(theirs.type) else [f"{place}: {ours.type} instead of {theirs.type}"]
    arguments = getattr(theirs, "args", {})
    for name, one in getattr(ours, "args", {}).items():
        other = arguments.get(name)
        if other is None or str(other.type) != str(one.type) or other.default_value != one.default_value:
            found.append(f"{place}({name})")
    return found


def test_what_a_mutation_must_be_given_is_given(version: str) -> None:
    """Input fields that are required there are all in the double's: else it would take what Shopify refuses."""
    theirs = official(version)
    for name, ours in schema(version).type_map.items():
        kept = getattr(ours, "fields", {})
        if type(ours).__name__ != "GraphQLInputObjectType":
            continue
        required = {
            field
            for field, one in theirs.type_map[name].fields.items()  # type: ignore[attr-defined]
            if str(one.type).endswith("!")
        }
        assert required <= set(kept), name
        assert all(get_named_type(one.type) for one in kept.values())


@pytest.mark.parametrize("what", ["sales", "products", "stock"])
def test_the_double_answers_on_shopifys_own_schema_as_on_ours(shopify: Any, version: str, what: str) -> None:
    bench = shopify()

    def read() -> list[Any]:
        client = bench.open(version=version)
        if what == "sales":
            pages = list(client.sales.changed_since({}, start=None))
        elif what == "products":
            pages = list(client.products.everything({}))
        else:
            pages = list(client.stock.figures({}))
        return [item for page in pages for item in page.items]

    before = read()
    assert before
    bench.simulator.schemas[version] = official(version)
    bench.shop.store.remove("bulk", next((row["id"] for row in bench.shop.store.all("bulk")), 0))
    assert read() == before


def test_writes_are_taken_on_shopifys_own_schema(shopify: Any, version: str) -> None:
    bench = shopify()
    bench.simulator.schemas[version] = official(version)
    client = bench.open(version=version)
    figure = next(iter(client.stock.figures({}))).items[0]
    assert [one.fate.value for one in client.levels.set_levels([bench.a_level(figure)])] == ["done"]
    sale = bench.sell()[0]
    assert client.tracking.confirm(bench.a_parcel(sale)).fate.value == "done"
    assert client.cancelling.cancel(bench.sell()[0]).fate.value == "done"
    assert [one.fate.value for one in client.prices.set_prices([bench.a_price(client)])] == ["done"]
    client.subscriptions.subscribe("ORDERS_CREATE", "https://hub.test/x", "s")
    assert client.probe.look_around().missing_rights == ()

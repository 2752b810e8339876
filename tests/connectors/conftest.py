"""Benches for the tests of connectors: see `plugins/connector_bench.py`."""

from __future__ import annotations

from typing import Any

import connector_bench
import pytest

from comptoir import connectors


@pytest.fixture
def prestashop() -> type[Any]:
    """Make a PrestaShop of any version: `prestashop("1.7", world="empty")`."""
    return connector_bench.find("prestashop")


@pytest.fixture
def shopify() -> type[Any]:
    """Make a Shopify: `shopify(world="empty")`."""
    return connector_bench.find("shopify")


@pytest.fixture(params=connectors.kinds())
def bench(request: pytest.FixtureRequest) -> Any:
    """One bench per card."""
    return connector_bench.find(request.param)()

"""The bench of these tests: see `plugins/connector_bench.py`."""

from __future__ import annotations

from typing import Any

import connector_bench
import pytest


@pytest.fixture
def woo() -> type[Any]:
    """Make a WooCommerce of any version: `woo("8", world="empty")`."""
    return connector_bench.find("woocommerce")

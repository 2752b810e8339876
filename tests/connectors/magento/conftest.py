"""A Magento shop of any version: `magento("2.4.3", world="empty")`."""

from __future__ import annotations

from typing import Any

import connector_bench
import pytest


@pytest.fixture
def magento() -> type[Any]:
    """Make one."""
    return connector_bench.find("magento")

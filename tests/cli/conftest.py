"""A hub's database on the test server, migrated by the command, and a shop on a port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from command_line import comptoir, ground
from comptoir_hub import Hub, database

from comptoir.simulators import server as simulators


@pytest.fixture(scope="module")
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    """Migrated by the command, with a shop that can be connected."""
    with ground() as folder, database(request.module.__name__.rsplit(".", 1)[-1]) as url:
        made = Hub(url, folder)
        done = comptoir("migrate", **made.settings)
        assert (done.code, done.out) == (0, ""), done.err
        with simulators.serve(made.shop) as made.address:
            yield made

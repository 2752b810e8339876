"""One small shop of each kind, in this process and connected: proofs here hold for every kind whose card is there."""

from __future__ import annotations

from collections.abc import Iterator

import kind_world
import pytest
from kind_world import KindWorld, Street

from comptoir import connectors
from comptoir.kit import clock


@pytest.fixture
def street() -> Iterator[Street]:
    """Where shops stand; every door leads there."""
    with kind_world.street() as (opened, _):
        yield opened


@pytest.fixture(params=connectors.kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of channel that can be connected."""
    return str(request.param)


@pytest.fixture
def fresh(db: None, street: Street, manual_clock: clock.ManualClock, kind: str) -> KindWorld:
    """Three things are sold and known here; in test mode, stock not counted."""
    return kind_world.open_kind(street, kind, manual_clock)


@pytest.fixture
def stocked(fresh: KindWorld) -> KindWorld:
    """Stock is counted and sales are read; still in test mode."""
    fresh.run("pull_stock_once")
    fresh.learn()
    return fresh


@pytest.fixture
def live(stocked: KindWorld) -> KindWorld:
    """In production."""
    stocked.go_live()
    stocked.drain()
    return stocked

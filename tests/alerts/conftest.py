"""A receiver on loopback and a hub that tells it things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alert_world import AT, House, Receiver

from comptoir.kit import clock
from comptoir.kit.settings import settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    there = Receiver()
    yield there
    there.stop()


@pytest.fixture(autouse=True)
def private_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loopback is allowed, as an operator may; tests of the guard ask for it themselves."""
    monkeypatch.setenv("COMPTOIR_ALLOW_PRIVATE_ADDRESSES", "yes")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def hub(db: None) -> Iterator[House]:
    time = clock.ManualClock(AT)
    with clock.using(time):
        yield House(time)

"""A door on the test database and a channel that it knows."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg.conninfo
import pytest
from django.db import connection

sys.path.insert(0, str(Path(__file__).parent))

from deliveries import Opened, make_channel

from comptoir import connectors
from comptoir.channels.channel import box
from comptoir.channels.models import Channel
from comptoir.webhooks.door import Door, Limits


@pytest.fixture
def channel(transactional_db: None) -> Channel:
    """Committed: the door looks with a connection of its own."""
    return make_channel()


@pytest.fixture
def url(transactional_db: None) -> str:
    return psycopg.conninfo.make_conninfo(os.environ["COMPTOIR_DATABASE_URL"], dbname=connection.settings_dict["NAME"])


@pytest.fixture
def opened(url: str) -> Opened:
    """`async with opened() as door`: a door whose connection is closed afterwards."""

    @asynccontextmanager
    async def opened(limits: Limits = Limits(), address: Callable[[], str] | None = None) -> AsyncIterator[Door]:  # noqa: B008
        door = Door(address or (lambda: url), connectors.find, box, limits)
        try:
            yield door
        finally:
            messages = [{"type": "lifespan.shutdown"}]

            async def receive() -> dict[str, Any]:
                return messages.pop()

            async def send(message: Any) -> None:
                pass

            await door({"type": "lifespan"}, receive, send)

    return opened

"""A hub's database on the test server, and a simulated shop: what commands are tried on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from comptoir.connectors.prestashop.simulator import PrestaShopSimulator

SERVER = os.environ["COMPTOIR_DATABASE_URL"]


@dataclass
class Hub:
    """A database with what commands need to know of it."""

    url: str
    folder: Path
    shop: PrestaShopSimulator = field(default_factory=lambda: PrestaShopSimulator(version="8.2", world="demo"))
    address: str = ""

    @property
    def settings(self) -> dict[str, object]:
        return {
            "COMPTOIR_DATABASE_URL": self.url,
            "COMPTOIR_DATA_FOLDER": self.folder,
            "COMPTOIR_ALLOW_PRIVATE_ADDRESSES": "yes",
            "COMPTOIR_PORT": 0,
        }

    def quicken(self) -> None:
        """A shop bears so many calls a minute, a simulated one any number."""
        self.rows("UPDATE channels_channel SET calls_per_minute = 60000")

    def rows(self, statement: str, *values: object) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            answer = connection.execute(statement, values)
            return answer.fetchall() if answer.description is not None else []


@contextmanager
def database(name: str) -> Iterator[str]:
    """An empty database of the test server."""
    name = f"{name}_{os.getpid()}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(**{**conninfo_to_dict(SERVER), "dbname": name})
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

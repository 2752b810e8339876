"""The embedded PostgreSQL: a server of our own for one folder, started when needed, shared by every process that
holds it, stopped with the last of them. Linux only; elsewhere a hub is given the address of a PostgreSQL instead."""

from comptoir.kit.postgres.binaries import debian, find_binaries
from comptoir.kit.postgres.errors import (
    BinariesMissing,
    CannotStart,
    CannotStop,
    FolderUnusable,
    InUse,
    PostgresError,
    WrongVersion,
)
from comptoir.kit.postgres.server import Server, remove, running, start

__all__ = [
    "BinariesMissing",
    "CannotStart",
    "CannotStop",
    "FolderUnusable",
    "InUse",
    "PostgresError",
    "Server",
    "WrongVersion",
    "debian",
    "find_binaries",
    "remove",
    "running",
    "start",
]

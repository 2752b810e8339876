"""Unguessable names and short fingerprints."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable


def token(bytes_: int = 16) -> str:
    """An unguessable name for a public address or a secret: 128 bits unless more are asked for."""
    return secrets.token_urlsafe(bytes_)


def fingerprint(*parts: str | bytes) -> str:
    """SHA-256 over the parts, each with its length before it, so that ("ab", "c") differs from ("a", "bc")."""
    digest = hashlib.sha256()
    for part in _encoded(parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _encoded(parts: Iterable[str | bytes]) -> Iterable[bytes]:
    for part in parts:
        yield part if isinstance(part, bytes) else part.encode()

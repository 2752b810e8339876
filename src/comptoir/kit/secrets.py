"""Credentials at rest: Fernet with several keys, the first encrypts and every one decrypts, so that keys rotate."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from comptoir.kit.errors import ConfigError


class Secret(str):
    """A string that does not show itself in a repr, a log or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


class Box:
    """Encrypts small JSON objects. `keys` are any non-empty strings, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(keys):
            raise ConfigError("no secret key: set COMPTOIR_SECRET_KEY or COMPTOIR_SECRET_KEY_FILE")
        # Loaded where something is sealed: some 50 ms of a command's start.
        from cryptography.fernet import Fernet, MultiFernet

        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])

    def close(self, content: Mapping[str, Any]) -> bytes:
        """Encrypt."""
        return self._fernet.encrypt(json.dumps(content, sort_keys=True).encode())

    def open(self, sealed: bytes | memoryview) -> dict[str, Any]:
        """Decrypt; raises ConfigError when none of the keys fits."""
        from cryptography.fernet import InvalidToken

        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(bytes(sealed)))
        except InvalidToken as error:
            raise ConfigError(
                "stored credentials cannot be read with the present secret key: put the old key second in COMPTOIR_SECRET_KEY"
            ) from error
        return content

    def rotate(self, sealed: bytes) -> bytes:
        """The same content under the newest key."""
        return self._fernet.rotate(bytes(sealed))


def _fernet_key(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"comptoir credentials\0" + key.encode()).digest())

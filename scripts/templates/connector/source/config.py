"""What a merchant types in to connect an Acme account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comptoir.channels.connector import Field
from comptoir.channels.connector import mark as _
from comptoir.kit.errors import BadInput

FIELDS = (
    Field("url", _("Address of the shop"), kind="url"),
    Field("key", _("Webservice key"), secret=True),
)


class AcmeConfig(Struct, frozen=True, kw_only=True):
    """Typed and checked."""

    url: str  # without a slash at the end
    key: str

    def __repr__(self) -> str:
        return f"AcmeConfig({self.url})"


def read(given: Mapping[str, Any]) -> AcmeConfig:
    """From what was typed in; raises BadInput naming the field."""
    url = str(given.get("url", "")).strip().rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise BadInput("the address must start with https://", place="url", value=url, cure="https://shop.example")
    key = str(given.get("key", "")).strip()
    if not key or not key.isascii() or not key.isprintable():
        raise BadInput("this cannot be a key", place="key", value="…", cure="copy it from the account's page")
    return AcmeConfig(url=url, key=key)

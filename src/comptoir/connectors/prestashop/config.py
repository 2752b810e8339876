"""What a merchant types in to connect a PrestaShop shop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comptoir.channels.connector import Field
from comptoir.channels.connector import mark as _
from comptoir.kit.errors import BadInput

FIELDS = (
    Field(
        "url", _("Address of the shop"), kind="url", help=_("https://shop.example, or the address of its webservice.")
    ),
    Field("key", _("Webservice key"), secret=True, help=_("Advanced Parameters → Webservice: 32 characters.")),
    Field(
        "shops", _("Shops"), required=False, help=_("Ids of the shops of a multistore, by comma; empty: all of them.")
    ),
    Field("version", _("Version"), required=False, help=_("Only if the shop hides it, such as 1.7.8.11.")),
    Field(
        "shipped_status",
        _("Status when shipped"),
        required=False,
        help=_("Id of the status that a shipped order gets; empty: the shop's own."),
    ),
    Field("mails", _("The shop e-mails its customers when we ship"), kind="switch", required=False, default="yes"),
)


class PrestaShopConfig(Struct, frozen=True, kw_only=True):
    """Typed and checked. `base` is where resources are; `dispatcher` is true for a shop without address rewriting."""

    base: str
    key: str
    shops: tuple[int, ...] = ()
    version: str = ""
    shipped_status: int = 0
    mails: bool = True

    @property
    def dispatcher(self) -> bool:
        return self.base.endswith(".php")

    @property
    def shop_url(self) -> str:
        """The shop's front, without a slash at the end."""
        return self.base.removesuffix("/webservice/dispatcher.php").removesuffix("/api")

    def __repr__(self) -> str:
        return f"PrestaShopConfig({self.base})"


def read(given: Mapping[str, Any]) -> PrestaShopConfig:
    """From what was typed in; raises BadInput naming the field."""
    url = str(given.get("url", "")).strip()
    base = url.split("?")[0].rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise BadInput("the address must start with https://", place="url", value=base, cure="https://shop.example")
    if not base.endswith(("/api", "/webservice/dispatcher.php")):
        base += "/api"
    key = str(given.get("key", "")).strip()
    if not key.isascii() or not key.isprintable() or not key:
        raise BadInput("this cannot be a key", place="key", value="…", cure="copy the 32 characters from the shop")
    version = str(given.get("version") or "").strip()
    try:
        shops = tuple(int(one) for one in str(given.get("shops") or "").replace(";", ",").split(",") if one.strip())
        status = int(given.get("shipped_status") or 0)
    except ValueError as error:
        raise BadInput("ids are whole numbers", place="shops", value=str(given.get("shops")), cure="1,2") from error
    mails = str(given.get("mails", "yes")).lower() in ("yes", "true", "1", "on", "")
    return PrestaShopConfig(base=base, key=key, shops=shops, version=version, shipped_status=status, mails=mails)

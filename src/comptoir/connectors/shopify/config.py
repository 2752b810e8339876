"""What a merchant types in to connect a Shopify shop, and which versions of its API are spoken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comptoir.channels.connector import Field
from comptoir.channels.connector import mark as _
from comptoir.kit.errors import BadInput

#: Versions that every operation here is held to, and about when each ends: they come each quarter and live for a year.
VERSIONS = {
    "2026-01": "2027-01",
    "2026-04": "2027-04",
    "2026-07": "2027-07",
    "2026-10": "2027-10",
}
VERSION = "2026-07"

FIELDS = (
    Field(
        "url",
        _("Address of the shop"),
        kind="url",
        help=_("https://your-shop.myshopify.com, the address that Shopify gave it, not the one customers see."),
    ),
    Field(
        "client_id",
        _("Client ID"),
        required=False,
        help=_("Of the app that you made in the Dev Dashboard for this shop: Settings → Credentials."),
    ),
    Field(
        "client_secret",
        _("Client secret"),
        secret=True,
        required=False,
        help=_("Beside the client ID. Shopify signs its webhooks with it."),
    ),
    Field(
        "token",
        _("Admin API access token"),
        secret=True,
        required=False,
        help=_("Only for an app made in the shop's admin before 2026: shpat_…"),
    ),
    Field(
        "version",
        _("API version"),
        kind="choice",
        choices=tuple(VERSIONS),
        required=False,
        default=VERSION,
        help=_("Each lives for about a year."),
    ),
    Field(
        "authorized",
        _("Orders may be prepared when the payment is authorised but not captured"),
        kind="switch",
        required=False,
        default="no",
    ),
    Field("mails", _("The shop e-mails its customers when we ship"), kind="switch", required=False, default="yes"),
    Field(
        "refunds",
        _("The shop gives the money back when we cancel"),
        kind="switch",
        required=False,
        default="no",
    ),
)

_ADMIN = re.compile(r"https?://admin\.shopify\.com/store/([a-z0-9][a-z0-9-]*)", re.IGNORECASE)


class ShopifyConfig(Struct, frozen=True, kw_only=True):
    """Typed and checked. `base` is the shop's own address, without a slash at the end."""

    base: str
    client_id: str = ""
    client_secret: str = ""
    token: str = ""
    version: str = VERSION
    authorized: bool = False
    mails: bool = True
    refunds: bool = False

    @property
    def endpoint(self) -> str:
        return f"{self.base}/admin/api/{self.version}/graphql.json"

    def __repr__(self) -> str:
        return f"ShopifyConfig({self.base}, {self.version})"


def read(given: Mapping[str, Any]) -> ShopifyConfig:
    """From what was typed in; raises BadInput naming the field."""
    version = str(given.get("version") or VERSION).strip()
    if version not in VERSIONS:
        raise BadInput("this version is not spoken here", place="version", value=version, cure=", ".join(VERSIONS))
    client_id, secret, token = (_secret(given, name) for name in ("client_id", "client_secret", "token"))
    if not token and not (client_id and secret):
        raise BadInput(
            "either a client ID with its secret, or an access token",
            place="client_secret" if client_id else "client_id",
            value="",
            cure="Dev Dashboard → your app → Settings → Credentials",
        )
    return ShopifyConfig(
        base=_base(str(given.get("url", "")).strip()),
        client_id=client_id,
        client_secret=secret,
        token=token,
        version=version,
        authorized=_is_on(given.get("authorized", "no")),
        mails=_is_on(given.get("mails", "yes")),
        refunds=_is_on(given.get("refunds", "no")),
    )


def _base(typed: str) -> str:
    """The shop's address from what people copy: the address, the domain alone, its first part, or the admin's page."""
    if found := _ADMIN.match(typed):
        return f"https://{found[1].lower()}.myshopify.com"
    if typed and "://" not in typed:
        typed = f"https://{typed}" if "." in typed else f"https://{typed}.myshopify.com"
    base = "/".join(typed.split("?")[0].split("/")[:3])
    if not base.startswith(("http://", "https://")) or not base.partition("://")[2]:
        raise BadInput(
            "the address must start with https://", place="url", value=typed, cure="https://your-shop.myshopify.com"
        )
    return base


def _secret(given: Mapping[str, Any], name: str) -> str:
    text = str(given.get(name) or "").strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BadInput("this cannot be one", place=name, value="…", cure="copy it again")
    return text


def _is_on(given: object) -> bool:
    return str(given).lower() in ("yes", "true", "1", "on")

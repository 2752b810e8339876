"""What a merchant types in to connect a WooCommerce shop."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from comptoir.channels.connector import Field
from comptoir.channels.connector import mark as _
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings

#: how parcels are told, as the field's choices name it
TRACKING = ("auto", "fulfillments", "shipment_tracking", "advanced_shipment_tracking", "note")

FIELDS = (
    Field("url", _("Address of the shop"), kind="url", help=_("https://shop.example, where WordPress is.")),
    Field(
        "key",
        _("Consumer key"),
        secret=True,
        help=_("WooCommerce → Settings → Advanced → REST API: begins with ck_; rights: Read/Write."),
    ),
    Field("secret", _("Consumer secret"), secret=True, help=_("Shown once beside the key: begins with cs_.")),
    Field(
        "keys_in_address",
        _("Send the keys in the address"),
        kind="switch",
        required=False,
        help=_("Only for a web server that takes the “Authorization” header away; https only."),
    ),
    Field(
        "good_methods",
        _("Payment methods that count as paid"),
        required=False,
        default="cod",
        help=_("By comma: their orders are prepared once the shop calls them processing, as with cash on delivery."),
    ),
    Field(
        "counts_all",
        _("Count what the shop does not count"),
        kind="switch",
        required=False,
        default="no",
        help=_(
            "Off: products without stock management stay on sale there without limit, and no level of theirs is told."
        ),
    ),
    Field(
        "tracking",
        _("How parcels are told"),
        kind="choice",
        required=False,
        choices=TRACKING,
        default="auto",
        help=_("auto: by what the shop has, else a note to the customer."),
    ),
    Field("mails", _("The shop e-mails its customers when we ship"), kind="switch", required=False, default="yes"),
)

_SWITCHED_ON = ("yes", "true", "1", "on")
#: names that lead nowhere on the internet (RFC 6761, 6762, 8375, and what offices use)
_PRIVATE_ENDINGS = (".localhost", ".local", ".test", ".internal", ".lan", ".home.arpa")


class WooCommerceConfig(Struct, frozen=True, kw_only=True):
    """Typed and checked. `site` is where WordPress is, without a slash at the end; `plain`: its addresses are not rewritten,
    so that REST answers at `?rest_route=` alone."""

    site: str
    key: str
    secret: str
    plain: bool = False
    keys_in_address: bool = False
    good_methods: frozenset[str] = frozenset()
    counts_all: bool = False
    tracking: str = "auto"
    mails: bool = True

    @property
    def is_secure(self) -> bool:
        return self.site.startswith("https://")

    def __repr__(self) -> str:
        return f"WooCommerceConfig({self.site})"


def read(given: Mapping[str, Any]) -> WooCommerceConfig:
    """From what was typed in; raises BadInput naming the field."""
    typed = str(given.get("url", "")).strip()
    site = typed.split("#")[0].split("?")[0].rstrip("/")
    if not site.startswith(("http://", "https://")) or not urlsplit(site).hostname:
        raise BadInput("the address must start with https://", place="url", value=site, cure="https://shop.example")
    site = site.split("/wp-json")[0].removesuffix("/index.php").rstrip("/")
    _refuse_open_lines(site)
    tracking = str(given.get("tracking") or "auto")
    if tracking not in TRACKING:
        raise BadInput("there is no such way", place="tracking", value=tracking, cure=", ".join(TRACKING))
    methods = str(given.get("good_methods", "cod")).replace(";", ",").split(",")
    return WooCommerceConfig(
        site=site,
        key=_key(given, "key", "ck_"),
        secret=_key(given, "secret", "cs_"),
        plain="rest_route=" in typed,
        keys_in_address=_is_on(given.get("keys_in_address"), default="no"),
        good_methods=frozenset(one.strip() for one in methods if one.strip()),
        counts_all=_is_on(given.get("counts_all"), default="no"),
        tracking=tracking,
        mails=_is_on(given.get("mails"), default="yes"),
    )


def _is_on(given: object, *, default: str) -> bool:
    return str(given or default).lower() in _SWITCHED_ON


def _key(given: Mapping[str, Any], name: str, beginning: str) -> str:
    text = str(given.get(name, "")).strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise BadInput(
            "this cannot be a key", place=name, value="…" if text else "", cure=f"copy it whole: {beginning}…"
        )
    return text


def _refuse_open_lines(site: str) -> None:
    """Without TLS anybody on the way reads orders and addresses, signed or not: only inside one's own network."""
    host = urlsplit(site).hostname or ""
    if site.startswith("https://") or settings().allow_private_addresses or _is_private(host):
        return
    raise BadInput(
        "an address on the internet must be https://: what is sent by http:// can be read on the way",
        place="url",
        value=site,
        cure="https://" + site.removeprefix("http://"),
    )


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_ENDINGS)

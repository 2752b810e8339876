"""What a merchant types in to connect a Magento shop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from comptoir.channels.connector import Field
from comptoir.channels.connector import mark as _
from comptoir.kit.errors import BadInput

FIELDS = (
    Field("url", _("Address of the shop"), kind="url", help=_("https://shop.example, without /rest.")),
    Field(
        "access_token",
        _("Access token"),
        secret=True,
        help=_("System → Extensions → Integrations: the token of an active integration."),
    ),
    Field(
        "access_token_secret",
        _("Access token secret"),
        secret=True,
        required=False,
        help=_("With it and both consumer keys every call is signed, which every shop takes."),
    ),
    Field("consumer_key", _("Consumer key"), required=False),
    Field("consumer_secret", _("Consumer secret"), secret=True, required=False),
    Field(
        "store",
        _("Store view"),
        required=False,
        help=_("Code of the store view whose names and prices are read; empty: the default one."),
    ),
    Field(
        "offline",
        _("Payment methods shipped before they are paid"),
        required=False,
        help=_("Codes by comma, such as cashondelivery."),
    ),
    Field(
        "barcode",
        _("Barcode attribute"),
        required=False,
        help=_("Code of the attribute that holds the EAN or GTIN, such as ean."),
    ),
    Field(
        "brand",
        _("Brand attribute"),
        required=False,
        default="manufacturer",
        help=_("Code of the attribute that holds the brand."),
    ),
    Field("taxed", _("Catalogue prices include tax"), kind="switch", required=False, default="no"),
    Field(
        "country",
        _("Country for tax rates"),
        required=False,
        help=_("Two letters, such as FR: whose tax rates are meant where prices are converted."),
    ),
    Field(
        "invoices",
        _("Invoice an order when it ships, if the shop has not"),
        kind="switch",
        required=False,
        default="no",
    ),
    Field("mails", _("The shop e-mails its customers when we ship"), kind="switch", required=False, default="yes"),
    Field(
        "bulk",
        _("Send many levels at once through the shop's queue"),
        kind="switch",
        required=False,
        default="no",
        help=_("Only where its queue consumer runs; the hub looks before it relies on it."),
    ),
)

_ON = ("yes", "true", "1", "on")


class MagentoConfig(Struct, frozen=True, kw_only=True):
    """Typed and checked. `base` is the shop's address; `signs` is true where all four keys are there."""

    base: str
    access_token: str
    access_token_secret: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    store: str = ""
    offline: frozenset[str] = frozenset()
    barcode: str = ""
    brand: str = ""
    taxed: bool = False
    country: str = ""
    invoices: bool = False
    mails: bool = True
    bulk: bool = False

    @property
    def signs(self) -> bool:
        return bool(self.access_token_secret)

    def __repr__(self) -> str:
        return f"MagentoConfig({self.base})"


def read(given: Mapping[str, Any]) -> MagentoConfig:
    """From what was typed in; raises BadInput naming the field."""
    base = str(given.get("url", "")).strip().split("?")[0].rstrip("/")
    base = base.partition("/rest/")[0].removesuffix("/rest")
    if not base.startswith(("http://", "https://")):
        raise BadInput("the address must start with https://", place="url", value=base, cure="https://shop.example")
    keys = {
        name: _key(given, name) for name in ("access_token", "access_token_secret", "consumer_key", "consumer_secret")
    }
    if not keys["access_token"]:
        raise BadInput("this cannot be a key", place="access_token", value="…", cure="copy it from the integration")
    signing = ("consumer_key", "consumer_secret", "access_token_secret")
    if any(keys[name] for name in signing) and (lacking := [name for name in signing if not keys[name]]):
        raise BadInput(
            "signing takes all four keys of the integration",
            place=lacking[0],
            value="…",
            cure="copy all four, or none but the token",
        )
    country = _text(given, "country").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadInput("a country is two letters", place="country", value=country, cure="FR")
    store = _text(given, "store")
    if store and not (store.isascii() and store.replace("_", "").isalnum()):
        raise BadInput("this cannot be the code of a store view", place="store", value=store, cure="default")
    return MagentoConfig(
        base=base,
        **keys,
        store=store,
        offline=frozenset(one.strip() for one in _text(given, "offline").replace(";", ",").split(",") if one.strip()),
        barcode=_text(given, "barcode"),
        brand=_text(given, "brand", "manufacturer"),
        taxed=_switch(given, "taxed", "no"),
        country=country,
        invoices=_switch(given, "invoices", "no"),
        mails=_switch(given, "mails", "yes"),
        bulk=_switch(given, "bulk", "no"),
    )


def _text(given: Mapping[str, Any], name: str, default: str = "") -> str:
    found = given.get(name)
    return default if found is None else str(found).strip()


def _switch(given: Mapping[str, Any], name: str, default: str) -> bool:
    return (_text(given, name, default) or default).lower() in _ON


def _key(given: Mapping[str, Any], name: str) -> str:
    key = _text(given, name)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput("this cannot be a key", place=name, value="…", cure="copy it from the integration")
    return key

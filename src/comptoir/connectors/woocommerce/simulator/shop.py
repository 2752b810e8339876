"""What an installed shop has before the first product: settings, keys, taxes, ways to pay and to ship, statuses of orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from comptoir.connectors.woocommerce.simulator.store import Store, whole
from comptoir.simulators.clock import Clock

DEMO_KEY = "ck_c0mpt01r5imu1atedsh0pkey0000000000000001"
DEMO_SECRET = "cs_c0mpt01r5imu1atedsh0psecret0000000000001"  # noqa: S105 - of a simulated shop

#: slug -> name, in the shop's order
CORE_STATUSES = {
    "pending": "Pending payment",
    "processing": "Processing",
    "on-hold": "On hold",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "failed": "Failed",
}
HIDDEN_STATUSES = ("checkout-draft", "auto-draft", "trash")

SETTINGS = {
    "general": ("woocommerce_currency", "woocommerce_default_country"),
    "tax": ("woocommerce_prices_include_tax", "woocommerce_tax_round_at_subtotal", "woocommerce_calc_taxes"),
    "products": (
        "woocommerce_manage_stock",
        "woocommerce_hold_stock_minutes",
        "woocommerce_weight_unit",
        "woocommerce_dimension_unit",
    ),
}
GATEWAYS = {
    "bacs": "Direct bank transfer",
    "cheque": "Cheque payments",
    "cod": "Cash on delivery",
    "stripe": "Credit card (Stripe)",
}
#: zone -> (name, methods: (instance, method, title))
ZONES: dict[int, tuple[str, tuple[tuple[int, str, str], ...]]] = {
    0: ("Locations not covered by your other zones", ((4, "flat_rate", "Rest of the world"),)),
    1: ("United Kingdom", ((1, "flat_rate", "Flat rate"), (2, "local_pickup", "Collect in the shop"))),
    2: ("Europe", ((3, "flat_rate", "Europe tracked"),)),
}
TAX_CLASSES = {"standard": "Standard rate", "reduced-rate": "Reduced rate", "zero-rate": "Zero rate"}
TAXES = (
    {"id": 1, "country": "GB", "rate": "20.0000", "name": "VAT", "class": "standard"},
    {"id": 2, "country": "FR", "rate": "20.0000", "name": "TVA", "class": "standard"},
    {"id": 3, "country": "GB", "rate": "5.0000", "name": "VAT reduced", "class": "reduced-rate"},
    {"id": 4, "country": "FR", "rate": "5.5000", "name": "TVA réduite", "class": "reduced-rate"},
    {"id": 5, "country": "GB", "rate": "0.0000", "name": "Zero", "class": "zero-rate"},
)


@dataclass
class Quirks:
    """Misbehaviour that belongs to the shop or its host rather than to the connection."""

    strips_authorization: bool = False  #: the web server takes the Authorization header away
    permalinks_off: bool = False  #: /wp-json/ is not there; only ?rest_route= answers
    maintenance: bool = False  #: an HTML page with 503 for every request
    firewall: bool = False  #: 403 with an HTML page for every write
    ignores_modified: bool = False  #: a very old shop: modified_after and modified_before do nothing
    weighs: float = 0  #: a batch of more objects than this takes too long (500), with what was done before it done


class Base:
    """Store, clock, settings, keys."""

    def __init__(self, clock: Clock, *, timezone: str, version: str, path: Path | None, currency: str) -> None:
        self.clock = clock
        self.version = version
        self.quirks = Quirks()
        self._zone: tuple[str, tzinfo] = ("", timezone_of(timezone))
        self.store = Store(path, clock.now, lambda at: at.astimezone(self.timezone))
        if self.store.option("timezone") is None:
            with self.store.transaction():
                self._install(timezone, currency)

    @property
    def timezone(self) -> tzinfo:
        """The site's zone: a name, or an offset in hours as WordPress allows."""
        name = str(self.store.option("timezone", "UTC"))
        if self._zone[0] != name:
            self._zone = (name, timezone_of(name))
        return self._zone[1]

    def at_least(self, *version: int) -> bool:
        """Whether this version of WooCommerce, or a later one, is installed."""
        return tuple(int(part) for part in self.version.split(".")[: len(version)]) >= version

    def setting(self, name: str) -> str:
        """A WooCommerce option."""
        return str(self.store.option(name, ""))

    def configure(self, name: str, value: Any) -> None:
        """Change a setting as the merchant does."""
        self.store.set_option(name, value)

    def add_key(self, key: str, secret: str, rights: str = "read_write", *, manages: bool = True) -> None:
        """Make or replace a REST key: rights `read`, `write` or `read_write`; `manages`: its user may manage the shop."""
        keys = dict(self.store.option("keys", {}))
        keys[key] = {"secret": secret, "rights": rights, "manages": manages}
        self.store.set_option("keys", keys)

    def revoke_key(self, key: str) -> None:
        """Delete a key, as the merchant does."""
        keys = dict(self.store.option("keys", {}))
        keys.pop(key)
        self.store.set_option("keys", keys)

    def add_status(self, slug: str, name: str) -> None:
        """A plugin brings a status of orders of its own."""
        self.store.set_option("plugin_statuses", {**self.store.option("plugin_statuses", {}), slug: name})

    def add_plugin(self, name: str) -> None:
        """Install `shipment-tracking`, `ast` or `fulfillments` (the core feature, from 10.1)."""
        self.store.set_option("plugins", sorted({*self.store.option("plugins", []), name}))

    def has_plugin(self, name: str) -> bool:
        """Whether it is there and works with this version."""
        return name in self.store.option("plugins", []) and (name != "fulfillments" or self.at_least(10, 1))

    @property
    def statuses(self) -> dict[str, str]:
        """Slug and name of every status an order can be in, plugins' included."""
        return {**CORE_STATUSES, **self.store.option("plugin_statuses", {})}

    def set_quirk(self, name: str, value: Any = True) -> None:
        """Switch one misbehaviour on or off."""
        if not hasattr(self.quirks, name):
            raise KeyError(f"no quirk {name}")
        setattr(self.quirks, name, value)

    def local(self, stamp: str) -> str:
        """A GMT stamp in the site's time, without a zone."""
        moment = datetime.fromisoformat(stamp + "+00:00")
        return moment.astimezone(self.timezone).strftime("%Y-%m-%dT%H:%M:%S")

    def gmt(self, at: datetime | None = None) -> str:
        """A moment as the tables keep it."""
        return (at or self.clock.now()).strftime("%Y-%m-%dT%H:%M:%S")

    @whole
    def _install(self, timezone: str, currency: str) -> None:
        for name, value in {
            "timezone": timezone,
            "blogname": "Gifts and Lights",
            "woocommerce_currency": currency,
            "woocommerce_default_country": "FR" if currency == "EUR" else "GB",
            "woocommerce_prices_include_tax": "no",
            "woocommerce_tax_round_at_subtotal": "no",
            "woocommerce_calc_taxes": "yes",
            "woocommerce_manage_stock": "yes",
            "woocommerce_hold_stock_minutes": "60",
            "woocommerce_weight_unit": "kg",
            "woocommerce_dimension_unit": "cm",
        }.items():
            self.store.set_option(name, value)


def timezone_of(name: str) -> tzinfo:
    """ "Europe/Paris", or an offset such as "+5.5"."""
    if name[:1] in "+-":
        return timezone(timedelta(hours=float(name)))
    return ZoneInfo(name)

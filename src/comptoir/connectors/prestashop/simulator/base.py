"""What an installed shop has before the first product: settings, languages, money, places, states of orders, carriers, keys."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from comptoir.connectors.prestashop.simulator.resources import hub_rights
from comptoir.connectors.prestashop.simulator.store import Row, Store, whole
from comptoir.simulators.clock import Clock

DEMO_KEY = "C0MPT01RSIMULATEDSHOPKEY00000001"

#: name, logable, paid, invoice, shipped, delivery, send_email, template, configuration
DEFAULT_STATES = (
    ("Awaiting cheque payment", 0, 0, 0, 0, 0, 1, "cheque", "PS_OS_CHEQUE"),
    ("Payment accepted", 1, 1, 1, 0, 0, 1, "payment", "PS_OS_PAYMENT"),
    ("Processing in progress", 1, 1, 1, 0, 1, 1, "preparation", "PS_OS_PREPARATION"),
    ("Shipped", 1, 1, 1, 1, 1, 1, "shipped", "PS_OS_SHIPPING"),
    ("Delivered", 1, 1, 1, 1, 1, 0, "", "PS_OS_DELIVERED"),
    ("Cancelled", 0, 0, 0, 0, 0, 1, "order_canceled", "PS_OS_CANCELED"),
    ("Refunded", 0, 0, 1, 0, 0, 1, "refund", "PS_OS_REFUND"),
    ("Payment error", 0, 0, 0, 0, 0, 1, "payment_error", "PS_OS_ERROR"),
    ("On backorder (paid)", 0, 1, 1, 0, 0, 1, "outofstock", "PS_OS_OUTOFSTOCK_PAID"),
    ("Awaiting bank wire payment", 0, 0, 0, 0, 0, 1, "bankwire", "PS_OS_BANKWIRE"),
    ("Remote payment accepted", 1, 1, 1, 0, 0, 1, "payment", "PS_OS_WS_PAYMENT"),
    ("On backorder (not paid)", 0, 0, 0, 0, 0, 1, "outofstock", "PS_OS_OUTOFSTOCK_UNPAID"),
    ("Awaiting cash on delivery validation", 0, 0, 0, 0, 0, 1, "cashondelivery", "PS_OS_COD_VALIDATION"),
)

COUNTRIES = (
    ("GB", "United Kingdom", "Royaume-Uni", 0),
    ("FR", "France", "France", 0),
    ("DE", "Germany", "Allemagne", 0),
    ("US", "United States", "États-Unis", 1),
    ("ES", "Spain", "Espagne", 0),
    ("IE", "Ireland", "Irlande", 0),
    ("NL", "Netherlands", "Pays-Bas", 0),
    ("BE", "Belgium", "Belgique", 0),
    ("AU", "Australia", "Australie", 0),
    ("NO", "Norway", "Norvège", 0),
)


@dataclass
class Key:
    """One webservice key."""

    rights: dict[str, set[str]] = field(default_factory=hub_rights)
    active: bool = True
    shops: set[int] | None = None  #: None: every shop


@dataclass
class Quirks:
    """Misbehaviour that belongs to the shop rather than to the connection."""

    mail_fails: bool = False  #: sending any e-mail fails
    history_mail_500: bool = False  #: `order_histories?sendemail=1` answers 500 although it was done (seen on 1.7.6)
    duplicate_history: bool = False  #: `current_state` by PUT writes its history row twice (older versions)
    maintenance: bool = False  #: an HTML page with 503 for every request


class Base:
    """Store, clock, settings and the rows that every installation has."""

    def __init__(self, clock: Clock, *, timezone: str, version: str, path: Path | None, currency: str = "GBP") -> None:
        self.clock = clock
        self.store = Store(path)
        self.quirks = Quirks()
        self.keys: dict[str, Key] = {}
        self.version = version
        self._places: dict[int, tuple[int, int]] = {}
        if self.store.value("SELECT count(*) FROM meta") == 0:
            with self.store.transaction():
                self._install(timezone, currency)
        else:
            self.store.languages = [row["id"] for row in self.store.rows("SELECT id FROM languages ORDER BY id")]
            self._read_meta()

    # Time -------------------------------------------------------------------------------------------------------

    @cached_property
    def timezone(self) -> ZoneInfo:
        """The shop's zone, from its own configuration."""
        return ZoneInfo(self.configuration("PS_TIMEZONE"))

    def shop_time(self, at: datetime | None = None) -> str:
        """A moment as the shop writes it: local, without zone; in autumn one hour comes twice."""
        return (at or self.clock.now()).astimezone(self.timezone).strftime("%Y-%m-%d %H:%M:%S")

    # Settings ---------------------------------------------------------------------------------------------------

    def configuration(self, name: str) -> str:
        """The value of a setting, or ''."""
        return str(self.store.value("SELECT value FROM configurations WHERE name = ? COLLATE NOCASE", (name,)) or "")

    @whole
    def configure(self, name: str, value: str) -> None:
        """Set or add a setting."""
        found = self.store.value("SELECT id FROM configurations WHERE name = ? COLLATE NOCASE", (name,))
        now = self.shop_time()
        if found is None:
            self.store.insert("configurations", name=name, value=value, date_add=now, date_upd=now)
        else:
            self.store.update("configurations", found, value=value, date_upd=now)
        self.__dict__.pop("timezone", None)

    @whole
    def add_key(
        self,
        key: str,
        rights: dict[str, set[str]] | None = None,
        *,
        active: bool = True,
        shops: set[int] | None = None,
    ) -> None:
        """Make or replace a webservice key; the hub's rights by default."""
        self.keys[key] = Key(hub_rights() if rights is None else rights, active, shops)
        self._write_meta()

    def revoke_key(self, key: str) -> None:
        """Switch a key off, as the merchant does."""
        self.keys[key].active = False
        self._write_meta()

    def set_quirk(self, name: str, value: bool = True) -> None:
        """Switch one misbehaviour on or off."""
        if not hasattr(self.quirks, name):
            raise KeyError(f"no quirk {name}")
        setattr(self.quirks, name, value)

    def _write_meta(self) -> None:
        keys = {
            key: {
                "rights": {name: sorted(methods) for name, methods in one.rights.items()},
                "active": one.active,
                "shops": sorted(one.shops) if one.shops is not None else None,
            }
            for key, one in self.keys.items()
        }
        self.store.execute("INSERT OR REPLACE INTO meta VALUES ('keys', ?)", (json.dumps(keys),))

    def _read_meta(self) -> None:
        for key, one in json.loads(self.store.value("SELECT value FROM meta WHERE name = 'keys'") or "{}").items():
            rights = {name: set(methods) for name, methods in one["rights"].items()}
            self.keys[key] = Key(rights, one["active"], set(one["shops"]) if one["shops"] is not None else None)

    # Rows of an installation ------------------------------------------------------------------------------------

    def _install(self, timezone: str, currency: str) -> None:
        insert = self.store.insert
        self.store.languages = [1, 2]
        insert("languages", name="English (English)", iso_code="en", locale="en-GB", language_code="en-gb", active=1)
        insert("languages", name="Français (French)", iso_code="fr", locale="fr-FR", language_code="fr-fr", active=1)
        settings = {
            "PS_TIMEZONE": timezone,
            "PS_LANG_DEFAULT": "1",
            "PS_CURRENCY_DEFAULT": "1",
            "PS_COUNTRY_DEFAULT": "1",
            "PS_SHOP_DEFAULT": "1",
            "PS_SHOP_NAME": "Gifts and Lights",
            "PS_SHOP_ENABLE": "1",
            "PS_WEBSERVICE": "1",
            "PS_WEIGHT_UNIT": "kg",
            "PS_DIMENSION_UNIT": "cm",
            "PS_ORDER_OUT_OF_STOCK": "0",
            "PS_STOCK_MANAGEMENT": "1",
            "PS_ADVANCED_STOCK_MANAGEMENT": "0",
            "PS_PACK_STOCK_TYPE": "0",
            "PS_PRICE_ROUND_MODE": "2",
            "PS_ROUND_TYPE": "1",
            "PS_TAX": "1",
            "PS_INVOICE": "1",
            "PS_MULTISHOP_FEATURE_ACTIVE": "0",
            "PS_VERSION_DB": self.version,
            "PS_LIMIT_UPLOAD_IMAGE_VALUE": "2.00",
        }
        now = self.shop_time_in(timezone)
        for name, value in settings.items():
            insert("configurations", name=name, value=value, date_add=now, date_upd=now)
        insert("shop_groups", name="Default", active=1)
        insert("shops", id_shop_group=1, id_category=2, active=1, name="Gifts and Lights", theme_name="classic")
        rates = {"GBP": ("Pound Sterling", "£", "826"), "EUR": ("Euro", "€", "978"), "USD": ("US Dollar", "$", "840")}
        worth = {"GBP": "1", "EUR": "1.17", "USD": "1.27"}
        for code in (currency, *(code for code in rates if code != currency)):
            name, symbol, number = rates.get(code, (code, code, "000"))
            rate = worth.get(code, "1") if code != currency else "1"
            insert(
                "currencies",
                name=name,
                symbol=symbol,
                iso_code=code,
                numeric_iso_code=number,
                precision=2,
                conversion_rate=rate,
                active=1,
            )
        for code, english, french, states in COUNTRIES:
            insert(
                "countries",
                id_zone=1,
                iso_code=code,
                active=1,
                contains_states=states,
                name={1: english, 2: french},
                display_tax_label=1,
            )
        for code, name in (("NY", "New York"), ("CA", "California"), ("TX", "Texas")):
            insert("states", id_zone=2, id_country=4, iso_code=code, name=name, active=1)
        for name, rate in (("VAT standard", "20"), ("VAT reduced", "5")):
            tax = insert("taxes", rate=rate, active=1, name=name)
            group = insert("tax_rule_groups", name=name, active=1, date_add=now, date_upd=now)
            for country in range(1, len(COUNTRIES) + 1):
                insert("tax_rules", id_tax_rules_group=group, id_country=country, id_tax=tax)
        for name, url, free in (
            ("Click and collect", "", 1),
            ("My carrier", "https://track.example/@", 0),
            ("Letter post", "", 0),
        ):
            carrier = insert(
                "carriers", name=name, url=url, is_free=free, active=1, id_tax_rules_group=1, delay="2 to 3 days"
            )
            self.store.update("carriers", carrier, id_reference=carrier)
        for name, logable, paid, invoice, shipped, delivery, mail, template, setting in DEFAULT_STATES:
            state = insert(
                "order_states",
                name=name,
                logable=logable,
                paid=paid,
                invoice=invoice,
                shipped=shipped,
                delivery=delivery,
                send_email=mail,
                template=template,
                unremovable=1,
                color="#4169E1",
            )
            self.configure(setting, str(state))
        # A state that the merchant made: valid and paid, unknown to any table of defaults.
        insert("order_states", name={1: "Gift wrapping", 2: "Emballage cadeau"}, logable=1, paid=1, color="#FF8C00")
        insert("categories", active=1, name="Root", link_rewrite="root", date_add=now, date_upd=now, is_root_category=0)
        insert(
            "categories",
            id_parent=1,
            active=1,
            name={1: "Home", 2: "Accueil"},
            link_rewrite="home",
            is_root_category=1,
            date_add=now,
            date_upd=now,
        )
        for name, size in (("small_default", 16), ("home_default", 32), ("large_default", 64)):
            insert("image_types", name=name, width=size, height=size, products=1)
        self._write_meta()

    def shop_time_in(self, timezone: str) -> str:
        """Now in a named zone, before the shop knows its own."""
        return self.clock.now().astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S")

    # Shops ------------------------------------------------------------------------------------------------------

    @whole
    def add_shop(self, name: str, *, group: int | None = None, share_stock: bool = False) -> int:
        """A further shop of a multistore; without a group it gets one of its own."""
        if group is None:
            group = self.store.insert("shop_groups", name=name, active=1, share_stock=share_stock)
        self.configure("PS_MULTISHOP_FEATURE_ACTIVE", "1")
        return self.store.insert("shops", id_shop_group=group, id_category=2, active=1, name=name, theme_name="classic")

    def stock_place(self, shop: int) -> tuple[int, int]:
        """Where the stock of a shop is written: (shop, 0), or (0, group) where the group shares it."""
        if shop not in self._places:
            group = self.group_of(shop)
            shares = self.store.value("SELECT share_stock FROM shop_groups WHERE id = ?", (group,))
            self._places[shop] = (0, group) if shares else (shop, 0)
        return self._places[shop]

    def group_of(self, shop: int) -> int:
        """The group of a shop."""
        return int(self.store.value("SELECT id_shop_group FROM shops WHERE id = ?", (shop,)) or 0)

    def state(self, identity: int) -> Row:
        """One order state."""
        found = self.store.get("order_states", identity)
        if found is None:
            raise LookupError(f"no order state {identity}")
        return found

    def configured_state(self, name: str) -> int:
        """The id of an order state by the name of its setting, such as PS_OS_PAYMENT."""
        return int(self.configuration(name) or 0)

    def mail(self, template: str, order: int) -> bool:
        """Send an e-mail; False when mail is broken today."""
        if self.quirks.mail_fails:
            return False
        self.store.execute(
            "INSERT INTO mails (template, id_order, at) VALUES (?, ?, ?)", (template, order, self.shop_time())
        )
        return True

    def mails(self) -> list[Row]:
        """Every e-mail sent."""
        return self.store.rows("SELECT * FROM mails ORDER BY id")

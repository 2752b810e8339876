"""What is asked once and used for every row of a reading: settings, states, currencies, countries, carriers, shops."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property
from typing import TypeVar
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from msgspec import Struct

from comptoir.channels.errors import NotLetIn, NotUnderstood
from comptoir.channels.records import Odd, TaxClass
from comptoir.connectors.prestashop import reading, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of, lacks_right

T = TypeVar("T", bound=Struct)
Context = tuple[tuple[str, str], ...]  # parameters that say in which shop

SETTINGS = (
    "PS_TIMEZONE",
    "PS_LANG_DEFAULT",
    "PS_CURRENCY_DEFAULT",
    "PS_COUNTRY_DEFAULT",
    "PS_SHOP_DEFAULT",
    "PS_SHOP_NAME",
    "PS_WEIGHT_UNIT",
    "PS_PACK_STOCK_TYPE",
    "PS_MULTISHOP_FEATURE_ACTIVE",
    "PS_OS_CANCELED",
    "PS_OS_REFUND",
    "PS_OS_ERROR",
    "PS_OS_SHIPPING",
)


class Lookups:
    """Lives as long as one opened channel; each table is read when it is first needed."""

    def __init__(self, client: PrestaShopClient) -> None:
        self._client = client
        self._asked_again: set[tuple[str, int]] = set()
        self._option_values: dict[int, wire.OptionValue] = {}
        self._kinds: dict[int, wire.ProductKind] = {}

    def table(self, resource: str, kind: type[T], *, display: str = "full") -> dict[int, T]:
        """A whole list by id; a row that cannot be understood is noted and left out."""
        found: dict[int, T] = {}
        for element in reading.all_of(self._client, resource, display=display):
            try:
                row = wire.typed(kind, element)
            except NotUnderstood as error:
                self._client.note(malformed(resource, element, error))
                continue
            found[row.id] = row  # type: ignore[attr-defined]  # every wire struct that is a table has an id
        return found

    @cached_property
    def settings(self) -> dict[str, str]:
        """The shop's configuration; a value of the whole installation goes before that of one shop."""
        found: dict[str, tuple[bool, str]] = {}
        for element in self._client.rows("configurations", filters={"name": any_of(SETTINGS)}):
            row = wire.typed(wire.Setting, element)
            own = bool(row.id_shop or row.id_shop_group)
            if row.name not in found or (found[row.name][0] and not own):
                found[row.name] = (own, row.value)
        return {name: value for name, (_, value) in found.items()}

    def setting(self, name: str) -> int:
        """A setting that is an id; 0 where it is not set."""
        text = self.settings.get(name, "")
        return int(text) if text.isdigit() else 0

    @cached_property
    def zone(self) -> ZoneInfo:
        """The shop's time zone; without one no stamp of the shop means anything."""
        name = self.settings.get("PS_TIMEZONE", "")
        try:
            return ZoneInfo(name)
        except (ValueError, KeyError, OSError) as error:
            raise NotUnderstood(f"the shop's time zone is {name!r}", answer=name) from error

    @cached_property
    def language(self) -> int:
        return self.setting("PS_LANG_DEFAULT") or 1

    @cached_property
    def languages(self) -> dict[int, wire.Coded]:
        return self.table("languages", wire.Coded)

    @cached_property
    def currencies(self) -> dict[int, wire.Coded]:
        return self.table("currencies", wire.Coded)

    @cached_property
    def base_currency(self) -> str:
        return self.currency(self.setting("PS_CURRENCY_DEFAULT"))

    def currency(self, identity: int) -> str:
        """ISO code of a currency, '' where the shop has none that could be one."""
        row = self.currencies.get(identity)
        code = row.iso_code.upper() if row else ""
        return code if len(code) == 3 and code.isascii() and code.isalpha() else ""

    @cached_property
    def tax_rates(self) -> dict[int, Decimal]:
        """What the shop charges in its own country by group of tax rules, in percent; of rules for parts of the country, such
        as islands by postcode, none. Empty where the key may not read it: then somebody here has to say it."""
        country = self.setting("PS_COUNTRY_DEFAULT")
        try:
            taxes = {row.id: row for row in self.table("taxes", wire.Tax).values() if row.active}
            rules = [
                wire.typed(wire.TaxRule, element)
                for element in reading.all_of(self._client, "tax_rules", filters={"id_country": f"[{country}]"})
            ]
        except NotLetIn as error:
            if not (right := lacks_right(error)):
                raise
            self._client.note(Odd(code="right_missing", subject="shop", severity="info", facts={"right": right}))
            return {}
        found: dict[int, Decimal] = {}
        for rule in rules:
            if not rule.id_state and rule.zipcode_from in ("", "0") and rule.id_tax in taxes:
                found.setdefault(rule.id_tax_rules_group, taxes[rule.id_tax].rate)
        return found

    def tax_classes(self) -> tuple[TaxClass, ...]:
        """Groups of tax rules that products may have, each with the rate of the shop's own country. None where the key may
        not read them."""
        try:
            groups = self.table("tax_rule_groups", wire.TaxRuleGroup)
        except NotLetIn as error:
            if not lacks_right(error):
                raise
            return ()
        return tuple(
            TaxClass(external_id=str(row.id), name=row.name, rate=self.tax_rates.get(row.id))
            for row in groups.values()
            if row.active and not row.deleted
        )

    @cached_property
    def countries(self) -> dict[int, wire.Coded]:
        return self.table("countries", wire.Coded, display="[id,iso_code]")

    @cached_property
    def regions(self) -> dict[int, wire.Coded]:
        return self.table("states", wire.Coded, display="[id,iso_code]")

    @cached_property
    def states(self) -> dict[int, wire.OrderState]:
        return self.table("order_states", wire.OrderState)

    @cached_property
    def carriers(self) -> dict[int, wire.Carrier]:
        return self.table("carriers", wire.Carrier)

    def carrier(self, identity: int) -> wire.Carrier | None:
        """A carrier; each edit in the shop makes a new id, so one that we do not know is asked for again, once."""
        if identity and identity not in self.carriers and self._first_time("carriers", identity):
            del self.carriers
        return self.carriers.get(identity)

    def knows_state(self, identity: int) -> bool:
        """Whether a state is known; merchants add states while we read, so the list is read again, once for each."""
        if identity and identity not in self.states and self._first_time("states", identity):
            del self.states
        return identity in self.states

    def _first_time(self, table: str, identity: int) -> bool:
        if (table, identity) in self._asked_again:
            return False
        self._asked_again.add((table, identity))
        return True

    @cached_property
    def shops(self) -> dict[int, wire.Shop]:
        """Shops; empty where the key may not read them, which a single shop can live with."""
        try:
            return self.table("shops", wire.Shop)
        except NotLetIn:
            self._client.note(Odd(code="right_missing", subject="shop", severity="info", facts={"right": "shops: GET"}))
            return {}

    @cached_property
    def groups(self) -> dict[int, wire.ShopGroup]:
        return self.table("shop_groups", wire.ShopGroup) if self.shops else {}

    @cached_property
    def context(self) -> dict[str, str]:
        """The parameter that makes lists cover every shop we were given."""
        if len(self._client.config.shops) == 1:
            return {"id_shop": str(self._client.config.shops[0])}
        return {"id_shop": "all"} if self.settings.get("PS_MULTISHOP_FEATURE_ACTIVE") == "1" else {}

    def context_of(self, point: str) -> Context:
        """Where things of a selling point are found and written: in a multistore each shop has its own."""
        if not self.context:
            return ()
        if point.startswith("group-"):
            return (("id_shop_group", point.removeprefix("group-")),)
        return (("id_shop", point),) if point else tuple(self.context.items())

    def point(self, shop: int, group: int = 0) -> str:
        """Where the stock of a shop is counted: the shop, or its group where the group shares stock."""
        if shop == 0:
            return f"group-{group}" if group else self.point(self.setting("PS_SHOP_DEFAULT") or 1)
        row = self.shops.get(shop)
        owner = self.groups.get(row.id_shop_group) if row else None
        return f"group-{owner.id}" if owner and owner.share_stock else str(shop)

    def is_ours(self, shop: int, group: int = 0) -> bool:
        """Whether a row belongs to the shops that were chosen."""
        chosen = self._client.config.shops
        return not chosen or self.point(shop, group) in {self.point(one) for one in chosen}

    def option_values(self, ids: Iterable[int]) -> dict[int, wire.OptionValue]:
        """Option values by id, asked for in batches as they are met."""
        self._fetch("product_option_values", wire.OptionValue, ids, self._option_values)
        return self._option_values

    @cached_property
    def options(self) -> dict[int, wire.Option]:
        return self.table("product_options", wire.Option)

    @cached_property
    def categories(self) -> dict[int, tuple[str, ...]]:
        """The path of each category, without the root and the shop's home category."""
        rows = self.table("categories", wire.Category, display="[id,id_parent,is_root_category,name]")
        paths: dict[int, tuple[str, ...]] = {}
        for row in rows.values():
            names: list[str] = []
            seen: set[int] = set()
            here: wire.Category | None = row
            while here is not None and here.id_parent and not here.is_root_category and here.id not in seen:
                seen.add(here.id)  # a tree that bites its tail has been seen in shops
                names.append(wire.text_in(here.name, self.language))
                here = rows.get(here.id_parent)
            paths[row.id] = tuple(reversed(names))
        return paths

    def kinds(self, ids: Iterable[int]) -> dict[int, wire.ProductKind]:
        """Which products are packs or downloads: a few columns only. Deleted ones are not there."""
        self._fetch("products", wire.ProductKind, ids, self._kinds, display=wire.KIND_COLUMNS)
        return self._kinds

    def _fetch(
        self, resource: str, kind: type[T], ids: Iterable[int], into: dict[int, T], *, display: str = "full"
    ) -> None:
        missing = sorted({one for one in ids if one} - into.keys())
        for start in range(0, len(missing), 100):
            chunk = missing[start : start + 100]
            for element in self._client.rows(
                resource, filters={"id": any_of(chunk)}, display=display, params=self.context
            ):
                try:
                    row = wire.typed(kind, element)
                except NotUnderstood as error:
                    self._client.note(malformed(resource, element, error))
                    continue
                into[row.id] = row  # type: ignore[attr-defined]  # every wire struct that is a table has an id


def malformed(resource: str, element: Element, error: NotUnderstood) -> Odd:
    """The finding for an object that lacks something we need."""
    return Odd(
        code="malformed_row",
        subject=f"{resource}:{wire.identity(element) or '?'}",
        facts={"problem": str(error), "answer": str(error.facts.get("answer", ""))},
    )

"""What is asked once and used for every row of a reading: store views, sources, attributes, categories, who is whose variant."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.magento import reading, wire
from comptoir.connectors.magento.client import MagentoClient, any_of, chunks

T = TypeVar("T")

#: The selling point of a shop without sources: its one figure is no source, and means something else.
LEGACY = "stock-items"


class Lookups:
    """Lives as long as one opened channel; each table is read when it is first needed."""

    def __init__(self, client: MagentoClient) -> None:
        self._client = client
        self._attributes: dict[int, wire.AttributeKind] = {}
        self._labels: dict[str, dict[str, str]] = {}

    # -- store views -------------------------------------------------------------------------------------------------

    @cached_property
    def stores(self) -> dict[int, wire.StoreConfig]:
        """Store views by id."""
        rows = wire.found(self._client.get("store/storeConfigs"), "store/storeConfigs").rows
        return {one.id: one for one in self.read(wire.StoreConfig, rows, "store")}

    @cached_property
    def store(self) -> wire.StoreConfig:
        """The store view that is read."""
        wanted = self._client.config.store
        found = [one for one in self.stores.values() if not wanted or one.code == wanted]
        if not found:
            raise NotUnderstood(
                f"the shop has no store view {wanted!r}", answer=str(sorted(one.code for one in self.stores.values()))
            )
        return min(found, key=lambda one: (one.code != "default", one.id))

    @property
    def currency(self) -> str:
        """What catalogue prices are in."""
        code = self.store.base_currency_code.upper()
        return code if len(code) == 3 and code.isascii() and code.isalpha() else ""

    @property
    def media_url(self) -> str:
        return (
            self.store.secure_base_media_url or self.store.base_media_url or f"{self._client.config.base}/media"
        ).rstrip("/")

    @property
    def shop_url(self) -> str:
        return (self.store.secure_base_url or self.store.base_url or self._client.config.base).rstrip("/")

    # -- sources -----------------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> dict[str, wire.Source] | None:
        """Sources by code; None where the shop keeps one figure for each product (MSI taken out)."""
        try:
            return {one.source_code: one for one in self._all(wire.Source, "inventory/sources", "source_code")}
        except Missing as error:
            if "reason" not in error.facts:
                raise  # not in the shop's own words: something in front of it answers
            return None

    @cached_property
    def _points(self) -> dict[int, str]:
        """Website -> the first enabled source of the stock that serves it."""
        enabled = {code for code, one in (self.sources or {}).items() if one.enabled}
        links = self._all(wire.StockLink, "inventory/stock-source-links", "stock_id", "source_code")
        first: dict[int, str] = {}
        for link in sorted(links, key=lambda one: (one.priority, one.source_code)):
            if link.source_code in enabled:
                first.setdefault(link.stock_id, link.source_code)
        rows = wire.found(self._client.get("store/websites"), "store/websites").rows
        websites = {one.code: one.id for one in self.read(wire.Website, rows, "website")}
        return {
            websites[channel.code]: first[stock.stock_id]
            for stock in self._all(wire.Stock, "inventory/stocks", "stock_id")
            for channel in stock.extension_attributes.sales_channels
            if channel.type == "website" and channel.code in websites and stock.stock_id in first
        }

    def point(self, store: int) -> str:
        """The selling point of an order made at a store view: the source that its units are counted and shipped from."""
        if self.sources is None:
            return LEGACY
        if len(self.sources) == 1:
            return next(iter(self.sources))
        view = self.stores.get(store)
        return self._points.get(view.website_id, "") if view else ""

    # -- catalogue ---------------------------------------------------------------------------------------------------

    @cached_property
    def families(self) -> dict[int, list[int]]:
        """The variants of every configurable, the oldest first. The shop cannot be asked for the parent of one, so all are
        read, a few fields each."""
        found: dict[int, list[int]] = {}
        after = 0
        while True:
            batch = reading.page(
                self._client, reading.PRODUCTS, after=after, filters=[("type_id", "eq", "configurable")],
                fields="id,extension_attributes[configurable_product_links]",
            )  # fmt: skip
            for family in self.read(wire.Family, batch.rows, "product"):
                found[family.id] = family.extension_attributes.configurable_product_links
            if batch.is_last:
                return found
            after = reading.last(batch, after)

    @cached_property
    def parents(self) -> dict[int, int]:
        """Variant -> its configurable; of several the oldest, since a listing is on one page."""
        return {child: parent for parent, children in reversed(self.families.items()) for child in children}

    def forget_families(self) -> None:
        """A page shows another family than is known: they are read again when they are next needed."""
        for name in ("families", "parents"):
            self.__dict__.pop(name, None)

    def listed(self, ids: Iterable[str]) -> dict[str, wire.Listed]:
        """SKU and type of these products, as they are now; those that are gone are not there."""
        batch = reading.some(self._client, reading.PRODUCTS, list(ids), fields="id,sku,type_id")
        return {str(one.id): one for one in self.read(wire.Listed, batch.rows, "product")}

    def ids(self, skus: Iterable[str]) -> dict[str, wire.Listed]:
        """Products by SKU, in lower case: the shop takes SKUs for the same whatever their case."""
        found: dict[str, wire.Listed] = {}
        for chunk in chunks(sorted({one for one in skus if one})):
            rows = self._client.all_of("products", [any_of("sku", chunk)], sort=["entity_id"], fields="id,sku,type_id")
            found |= {one.sku.lower(): one for one in self.read(wire.Listed, rows, "product")}
        return found

    def attributes(self, ids: Iterable[int]) -> dict[int, wire.AttributeKind]:
        """Attributes by id, asked for as they are met."""
        if missing := sorted({str(one) for one in ids} - {str(one) for one in self._attributes}):
            rows = self._client.all_of(
                "products/attributes", [("attribute_id", "in", ",".join(missing))], sort=["attribute_id"],
                fields="attribute_id,attribute_code,default_frontend_label,options",
            )  # fmt: skip
            self._attributes |= {one.attribute_id: one for one in self.read(wire.AttributeKind, rows, "attribute")}
        return self._attributes

    def labels(self, code: str) -> dict[str, str]:
        """The options of a select attribute by value; empty where it has none, or is not there."""
        if code not in self._labels:
            try:
                rows = wire.found(self._client.get(f"products/attributes/{code}/options"), "options").rows
            except Missing:
                rows = []
            except NotLetIn as error:
                self.right_missing(error)
                rows = []
            options = self.read(wire.Option, rows, f"attribute:{code}")
            self._labels[code] = {str(one.value): one.label for one in options}
        return self._labels[code]

    @cached_property
    def categories(self) -> dict[int, tuple[str, ...]]:
        """The path of each category, without the two roots."""
        try:
            listed = self._client.all_of("categories/list", sort=["entity_id"], fields="id,parent_id,name")
            rows = self.read(wire.Category, listed, "category")
        except NotLetIn as error:
            self.right_missing(error)
            return {}
        known = {one.id: one for one in rows}
        paths: dict[int, tuple[str, ...]] = {}
        for row in rows:
            names: list[str] = []
            seen: set[int] = set()
            here: wire.Category | None = row
            while here is not None and here.id not in seen and here.parent_id > 1:
                seen.add(here.id)
                names.append(here.name)
                here = known.get(here.parent_id)
            paths[row.id] = tuple(reversed(names))
        return paths

    # -- tax ---------------------------------------------------------------------------------------------------------

    @cached_property
    def tax_classes(self) -> dict[int, wire.TaxClass]:
        """Tax classes of products."""
        rows = self._all(wire.TaxClass, "taxClasses/search", "class_id")
        return {one.class_id: one for one in rows if one.class_type in ("", "PRODUCT")}

    @cached_property
    def tax_rates(self) -> dict[int, Decimal]:
        """What is charged by a product's tax class in the country that was chosen, in percent; empty without one. Rates for a
        part of the country are left out."""
        country = self._client.config.country
        if not country:
            return {}
        try:
            known = self._all(wire.TaxRate, "taxRates/search", "tax_calculation_rate_id")
            rules = self._all(wire.TaxRule, "taxRules/search", "tax_calculation_rule_id")
        except NotLetIn as error:
            self.right_missing(error)
            return {}
        rates = {
            one.id: one.rate
            for one in known
            if one.tax_country_id == country and not one.tax_region_id and one.tax_postcode in ("", "*")
        }
        found: dict[int, Decimal] = {}
        for rule in rules:
            rate = next((rates[one] for one in rule.tax_rate_ids if one in rates), None)
            if rate is not None:
                for tax_class in rule.product_tax_class_ids:
                    found.setdefault(tax_class, rate)
        return found

    def _all(self, kind: type[T], path: str, *sort: str) -> list[T]:
        return self.read(kind, self._client.all_of(path, sort=sort), path)

    def read(self, kind: type[T], rows: Iterable[wire.Row], word: str) -> list[T]:
        """Rows as structs; one that cannot be understood is noted and left out."""
        found: list[T] = []
        for row in rows:
            try:
                found.append(wire.typed(kind, row))
            except NotUnderstood as error:
                name = next(
                    (str(row[key]) for key in ("id", "sku", "code", "source_code", "stock_id") if key in row), "?"
                )
                facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
                self._client.note(Odd(code="malformed_row", subject=f"{word}:{name}", facts=facts))
        return found

    def right_missing(self, error: NotLetIn) -> None:
        """Something that the hub can do without; raises where it is the key as a whole that is refused."""
        if not (right := lacks_right(error)):
            raise error
        facts: dict[str, Any] = {"right": right}
        self._client.note(Odd(code="right_missing", subject="shop", severity="info", facts=facts))


def lacks_right(error: NotLetIn) -> str:
    """The right that a call wanted, such as "Magento_Sales::ship". The shop says the same of a bad token: whoever asks for
    more than one right can tell."""
    right = str(error.facts.get("right", ""))
    return right if "::" in right else ""

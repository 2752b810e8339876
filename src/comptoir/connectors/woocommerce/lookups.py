"""What the shop says of itself, each thing asked for once: settings, categories, rates of tax."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood
from comptoir.channels.records import Odd, TaxClass
from comptoir.connectors.woocommerce import reading, wire
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient

STANDARD = "standard"  # the slug of the class that products call ""


class Lookups:
    """Asked lazily, kept as long as the client."""

    def __init__(self, client: WooCommerceClient) -> None:
        self._client = client
        self._groups: dict[str, dict[str, str]] = {}

    def setting(self, group: str, name: str) -> str:
        """A setting of the shop; empty where there is none or our key may not see it, which is said."""
        if group not in self._groups:
            try:
                rows, _ = self._client.rows(f"{V3}/settings/{group}", {"_fields": "id,value"})
                found = [wire.typed(wire.Setting, row) for row in rows]
                self._groups[group] = {one.id: one.value if isinstance(one.value, str) else "" for one in found}
            except NotLetIn as error:
                if error.facts.get("status") != 403:
                    raise
                self._groups[group] = {}
                right = str(error.facts.get("right", ""))
                self._client.note(Odd(code="right_missing", subject="shop", severity="info", facts={"right": right}))
        return self._groups[group].get(name, "")

    @property
    def currency(self) -> str:
        found = self.setting("general", "woocommerce_currency").upper()
        return found if len(found) == 3 and found.isalpha() else ""

    @property
    def prices_include_tax(self) -> bool:
        return self.setting("tax", "woocommerce_prices_include_tax") == "yes"

    @property
    def rounds_the_total(self) -> bool:
        return self.setting("tax", "woocommerce_tax_round_at_subtotal") == "yes"

    @property
    def counts_stock(self) -> bool:
        """The shop-wide switch; a shop that does not say is taken to count."""
        return self.setting("products", "woocommerce_manage_stock") != "no"

    @property
    def weight_unit(self) -> str:
        return self.setting("products", "woocommerce_weight_unit").lower()

    @cached_property
    def categories(self) -> Mapping[int, tuple[str, ...]]:
        """The path of names to each category."""
        rows: dict[int, wire.Category] = {}
        for batch in reading.all_of(self._client, f"{V3}/products/categories", {"_fields": "id,name,parent"}):
            for row in batch.rows.values():
                one = wire.typed(wire.Category, row)
                rows[one.id] = one
        return {identity: self._path(rows, identity) for identity in rows}

    @staticmethod
    def _path(rows: Mapping[int, wire.Category], identity: int) -> tuple[str, ...]:
        names: list[str] = []
        met: set[int] = set()
        while identity in rows and identity not in met:
            met.add(identity)
            names.insert(0, rows[identity].name)
            identity = rows[identity].parent
        return tuple(names)

    @cached_property
    def tax_classes(self) -> tuple[TaxClass, ...]:
        """Every class with what the shop charges by it at home; none where our key may not see them."""
        try:
            classes = self._client.get(f"{V3}/taxes/classes")
        except NotLetIn as error:
            if error.facts.get("status") != 403:
                raise
            return ()
        return tuple(
            TaxClass(external_id=str(one["slug"]), name=str(one.get("name", "")), rate=self._rate(str(one["slug"])))
            for one in classes
        )

    @cached_property
    def tax_rates(self) -> Mapping[str, Decimal | None]:
        """Percent by class."""
        return {one.external_id: one.rate for one in self.tax_classes}

    def _rate(self, tax_class: str) -> Decimal | None:
        """What holds in the whole of the shop's own country, or everywhere; rates for a part of it are left out."""
        country, _, state = self.setting("general", "woocommerce_default_country").partition(":")
        found: dict[tuple[int, int], Decimal] = {}
        rows, _ = self._client.rows(f"{V3}/taxes", {"class": tax_class, "per_page": "100"})
        for row in rows:
            try:
                one = wire.typed(wire.Rate, row)
                rate = wire.decimal(one.rate, "rate")
            except NotUnderstood:
                continue  # a rate that cannot be read is not known; it is asked for where it is needed
            if rate is None or one.postcode or one.city or (one.country or country) != country:
                continue
            if (one.state or state) == state:
                found.setdefault((0 if one.country else 1, one.priority), rate)
        return found[min(found)] if found else None

    def trying(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """A document that not every version or key gets; None where it is not there or not for us."""
        try:
            return self._client.get(path, params)
        except Missing:
            return None
        except NotLetIn as error:
            if error.facts.get("status") != 403:
                raise
            return None

"""Magento 2, Adobe Commerce, Mage-OS: the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from comptoir.channels.connector import Connector, Door, Figure, OpenedClient, Pace, Said
from comptoir.channels.connector import mark as _
from comptoir.channels.errors import NotLetIn
from comptoir.channels.records import Named, Point, Status, Surroundings, TaxClass
from comptoir.connectors.magento import config, mapping, wire
from comptoir.connectors.magento.client import MagentoClient
from comptoir.connectors.magento.lookups import LEGACY, Lookups, lacks_right
from comptoir.connectors.magento.prices import MagentoPrices
from comptoir.connectors.magento.products import MagentoProducts
from comptoir.connectors.magento.sales import MagentoSales
from comptoir.connectors.magento.stock import MagentoLevels, MagentoStock
from comptoir.connectors.magento.tracking import MagentoCancelling, MagentoTracking

RECENT = 100  # orders that are looked at for statuses, methods of payment and of shipping: the shop lists none of these
SEEN_IN_ORDERS = (
    "state,status,shipping_description,payment[method],extension_attributes[shipping_assignments[shipping[method]]]"
)


class MagentoProbe:
    """Who is at the other end, what the integration may do, and what there is to map."""

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def look_around(self) -> Surroundings:
        lacking: list[NotLetIn] = []

        def try_to(read: Callable[[], Any]) -> Any:
            try:
                return read()
            except NotLetIn as error:
                lacking.append(error)
                return None

        store = self._store()
        skew = self._client.clock_skew
        orders = try_to(
            lambda: self._client.search("orders", sort=["-entity_id"], size=RECENT, fields=SEEN_IN_ORDERS).rows
        )
        try_to(lambda: self._client.search("products", sort=["entity_id"], size=1, fields="id"))
        try_to(lambda: self._client.search("shipments", sort=["entity_id"], size=1, fields="entity_id"))
        try_to(lambda: self._client.search("categories/list", sort=["entity_id"], size=1, fields="id"))
        try_to(
            lambda: self._client.search("products/attributes", sort=["attribute_id"], size=1, fields="attribute_code")
        )
        tax_classes = try_to(lambda: self._lookups.tax_classes) or {}
        points = try_to(self._points)
        try_to(lambda: self._lookups.point(store.id))
        if points is None:
            raise lacking[-1]
        recent = self._lookups.read(_Recent, orders or (), "sale")
        rates = self._lookups.tax_rates if tax_classes else {}
        warnings = [odd.code for odd in self._client.take_odd() if odd.code != "right_missing"]
        return Surroundings(
            name=self._lookups.shop_url.partition("://")[2],
            version="",  # the REST API does not say it
            timezone=self._lookups.store.timezone or "UTC",
            currency=self._lookups.currency,
            points=points,
            statuses=_statuses(recent),
            carriers=_carriers(recent),
            payment_methods=tuple(
                Named(external_id=one, name=one)
                for one in sorted({one.payment.method for one in recent if one.payment.method})
            ),
            missing_rights=tuple(dict.fromkeys(f"{lacks_right(one) or one}: GET" for one in lacking)),
            warnings=tuple(dict.fromkeys(warnings)),
            clock_skew=skew,
            languages=tuple(
                Named(external_id=one.code, name=one.locale.partition("_")[0].lower())
                for one in self._lookups.stores.values()
                if one.locale
            ),
            tax_classes=tuple(
                TaxClass(external_id=str(one.class_id), name=one.class_name, rate=rates.get(one.class_id))
                for one in tax_classes.values()
            ),
            identity=store.base_url or self._client.config.base,
        )

    def _store(self) -> wire.StoreConfig:
        """The store view, without which nothing can be mapped at all. The shop says the same of a bad token and of a right that
        lacks: where nothing else is to be read either, it is the token."""
        try:
            return self._lookups.store
        except NotLetIn as error:
            if any(self._may_read(path) for path in ("orders", "products")):
                error.facts.pop("hint", None)
            else:
                error.facts["right"] = "key"
            raise

    def _may_read(self, path: str) -> bool:
        try:
            self._client.search(path, sort=["entity_id"], size=1, fields="entity_id")
        except NotLetIn:
            return False
        return True

    def _points(self) -> tuple[Point, ...]:
        currency = self._lookups.currency
        sources = self._lookups.sources
        if sources is None:
            # Without sources the one figure is lowered when an order is placed.
            return (Point(external_id=LEGACY, name="Stock", currency=currency, figure=Figure.SELLABLE.value),)
        return tuple(
            Point(external_id=one.source_code, name=one.name or one.source_code, currency=currency)
            for one in sources.values()
            if one.enabled
        )


def connect(given: Mapping[str, Any], door: Door) -> OpenedClient:
    """The abilities of one shop."""
    client = MagentoClient(config.read(given), door)
    lookups = Lookups(client)
    return OpenedClient(
        probe=MagentoProbe(client, lookups),
        products=MagentoProducts(client, lookups),
        sales=MagentoSales(client, lookups),
        stock=MagentoStock(client, lookups),
        levels=MagentoLevels(client, lookups),
        tracking=MagentoTracking(client, lookups),
        cancelling=MagentoCancelling(client),
        prices=MagentoPrices(client, lookups),
    )


class _Recent(Struct, frozen=True, kw_only=True):
    """An order of which only this is asked."""

    state: str = ""
    status: str = ""
    shipping_description: str = ""
    payment: wire.OrderPayment = wire.OrderPayment()
    extension_attributes: wire.OrderExtension = wire.OrderExtension()


def _statuses(recent: list[_Recent]) -> tuple[Status, ...]:
    """Those that every shop has, and those met in orders: merchants name their own."""
    met = [(one.state, one.status) for one in recent if one.state]
    return tuple(
        Status(external_id=mapping.status_id(state, status), name=status, state=mapping.meaning_of(state))
        for state, status in dict.fromkeys([*mapping.STATES, *met])
    )


def _carriers(recent: list[_Recent]) -> tuple[Named, ...]:
    found: dict[str, str] = {}
    for one in recent:
        for assignment in one.extension_attributes.shipping_assignments:
            if method := assignment.shipping.method:
                found.setdefault(method, one.shipping_description or method)
    return tuple(Named(external_id=key, name=name) for key, name in found.items())


connector = Connector(
    kind="magento",
    title="Magento",
    fields=config.FIELDS,
    connect=connect,
    config=config.MagentoConfig,
    abilities=frozenset({"products", "sales", "stock", "levels", "tracking", "cancelling", "prices"}),
    figure=Figure.PHYSICAL,
    carries={"pull_products": 60, "check_stock": 50, "pull_stock_once": 50, "push_stock": 50, "push_prices": 33},
    pace=Pace(per_minute=240, burst=8, concurrency=4),  # no limit of its own for these paths; PHP bears a few at once
    says={
        "variant_of_several": Said(
            _("%(sku)s is a variant of several products: it is kept with the first"),
            page="products",
            name=_("Variant of several products"),
        ),
        "product_of_choices": Said(
            _("%(sku)s is a %(type)s of which the buyer chooses the parts: these come in, the page itself does not"),
            page="products",
            name=_("Product whose parts the buyer chooses"),
        ),
    },
    notes="connectors/magento/README.md",
)

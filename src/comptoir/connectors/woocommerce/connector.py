"""WooCommerce: the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir.channels.connector import Connector, Door, Figure, OpenedClient, Pace, Said
from comptoir.channels.connector import mark as _
from comptoir.channels.errors import ChannelError, Missing, NotLetIn, NotUnderstood
from comptoir.channels.records import Named, Point, Status, Surroundings
from comptoir.connectors.woocommerce import config, mapping
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient
from comptoir.connectors.woocommerce.lookups import Lookups
from comptoir.connectors.woocommerce.prices import WooCommercePrices
from comptoir.connectors.woocommerce.products import WooCommerceProducts
from comptoir.connectors.woocommerce.sales import WooCommerceSales, statuses
from comptoir.connectors.woocommerce.stock import WooCommerceLevels, WooCommerceStock
from comptoir.connectors.woocommerce.tracking import WooCommerceCancelling, WooCommerceTracking
from comptoir.connectors.woocommerce.webhooks import WooCommerceSubscriptions, WooCommerceWebhooks
from comptoir.kit import clock

READS = ("orders", "products")
MANAGES = ("settings/general", "webhooks", "taxes/classes", "shipping/zones", "payment_gateways")
WRITES = ("products", "orders")


class WooCommerceProbe:
    """Who is at the other end, what our key may do, and what there is to map."""

    def __init__(self, client: WooCommerceClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def look_around(self) -> Surroundings:
        index = self._index()
        skew = None if self._client.date is None else (self._client.date - clock.now()).total_seconds()
        if V3 not in (index.get("namespaces") or ()):
            raise NotUnderstood(
                "this WordPress has no WooCommerce, or one before 3.5", answer=str(index.get("namespaces")), status=200
            )
        missing = self._missing()
        lookups = self._lookups
        warnings = [odd.code for odd in self._client.take_odd() if odd.code == "junk_in_answer"]
        if self._client.in_address and not self._client.config.keys_in_address:
            warnings.append("authorization_dropped")
        if not lookups.counts_stock:
            warnings.append("stock_management_off")
        name = str(index.get("name", ""))
        return Surroundings(
            name=name,
            version=self._version(),
            timezone=timezone(index),
            currency=lookups.currency,
            points=(Point(external_id=mapping.POINT, name=name, currency=lookups.currency),),
            statuses=self._statuses(),
            carriers=self._carriers(),
            payment_methods=self._gateways(),
            missing_rights=missing,
            warnings=tuple(dict.fromkeys(warnings)),
            clock_skew=skew,
            tax_classes=lookups.tax_classes,
            identity=self._client.config.site,
        )

    def _index(self) -> Mapping[str, Any]:
        """The index of the site, which anybody may read. Where it is not there, the other form of its address shows why."""
        try:
            found = self._client.index()
        except (Missing, NotUnderstood) as error:
            if self._client.config.plain:
                raise
            self._explain(error)
            raise
        if not isinstance(found, dict) or "namespaces" not in found:
            raise NotUnderstood("this is not the index of a WordPress", answer=str(found)[:2_000], status=200)
        return found

    def _explain(self, error: ChannelError) -> None:
        try:
            found = self._client.index(plain=True)
        except ChannelError:
            return
        if isinstance(found, dict) and "namespaces" in found:
            cure = f"{self._client.config.site}/?rest_route=/"
            raise NotLetIn(
                f"the shop's permalinks are set to plain: choose another form there, or type {cure} here",
                right="permalinks",
                hint="permalinks_off",
                address=cure,
            ) from error

    def _missing(self) -> tuple[str, ...]:
        """What our key, or the user that it belongs to, may not do. Orders and products must be readable, or nothing works."""
        for name in READS:
            self._client.rows(f"{V3}/{name}", {"per_page": "1", "_fields": "id"})
        missing = [right for name in MANAGES if (right := self._refused(name))]
        for name in WRITES:
            try:
                self._client.ask_to_write(f"{V3}/{name}/batch")
            except NotLetIn:
                missing.append(f"{name}: POST")
        return tuple(missing)

    def _refused(self, name: str) -> str:
        try:
            self._client.rows(f"{V3}/{name}", {"per_page": "1"} if name == "webhooks" else None)
        except NotLetIn as error:
            if error.facts.get("status") != 403:
                raise
            return f"{name}: GET"
        except Missing:
            pass  # an older version without it: nothing to allow
        return ""

    def _version(self) -> str:
        found = self._lookups.trying(f"{V3}/system_status", {"_fields": "environment"})
        environment = found.get("environment") if isinstance(found, dict) else None
        return str(environment.get("version", "")) if isinstance(environment, dict) else ""

    def _statuses(self) -> tuple[Status, ...]:
        """The shop's own and those of plugins; where nothing lists them, the ones that every shop has."""
        known = statuses(self._lookups) or dict.fromkeys(("processing", *mapping.STATES), "")
        return tuple(
            Status(external_id=slug, name=name or slug, state=self._state(slug))
            for slug, name in known.items()
            if slug not in mapping.DRAFTS
        )

    @staticmethod
    def _state(slug: str) -> Any:
        return mapping.state(slug, is_paid=True, method="", good_methods=frozenset())

    def _carriers(self) -> tuple[Named, ...]:
        zones = self._lookups.trying(f"{V3}/shipping/zones") or ()
        found: dict[str, str] = {}
        for zone in zones:
            for method in self._lookups.trying(f"{V3}/shipping/zones/{zone['id']}/methods") or ():
                key = mapping.carrier_id(str(method.get("method_id", "")), method.get("instance_id"))
                found[key] = f"{zone.get('name', '')}: {method.get('title') or key}"
        return tuple(Named(external_id=key, name=name) for key, name in found.items())

    def _gateways(self) -> tuple[Named, ...]:
        found = self._lookups.trying(f"{V3}/payment_gateways") or ()
        return tuple(
            Named(external_id=str(one["id"]), name=str(one.get("title") or one.get("method_title") or one["id"]))
            for one in found
            if one.get("enabled")
        )


def timezone(index: Mapping[str, Any]) -> str:
    """The zone of the site by its IANA name. A site may have an offset instead: whole hours have names."""
    if name := str(index.get("timezone_string") or ""):
        return name
    try:
        offset = float(index.get("gmt_offset") or 0)
    except (TypeError, ValueError):
        return "UTC"
    # Etc/GMT-2 is two hours ahead of GMT. Half hours have no name without a place: our times are GMT all the same.
    return f"Etc/GMT{-int(offset):+d}" if offset and offset == int(offset) else "UTC"


def connect(given: Mapping[str, Any], door: Door) -> OpenedClient:
    """The abilities of one shop."""
    client = WooCommerceClient(config.read(given), door)
    lookups = Lookups(client)
    return OpenedClient(
        probe=WooCommerceProbe(client, lookups),
        products=WooCommerceProducts(client, lookups),
        sales=WooCommerceSales(client, lookups),
        stock=WooCommerceStock(client, lookups),
        levels=WooCommerceLevels(client, lookups),
        tracking=WooCommerceTracking(client),
        cancelling=WooCommerceCancelling(client),
        prices=WooCommercePrices(client, lookups),
        subscriptions=WooCommerceSubscriptions(client),
    )


connector = Connector(
    kind="woocommerce",
    title="WooCommerce",
    fields=config.FIELDS,
    connect=connect,
    config=config.WooCommerceConfig,
    abilities=frozenset({"products", "sales", "stock", "levels", "tracking", "cancelling", "prices", "subscriptions"}),
    figure=Figure.SELLABLE,
    carries={"pull_products": 25, "check_stock": 50, "pull_stock_once": 50, "push_stock": 50, "push_prices": 50},
    pace=Pace(per_minute=240, burst=8, concurrency=4),  # no limit of its own; shared hosting bears 2 to 4 at once
    webhooks=WooCommerceWebhooks(),
    says={
        "authorization_dropped": Said(
            _("The web server of the shop takes our key out of the header: it is sent in the address instead"),
            _("Let it pass “Authorization” on, or say in the settings that the keys go in the address."),
            "settings",
        ),
        "stock_management_off": Said(
            _("Stock management is switched off for the whole shop: no level can be told"),
            _("Switch it on in the shop's settings of products."),
            "settings",
        ),
    },
    notes="connectors/woocommerce/README.md",
    fates={405: NotLetIn},  # a method that the host does not let through
)

"""Shopify: the card."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from comptoir.channels.connector import Connector, Door, Figure, OpenedClient, Pace, Said
from comptoir.channels.connector import mark as _
from comptoir.channels.errors import NotLetIn, TryLater
from comptoir.channels.records import Named, Point, Surroundings, TaxClass
from comptoir.connectors.shopify import config, mapping, operations
from comptoir.connectors.shopify.client import ShopifyClient
from comptoir.connectors.shopify.lookups import Lookups
from comptoir.connectors.shopify.prices import ShopifyPrices
from comptoir.connectors.shopify.products import ShopifyProducts
from comptoir.connectors.shopify.sales import ShopifySales
from comptoir.connectors.shopify.stock import ShopifyLevels, ShopifyStock
from comptoir.connectors.shopify.tracking import ShopifyCancelling, ShopifyTracking
from comptoir.connectors.shopify.webhooks import ShopifySubscriptions, ShopifyWebhooks

#: Scopes that the hub's flows need; without the first nothing can be mapped at all.
NEEDED = ("read_locations", "read_products", "read_orders", "read_inventory")
WANTED = (
    *("read_customers", "write_inventory", "read_merchant_managed_fulfillment_orders"),
    *("write_merchant_managed_fulfillment_orders", "write_orders", "write_products"),
)


class ShopifyProbe:
    """Who is at the other end, what our app may do, and what there is to map."""

    def __init__(self, client: ShopifyClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def look_around(self) -> Surroundings:
        granted = self._granted()
        # A scope to write brings the one to read with it.
        granted |= {f"read_{one.removeprefix('write_')}" for one in granted if one.startswith("write_")}
        missing = tuple(one for one in (*NEEDED, *WANTED) if one not in granted)
        if lacking := [one for one in missing if one == NEEDED[0]]:
            raise NotLetIn(f"the app lacks the scope {lacking[0]}", right=lacking[0])
        shop, settings = self._lookups.shop, self._client.config
        warnings = []
        if "read_all_orders" not in granted:
            warnings.append("only_recent_sales")
        if self._client.version and self._client.version != settings.version:
            warnings.append("api_version_ended")
        if not settings.client_secret:
            warnings.append("webhooks_unsigned")
        return Surroundings(
            name=shop.name,
            version=self._client.version or settings.version,
            timezone=shop.iana_timezone,
            currency=shop.currency_code,
            points=tuple(
                Point(external_id=one.legacy_resource_id, name=one.name, currency=shop.currency_code)
                for one in self._lookups.locations
            ),
            statuses=mapping.statuses(accepts_authorized=settings.authorized),
            carriers=self._carriers() if "read_shipping" in granted else (),
            missing_rights=missing,
            warnings=tuple(warnings),
            tax_classes=(
                TaxClass(external_id=mapping.TAXABLE, name="Taxable"),
                TaxClass(external_id=mapping.EXEMPT, name="Not taxable", rate=Decimal(0)),
            ),
            identity=shop.myshopify_domain,
        )

    def _granted(self) -> set[str]:
        installation = self._client.ask(operations.RIGHTS).get("currentAppInstallation") or {}
        return {str(one.get("handle")) for one in installation.get("accessScopes") or ()}

    def _carriers(self) -> tuple[Named, ...]:
        """The names of delivery methods: an order names the one chosen by the same words."""
        profiles = (self._client.ask(operations.CARRIERS).get("deliveryProfiles") or {}).get("nodes") or ()
        names = [
            str(method["name"])
            for profile in profiles
            for group in profile["profileLocationGroups"]
            for zone in group["locationGroupZones"]["nodes"]
            for method in zone["methodDefinitions"]["nodes"]
            if method.get("active")
        ]
        return tuple(Named(external_id=name, name=name) for name in dict.fromkeys(names))


def connect(given: Mapping[str, Any], door: Door) -> OpenedClient:
    """The abilities of one shop."""
    client = ShopifyClient(config.read(given), door)
    lookups = Lookups(client)
    return OpenedClient(
        probe=ShopifyProbe(client, lookups),
        products=ShopifyProducts(client, lookups),
        sales=ShopifySales(client, lookups),
        stock=ShopifyStock(client, lookups),
        levels=ShopifyLevels(client),
        tracking=ShopifyTracking(client),
        cancelling=ShopifyCancelling(client),
        prices=ShopifyPrices(client, lookups),
        subscriptions=ShopifySubscriptions(client),
    )


connector = Connector(
    kind="shopify",
    title="Shopify",
    fields=config.FIELDS,
    connect=connect,
    config=config.ShopifyConfig,
    abilities=frozenset({"products", "sales", "stock", "levels", "tracking", "cancelling", "prices", "subscriptions"}),
    figure=Figure.SELLABLE,
    carries={"pull_products": 10, "check_stock": 100, "pull_stock_once": 100, "push_stock": 100, "push_prices": 50},
    # The shop's own points rule, and are told with each answer; this only keeps a burst from being a storm.
    pace=Pace(per_minute=1200, burst=40, concurrency=4),
    webhooks=ShopifyWebhooks(),
    signed_with="client_secret",
    says={
        "only_recent_sales": Said(
            _("The shop shows this app only the orders of the last 60 days"),
            _("Ask Shopify for the scope read_all_orders, or start with what it shows."),
            "settings",
        ),
        "api_version_ended": Said(
            _("The shop answers in another version of its API than the one that is set"),
            _("Choose a newer version in the settings."),
            "settings",
        ),
        "webhooks_unsigned": Said(
            _("Without the client secret no delivery of the shop can be verified"),
            _("Type the app's client secret into the settings; until then the shop is only polled."),
            "settings",
        ),
    },
    notes="connectors/shopify/README.md",
    fates={402: NotLetIn, 423: NotLetIn, 430: TryLater},  # frozen, locked, too many of a kind that looks hostile
)

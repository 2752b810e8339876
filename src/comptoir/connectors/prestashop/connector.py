"""PrestaShop: the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir.channels.connector import Connector, Door, Figure, OpenedClient, Pace
from comptoir.channels.errors import NotLetIn
from comptoir.channels.records import Named, Point, Status, Surroundings
from comptoir.connectors.prestashop import config
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.lookups import Lookups
from comptoir.connectors.prestashop.prices import PrestaShopPrices
from comptoir.connectors.prestashop.products import PrestaShopProducts
from comptoir.connectors.prestashop.sales import PrestaShopSales, states
from comptoir.connectors.prestashop.stock import PrestaShopLevels, PrestaShopStock
from comptoir.connectors.prestashop.suppliers import PrestaShopSupplierLinks, PrestaShopSuppliers
from comptoir.connectors.prestashop.tracking import PrestaShopCancelling, PrestaShopTracking
from comptoir.connectors.prestashop.webhooks import PrestaShopWebhooks

READS = (
    *("products", "combinations", "product_options", "product_option_values", "categories", "images"),
    *("languages", "currencies", "countries", "states", "carriers", "configurations", "shops", "shop_groups"),
    *("customers", "addresses", "orders", "order_details", "order_states", "order_payments", "order_carriers"),
    *("messages", "stock_availables"),
)
POSTS = ("order_histories",)
EDITS = ("stock_availables", "order_carriers")


class PrestaShopProbe:
    """Who is at the other end, what our key may do, and what there is to map."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def look_around(self) -> Surroundings:
        granted = self._rights()
        skew = self._client.clock_skew
        missing = self._missing(granted)
        # Without these nothing can be mapped at all; the others may wait for whoever edits the key.
        if lacking := [right for right in missing if right.partition(":")[0] in ("configurations", "order_states")]:
            raise NotLetIn(f"the key lacks {', '.join(lacking)}", right=lacking[0])
        lookups = self._lookups
        known = states(lookups)
        carriers = (
            {str(row.id_reference or row.id): row.name for row in lookups.carriers.values() if not row.deleted}
            if "carriers: GET" not in missing
            else {}
        )
        warnings = [odd.code for odd in self._client.take_odd()]
        if not self._client.version:
            warnings.append("version_hidden")
        return Surroundings(
            name=lookups.settings.get("PS_SHOP_NAME", ""),
            version=self._client.version_text,
            timezone=lookups.zone.key,
            currency=lookups.base_currency,
            points=self._points(),
            statuses=tuple(
                Status(external_id=str(row.id), name=known.name(row.id), state=known.meaning(row.id))
                for row in lookups.states.values()
            ),
            carriers=tuple(Named(external_id=key, name=name) for key, name in carriers.items()),
            missing_rights=missing,
            warnings=tuple(dict.fromkeys(warnings)),
            clock_skew=skew,
            languages=self._languages(missing),
            tax_classes=lookups.tax_classes(),  # rights that only prices need: asked for here, never called missing
            identity=self._client.config.shop_url,
        )

    def _languages(self, missing: tuple[str, ...]) -> tuple[Named, ...]:
        if "languages: GET" in missing:
            return ()
        return tuple(
            Named(external_id=str(row.id), name=row.iso_code.lower()) for row in self._lookups.languages.values()
        )

    def _rights(self) -> dict[str, set[str]]:
        """`GET /api/` lists what the key may do."""
        root = self._client.get("")
        resources = root[0] if len(root) == 1 and root[0].tag == "api" else root
        return {one.tag: {name.upper() for name, text in one.attrib.items() if text == "true"} for one in resources}

    def _missing(self, granted: Mapping[str, set[str]]) -> tuple[str, ...]:
        edit = "PATCH" if self._client.takes_patch else "PUT"
        wanted = [(name, "GET") for name in READS]
        wanted += [(name, edit) for name in EDITS] + [(name, "POST") for name in POSTS]
        return tuple(f"{name}: {method}" for name, method in wanted if method not in granted.get(name, set()))

    def _points(self) -> tuple[Point, ...]:
        lookups = self._lookups
        currency = lookups.base_currency
        found: dict[str, Point] = {}
        for shop in lookups.shops.values():
            if shop.deleted or not lookups.is_ours(shop.id):
                continue
            key = lookups.point(shop.id)
            name = lookups.groups[shop.id_shop_group].name if key.startswith("group-") else shop.name
            found.setdefault(key, Point(external_id=key, name=name, currency=currency))
        if not found:
            key = lookups.point(0)
            found[key] = Point(external_id=key, name=lookups.settings.get("PS_SHOP_NAME", ""), currency=currency)
        return tuple(found.values())


def connect(given: Mapping[str, Any], door: Door) -> OpenedClient:
    """The abilities of one shop."""
    client = PrestaShopClient(config.read(given), door)
    lookups = Lookups(client)
    return OpenedClient(
        probe=PrestaShopProbe(client, lookups),
        products=PrestaShopProducts(client, lookups),
        sales=PrestaShopSales(client, lookups),
        stock=PrestaShopStock(client, lookups),
        levels=PrestaShopLevels(client, lookups),
        tracking=PrestaShopTracking(client, lookups),
        cancelling=PrestaShopCancelling(client, lookups),
        prices=PrestaShopPrices(client, lookups),
        suppliers=PrestaShopSuppliers(client),
        supplier_links=PrestaShopSupplierLinks(client, lookups),
    )


connector = Connector(
    kind="prestashop",
    title="PrestaShop",
    fields=config.FIELDS,
    connect=connect,
    config=config.PrestaShopConfig,
    abilities=frozenset(
        {
            *("products", "sales", "stock", "levels", "tracking", "cancelling"),
            *("prices", "suppliers", "supplier_links"),
        }
    ),
    figure=Figure.SELLABLE,
    carries={"pull_products": 25, "check_stock": 1000, "pull_stock_once": 1000, "push_stock": 50, "push_prices": 50},
    pace=Pace(per_minute=240, burst=8, concurrency=4),  # no limit of its own; shared hosting bears 2 to 4 at once
    webhooks=PrestaShopWebhooks(),
    notes="connectors/prestashop/README.md",
    fates={405: NotLetIn},  # a method that the key or the web server does not grant
)

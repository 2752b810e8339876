"""Acme: the card. Read it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir.connectors.acme import config, mapping, wire
from comptoir.connectors.acme.client import AcmeClient
from comptoir.connectors.acme.products import AcmeProducts
from comptoir.connectors.acme.sales import AcmeSales
from comptoir.connectors.acme.stock import AcmeLevels, AcmeStock
from comptoir.connectors.acme.tracking import AcmeTracking
from comptoir.connectors.acme.webhooks import AcmeWebhooks

from comptoir.channels.connector import Connector, Door, Figure, OpenedClient, Pace
from comptoir.channels.records import Named, Point, Status, Surroundings
from comptoir.kit import clock


class AcmeProbe:
    """Who is at the other end, and what there is to map."""

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    def look_around(self) -> Surroundings:
        account = self._client.get("account", wire.Account)
        return Surroundings(
            name=account.name,
            version="",
            timezone=account.timezone,
            currency=account.currency,
            points=(Point(external_id=mapping.POINT, name=account.name, currency=account.currency),),
            statuses=tuple(Status(external_id=one, name=one, state=state) for one, state in mapping.STATES.items()),
            carriers=(Named(external_id="post", name="Post"), Named(external_id="van", name="Van")),
            payment_methods=(Named(external_id="card", name="Card"),),
            clock_skew=(account.clock - clock.now()).total_seconds(),
            identity=self._client.url,
        )


def connect(given: Mapping[str, Any], door: Door) -> OpenedClient:
    """The abilities of one account."""
    client = AcmeClient(config.read(given), door)
    return OpenedClient(
        probe=AcmeProbe(client),
        products=AcmeProducts(client),
        sales=AcmeSales(client),
        stock=AcmeStock(client),
        levels=AcmeLevels(client),
        tracking=AcmeTracking(client),
    )


connector = Connector(
    kind="acme",
    title="Acme",
    fields=config.FIELDS,
    connect=connect,
    config=config.AcmeConfig,
    abilities=frozenset({"products", "sales", "stock", "levels", "tracking"}),
    figure=Figure.SELLABLE,  # the account takes a unit off when a sale is placed
    pace=Pace(per_minute=120, burst=8, concurrency=2),
    webhooks=AcmeWebhooks(),
    notes="connectors/acme/README.md",
)

"""A channel whose other end answers at once: what is measured is our own cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from comptoir.channels.connector import Connector, OpenedClient
from comptoir.kit import clock, ids
from comptoir.kit.actor import SYSTEM

if TYPE_CHECKING:
    from comptoir.channels.models import Channel
    from comptoir.commerce.inventory.models import Warehouse
    from comptoir.engine.models import Flow
    from comptoir.offers.models import SellingPoint


class Nothing(Struct):
    """This channel is connected without a word."""


@dataclass(frozen=True)
class Measured:
    """One channel in production that sells from one warehouse, and the flow that is measured."""

    channel: Channel
    point: SellingPoint
    warehouse: Warehouse
    flow: Flow

    def run(self) -> None:
        """Carry the flow out, here and now; raises where it does not come to its end."""
        from comptoir.engine import runs
        from comptoir.engine.models import RunStatus, Trigger

        run = runs.request(self.flow.pk, Trigger.PERSON, SYSTEM, at=clock.now())
        if (status := runs.execute(run, "bench")) != RunStatus.DONE:
            raise RuntimeError(f"{self.flow.kind} ended as {status}")


def connect(kind: str, **abilities: Any) -> Measured:
    """Connect a channel with these abilities and its one flow of that kind."""
    from comptoir.channels import registry
    from comptoir.channels.models import Channel, Mode
    from comptoir.commerce.inventory import actions as inventory
    from comptoir.config import bootstrap
    from comptoir.engine import flow
    from comptoir.offers.models import PointWarehouse, SellingPoint

    def opened(config: Mapping[str, Any], door: Any) -> OpenedClient:
        return OpenedClient(probe=None, **abilities)  # type: ignore[arg-type]  # nobody looks around here

    bootstrap.set_up()
    card = Connector(
        kind="measured", title="Measured", fields=(), connect=opened, config=Nothing, abilities=frozenset(abilities)
    )
    registry.set_up(lambda kind: card if kind == card.kind else None, lambda: (card.kind,))
    at = clock.now()
    channel = Channel.objects.create(
        name="Measured", code="measured", kind=card.kind, mode=Mode.PRODUCTION, webhook_token=ids.token(),
        currency="EUR", created_at=at,
    )  # fmt: skip
    point = SellingPoint.objects.create(
        channel=channel, external_id="1", name="Shop", figure="sellable", stock_initialised_at=at
    )
    warehouse = inventory.default_warehouse()
    PointWarehouse.objects.create(point=point, warehouse=warehouse)
    (row,) = flow.ensure_flows(channel.pk, [kind])
    return Measured(channel, point, warehouse, row)

"""Small builders for offers without any connector: two shops, a warehouse, things to sell."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from comptoir.channels.models import Channel, Mode
from comptoir.channels.records import Answer, Fate
from comptoir.commerce.catalog.models import Kind, KitPart, Product, Variant
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.models import Warehouse
from comptoir.commerce.inventory.records import Receipt
from comptoir.engine.models import Flow, Run
from comptoir.kit import ids
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers import queries
from comptoir.offers.models import Offer, SellingPoint

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = count(1)


def warehouse(code: str) -> Warehouse:
    return inventory.create_warehouse(code, code.title(), at=AT, actor=SYSTEM)


def variant(
    sku: str, *, kind: Kind = Kind.SIMPLE, master: Variant | None = None, parts: dict[Variant, int] | None = None
) -> Variant:
    made = Variant.objects.create(
        product=Product.objects.create(name=sku, created_at=AT, changed_at=AT),
        sku=sku, kind=kind, alias_of=master, created_at=AT, changed_at=AT,
    )  # fmt: skip
    for part, quantity in (parts or {}).items():
        KitPart.objects.create(kit=made, part=part, quantity=quantity)
    return made


def stock(thing: Variant, place: Warehouse, quantity: int | str) -> None:
    receipt = Receipt(thing.pk, place.pk, Decimal(quantity), f"test:{next(_numbers)}")
    inventory.receive([receipt], at=AT, actor=SYSTEM)


def channel(code: str) -> Channel:
    return Channel.objects.create(
        name=code, code=code, kind="prestashop", mode=Mode.PRODUCTION, webhook_token=ids.token(), created_at=AT
    )


def point(of: Channel, *places: Warehouse, figure: str = "sellable", **limits: Decimal | int | None) -> SellingPoint:
    made = SellingPoint.objects.create(
        channel=of, external_id=f"p{next(_numbers)}", name="Shop", figure=figure, **limits
    )
    offers.set_sources(made.pk, [place.pk for place in places], at=AT)
    return made


def offer(thing: Variant, at: SellingPoint, listing: str = "") -> Offer:
    listing = listing or f"{thing.sku}-0"
    offers.link_listings(at.channel_id, [offers.ListingSeen(listing, thing.pk, thing.sku, True)], run=None, at=AT)
    return Offer.objects.get(point=at, listing=listing)


def level(of: Offer) -> Decimal:
    """What would be told at this moment."""
    return queries.levels([of.pk])[0].level


def run_of(of: Channel) -> Run:
    flow, _made = Flow.objects.get_or_create(channel=of, kind="push_stock", defaults={"lane": "live"})
    return Run.objects.create(flow=flow, trigger="fact", status="done", queued_at=AT)


def push(of: Channel, fate: Fate = Fate.DONE) -> dict[str, Decimal]:
    """Drain marks and tell everything that waits; what was sent, by listing."""
    while offers.drain(at=AT):
        pass
    sent: dict[str, Decimal] = {}
    after = 0
    while (batch := offers.take(of.pk, after=after, size=50, at=AT)).last:
        after = batch.last
        answers = [Answer(item=one.offer, fate=fate) for one in batch.send]
        offers.told(run_of(of).pk, batch.send, answers, at=AT) if batch.send else None
        sent |= {one.listing: one.level for one in batch.send}
    return sent

"""Parcels and cancellations go out: each told once, journalled, asked about before it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.records import Fate, Parcel, ParcelLine
from comptoir.commerce.shipments import queries as shipments
from comptoir.engine import effects
from comptoir.engine.flow import OUT, Lane, flow
from comptoir.engine.runs import PlanLine, RunContext
from comptoir.kit import clock, sql
from comptoir.kit.errors import Conflict
from comptoir.offers import actions as offers

BATCH = 20


def with_parcels_to_tell(channels: Sequence[int]) -> set[int]:
    """Which of these channels have a parcel to be told of."""
    return effects.waiting("tracking", list(channels), at=clock.now())


def with_cancellations_to_tell(channels: Sequence[int]) -> set[int]:
    """Which of these channels have a cancellation of ours to be told of."""
    return effects.waiting("cancel", list(channels), at=clock.now())


def _changed_since(kind: str, channel: int, at: datetime) -> bool:
    return effects.changed_since(channel, kind, at)


@flow(
    "push_tracking",
    direction=OUT,
    title=_("Shipping confirmations"),
    needs=("tracking",),
    lane=Lane.LIVE,
    facts=with_parcels_to_tell,
    linger=1.0,
    writes=True,
    previews=True,
    changed_since=partial(_changed_since, "tracking"),
    replays=True,
)
def push_tracking(run: RunContext, channel: OpenChannel | None) -> None:
    """Tell a channel which parcels have left."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    target = channel.client.tracking
    for effect in _each(run, channel.ref, "tracking"):
        with effects.apart(run, effect):
            shipment = int(effect.facts["shipment"])
            parcel = parcel_of(shipment)
            if run.is_preview:
                if not _is_there(run, effect, partial(target.is_confirmed, parcel)):
                    _plan(run, effect, f"{effect.facts['number']} · {parcel.tracking}", "tracking", parcel.tracking)
            else:
                effects.tell(
                    run, effect, partial(target.confirm, parcel), partial(target.is_confirmed, parcel),
                    then=partial(_shop_took_off, run, channel.ref, shipment),
                )  # fmt: skip


@flow(
    "push_cancellations",
    direction=OUT,
    title=_("Cancellations"),
    needs=("cancelling",),
    lane=Lane.LIVE,
    facts=with_cancellations_to_tell,
    writes=True,
    previews=True,
    changed_since=partial(_changed_since, "cancel"),
    replays=True,
)
def push_cancellations(run: RunContext, channel: OpenChannel | None) -> None:
    """Tell a channel which orders were cancelled here."""
    assert channel is not None  # noqa: S101
    target = channel.client.cancelling
    for effect in _each(run, channel.ref, "cancel"):
        with effects.apart(run, effect):
            sale = str(effect.facts["sale"])
            if run.is_preview:
                if not _is_there(run, effect, partial(target.is_cancelled, sale)):
                    _plan(run, effect, str(effect.facts.get("number", sale)), "status", "cancelled")
            else:
                effects.tell(
                    run, effect, partial(target.cancel, sale), partial(target.is_cancelled, sale),
                    then=partial(_shop_put_back, run, channel.ref, int(effect.facts["order"])),
                )  # fmt: skip


def _shop_took_off(run: RunContext, channel: int, shipment: int, fate: Fate, reason: str) -> None:
    """A shop with a *physical* figure takes shipped units off by itself, also where its answer was lost: what we told
    there is no longer believed."""
    if fate is not Fate.REFUSED:
        _forget_told(run, channel, "physical", "SELECT order_id FROM shipments_shipment WHERE id = %s", shipment)


def _shop_put_back(run: RunContext, channel: int, order: int, fate: Fate, reason: str) -> None:
    """A shop with a *sellable* figure puts cancelled units back by itself, on top of what we told of them before."""
    if fate is not Fate.REFUSED:
        _forget_told(run, channel, "sellable", "SELECT %s::bigint", order)


def _forget_told(run: RunContext, channel: int, figure: str, order: str, key: int) -> None:
    listings = sql.rows(
        "SELECT DISTINCT o.listing FROM orders_line l JOIN offers_offer o ON o.listing = l.listing"
        " JOIN offers_sellingpoint p ON p.id = o.point_id AND p.channel_id = %s AND p.figure = %s"
        f" WHERE l.order_id = ({order})",
        [channel, figure, key],
    )
    offers.forget_told(channel, [row[0] for row in listings], at=run.at)


def _each(run: RunContext, channel: int, kind: str) -> Iterator[effects.Taken]:
    """Every open effect once; those put off come back with a later run."""
    seen: set[int] = set()
    while taken := [one for one in effects.take(run, channel, kind, BATCH + len(seen)) if one.id not in seen]:
        for effect in taken:
            seen.add(effect.id)
            yield effect


def _is_there(run: RunContext, effect: effects.Taken, ask: Callable[[], bool]) -> bool:
    """Whether the channel has it already, though its answer was lost: a preview asks as the run would."""
    if not effect.must_ask or not ask():
        return False
    with run.checkpoint():
        run.count(seen=1, unchanged=1)
    return True


def _plan(run: RunContext, effect: effects.Taken, label: str, field: str, new: str) -> None:
    with run.checkpoint():
        run.count(seen=1, changed=1)
        run.plan([PlanLine(effect.kind, effect.key, label, field, None, new, effect.facts)])


def parcel_of(shipment: int) -> Parcel:
    """A shipment in the channel's terms."""
    facts = shipments.parcel_facts(shipment)
    if facts is None or facts.sale is None:
        raise Conflict("a promise speaks of a shipment that is not there", shipment=shipment)
    return Parcel(
        sale=facts.sale,
        key=facts.key,
        carrier=facts.carrier,
        carrier_name=facts.carrier_name,
        tracking=facts.tracking,
        tracking_url=facts.tracking_url,
        shipped_at=facts.shipped_at,
        lines=tuple(ParcelLine(line=line, quantity=quantity) for line, quantity in facts.lines),
        completes=facts.completes,
        all_tracking=facts.all_tracking,
    )

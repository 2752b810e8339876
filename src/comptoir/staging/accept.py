"""Turn staged sales that are ready into orders, a page at a time. Repeatable: accepting twice gives the same order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from comptoir.channels.models import Channel
from comptoir.channels.records import ChargeKind, Sale, sale_from_json, sale_from_text, to_json
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders import placing
from comptoir.commerce.orders.records import Intake, NewCharge, NewLine, NewOrder, NewPayment, Placed
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import Conflict
from comptoir.staging import matching
from comptoir.staging.actions import Found, source, tell_physical
from comptoir.staging.checks import Examined, examine
from comptoir.staging.models import StagedSale, State
from comptoir.staging.rules import Rule

PAGE = 100


@dataclass(slots=True)
class Accepted:
    """What became of a page of ready rows."""

    looked_at: int = 0
    placed: list[Placed] = field(default_factory=list)
    back_to_repair: int = 0
    findings: list[Found] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)


# A channel that waits for a person may hold any number of ready sales: only those with a yes are looked at, by an index of
# their own. So each of the two ways is a condition of its own, and not one with OR.
_READY = "s.channel_id = {} AND s.state = 'ready'"
_APPROVED = f"{_READY} AND s.is_approved"
CHANNELS_READY = f"""
SELECT c.id FROM channels_channel c WHERE c.id = ANY(%s) AND CASE WHEN c.accepts_by_itself
    THEN EXISTS (SELECT FROM staging_stagedsale s WHERE {_READY.format("c.id")})
    ELSE EXISTS (SELECT FROM staging_stagedsale s WHERE {_APPROVED.format("c.id")}) END
"""
_NEXT = """
SELECT id, external_id, sale, repairs FROM staging_stagedsale s WHERE {} ORDER BY placed_at, id LIMIT %s
FOR UPDATE SKIP LOCKED
"""
NEXT_READY, NEXT_APPROVED = _NEXT.format(_READY.format("%s")), _NEXT.format(_APPROVED.format("%s"))


def channels_ready(channels: Sequence[int]) -> set[int]:
    """Which of these channels have sales to accept now: by themselves, or because a person said yes."""
    return {row[0] for row in sql.rows(CHANNELS_READY, [list(channels)])}


def accept(channel: Channel, *, actor: Actor, at: datetime, limit: int = PAGE) -> Accepted:
    """Place the next ready sales as orders, oldest first, and reserve for them. Each is examined once more: mappings and
    products may have changed since it was staged."""
    result = Accepted()
    rows = sql.rows(NEXT_READY if channel.accepts_by_itself else NEXT_APPROVED, [channel.pk, limit])
    if not rows:
        return result
    result.looked_at = len(rows)
    sales = [sale_from_text(row[2]) for row in rows]
    known = matching.gather(channel.pk, sales)
    new: list[NewOrder] = []
    set_free: list[str] = []
    for (_, _, _, repairs), sale in zip(rows, sales, strict=True):
        found = examine(sale, known, json.loads(repairs), at=at)
        if found.state is State.READY:
            new.append(_order(channel, sale, found))
        else:
            _send_back(channel.pk, sale, found.anomalies, found.state, result, at=at)
            set_free += [source(channel.pk, sale.external_id)] if found.state is State.INFORMATION else []
    placed = placing.place(new, at=at, actor=actor)
    for one in placed:
        if one.refusal is not None and one.external_id is not None:
            sale = next(sale for sale in sales if sale.external_id == one.external_id)
            anomaly: dict[str, object] = {"code": one.refusal.code, "line": "", "facts": _plain(one.refusal.facts)}
            _send_back(channel.pk, sale, [anomaly], State.REPAIR, result, at=at)
        else:
            result.placed.append(one)
            set_free += [] if one.created else [source(channel.pk, str(one.external_id))]
            result.resolved.append(f"sale:{one.external_id}")
    sql.execute(
        'UPDATE staging_stagedsale SET state = %s, "order" = s.placed, accepted_at = %s, next_look_at = NULL, anomalies = %s'
        " FROM unnest(%s::text[], %s::bigint[]) AS s (external, placed)"
        " WHERE channel_id = %s AND external_id = s.external",
        [
            State.ACCEPTED.value,
            at,
            sql.Jsonb([]),
            [one.external_id for one in result.placed],
            [one.order for one in result.placed],
            channel.pk,
        ],
    )
    _cancel_refunded(result.placed, {sale.external_id: sale for sale in sales}, at=at, actor=actor)
    if set_free:  # an order already, or nothing that comes in: placing has not freed what they held
        inventory.release_holds(set_free, at=at, actor=actor)
    tell_physical(channel.pk, {sale.external_id for sale in sales}, at)
    return result


def _cancel_refunded(placed: Sequence[Placed], sales: Mapping[str, Sale], *, at: datetime, actor: Actor) -> None:
    """Units that the channel had given back before the sale came in are not to be sent."""
    refunded = {
        (one.order, line.external_id): line.refunded
        for one in placed
        if one.created and one.external_id is not None and one.status in ("processing", "on_hold", "pending")
        for line in sales[one.external_id].lines
        if line.refunded > 0
    }
    if not refunded:
        return
    lines = sql.rows(
        "SELECT order_id, external_id, id, quantity FROM orders_line WHERE order_id = ANY(%s) AND parent_id IS NULL",
        [sorted({int(order) for order, _ in refunded if order is not None})],
    )
    for order, external_id, line, quantity in lines:
        if units := refunded.get((order, external_id)):
            orders.cancel_line(
                line,
                min(units, quantity),
                reason="refunded there before it came in",
                is_ours=False,
                at=at,
                actor=actor,
            )


def _send_back(
    channel: int,
    sale: Sale,
    anomalies: list[dict[str, object]],
    state: State,
    result: Accepted,
    *,
    at: datetime,
) -> None:
    sql.execute(
        "UPDATE staging_stagedsale SET state = %s, anomalies = %s, next_look_at = %s"
        " WHERE channel_id = %s AND external_id = %s",
        [state.value, sql.Jsonb(anomalies), at if state is State.RETRY else None, channel, sale.external_id],
    )
    result.back_to_repair += 1
    for anomaly in anomalies:
        facts = {"number": sale.number, **dict(anomaly["facts"])}  # type: ignore[call-overload]  # facts is a dict
        result.findings.append(Found(str(anomaly["code"]), f"sale:{sale.external_id}", "error", facts))


def _plain(facts: dict[str, object]) -> dict[str, object]:
    return {key: item if isinstance(item, str | int | bool | list | dict) else str(item) for key, item in facts.items()}


_INTAKE = {
    Rule.VALID: Intake.VALID,
    Rule.INVOICE: Intake.INVOICE,
    Rule.CANCEL: Intake.CANCEL,
    Rule.HOLD: Intake.HOLD,
    Rule.COMPLETE: Intake.COMPLETE,
    Rule.HISTORY: Intake.HISTORY,
}


def version_there(row: StagedSale, *, at: datetime) -> NewOrder:
    """The channel's present version of a sale that is an order already, for `orders.actions.take_theirs`. Refused where
    it would need a repair first: nothing of it is taken then."""
    sale = sale_from_json(row.sale)
    found = examine(sale, matching.gather(row.channel_id, [sale]), row.repairs, at=at)
    if found.anomalies or found.rule not in _INTAKE or found.point is None:
        codes = ", ".join(sorted(found.codes)) or str(found.rule)
        raise Conflict("the channel's version cannot be taken as it is", sale=sale.external_id, cure=codes)
    return _order(row.channel, sale, found)


def _order(channel: Channel, sale: Sale, found: Examined) -> NewOrder:
    """A sale that passed every check, as the business takes it."""
    if found.rule is None or found.point is None:
        raise ValueError(f"sale {sale.external_id} is not ready")
    charges = [NewCharge(kind=one.kind.value, amount=one.amount, name=one.name, tax=one.tax) for one in sale.charges]
    if found.rounding:
        charges.append(NewCharge(kind=ChargeKind.ROUNDING.value, amount=found.rounding))
    return NewOrder(
        intake=_INTAKE[found.rule],
        channel=channel.pk,
        external_id=sale.external_id,
        external_number=sale.number,
        external_status=sale.status,
        meaning=sale.state.value,
        selling_point=found.point.id,
        currency=sale.currency,
        rate=sale.rate,
        total=sale.total,
        total_tax=sale.total_tax,
        placed_at=sale.placed_at,
        warehouses=found.point.warehouses,
        lines=tuple(
            NewLine(
                name=line.name,
                quantity=line.quantity,
                unit_price=line.unit_price,
                total=line.total,
                kind=line.kind.value,
                variant=found.variants.get(line.external_id),
                external_id=line.external_id,
                listing=line.listing,
                sku=line.sku,
                tax_rate=line.tax_rate,
                tax=line.tax,
                discount=line.discount,
                refunded=line.refunded,
            )
            for line in sale.lines
        ),
        charges=tuple(charges),
        payments=tuple(
            NewPayment(
                method=one.method, amount=one.amount, label=one.label, reference=one.reference, paid_at=one.paid_at
            )
            for one in sale.payments
        ),
        carrier=found.carrier,
        carrier_name=sale.carrier_name,
        payment_name=sale.payment_name,
        buyer=to_json(sale.buyer),
        billing=to_json(sale.billing) if sale.billing else None,
        shipping=to_json(sale.shipping) if sale.shipping else None,
        pickup_point=sale.pickup_point,
        note=sale.note,
        hold_reason=str(sale.status_name or sale.status) if found.rule is Rule.HOLD else "",
        releases=(source(channel.pk, sale.external_id),),
    )

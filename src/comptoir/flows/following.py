"""What a channel's change means for orders that are here: status by the table, lines and address by comparison."""

from __future__ import annotations

import json
from collections.abc import Sequence

from comptoir.channels import registry
from comptoir.channels.models import HUB, Channel
from comptoir.channels.records import sale_from_text
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders import differences, external, queries
from comptoir.commerce.orders.records import Severity as Said
from comptoir.commerce.shipments import actions as shipments
from comptoir.engine import effects
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.kit import sql

_SEEN = """
SELECT s.meaning, s.external_status, s.sale, o.id, o.status, o.is_cancelled_there, o.theirs, o.is_blocked,
       EXISTS (SELECT FROM orders_line l WHERE l.order_id = o.id AND l.shipped > 0),
       EXISTS (SELECT FROM orders_line l WHERE l.order_id = o.id AND l.cancelled > 0)
FROM staging_stagedsale s JOIN orders_order o ON o.id = s."order"
WHERE s.id = ANY(%s) ORDER BY o.id
"""


#: What lets preparation wait; gone there, it goes on.
_BLOCKING = {
    "changed_there",
    "shipped_there_unbooked",
    *(
        reaction.finding
        for row in external.TABLE.values()
        for reaction in row.values()
        if reaction.effect == external.Effect.BLOCK
    ),
}
_BLOCKED_BY_US = {"changed there", *(f"{meaning.value} there" for meaning in external.Meaning)}


def follow(run: RunContext, channel: Channel, staged: Sequence[int]) -> None:
    """Let changes seen at the channel count in the orders of these staged sales; within a checkpoint.

    Most changes are echoes of what we told: the table says so without locking anything.
    """
    if not staged:
        return
    rows = sql.rows(_SEEN, [list(staged)])
    orders.note_external_status({row[3]: row[1] for row in rows}, meanings={row[3]: row[0] for row in rows}, at=run.at)
    for meaning, _, text, order, status, is_cancelled_there, theirs, is_blocked, has_left, has_less in rows:
        sale = json.loads(text)
        standing = external.standing(status, has_left=has_left, is_cancelled_there=is_cancelled_there)
        found: dict[str, Said] = {}
        if external.reaction(meaning, standing) != external.NOTHING:
            found |= _status(run, channel, order, meaning, text)
        version = differences.snapshot_of_sale(sale)
        if differences.compare(json.loads(theirs) if theirs else None, version):
            for finding in orders.compare(order, sale, at=run.at, actor=run.actor):
                run.found(finding.code, finding.subject, Severity(finding.severity.value), **finding.facts)
                found[finding.code] = finding.severity
        is_sold = has_less and meaning not in (external.Meaning.CANCELLED, external.Meaning.REFUNDED)
        if is_sold and queries.cancelled_here_only(order, version):
            found["line_cancelled_here_only"] = Said.ERROR  # still so; it was said when it happened
        run.resolved([f"order:{order}"], codes=external.over(meaning, found))
        if meaning == external.Meaning.CANCELLED:  # with the shop's own screen, as the refusal asks for
            run.resolved([f"order:{order}"], codes=("cancel_refused", "cancel_unknown"))
        # On hold, an order is not asked for its payment again; it waits for it all the same.
        reasons = _BLOCKED_BY_US - {f"{meaning} there"}
        is_over = meaning != external.Meaning.UNKNOWN and not found.keys() & _BLOCKING
        if is_blocked and is_over and _why_blocked(order) in reasons:
            orders.unblock(order, reason="over there", is_decided=False, at=run.at, actor=run.actor)


def _why_blocked(order: int) -> str:
    return str(
        sql.value(
            "SELECT reason FROM orders_history WHERE order_id = %s AND what = 'blocked' ORDER BY id DESC LIMIT 1",
            [order],
        )
    )


def _was_told(channel: int, order: int) -> bool:
    """Whether our cancellation of this order has been told there, or refused: it is not told twice."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM engine_effect WHERE channel_id = %s AND kind = 'cancel' AND key = %s"
            " AND state NOT IN ('wanted', 'called'))",
            [channel, f"order:{order}"],
        )
    )


def _status(run: RunContext, channel: Channel, order: int, meaning: str, text: str) -> dict[str, Said]:
    sale = sale_from_text(text)
    can_tell = channel.kind != HUB and "cancelling" in registry.find(channel.kind).abilities
    if can_tell and meaning != external.Meaning.CANCELLED:
        can_tell = not _was_told(channel.pk, order)  # it knows and sells it all the same: a person must
    followed = shipments.follow(
        order,
        meaning,
        tracking=sale.tracking,
        books_shipments=channel.books_shipments,
        can_tell=can_tell,
        at=run.at,
        actor=run.actor,
    )
    if followed.tells:
        effects.want(
            channel.pk,
            "cancel",
            f"order:{order}",
            f"order:{order}",
            {"order": order, "sale": sale.external_id},
            at=run.at,
        )
    for finding in followed.findings:
        run.found(finding.code, finding.subject, Severity(finding.severity.value), **finding.facts)
    return {finding.code: finding.severity for finding in followed.findings}

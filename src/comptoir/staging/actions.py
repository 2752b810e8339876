"""Keep what channels report, decide what each sale waits for, repair and decide. Set-based over a page; the caller's
transaction; what somebody should read comes back as data, for the run to report.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.db import transaction

from comptoir.channels.models import Channel, HoldScope
from comptoir.channels.records import LineKind, Sale, SaleState, keepable, sale_from_json, sale_from_text, to_text
from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import ledger
from comptoir.commerce.inventory.records import HoldWanted
from comptoir.events import record
from comptoir.kit import ids, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, Conflict
from comptoir.offers import actions as offers
from comptoir.staging import erased, matching
from comptoir.staging.checks import Examined, examine
from comptoir.staging.checks import match as match_line
from comptoir.staging.models import StagedSale, State
from comptoir.staging.rules import Rule

HOURLY_FOR = timedelta(days=7)
DAILY_UNTIL = timedelta(days=30)

PAGES = 0x73746167  # of the lock that a page of one channel takes

#: States in which units are set aside: the sale may still become an order.
WAITING = frozenset({State.READY, State.RETRY, State.REPAIR})


@dataclass(frozen=True, slots=True)
class Found:
    """Something to read about one sale."""

    code: str
    subject: str
    severity: str
    facts: dict[str, Any]


@dataclass(slots=True)
class Staged:
    """What became of a page: counts that add up to its sales, what to read, whose findings may close."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    parked: int = 0
    findings: list[Found] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    follow: list[int] = field(default_factory=list)  # staged ids whose order must look at a change there


@dataclass(slots=True)
class _Row:
    id: int
    external_id: str
    fingerprint: str
    state: str
    meaning: str
    order: int | None
    repairs: dict[str, Any]
    sale: str  # JSON
    is_approved: bool
    seen_at: datetime
    kept_at: datetime


def _row(row: sql.Row) -> _Row:
    return _Row(*(*row[:6], json.loads(row[6]), *row[7:]))


_EXISTING = """
SELECT id, external_id, fingerprint, state, meaning, "order", repairs, sale, is_approved, seen_at, changed_at
FROM staging_stagedsale
WHERE channel_id = %s AND external_id = ANY(%s) ORDER BY external_id FOR UPDATE
"""

# Locks are taken in one order by everybody: staged rows by external id, offers by id, orders by id, stock. A page that
# moves the stock of orders as well as holds asks for all of it at once.
_ORDERS = "SELECT FROM orders_order WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_SERVED = """
SELECT l.variant_id, warehouse FROM orders_line l JOIN orders_order o ON o.id = l.order_id
CROSS JOIN LATERAL unnest(o.warehouses) warehouse
WHERE o.id = ANY(%s) AND l.kind IN ('goods', 'part') AND l.variant_id IS NOT NULL
"""


def stage(
    channel: Channel,
    sales: Sequence[Sale],
    *,
    raw: Mapping[str, str],
    run: int | None,
    actor: Actor,
    at: datetime,
    asked_at: datetime | None = None,
) -> Staged:
    """Keep a page of sales, each once however often it was seen, and decide what each waits for.

    `asked_at` is the instant before the channel was asked for this page: what another flow asked for and kept meanwhile
    is not overwritten by an older version. None for what no channel was asked for, such as a file.
    """
    result = Staged()
    by_id = {sale.external_id: keepable(sale) for sale in sales}  # the same sale twice on a page: the later one counts
    # Of two flows that see the same new sale at once, the second must find the row of the first.
    sql.value("SELECT pg_advisory_xact_lock(%s::int, %s::int)::text", [PAGES, channel.pk])
    known_rows = {row[1]: _row(row) for row in sql.rows(_EXISTING, [channel.pk, sorted(by_id)])}
    gone = {key for key, row in known_rows.items() if erased.is_erased(row.repairs)}
    if gone:  # the shop still knows who bought; we were asked to forget it
        by_id |= {key: erased.without_buyer(by_id[key]) for key in gone}
        raw = {key: answer for key, answer in raw.items() if key not in gone}
    prints = {key: ids.fingerprint(msgspec.json.encode(sale)) for key, sale in by_id.items()}
    touched = [
        sale
        for key, sale in by_id.items()
        if key not in known_rows
        or (known_rows[key].fingerprint != prints[key] and not _is_stale(known_rows[key], sale, asked_at))
    ]
    result.unchanged = len(by_id) - len(touched)
    if not touched:
        return result

    known = matching.gather(channel.pk, touched)
    examined = {
        sale.external_id: examine(
            sale, known, known_rows[sale.external_id].repairs if sale.external_id in known_rows else {}, at=at
        )
        for sale in touched
    }
    states = {
        sale.external_id: _state(known_rows.get(sale.external_id), examined[sale.external_id], sale, at)
        for sale in touched
    }
    _write(channel.pk, touched, examined, states, known_rows, prints, raw, run, at)

    for sale in touched:
        before, state = known_rows.get(sale.external_id), states[sale.external_id]
        subject = f"sale:{sale.external_id}"
        if before is not None and before.order is not None:
            result.changed += 1
            result.follow.append(before.id)
            continue
        if state in (State.RETRY, State.REPAIR):
            result.parked += 1
        elif state in (State.INFORMATION, State.REJECTED, State.CLOSED):
            result.skipped += 1
        elif before is None:
            result.created += 1
        else:
            result.changed += 1
        result.resolved.append(subject)
        result.findings.extend(_findings(sale, state, examined[sale.external_id]))

    _forget(channel.pk, touched, known_rows, at)
    _lock_orders(touched, examined, known_rows)
    _set_aside(channel, touched, states, examined, known_rows, actor, at)
    return result


def _is_stale(kept: _Row, sale: Sale, asked_at: datetime | None) -> bool:
    """Whether this was read before the kept version was, and only comes to be kept after it.

    The shop's own clock is not enough: where it writes local time, an hour of autumn comes twice, and the second time
    looks older than the first. So a version is older only where the two readings overlapped as well.
    """
    if asked_at is None or asked_at >= kept.kept_at:
        return False
    return sale.changed_at < sale_from_text(kept.sale).changed_at


def _lock_orders(sales: Sequence[Sale], examined: Mapping[str, Examined], before: Mapping[str, _Row]) -> None:
    """Lock the orders that will follow this page before any stock is; and where they give units back or away, their
    stock together with what is set aside for the others."""
    ours: dict[int, bool] = {}  # order -> it moves stock
    for sale in sales:
        row = before.get(sale.external_id)
        if row is not None and row.order is not None:
            ours[row.order] = sale.state in (SaleState.CANCELLED, SaleState.SHIPPED) and sale.state != row.meaning
    if not ours:
        return
    sql.execute(_ORDERS, [sorted(ours)])
    moving = [order for order, moves in ours.items() if moves]
    if not moving:
        return
    parts = catalog.expand(sorted({variant for one in examined.values() for variant in one.variants.values()}))
    held = {
        (stocked, warehouse)
        for one in examined.values()
        if one.point is not None
        for variant in one.variants.values()
        for stocked, _ in parts.get(variant, ())
        for warehouse in one.point.warehouses[:1]
    }
    ledger.lock_levels(held | {(variant, warehouse) for variant, warehouse in sql.rows(_SERVED, [moving])})


def _state(before: _Row | None, now: Examined, sale: Sale, at: datetime) -> State:
    if before is not None and before.order is not None:
        return State.ACCEPTED
    if before is not None and before.state == State.REJECTED and before.meaning == sale.state:
        return State.REJECTED  # a person said no to just this
    if now.state is State.RETRY and at - sale.placed_at > DAILY_UNTIL:
        return State.CLOSED
    return now.state


def _findings(sale: Sale, state: State, now: Examined) -> list[Found]:
    subject = f"sale:{sale.external_id}"
    facts = {"number": sale.number, "status": sale.status_name or sale.status}
    if state is State.RETRY:
        return [Found("sale_unpaid", subject, "retry", facts)]
    if state is State.INFORMATION:
        return [Found("sale_not_imported", subject, "info", facts)]
    if state is State.CLOSED:
        return [Found("sale_given_up", subject, "info", facts)]
    if state is State.REPAIR:
        by_code: dict[str, dict[str, Any]] = {}
        for anomaly in now.anomalies:
            by_code.setdefault(str(anomaly["code"]), {**facts, **anomaly["facts"]})
        return [Found(code, subject, "error", found) for code, found in by_code.items()]
    return []


def _next_look(state: State, sale_placed: datetime, at: datetime) -> datetime | None:
    if state is not State.RETRY:
        return None
    return at + (timedelta(hours=1) if at - sale_placed <= HOURLY_FOR else timedelta(days=1))


_COLUMNS = (
    ("external_id", "text"),
    ("number", "text"),
    ("external_status", "text"),
    ("status_name", "text"),
    ("meaning", "text"),
    ("rule", "text"),
    ("state", "text"),
    ("anomalies", "jsonb"),
    ("raw", "text"),
    ("sale", "jsonb"),
    ("fingerprint", "text"),
    ("point", "bigint"),
    ("currency", "text"),
    ("total", "numeric"),
    ("buyer", "text"),
    ("next_look_at", "timestamptz"),
    ("placed_at", "timestamptz"),
    ("changed_at", "timestamptz"),
)
_NAMES = ", ".join(name for name, _ in _COLUMNS)
# Whole documents go in binary: within a text array each of their quotes would be escaped (20 times slower, measured).
_FORMAT = {"raw": "b", "sale": "b"}
_UPSERT = f"""
INSERT INTO staging_stagedsale (channel_id, seen_at, seen_run, looks, repairs, is_approved, {_NAMES})
SELECT %(channel)s, %(at)s, %(run)s, 0, '{{}}', false, {_NAMES}
FROM unnest({", ".join(f"%({name}){_FORMAT.get(name, 's')}::{kind}[]" for name, kind in _COLUMNS)}) AS s ({_NAMES})
ORDER BY external_id
ON CONFLICT (channel_id, external_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name, _ in _COLUMNS if name not in ("external_id", "raw"))},
    raw = CASE WHEN excluded.raw <> '' THEN excluded.raw ELSE staging_stagedsale.raw END,
    seen_run = excluded.seen_run, looks = staging_stagedsale.looks + 1
"""


def _write(
    channel: int,
    sales: Sequence[Sale],
    examined: Mapping[str, Examined],
    states: Mapping[str, State],
    before: Mapping[str, _Row],
    prints: Mapping[str, str],
    raw: Mapping[str, str],
    run: int | None,
    at: datetime,
) -> None:
    params: dict[str, Any] = {name: [] for name, _ in _COLUMNS}
    for sale in sales:
        key = sale.external_id
        found = examined[key]
        for name, content in (
            ("external_id", key),
            ("number", sale.number[:80]),
            ("external_status", sale.status[:80]),
            ("status_name", sale.status_name[:120]),
            ("meaning", sale.state.value),
            ("rule", found.rule.value if found.rule else ""),
            ("state", states[key].value),
            ("anomalies", sql.Jsonb(found.anomalies)),
            ("raw", raw.get(key, "")),
            ("sale", to_text(sale)),
            ("fingerprint", prints[key]),
            ("point", found.point.id if found.point else None),
            ("currency", sale.currency[:3]),
            ("total", sale.total),
            ("buyer", (sale.buyer.name or sale.buyer.company or sale.buyer.email)[:160]),
            ("next_look_at", _next_look(states[key], sale.placed_at, at)),
            ("placed_at", sale.placed_at),
            ("changed_at", at),
        ):
            params[name].append(content)
    sql.execute(_UPSERT, {**params, "channel": channel, "at": at, "run": run})


# -- what a sale does to stock before it is accepted -------------------------------------------------------------------


def _forget(channel: int, sales: Sequence[Sale], before: Mapping[str, _Row], at: datetime) -> None:
    """A sale or cancellation seen there has moved its figure: what we told is no longer believed. A payment moves nothing."""
    listings: set[str] = set()
    for sale in sales:
        row = before.get(sale.external_id)
        was = sale_from_text(row.sale) if row else None
        if was is None:
            moved = sale.takes_stock
        else:
            moved = was.takes_stock != sale.takes_stock or _units(was) != _units(sale) or (SaleState.SHIPPED in (
                sale.state, was.state
            ) and sale.state != was.state)  # fmt: skip
        if moved:
            listings.update(line.listing for line in (*sale.lines, *(was.lines if was else ())) if line.listing)
    offers.forget_told(channel, listings, at=at)


def _units(sale: Sale) -> dict[str, Decimal]:
    units: dict[str, Decimal] = defaultdict(Decimal)
    for line in sale.lines:
        units[line.listing] += line.quantity - line.refunded
    return units


def source(channel: int, external_id: str) -> str:
    """How the hold of a sale is called in inventory."""
    return f"{channel}:{external_id}"


def _set_aside(
    channel: Channel,
    sales: Sequence[Sale],
    states: Mapping[str, State],
    examined: Mapping[str, Examined],
    before: Mapping[str, _Row],
    actor: Actor,
    at: datetime,
) -> None:
    wanted: list[HoldWanted] = []
    freed: list[str] = []
    parts = catalog.expand(sorted({variant for one in examined.values() for variant in one.variants.values()}))
    for sale in sales:
        key = source(channel.pk, sale.external_id)
        found = examined[sale.external_id]
        row = before.get(sale.external_id)
        if row is not None and row.order is not None:
            continue  # an order reserves
        holds = (
            states[sale.external_id] in WAITING
            and sale.takes_stock
            and channel.hold_scope != HoldScope.NOWHERE
            and found.point is not None
            and bool(found.point.warehouses)
        )
        if not holds or found.point is None:
            if row is not None:
                freed.append(key)
            continue
        units: dict[int, Decimal] = defaultdict(Decimal)
        for line in sale.lines:
            variant = found.variants.get(line.external_id)
            if variant is None or line.quantity <= 0 or line.kind not in (LineKind.GOODS, LineKind.KIT):
                continue
            for stocked, per in parts.get(variant, ()):
                units[stocked] += line.quantity * per
        scope = found.point.id if channel.hold_scope == HoldScope.OWN else None
        # Counted from when we knew of it: a shop that is connected with old unpaid sales shows no difference at first.
        until = (row.seen_at if row is not None else at) + timedelta(days=channel.hold_days)
        if until <= at:
            if row is not None:
                freed.append(key)
            continue
        wanted.extend(
            HoldWanted(key, variant, quantity, found.point.warehouses, scope, until)
            for variant, quantity in sorted(units.items())
        )
        if not units and row is not None:
            freed.append(key)
    if wanted:
        inventory.hold(wanted, at=at, actor=actor)
    if freed:
        inventory.release_holds(freed, at=at, actor=actor)
    tell_physical(channel.pk, {sale.external_id for sale in sales}, at)


def tell_physical(channel: int, touched: Collection[str], at: datetime) -> None:
    """A *physical* shop subtracts its own open sales: those not accepted here are counted per listing. What has left or was
    cancelled there is not open there any more, even where it waits for a person here."""
    if not touched or not _has_physical(channel):
        return
    units = sql.rows(
        """
        WITH touched AS (
            SELECT DISTINCT l->>'listing' AS listing, sale->>'selling_point' AS point
            FROM staging_stagedsale s, jsonb_array_elements(s.sale->'lines') l
            WHERE s.channel_id = %(channel)s AND s.external_id = ANY(%(touched)s) AND l->>'listing' <> ''
        )
        SELECT t.listing, t.point, coalesce(sum((l->>'quantity')::numeric) FILTER (
            WHERE s."order" IS NULL AND s.state IN ('ready', 'retry', 'repair')), 0)
        FROM touched t
        LEFT JOIN staging_stagedsale s ON s.channel_id = %(channel)s AND s.sale->>'selling_point' = t.point
            AND s.state IN ('ready', 'retry', 'repair') AND s.meaning NOT IN ('shipped', 'cancelled', 'refunded')
        LEFT JOIN LATERAL jsonb_array_elements(s.sale->'lines') l ON l->>'listing' = t.listing
        GROUP BY t.listing, t.point
        """,
        {"channel": channel, "touched": sorted(touched)},
    )
    offers.set_staged_units(channel, {(listing, point): quantity for listing, point, quantity in units}, at=at)


def newly_offered(channel: int, listings: Collection[str], at: datetime) -> None:
    """These listings have their offers only now: open sales of a *physical* shop that came in before them count, too."""
    if not listings or not _has_physical(channel):
        return
    waiting = sql.rows(
        'SELECT s.external_id FROM staging_stagedsale s WHERE s.channel_id = %s AND s."order" IS NULL'
        " AND s.state IN ('ready', 'retry', 'repair') AND EXISTS (SELECT FROM jsonb_array_elements(s.sale->'lines') l"
        " WHERE l->>'listing' = ANY(%s))",
        [channel, list(listings)],
    )
    tell_physical(channel, {row[0] for row in waiting}, at)


def _has_physical(channel: int) -> bool:
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT 1 FROM offers_sellingpoint WHERE channel_id = %s AND figure = 'physical')", [channel]
        )
    )


# -- looking again -------------------------------------------------------------------------------------------------------


def recheck(
    channel: Channel, *, staged: Collection[int] | None = None, actor: Actor, at: datetime, limit: int = 500
) -> Staged:
    """Run the checks again on rows that have anomalies (or on these): after a mapping, a link or a new product. An unpaid
    sale sets nothing aside for a line that nobody knows, so it is among them."""
    result = Staged()
    waiting = [  # all of them first, as a page of sales locks them: rows before stock
        row[0]
        for row in sql.rows(
            'SELECT id FROM staging_stagedsale WHERE channel_id = %s AND "order" IS NULL'
            " AND (state = 'repair' OR (state = 'retry' AND anomalies <> '[]') OR id = ANY(%s))"
            " AND (%s::bigint[] IS NULL OR id = ANY(%s)) ORDER BY external_id FOR UPDATE",
            [channel.pk, list(staged or ()), None if staged is None else list(staged), list(staged or ())],
        )
    ]
    for start in range(0, len(waiting), limit):
        rows = sql.rows(
            'SELECT id, external_id, fingerprint, state, meaning, "order", repairs, sale, is_approved, seen_at, changed_at'
            " FROM staging_stagedsale WHERE id = ANY(%s) ORDER BY external_id",
            [waiting[start : start + limit]],
        )
        before = {row[1]: _row(row) for row in rows}
        sales = [sale_from_text(row.sale) for row in before.values()]
        known = matching.gather(channel.pk, sales)
        examined = {sale.external_id: examine(sale, known, before[sale.external_id].repairs, at=at) for sale in sales}
        states = {
            sale.external_id: _state(before[sale.external_id], examined[sale.external_id], sale, at) for sale in sales
        }
        prints = {key: row.fingerprint for key, row in before.items()}
        _write(channel.pk, sales, examined, states, before, prints, {}, None, at)
        _set_aside(channel, sales, states, examined, before, actor, at)
        for sale in sales:
            result.resolved.append(f"sale:{sale.external_id}")
            result.findings.extend(_findings(sale, states[sale.external_id], examined[sale.external_id]))
            if states[sale.external_id] is State.READY:
                result.changed += 1
            else:
                result.parked += 1
    return result


def due(channel: int, *, at: datetime, limit: int = 100) -> list[str]:
    """External ids of unpaid sales whose next look has come, longest waiting first."""
    return [
        row[0]
        for row in sql.rows(
            "SELECT external_id FROM staging_stagedsale WHERE channel_id = %s AND state = 'retry' AND next_look_at <= %s"
            " ORDER BY next_look_at, id LIMIT %s",
            [channel, at, limit],
        )
    ]


def looked(channel: Channel, external_ids: Collection[str], *, actor: Actor, at: datetime) -> Staged:
    """Note that these were looked at and are still unpaid: hourly at first, then daily, then given up as Info."""
    result = Staged()
    rows = sql.rows(
        """
        UPDATE staging_stagedsale SET looks = looks + 1,
            state = CASE WHEN %(at)s - placed_at > %(last)s THEN 'closed' ELSE state END,
            next_look_at = CASE WHEN %(at)s - placed_at > %(last)s THEN NULL
                ELSE %(at)s + CASE WHEN %(at)s - placed_at <= %(hourly)s THEN interval '1 hour' ELSE interval '1 day' END END
        WHERE channel_id = %(channel)s AND external_id = ANY(%(ids)s) AND state = 'retry' AND next_look_at <= %(at)s
        RETURNING external_id, state, number, status_name
        """,
        {"at": at, "last": DAILY_UNTIL, "hourly": HOURLY_FOR, "channel": channel.pk, "ids": sorted(external_ids)},
    )
    given_up = [row for row in rows if row[1] == State.CLOSED]
    for external_id, _, number, status in given_up:
        result.resolved.append(f"sale:{external_id}")
        result.findings.append(
            Found("sale_given_up", f"sale:{external_id}", "info", {"number": number, "status": status})
        )
    if given_up:
        inventory.release_holds([source(channel.pk, row[0]) for row in given_up], at=at, actor=actor)
        tell_physical(channel.pk, {row[0] for row in given_up}, at)
    result.parked = len(rows) - len(given_up)
    result.skipped = len(given_up)
    return result


# -- people --------------------------------------------------------------------------------------------------------------


def approve(staged: Collection[int], *, actor: Actor, at: datetime) -> int:
    """A person says yes to rows that wait for it; the checks still apply. The number that will be accepted now."""
    ready = sql.rows(
        'UPDATE staging_stagedsale SET is_approved = true WHERE id = ANY(%s) AND "order" IS NULL'
        " AND state IN ('ready', 'repair', 'retry') RETURNING id, state",
        [sorted(staged)],
    )
    record.record("staging.sales.approved", {"staged": [row[0] for row in ready]}, actor=actor, at=at)
    return sum(1 for row in ready if row[1] == State.READY)


def reject(staged: Collection[int], reason: str, *, actor: Actor, at: datetime) -> list[str]:
    """A person says no: nothing comes in, what was set aside is free. The subjects whose findings close.

    A yes that somebody gave before is taken back with it: what changes there later is asked about again.
    """
    if not reason.strip():
        raise BadInput("say why", place="reason", value="", cure="a few words that the history keeps")
    rows = sql.rows(
        "UPDATE staging_stagedsale SET state = 'rejected', is_approved = false, next_look_at = NULL"
        ' WHERE id = ANY(%s) AND "order" IS NULL RETURNING id, channel_id, external_id',
        [sorted(staged)],
    )
    if len(rows) != len(set(staged)):
        raise Conflict("some of these are orders already", staged=sorted(set(staged) - {row[0] for row in rows}))
    inventory.release_holds([source(channel, external_id) for _, channel, external_id in rows], at=at, actor=actor)
    for channel in {row[1] for row in rows}:
        tell_physical(channel, {row[2] for row in rows if row[1] == channel}, at)
    record.record("staging.sales.rejected", {"staged": [row[0] for row in rows], "reason": reason}, actor=actor, at=at)
    return [f"sale:{external_id}" for _, _, external_id in rows]


def map_line(staged: int, line: str, variant: int, *, actor: Actor, at: datetime) -> Staged:
    """Say which variant a line is; remembered for its listing (or its SKU), and every row that waited for it goes on."""
    row = StagedSale.objects.select_related("channel").get(pk=staged)
    found = next((one for one in sale_from_json(row.sale).lines if one.external_id == line), None)
    if found is None:
        raise BadInput("no such line", place="line", value=line, cure="a line of this sale")
    if found.listing:
        offers.link_listings(
            row.channel_id, [offers.ListingSeen(found.listing, variant, found.sku, True)], run=None, at=at
        )
    elif found.sku:
        offers.map_to(row.channel_id, "sku", found.sku, str(variant), at=at, actor=actor, name=found.name)
    else:
        raise BadInput(
            "this line has neither a listing nor a SKU to remember",
            place="line",
            value=line,
            cure="reject the sale, or give the product a SKU there",
        )
    record.record(
        "staging.line.mapped",
        {"staged": staged, "line": line, "variant": variant},
        actor=actor,
        at=at,
        subject=f"sale:{row.external_id}",
    )
    return recheck(row.channel, actor=actor, at=at)


def map_carrier(channel: Channel, carrier: str, ours: str, *, actor: Actor, at: datetime) -> Staged:
    """Say which carrier of ours a shipping method is; every row that waited for it goes on."""
    if not ours.strip():
        raise BadInput("choose a carrier", place="carrier", value="", cure="a name of ours, such as dpd")
    offers.map_to(channel.pk, "carrier", carrier, ours.strip(), actor=actor, at=at)
    return recheck(channel, actor=actor, at=at)


def map_status(channel: Channel, status: str, rule: str, *, actor: Actor, at: datetime) -> Staged:
    """Say what a status of the channel makes of a sale; rows that are no orders yet are examined again by it."""
    if rule and rule not in set(Rule):
        raise BadInput("no such import rule", place="rule", value=rule, cure=", ".join(Rule))
    offers.map_to(channel.pk, "status", status, rule, actor=actor, at=at)
    waiting = [
        row[0]
        for row in sql.rows(
            'SELECT id FROM staging_stagedsale WHERE channel_id = %s AND external_status = %s AND "order" IS NULL'
            " AND state <> 'rejected'",
            [channel.pk, status],
        )
    ]
    return recheck(channel, staged=waiting, actor=actor, at=at)


@dataclass(frozen=True, slots=True)
class Moved:
    """Waiting sales that would go from one state to another."""

    before: str
    after: str
    sales: int


def status_if(channel: Channel, status: str, rule: str, *, actor: Actor, at: datetime) -> list[Moved]:
    """What `map_status` would do to the sales that wait with this status. Refuses what it refuses; nothing stays."""
    states = (
        "SELECT id, state FROM staging_stagedsale"
        ' WHERE channel_id = %s AND external_status = %s AND "order" IS NULL ORDER BY id FOR UPDATE'
    )
    with transaction.atomic():
        before: dict[int, str] = dict(sql.rows(states, [channel.pk, status]))
        map_status(channel, status, rule, actor=actor, at=at)
        after: dict[int, str] = dict(sql.rows(states, [channel.pk, status]))
        transaction.set_rollback(True)
    moves = Counter((state, after[one]) for one, state in before.items())
    return [Moved(*move, sales) for move, sales in sorted(moves.items()) if move[0] != move[1]]


def let_go(channel: Channel, *, actor: Actor, at: datetime) -> None:
    """Nobody follows this channel's sales any more: those that wait set no units aside."""
    waiting = sql.rows(
        'SELECT external_id FROM staging_stagedsale WHERE channel_id = %s AND "order" IS NULL'
        " AND state IN ('ready', 'retry', 'repair') ORDER BY id FOR UPDATE",
        [channel.pk],
    )
    if waiting:
        inventory.release_holds([source(channel.pk, row[0]) for row in waiting], at=at, actor=actor)


def accept_total(staged: int, *, actor: Actor, at: datetime) -> Staged:
    """A person takes the channel's total as it is: what lines leave open becomes a counted rounding line. Another total
    later is asked about again."""
    row = StagedSale.objects.select_related("channel").get(pk=staged)
    sql.execute(
        "UPDATE staging_stagedsale SET repairs = repairs || %s WHERE id = %s",
        [sql.Jsonb({"accept_total": row.sale["total"]}), staged],
    )
    record.record("staging.total.accepted", {"staged": staged}, actor=actor, at=at, subject=f"sale:{row.external_id}")
    return recheck(row.channel, staged=[staged], actor=actor, at=at)


__all__ = [
    "Found", "Moved", "Staged", "accept_total", "approve", "due", "let_go", "looked", "map_carrier", "map_line", "map_status",
    "match_line", "newly_offered", "recheck", "reject", "source", "stage", "status_if", "tell_physical",
]  # fmt: skip

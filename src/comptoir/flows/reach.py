"""How long a channel and the hub do not know of each other: the window in which the same unit can be sold twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from comptoir.channels import registry
from comptoir.channels.models import Channel
from comptoir.engine.models import Flow
from comptoir.kit import sql
from comptoir.kit.settings import settings

DAYS = 7  # looked back
FEWEST = 5  # sales or pushes below which nothing is said
BACKFILL = timedelta(days=1)  # a sale that is seen later was not learnt of, it was brought in
RECENT = 20_000  # promises looked at
SAMPLE = 300  # sales and pushes whose middle counts: the newest


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds, in the middle and for the slowest twentieth."""

    median: float
    slow: float
    counted: int


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of the last days."""

    has_webhooks: bool  # deliveries about sales have come
    polls_every: int | None  # seconds; None: no schedule
    learns: Delay | None  # from a sale there until it is known here
    tells: Delay | None  # from a change here until its push has ended
    short_units: float  # ordered there although they were not on the shelf when we learnt of it
    short_orders: int

    @property
    def seconds(self) -> float | None:
        """The window in the middle: what is measured, else what the schedule allows at worst."""
        learns = self.learns.median if self.learns else self.polls_every
        tells = self.tells.median if self.tells else None
        return None if learns is None or tells is None else learns + tells


def address(row: Channel) -> str:
    """Where a channel delivers its webhooks; empty where this hub has no public address."""
    public = settings().public_url.rstrip("/")
    return f"{public}/hooks/{row.webhook_token}" if public else ""


def window(row: Channel, *, at: datetime) -> Window:
    """How long sales at a channel stayed unknown to us lately, and our changes to it."""
    since = at - timedelta(days=DAYS)
    polls = Flow.objects.filter(channel=row, kind="pull_sales", enabled=True).values_list("every", flat=True).first()
    card = registry.find(row.kind)
    has_webhooks = card.webhooks is not None and bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM (SELECT topic, received_at FROM webhooks_delivery WHERE channel_id = %s"
            " AND drained_at IS NOT NULL ORDER BY id DESC LIMIT 100) latest WHERE topic = 'sale' AND received_at > %s)",
            [row.pk, since],
        )
    )
    units, orders = _short(row, since)
    return Window(has_webhooks, polls, _learns(row, since), _tells(row.pk, since), units, orders)


def _learns(row: Channel, since: datetime) -> Delay | None:
    return _delay(
        "SELECT extract(epoch FROM seen_at - placed_at)::float8 AS seconds FROM staging_stagedsale"
        " WHERE channel_id = %s AND placed_at >= greatest(%s, %s) AND seen_at BETWEEN placed_at AND placed_at + %s"
        " ORDER BY placed_at DESC LIMIT %s",
        [row.pk, since, row.created_at, BACKFILL, SAMPLE],
    )


def _tells(channel: int, since: datetime) -> Delay | None:
    """From the moment that a push was asked for to its end: it lingers for more, so most levels were told earlier."""
    return _delay(
        "SELECT extract(epoch FROM r.finished_at - r.queued_at)::float8 AS seconds FROM engine_run r"
        " JOIN engine_flow f ON f.id = r.flow_id WHERE f.channel_id = %s AND f.kind = 'push_stock' AND r.status = 'done'"
        " AND NOT r.is_preview AND r.changed > 0 AND r.finished_at > %s ORDER BY r.id DESC LIMIT %s",
        [channel, since, SAMPLE],
    )


def _delay(statement: str, params: list[object]) -> Delay | None:
    row = sql.one(
        "SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.95) WITHIN GROUP"
        f" (ORDER BY seconds) FROM ({statement}) AS seen",
        params,
    )
    return Delay(row[1], row[2], row[0]) if row is not None and row[0] >= FEWEST else None


def _short(row: Channel, since: datetime) -> tuple[float, int]:
    """Units of orders of this channel that were not there when they came in, and of how many orders; before its stock was
    counted nothing was there."""
    found = sql.one(
        """
        SELECT coalesce(sum(l.quantity - given.units), 0)::float8, count(DISTINCT o.id)
        FROM (SELECT facts, at FROM events_event WHERE name = 'inventory.stock.reserved' AND at > greatest(%(since)s,
                  (SELECT max(stock_initialised_at) FROM offers_sellingpoint WHERE channel_id = %(channel)s))
              ORDER BY id DESC LIMIT %(most)s) AS event
        CROSS JOIN LATERAL (SELECT key::bigint AS line, value::numeric AS units
                            FROM jsonb_each_text(event.facts -> 'lines')) AS given
        JOIN orders_line l ON l.id = given.line AND given.units < l.quantity
        JOIN orders_order o ON o.id = l.order_id AND o.channel = %(channel)s AND o.accepted_at = event.at
        """,
        {"since": since, "channel": row.pk, "most": RECENT},
    )
    return (found[0], found[1]) if found is not None else (0.0, 0)

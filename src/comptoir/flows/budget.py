"""What a channel's flows cost at its pace: calls and minutes of a cycle, and whether a day is long enough for all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from comptoir.channels import registry
from comptoir.channels.models import Channel
from comptoir.engine import schedule
from comptoir.engine.models import Flow
from comptoir.kit import sql

RECENT = 20  # runs of a flow whose middle counts
DAY = timedelta(days=1)
MOST_TIMES = 2_000  # a day; more often is counted as this
COUNTED = 10_000  # listings; of more, PostgreSQL says about how many: this is an estimate anyway


@dataclass(frozen=True, slots=True)
class Cost:
    """One flow. `is_measured`: from its own runs; else from how much there is and how much a call carries."""

    calls: float  # of one cycle
    minutes: float  # of one cycle, at the channel's pace
    times: float  # a day
    is_measured: bool

    @property
    def calls_a_day(self) -> float:
        """What it takes of the budget."""
        return self.calls * self.times


@dataclass(frozen=True, slots=True)
class Points:
    """A budget in cost points, as the channel's last answer had it."""

    left: float
    most: float
    per_second: float  # that come back
    at: datetime


@dataclass(frozen=True, slots=True)
class Budget:
    """A channel's calls."""

    per_minute: float
    costs: Mapping[int, Cost]  # by flow; those of which nothing is known are left out
    points: Points | None = None  # where it counts in points besides

    @property
    def share(self) -> float:
        """How much of a day's calls the enabled flows need; above 1 they never catch up."""
        return sum(cost.calls_a_day for cost in self.costs.values()) / (self.per_minute * 24 * 60)


def budget(row: Channel, *, at: datetime) -> Budget:
    """What the flows of a channel need, measured where they ran and estimated where they did not; those that are off too,
    with nothing a day, so that it is known before they are turned on."""
    card = registry.find(row.kind)
    per_minute = float(row.calls_per_minute or card.pace.per_minute)
    measured = {
        flow: (float(calls), runs)
        for flow, calls, runs in sql.rows(
            """
            SELECT f.id, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.calls), count(*) FILTER (WHERE r.at > %(since)s)
            FROM engine_flow f CROSS JOIN LATERAL (
                SELECT coalesce((calls->>'read')::int, 0) + coalesce((calls->>'write')::int, 0) AS calls, finished_at AS at
                FROM engine_run WHERE flow_id = f.id AND status = 'done' AND NOT is_preview ORDER BY id DESC LIMIT %(most)s
            ) r WHERE f.channel_id = %(channel)s AND r.calls > 0 GROUP BY f.id
            """,
            {"channel": row.pk, "most": RECENT, "since": at - DAY},
        )
    }
    listings = sql.about(
        "SELECT FROM offers_link WHERE channel_id = %s AND kind = 'listing' AND gone_at IS NULL",
        [row.pk],
        exact=COUNTED,
    )
    costs = {}
    for flow in Flow.objects.filter(channel=row).order_by("id"):
        calls, runs = measured.get(flow.pk, (None, 0))
        if calls is None:
            carried = card.carries.get(flow.kind)
            if not carried or not listings:
                continue
            calls = float(math.ceil(listings / carried))
        times = _times(flow, at) if flow.every or flow.cron else float(runs)
        costs[flow.pk] = Cost(calls, calls / per_minute, times if flow.enabled else 0.0, flow.pk in measured)
    return Budget(per_minute, costs, _points(card.pace.key or f"channel:{row.pk}"))


def _points(key: str) -> Points | None:
    found = sql.one(
        "SELECT points_left, points_most, points_per_second, points_at FROM channels_budget"
        " WHERE key = %s AND points_at IS NOT NULL",
        [key],
    )
    return Points(*found) if found is not None else None


def _times(flow: Flow, at: datetime) -> float:
    """How often a day a schedule comes due."""
    if flow.every:
        return DAY.total_seconds() / flow.every
    due, end, times = at, at + DAY, 0
    while times < MOST_TIMES and (found := schedule.next_at(None, flow.cron, flow.timezone, after=due, last=None)):
        if found > end:
            break
        due, times = found, times + 1
    return float(times)

"""Home: what needs the reader, how the channels are, and today beside the same day last week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.commerce.orders import queries
from comptoir.engine.models import Severity
from comptoir.kit import clock, sql
from comptoir.kit.money import to_minor
from comptoir.staging.models import StagedSale, State
from comptoir.web import cells, channel_names, orders, plots
from comptoir.web import channels as channels_page
from comptoir.web import findings as findings_page

MOST = 1000  # counting stops here: "1,000+" says enough on a first page
GROUPS = 8  # cures that are shown; the page of findings has them all
DAYS = 15  # of the plots: today, and two weeks before it
WEEK = 7


@require_GET
@needs(Right.ENTER)
def home(request: PersonRequest) -> HttpResponse:
    """One page that says how it goes."""
    sees_channels = allows(request.user, Right.SEE_CHANNELS)
    context = {
        "groups": by_cure(findings_page.groups(request.user, severity=Severity.ERROR))[:GROUPS]
        if sees_channels
        else [],
        "waits": _waits(request),
        "standings": channels_page.standings() if sees_channels else None,
        "today": _today() if allows(request.user, Right.SEE_ORDERS) else None,
    }
    return render(request, "home/home.html", context)


def by_cure(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Open Errors that are cured in the same way, once, with every channel that has them."""
    cures: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for each in groups:
        cures[each["group"].code, str(each["cure"])].append(each)
    return [
        {
            "first": several[0],
            "channels": several,
            "n": sum(each["group"].subjects for each in several),
            "is_cut": any(each["is_cut"] for each in several),
            "all_url": f"{reverse('findings_all')}?state=open&code={code}",
        }
        for (code, _cure), several in cures.items()
    ]


def _waits(request: PersonRequest) -> list[dict[str, Any]]:
    """What waits for somebody of this role, as counted links."""
    said: list[dict[str, Any]] = []

    def say(rows: Any, words: Any, url: str, *, is_urgent: bool = False, is_cut: bool = False) -> None:
        number = rows if isinstance(rows, int) else rows[: MOST + 1].count()
        if number:
            text = f"{cells.number(number)}+" if is_cut else cells.counted(number, MOST)
            said.append({"words": words(number) % {"n": text}, "url": url, "is_urgent": is_urgent})

    if allows(request.user, Right.SEE_STAGING):
        staged = StagedSale.objects.order_by()
        repair = staged.filter(state=State.REPAIR)
        say(repair, lambda n: ngettext("%(n)s sale needs a repair", "%(n)s sales need a repair", n), reverse("staging"))
        ready = staged.filter(state=State.READY, is_approved=False, channel__accepts_by_itself=False)
        say(
            ready,
            lambda n: ngettext("%(n)s sale waits for a yes", "%(n)s sales wait for a yes", n),
            f"{reverse('staging')}?tab=ready",
        )
    if allows(request.user, Right.SEE_ORDERS):
        tabs = {name: orders.in_tab(name).order_by() for name in ("prepare", "hold", "changed")}
        short = queries.short_of_goods(most=2 * MOST)
        say(
            tabs["prepare"],
            lambda n: ngettext("%(n)s order to prepare", "%(n)s orders to prepare", n),
            f"{reverse('orders')}?tab=prepare",
        )
        say(
            tabs["prepare"].filter(placed_at__lt=clock.now() - orders.LATE),
            lambda n: ngettext(
                "%(n)s of them waits for more than two days", "%(n)s of them wait for more than two days", n
            ),
            f"{reverse('orders')}?tab=prepare&age=late&sort=oldest",
            is_urgent=True,
        )
        say(
            tabs["changed"],
            lambda n: ngettext("%(n)s order changed at its channel", "%(n)s orders changed at their channel", n),
            f"{reverse('orders')}?tab=changed",
            is_urgent=True,
        )
        say(
            tabs["hold"],
            lambda n: ngettext("%(n)s order on hold", "%(n)s orders on hold", n),
            f"{reverse('orders')}?tab=hold",
        )
        say(
            short.partly,
            lambda n: ngettext("%(n)s order is partly in stock", "%(n)s orders are partly in stock", n),
            f"{reverse('orders')}?tab=partial",
            is_cut=short.is_cut,
        )
        say(
            short.wholly,
            lambda n: ngettext("%(n)s order waits for goods", "%(n)s orders wait for goods", n),
            f"{reverse('orders')}?tab=backorder",
            is_cut=short.is_cut,
        )
    return said


# One walk along the index of the times at which orders were placed, whatever their number in all. The edges are of the
# reader's calendar: the database only looks between which two of them an order falls.
_BY_SPAN = """
SELECT channel, currency, width_bucket(placed_at, %(edges)s::timestamptz[]), count(*),
       coalesce(sum(total) FILTER (WHERE status <> 'cancelled'), 0)
FROM orders_order WHERE placed_at >= %(since)s AND placed_at <= %(now)s GROUP BY 1, 2, 3
"""
_BY_HOUR = """
SELECT width_bucket(placed_at, %(edges)s::timestamptz[]), count(*) FROM orders_order
WHERE placed_at >= %(since)s AND placed_at < %(until)s AND placed_at <= %(now)s GROUP BY 1
"""


@dataclass
class _Sold:
    """What one channel sold in one currency, by day; `so_far`: until this hour of the day."""

    orders: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    orders_so_far: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    total: dict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    total_so_far: dict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def _today() -> dict[str, Any]:
    """Orders by the hour, today and on the same day last week, and the turnover of each channel and currency over two
    weeks, by the clock and the calendar of the reader."""
    zone = timezone.get_current_timezone()
    now = clock.now().astimezone(zone)
    days = [now.date() - timedelta(days=n) for n in range(DAYS - 1, -1, -1)]
    today, before = days[-1], days[-1 - WEEK]
    sold: dict[tuple[int | None, str], _Sold] = defaultdict(_Sold)
    edges = [datetime.combine(day, each, zone) for day in days for each in (time(), now.time())]
    asked = {"edges": edges, "since": edges[0], "now": now}
    for channel, currency, span, number, total in sql.rows(_BY_SPAN, asked):
        day = days[(span - 1) // 2]
        is_so_far = span % 2 == 1 or day == today
        one = sold[channel, currency]
        one.orders[day] += number
        one.total[day] += total
        if is_so_far:
            one.orders_so_far[day] += number
            one.total_so_far[day] += total
    hours = {day: _by_hour(day, zone, now) for day in (today, before)}
    number, number_before = sum(hours[today]), sum(one.orders_so_far[before] for one in sold.values())
    most = max(1, number, sum(hours[before]))
    return {
        "orders": number,
        "orders_before": number_before,
        "now": plots.steps(hours[today][: now.hour + 1], most),
        "before": plots.steps(hours[before], most),
        "turnover": _turnover(sold, days),
        "sums": _sums(sold, days),
        "days": DAYS,
    }


def _by_hour(day: date, zone: tzinfo, now: datetime) -> list[int]:
    """Orders of each hour of a day on the reader's wall; an hour that a day leaves out has none."""
    edges = [datetime.combine(day, time(hour), zone) for hour in range(24)]
    until = datetime.combine(day + timedelta(days=1), time(), zone)
    hours = [0] * 24
    for span, number in sql.rows(_BY_HOUR, {"edges": edges, "since": edges[0], "until": until, "now": now}):
        hours[span - 1] += number
    return hours


def _turnover(sold: Mapping[tuple[int | None, str], _Sold], days: Sequence[date]) -> list[dict[str, Any]]:
    """One row per channel and currency: sums across currencies are never made."""
    names = channel_names.all_names()
    marked = {DAYS - 1: "now", DAYS - 1 - WEEK: "before"}
    return [
        {
            "channel": names.get(channel or 0, ""),
            **_row(one, currency, days),
            "plot": plots.bars([one.total[day] for day in days], marked=marked),
        }
        for (channel, currency), one in sorted(
            sold.items(), key=lambda item: (names.get(item[0][0] or 0, ""), item[0][1])
        )
    ]


def _sums(sold: Mapping[tuple[int | None, str], _Sold], days: Sequence[date]) -> list[dict[str, Any]]:
    """A sum for each currency that more than one channel sells in."""
    by_currency: dict[str, list[_Sold]] = defaultdict(list)
    for (_channel, currency), one in sold.items():
        by_currency[currency].append(one)
    rows = []
    for currency, several in sorted(by_currency.items()):
        if len(several) < 2:
            continue
        summed = _Sold()
        for one in several:
            for day in days:
                summed.orders_so_far[day] += one.orders_so_far[day]
                summed.total_so_far[day] += one.total_so_far[day]
        rows.append(_row(summed, currency, days))
    return rows


def _row(one: _Sold, currency: str, days: Sequence[date]) -> dict[str, Any]:
    today, before = days[-1], days[-1 - WEEK]
    return {
        "currency": currency,
        "orders": one.orders_so_far[today],
        "orders_before": one.orders_so_far[before],
        "total": cells.money(to_minor(one.total_so_far[today], currency), currency),
        "total_before": cells.money(to_minor(one.total_so_far[before], currency), currency),
    }

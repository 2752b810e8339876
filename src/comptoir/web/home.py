"""Home: what needs the reader, how the channels are, and today beside the same day last week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncHour
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.commerce.inventory.models import Backorder
from comptoir.commerce.orders.models import Order, Status
from comptoir.engine.models import Severity
from comptoir.kit import clock
from comptoir.kit.money import to_minor
from comptoir.staging.models import StagedSale, State
from comptoir.web import cells, channel_names
from comptoir.web import channels as channels_page
from comptoir.web import findings as findings_page

MOST = 1000  # counting stops here: "1,000+" says enough on a first page


@require_GET
@needs(Right.ENTER)
def home(request: PersonRequest) -> HttpResponse:
    """One page that says how it goes."""
    sees_channels = allows(request.user, Right.SEE_CHANNELS)
    context = {
        "groups": findings_page.groups(request.user, severity=Severity.ERROR)[:8] if sees_channels else [],
        "waits": _waits(request),
        "standings": channels_page.standings() if sees_channels else None,
        "today": _today() if allows(request.user, Right.SEE_ORDERS) else None,
    }
    return render(request, "home/home.html", context)


def _waits(request: PersonRequest) -> list[dict[str, Any]]:
    """What waits for somebody of this role, as counted links."""
    said: list[dict[str, Any]] = []

    def say(rows: Any, words: Any, url: str) -> None:
        number = rows[: MOST + 1].count()
        if number:
            shown = f"{cells.number(MOST)}+" if number > MOST else cells.number(number)
            said.append({"words": words(number) % {"n": shown}, "url": url})

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
        orders = Order.objects.order_by()
        open_ = orders.filter(status=Status.PROCESSING, is_blocked=False)
        say(open_, lambda n: ngettext("%(n)s order to prepare", "%(n)s orders to prepare", n), reverse("orders"))
        hold = orders.filter(status=Status.ON_HOLD)
        say(hold, lambda n: ngettext("%(n)s order on hold", "%(n)s orders on hold", n), f"{reverse('orders')}?tab=hold")
        late = Backorder.objects.order_by().values("order").distinct()
        say(
            late,
            lambda n: ngettext("%(n)s order waits for goods", "%(n)s orders wait for goods", n),
            f"{reverse('orders')}?tab=backorder",
        )
    return said


def _today() -> dict[str, Any]:
    """Orders by the hour, today and a week ago, and the turnover of each channel and currency."""
    now = timezone.localtime(clock.now())
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    before = start - timedelta(days=7)
    today, then = _by_hour(start), _by_hour(before)
    so_far = sum(then[: now.hour + 1])
    most = max(1, sum(today), sum(then))
    return {
        "orders": sum(today),
        "orders_before": so_far,
        "now": plot(today[: now.hour + 1], most),
        "before": plot(then, most),
        "turnover": _turnover(start, before, now),
    }


def _by_hour(start: datetime) -> list[int]:
    hours = [0] * 24
    rows = Order.objects.filter(placed_at__gte=start, placed_at__lt=start + timedelta(days=1)).order_by()
    for row in rows.annotate(hour=TruncHour("placed_at")).values("hour").annotate(n=Count("pk")):
        hours[timezone.localtime(row["hour"]).hour] += row["n"]
    return hours


def _turnover(start: datetime, before: datetime, now: datetime) -> list[dict[str, Any]]:
    """Sums across currencies are never made: one row per channel and currency."""
    names = channel_names.all_names()

    def sums(since: datetime, until: datetime) -> dict[tuple[int | None, str], Any]:
        rows = (
            Order.objects.filter(placed_at__gte=since, placed_at__lt=until).exclude(status=Status.CANCELLED).order_by()
        )
        grouped = rows.values("channel", "currency").annotate(n=Count("pk"), total=Sum("total"))
        return {(row["channel"], row["currency"]): row for row in grouped}

    today, then = sums(start, start + timedelta(days=1)), sums(before, before + (now - start))
    rows = []
    for key in sorted({*today, *then}, key=lambda k: (names.get(k[0] or 0, ""), k[1])):
        one, other = today.get(key), then.get(key)
        rows.append(
            {
                "channel": names.get(key[0] or 0, ""),
                "orders": one["n"] if one else 0,
                "orders_before": other["n"] if other else 0,
                "total": cells.money(to_minor(one["total"], key[1]) if one else None, key[1]),
                "total_before": cells.money(to_minor(other["total"], key[1]) if other else None, key[1]),
            }
        )
    return rows


def plot(numbers: Sequence[int], most: int) -> str:
    """Running totals as the points of a step line on a field of 240 by 80."""
    points, total = ["0,80"], 0
    for hour, number in enumerate(numbers):
        points.append(f"{hour * 10},{80 - round(76 * total / most, 1)}")
        total += number
        points.append(f"{hour * 10},{80 - round(76 * total / most, 1)}")
    points.append(f"{len(numbers) * 10},{80 - round(76 * total / most, 1)}")
    return " ".join(points)

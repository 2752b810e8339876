"""When a flow is due: every so many seconds, or by cron in a time zone, with daylight saving done right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from comptoir.kit.errors import BadInput

SHORTEST = 10  # seconds: anything quicker is started by facts, not by time


def minutes(number: int) -> int:
    """`every=minutes(5)` in a declaration; schedules are kept in seconds."""
    return number * 60


def hours(number: int) -> int:
    """`every=hours(1)` in a declaration."""
    return number * 3600


def next_at(every: int | None, cron: str, timezone: str, *, after: datetime, last: datetime | None) -> datetime | None:
    """The next due time later than `after`; None where there is no schedule.

    `every` keeps its phase from `last`, so that a late start does not push all later ones; times missed while the hub
    was away are not made up for: one run sees everything.
    """
    if every:
        step = timedelta(seconds=every)
        if last is None or last > after:
            return after + step
        return last + ((after - last) // step + 1) * step
    if cron:
        found: datetime = next(CronSim(cron, after.astimezone(_zone(timezone))))
        return found.astimezone(UTC)
    return None


def check(every: int | None, cron: str, timezone: str) -> None:
    """Raises BadInput where the three do not make a schedule."""
    if every is not None and cron:
        raise BadInput("either an interval or a cron expression", place="cron", value=cron, cure=_("leave one empty"))
    if every is not None and every < SHORTEST:
        raise BadInput("too often", place="every", value=every, cure=_("at least %(n)d seconds") % {"n": SHORTEST})
    zone = _zone(timezone)
    if cron:
        try:
            next(CronSim(cron, datetime.now(zone)))
        except (CronSimError, StopIteration) as error:
            raise BadInput(
                "not a cron expression that ever comes due", place="cron", value=cron, cure="0 3 * * *"
            ) from error


def words(every: int | None, cron: str, timezone: str) -> str:
    """The schedule in the reader's language."""
    if every:
        for seconds, one in ((86400, _days), (3600, _hours), (60, _minutes)):
            if every % seconds == 0:
                return one(every // seconds)
        return ngettext("every second", "every %(n)d seconds", every) % {"n": every}
    if cron:
        parts = cron.split()
        if len(parts) == 5 and parts[2:] == ["*", "*", "*"] and parts[0].isdigit():
            if parts[1].isdigit():
                return _("every day at %(time)s (%(zone)s)") % {
                    "time": f"{int(parts[1]):02}:{int(parts[0]):02}",
                    "zone": timezone,
                }
            if parts[1] == "*":
                return _("every hour at minute %(minute)s") % {"minute": int(parts[0])}
        return _("by “%(cron)s” (%(zone)s)") % {"cron": cron, "zone": timezone}
    return _("on events and by hand")


def _days(number: int) -> str:
    return ngettext("every day", "every %(n)d days", number) % {"n": number}


def _hours(number: int) -> str:
    return ngettext("every hour", "every %(n)d hours", number) % {"n": number}


def _minutes(number: int) -> str:
    return ngettext("every minute", "every %(n)d minutes", number) % {"n": number}


@lru_cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput("not a time zone", place="timezone", value=name, cure="Europe/Paris") from error

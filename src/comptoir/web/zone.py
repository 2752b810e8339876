"""Show every time in the zone of the person who looks, and the zones to choose from."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone


def in_the_zone_of_the_person(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: what a page says about time is meant for its reader."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(zone_named(getattr(request.user, "timezone", ""))):
            return get_response(request)

    return answer


def choices() -> list[tuple[str, str]]:
    """Zones that people choose from: UTC, and those that are named after a place."""
    names = sorted(z for z in available_timezones() if "/" in z and not z.startswith(("Etc/", "SystemV/")))
    return [(z, z) for z in ["UTC", *names]]


def zone_named(name: str) -> ZoneInfo:
    """The zone, or UTC where none is chosen or the system no longer knows it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")

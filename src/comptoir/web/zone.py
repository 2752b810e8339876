"""Show every time in the zone of the person who looks, and the zones to choose from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django import forms
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString


def in_the_zone_of_the_person(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: what a page says about time is meant for its reader."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(zone_named(getattr(request.user, "timezone", ""))):
            return get_response(request)

    return answer


@cache  # the system's folder of zones is read for it
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


class Zones(forms.Select):
    """The choice, drawn in one piece: Django draws each option by a template, which takes longer than all else on a page."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """The element with its options."""
        options = [
            f'<option value="{escape(zone)}"{" selected" if zone == value else ""}>{escape(words)}</option>'
            for zone, words in self.choices
        ]
        given = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        return format_html("<select{}>{}</select>", flatatt(given), SafeString("".join(options)))  # escaped above


class ZoneField(forms.ChoiceField):
    """A time zone."""

    widget = Zones

    def __init__(self, **given: Any) -> None:
        super().__init__(choices=choices, **given)

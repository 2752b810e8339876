"""How single values look: times, quantities, money, states. Used by the columns of lists and by templates alike."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import Any

from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from comptoir.kit import clock
from comptoir.kit.money import minor_unit, to_minor

NOTHING = "–"

# What a state feels like: the shape and the colour of its badge. Words say it too, so that colour is never alone.
TONES: dict[str, str] = {
    "production": "good", "test": "test",
    "good": "good", "troubled": "warn", "locked_out": "bad", "unknown": "plain",
    "ready": "good", "retry": "wait", "repair": "bad", "accepted": "done", "information": "plain",
    "rejected": "plain", "closed": "plain",
    "pending": "wait", "processing": "good", "on_hold": "warn", "complete": "done", "cancelled": "plain",
    "queued": "wait", "running": "run", "done": "done", "failed": "bad",
    "partial": "warn", "unbalanced": "bad",
    "info": "plain", "error": "bad",
}  # fmt: skip


def escaped(value: Any) -> str:
    """A value as it may stand in HTML; what says that it is HTML stays as it is. A page has a thousand of them, and Django's
    `conditional_escape` takes five times as long."""
    if isinstance(value, SafeString):
        return value
    text = str(value)  # of a text that is translated only now
    return text if isinstance(text, SafeString) else escape(text)


def moment(at: datetime | None) -> str:
    """A time as people say it, with the exact one on hover."""
    if at is None:
        return NOTHING
    exact = _exact(at, timezone.get_current_timezone(), get_language())
    return SafeString(f'<time datetime="{at.isoformat()}" title="{escape(exact)}">{escape(_relative(at))}</time>')


@lru_cache(4096)  # a format of Django's costs as much as a row of a table
def _exact(at: datetime, zone: tzinfo, language: str | None) -> str:
    local = at.astimezone(zone)
    return f"{formats.date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"


@lru_cache(4096)
def _day(at: datetime, zone: tzinfo, language: str | None, shape: str) -> str:
    return formats.date_format(at.astimezone(zone), shape)


def _relative(at: datetime) -> str:
    now = clock.now()
    ago = now - at
    if timedelta(0) <= ago < timedelta(seconds=10):
        return _("just now")
    if timedelta(0) <= ago < timedelta(hours=24):
        return _("%(time)s ago") % {"time": duration(ago.total_seconds())}
    if timedelta(0) < -ago < timedelta(hours=24):
        return _("in %(time)s") % {"time": duration(-ago.total_seconds())}
    is_this_year = timezone.localtime(at).year == timezone.localtime(now).year
    # Translators: Django's letters for a date; “N” is a short month with its full stop, “b” one in small letters.
    shape = pgettext("date", "j M, H:i") if is_this_year else pgettext("date", "j M Y")
    return _day(at, timezone.get_current_timezone(), get_language(), shape)


def duration(seconds: float) -> str:
    """A length of time in its largest unit: 340 ms, 12 s, 5 min, 3 h, 2 days."""
    if seconds < 1:
        return _("%(n)d ms") % {"n": seconds * 1000}
    if seconds < 60:
        return _("%(n)d s") % {"n": seconds}
    if seconds < 3600:
        return _("%(n)d min") % {"n": seconds // 60}
    if seconds < 86400:
        return _("%(n)d h") % {"n": seconds // 3600}
    days = int(seconds // 86400)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


def quantity(value: Decimal | None) -> str:
    """A quantity without trailing zeros; a dash where there is none."""
    return NOTHING if value is None else _grouped(value, get_language())


@lru_cache(4096)  # the same few figures fill most pages
def _grouped(value: Decimal, language: str | None) -> str:
    plain = value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
    return formats.number_format(plain, use_l10n=True, force_grouping=True)


def number(value: int) -> str:
    """A count, its thousands set apart as the language does."""
    return _grouped(Decimal(value), get_language())


def counted(value: int, most: int) -> str:
    """A count that stopped behind `most`: "10,000+" says enough there."""
    return f"{number(most)}+" if value > most else number(value)


def plain(value: Decimal | None) -> str:
    """A quantity as a form takes it back: no grouping, no trailing zeros."""
    return "" if value is None else f"{value.normalize():f}"


def money(amount: Decimal | None, currency: str) -> str:
    """An amount rounded to what can be paid, with its currency."""
    if amount is None:
        return NOTHING
    places = -int(minor_unit(currency).as_tuple().exponent)
    number = formats.number_format(to_minor(amount, currency), places, use_l10n=True, force_grouping=True)
    return f"{number}\N{NO-BREAK SPACE}{currency}"


def badge(state: str, words: Any) -> SafeString:
    """A state as a shape with its word."""
    return SafeString(f'<span class="badge {TONES.get(state, "plain")}">{escaped(words)}</span>')


def link(url: str, words: Any) -> SafeString:
    """A link to where a value comes from."""
    return SafeString(f'<a href="{escape(url)}">{escaped(words)}</a>')


def name(words: str) -> SafeString:
    """Somebody else's words: their own direction, cut by the page where there is no room, whole on hover."""
    whole = escaped(words)
    return SafeString(f'<bdi class="name" title="{whole}">{whole or NOTHING}</bdi>')


def marked(kind: str, value: str) -> SafeString:
    """A value that goes or comes: `kind` old or new."""
    return SafeString(f'<span class="{escape(kind)}">{escaped(value)}</span>')


def two(first: Any, second: Any) -> SafeString:
    """A value and, smaller beneath it, what it is about."""
    return SafeString(f'{escaped(first)}<small class="under">{escaped(second)}</small>')

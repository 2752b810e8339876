"""Where alerts go is said by people: kept, changed, tried, taken away. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import available_timezones

from comptoir.alerts import digests, sending
from comptoir.alerts.models import Destination
from comptoir.alerts.sending import Answer, Message
from comptoir.channels.channel import box
from comptoir.engine.models import Severity
from comptoir.events import record
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings

SAVED, REMOVED = "alerts.destination.saved", "alerts.destination.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A destination as somebody wants it. An empty `url` keeps the one that is there."""

    name: str
    url: str = ""
    severities: Sequence[str] = (Severity.ERROR,)
    channels: Sequence[int] = ()
    language: str = "en"
    timezone: str = "UTC"
    window: int = 10
    quiet_from: time | None = None
    quiet_until: time | None = None
    urgent_breaks_quiet: bool = True
    tells_resolved: bool = True
    remind_after: int | None = None
    is_on: bool = True


def save(destination: int | None, wanted: Wanted, *, actor: Actor, at: datetime) -> Destination:
    """Keep a destination, or change one. Its address is looked at, never called."""
    if wanted.timezone not in available_timezones():
        raise BadInput("no such time zone", place="timezone", value=wanted.timezone, cure="Europe/Paris")
    if not wanted.severities or not set(wanted.severities) <= set(Severity.values):
        raise BadInput("choose what is told", place="severities", value="", cure="error")
    if (wanted.quiet_from is None) != (wanted.quiet_until is None):
        raise BadInput("quiet hours need a beginning and an end", place="quiet", value="")
    it = Destination.objects.select_for_update().get(pk=destination) if destination else Destination(made_at=at)
    if wanted.url:
        it.service = sending.describe(wanted.url, allow_private=settings().allow_private_addresses)
        it.sealed = box().close({"url": wanted.url})
        it.failures, it.failure = 0, ""
    elif not destination:
        raise BadInput("say where alerts go", place="address", value="", cure="an address as apprise writes it")
    for field in Wanted.__slots__:
        if field != "url":
            value = getattr(wanted, field)
            setattr(it, field, list(value) if field in ("severities", "channels") else value)
    it.save()
    facts = {"name": it.name, "service": it.service, "is_on": it.is_on, "is_new": not destination}
    record.record(SAVED, facts, actor=actor, at=at, subject=f"alerts:{it.pk}")
    return it


def remove(destination: int, *, actor: Actor, at: datetime) -> None:
    """Nothing goes there any more; what it was told is forgotten with it."""
    it = Destination.objects.get(pk=destination)
    record.record(REMOVED, {"name": it.name, "service": it.service}, actor=actor, at=at, subject=f"alerts:{it.pk}")
    it.delete()


def try_out(destination: Destination, message: Message) -> Answer:
    """Send one message now and say what the service answered. No transaction may be open."""
    return sending.send(digests.address(destination), message, allow_private=settings().allow_private_addresses)

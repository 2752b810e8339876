"""Reading what happened: for the audit trail."""

from __future__ import annotations

from django.db.models import F, Func, QuerySet, Value
from django.db.models.fields import CharField

from comptoir.events.models import BY_PEOPLE, Event

#: The part of the hub that an event is of.
PART = Func(F("name"), Value("."), Value(1), function="split_part", output_field=CharField())


def everything() -> QuerySet[Event]:
    """All events."""
    return Event.objects.all()


def by_people() -> QuerySet[Event]:
    """What people did, and programs with tokens of theirs; what flows, channels and the hub itself did is left out."""
    return Event.objects.filter(actor_kind__in=BY_PEOPLE)


def of_part(rows: QuerySet[Event], part: str) -> QuerySet[Event]:
    """Events of one part of the hub: `orders` for `orders.order.placed`."""
    return rows.alias(part=PART).filter(
        part__gte=part, part__lte=part
    )  # a range: the index with it first is to be walked

"""What happened, written in the same transaction as the change it tells of."""

from django.db import models
from django.db.models import F, Func, Q, Value

BY_PEOPLE = ("person", "token")  # kinds of actors that somebody answers for


class Event(models.Model):
    """One thing that happened. `facts` are plain values; one event covers a page of a set-based action, not a row."""

    name = models.CharField(max_length=80)  # past tense with a grammar: orders.order.placed
    subject = models.CharField(max_length=80, blank=True)  # "order:12"; empty where it is about many
    facts = models.JSONField(default=dict)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()  # business time
    booked_at = models.DateTimeField(db_default=models.functions.Now())  # technical stamp

    class Meta:
        indexes = [
            models.Index(fields=["subject", "-id"]),
            models.Index(fields=["name", "-id"]),
            # The audit trail, latest first: all of it, by part of the hub, by who did it, and what people did.
            models.Index(fields=["-at", "-id"], name="event_latest"),
            models.Index(
                Func(F("name"), Value("."), Value(1), function="split_part"),
                F("at").desc(),
                F("id").desc(),
                name="event_part",
            ),
            models.Index(fields=["actor_kind", "actor_id", "-at", "-id"], name="event_actor"),
            models.Index(fields=["-at", "-id"], condition=Q(actor_kind__in=BY_PEOPLE), name="event_by_people"),
            models.Index(
                Func(F("name"), Value("."), Value(1), function="split_part"),
                F("at").desc(),
                F("id").desc(),
                condition=Q(actor_kind__in=BY_PEOPLE),
                name="event_part_by_people",
            ),
        ]

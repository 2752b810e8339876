"""Imported sales, kept raw and neutral, until a rule or a person says yes. One grid for all channels."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower

from comptoir.channels.models import Channel


class State(models.TextChoices):
    """What a staged sale waits for."""

    READY = "ready"  #: every check passed; accepted with the next breath, or waits for a person's yes
    RETRY = "retry"  #: unpaid or not valid yet: looked at again by itself
    REPAIR = "repair"  #: needs a person; its anomalies say why
    ACCEPTED = "accepted"  #: an order of ours
    INFORMATION = "information"  #: a rule says it does not come in: cancelled before import, do not import
    REJECTED = "rejected"  #: a person said no
    CLOSED = "closed"  #: never paid, given up; a late payment opens it again


class StagedSale(models.Model):
    """One sale of one channel, seen any number of times."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="staged")
    external_id = models.CharField(max_length=80)
    number = models.CharField(max_length=80)
    external_status = models.CharField(max_length=80)
    status_name = models.CharField(max_length=120, blank=True)
    meaning = models.CharField(max_length=10)  # records.SaleState
    rule = models.CharField(max_length=12, blank=True)  # the import rule that applied
    state = models.CharField(max_length=12, choices=State.choices)
    anomalies = models.JSONField(default=list)  # [{"code", "line"?, "facts"}]
    repairs = models.JSONField(default=dict)  # what a person typed for this one sale
    raw = models.TextField(blank=True)  # the answer as received
    sale = models.JSONField()  # records.Sale
    fingerprint = models.CharField(max_length=64)
    point = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=20, decimal_places=6)
    buyer = models.CharField(max_length=160, blank=True)
    order = models.BigIntegerField(null=True)  # ours, after acceptance
    is_approved = models.BooleanField(default=False)  # a person said yes; checks still apply
    looks = models.PositiveIntegerField(default=0)
    next_look_at = models.DateTimeField(null=True)
    placed_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # first
    changed_at = models.DateTimeField()  # last change seen
    accepted_at = models.DateTimeField(null=True)
    seen_run = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "external_id"], name="staged_one_per_sale")]
        indexes = [
            models.Index(fields=["state", "-placed_at", "-id"]),
            models.Index(fields=["channel", "state", "-placed_at", "-id"]),
            models.Index(fields=["channel", "-placed_at"]),
            models.Index(
                fields=["-placed_at", "-id"],
                condition=models.Q(state__in=["information", "rejected", "closed"]),
                name="staged_out",
            ),
            models.Index(
                fields=["state", "-placed_at", "-id"], condition=~models.Q(anomalies=[]), name="staged_with_anomalies"
            ),
            models.Index(OpClass(Lower("number"), name="text_pattern_ops"), name="staged_number_search"),
            models.Index(fields=["channel", "next_look_at"], condition=models.Q(state="retry"), name="staged_due"),
            models.Index(fields=["channel", "id"], condition=models.Q(state="ready"), name="staged_ready"),
            models.Index(
                fields=["channel", "placed_at", "id"],
                condition=models.Q(state="ready", is_approved=True),
                name="staged_approved",
            ),
            models.Index(fields=["order"]),
        ]

"""Where alerts go, what each place was told about, and the journal of messages. What there is to tell is no row of ours:
it is the open findings that a place was not told about yet."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from comptoir.engine.models import Severity


class Destination(models.Model):
    """One place that alerts go to: an address as apprise writes it, and what is told there and when."""

    name = models.CharField(max_length=80)
    sealed = models.BinaryField()  # {"url": …}, encrypted: such an address holds passwords and tokens
    service = models.CharField(max_length=160)  # what may be shown of it: the service, and the host where it is one
    severities = ArrayField(models.CharField(max_length=6, choices=Severity.choices), default=list)
    channels = ArrayField(models.BigIntegerField(), default=list)  # empty: all
    language = models.CharField(max_length=8, default="en")
    timezone = models.CharField(max_length=48, default="UTC")
    window = models.PositiveSmallIntegerField(default=10)  # minutes from one message to the next
    quiet_from = models.TimeField(null=True)  # in `timezone`; with `quiet_until`, over midnight where it is later
    quiet_until = models.TimeField(null=True)
    urgent_breaks_quiet = models.BooleanField(default=True)
    tells_resolved = models.BooleanField(default=True)
    remind_after = models.PositiveSmallIntegerField(null=True)  # hours; null: said once
    is_on = models.BooleanField(default=True)
    made_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)  # of the last message that was made
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    failure = models.CharField(max_length=255, blank=True)  # of the last try, without secrets

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="alert_quiet_hours_whole",
            )
        ]


class DigestState(models.TextChoices):
    """How far a message has come."""

    WANTED = "wanted"  #: made, or the service said no: tried (again) when its time comes
    CALLED = "called"  #: a call is or was under way: whether it arrived is not known
    SENT = "sent"  #: the service took it


class Digest(models.Model):
    """One message: what it tells is fixed when it is made, together with the note that it was told."""

    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="digests")
    content = models.JSONField()  # {"news" | "reminders" | "resolved": [[severity, code, channel, how many, finding]]}
    state = models.CharField(max_length=6, choices=DigestState.choices, default=DigestState.WANTED)
    tries = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField()
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["destination"], condition=Q(state__in=["wanted", "called"]), name="alert_one_message_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["made_at"])]


class Told(models.Model):
    """An open finding that a destination knows of. Gone when it was told that the finding is resolved."""

    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="told")
    finding = models.BigIntegerField()  # a plain value: old findings are deleted
    severity = models.CharField(max_length=6)
    code = models.CharField(max_length=60)
    channel = models.BigIntegerField(null=True)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["destination", "finding"], name="alert_told_once")]

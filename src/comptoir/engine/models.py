"""Flows, their executions, what someone should read, what was promised to a channel, and plans."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Lower

from comptoir.channels.models import Channel


class Lane(models.TextChoices):
    """Which queue a run waits in, so that a full refresh never delays an order."""

    LIVE = "live"  #: sales, levels, parcels
    BULK = "bulk"  #: refreshes, checks, images


class Flow(models.Model):
    """An arrow: channel × kind. `every` (seconds) or `cron` in `timezone`; both empty: only on events or by hand."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="flows")
    kind = models.CharField(max_length=40)
    lane = models.CharField(max_length=4, choices=Lane.choices)
    enabled = models.BooleanField(default=False)
    every = models.PositiveIntegerField(null=True)
    cron = models.CharField(max_length=80, blank=True)
    timezone = models.CharField(max_length=48, default="UTC")
    next_at = models.DateTimeField(null=True)
    cursor = models.JSONField(default=dict)
    wanted_at = models.DateTimeField(null=True)  # asked for while a run was under way: cleared when the next starts
    wanted_by = models.CharField(max_length=10, blank=True)  # trigger of that next run
    empty_runs = models.PositiveIntegerField(default=0)  # runs that saw nothing, collapsed
    empty_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)  # in a row: waits grow
    waits_until = models.DateTimeField(null=True)  # after a failure: nothing starts before, and then something does

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "kind"], name="flow_once_per_channel")]
        indexes = [models.Index(fields=["next_at"], condition=Q(enabled=True), name="flow_due")]


class Trigger(models.TextChoices):
    """What started a run."""

    SCHEDULE = "schedule"  #: its time came
    PERSON = "person"  #: Run now
    FACT = "fact"  #: a mark, a promise, a due item
    WEBHOOK = "webhook"  #: a hint from the channel
    RETRY = "retry"  #: the one before failed in a way that passes


class RunStatus(models.TextChoices):
    """Whether it ran: apart from whether the business agreed."""

    QUEUED = "queued"  #: waits for a worker
    RUNNING = "running"  #: a worker holds it
    DONE = "done"  #: came to its end
    FAILED = "failed"  #: stopped by an error of ours or theirs
    CANCELLED = "cancelled"  #: a person stopped it


class Outcome(models.TextChoices):
    """What came of it."""

    NONE = ""  #: not known yet
    GOOD = "good"  #: everything it saw was dealt with
    PARTIAL = "partial"  #: some items wait for someone; each has its finding
    UNBALANCED = "unbalanced"  #: seen is not the sum of what became of it: red


class Run(models.Model):
    """One execution. `attempt` fences: whatever a run writes says "where attempt is mine"."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="runs")
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    is_preview = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.NONE, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    heartbeat_at = models.DateTimeField(null=True)  # SQL now(): its worker lives, or it was handed to the queue
    stalls = models.PositiveSmallIntegerField(
        default=0
    )  # starts since the last checkpoint: a run that only dies is given up
    not_before = models.DateTimeField(null=True)  # queued again after "try later": business time
    seen = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    parked = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(null=True)  # how many there are in all, where known
    cursor_before = models.JSONField(default=dict)
    cursor_after = models.JSONField(default=dict)
    state = models.JSONField(default=dict)  # what a resumed run needs beside the cursor
    calls = models.JSONField(default=dict)  # {"read": 12, "write": 3, "bytes": 91022, "seconds": 1.2}
    phases = models.JSONField(default=dict)  # seconds by phase
    error = models.JSONField(null=True)  # {"code", "text", "facts"}
    actor = models.JSONField(default=dict)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_asked = models.BooleanField(default=False)
    planned = models.JSONField(default=dict, db_default={})  # rows of its plan by "kind/field"
    replays = models.ForeignKey(  # the run whose inputs this one goes through again; its plan is the difference
        "self", null=True, on_delete=models.SET_NULL, related_name="replayed", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["flow"],
                condition=Q(status__in=["queued", "running"], is_preview=False),
                name="run_one_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["flow", "-id"]),
            models.Index(fields=["flow", "-id"], condition=Q(is_preview=True), name="run_previews"),
            models.Index(fields=["status", "-id"], condition=~Q(status="done"), name="run_not_done"),
            models.Index(fields=["outcome", "-id"], condition=~Q(outcome="good"), name="run_not_good"),
            models.Index(fields=["trigger", "-id"]),
            models.Index(fields=["status"], condition=Q(status__in=["queued", "running"]), name="run_open"),
            models.Index(fields=["replays"], condition=Q(replays__isnull=False), name="run_replays"),
        ]


class Severity(models.TextChoices):
    """Who acts."""

    INFO = "info"  #: nobody: a rule applied
    RETRY = "retry"  #: the hub, by itself
    ERROR = "error"  #: a person


class Finding(models.Model):
    """What someone should read: one row per (channel, code, subject), with a count; closes when the subject succeeds."""

    channel = models.ForeignKey(Channel, null=True, on_delete=models.CASCADE, related_name="findings", db_index=False)
    code = models.CharField(max_length=60)
    subject = models.CharField(max_length=160)  # "sale:1042", "product:12", "flow:pull_sales"
    severity = models.CharField(max_length=6, choices=Severity.choices)
    facts = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=120, blank=True, db_default="")  # a person; empty: it closed by itself
    closed_note = models.CharField(max_length=255, blank=True, db_default="")
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="findings")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "code", "subject"], nulls_distinct=False, name="finding_one_per_subject"
            )
        ]
        indexes = [
            models.Index(fields=["severity", "-last_at"], condition=Q(closed_at__isnull=True), name="finding_open"),
            models.Index(
                fields=["channel", "subject"], condition=Q(closed_at__isnull=True), name="finding_open_subject"
            ),
            models.Index(
                "severity",
                "code",
                Coalesce("channel", 0, output_field=models.BigIntegerField()),
                F("last_at").desc(),
                condition=Q(closed_at__isnull=True),
                name="finding_open_group",
            ),
            models.Index(fields=["-last_at", "-id"]),
            models.Index(fields=["-last_at", "-id"], condition=Q(closed_at__isnull=True), name="finding_open_latest"),
            models.Index(fields=["severity", "-last_at", "-id"]),
            models.Index(fields=["channel", "-last_at", "-id"]),
            models.Index(fields=["code", "-last_at", "-id"]),
            GinIndex(OpClass(Lower("subject"), name="gin_trgm_ops"), name="finding_subject_search"),
        ]


class EffectState(models.TextChoices):
    """How far a promise to a channel has come."""

    WANTED = "wanted"  #: the fact is there; nothing was called
    CALLED = "called"  #: a call is or was under way: ask before repeating
    DONE = "done"  #: they have it
    REFUSED = "refused"  #: they said no; a person looks
    DROPPED = "dropped"  #: no longer needed


class Effect(models.Model):
    """The journal of effects that are not idempotent: intention, call, outcome. `key` is unique per channel and kind."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="effects")
    kind = models.CharField(max_length=20)  # tracking, cancel
    key = models.CharField(max_length=120)  # "shipment:12"
    subject = models.CharField(max_length=80)  # "order:7", for the history
    facts = models.JSONField(default=dict)  # what to tell
    state = models.CharField(max_length=8, choices=EffectState.choices, default=EffectState.WANTED)
    attempt = models.PositiveIntegerField(default=0)  # of the run that called last
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="effects")
    reason = models.CharField(max_length=500, blank=True)
    calls = models.PositiveIntegerField(default=0)
    wanted_at = models.DateTimeField()
    called_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)  # not before, after a failure

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "kind", "key"], name="effect_once")]
        indexes = [
            models.Index(fields=["channel", "kind"], condition=Q(state__in=["wanted", "called"]), name="effect_open"),
            models.Index(fields=["subject"]),
        ]


class PlanRow(models.Model):
    """One line of a preview: what would be written, from what, to what."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="plan", db_index=False)
    kind = models.CharField(max_length=20)  # level, tracking, price
    subject = models.CharField(max_length=120)  # "offer:12"
    label = models.CharField(max_length=160)
    field = models.CharField(max_length=40)
    old = models.TextField(null=True)  # null: unknown
    new = models.TextField(null=True)
    facts = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["run", "id"]),
            models.Index(fields=["run", "kind", "field", "id"], name="plan_row_grouped"),
            GinIndex(OpClass(Lower("label"), name="gin_trgm_ops"), name="plan_row_search"),
        ]


class InputKind(models.TextChoices):
    """Which side of a run a piece of its input is."""

    HEARD = "heard"  #: calls and their answers, word for word without secrets
    MADE = "made"  #: what was asked of the connector, and what it made of the answers


class Input(models.Model):
    """A piece of what a run went by, packed (see `engine/inputs.py`), for a replay or an incident bundle. It holds personal
    data as the channel sent it, and is forgotten with the raw answers of that time."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs", db_index=False)
    kind = models.CharField(max_length=5, choices=InputKind.choices)
    content = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes of `content`

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="input_of_run")]

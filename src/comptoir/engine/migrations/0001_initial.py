import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("channels", "0001_initial"),
    ]

    operations = [
        django.contrib.postgres.operations.TrigramExtension(),
        migrations.CreateModel(
            name="Flow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40)),
                ("lane", models.CharField(choices=[("live", "Live"), ("bulk", "Bulk")], max_length=4)),
                ("enabled", models.BooleanField(default=False)),
                ("every", models.PositiveIntegerField(null=True)),
                ("cron", models.CharField(blank=True, max_length=80)),
                ("timezone", models.CharField(default="UTC", max_length=48)),
                ("next_at", models.DateTimeField(null=True)),
                ("cursor", models.JSONField(default=dict)),
                ("wanted_at", models.DateTimeField(null=True)),
                ("wanted_by", models.CharField(blank=True, max_length=10)),
                ("empty_runs", models.PositiveIntegerField(default=0)),
                ("empty_at", models.DateTimeField(null=True)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("waits_until", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="flows", to="channels.channel"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(condition=models.Q(("enabled", True)), fields=["next_at"], name="flow_due")],
                "constraints": [models.UniqueConstraint(fields=("channel", "kind"), name="flow_once_per_channel")],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("schedule", "Schedule"),
                            ("person", "Person"),
                            ("fact", "Fact"),
                            ("webhook", "Webhook"),
                            ("retry", "Retry"),
                        ],
                        max_length=10,
                    ),
                ),
                ("is_preview", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("", "None"), ("good", "Good"), ("partial", "Partial"), ("unbalanced", "Unbalanced")],
                        default="",
                        max_length=12,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("worker", models.CharField(blank=True, max_length=80)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("stalls", models.PositiveSmallIntegerField(default=0)),
                ("not_before", models.DateTimeField(null=True)),
                ("seen", models.PositiveIntegerField(default=0)),
                ("created", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("parked", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("expected", models.PositiveIntegerField(null=True)),
                ("cursor_before", models.JSONField(default=dict)),
                ("cursor_after", models.JSONField(default=dict)),
                ("state", models.JSONField(default=dict)),
                ("calls", models.JSONField(default=dict)),
                ("phases", models.JSONField(default=dict)),
                ("error", models.JSONField(null=True)),
                ("actor", models.JSONField(default=dict)),
                ("queued_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("cancel_asked", models.BooleanField(default=False)),
                (
                    "flow",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="engine.flow"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["flow", "-id"], name="engine_run_flow_id_8969d5_idx"),
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])), fields=["status"], name="run_open"
                    ),
                    models.Index(condition=models.Q(("is_preview", True)), fields=["flow", "-id"], name="run_previews"),
                    models.Index(
                        condition=models.Q(("status", "done"), _negated=True),
                        fields=["status", "-id"],
                        name="run_not_done",
                    ),
                    models.Index(
                        condition=models.Q(("outcome", "good"), _negated=True),
                        fields=["outcome", "-id"],
                        name="run_not_good",
                    ),
                    models.Index(fields=["trigger", "-id"], name="engine_run_trigger_9e1e87_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_preview", False), ("status__in", ["queued", "running"])),
                        fields=("flow",),
                        name="run_one_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=120)),
                ("label", models.CharField(max_length=160)),
                ("field", models.CharField(max_length=40)),
                ("old", models.TextField(null=True)),
                ("new", models.TextField(null=True)),
                ("facts", models.JSONField(default=dict)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="plan",
                        to="engine.run",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "id"], name="engine_plan_run_id_994bf5_idx"),
                    models.Index(fields=["run", "kind", "field"], name="engine_plan_run_id_854670_idx"),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Lower("label"), name="gin_trgm_ops"
                        ),
                        name="plan_row_search",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=60)),
                ("subject", models.CharField(max_length=160)),
                (
                    "severity",
                    models.CharField(choices=[("info", "Info"), ("retry", "Retry"), ("error", "Error")], max_length=6),
                ),
                ("facts", models.JSONField(default=dict)),
                ("count", models.PositiveIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="channels.channel",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="findings",
                        to="engine.run",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["severity", "-last_at"],
                        name="finding_open",
                    ),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["channel", "subject"],
                        name="finding_open_subject",
                    ),
                    models.Index(fields=["-last_at", "-id"], name="engine_find_last_at_855a97_idx"),
                    models.Index(
                        models.F("severity"),
                        models.F("code"),
                        django.db.models.functions.comparison.Coalesce(
                            "channel", 0, output_field=models.BigIntegerField()
                        ),
                        models.OrderBy(models.F("last_at"), descending=True),
                        condition=models.Q(("closed_at__isnull", True)),
                        name="finding_open_group",
                    ),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["-last_at", "-id"],
                        name="finding_open_latest",
                    ),
                    models.Index(fields=["severity", "-last_at", "-id"], name="engine_find_severit_0bff0f_idx"),
                    models.Index(fields=["channel", "-last_at", "-id"], name="engine_find_channel_f3a1fc_idx"),
                    models.Index(fields=["code", "-last_at", "-id"], name="engine_find_code_25338d_idx"),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Lower("subject"), name="gin_trgm_ops"
                        ),
                        name="finding_subject_search",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel", "code", "subject"), name="finding_one_per_subject", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("key", models.CharField(max_length=120)),
                ("subject", models.CharField(max_length=80)),
                ("facts", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("wanted", "Wanted"),
                            ("called", "Called"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                            ("dropped", "Dropped"),
                        ],
                        default="wanted",
                        max_length=8,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("calls", models.PositiveIntegerField(default=0)),
                ("wanted_at", models.DateTimeField()),
                ("called_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="effects", to="channels.channel"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="effects", to="engine.run"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["wanted", "called"])),
                        fields=["channel", "kind"],
                        name="effect_open",
                    ),
                    models.Index(fields=["subject"], name="engine_effe_subject_da16ca_idx"),
                ],
                "constraints": [models.UniqueConstraint(fields=("channel", "kind", "key"), name="effect_once")],
            },
        ),
    ]

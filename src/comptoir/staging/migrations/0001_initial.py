import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("channels", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="StagedSale",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=80)),
                ("number", models.CharField(max_length=80)),
                ("external_status", models.CharField(max_length=80)),
                ("status_name", models.CharField(blank=True, max_length=120)),
                ("meaning", models.CharField(max_length=10)),
                ("rule", models.CharField(blank=True, max_length=12)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "Ready"),
                            ("retry", "Retry"),
                            ("repair", "Repair"),
                            ("accepted", "Accepted"),
                            ("information", "Information"),
                            ("rejected", "Rejected"),
                            ("closed", "Closed"),
                        ],
                        max_length=12,
                    ),
                ),
                ("anomalies", models.JSONField(default=list)),
                ("repairs", models.JSONField(default=dict)),
                ("raw", models.TextField(blank=True)),
                ("sale", models.JSONField()),
                ("fingerprint", models.CharField(max_length=64)),
                ("point", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("total", models.DecimalField(decimal_places=6, max_digits=20)),
                ("buyer", models.CharField(blank=True, max_length=160)),
                ("order", models.BigIntegerField(null=True)),
                ("is_approved", models.BooleanField(default=False)),
                ("looks", models.PositiveIntegerField(default=0)),
                ("next_look_at", models.DateTimeField(null=True)),
                ("placed_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("seen_run", models.BigIntegerField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="staged", to="channels.channel"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "-placed_at", "-id"], name="staging_sta_state_4512d1_idx"),
                    models.Index(
                        condition=models.Q(("state", "retry")), fields=["channel", "next_look_at"], name="staged_due"
                    ),
                    models.Index(condition=models.Q(("state", "ready")), fields=["channel", "id"], name="staged_ready"),
                    models.Index(fields=["order"], name="staging_sta_order_4bd374_idx"),
                    models.Index(
                        fields=["channel", "state", "-placed_at", "-id"], name="staging_sta_channel_3a1872_idx"
                    ),
                    models.Index(fields=["channel", "-placed_at"], name="staging_sta_channel_0e7142_idx"),
                    models.Index(
                        condition=models.Q(("state__in", ["information", "rejected", "closed"])),
                        fields=["-placed_at", "-id"],
                        name="staged_out",
                    ),
                    models.Index(
                        condition=models.Q(("anomalies", []), _negated=True),
                        fields=["state", "-placed_at", "-id"],
                        name="staged_with_anomalies",
                    ),
                    models.Index(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Lower("number"), name="text_pattern_ops"
                        ),
                        name="staged_number_search",
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("channel", "external_id"), name="staged_one_per_sale")],
            },
        ),
    ]

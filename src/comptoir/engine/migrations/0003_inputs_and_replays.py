import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a run went by is kept for a while, a run may go through another's again, and plans are read by kind."""

    dependencies = [("engine", "0002_finding_closed_by_hand")]

    operations = [
        migrations.CreateModel(
            "Input",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("heard", "Heard"), ("made", "Made")], max_length=5)),
                ("content", models.BinaryField()),
                ("size", models.PositiveIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inputs",
                        to="engine.run",
                    ),
                ),
            ],
        ),
        migrations.AddIndex("input", models.Index(fields=["run", "id"], name="input_of_run")),
        migrations.AddField("run", "planned", models.JSONField(db_default={}, default=dict)),
        migrations.AddField(
            "run",
            "replays",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="replayed",
                to="engine.run",
            ),
        ),
        migrations.AddIndex(
            "run",
            models.Index(condition=models.Q(("replays__isnull", False)), fields=["replays"], name="run_replays"),
        ),
        migrations.AddIndex("planrow", models.Index(fields=["run", "kind", "field", "id"], name="plan_row_grouped")),
        migrations.RemoveIndex("planrow", "engine_plan_run_id_854670_idx"),
    ]

from django.db import migrations, models
from django.db.models import F, Q


def flag(condition):
    return models.GeneratedField(
        expression=models.ExpressionWrapper(condition, output_field=models.BooleanField()),
        output_field=models.BooleanField(),
        db_persist=True,
    )


FLAGS = {
    "has_stock": flag(Q(on_hand__gt=0)),
    "has_reserved": flag(Q(reserved__gt=0)),
    "is_used_up": flag(Q(on_hand__lte=F("reserved") + F("held"))),
}

# One statement: each would write the whole table again, a few seconds at a million levels in which stock stands still.
ADD = """
ALTER TABLE inventory_level
    ADD has_stock boolean GENERATED ALWAYS AS (on_hand > 0) STORED,
    ADD has_reserved boolean GENERATED ALWAYS AS (reserved > 0) STORED,
    ADD is_used_up boolean GENERATED ALWAYS AS (on_hand <= reserved + held) STORED
"""
DROP = "ALTER TABLE inventory_level DROP has_stock, DROP has_reserved, DROP is_used_up"


class Migration(migrations.Migration):
    """Lists choose levels by what is known of them at a glance; an index on a figure would be written with every change."""

    dependencies = [("inventory", "0002_ledger_only_grows")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(ADD, DROP)],
            [migrations.AddField("level", name, field) for name, field in FLAGS.items()],
        ),
        migrations.AddIndex(
            "level", models.Index(fields=["variant"], condition=Q(has_stock=True), name="level_with_stock")
        ),
        migrations.AddIndex(
            "level",
            models.Index(fields=["id", "warehouse"], condition=Q(has_reserved=True), name="level_with_reserved"),
        ),
        migrations.AddIndex(
            "level", models.Index(fields=["id", "warehouse"], condition=Q(is_used_up=True), name="level_used_up")
        ),
    ]

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What people did in one part of the hub, latest first. Made while events are written."""

    atomic = False
    dependencies = [("events", "0002_audit")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS event_part_by_people", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "Event",
            models.Index(
                models.Func(models.F("name"), models.Value("."), models.Value(1), function="split_part"),
                models.OrderBy(models.F("at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(actor_kind__in=("person", "token")),
                name="event_part_by_people",
            ),
        ),
    ]

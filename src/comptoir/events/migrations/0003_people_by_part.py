from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

INDEX = models.Index(
    models.Func(models.F("name"), models.Value("."), models.Value(1), function="split_part"),
    models.OrderBy(models.F("at"), descending=True),
    models.OrderBy(models.F("id"), descending=True),
    condition=models.Q(actor_kind__in=("person", "token")),
    name="event_part_by_people",
)


class Migration(migrations.Migration):
    """What people did in one part of the hub, where nobody did much: all that people did was walked. No event waits for it."""

    atomic = False
    dependencies = [("events", "0002_audit")]

    operations = [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX.name}", migrations.RunSQL.noop),
        AddIndexConcurrently("Event", INDEX),
    ]

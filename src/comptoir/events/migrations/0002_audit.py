from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def afresh(index):
    """Make an index while the hub works. One that was broken off half-way is left behind invalid: it goes first, so that
    this migration can be run again."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
        AddIndexConcurrently("Event", index),
    ]


class Migration(migrations.Migration):
    """The audit trail reads events by time, part and actor. No event waits for it."""

    atomic = False
    dependencies = [("events", "0001_initial")]

    operations = [
        *afresh(models.Index(fields=["-at", "-id"], name="event_latest")),
        *afresh(
            models.Index(
                models.Func(models.F("name"), models.Value("."), models.Value(1), function="split_part"),
                models.OrderBy(models.F("at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="event_part",
            )
        ),
        *afresh(models.Index(fields=["actor_kind", "actor_id", "-at", "-id"], name="event_actor")),
        *afresh(
            models.Index(
                condition=models.Q(actor_kind__in=("person", "token")), fields=["-at", "-id"], name="event_by_people"
            )
        ),
    ]

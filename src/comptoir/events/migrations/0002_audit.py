from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The audit trail reads events by time, part and actor. Made while the hub works: no event waits for it."""

    atomic = False
    dependencies = [("events", "0001_initial")]

    operations = [
        AddIndexConcurrently("Event", models.Index(fields=["-at", "-id"], name="event_latest")),
        AddIndexConcurrently(
            "Event",
            models.Index(
                models.Func(models.F("name"), models.Value("."), models.Value(1), function="split_part"),
                models.OrderBy(models.F("at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="event_part",
            ),
        ),
        AddIndexConcurrently(
            "Event", models.Index(fields=["actor_kind", "actor_id", "-at", "-id"], name="event_actor")
        ),
        AddIndexConcurrently(
            "Event",
            models.Index(
                condition=models.Q(actor_kind__in=("person", "token")), fields=["-at", "-id"], name="event_by_people"
            ),
        ),
    ]

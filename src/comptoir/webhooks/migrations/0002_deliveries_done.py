from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The latest deliveries of a channel. What comes in does not write this index, what is drained does."""

    atomic = False
    dependencies = [("webhooks", "0001_initial")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS delivery_done", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "Delivery",
            models.Index(fields=["channel", "-id"], condition=models.Q(drained_at__isnull=False), name="delivery_done"),
        ),
    ]

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What was sold between two moments is read from an index alone. Made while orders are placed."""

    atomic = False
    dependencies = [("orders", "0003_taken_over")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS order_sold", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "Order",
            models.Index(fields=["placed_at"], include=["channel", "currency", "status", "total"], name="order_sold"),
        ),
    ]

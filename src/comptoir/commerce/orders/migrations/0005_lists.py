from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


def afresh(index):
    """Make an index while orders are placed. One that was broken off half-way is left behind invalid: it goes first."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
        AddIndexConcurrently("Order", index),
    ]


class Migration(migrations.Migration):
    """Orders to prepare are counted by channel and preparation, and those of a channel by who takes them over, without reading
    a row; those of a channel are listed by their preparation."""

    atomic = False
    dependencies = [("orders", "0004_sold")]

    operations = [
        *afresh(
            models.Index(
                fields=["-placed_at", "-id"],
                condition=models.Q(("is_blocked", False), ("status", "processing")),
                include=["channel"],
                name="order_to_prepare_by",
            )
        ),
        *afresh(
            models.Index(
                fields=["preparation", "-placed_at", "-id"],
                condition=models.Q(("is_blocked", False), ("status", "processing")),
                include=["channel"],
                name="order_to_prepare_step",
            )
        ),
        *afresh(
            models.Index(
                fields=["channel", "preparation", "-placed_at", "-id"],
                condition=models.Q(("preparation", "shipped"), _negated=True),
                name="order_channel_preparation",
            )
        ),
        *afresh(
            models.Index(
                fields=["channel", "status", "-placed_at", "-id"], include=["taken_over"], name="order_channel_status"
            )
        ),
        RemoveIndexConcurrently("Order", "order_to_prepare"),
        RemoveIndexConcurrently("Order", "orders_orde_channel_0ad514_idx"),
    ]

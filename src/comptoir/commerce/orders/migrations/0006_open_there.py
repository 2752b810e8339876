import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a shop still subtracts of its own orders is found without reading all lines of what sells well: the index of lines
    by variant says which order each is of, and another has the orders that are open there. Made while orders are placed."""

    atomic = False
    dependencies = [("orders", "0005_lists")]

    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS order_open_there", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "Order",
            models.Index(
                fields=["id"],
                condition=models.Q(
                    ("is_history", False),
                    models.Q(("status", "cancelled"), _negated=True),
                    models.Q(("meaning_there__in", ["shipped", "cancelled", "refunded"]), _negated=True),
                ),
                name="order_open_there",
            ),
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS line_of_variant", migrations.RunSQL.noop),
        AddIndexConcurrently("Line", models.Index(fields=["variant", "order"], include=["id"], name="line_of_variant")),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS orders_line_variant_id_d3c046c0",
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_line_variant_id_d3c046c0 ON orders_line (variant_id)",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    "Line",
                    "variant",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_lines",
                        to="catalog.variant",
                    ),
                )
            ],
        ),
    ]

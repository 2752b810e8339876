import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def afresh(index):
    """Make an index while the hub works. One that was broken off half-way is left behind invalid: it goes first."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
        AddIndexConcurrently("Doubt", index),
    ]


class Migration(migrations.Migration):
    """Doubts are searched by SKU and name, and those that are ignored listed by kind."""

    atomic = False
    dependencies = [("offers", "0003_prices")]

    operations = [
        *afresh(
            models.Index(
                fields=["channel", "code", "-basis", "-risk", "-id"],
                condition=models.Q(("ignored_at__isnull", False)),
                name="doubt_ignored_code",
            )
        ),
        *afresh(
            django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("label"), name="gin_trgm_ops"
                ),
                name="doubt_search",
            )
        ),
    ]

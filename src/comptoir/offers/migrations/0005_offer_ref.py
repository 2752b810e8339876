from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Hints of stock name what a figure is written by."""

    atomic = False

    dependencies = [("offers", "0004_doubt_lists")]

    operations = [
        # One that was broken off half-way is left behind invalid: it goes first.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS offer_ref", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "offer",
            models.Index(fields=["ref", "point"], condition=models.Q(("ref", ""), _negated=True), name="offer_ref"),
        ),
    ]

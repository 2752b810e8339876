from django.db import migrations, models


class Migration(migrations.Migration):
    """What a person said, before a channel went live, of an order that its old process may have shipped."""

    dependencies = [("orders", "0002_line_listing")]

    operations = [
        migrations.AddField("order", "taken_over", models.CharField(blank=True, db_default="", max_length=4)),
        migrations.AddIndex(
            "order",
            models.Index(condition=models.Q(taken_over="left"), fields=["channel"], name="order_left_before"),
        ),
    ]

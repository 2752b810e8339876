from django.db import migrations, models


class Migration(migrations.Migration):
    """Hints of stock name what a figure is written by."""

    dependencies = [("offers", "0003_prices")]

    operations = [
        migrations.AddIndex(
            "offer",
            models.Index(fields=["ref", "point"], condition=models.Q(("ref", ""), _negated=True), name="offer_ref"),
        ),
    ]

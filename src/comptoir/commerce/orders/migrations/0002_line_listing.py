from django.db import migrations, models


class Migration(migrations.Migration):
    """Which listing a line was sold as: several may mean one variant, and a shop subtracts each from its own figure."""

    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.AddField("line", "listing", models.CharField(blank=True, db_default="", max_length=120)),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """What channels say of a budget in cost points."""

    dependencies = [("channels", "0004_products_choice")]

    operations = [
        migrations.AddField("budget", "points_left", models.FloatField(null=True)),
        migrations.AddField("budget", "points_most", models.FloatField(null=True)),
        migrations.AddField("budget", "points_per_second", models.FloatField(null=True)),
        migrations.AddField("budget", "points_at", models.DateTimeField(null=True)),
    ]

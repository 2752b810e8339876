from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether listings that match nothing become products."""

    dependencies = [("channels", "0003_connecting")]

    operations = [
        migrations.AddField("channel", "creates_products", models.BooleanField(default=True, db_default=True)),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether what left with a shop's own screen is booked here, or a person is asked."""

    dependencies = [("channels", "0001_initial")]

    operations = [
        migrations.AddField("channel", "books_shipments", models.BooleanField(db_default=True, default=True)),
    ]

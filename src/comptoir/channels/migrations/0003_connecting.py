from django.db import migrations, models


class Migration(migrations.Migration):
    """Where the wizard that connects a channel goes on."""

    dependencies = [("channels", "0002_books_shipments")]

    operations = [
        migrations.AddField(
            "channel", "connecting", models.CharField(max_length=12, blank=True, default="", db_default="")
        ),
    ]

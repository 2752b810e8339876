from django.db import migrations, models


class Migration(migrations.Migration):
    """Tries to sign in are counted where every web process sees them."""

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            "Counted",
            [
                ("cache_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("expires", models.DateTimeField(db_index=True)),
            ],
        ),
    ]

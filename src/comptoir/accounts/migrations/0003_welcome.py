from django.db import migrations, models


class Migration(migrations.Migration):
    """A one-time address for the first person."""

    dependencies = [("accounts", "0002_counted")]

    operations = [
        migrations.CreateModel(
            "Welcome",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField()),
            ],
        ),
    ]

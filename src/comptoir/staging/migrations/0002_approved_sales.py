from django.db import migrations, models


class Migration(migrations.Migration):
    """Sales that a person said yes to, found without a look at those that still wait for one."""

    dependencies = [("staging", "0001_initial")]

    operations = [
        migrations.AddIndex(
            "stagedsale",
            models.Index(
                condition=models.Q(("is_approved", True), ("state", "ready")),
                fields=["channel", "placed_at", "id"],
                name="staged_approved",
            ),
        ),
    ]

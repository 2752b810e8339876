from django.db import migrations, models


class Migration(migrations.Migration):
    """Who said that a finding is dealt with, and what was done."""

    dependencies = [("engine", "0001_initial")]

    operations = [
        migrations.AddField("finding", "closed_by", models.CharField(blank=True, db_default="", max_length=120)),
        migrations.AddField("finding", "closed_note", models.CharField(blank=True, db_default="", max_length=255)),
    ]

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    """Listings as they were read for matching, and what does not fit between them and what is here."""

    dependencies = [
        ("catalog", "0001_initial"),
        ("channels", "0004_products_choice"),
        ("offers", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Doubt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=160)),
                ("listing", models.CharField(blank=True, max_length=120)),
                ("label", models.CharField(max_length=255)),
                ("facts", models.JSONField(default=dict)),
                ("basis", models.SmallIntegerField(choices=[(0, "Nothing"), (1, "Stock"), (2, "Sales")], default=0)),
                ("units", models.DecimalField(decimal_places=3, default=0, max_digits=20)),
                ("risk", models.DecimalField(decimal_places=2, default=0, max_digits=20)),
                ("found_at", models.DateTimeField()),
                ("ignored_at", models.DateTimeField(null=True)),
                ("ignored_by", models.CharField(blank=True, max_length=120)),
                ("ignored_note", models.CharField(blank=True, max_length=255)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="doubts",
                        to="channels.channel",
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="catalog.variant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ignored_at__isnull", True)),
                        fields=["channel", "-basis", "-risk", "-id"],
                        name="doubt_open",
                    ),
                    models.Index(
                        condition=models.Q(("ignored_at__isnull", True)),
                        fields=["channel", "code", "-basis", "-risk", "-id"],
                        name="doubt_open_code",
                    ),
                    models.Index(
                        condition=models.Q(("ignored_at__isnull", False)),
                        fields=["channel", "-basis", "-risk", "-id"],
                        name="doubt_ignored",
                    ),
                    models.Index(fields=["channel", "listing"], name="offers_doub_channel_9fc097_idx"),
                ],
                "constraints": [models.UniqueConstraint(fields=("channel", "code", "subject"), name="doubt_once")],
            },
        ),
        migrations.CreateModel(
            name="Listed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=120)),
                ("page", models.CharField(max_length=120)),
                ("name", models.CharField(max_length=255)),
                ("options", models.CharField(blank=True, max_length=255)),
                ("sku", models.CharField(blank=True, max_length=80)),
                (
                    "barcodes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                ("price", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("tax_included", models.BooleanField(null=True)),
                ("unit", models.CharField(max_length=8)),
                ("pushes_stock", models.BooleanField(default=True)),
                ("address", models.CharField(blank=True, max_length=500)),
                ("search", models.TextField(blank=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("read_at", models.DateTimeField()),
                ("read_run", models.BigIntegerField(null=True)),
                (
                    "match",
                    models.CharField(
                        choices=[
                            ("link", "Link"),
                            ("hand", "Hand"),
                            ("sku", "Sku"),
                            ("barcode", "Barcode"),
                            ("doubt", "Doubt"),
                            ("none", "None"),
                            ("apart", "Apart"),
                        ],
                        default="none",
                        max_length=8,
                    ),
                ),
                ("decided", models.CharField(blank=True, max_length=8)),
                ("own_sku", models.CharField(blank=True, max_length=80)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="listed",
                        to="channels.channel",
                    ),
                ),
                (
                    "proposed",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="catalog.variant",
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="catalog.variant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["channel", "id"], name="offers_list_channel_a2b379_idx"),
                    models.Index(fields=["channel", "match", "id"], name="offers_list_channel_3e1147_idx"),
                    models.Index(fields=["channel", "page"], name="offers_list_channel_db4a35_idx"),
                    models.Index(models.F("channel"), django.db.models.functions.text.Lower("sku"), name="listed_sku"),
                    models.Index(
                        condition=models.Q(("proposed__isnull", False)),
                        fields=["channel", "id"],
                        name="listed_proposed",
                    ),
                    django.contrib.postgres.indexes.GinIndex(fields=["barcodes"], name="listed_barcodes"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["search"], name="listed_search", opclasses=["gin_trgm_ops"]
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("channel", "external_id"), name="listed_once")],
            },
        ),
    ]

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("inventory", "0002_ledger_only_grows"),
        ("orders", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Shipment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=48, unique=True)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("carrier", models.CharField(blank=True, max_length=80)),
                ("carrier_name", models.CharField(blank=True, max_length=120)),
                ("tracking", models.CharField(blank=True, max_length=64)),
                ("tracking_url", models.URLField(blank=True, max_length=500)),
                ("is_ours", models.BooleanField(default=True)),
                ("completes", models.BooleanField()),
                ("shipped_at", models.DateTimeField()),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(blank=True, max_length=64)),
                ("actor_label", models.CharField(blank=True, max_length=120)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="shipments", to="orders.order"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["-shipped_at", "-id"], name="shipments_s_shipped_093520_idx")],
            },
        ),
        migrations.CreateModel(
            name="ShipmentLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="shipment_lines", to="orders.line"
                    ),
                ),
                (
                    "shipment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="shipments.shipment"
                    ),
                ),
                (
                    "warehouse",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="inventory.warehouse",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gt", 0)), name="shipment_line_quantity_positive"
                    )
                ],
            },
        ),
    ]

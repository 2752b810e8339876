import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            sql="CREATE SEQUENCE orders_number START 100001",
            reverse_sql="DROP SEQUENCE orders_number",
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=40, unique=True)),
                ("channel", models.BigIntegerField(null=True)),
                ("external_id", models.CharField(max_length=80, null=True)),
                ("external_number", models.CharField(blank=True, max_length=80)),
                ("external_status", models.CharField(blank=True, max_length=80)),
                ("selling_point", models.BigIntegerField(null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("processing", "Processing"),
                            ("on_hold", "On Hold"),
                            ("complete", "Complete"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "preparation",
                    models.CharField(
                        choices=[("new", "New"), ("picked", "Picked"), ("packed", "Packed"), ("shipped", "Shipped")],
                        default="new",
                        max_length=8,
                    ),
                ),
                ("is_history", models.BooleanField(default=False)),
                ("is_blocked", models.BooleanField(default=False)),
                ("is_cancelled_there", models.BooleanField(default=False)),
                ("accepted_as", models.CharField(blank=True, max_length=10)),
                ("meaning_there", models.CharField(blank=True, max_length=10)),
                ("theirs", models.JSONField(null=True)),
                ("hold_reason", models.CharField(blank=True, max_length=255)),
                ("invoice_wanted", models.BooleanField(default=False)),
                ("currency", models.CharField(max_length=3)),
                ("rate", models.DecimalField(decimal_places=8, default=1, max_digits=20)),
                ("total", models.DecimalField(decimal_places=6, max_digits=20)),
                ("total_tax", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                ("carrier", models.CharField(blank=True, max_length=80)),
                ("carrier_name", models.CharField(blank=True, max_length=120)),
                ("payment_name", models.CharField(blank=True, max_length=120)),
                ("buyer", models.JSONField(default=dict)),
                ("billing", models.JSONField(null=True)),
                ("shipping", models.JSONField(null=True)),
                ("pickup_point", models.CharField(blank=True, max_length=160)),
                ("note", models.TextField(blank=True)),
                (
                    "warehouses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("search", models.TextField(blank=True)),
                ("placed_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-placed_at", "-id"], name="orders_orde_placed__9f6e3c_idx"),
                    models.Index(fields=["status", "-placed_at", "-id"], name="orders_orde_status_ca7eb7_idx"),
                    models.Index(fields=["channel", "-placed_at", "-id"], name="orders_orde_channel_d36fbe_idx"),
                    models.Index(
                        fields=["channel", "status", "-placed_at", "-id"], name="orders_orde_channel_0ad514_idx"
                    ),
                    models.Index(
                        condition=models.Q(("is_blocked", False), ("status", "processing")),
                        fields=["-placed_at", "-id"],
                        name="order_to_prepare",
                    ),
                    models.Index(
                        condition=models.Q(("is_blocked", True)), fields=["-placed_at", "-id"], name="order_blocked"
                    ),
                    models.Index(
                        condition=models.Q(("preparation", "shipped"), _negated=True),
                        fields=["preparation", "-placed_at", "-id"],
                        name="order_preparation",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["search"], name="order_search", opclasses=["gin_trgm_ops"]
                    ),
                    models.Index(fields=["external_number"], name="orders_orde_externa_2a7023_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "external_id"), name="order_one_per_sale"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("channel__isnull", True), ("external_id__isnull", True)),
                            models.Q(("channel__isnull", False), ("external_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="order_source_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Charge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("shipping", "Shipping"),
                            ("fee", "Fee"),
                            ("wrapping", "Wrapping"),
                            ("tip", "Tip"),
                            ("discount", "Discount"),
                            ("rounding", "Rounding"),
                        ],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=120)),
                ("amount", models.DecimalField(decimal_places=6, max_digits=20)),
                ("tax", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="charges", to="orders.order"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("method", models.CharField(max_length=80)),
                ("label", models.CharField(blank=True, max_length=120)),
                ("amount", models.DecimalField(decimal_places=6, max_digits=20)),
                ("reference", models.CharField(blank=True, max_length=120)),
                ("paid_at", models.DateTimeField(null=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="orders.order"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("goods", "Goods"),
                            ("kit", "Kit"),
                            ("part", "Part"),
                            ("service", "Service"),
                            ("gift_card", "Gift Card"),
                            ("text", "Text"),
                        ],
                        max_length=10,
                    ),
                ),
                ("external_id", models.CharField(blank=True, max_length=80)),
                ("sku", models.CharField(blank=True, max_length=80)),
                ("name", models.CharField(max_length=255)),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                ("cancelled", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("shipped", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("unit_price", models.DecimalField(decimal_places=6, max_digits=20)),
                ("total", models.DecimalField(decimal_places=6, max_digits=20)),
                ("tax_rate", models.DecimalField(decimal_places=4, max_digits=9, null=True)),
                ("tax", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                ("discount", models.DecimalField(decimal_places=6, default=0, max_digits=20)),
                (
                    "parent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="orders.line",
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_lines",
                        to="catalog.variant",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("order", "position"), name="line_position_unique"),
                    models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="line_quantity_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cancelled__gte", 0),
                            ("shipped__gte", 0),
                            (
                                "quantity__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("cancelled"), "+", models.F("shipped")
                                ),
                            ),
                        ),
                        name="line_served_within_quantity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind__in", ["goods", "part", "kit"]), _negated=True),
                            ("variant__isnull", False),
                            _connector="OR",
                        ),
                        name="line_goods_have_variant",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="History",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("what", models.CharField(max_length=40)),
                ("before", models.CharField(blank=True, max_length=12)),
                ("after", models.CharField(blank=True, max_length=12)),
                ("reason", models.CharField(blank=True, max_length=255)),
                ("facts", models.JSONField(default=dict)),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(blank=True, max_length=64)),
                ("actor_label", models.CharField(blank=True, max_length=120)),
                ("at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="history",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["order", "id"], name="orders_hist_order_i_868df7_idx")],
            },
        ),
    ]

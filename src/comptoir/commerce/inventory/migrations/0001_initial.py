import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("variant", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Warehouse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("is_active", models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name="Backorder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField(unique=True)),
                ("order", models.BigIntegerField()),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                ("placed_at", models.DateTimeField()),
                (
                    "warehouses",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backorders",
                        to="catalog.variant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["variant", "placed_at", "line"], name="inventory_b_variant_d54ee6_idx"),
                    models.Index(fields=["order"], name="inventory_b_order_e46263_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="backorder_quantity_positive")
                ],
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=160, unique=True)),
                ("expected", models.DecimalField(decimal_places=3, max_digits=14)),
                ("found", models.DecimalField(decimal_places=3, max_digits=14)),
                ("at", models.DateTimeField()),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.variant"
                    ),
                ),
                (
                    "warehouse",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.warehouse"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["variant", "-id"], name="inventory_t_variant_2ee59f_idx")],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField()),
                ("order", models.BigIntegerField()),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                ("placed_at", models.DateTimeField()),
                (
                    "warehouses",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("is_picked", models.BooleanField(default=False)),
                (
                    "variant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reservations",
                        to="catalog.variant",
                    ),
                ),
                (
                    "warehouse",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.warehouse"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["variant", "warehouse"], name="inventory_r_variant_4855cc_idx"),
                    models.Index(fields=["order"], name="inventory_r_order_cdef11_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("line", "warehouse"), name="reservation_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gt", 0)), name="reservation_quantity_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                ("from_balance", models.DecimalField(decimal_places=3, max_digits=14, null=True)),
                ("to_balance", models.DecimalField(decimal_places=3, max_digits=14, null=True)),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("opening", "Opening"),
                            ("reception", "Reception"),
                            ("shipment", "Shipment"),
                            ("sale", "Sale"),
                            ("return", "Return"),
                            ("adjustment", "Adjustment"),
                            ("count", "Count"),
                            ("damage", "Damage"),
                            ("transfer", "Transfer"),
                            ("difference", "Difference"),
                            ("rebase", "Rebase"),
                        ],
                        max_length=12,
                    ),
                ),
                ("reference", models.CharField(max_length=160, unique=True)),
                ("comment", models.CharField(blank=True, max_length=255)),
                ("supplier", models.CharField(blank=True, max_length=120)),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(blank=True, max_length=64)),
                ("actor_label", models.CharField(blank=True, max_length=120)),
                ("at", models.DateTimeField()),
                ("booked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "variant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="movements",
                        to="catalog.variant",
                    ),
                ),
                (
                    "from_warehouse",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="inventory.warehouse",
                    ),
                ),
                (
                    "to_warehouse",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="inventory.warehouse",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["variant", "-id"], name="inventory_m_variant_dcc49f_idx"),
                    models.Index(fields=["-at", "-id"], name="inventory_m_at_fec8bc_idx"),
                    models.Index(fields=["reason", "-at", "-id"], name="inventory_m_reason_1acd5b_idx"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="movement_quantity_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("from_warehouse__isnull", False), ("to_warehouse__isnull", False), _connector="OR"
                        ),
                        name="movement_has_a_side",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("from_warehouse__isnull", True),
                            ("to_warehouse__isnull", True),
                            models.Q(("from_warehouse", models.F("to_warehouse")), _negated=True),
                            _connector="OR",
                        ),
                        name="movement_goes_somewhere",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Level",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("on_hand", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("reserved", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("held", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                (
                    "variant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="levels",
                        to="catalog.variant",
                    ),
                ),
                (
                    "warehouse",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="levels",
                        to="inventory.warehouse",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("variant", "warehouse"), name="level_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("reserved__gte", 0)), name="level_reserved_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reserved__lte", models.F("on_hand"))), name="level_reserved_on_hand"
                    ),
                    models.CheckConstraint(condition=models.Q(("held__gte", 0)), name="level_held_not_negative"),
                ],
                "indexes": [models.Index(fields=["warehouse", "id"], name="inventory_l_warehou_f83313_idx")],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=120)),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                ("scope", models.BigIntegerField(null=True)),
                ("until", models.DateTimeField()),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="catalog.variant"
                    ),
                ),
                (
                    "warehouse",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.warehouse"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["until"], name="inventory_h_until_5776fe_idx")],
                "constraints": [
                    models.UniqueConstraint(fields=("source", "variant", "warehouse"), name="hold_unique"),
                    models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="hold_quantity_positive"),
                ],
            },
        ),
    ]

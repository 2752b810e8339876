import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalog", "0001_initial"),
        ("channels", "0001_initial"),
        ("inventory", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PointWarehouse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0)),
                (
                    "warehouse",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="inventory.warehouse"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SellingPoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=80)),
                ("name", models.CharField(max_length=120)),
                (
                    "figure",
                    models.CharField(choices=[("sellable", "sellable"), ("physical", "physical")], max_length=8),
                ),
                ("buffer", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("minimum", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                ("maximum", models.DecimalField(blank=True, decimal_places=3, max_digits=14, null=True)),
                ("owns_stock", models.BooleanField(default=False)),
                ("owns_price", models.BooleanField(default=True)),
                ("stock_initialised_at", models.DateTimeField(null=True)),
                ("approved_share_until", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="points", to="channels.channel"
                    ),
                ),
                (
                    "price_list",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="catalog.pricelist"
                    ),
                ),
                (
                    "warehouses",
                    models.ManyToManyField(
                        related_name="points", through="offers.PointWarehouse", to="inventory.warehouse"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "external_id"), name="selling_point_once"),
                    models.CheckConstraint(
                        condition=models.Q(("buffer__gte", 0)), name="selling_point_buffer_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minimum__gte", 0)), name="selling_point_minimum_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("maximum__isnull", True), ("maximum__gte", models.F("minimum")), _connector="OR"
                        ),
                        name="selling_point_maximum_above_minimum",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="pointwarehouse",
            name="point",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="sources", to="offers.sellingpoint"
            ),
        ),
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("listing", models.CharField(max_length=120)),
                ("ref", models.CharField(blank=True, max_length=120)),
                ("told", models.DecimalField(decimal_places=3, max_digits=14, null=True)),
                ("told_at", models.DateTimeField(null=True)),
                ("told_run", models.BigIntegerField(null=True)),
                ("is_waiting", models.BooleanField(default=True)),
                ("waiting_since", models.DateTimeField(null=True)),
                ("touched", models.BigIntegerField(default=0)),
                ("is_active", models.BooleanField(default=True)),
                ("refusals", models.PositiveSmallIntegerField(default=0)),
                ("not_before", models.DateTimeField(null=True)),
                ("staged_units", models.DecimalField(decimal_places=3, default=0, max_digits=14)),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="offers", to="catalog.variant"
                    ),
                ),
                (
                    "point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="offers.sellingpoint",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_active", True), ("is_waiting", True)),
                        fields=["point", "id"],
                        name="offer_waiting",
                    ),
                    models.Index(fields=["point", "id"], name="offers_offe_point_i_4c6d04_idx"),
                    models.Index(
                        condition=models.Q(("is_active", True), ("is_waiting", True)),
                        fields=["point", "waiting_since"],
                        name="offer_waiting_since",
                    ),
                    models.Index(
                        condition=models.Q(("is_active", True), ("is_waiting", False)),
                        fields=["point", "id"],
                        name="offer_told",
                    ),
                    models.Index(condition=models.Q(("is_active", False)), fields=["point", "id"], name="offer_off"),
                ],
                "constraints": [models.UniqueConstraint(fields=("point", "listing"), name="offer_once")],
            },
        ),
        migrations.CreateModel(
            name="Link",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("product", "product"), ("listing", "listing")], max_length=10)),
                ("external_id", models.CharField(max_length=120)),
                ("made_by", models.CharField(default="channel", max_length=8)),
                ("sku", models.CharField(blank=True, max_length=80)),
                ("pushes_stock", models.BooleanField(default=True)),
                ("content_hash", models.CharField(blank=True, max_length=64)),
                ("seen_at", models.DateTimeField()),
                ("seen_run", models.BigIntegerField(null=True)),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="links", to="channels.channel"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="catalog.product",
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="catalog.variant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "kind", "external_id"), name="link_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "product"), ("product__isnull", False), ("variant__isnull", True)),
                            models.Q(("kind", "listing"), ("variant__isnull", False)),
                            _connector="OR",
                        ),
                        name="link_has_its_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Mapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=10)),
                ("external_id", models.CharField(max_length=120)),
                ("name", models.CharField(blank=True, max_length=160)),
                ("ours", models.CharField(blank=True, max_length=120)),
                ("retry", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField()),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="mappings", to="channels.channel"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "kind", "external_id"), name="mapping_once")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="pointwarehouse",
            constraint=models.UniqueConstraint(fields=("point", "warehouse"), name="point_warehouse_once"),
        ),
    ]

import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        django.contrib.postgres.operations.TrigramExtension(),
        migrations.CreateModel(
            name="Brand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Image",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("token", models.CharField(max_length=40, unique=True)),
                ("content_type", models.CharField(max_length=40)),
                ("size", models.PositiveIntegerField()),
                ("width", models.PositiveIntegerField(null=True)),
                ("height", models.PositiveIntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PriceList",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("currency", models.CharField(max_length=3)),
                ("tax_included", models.BooleanField()),
            ],
        ),
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("path", models.TextField(unique=True)),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="catalog.category",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=255)),
                ("description", models.TextField(blank=True)),
                ("names", models.JSONField(blank=True, default=dict)),
                ("page_url", models.URLField(blank=True, max_length=500)),
                ("custom", models.JSONField(blank=True, default=dict)),
                ("owners", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "brand",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="catalog.brand"
                    ),
                ),
                ("categories", models.ManyToManyField(blank=True, to="catalog.category")),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Lower("name"), name="gin_trgm_ops"
                        ),
                        name="product_name_search",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Variant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sku", models.CharField(max_length=80)),
                ("is_sku_generated", models.BooleanField(default=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("simple", "Simple"), ("kit", "Kit"), ("alias", "Alias")],
                        default="simple",
                        max_length=8,
                    ),
                ),
                ("options", models.JSONField(blank=True, default=dict)),
                (
                    "unit",
                    models.CharField(
                        choices=[("piece", "piece"), ("kg", "kg"), ("m", "m"), ("l", "l")],
                        default="piece",
                        max_length=8,
                    ),
                ),
                ("weight", models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True)),
                ("is_stocked", models.BooleanField(default=True)),
                ("mixes_warehouses", models.BooleanField(default=False)),
                ("enabled", models.BooleanField(default=True)),
                ("discontinued", models.BooleanField(default=False)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("cost", models.DecimalField(blank=True, decimal_places=6, max_digits=20, null=True)),
                ("mpn", models.CharField(blank=True, max_length=80)),
                ("owners", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "alias_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="aliases",
                        to="catalog.variant",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="variants", to="catalog.product"
                    ),
                ),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Lower("sku"), name="gin_trgm_ops"
                        ),
                        name="variant_sku_search",
                    ),
                    models.Index(
                        models.F("kind"),
                        django.db.models.functions.text.Lower("sku"),
                        condition=models.Q(("kind", "simple"), _negated=True),
                        name="variant_rare_kind",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "simple"), _negated=True),
                        fields=["kind", "-id"],
                        name="variant_rare_kind_newest",
                    ),
                    models.Index(
                        django.db.models.functions.text.Lower("sku"),
                        condition=models.Q(("enabled", False)),
                        name="variant_off",
                    ),
                    models.Index(condition=models.Q(("enabled", False)), fields=["-id"], name="variant_off_newest"),
                    models.Index(
                        django.db.models.functions.text.Lower("sku"),
                        condition=models.Q(("retired_at__isnull", False)),
                        name="variant_retired",
                    ),
                    models.Index(
                        condition=models.Q(("retired_at__isnull", False)), fields=["-id"], name="variant_retired_newest"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(django.db.models.functions.text.Lower("sku"), name="variant_sku_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("sku", ""), _negated=True), name="variant_sku_not_empty"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("alias_of__isnull", False), ("kind", "alias")),
                            models.Q(models.Q(("kind", "alias"), _negated=True), ("alias_of__isnull", True)),
                            _connector="OR",
                        ),
                        name="variant_alias_has_master",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("alias_of", models.F("id")), _negated=True),
                        name="variant_not_its_own_alias",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ProductImage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("source", models.CharField(blank=True, max_length=200)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "image",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="catalog.image"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="images", to="catalog.product"
                    ),
                ),
                (
                    "variant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="images",
                        to="catalog.variant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("image__isnull", True)), fields=["id"], name="product_image_wanted"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("product", "variant", "source"),
                        name="product_image_source_unique",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.DecimalField(decimal_places=6, max_digits=20)),
                ("price_list", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="catalog.pricelist")),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="prices", to="catalog.variant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("price_list", "variant"), name="price_unique"),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 0)), name="price_not_negative"),
                ],
            },
        ),
        migrations.CreateModel(
            name="KitPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=3, max_digits=14)),
                (
                    "kit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="catalog.variant"
                    ),
                ),
                (
                    "part",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="in_kits", to="catalog.variant"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kit", "part"), name="kit_part_unique"),
                    models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="kit_part_quantity_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("kit", models.F("part")), _negated=True), name="kit_not_its_own_part"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ForeignValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.BigIntegerField()),
                ("field", models.CharField(max_length=40)),
                ("value", models.JSONField(null=True)),
                ("seen_at", models.DateTimeField()),
                ("product", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="catalog.product")),
                (
                    "variant",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="catalog.variant"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("product", "variant", "channel", "field"),
                        name="foreign_value_unique",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Barcode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=64, unique=True)),
                (
                    "variant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="barcodes", to="catalog.variant"
                    ),
                ),
            ],
        ),
    ]

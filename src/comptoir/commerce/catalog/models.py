"""Products and variants, their prices, pictures and owners. A variant is what is stocked and counted."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from comptoir.kit.money import Unit


class Kind(models.TextChoices):
    """What a variant's stock is."""

    SIMPLE = "simple"  #: counted itself
    KIT = "kit"  #: as many as its parts allow
    ALIAS = "alias"  #: another SKU that shares its master's stock


class Brand(models.Model):
    """Who makes it."""

    name = models.CharField(max_length=120, unique=True)


class Category(models.Model):
    """A place in the tree; `path` holds the names from the root, so that a path is unique and quick to find."""

    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    name = models.CharField(max_length=200)
    path = models.TextField(unique=True)  # "Home / Kitchen / Mugs"


class Product(models.Model):
    """A page with one or more variants. `owners` names for each field the channel that owns it; absent = the hub."""

    name = models.CharField(max_length=255)
    brand = models.ForeignKey(Brand, null=True, blank=True, on_delete=models.PROTECT)
    categories = models.ManyToManyField(Category, blank=True)
    description = models.TextField(blank=True)
    names = models.JSONField(default=dict, blank=True)  # other languages {"fr": "…"}
    page_url = models.URLField(max_length=500, blank=True)
    custom = models.JSONField(default=dict, blank=True)
    owners = models.JSONField(default=dict, blank=True)  # {"name": 3}: field -> channel id
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [GinIndex(OpClass(Lower("name"), name="gin_trgm_ops"), name="product_name_search")]


class Variant(models.Model):
    """What is stocked and counted. SKU is unique whatever its case: shops and people do not tell `15056BL` from `15056bl`."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="variants")
    sku = models.CharField(max_length=80)
    is_sku_generated = models.BooleanField(default=False)  # a listing came without one
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.SIMPLE)
    alias_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="aliases")
    options = models.JSONField(default=dict, blank=True)  # {"Size": "M"}
    unit = models.CharField(max_length=8, choices=[(u.value, u.value) for u in Unit], default=Unit.PIECE.value)
    weight = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)  # kilograms
    is_stocked = models.BooleanField(default=True)  # False: services and downloads
    mixes_warehouses = models.BooleanField(default=False)  # a kit whose parts may come from several warehouses
    enabled = models.BooleanField(default=True)  # may be sold
    discontinued = models.BooleanField(default=False)  # may not be bought again
    retired_at = models.DateTimeField(null=True, blank=True)  # gone from every shop that owned it
    cost = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)  # base currency
    mpn = models.CharField(max_length=80, blank=True)
    owners = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("sku"), name="variant_sku_unique"),
            models.CheckConstraint(condition=~Q(sku=""), name="variant_sku_not_empty"),
            models.CheckConstraint(
                condition=Q(kind="alias", alias_of__isnull=False) | (~Q(kind="alias") & Q(alias_of__isnull=True)),
                name="variant_alias_has_master",
            ),
            models.CheckConstraint(condition=~Q(alias_of=F("id")), name="variant_not_its_own_alias"),
        ]
        # Lists sort by SKU or by id; what is rare among a million has an index of its own for either, the rest is met on the way.
        indexes = [
            GinIndex(OpClass(Lower("sku"), name="gin_trgm_ops"), name="variant_sku_search"),
            models.Index("kind", Lower("sku"), condition=~Q(kind="simple"), name="variant_rare_kind"),
            models.Index(fields=["kind", "-id"], condition=~Q(kind="simple"), name="variant_rare_kind_newest"),
            models.Index(Lower("sku"), condition=Q(enabled=False), name="variant_off"),
            models.Index(fields=["-id"], condition=Q(enabled=False), name="variant_off_newest"),
            models.Index(Lower("sku"), condition=Q(retired_at__isnull=False), name="variant_retired"),
            models.Index(fields=["-id"], condition=Q(retired_at__isnull=False), name="variant_retired_newest"),
        ]


class Barcode(models.Model):
    """One of a variant's barcodes; a code means one variant."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="barcodes")
    code = models.CharField(max_length=64, unique=True)


class KitPart(models.Model):
    """So many of a simple variant are in one kit."""

    kit = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="parts")
    part = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="in_kits")
    quantity = models.DecimalField(max_digits=14, decimal_places=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kit", "part"], name="kit_part_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="kit_part_quantity_positive"),
            models.CheckConstraint(condition=~Q(kit=F("part")), name="kit_not_its_own_part"),
        ]


class PriceList(models.Model):
    """Prices of one currency, all with tax or all without."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    tax_included = models.BooleanField()


class Price(models.Model):
    """What a variant costs in a list; six decimals are kept, so that a price taken from a shop goes back unchanged."""

    price_list = models.ForeignKey(PriceList, on_delete=models.CASCADE)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="prices")
    amount = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["price_list", "variant"], name="price_unique"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="price_not_negative"),
        ]


class Image(models.Model):
    """A picture, kept once by content. `token` makes its public address unguessable."""

    sha256 = models.CharField(max_length=64, unique=True)
    token = models.CharField(max_length=40, unique=True)
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()  # bytes
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)


class ProductImage(models.Model):
    """A picture on a product's page, or of one variant. `source` is where it came from: "3:24/105" (channel:ref)."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images")
    variant = models.ForeignKey(Variant, null=True, blank=True, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey(Image, null=True, blank=True, on_delete=models.PROTECT)  # null: wanted, not fetched yet
    position = models.PositiveSmallIntegerField(default=0)
    source = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "variant", "source"], nulls_distinct=False, name="product_image_source_unique"
            )
        ]
        indexes = [models.Index(fields=["id"], condition=Q(image__isnull=True), name="product_image_wanted")]


class ForeignValue(models.Model):
    """What a channel that does not own a field says of it: shown beside ours, never written over it."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    variant = models.ForeignKey(Variant, null=True, on_delete=models.CASCADE)
    channel = models.BigIntegerField()
    field = models.CharField(max_length=40)
    value = models.JSONField(null=True)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["product", "variant", "channel", "field"], nulls_distinct=False, name="foreign_value_unique"
            )
        ]

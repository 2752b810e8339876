"""Who goods are bought from, and what each supplier calls and charges for them."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from comptoir.commerce.catalog.models import Variant


class Supplier(models.Model):
    """Somebody who sells to us. `owners` names for each field the channel that writes it; absent = people here."""

    code = models.CharField(max_length=40)  # unique whatever its case: what files and people call it
    name = models.CharField(max_length=120)
    email = models.CharField(max_length=254, blank=True)  # where orders go
    currency = models.CharField(max_length=3, blank=True)  # of its prices, where they do not say
    lead_days = models.PositiveSmallIntegerField(null=True, blank=True)  # from order to arrival
    minimum_order = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)  # in its currency
    notes = models.TextField(blank=True)
    enabled = models.BooleanField(default=True)  # False: nothing more is bought there
    owners = models.JSONField(default=dict, blank=True)  # {"name": 3}: field -> channel id
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("code"), name="supplier_code_unique"),
            models.CheckConstraint(condition=~Q(code="") & ~Q(name=""), name="supplier_has_code_and_name"),
            models.CheckConstraint(
                condition=Q(minimum_order__isnull=True) | Q(minimum_order__gte=0), name="supplier_minimum_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["name", "id"]),
            models.Index(fields=["enabled", "name", "id"], name="supplier_by_state"),
            GinIndex(OpClass(Lower("name"), name="gin_trgm_ops"), name="supplier_name_search"),
            GinIndex(OpClass(Lower("code"), name="gin_trgm_ops"), name="supplier_code_search"),
        ]


class SupplierLink(models.Model):
    """A supplier under the id that a channel gives it. `channel` is a plain value: no foreign key runs upwards."""

    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="links")
    channel = models.BigIntegerField()
    external_id = models.CharField(max_length=120)
    seen_run = models.BigIntegerField(null=True)  # of the last complete reading it was in
    gone_at = models.DateTimeField(null=True)  # missing from a complete reading

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "external_id"], name="supplier_link_once")]


class SupplierProduct(models.Model):
    """A variant as a supplier sells it. At most one of a variant's suppliers is the primary one."""

    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="products", db_index=False)
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="suppliers")
    reference = models.CharField(max_length=80, blank=True)  # what the supplier calls it
    price = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)  # of one unit, without tax
    currency = models.CharField(max_length=3, blank=True)
    pack_units = models.DecimalField(max_digits=14, decimal_places=3, default=1)  # units in one pack
    minimum = models.DecimalField(max_digits=14, decimal_places=3, default=0)  # fewest units in one order
    is_primary = models.BooleanField(default=False)
    owners = models.JSONField(default=dict, blank=True)  # as a supplier's: reference, price, is_primary
    channel = models.BigIntegerField(null=True, blank=True)  # where it was read last
    external_id = models.CharField(max_length=120, blank=True)  # of the channel's row
    seen_run = models.BigIntegerField(null=True)
    gone_at = models.DateTimeField(null=True)  # missing from a complete reading of that channel
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supplier", "variant"], name="supplier_product_once"),
            models.UniqueConstraint(
                fields=["variant"], condition=Q(is_primary=True), name="supplier_product_one_primary"
            ),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | (Q(price__gte=0) & ~Q(currency="")),
                name="supplier_product_price_has_currency",
            ),
            models.CheckConstraint(condition=Q(pack_units__gt=0), name="supplier_product_pack_positive"),
            models.CheckConstraint(condition=Q(minimum__gte=0), name="supplier_product_minimum_not_negative"),
        ]
        indexes = [
            models.Index(fields=["supplier", "id"]),
            models.Index(
                fields=["channel", "id"], condition=Q(channel__isnull=False), name="supplier_product_of_channel"
            ),
        ]

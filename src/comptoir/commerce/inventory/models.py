"""Where stock is counted: an append-only ledger, kept levels, promises, holds and what waits for goods.

Lock order, the only one: levels by (variant, warehouse) first, in one statement; then reservations, backorders and
holds of those variants, which nobody changes without that lock. Orders and shipments lock their own rows before they
come here, and call one stock action per transaction (a page of rows at once): two calls would lock in two orders.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from comptoir.commerce.catalog.models import Variant


def _flag(condition: Q) -> models.GeneratedField:
    """A column that PostgreSQL keeps by itself."""
    expression = models.ExpressionWrapper(condition, output_field=models.BooleanField())
    return models.GeneratedField(expression=expression, output_field=models.BooleanField(), db_persist=True)


class Warehouse(models.Model):
    """A building, a shop, a supplier's shelf: anything whose stock is counted apart."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)


class Reason(models.TextChoices):
    """Why stock moved."""

    OPENING = "opening"  #: what was there when the hub began to count
    RECEPTION = "reception"  #: goods came in
    SHIPMENT = "shipment"  #: goods left for an order
    SALE = "sale"  #: sold elsewhere and gone: a till, a shop's own shipment
    RETURN = "return"  #: a customer sent it back
    ADJUSTMENT = "adjustment"  #: a person corrected the figure
    COUNT = "count"  #: a stock take found it so
    DAMAGE = "damage"  #: broken, lost, thrown away
    TRANSFER = "transfer"  #: from one warehouse to another
    DIFFERENCE = "difference"  #: units nobody knew of, booked in so that a fact could be booked out
    REBASE = "rebase"  #: re-initialised from a channel through a preview


class Movement(models.Model):
    """Units that moved. Never changed or deleted (a trigger says so); the same reference twice is one movement."""

    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="movements", db_index=False)
    from_warehouse = models.ForeignKey(Warehouse, null=True, on_delete=models.PROTECT, related_name="+")
    to_warehouse = models.ForeignKey(Warehouse, null=True, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=14, decimal_places=3)
    from_balance = models.DecimalField(max_digits=14, decimal_places=3, null=True)  # on hand there, afterwards
    to_balance = models.DecimalField(max_digits=14, decimal_places=3, null=True)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    reference = models.CharField(max_length=160, unique=True)  # "shipment:12:34"
    comment = models.CharField(max_length=255, blank=True)
    supplier = models.CharField(max_length=120, blank=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()  # when it happened
    booked_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="movement_quantity_positive"),
            models.CheckConstraint(
                condition=Q(from_warehouse__isnull=False) | Q(to_warehouse__isnull=False), name="movement_has_a_side"
            ),
            models.CheckConstraint(
                condition=Q(from_warehouse__isnull=True)
                | Q(to_warehouse__isnull=True)
                | ~Q(from_warehouse=F("to_warehouse")),
                name="movement_goes_somewhere",
            ),
        ]
        indexes = [
            models.Index(fields=["variant", "-id"]),
            models.Index(fields=["-at", "-id"]),
            models.Index(fields=["reason", "-at", "-id"]),
        ]


class Tally(models.Model):
    """What was found on a shelf, kept even where it agreed and nothing moved: the same reference twice is one count."""

    reference = models.CharField(max_length=160, unique=True)
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="+")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    expected = models.DecimalField(max_digits=14, decimal_places=3)  # on hand before it
    found = models.DecimalField(max_digits=14, decimal_places=3)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["variant", "-id"])]


class Level(models.Model):
    """The kept balance of a variant in a warehouse. `held` counts holds that apply everywhere; it may exceed what is left."""

    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="levels", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="levels", db_index=False)
    on_hand = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    reserved = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    held = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    # What lists choose by. An update that changes none of them touches no index.
    has_stock = _flag(Q(on_hand__gt=0))
    has_reserved = _flag(Q(reserved__gt=0))
    is_used_up = _flag(Q(on_hand__lte=F("reserved") + F("held")))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["variant", "warehouse"], name="level_unique"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="level_reserved_not_negative"),
            models.CheckConstraint(condition=Q(reserved__lte=F("on_hand")), name="level_reserved_on_hand"),
            models.CheckConstraint(condition=Q(held__gte=0), name="level_held_not_negative"),
        ]
        # None on a figure: an update that touches no index costs half, and each line of an order makes one.
        indexes = [
            models.Index(fields=["warehouse", "id"]),
            models.Index(fields=["variant"], condition=Q(has_stock=True), name="level_with_stock"),
            models.Index(fields=["id", "warehouse"], condition=Q(has_reserved=True), name="level_with_reserved"),
            models.Index(fields=["id", "warehouse"], condition=Q(is_used_up=True), name="level_used_up"),
        ]


class Reservation(models.Model):
    """Units of one warehouse promised to one order line. `line` and `order` are plain values: orders stand above us."""

    line = models.BigIntegerField()
    order = models.BigIntegerField()
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=14, decimal_places=3)
    placed_at = models.DateTimeField()  # of the order: the newest gives way first
    warehouses = ArrayField(models.BigIntegerField())  # where the line may be served from, in order
    is_picked = models.BooleanField(default=False)  # in somebody's basket: not taken back

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["line", "warehouse"], name="reservation_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="reservation_quantity_positive"),
        ]
        indexes = [models.Index(fields=["variant", "warehouse"]), models.Index(fields=["order"])]


class Backorder(models.Model):
    """What a line still waits for; filled oldest first."""

    line = models.BigIntegerField(unique=True)
    order = models.BigIntegerField()
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="backorders", db_index=False)
    quantity = models.DecimalField(max_digits=14, decimal_places=3)
    placed_at = models.DateTimeField()
    warehouses = ArrayField(models.BigIntegerField())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="backorder_quantity_positive")]
        indexes = [models.Index(fields=["variant", "placed_at", "line"]), models.Index(fields=["order"])]


class Hold(models.Model):
    """Units set aside for a sale that is not accepted yet. `scope` null: everywhere; else only at that selling point."""

    source = models.CharField(max_length=120)  # "3:1042" channel:external id of the sale
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="holds")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(max_digits=14, decimal_places=3)
    scope = models.BigIntegerField(null=True)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "variant", "warehouse"], name="hold_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="hold_quantity_positive"),
        ]
        indexes = [models.Index(fields=["until"])]


class Mark(models.Model):
    """`variant`'s available may have changed. Insert-only in the business transaction; drained by offers."""

    variant = models.BigIntegerField()

"""Orders: sales that we have accepted and serve. Their lines and addresses change through people and picking alone."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from comptoir.commerce.catalog.models import Variant


class Status(models.TextChoices):
    """Where an order stands."""

    PENDING = "pending"  #: placed, not yet paid or valid
    PROCESSING = "processing"  #: valid; stays so while partly shipped
    ON_HOLD = "on_hold"  #: waits for a person; keeps its reservation
    COMPLETE = "complete"  #: every line has left
    CANCELLED = "cancelled"  #: nothing leaves; reservation released


class Preparation(models.TextChoices):
    """Where its preparation stands: another axis than its status."""

    NEW = "new"  #: nobody has begun
    PICKED = "picked"  #: in a basket
    PACKED = "packed"  #: in a box
    SHIPPED = "shipped"  #: gone, as far as it could be served


class LineKind(models.TextChoices):
    """What a line is; only goods and a kit's parts reserve."""

    GOODS = "goods"  #: something stocked and sent
    KIT = "kit"  #: a heading: its parts follow as lines of their own
    PART = "part"  #: a part of the kit above it; carries no price
    SERVICE = "service"  #: nothing leaves a shelf
    GIFT_CARD = "gift_card"  #: a gift card sold
    TEXT = "text"  #: free text


class ChargeKind(models.TextChoices):
    """What is added to or taken off an order as a whole."""

    SHIPPING = "shipping"  #: carriage
    FEE = "fee"  #: payment or handling fee
    WRAPPING = "wrapping"  #: gift wrapping
    TIP = "tip"  #: for driver or staff
    DISCOUNT = "discount"  #: negative
    ROUNDING = "rounding"  #: what the channel's own rounding explains


class Order(models.Model):
    """One order. `channel` is the channel's id as a plain value; a sale is one order for ever (unique channel, external id)."""

    number = models.CharField(max_length=40, unique=True)
    channel = models.BigIntegerField(null=True)
    external_id = models.CharField(max_length=80, null=True)
    external_number = models.CharField(max_length=80, blank=True)
    external_status = models.CharField(max_length=80, blank=True)  # as last seen there
    selling_point = models.BigIntegerField(null=True)
    status = models.CharField(max_length=12, choices=Status.choices)
    preparation = models.CharField(max_length=8, choices=Preparation.choices, default=Preparation.NEW)
    is_history = models.BooleanField(default=False)  # came finished: no movement was booked
    is_blocked = models.BooleanField(default=False)  # changed at the channel: preparation waits for a person
    is_cancelled_there = models.BooleanField(
        default=False
    )  # the channel cancelled it, not we: it may be reopened there
    accepted_as = models.CharField(max_length=10, blank=True)  # external.Meaning that a rule or a person let pass
    meaning_there = models.CharField(max_length=10, blank=True)  # external.Meaning as last seen
    theirs = models.JSONField(null=True)  # the channel's version that we know of: differences.snapshot
    taken_over = models.CharField(
        max_length=4, blank=True, db_default=""
    )  # takeover.Choice, before a channel went live
    hold_reason = models.CharField(max_length=255, blank=True)
    invoice_wanted = models.BooleanField(default=False)
    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=20, decimal_places=8, default=1)  # base currency -> currency, as stated
    total = models.DecimalField(max_digits=20, decimal_places=6)
    total_tax = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    carrier = models.CharField(max_length=80, blank=True)  # ours
    carrier_name = models.CharField(max_length=120, blank=True)
    payment_name = models.CharField(max_length=120, blank=True)
    buyer = models.JSONField(default=dict)  # records.Buyer
    billing = models.JSONField(null=True)  # records.Address
    shipping = models.JSONField(null=True)
    pickup_point = models.CharField(max_length=160, blank=True)
    note = models.TextField(blank=True)
    warehouses = ArrayField(models.BigIntegerField(), default=list)  # may be served from, in order
    search = models.TextField(blank=True)  # lower case: our number, theirs, who bought
    placed_at = models.DateTimeField()
    accepted_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_id"], name="order_one_per_sale"),
            models.CheckConstraint(
                condition=Q(channel__isnull=True, external_id__isnull=True)
                | Q(channel__isnull=False, external_id__isnull=False),
                name="order_source_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["-placed_at", "-id"]),
            models.Index(fields=["status", "-placed_at", "-id"]),
            models.Index(fields=["channel", "-placed_at", "-id"]),
            models.Index(
                fields=["channel", "status", "-placed_at", "-id"], include=["taken_over"], name="order_channel_status"
            ),
            models.Index(fields=["-placed_at", "-id"], condition=Q(is_blocked=True), name="order_blocked"),
            models.Index(
                fields=["-placed_at", "-id"],
                condition=Q(status="processing", is_blocked=False),
                include=["channel"],
                name="order_to_prepare_by",
            ),
            models.Index(
                fields=["preparation", "-placed_at", "-id"],
                condition=Q(status="processing", is_blocked=False),
                include=["channel"],
                name="order_to_prepare_step",
            ),
            models.Index(
                fields=["channel", "preparation", "-placed_at", "-id"],
                condition=~Q(preparation="shipped"),
                name="order_channel_preparation",
            ),
            models.Index(fields=["external_number"]),
            models.Index(
                fields=["preparation", "-placed_at", "-id"],
                condition=~Q(preparation="shipped"),
                name="order_preparation",
            ),
            models.Index(fields=["channel"], condition=Q(taken_over="left"), name="order_left_before"),
            models.Index(
                fields=["id"],
                condition=Q(is_history=False)
                & ~Q(status="cancelled")
                & ~Q(meaning_there__in=["shipped", "cancelled", "refunded"]),
                name="order_open_there",
            ),
            models.Index(fields=["placed_at"], include=["channel", "currency", "status", "total"], name="order_sold"),
            GinIndex(fields=["search"], opclasses=["gin_trgm_ops"], name="order_search"),
        ]


class Line(models.Model):
    """One line. Open = quantity - cancelled - shipped; how much of it is reserved is inventory's to say.

    Of lines that reserve nothing, `shipped` says how much is served: a kit's heading follows its parts, and services are
    served when the order completes.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)  # by position
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=LineKind.choices)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts", db_index=False)
    variant = models.ForeignKey(
        Variant, null=True, on_delete=models.PROTECT, related_name="order_lines", db_index=False
    )
    external_id = models.CharField(max_length=80, blank=True)
    listing = models.CharField(max_length=120, blank=True, db_default="")  # what the channel calls what was sold
    sku = models.CharField(max_length=80, blank=True)  # as sold
    name = models.CharField(max_length=255)
    quantity = models.DecimalField(max_digits=14, decimal_places=3)
    cancelled = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    shipped = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    unit_price = models.DecimalField(max_digits=20, decimal_places=6)
    total = models.DecimalField(max_digits=20, decimal_places=6)
    tax_rate = models.DecimalField(max_digits=9, decimal_places=4, null=True)
    tax = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    discount = models.DecimalField(max_digits=20, decimal_places=6, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="line_position_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(
                condition=Q(cancelled__gte=0) & Q(shipped__gte=0) & Q(quantity__gte=F("cancelled") + F("shipped")),
                name="line_served_within_quantity",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["goods", "part", "kit"]) | Q(variant__isnull=False),
                name="line_goods_have_variant",
            ),
        ]
        indexes = [models.Index(fields=["variant", "order"], include=["id"], name="line_of_variant")]


class Charge(models.Model):
    """Something for the order as a whole; discounts are negative."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="charges")
    kind = models.CharField(max_length=10, choices=ChargeKind.choices)
    name = models.CharField(max_length=120, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    tax = models.DecimalField(max_digits=20, decimal_places=6, null=True)


class Payment(models.Model):
    """Money received, as the channel tells."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    method = models.CharField(max_length=80)
    label = models.CharField(max_length=120, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=6)
    reference = models.CharField(max_length=120, blank=True)
    paid_at = models.DateTimeField(null=True)


class History(models.Model):
    """What happened to an order: who, when, from, to, why. Only grows."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="history", db_index=False)
    what = models.CharField(max_length=40)  # placed, moved, line_cancelled, shipped, blocked, took_theirs, …
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=255, blank=True)
    facts = models.JSONField(default=dict)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["order", "id"])]

"""What a channel may sell and how its things are called here. The figures follow docs/explanation/stock.md."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import PriceList, Product, Variant
from comptoir.commerce.inventory.models import Warehouse


class SellingPoint(models.Model):
    """A place at a channel that holds a stock figure: a shop, a location, a source, a till."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="points")
    external_id = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    figure = models.CharField(max_length=8, choices=[("sellable", "sellable"), ("physical", "physical")])
    warehouses = models.ManyToManyField(Warehouse, through="PointWarehouse", related_name="points")
    buffer = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    minimum = models.DecimalField(max_digits=14, decimal_places=3, default=0)
    maximum = models.DecimalField(max_digits=14, decimal_places=3, null=True, blank=True)
    price_list = models.ForeignKey(PriceList, null=True, blank=True, on_delete=models.PROTECT)
    owns_stock = models.BooleanField(default=False)  # True: its figure is read, never told
    owns_price = models.BooleanField(default=True)  # True: its prices are read, never told
    # What one unit of the list's currency is in the channel's: stated by a person for just this pair.
    price_rate = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    price_rate_from = models.CharField(max_length=3, blank=True, default="", db_default="")
    price_rate_to = models.CharField(max_length=3, blank=True, default="", db_default="")
    # A push that would change more than this share of the prices (percent) by more than so much (percent) waits for a person.
    price_most_share = models.PositiveSmallIntegerField(default=10, db_default=10)
    price_most_change = models.PositiveSmallIntegerField(default=30, db_default=30)
    approved_prices_until = models.DateTimeField(null=True)  # a person let such a push through, until then
    stock_initialised_at = models.DateTimeField(null=True)
    approved_share_until = models.DateTimeField(null=True)  # a person let a suspicious push through, until then

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_id"], name="selling_point_once"),
            models.CheckConstraint(condition=Q(buffer__gte=0), name="selling_point_buffer_not_negative"),
            models.CheckConstraint(condition=Q(minimum__gte=0), name="selling_point_minimum_not_negative"),
            models.CheckConstraint(
                condition=Q(maximum__isnull=True) | Q(maximum__gte=F("minimum")),
                name="selling_point_maximum_above_minimum",
            ),
            models.CheckConstraint(
                condition=Q(price_rate__isnull=True) | Q(price_rate__gt=0), name="selling_point_rate_positive"
            ),
        ]


class PointWarehouse(models.Model):
    """A warehouse that a selling point sells from; orders are served in this order."""

    point = models.ForeignKey(SellingPoint, on_delete=models.CASCADE, related_name="sources")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["point", "warehouse"], name="point_warehouse_once")]


class Link(models.Model):
    """External id ↔ our id in one channel. Several listings may link to one variant; one listing never to two."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="links")
    kind = models.CharField(max_length=10, choices=[("product", "product"), ("listing", "listing")])
    external_id = models.CharField(max_length=120)
    product = models.ForeignKey(Product, null=True, on_delete=models.PROTECT, related_name="links")
    variant = models.ForeignKey(Variant, null=True, on_delete=models.PROTECT, related_name="links")
    made_by = models.CharField(max_length=8, default="channel")  # which side created the thing: channel or hub
    sku = models.CharField(max_length=80, blank=True)  # as the channel last said it
    pushes_stock = models.BooleanField(default=True)  # False: the shop computes it (packs), or it has none
    content_hash = models.CharField(max_length=64, blank=True)  # of the record last read: unchanged ones are left alone
    seen_at = models.DateTimeField()
    seen_run = models.BigIntegerField(null=True)  # of the last complete listing it was in
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "kind", "external_id"], name="link_once"),
            models.CheckConstraint(
                condition=Q(kind="product", product__isnull=False, variant__isnull=True)
                | Q(kind="listing", variant__isnull=False),
                name="link_has_its_end",
            ),
        ]


class Offer(models.Model):
    """A listing at a selling point. `told` null: unknown. `touched` grows with every reason to tell it again, so that what
    changed while a call was out stays waiting."""

    point = models.ForeignKey(SellingPoint, on_delete=models.PROTECT, related_name="offers", db_index=False)
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="offers")
    listing = models.CharField(max_length=120)  # external id
    ref = models.CharField(max_length=120, blank=True)  # what the channel's figure is written by
    told = models.DecimalField(max_digits=14, decimal_places=3, null=True)
    told_at = models.DateTimeField(null=True)
    told_run = models.BigIntegerField(null=True)
    is_waiting = models.BooleanField(default=True)
    waiting_since = models.DateTimeField(null=True)
    touched = models.BigIntegerField(default=0)
    is_active = models.BooleanField(default=True)  # False: no longer listed there, or not pushed
    refusals = models.PositiveSmallIntegerField(default=0)  # in a row; each makes it wait longer
    not_before = models.DateTimeField(null=True)
    staged_units = models.DecimalField(
        max_digits=14, decimal_places=3, default=0
    )  # of sales not accepted yet, see levels

    class Meta:
        constraints = [models.UniqueConstraint(fields=["point", "listing"], name="offer_once")]
        indexes = [
            models.Index(fields=["point", "id"]),
            models.Index(fields=["point", "id"], condition=Q(is_waiting=True, is_active=True), name="offer_waiting"),
            models.Index(
                fields=["point", "waiting_since"],
                condition=Q(is_waiting=True, is_active=True),
                name="offer_waiting_since",
            ),
            models.Index(fields=["point", "id"], condition=Q(is_waiting=False, is_active=True), name="offer_told"),
            models.Index(fields=["point", "id"], condition=Q(is_active=False), name="offer_off"),
            models.Index(fields=["ref", "point"], condition=~Q(ref=""), name="offer_ref"),
        ]


class OfferPrice(models.Model):
    """What an offer's price was told, where the hub owns prices. Amounts are the channel's own: its currency, with or without
    tax as its prices are. `told` null: unknown. `touched` as an offer's."""

    offer = models.OneToOneField(Offer, primary_key=True, on_delete=models.CASCADE, related_name="price")
    point = models.ForeignKey(SellingPoint, on_delete=models.PROTECT, related_name="+", db_index=False)
    told = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    told_at = models.DateTimeField(null=True)
    told_run = models.BigIntegerField(null=True)
    there = models.DecimalField(max_digits=20, decimal_places=6, null=True)  # as last seen at the channel
    there_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3, blank=True)  # of both
    tax_included = models.BooleanField(default=False)
    is_waiting = models.BooleanField(default=True)
    waiting_since = models.DateTimeField(null=True)
    touched = models.BigIntegerField(default=0)
    refusals = models.PositiveSmallIntegerField(default=0)  # in a row; each makes it wait longer
    not_before = models.DateTimeField(null=True)
    is_aside = models.BooleanField(default=False)  # waits for a person: it would change suspiciously

    class Meta:
        indexes = [
            models.Index(fields=["point", "offer"], condition=Q(is_waiting=True), name="offer_price_waiting"),
            models.Index(fields=["point", "offer"], name="offer_price_of_point"),
        ]


class Mapping(models.Model):
    """A status, carrier, payment method or tax of a channel, and what it is here. Repairs in the grid are kept as these."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="mappings")
    kind = models.CharField(max_length=10)  # status, carrier, payment, sku
    external_id = models.CharField(max_length=120)
    name = models.CharField(max_length=160, blank=True)  # as the channel calls it
    ours = models.CharField(max_length=120, blank=True)  # empty: seen, not mapped yet
    retry = models.BooleanField(default=False)  # statuses: look again until it becomes one that is imported
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "kind", "external_id"], name="mapping_once")]


class Match(models.TextChoices):
    """By what a listing is, or would be, a variant of ours."""

    LINK = "link"  #: linked when products came in
    HAND = "hand"  #: a person said so, in the page or by a file
    SKU = "sku"  #: would be linked by its SKU
    BARCODE = "barcode"  #: would be linked by its barcode
    DOUBT = "doubt"  #: something matches, but not clearly: a person says which
    NONE = "none"  #: only there
    APART = "apart"  #: a person said that it is nothing of ours


class Listed(models.Model):
    """A listing as it was read for matching, and what it would be here. Of itself it puts nothing into the catalogue."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="listed", db_index=False)
    external_id = models.CharField(max_length=120)
    page = models.CharField(max_length=120)  # external id of the product page that it is on
    name = models.CharField(max_length=255)
    options = models.CharField(max_length=255, blank=True)  # "Size: M, Colour: red"
    sku = models.CharField(max_length=80, blank=True)
    barcodes = ArrayField(models.CharField(max_length=64), default=list)
    price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    tax_included = models.BooleanField(null=True)
    unit = models.CharField(max_length=8)
    pushes_stock = models.BooleanField(default=True)
    address = models.CharField(max_length=500, blank=True)  # of its page at the shop
    search = models.TextField(blank=True)  # lower case: id, SKU, barcodes, name
    fingerprint = models.CharField(max_length=64)  # of its whole page as read
    read_at = models.DateTimeField()
    read_run = models.BigIntegerField(null=True)
    match = models.CharField(max_length=8, choices=Match.choices, default=Match.NONE)
    variant = models.ForeignKey(Variant, null=True, on_delete=models.SET_NULL, related_name="+")
    decided = models.CharField(max_length=8, blank=True)  # hand, apart: what a person said; empty: nothing
    own_sku = models.CharField(max_length=80, blank=True)  # what a person calls it here, where it has no SKU there
    # What a file says that it is, until somebody has looked at it.
    proposed = models.ForeignKey(Variant, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "external_id"], name="listed_once")]
        indexes = [
            models.Index(fields=["channel", "id"]),
            models.Index(fields=["channel", "match", "id"]),
            models.Index(fields=["channel", "page"]),
            models.Index("channel", Lower("sku"), name="listed_sku"),
            models.Index(fields=["channel", "id"], condition=Q(proposed__isnull=False), name="listed_proposed"),
            GinIndex(fields=["barcodes"], name="listed_barcodes"),
            GinIndex(fields=["search"], opclasses=["gin_trgm_ops"], name="listed_search"),
        ]


class Basis(models.IntegerChoices):
    """By what a doubt is ranked."""

    NOTHING = 0  #: neither sold nor in stock
    STOCK = 1  #: what is on hand, at its cost
    SALES = 2  #: what was sold there lately


class Doubt(models.Model):
    """What does not fit between the listings of a channel and what is here: one row per thing to look at."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="doubts", db_index=False)
    code = models.CharField(max_length=20)
    subject = models.CharField(max_length=160)  # "listing:12-3", "variant:7", "currency:EUR", "clock"
    listing = models.CharField(max_length=120, blank=True)  # external id
    variant = models.ForeignKey(Variant, null=True, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=255)
    facts = models.JSONField(default=dict)
    basis = models.SmallIntegerField(choices=Basis.choices, default=Basis.NOTHING)
    units = models.DecimalField(max_digits=20, decimal_places=3, default=0)
    risk = models.DecimalField(max_digits=20, decimal_places=2, default=0)  # in the channel's currency
    found_at = models.DateTimeField()
    ignored_at = models.DateTimeField(null=True)
    ignored_by = models.CharField(max_length=120, blank=True)
    ignored_note = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "code", "subject"], name="doubt_once")]
        indexes = [
            models.Index(
                fields=["channel", "-basis", "-risk", "-id"], condition=Q(ignored_at__isnull=True), name="doubt_open"
            ),
            models.Index(
                fields=["channel", "code", "-basis", "-risk", "-id"],
                condition=Q(ignored_at__isnull=True),
                name="doubt_open_code",
            ),
            models.Index(
                fields=["channel", "-basis", "-risk", "-id"],
                condition=Q(ignored_at__isnull=False),
                name="doubt_ignored",
            ),
            models.Index(
                fields=["channel", "code", "-basis", "-risk", "-id"],
                condition=Q(ignored_at__isnull=False),
                name="doubt_ignored_code",
            ),
            GinIndex(OpClass(Lower("label"), name="gin_trgm_ops"), name="doubt_search"),
            models.Index(fields=["channel", "listing"]),
        ]

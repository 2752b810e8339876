"""Configured accounts of shops, tills and marketplaces, and how fast each may be called."""

from django.db import models
from django.db.models import Q


class Mode(models.TextChoices):
    """Whether we may write there."""

    TEST = "test"  #: we read, we never write
    PRODUCTION = "production"  #: both ways


class Health(models.TextChoices):
    """How the last conversation went."""

    UNKNOWN = "unknown"  #: never spoken to
    GOOD = "good"  #: answers
    TROUBLED = "troubled"  #: did not answer lately; we go on trying
    LOCKED_OUT = "locked_out"  #: our key is refused: a person must act


HUB = "hub"  # the kind of our own pseudo-channel, which carries the checks within the hub


class HoldScope(models.TextChoices):
    """Where units of a sale that is not accepted yet are set aside."""

    EVERYWHERE = "everywhere"  #: they count like reserved ones on every channel
    OWN = "own"  #: only at the selling point of the sale
    NOWHERE = "nowhere"  #: they stay on sale


class Channel(models.Model):
    """One account. Archived, never deleted: orders, links and movements keep its id."""

    name = models.CharField(max_length=80)
    code = models.SlugField(max_length=40, unique=True)
    kind = models.CharField(max_length=40)  # of a connector; "hub" for our own internal checks
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.TEST)
    config = models.JSONField(default=dict)  # what was typed in, without secrets
    sealed = models.BinaryField(default=bytes)  # the secrets, encrypted
    external_identity = models.CharField(max_length=255, blank=True)  # the shop itself: the same one twice is refused
    timezone = models.CharField(max_length=48, default="UTC")
    currency = models.CharField(max_length=3, blank=True)
    version = models.CharField(max_length=40, blank=True)
    health = models.CharField(max_length=12, choices=Health.choices, default=Health.UNKNOWN)
    health_text = models.CharField(max_length=255, blank=True)
    health_at = models.DateTimeField(null=True)
    writes_paused = models.BooleanField(default=False)  # a person stopped them, or a restore did
    accepts_by_itself = models.BooleanField(default=True)  # False: a person says yes to each sale
    # What left with the shop's own screen is booked here; False: a person is asked.
    books_shipments = models.BooleanField(default=True, db_default=True)
    hold_scope = models.CharField(max_length=12, choices=HoldScope.choices, default=HoldScope.EVERYWHERE)
    hold_days = models.PositiveSmallIntegerField(default=3)
    sales_from = models.DateTimeField(null=True)  # older ones do not come in
    calls_per_minute = models.PositiveIntegerField(null=True)  # a merchant's own limit; None: the connector's
    owns_products = models.BooleanField(default=True)  # its values win where no other channel owns a field
    # False: its listings are linked to what is here; those that match nothing wait for a person.
    creates_products = models.BooleanField(default=True, db_default=True)
    webhook_token = models.CharField(max_length=40, unique=True)  # in the address of the door
    # The step of the wizard that somebody is at; empty: nobody is connecting it any more.
    connecting = models.CharField(max_length=12, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "external_identity"],
                condition=Q(archived_at__isnull=True) & ~Q(external_identity=""),
                name="channel_shop_once",
            )
        ]


class Budget(models.Model):
    """What is left of a pace, shared by all workers. `key` is "channel:3" or what several channels share."""

    key = models.CharField(max_length=120, primary_key=True)
    tokens = models.FloatField()
    filled_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True)  # they asked us to wait
    # Where the channel counts in cost points and says so in its answers: as the last answer had it.
    points_left = models.FloatField(null=True)
    points_most = models.FloatField(null=True)
    points_per_second = models.FloatField(null=True)
    points_at = models.DateTimeField(null=True)


class Seen(models.Model):
    """What a channel last told of itself: statuses, carriers, points (records.Surroundings), for the mapping pages."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, related_name="surroundings")
    content = models.JSONField()
    seen_at = models.DateTimeField()

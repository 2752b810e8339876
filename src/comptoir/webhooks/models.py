"""The inbox: deliveries of channels, kept before they are answered."""

from django.db import models

from comptoir.channels.models import Channel


class Delivery(models.Model):
    """One delivery, once: unique by channel and their event id. A hint only: the flow fetches the thing itself."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    event_id = models.CharField(max_length=160)
    topic = models.CharField(max_length=20)  # sale, product, stock
    external_id = models.CharField(max_length=120)
    body = models.BinaryField()
    received_at = models.DateTimeField(db_default=models.functions.Now())
    drained_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "event_id"], name="delivery_once")]
        indexes = [
            models.Index(fields=["channel", "id"], condition=models.Q(drained_at__isnull=True), name="delivery_due"),
            # Written when an item is drained: what has just come in is found by the one above.
            models.Index(fields=["channel", "-id"], condition=models.Q(drained_at__isnull=False), name="delivery_done"),
        ]

"""What left for an order, in which parcel, with which tracking number."""

from django.db import models
from django.db.models import Q

from comptoir.commerce.inventory.models import Warehouse
from comptoir.commerce.orders.models import Line, Order


class Shipment(models.Model):
    """One parcel. `is_ours` is False where somebody shipped with the shop's own screen: nothing to tell there."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="shipments")
    number = models.CharField(max_length=48, unique=True)  # "100042-1"
    key = models.CharField(max_length=120, unique=True)  # the caller's: the same key twice is one shipment
    carrier = models.CharField(max_length=80, blank=True)
    carrier_name = models.CharField(max_length=120, blank=True)
    tracking = models.CharField(max_length=64, blank=True)
    tracking_url = models.URLField(max_length=500, blank=True)
    is_ours = models.BooleanField(default=True)
    completes = models.BooleanField()  # nothing more of the order will leave
    shipped_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-shipped_at", "-id"])]


class ShipmentLine(models.Model):
    """So many units of one order line, from one warehouse; one movement each."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(Line, on_delete=models.PROTECT, related_name="shipment_lines")
    warehouse = models.ForeignKey(Warehouse, null=True, on_delete=models.PROTECT, related_name="+")  # null: history
    quantity = models.DecimalField(max_digits=14, decimal_places=3)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(quantity__gt=0), name="shipment_line_quantity_positive")]

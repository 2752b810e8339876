"""What shipments tell, past tense."""

#: facts: shipment, order, number, channel, external_id, tracking, completes, is_ours (False: shipped with the shop's own
#: screen, so there is nothing to tell there), gaps and taken_back (order lines that lost units to this fact)
SHIPPED = "shipments.shipment.shipped"

#: facts: shipment, order, number, channel, external_id, tracking, change (the how many-th of this shipment), is_ours
TRACKING_CHANGED = "shipments.shipment.tracking_changed"

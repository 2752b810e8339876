"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShipmentsApp(AppConfig):
    """Shipments."""

    name = "comptoir.commerce.shipments"
    label = "shipments"
    verbose_name = _("Shipments")
    default_auto_field = "django.db.models.BigAutoField"

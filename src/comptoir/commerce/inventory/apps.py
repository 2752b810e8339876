"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InventoryApp(AppConfig):
    """Inventory."""

    name = "comptoir.commerce.inventory"
    label = "inventory"
    verbose_name = _("Inventory")
    default_auto_field = "django.db.models.BigAutoField"

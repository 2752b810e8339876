"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersApp(AppConfig):
    """Orders."""

    name = "comptoir.commerce.orders"
    label = "orders"
    verbose_name = _("Orders")
    default_auto_field = "django.db.models.BigAutoField"

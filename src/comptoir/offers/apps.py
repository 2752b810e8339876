"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OffersApp(AppConfig):
    """Offers."""

    name = "comptoir.offers"
    label = "offers"
    verbose_name = _("Offers")
    default_auto_field = "django.db.models.BigAutoField"

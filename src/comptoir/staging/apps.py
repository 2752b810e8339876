"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StagingApp(AppConfig):
    """Staging."""

    name = "comptoir.staging"
    label = "staging"
    verbose_name = _("Staging")
    default_auto_field = "django.db.models.BigAutoField"

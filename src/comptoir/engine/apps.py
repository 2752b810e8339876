"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EngineApp(AppConfig):
    """Engine."""

    name = "comptoir.engine"
    label = "engine"
    verbose_name = _("Engine")
    default_auto_field = "django.db.models.BigAutoField"

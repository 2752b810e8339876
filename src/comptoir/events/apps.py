"""Django's card of this part."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsApp(AppConfig):
    """Events."""

    name = "comptoir.events"
    label = "events"
    verbose_name = _("Events")
    default_auto_field = "django.db.models.BigAutoField"

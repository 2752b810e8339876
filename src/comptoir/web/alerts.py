"""Settings, Alerts: where the hub writes to when something needs a person, what, when, and whether it arrives."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.alerts import actions
from comptoir.alerts.models import Destination, Digest, DigestState
from comptoir.alerts.sending import Fate, Message
from comptoir.channels.models import HUB, Channel
from comptoir.engine.models import Severity
from comptoir.kit import clock
from comptoir.web import answers, words, zone


def _channels() -> list[tuple[int, str]]:
    rows = Channel.objects.filter(archived_at=None).order_by("kind", "name")
    return [(row.pk, row.name if row.kind != HUB else gettext("The hub itself")) for row in rows]


class Wanted(forms.Form):
    """What is told where, and when."""

    name = forms.CharField(max_length=80, label=_("Name"))
    url = forms.CharField(
        max_length=2000,
        required=False,
        strip=True,
        label=_("Address"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "placeholder": "mailto://… slack://… ntfy://…"}),
    )
    severities = forms.MultipleChoiceField(
        choices=lambda: words.choices(Severity), label=_("Tell"), widget=forms.CheckboxSelectMultiple
    )
    channels = forms.TypedMultipleChoiceField(
        choices=_channels, coerce=int, required=False, label=_("About"), widget=forms.CheckboxSelectMultiple
    )
    window = forms.IntegerField(min_value=1, max_value=1440, label=_("Minutes between two messages"))
    remind_after = forms.IntegerField(min_value=1, max_value=720, required=False, label=_("Remind after hours"))
    quiet_from = forms.TimeField(
        required=False, label=_("Quiet from"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        required=False, label=_("until"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    timezone = zone.ZoneField(label=_("Time zone"))
    urgent_breaks_quiet = forms.BooleanField(
        required=False, label=_("A channel that locks us out, or goods that are oversold, may break the quiet")
    )
    tells_resolved = forms.BooleanField(required=False, label=_("Say when it is resolved"))
    language = forms.ChoiceField(choices=django_settings.LANGUAGES, label=_("Language"))
    is_on = forms.BooleanField(required=False, label=_("On"))


@never_cache
@needs(Right.CHANGE_ALERTS)
def alerts(request: PersonRequest) -> HttpResponse:
    """Every destination with how it goes there; a new one."""
    new = {
        "severities": [Severity.ERROR], "window": 10, "timezone": request.user.timezone or "UTC", "is_on": True,
        "urgent_breaks_quiet": True, "tells_resolved": True, "language": translation.get_language() or "en",
    }  # fmt: skip
    form = Wanted(request.POST or None, initial=new)
    if form.is_valid() and _save(request, None, form):
        return redirect("alerts")
    rows = list(Destination.objects.order_by("id"))
    waiting = set(Digest.objects.exclude(state=DigestState.SENT).values_list("destination_id", flat=True))
    names = dict(_channels())
    for row in rows:
        row.tells = [words.of(Severity, severity) for severity in row.severities]  # type: ignore[attr-defined]
        row.about = [names[one] for one in row.channels if one in names]  # type: ignore[attr-defined]
        row.is_waiting = row.pk in waiting  # type: ignore[attr-defined]
    return render(request, "settings/alerts.html", {"destinations": rows, "form": form})


@never_cache
@needs(Right.CHANGE_ALERTS)
def destination(request: PersonRequest, pk: int) -> HttpResponse:
    """One destination, to change it. Its address is never shown again."""
    it = get_object_or_404(Destination, pk=pk)
    form = Wanted(
        request.POST or None, initial={name: getattr(it, name) for name in Wanted.base_fields if name != "url"}
    )
    if form.is_valid() and _save(request, pk, form):
        return redirect("alerts")
    return render(request, "settings/alert.html", {"destination": it, "form": form})


def _save(request: PersonRequest, pk: int | None, form: Wanted) -> bool:
    given: dict[str, Any] = form.cleaned_data
    saved = None
    with answers.attempt(request, gettext("Saved.")):
        saved = actions.save(pk, actions.Wanted(**given), actor=answers.actor(request.user), at=clock.now())
    return saved is not None


@require_POST
@needs(Right.CHANGE_ALERTS)
def try_out(request: PersonRequest, pk: int) -> HttpResponse:
    """Send one message now; what the service answered is told on the next page."""
    it = get_object_or_404(Destination, pk=pk)
    with translation.override(it.language):
        message = Message(
            gettext("Comptoir: this is a test"),
            gettext("Alerts will come here: %(name)s.") % {"name": it.name},
            "info",
        )
    answer = actions.try_out(it, message)
    match answer.fate:
        case Fate.SENT:
            answers.say(request, gettext("%(service)s has taken the message.") % {"service": it.service})
        case Fate.REFUSED:
            said = answer.said or gettext("it gave no reason")
            messages.error(request, gettext("The message was not taken: %(said)s") % {"said": said})
        case Fate.UNKNOWN:
            messages.error(request, gettext("No answer in time. Whether the message arrived is not known."))
    return redirect("alerts")


@require_POST
@needs(Right.CHANGE_ALERTS)
def remove(request: PersonRequest, pk: int) -> HttpResponse:
    """Nothing goes there any more."""
    get_object_or_404(Destination, pk=pk)
    with answers.attempt(request, gettext("Removed.")):
        actions.remove(pk, actor=answers.actor(request.user), at=clock.now())
    return redirect("alerts")

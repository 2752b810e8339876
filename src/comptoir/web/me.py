"""Your account: name and password, the second factor, and where you are signed in."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import cast

from allauth.account.decorators import reauthentication_required
from allauth.mfa.adapter import get_adapter
from allauth.mfa.recovery_codes.internal import flows as recovery
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.socialaccount.models import SocialAccount
from django import forms
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts import actions
from comptoir.accounts import second_factor as factor
from comptoir.accounts import sessions as live
from comptoir.accounts.models import User
from comptoir.accounts.rights import PersonRequest, Right, View, needs
from comptoir.kit import clock
from comptoir.web import answers, browsers, zone

#: The password, or a code, was typed minutes ago; asked again where not.
with_password_again = cast("Callable[[View], View]", reauthentication_required(app="allauth.mfa"))


def sessions_are_seen(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: every session is in the list of its person."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        live.note(request, at=clock.now())
        return get_response(request)

    return answer


class AboutMe(forms.Form):
    """What people may say of themselves."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, required=False)
    timezone = zone.ZoneField(label=gettext_lazy("Time zone"))


@sensitive_post_parameters()
@needs(Right.ENTER)
def me(request: PersonRequest) -> HttpResponse:
    """One's own name, time zone and password."""
    sent: QueryDict | None = request.POST if request.method == "POST" else None
    is_password = sent is not None and "old_password" in sent
    known = {"name": request.user.name, "timezone": request.user.timezone or "UTC"}
    about = AboutMe(None if is_password else sent, initial=known)
    password = PasswordChangeForm(request.user, sent if is_password else None)
    now, actor = clock.now(), answers.actor(request.user)
    if is_password and password.is_valid():
        with answers.attempt(request, _("Saved. All your other sessions have ended.")):
            actions.change_password(request.user, password.cleaned_data["new_password1"], actor=actor, at=now)
            update_session_auth_hash(request, request.user)
            live.end_others(request, actor=actor, at=now)
        return redirect("me")
    if not is_password and about.is_valid():
        with answers.attempt(request, _("Saved.")):
            actions.rename(request.user, about.cleaned_data["name"], actor=actor, at=now)
            User.objects.filter(pk=request.user.pk).update(timezone=about.cleaned_data["timezone"])
        return redirect("me")
    context = {
        "about": about,
        "password": password if request.user.has_usable_password() else None,
        "is_connected": SocialAccount.objects.filter(user_id=request.user.pk).exists(),
        "here": "me",
    }
    return render(request, "me/me.html", context)


@require_GET
@needs(Right.ENTER, before_second_factor=True)
def second_factor(request: PersonRequest) -> HttpResponse:
    """Whether there is one, and what can be done with it."""
    context = {
        "is_on": factor.is_on(request.user),
        "is_required": factor.is_required(request.user.role),
        "codes_left": factor.codes_left(request.user),
        "here": "second_factor",
    }
    return render(request, "me/second_factor.html", context)


@never_cache
@sensitive_post_parameters()
@needs(Right.ENTER, before_second_factor=True)
@with_password_again
def second_factor_on(request: PersonRequest) -> HttpResponse:
    """Scan, type the first code, keep the recovery codes."""
    if factor.is_on(request.user):
        return redirect("second_factor")
    form = ActivateTOTPForm(request.POST if request.method == "POST" else None, user=request.user)
    if form.is_valid():
        with answers.attempt(request):
            factor.turn_on(request, form, actor=answers.actor(request.user), at=clock.now())
        return redirect("recovery_codes")
    adapter = get_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(request.user, form.secret))
    context = {
        "form": form,
        "picture": base64.b64encode(picture.encode()).decode(),
        "secret": " ".join(form.secret[i : i + 4] for i in range(0, len(form.secret), 4)),
        "is_required": factor.is_required(request.user.role),
        "here": "second_factor",
    }
    return render(request, "me/second_factor_on.html", context, status=422 if form.errors else 200)


@require_POST
@needs(Right.ENTER)
@with_password_again
def second_factor_off(request: PersonRequest) -> HttpResponse:
    """The password alone from now on."""
    with answers.attempt(request, _("The second factor is off.")):
        factor.turn_off(request, actor=answers.actor(request.user), at=clock.now())
    return redirect("second_factor")


@never_cache
@require_GET
@needs(Right.ENTER)
@with_password_again
def recovery_codes(request: PersonRequest) -> HttpResponse:
    """The codes that are left, for the day when the telephone is lost."""
    kept, _may = recovery.view_recovery_codes(request)
    if kept is None:
        return redirect("second_factor")
    return render(request, "me/recovery_codes.html", {"codes": kept.get_unused_codes(), "here": "second_factor"})


@require_POST
@needs(Right.ENTER)
@with_password_again
def new_recovery_codes(request: PersonRequest) -> HttpResponse:
    """Ten new ones; the old ones work no more."""
    with answers.attempt(request, _("The old codes work no more.")):
        factor.make_codes(request, actor=answers.actor(request.user), at=clock.now())
    return redirect("recovery_codes")


@require_GET
@needs(Right.ENTER)
def sessions(request: PersonRequest) -> HttpResponse:
    """Where this person is signed in."""
    rows = [
        {
            "row": row,
            "is_here": row.session_key == request.session.session_key,
            "browser": browsers.name(row.user_agent),
        }
        for row in live.of(request.user)
    ]
    return render(request, "me/sessions.html", {"sessions": rows, "here": "sessions"})


@require_POST
@needs(Right.ENTER)
def end_session(request: PersonRequest, pk: int) -> HttpResponse:
    """Sign out there."""
    with answers.attempt(request, _("Signed out there.")):
        live.end(request.user, pk, actor=answers.actor(request.user), at=clock.now())
    return redirect("sessions")


@require_POST
@needs(Right.ENTER)
def end_other_sessions(request: PersonRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    with answers.attempt(request, _("Signed out everywhere else.")):
        live.end_others(request, actor=answers.actor(request.user), at=clock.now())
    return redirect("sessions")

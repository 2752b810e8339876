"""How allauth behaves here: nobody signs up alone; the owner is made at first start and invites others."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from comptoir.accounts import second_factor, sessions
from comptoir.accounts.models import User
from comptoir.events.record import record
from comptoir.kit import clock
from comptoir.kit.actor import Actor, ActorKind


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Closed to strangers; brings people back to their language; writes down who came in and who did not."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only pages of this hub: another host of the same machine is another place."""
        return bool(super().is_safe_url(url)) and url.startswith("/")

    def post_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponseBase:
        """Sign in, and speak the person's language from the next page on."""
        response: HttpResponseBase = super().post_login(request, user, **how)
        if user.language:
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, user.language, samesite="Lax")
        now = clock.now()
        sessions.note(request, at=now)
        facts = {"person": user.pk, "address": sessions.address(request), "by": _way(how)}
        record("accounts.person.signed_in", facts, actor=user.as_actor(), at=now, subject=f"person:{user.pk}")
        return response

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Write down who tried; never the password, nor what may be one that was typed in the wrong field."""
        email = str(credentials.get("email") or "").strip().lower()[:254]
        try:
            validate_email(email)
        except ValidationError:
            email = ""
        known = User.objects.filter(email=email).values_list("pk", flat=True).first() if email else None
        facts = {"email": email, "address": sessions.address(request), "person": known}
        actor = Actor(ActorKind.PERSON, "", email[:120])  # nobody known: the name is what they gave
        subject = f"person:{known}" if known else ""
        record("accounts.person.sign_in_failed", facts, actor=actor, at=clock.now(), subject=subject)

    def reauthenticate(self, user: User, password: str) -> bool:
        """The password again, of the same person, counted with the other tries."""
        again = self.authenticate(self.request, email=user.email, password=password)
        return again is not None and again.pk == user.pk

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Setting up a first second factor right after signing in asks for no password again."""
        if app == "allauth.mfa" and self.request.user.is_authenticated and not second_factor.is_on(self.request.user):
            return not second_factor.signed_in_just_now(self.request)
        return bool(super().is_reauthentication_required(app=app, **more))

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No 'You have signed in': the page says so by being there."""


def _way(how: dict[str, Any]) -> str:
    return "sso" if (how.get("signal_kwargs") or {}).get("sociallogin") else "password"

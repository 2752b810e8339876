"""How allauth behaves here: nobody signs up alone; the owner is made at first start and invites others."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from comptoir.accounts.models import User


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Closed to strangers; brings people back to their language."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def post_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponseBase:
        """Sign in, and speak the person's language from the next page on."""
        response: HttpResponseBase = super().post_login(request, user, **how)
        if user.language:
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, user.language, samesite="Lax")
        return response

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No 'You have signed in': the page says so by being there."""

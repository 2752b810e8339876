"""Single sign-on by OpenID Connect: who the provider vouches for comes in, where this house knows or has invited them.

allauth speaks the protocol, `oidc.py` checks what it hears; here an address counts only when the provider has verified it.
"""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from comptoir.accounts import invitations, sessions
from comptoir.accounts.models import User
from comptoir.events.record import record
from comptoir.kit import clock
from comptoir.kit.actor import Actor, ActorKind

PROVIDER = "sso"


def is_set_up() -> bool:
    """Whether the operator named a provider."""
    return bool(settings.SOCIALACCOUNT_PROVIDERS)


def name() -> str:
    """What it is called on the button."""
    return str(settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["name"]) if is_set_up() else ""


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Whom this house lets in on a provider's word."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Never: who is not known was refused before."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Known by an earlier time, or by a verified address of somebody who exists or is invited; nobody else."""
        if sociallogin.is_existing:
            return
        addresses = [one.email.strip().lower() for one in sociallogin.email_addresses if one.verified]
        if not addresses:
            _refuse(request, "not_verified", _address(sociallogin))
        if not _connect(request, sociallogin, addresses):
            _refuse(request, "unknown", addresses[0])

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """One page for whatever went wrong on the way."""
        _refuse(request, "cancelled" if error == "cancelled" else "failed", "")

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """None: it is in the audit trail."""


@transaction.atomic
def _connect(request: HttpRequest, sociallogin: Any, addresses: list[str]) -> bool:
    """Tie the account there to the person here; False where nobody is meant."""
    now = clock.now()
    user = User.objects.filter(email__in=addresses).first()
    if user is None:
        user = invitations.accept_by_address(addresses, name=_name(sociallogin), at=now)
    if user is None:
        return False
    if not user.is_active:
        sociallogin.user = user  # the sign-in itself says that this door is shut
        return True
    sociallogin.connect(request, user)
    record("accounts.person.connected", {"person": user.pk}, actor=user.as_actor(), at=now, subject=f"person:{user.pk}")
    return True


def _refuse(request: HttpRequest, why: str, email: str) -> NoReturn:
    if why != "cancelled":
        facts = {"email": email[:254], "address": sessions.address(request), "why": why}
        actor = Actor(ActorKind.PERSON, "", email[:120])  # nobody known: the name is what they gave
        record("accounts.person.sso_refused", facts, actor=actor, at=clock.now())
    raise ImmediateHttpResponse(render(request, "account/sso_refused.html", {"why": why, "name": name()}, status=403))


def _address(sociallogin: Any) -> str:
    return str(sociallogin.email_addresses[0].email) if sociallogin.email_addresses else ""


def _name(sociallogin: Any) -> str:
    return str(sociallogin.account.extra_data.get("userinfo", {}).get("name", ""))

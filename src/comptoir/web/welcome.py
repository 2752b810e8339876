"""The first page of a new hub: whoever started it makes themself its owner, at an address that only they were told."""

from __future__ import annotations

from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth import login
from django.db import transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from comptoir.accounts import actions
from comptoir.accounts.errors import OwnerExists
from comptoir.accounts.models import User
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.web import answers


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, token: str) -> HttpResponseBase:
    """E-mail and password of the owner; nothing is here without the address, and nothing once there is an owner."""
    if not ratelimit.consume(request, action="welcome"):
        refused: HttpResponseBase = ratelimit.respond_429(request)  # allauth ships no types
        return refused
    if not actions.is_expected(token, at=clock.now()):
        raise Http404
    email, refusal = request.POST.get("email", "").strip(), ""
    if request.method == "POST":
        try:
            owner = _make(token, email, request.POST.get("password", ""), request.POST.get("again", ""))
        except BadInput as error:
            refusal = answers.words(error)
        except OwnerExists as error:  # somebody with the same address was quicker
            raise Http404 from error
        else:
            login(request, owner, backend=settings.AUTHENTICATION_BACKENDS[0])
            answers.say(request, _("This hub is yours."))
            return redirect("channels")
    context = {"email": email, "refusal": refusal}
    return render(request, "account/welcome.html", context, status=422 if refusal else 200)


def _make(token: str, email: str, password: str, again: str) -> User:
    if password != again:
        raise BadInput(_("the two passwords differ: type the same twice"))
    with transaction.atomic():
        return actions.make_owner(email, password, actor=SYSTEM, at=clock.now())

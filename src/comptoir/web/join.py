"""The page behind an invitation: a name and a password, and one is in. Nothing is here without its link."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core import ratelimit
from django.db import transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from comptoir.accounts import invitations, sso
from comptoir.accounts.models import Role
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.web import answers


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponseBase:
    """Set a name and a password for the address that was invited."""
    if not ratelimit.consume(request, action="join"):
        refused: HttpResponseBase = ratelimit.respond_429(request)  # allauth ships no types
        return refused
    invitation = invitations.find(token, at=clock.now())
    if invitation is None:
        raise Http404
    name, refusal = request.POST.get("name", "").strip()[:120], ""
    if request.method == "POST":
        password = request.POST.get("password", "")
        try:
            if password != request.POST.get("again", ""):
                raise BadInput(_("the two passwords differ: type the same twice"))
            with transaction.atomic():
                user = invitations.accept(token, name=name, password=password, at=clock.now())
        except BadInput as error:
            refusal = answers.words(error)
        else:
            if user is None:  # somebody with the same link was quicker
                raise Http404
            response: HttpResponseBase = perform_password_login(request, {"email": user.email}, Login(user=user))
            return response
    context = {
        "email": invitation.email,
        "role": Role(invitation.role).label,
        "name": name,
        "refusal": refusal,
        "sso": sso.name(),
    }
    return render(request, "account/join.html", context, status=422 if refusal else 200)

"""Signing in at the OpenID Connect provider: there, and back. The code that speaks with it is imported when it is needed."""

from __future__ import annotations

from allauth.core import ratelimit
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from comptoir.accounts import sso


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponseBase:
    """To the provider."""
    return _by("begin", request)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponseBase:
    """Back from there."""
    return _by("callback", request)


def _by(way: str, request: HttpRequest) -> HttpResponseBase:
    if not sso.is_set_up():
        raise Http404
    if not ratelimit.consume(request, action="login"):
        refused: HttpResponseBase = ratelimit.respond_429(request)  # allauth ships no types
        return refused
    from comptoir.accounts import oidc

    response: HttpResponseBase = getattr(oidc, way)(request)
    return response

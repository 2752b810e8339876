"""Settings, Personal data: what is kept about one customer, as a file for them, and its erasure."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs


@never_cache
@needs(Right.HANDLE_PERSONAL_DATA)
def personal(request: PersonRequest) -> HttpResponse:
    """Look for a customer."""
    return render(request, "settings/personal.html", {"tab": "personal"})


@require_POST
@needs(Right.HANDLE_PERSONAL_DATA)
def export(request: PersonRequest) -> HttpResponse:
    """One file with everything."""
    return personal(request)


@require_POST
@needs(Right.HANDLE_PERSONAL_DATA)
def erase(request: PersonRequest) -> HttpResponse:
    """Erase."""
    return personal(request)

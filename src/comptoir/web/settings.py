"""Settings of the house: a tab for each subject, of which everybody sees what their role may use."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.web import context


@require_GET
@needs(Right.SEE_AUDIT)
def settings(request: PersonRequest) -> HttpResponse:
    """The first page that this person may open."""
    tabs = context.settings_tabs(request)
    if not tabs:
        raise PermissionDenied
    return redirect(tabs[0]["url"])

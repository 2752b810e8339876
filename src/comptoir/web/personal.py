"""Settings, Personal data: what is kept about one customer, as a file for them, and its erasure.

What is typed to find somebody travels in the body of a request, never in an address: addresses are logged on their way.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.flows import personal as customers
from comptoir.kit import clock
from comptoir.kit.errors import BadInput
from comptoir.web import answers, channel_names, words

SHOWN = 200


@never_cache
@needs(Right.HANDLE_PERSONAL_DATA)
def personal(request: PersonRequest) -> HttpResponse:
    """Look for a customer, and see what is kept before anything is done."""
    asked = request.POST.get("customer", "").strip()
    context: dict[str, Any] = {"asked": asked, "found": None}
    if asked:
        with answers.attempt(request):
            found = customers.find(asked)
            names = channel_names.all_names()
            context["found"] = found
            context["orders"] = [
                {"row": one, "channel": names.get(one.channel or 0, ""), "words": words.named("order", one.status)}
                for one in found.orders[-SHOWN:]
            ]
    return render(request, "settings/personal.html", context)


@require_POST
@never_cache
@needs(Right.HANDLE_PERSONAL_DATA)
def export(request: PersonRequest) -> HttpResponseBase:
    """Everything that is kept about a customer, as one file."""
    with suppress(BadInput), transaction.atomic():
        found = customers.find(request.POST.get("customer", ""))
        if found:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
            customers.export(found, file, actor=answers.actor(request.user), at=clock.now())
            file.seek(0)
            return FileResponse(file, as_attachment=True, filename="customer.zip", content_type="application/zip")
    return _nobody(request)


@require_POST
@needs(Right.HANDLE_PERSONAL_DATA)
def erase(request: PersonRequest) -> HttpResponse:
    """Take a customer out of everything, for good; typed twice, since nothing brings them back."""
    asked = request.POST.get("customer", "").strip()
    if not asked or request.POST.get("again", "").strip().lower() != asked.lower():
        messages.error(request, gettext("Nothing was erased: what you typed to confirm is something else."))
        return redirect("personal")
    with answers.attempt(request):
        found = customers.find(asked)
        if not found:
            return _nobody(request)
        try:
            changed = customers.erase(found, actor=answers.actor(request.user), at=clock.now())
        except customers.StillOpen as refusal:
            numbers = ", ".join([*refusal.facts["orders"], *refusal.facts["sales"]])
            messages.error(
                request,
                gettext("Nothing was erased: %(numbers)s still open. Ship or cancel them, and reject sales that wait.")
                % {"numbers": numbers},
            )
            return redirect("personal")
        number = len(found.orders)
        said = ngettext(
            "Erased from %(n)d order. Its figures stay.", "Erased from %(n)d orders. Their figures stay.", number
        )
        answers.say(request, said % {"n": number} if changed else gettext("There was nothing left to erase."))
    return redirect("personal")


def _nobody(request: PersonRequest) -> HttpResponse:
    messages.error(request, gettext("Nobody is known by that."))
    return redirect("personal")

"""What every view that changes something shares: who acts, one transaction, and a refusal said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseRedirectBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from comptoir.accounts.models import User
from comptoir.kit.actor import Actor
from comptoir.kit.errors import ComptoirError


def actor(user: User) -> Actor:
    """The person as histories name them."""
    return user.as_actor()


@dataclass
class Attempt:
    """What became of it."""

    refused: bool = False


@contextmanager
def attempt(request: HttpRequest, done: str = "") -> Iterator[Attempt]:
    """Run actions in one transaction; a refusal undoes them all and is told on the next page."""
    tried = Attempt()
    try:
        with transaction.atomic():
            yield tried
    except ComptoirError as refusal:
        tried.refused = True
        messages.error(request, words(refusal))
    else:
        if done:
            messages.success(request, done)


def words(refusal: ComptoirError) -> str:
    """What was refused, where, and what to do."""
    said = _(str(refusal))
    place, value = refusal.facts.get("place"), refusal.facts.get("value", "")
    if place and not value:
        said += f" ({place})"
    parts = [said if said.endswith((".", "?")) else f"{said}."]
    if place and value:
        parts.append(_("At %(place)s: “%(value)s”.") % {"place": place, "value": value})
    if cure := refusal.facts.get("cure"):
        parts.append(_("Try: %(cure)s.") % {"cure": _(str(cure))})
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def back(request: HttpRequest, otherwise: str, *args: str | int) -> HttpResponse:
    """To the page the person came from, at the same place; to `otherwise` where that is unknown."""
    came_from = request.POST.get("back", "") or request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return HttpResponseSeeOther(came_from)
    return redirect(otherwise, *args)


class HttpResponseSeeOther(HttpResponseRedirectBase):
    """After a change: get the page, so that a reload repeats nothing."""

    status_code = 303


def say(request: HttpRequest, text: str) -> None:
    """Tell the person, on the next page, what was done."""
    messages.success(request, text)


def warn(request: HttpRequest, text: str) -> None:
    """Tell the person, on the next page, what did not go as it should."""
    messages.warning(request, text)


def refuse(request: HttpRequest, refusal: ComptoirError) -> None:
    """Tell the person, on the next page, what was refused."""
    messages.error(request, words(refusal))

"""The frame of all steps of connecting a channel: their order, where somebody may go, and what holds a step."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.channels import channel as channels_
from comptoir.channels.models import Channel

#: Steps of a channel that is kept, in their order; `Channel.connecting` holds the farthest that was reached.
STEPS = ("found", "products", "mappings", "places", "summary")
TITLES = {
    "kind": pgettext_lazy("a step", "Kind"),
    "credentials": _("Credentials"),
    "found": _("What is there"),
    "products": _("Products"),
    "mappings": _("Mappings"),
    "places": _("Where it sells from"),
    "summary": _("What comes next"),
}

View = Callable[[PersonRequest, Channel], HttpResponse]


def step(name: str) -> Callable[[View], Callable[..., HttpResponse]]:
    """Let a view show a step of a channel: one that was not reached leads to the one that was, one of a finished channel to
    the channel."""

    def around(view: View) -> Callable[..., HttpResponse]:
        @require_http_methods(["GET", "HEAD", "POST"])
        @needs(Right.CHANGE_CHANNELS)
        @wraps(view)
        def guarded(request: PersonRequest, code: str) -> HttpResponse:
            it = get_object_or_404(Channel, code=code)
            if it.connecting not in STEPS:
                return redirect("channel", code)
            if STEPS.index(name) > STEPS.index(it.connecting):
                return redirect(f"connect_{it.connecting}", code)
            return view(request, it)

        return guarded  # type: ignore[return-value]  # the guards are typed for any view

    return around


def show(
    request: PersonRequest, name: str, context: dict[str, Any], it: Channel | None = None, *, status: int = 200
) -> HttpResponse:
    """A step in its frame."""
    names = list(TITLES)
    steps = [
        {"title": TITLES[each], "url": _way(each, it), "is_here": each == name, "is_done": n < names.index(name)}
        for n, each in enumerate(names)
        if it is None or it.connecting in STEPS  # a channel that is connected has no way to go on
    ]
    frame = {"steps": steps, "title": TITLES[name], "channel": it}
    return render(request, f"connect/{name}.html", {**frame, **context}, status=status)


def _way(name: str, it: Channel | None) -> str:
    """The address of a step, where it may be gone to."""
    if name == "kind":
        return reverse("connect")
    if it is None or (name in STEPS and STEPS.index(name) > STEPS.index(it.connecting)):
        return ""
    return reverse(f"connect_{name}", args=[it.code])


def held(it: Channel, name: str) -> Channel | None:
    """The channel, kept from others until this transaction ends; None where another tab is done with it."""
    row = Channel.objects.select_for_update().get(pk=it.pk)
    return row if row.connecting in STEPS and STEPS.index(name) <= STEPS.index(row.connecting) else None


def reach(row: Channel, name: str) -> None:
    """Remember that somebody came as far as this step."""
    if STEPS.index(name) > STEPS.index(row.connecting):
        channels_.at_step(row, name)


@require_GET
@needs(Right.CHANGE_CHANNELS)
def go_on(request: PersonRequest, code: str) -> HttpResponse:
    """To the step where somebody left."""
    it = get_object_or_404(Channel, code=code)
    return redirect(f"connect_{it.connecting}" if it.connecting in STEPS else "channel", it.code)

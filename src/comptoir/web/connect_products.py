"""The step of connecting at which products are matched: read and looked at first, then the choice to map only or to create
the rest. Nothing of it reaches the catalogue."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect

from comptoir.accounts.rights import PersonRequest
from comptoir.channels import registry
from comptoir.channels.models import Channel
from comptoir.flows import matching as matching_
from comptoir.kit import clock
from comptoir.web import answers, connect_steps, matching
from comptoir.web.connect_steps import held, reach, step


@step("products")
def products(request: PersonRequest, it: Channel) -> HttpResponse:
    """What the listings of the shop would be here, and whether the rest is created."""
    if request.method != "POST":
        can_read = "products" in registry.find(it.kind).abilities
        return connect_steps.show(request, "products", {**matching.overview(it), "can_read": can_read}, it)
    with answers.attempt(request) as tried:
        if row := held(it, "products"):
            if request.POST.get("how") == "read":
                matching.start_reading(row, request.user)
                return redirect("connect_products", it.code)
            creates = request.POST.get("creates", "yes" if row.creates_products else "no") == "yes"
            matching_.choose(row, creates=creates, actor=answers.actor(request.user), at=clock.now())
            reach(row, "mappings")
    return redirect("connect_products" if tried.refused else "connect_mappings", it.code)

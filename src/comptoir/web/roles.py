"""Settings: what each role may do, to be read, and which roles must have a second factor."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts import second_factor
from comptoir.accounts.models import Role, User
from comptoir.accounts.rights import ROLES, PersonRequest, Right, needs
from comptoir.kit import clock
from comptoir.web import answers

#: What a right is called; one without its words here shows as the code has it, and a test minds.
WORDS: dict[Right, Any] = {
    Right.ENTER: _("Sign in and see the first page"),
    Right.SEE_CATALOG: _("See products, variants and prices"),
    Right.SEE_STOCK: _("See levels and movements"),
    Right.CHANGE_PRICES: _("Change prices"),
    Right.SEE_PURCHASING: _("See suppliers and what they charge"),
    Right.CHANGE_PURCHASING: _("Change suppliers and what they sell"),
    Right.CHANGE_STOCK: _("Receive and adjust stock"),
    Right.SEE_ORDERS: _("See orders and shipments"),
    Right.SEE_BUYERS: _("See names and addresses of buyers"),
    Right.SHIP: _("Book parcels"),
    Right.CHANGE_ORDERS: _("Hold, release and cancel orders"),
    Right.SEE_STAGING: _("See sales that wait"),
    Right.ACCEPT_SALES: _("Repair, accept and reject sales"),
    Right.SEE_CHANNELS: _("See channels, flows, runs and findings"),
    Right.CLOSE_FINDINGS: _("Say that a finding is dealt with"),
    Right.RUN_FLOWS: _("Run, preview and cancel flows, tell again"),
    Right.CHANGE_CHANNELS: _("Change schedules, mappings and modes"),
    Right.SEE_AUDIT: _("See who changed what, and who signed in"),
    Right.CHANGE_ALERTS: _("Change where alerts go"),
    Right.HANDLE_PERSONAL_DATA: _("Export and erase what is kept about a customer"),
    Right.MANAGE_PEOPLE: _("Manage people, roles and API tokens"),
}


@require_GET
@needs(Right.MANAGE_PEOPLE)
def roles(request: PersonRequest) -> HttpResponse:
    """The matrix."""
    strict = set(second_factor.strict_roles())
    everybody = list(User.objects.filter(is_active=True).values_list("role", "pk"))
    protected = second_factor.people_with_one([pk for _role, pk in everybody])
    context = {
        "roles": [
            {
                "role": role,
                "is_strict": role.value in strict,
                "people": sum(1 for one, _pk in everybody if one == role.value),
                "without": sum(1 for one, pk in everybody if one == role.value and pk not in protected),
            }
            for role in Role
        ],
        "rights": [(WORDS.get(right, right.value), [right in ROLES[role] for role in Role]) for right in Right],
    }
    return render(request, "settings/roles.html", context)


@require_POST
@needs(Right.MANAGE_PEOPLE)
def require_second_factor(request: PersonRequest) -> HttpResponse:
    """Say which roles must have one."""
    with answers.attempt(request, gettext("Saved.")):
        second_factor.require(request.POST.getlist("roles"), actor=answers.actor(request.user), at=clock.now())
    return redirect("roles")

"""Settings of the house: people and API tokens. Only the owner comes here."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts import actions
from comptoir.accounts.models import Role, Token, User
from comptoir.accounts.rights import PersonRequest, Right, Scope, needs
from comptoir.kit import clock
from comptoir.kit.settings import settings as operator
from comptoir.web import answers

SCOPES = (
    (Scope.CATALOG_READ.value, _("Read products and prices")),
    (Scope.STOCK_READ.value, _("Read stock and levels")),
    (Scope.ORDERS_READ.value, _("Read orders and their buyers")),
    (Scope.RUNS_READ.value, _("Read flows, runs and findings")),
)


@require_GET
@needs(Right.MANAGE_PEOPLE)
def settings(request: PersonRequest) -> HttpResponse:
    """What there is to set."""
    return redirect("tokens")


class NewToken(forms.Form):
    """What a token is for."""

    name = forms.CharField(max_length=80, label=_("Name"))
    scopes = forms.MultipleChoiceField(choices=SCOPES, label=_("May"), widget=forms.CheckboxSelectMultiple)
    expires_at = forms.DateTimeField(required=False, label=_("Until"), widget=forms.DateInput(attrs={"type": "date"}))


@never_cache
@needs(Right.MANAGE_PEOPLE)
def tokens(request: PersonRequest) -> HttpResponse:
    """The tokens; a new one shows its secret in this one answer and never again."""
    form = NewToken(request.POST or None)
    secret = ""
    if form.is_valid():
        given = form.cleaned_data
        with answers.attempt(request):
            _token, secret = actions.make_token(
                given["name"],
                given["scopes"],
                actor=answers.actor(request.user),
                at=clock.now(),
                made_by=request.user,
                expires_at=given["expires_at"],
            )
            form = NewToken()
    rows = list(Token.objects.select_related("made_by").order_by("revoked_at", "-made_at")[:100])
    now = clock.now()
    for row in rows:
        row.is_live = row.revoked_at is None and (row.expires_at is None or row.expires_at > now)  # type: ignore[attr-defined]
        row.may = [words for value, words in SCOPES if value in row.scopes]  # type: ignore[attr-defined]
    context = {
        "tokens": rows,
        "live": actions.live(now).count(),
        "limit": operator().max_tokens,
        "form": form,
        "secret": secret,
    }
    return render(request, "settings/tokens.html", context)


@require_POST
@needs(Right.MANAGE_PEOPLE)
def revoke(request: PersonRequest, pk: int) -> HttpResponse:
    """End a token at once."""
    token = get_object_or_404(Token, pk=pk)
    with answers.attempt(request, gettext("Revoked.")):
        actions.revoke(token, actor=answers.actor(request.user), at=clock.now())
    return redirect("tokens")


class NewPerson(forms.Form):
    """Somebody who will sign in."""

    email = forms.EmailField(max_length=254, label=_("E-mail"))
    name = forms.CharField(max_length=120, required=False, label=_("Name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"), initial=Role.PICKER)
    password = forms.CharField(
        max_length=128, label=_("First password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )


@needs(Right.MANAGE_PEOPLE)
def people(request: PersonRequest) -> HttpResponse:
    """Who may sign in, and as what."""
    form = NewPerson(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        made = None
        with answers.attempt(request, gettext("They can sign in now.")):
            made = actions.make_person(
                given["email"],
                given["password"],
                role=Role(given["role"]),
                name=given["name"],
                actor=answers.actor(request.user),
                at=clock.now(),
            )
        if made is not None:
            return redirect("people")
    everybody = User.objects.order_by("-is_active", "email")[:200]
    return render(request, "settings/people.html", {"people": everybody, "form": form, "roles": Role.choices})


@require_POST
@needs(Right.MANAGE_PEOPLE)
def change_person(request: PersonRequest, pk: int) -> HttpResponse:
    """Another role, or the door."""
    person = get_object_or_404(User, pk=pk)
    role = request.POST.get("role", person.role)
    with answers.attempt(request, gettext("Changed.")):
        actions.change_role(
            person,
            Role(role) if role in Role.values else Role(person.role),
            is_active=request.POST.get("is_active") == "yes",
            actor=answers.actor(request.user),
            at=clock.now(),
        )
    return redirect("people")

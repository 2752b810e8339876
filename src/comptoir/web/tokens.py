"""API tokens: what each is for, how many there may be, and the secret, shown once. Only the owner comes here."""

from __future__ import annotations

from django import forms
from django.db.models import F, Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from comptoir.accounts import actions
from comptoir.accounts.models import Token, TokenUse
from comptoir.accounts.rights import PersonRequest, Right, Scope, needs
from comptoir.kit import clock
from comptoir.kit.settings import settings as operator
from comptoir.web import answers

PROGRAMS = 3  # that used a token last: so many are named

SCOPES = (
    (Scope.CATALOG_READ.value, _("Read products and prices")),
    (Scope.STOCK_READ.value, _("Read stock and levels")),
    (Scope.ORDERS_READ.value, _("Read orders and their buyers")),
    (Scope.PURCHASING_READ.value, _("Read suppliers and what they charge")),
    (Scope.RUNS_READ.value, _("Read flows, runs and findings")),
)
#: Given only by the command line and by other tokens that have it.
WORDS = dict((*SCOPES, (Scope.TOKENS_MANAGE.value, _("Make and revoke tokens"))))


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
    uses = Prefetch("uses", TokenUse.objects.order_by("-last_at"))
    live_first = F("revoked_at").desc(nulls_first=True)
    rows = list(Token.objects.select_related("made_by").prefetch_related(uses).order_by(live_first, "-made_at")[:100])
    live = set(actions.live(clock.now()).values_list("pk", flat=True))
    for row in rows:
        row.is_live = row.pk in live  # type: ignore[attr-defined]
        row.may = [words for value, words in WORDS.items() if value in row.scopes]  # type: ignore[attr-defined]
        row.programs = [use for use in row.uses.all() if use.program][:PROGRAMS]  # type: ignore[attr-defined]
    context = {
        "tokens": rows,
        "live": len(live),
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

"""Settings: who may sign in and as what, who is invited, and the door. Only the owner comes here."""

from __future__ import annotations

import logging

from django import forms
from django.conf import settings as django
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from comptoir.accounts import actions, invitations, second_factor, sessions
from comptoir.accounts.models import Invitation, Role, User
from comptoir.accounts.rights import PersonRequest, Right, needs
from comptoir.kit import clock
from comptoir.kit.settings import settings as operator
from comptoir.web import answers

log = logging.getLogger(__name__)

MOST = 200  # people and invitations on the page

STATES = {
    invitations.State.OPEN: _("Waits for them"),
    invitations.State.EXPIRED: _("Expired"),
    invitations.State.ACCEPTED: _("Accepted"),
    invitations.State.REVOKED: _("Taken back"),
}


class NewInvitation(forms.Form):
    """Whom to invite."""

    email = forms.EmailField(max_length=254, label=_("E-mail"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"), initial=Role.PICKER)


class NewPerson(forms.Form):
    """Somebody who will sign in with a password that the owner chose."""

    email = forms.EmailField(max_length=254, label=_("E-mail"))
    name = forms.CharField(max_length=120, required=False, label=_("Name"))
    role = forms.ChoiceField(choices=Role.choices, label=_("Role"), initial=Role.PICKER)
    password = forms.CharField(
        max_length=128, label=_("First password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )


@never_cache
@needs(Right.MANAGE_PEOPLE)
def people(request: PersonRequest) -> HttpResponse:
    """Everybody, and who is invited. The link of a new invitation is shown in this one answer and never again."""
    form = NewInvitation(request.POST if request.method == "POST" else None)
    link, row = "", None
    if form.is_valid():
        given = form.cleaned_data
        with answers.attempt(request):
            row, secret = invitations.invite(
                given["email"],
                Role(given["role"]),
                actor=answers.actor(request.user),
                at=clock.now(),
                made_by=request.user,
            )
        if row is not None:
            link, form = _link(request, secret), NewInvitation()
            _send(request, row, link)
    return _page(request, form, NewPerson(), row, link)


def _page(
    request: PersonRequest, form: NewInvitation, person: NewPerson, row: Invitation | None = None, link: str = ""
) -> HttpResponse:
    everybody = list(User.objects.order_by("-is_active", "email")[:MOST])
    keys = [one.pk for one in everybody]
    counts, protected = sessions.counts(keys), second_factor.people_with_one(keys)
    now = clock.now()
    invited = []
    for one in Invitation.objects.select_related("made_by").order_by("-made_at", "-pk")[:MOST]:
        state = invitations.state(one, now)
        is_open = state in (invitations.State.OPEN, invitations.State.EXPIRED)
        invited.append({"row": one, "state": STATES[state], "is_open": is_open})
    context = {
        "people": [(one, counts.get(one.pk, 0), one.pk in protected) for one in everybody],
        "invitations": invited,
        "form": form,
        "person_form": person,
        "roles": Role.choices,
        "link": link,
        "invited": row,
        "days": operator().invitation_days,
    }
    return render(request, "settings/people.html", context)


def _link(request: HttpRequest, secret: str) -> str:
    path = reverse("join", args=[secret])
    public = operator().public_url.rstrip("/")
    return f"{public}{path}" if public else request.build_absolute_uri(path)


def _send(request: PersonRequest, row: Invitation, link: str) -> None:
    """By mail, where the operator named a server; a mail that does not leave is said, and the link can be copied."""
    if not django.EMAIL_HOST:
        return
    text = gettext(
        "%(who)s invites you to Comptoir, as %(role)s.\n\nSet your password here within %(days)d days:\n%(link)s\n\n"
        "The link works once. If you do not know what this is about, do nothing."
    ) % {
        "who": " ".join(str(request.user).split()),
        "role": Role(row.role).label,
        "days": operator().invitation_days,
        "link": link,
    }
    try:
        EmailMessage(gettext("Your invitation to Comptoir"), text, to=[row.email]).send()
    except OSError as error:  # smtplib's errors are some of these
        log.warning("an invitation could not be sent", extra={"error": str(error)})
        answers.warn(request, gettext("The mail could not be sent: copy the link and pass it on yourself."))
    else:
        answers.say(request, gettext("A mail with the link is on its way."))


@require_POST
@sensitive_post_parameters()
@needs(Right.MANAGE_PEOPLE)
def make_person(request: PersonRequest) -> HttpResponse:
    """Somebody with a first password, for a house where mail and links are no way."""
    form = NewPerson(request.POST)
    if not form.is_valid():
        return _page(request, NewInvitation(), form)
    given = form.cleaned_data
    with answers.attempt(request, gettext("They can sign in now.")):
        actions.make_person(
            given["email"],
            given["password"],
            role=Role(given["role"]),
            name=given["name"],
            actor=answers.actor(request.user),
            at=clock.now(),
        )
    return redirect("people")


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


@require_POST
@needs(Right.MANAGE_PEOPLE)
def sign_out(request: PersonRequest, pk: int) -> HttpResponse:
    """End all sessions of somebody."""
    person = get_object_or_404(User, pk=pk)
    with answers.attempt(request, gettext("They are signed out everywhere.")):
        sessions.end_all(person, actor=answers.actor(request.user), at=clock.now())
    return redirect("people")


@require_POST
@needs(Right.MANAGE_PEOPLE)
def take_second_factor(request: PersonRequest, pk: int) -> HttpResponse:
    """For somebody who lost their telephone and their codes."""
    person = get_object_or_404(User, pk=pk)
    with answers.attempt(request, gettext("They sign in with their password, and can set up another second factor.")):
        second_factor.take_away(person, actor=answers.actor(request.user), at=clock.now())
    return redirect("people")


@require_POST
@never_cache
@needs(Right.MANAGE_PEOPLE)
def renew_invitation(request: PersonRequest, pk: int) -> HttpResponse:
    """Another link, shown once; the one before works no more."""
    row = get_object_or_404(Invitation, pk=pk)
    link = ""
    with answers.attempt(request):
        link = _link(request, invitations.renew(row, actor=answers.actor(request.user), at=clock.now()))
    if link:
        _send(request, row, link)
    return _page(request, NewInvitation(), NewPerson(), row, link)


@require_POST
@needs(Right.MANAGE_PEOPLE)
def revoke_invitation(request: PersonRequest, pk: int) -> HttpResponse:
    """Take an invitation back."""
    row = get_object_or_404(Invitation, pk=pk)
    with answers.attempt(request, gettext("Taken back.")):
        invitations.revoke(row, actor=answers.actor(request.user), at=clock.now())
    return redirect("people")

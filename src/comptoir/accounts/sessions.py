"""Sessions of people: where somebody is signed in, and ending one or all. allauth keeps the list, Django the sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Count, F
from django.http import HttpRequest

from comptoir.accounts.models import User
from comptoir.events.record import record
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

NOTED = "noted_at"  # in the session: when it was last written into the list
NOTE_EVERY = 300  # seconds


def note(request: HttpRequest, *, at: datetime) -> None:
    """Keep that this session is alive: at its first page, and every few minutes from then on."""
    if not request.user.is_authenticated or at.timestamp() - request.session.get(NOTED, 0) < NOTE_EVERY:
        return
    request.session[NOTED] = int(at.timestamp())
    with transaction.atomic():
        UserSession.objects.create_from_request(request)


def of(user: User) -> list[UserSession]:
    """Live sessions, the one seen last first."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda row: row.last_seen_at, reverse=True)


def counts(people: Collection[int]) -> dict[int, int]:
    """How many sessions each of these has been seen in; an expired one counts until its person looks."""
    rows = UserSession.objects.filter(user_id__in=people).values("user_id").annotate(n=Count("pk"))
    return {row["user_id"]: row["n"] for row in rows}


def end(user: User, session: int, *, actor: Actor, at: datetime) -> None:
    """End one session of somebody; another person's is not found."""
    row = UserSession.objects.filter(pk=session, user_id=user.pk).first()
    if row is None:
        raise BadInput("this session has ended already", place="session", value=session, cure="look at the list again")
    _drop([row])
    _record(user, 1, actor=actor, at=at)


def end_others(request: HttpRequest, *, actor: Actor, at: datetime) -> int:
    """End all sessions of the person who asks but the one they ask from."""
    user: Any = request.user
    rows = list(UserSession.objects.filter(user_id=user.pk).exclude(session_key=request.session.session_key))
    _drop(rows)
    if rows:
        _record(user, len(rows), actor=actor, at=at)
    return len(rows)


def end_all(user: User, *, actor: Actor, at: datetime) -> None:
    """End every session of somebody at once, listed or not."""
    User.objects.filter(pk=user.pk).update(sign_outs=F("sign_outs") + 1)
    user.refresh_from_db(fields=["sign_outs"])
    rows = list(UserSession.objects.filter(user_id=user.pk))
    _drop(rows)
    _record(user, len(rows), actor=actor, at=at)


def address(request: HttpRequest) -> str:
    """Where a request comes from, as far as can be told."""
    return str(get_adapter(request).get_client_ip(request))


def _drop(rows: Collection[UserSession]) -> None:
    Session.objects.filter(pk__in=[row.session_key for row in rows]).delete()
    UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _record(user: User, ended: int, *, actor: Actor, at: datetime) -> None:
    facts = {"person": user.pk, "sessions": ended}
    record("accounts.sessions.ended", facts, actor=actor, at=at, subject=f"person:{user.pk}")

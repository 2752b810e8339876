"""Invitations: a one-time link for an address and a role. The link leaves here once; only its hash stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from comptoir.accounts import actions
from comptoir.accounts.models import Invitation, Role, User
from comptoir.events.record import record
from comptoir.kit import ids
from comptoir.kit.actor import Actor, ActorKind
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings


class State(StrEnum):
    """What became of an invitation."""

    OPEN = "open"  #: its link works
    EXPIRED = "expired"  #: nobody followed it in time
    ACCEPTED = "accepted"  #: somebody joined by it
    REVOKED = "revoked"  #: taken back


def state(row: Invitation, at: datetime) -> State:
    """What became of it."""
    if row.accepted_at:
        return State.ACCEPTED
    if row.revoked_at:
        return State.REVOKED
    return State.OPEN if row.expires_at > at else State.EXPIRED


def invite(
    email: str, role: Role, *, actor: Actor, at: datetime, made_by: User | None = None
) -> tuple[Invitation, str]:
    """An invitation and the secret of its link. An earlier one to the same address is taken back."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadInput("this is no e-mail address", place="email", value=email, cure="name@example.com") from error
    if User.objects.filter(email=email).exists():
        raise BadInput("somebody signs in with this address already", place="email", value=email, cure="choose another")
    for earlier in Invitation.objects.select_for_update().filter(
        email=email, accepted_at__isnull=True, revoked_at__isnull=True
    ):
        revoke(earlier, actor=actor, at=at)
    secret = ids.token(24)
    row = Invitation.objects.create(
        email=email, role=role, sha256=ids.fingerprint(secret), made_by=made_by, made_at=at, expires_at=at + _lasts()
    )
    record("accounts.invitation.made", _facts(row), actor=actor, at=at, subject=_subject(row))
    return row, secret


def renew(row: Invitation, *, actor: Actor, at: datetime) -> str:
    """The secret of a new link, valid as long as a first one; the old link is worth nothing from now on."""
    row = Invitation.objects.select_for_update().get(pk=row.pk)
    if state(row, at) in (State.ACCEPTED, State.REVOKED):
        raise BadInput("this invitation is over", place="email", value=row.email, cure="invite them again")
    secret = ids.token(24)
    row.sha256, row.expires_at = ids.fingerprint(secret), at + _lasts()
    row.save(update_fields=["sha256", "expires_at"])
    record("accounts.invitation.renewed", _facts(row), actor=actor, at=at, subject=_subject(row))
    return secret


def revoke(row: Invitation, *, actor: Actor, at: datetime) -> None:
    """Take it back; one that was accepted stays so, and twice changes nothing."""
    open_ = Invitation.objects.filter(pk=row.pk, accepted_at__isnull=True, revoked_at__isnull=True)
    if open_.update(revoked_at=at):
        record("accounts.invitation.revoked", _facts(row), actor=actor, at=at, subject=_subject(row))


def find(secret: str, *, at: datetime) -> Invitation | None:
    """The open invitation with this secret. Found by its hash, so that comparing tells nothing about the secret."""
    row = Invitation.objects.filter(sha256=ids.fingerprint(secret)).first()
    return row if row is not None and state(row, at) is State.OPEN else None


def accept(secret: str, *, name: str, password: str, at: datetime) -> User | None:
    """Join; None where the link is over, also when two follow it at the same moment."""
    found = find(secret, at=at)
    row = Invitation.objects.select_for_update().filter(pk=found.pk, sha256=found.sha256).first() if found else None
    if row is None or state(row, at) is not State.OPEN:
        return None
    return _join(row, name=name, password=password, at=at)


def accept_by_address(emails: Sequence[str], *, name: str, at: datetime) -> User | None:
    """Join by single sign-on: the provider vouches for the address, so no link is needed and no password set."""
    rows = Invitation.objects.select_for_update().filter(
        email__in=emails, accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=at
    )
    row = rows.first()
    return _join(row, name=name, password=None, at=at) if row else None


def _join(row: Invitation, *, name: str, password: str | None, at: datetime) -> User:
    actor = Actor(ActorKind.PERSON, "", row.email[:120])
    user = actions.make_person(
        row.email, password, role=Role(row.role), actor=actor, at=at, name=" ".join(name.split())[:120]
    )
    row.accepted_at = at
    row.save(update_fields=["accepted_at"])
    record("accounts.invitation.accepted", _facts(row), actor=actor, at=at, subject=_subject(row))
    return user


def _lasts() -> timedelta:
    return timedelta(days=settings().invitation_days)


def _facts(row: Invitation) -> dict[str, int | str]:
    return {"invitation": row.pk, "email": row.email, "role": row.role}


def _subject(row: Invitation) -> str:
    return f"invitation:{row.pk}"

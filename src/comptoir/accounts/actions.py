"""The first owner, people, and API tokens. Secrets leave here once; only their hash stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q, QuerySet

from comptoir.accounts import sessions
from comptoir.accounts.errors import OwnerExists, TooManyTokens
from comptoir.accounts.models import Role, Token, TokenUse, User, Welcome
from comptoir.accounts.rights import Scope
from comptoir.events.record import record
from comptoir.kit import ids, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings

PREFIX = "cmt_"  # lets a person, or a scanner of leaked secrets, see what it is
WELCOME_FOR = timedelta(hours=1)
NOTE_USE_EVERY = timedelta(minutes=1)


def make_owner(email: str, password: str, *, actor: Actor, at: datetime) -> User:
    """The first person; refuses when there is an owner already."""
    sql.execute(f"LOCK TABLE {User._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
    if User.objects.filter(role=Role.OWNER).exists():
        raise OwnerExists("this hub has an owner already", cure="sign in as the owner, or let the owner invite you")
    owner = make_person(email, password, role=Role.OWNER, actor=actor, at=at)
    Welcome.objects.all().delete()
    return owner


def expect_owner(*, actor: Actor, at: datetime) -> str | None:
    """The secret of a one-time address where the owner is made, valid for an hour; None where there is one. An address
    that was given out before is no longer valid."""
    if User.objects.filter(role=Role.OWNER).exists():
        return None
    secret = ids.token(24)
    Welcome.objects.all().delete()
    Welcome.objects.create(sha256=_hash(secret), expires_at=at + WELCOME_FOR)
    record("accounts.owner.expected", {"until": (at + WELCOME_FOR).isoformat()}, actor=actor, at=at)
    return secret


def is_expected(secret: str, *, at: datetime) -> bool:
    """Whether this secret lets somebody become the owner. Found by its hash, as a token is."""
    is_known = Welcome.objects.filter(sha256=_hash(secret), expires_at__gt=at).exists()
    return is_known and not User.objects.filter(role=Role.OWNER).exists()


def make_person(email: str, password: str | None, *, role: Role, actor: Actor, at: datetime, name: str = "") -> User:
    """Somebody who may sign in; refuses a weak password and an address that is taken. None: by single sign-on alone."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise BadInput("this is no e-mail address", place="email", value=email, cure="name@example.com") from error
    if password is not None:
        _check_password(password, User(email=email, name=name))
    if User.objects.filter(email=email).exists():
        raise BadInput("somebody signs in with this address already", place="email", value=email, cure="choose another")
    user = User.objects.create_user(email, password, role=role, name=name)
    facts = {"person": user.pk, "email": email, "role": role.value}
    record("accounts.person.made", facts, actor=actor, at=at, subject=f"person:{user.pk}")
    return user


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadInput(" ".join(error.messages), place="password", value="…", cure="choose a longer one") from error


def rename(user: User, name: str, *, actor: Actor, at: datetime) -> None:
    """What the pages and the histories call somebody from now on."""
    before, name = user.name, " ".join(name.split())[:120]
    if before == name:
        return
    User.objects.filter(pk=user.pk).update(name=name)
    user.name = name
    facts = {"person": user.pk, "before": before, "after": name}
    record("accounts.person.renamed", facts, actor=actor, at=at, subject=f"person:{user.pk}")


def change_password(user: User, password: str, *, actor: Actor, at: datetime) -> None:
    """Another password; every session of theirs ends, but the one that is told so afterwards."""
    _check_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    facts = {"person": user.pk}
    record("accounts.person.password_changed", facts, actor=actor, at=at, subject=f"person:{user.pk}")


def change_role(user: User, role: Role, *, is_active: bool, actor: Actor, at: datetime) -> None:
    """Give somebody another role, or shut the door: their sessions end at once. The last owner stays one."""
    sql.execute(f"LOCK TABLE {User._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
    others = User.objects.filter(role=Role.OWNER, is_active=True).exclude(pk=user.pk)
    if (role != Role.OWNER or not is_active) and not others.exists():
        raise BadInput("a hub needs an owner", place="role", value=role.value, cure="make somebody else owner first")
    known = User.objects.values("role", "is_active").get(pk=user.pk)
    facts = {"person": user.pk, "role": role.value, "is_active": is_active, "before": known}
    if known == {"role": role.value, "is_active": is_active}:
        return
    user.role, user.is_active = role, is_active
    user.save(update_fields=["role", "is_active"])
    record("accounts.person.changed", facts, actor=actor, at=at, subject=f"person:{user.pk}")
    sessions.end_all(user, actor=actor, at=at)


def make_token(
    name: str,
    scopes: Sequence[str],
    *,
    actor: Actor,
    at: datetime,
    made_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """A token and its secret, which is shown now and never again."""
    name = name.strip()
    if not name:
        raise BadInput(
            "a token needs a name", place="name", value=name, cure="name it for its use: 'Catalogue, web shop'"
        )
    known = {scope.value for scope in Scope}
    for scope in scopes:
        if scope not in known:
            raise BadInput("no such scope", place="scopes", value=scope, cure=", ".join(sorted(known)))
    if not scopes:
        raise BadInput("a token needs a scope", place="scopes", value="", cure=", ".join(sorted(known)))
    sql.execute(f"LOCK TABLE {Token._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")  # two at once would pass the limit
    limit = settings().max_tokens
    if live(at).count() >= limit:
        raise TooManyTokens(
            f"{limit} tokens are live, which is the limit", limit=limit, cure="revoke one that is not used"
        )
    secret = PREFIX + ids.token(32)
    token = Token.objects.create(
        name=name, sha256=_hash(secret), hint=secret[-4:], scopes=sorted(set(scopes)), made_by=made_by, made_at=at,
        expires_at=expires_at,
    )  # fmt: skip
    facts = {"token": token.pk, "name": name, "scopes": token.scopes}
    record("accounts.token.made", facts, actor=actor, at=at, subject=f"token:{token.pk}")
    return token, secret


def check_token(secret: str, *, at: datetime, program: str = "") -> Token | None:
    """The live token with this secret. Found by its hash, so that comparing tells nothing about the secret. Its use is noted
    with the `program` that shows it, as that names itself."""
    token = live(at).filter(sha256=_hash(secret)).first()
    if token is None:
        return None
    if token.last_used_at is None or token.last_used_at <= at - NOTE_USE_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=at - NOTE_USE_EVERY)
        Token.objects.filter(stale, pk=token.pk).update(last_used_at=at)
        sql.execute(
            f"INSERT INTO {TokenUse._meta.db_table} (token_id, program, last_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (token_id, program) DO UPDATE SET last_at = excluded.last_at",
            [token.pk, "".join(filter(str.isprintable, program))[:120], at],
        )
    return token


def revoke(token: Token, *, actor: Actor, at: datetime) -> None:
    """End a token at once; doing it twice changes nothing."""
    if Token.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=at):
        facts = {"token": token.pk, "name": token.name}
        record("accounts.token.revoked", facts, actor=actor, at=at, subject=f"token:{token.pk}")


def live(at: datetime) -> QuerySet[Token]:
    """Tokens that work at `at`."""
    return Token.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=at), revoked_at__isnull=True)


def _hash(secret: str) -> str:
    return ids.fingerprint(secret)

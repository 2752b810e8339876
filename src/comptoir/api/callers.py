"""Who calls the API, and whether they may: a bearer token with its scopes, or a signed-in person with their role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from comptoir.accounts import actions as accounts
from comptoir.accounts import second_factor
from comptoir.accounts.models import Token, User
from comptoir.accounts.rights import Right, Scope, allows
from comptoir.api.errors import NotAllowed, NotSignedIn
from comptoir.kit import clock
from comptoir.kit.actor import Actor, ActorKind

#: What a person needs for what a token needs a scope for.
RIGHTS: dict[Scope, Right] = {
    Scope.CATALOG_READ: Right.SEE_CATALOG,
    Scope.STOCK_READ: Right.SEE_STOCK,
    Scope.ORDERS_READ: Right.SEE_ORDERS,
    Scope.PURCHASING_READ: Right.SEE_PURCHASING,
    Scope.RUNS_READ: Right.SEE_CHANNELS,
    Scope.TOKENS_MANAGE: Right.MANAGE_PEOPLE,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A token or a person; exactly one of them is given."""

    token: Token | None = None
    person: User | None = None

    @property
    def actor(self) -> Actor:
        """How histories name who called."""
        if self.token is not None:
            return Actor(ActorKind.TOKEN, str(self.token.pk), self.token.name)
        return Actor(ActorKind.PERSON, str(self.person.pk if self.person else ""), str(self.person))

    def may(self, scope: Scope) -> bool:
        """Whether this may be done by them."""
        if self.token is not None:
            return scope.value in self.token.scopes
        return allows(self.person, RIGHTS[scope])

    @property
    def sees_buyers(self) -> bool:
        """Names and addresses: a token that reads orders is meant to have them, a role has to say so."""
        if self.token is not None:
            return Scope.ORDERS_READ.value in self.token.scopes
        return allows(self.person, Right.SEE_BUYERS)


class BearerToken(HttpBearer):
    """`Authorization: Bearer cmt_…`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        found = accounts.check_token(token, at=clock.now(), program=request.headers.get("User-Agent", ""))
        if found is None:
            # Not left to the session: who shows a wrong token must learn so.
            raise NotSignedIn("this token is not valid: wrong, revoked or expired", cure="make a token in Settings")
        return _allowed(Caller(token=found), self.scope)


class SignedIn(APIKeyCookie):
    """The session of a browser; what changes something needs the CSRF token too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller:
        if not request.user.is_authenticated:
            raise NotSignedIn("a token is needed", cure="send `Authorization: Bearer …` with a token made in Settings")
        if second_factor.is_missing(request.user):
            raise NotSignedIn("your role must have a second factor", cure="turn it on where you sign in")
        return _allowed(Caller(person=request.user), self.scope)


def needs(scope: Scope) -> list[Callable[[HttpRequest], Any]]:
    """The `auth` of an operation."""
    return [BearerToken(scope), SignedIn(scope)]


def caller(request: HttpRequest) -> Caller:
    """Who calls, inside an operation."""
    return cast("Caller", request.auth)  # type: ignore[attr-defined]  # ninja sets it


def _allowed(caller: Caller, scope: Scope) -> Caller:
    if not caller.may(scope):
        raise NotAllowed(f"this needs {scope.value}", scope=scope.value)
    return caller

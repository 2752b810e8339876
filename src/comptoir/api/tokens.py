"""Tokens of the API: only who manages people makes or revokes them, and a secret is shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status

from comptoir.accounts import actions as accounts
from comptoir.accounts.models import Token
from comptoir.accounts.rights import Scope
from comptoir.api.callers import caller, needs
from comptoir.api.errors import NotAllowed, NotThere
from comptoir.api.pages import Asked, Moment, Page, page
from comptoir.kit import clock
from comptoir.kit.errors import BadInput

router = Router(tags=["tokens"], auth=needs(Scope.TOKENS_MANAGE))


class TokenOut(Schema):
    """A token without its secret."""

    id: int
    name: str
    hint: str
    scopes: list[str]
    made_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None


class NewToken(TokenOut):
    """A token and, this once, its secret."""

    secret: str


class TokenIn(Schema):
    """What a token is for."""

    name: str
    scopes: list[str]
    expires_at: datetime | None = None


@router.get("/tokens", response=Page[TokenOut], summary="Tokens, newest first, revoked ones included")
def tokens(request: HttpRequest, place: Asked) -> dict[str, Any]:
    return page(Token.objects.all(), ("-id",), place, lambda token: token)


@router.post("/tokens", response={201: NewToken}, summary="Make a token")
def make(request: HttpRequest, given: TokenIn) -> Status[dict[str, Any]]:
    who = caller(request)
    if given.expires_at is not None and given.expires_at.tzinfo is None:
        raise BadInput("a time needs its zone", place="expires_at", value=given.expires_at, cure="2027-01-31T12:00:00Z")
    if who.token is not None and (beyond := set(given.scopes) - set(who.token.scopes)):
        raise NotAllowed("a token gives only what it has itself", scope=min(beyond))
    with transaction.atomic():
        token, secret = accounts.make_token(
            given.name,
            given.scopes,
            actor=who.actor,
            at=clock.now(),
            made_by=who.person,
            expires_at=given.expires_at,
        )
    fields = {name: getattr(token, name) for name in TokenOut.model_fields}
    return Status(201, {**fields, "secret": secret})


@router.delete("/tokens/{id}", response={204: None}, summary="Revoke a token, at once and for ever")
def revoke(request: HttpRequest, id: int) -> Status[None]:
    token = Token.objects.filter(pk=id).first()
    if token is None:
        raise NotThere("there is no such token")
    with transaction.atomic():
        accounts.revoke(token, actor=caller(request).actor, at=clock.now())
    return Status(204, None)

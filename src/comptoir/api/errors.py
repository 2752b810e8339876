"""Errors as the API tells them: one table from our errors to statuses, and problem+json (RFC 9457) for all of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from comptoir.channels import errors as channels
from comptoir.engine import errors as engine
from comptoir.kit import files, schema, sql
from comptoir.kit.errors import BadInput, ComptoirError, ConfigError, Conflict, InTheWay
from comptoir.kit.postgres import PostgresError

log = logging.getLogger(__name__)


class NotSignedIn(ComptoirError):
    """No token and no session, or one that is not valid."""


class NotAllowed(ComptoirError):
    """Known, but this is not among what the token or the role is for. Fact: `scope`."""


class NotThere(ComptoirError):
    """It does not exist, or may not be seen: the answer does not say which."""


#: A class covers those below it that have no row of their own.
STATUS: Mapping[type[ComptoirError], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    NotThere: 404,
    Conflict: 409,
    InTheWay: 503,
    BadInput: 422,
    ConfigError: 503,
    PostgresError: 503,
    files.CannotWrite: 503,
    channels.WritesRefused: 409,
    channels.TryLater: 503,
    channels.ChannelError: 502,  # whatever else became of a call: the other end is not ours to repair
    engine.Fenced: 409,
    engine.Stopped: 503,
}
WITHIN = "5"  # seconds after which a 503 is worth asking again


def status_of(kind: type[Exception]) -> int | None:
    """The status of an error of this kind; None where no row covers it."""
    return next((STATUS[base] for base in kind.__mro__ if base in STATUS), None)


def problem(status: int, code: str, detail: str, facts: Mapping[str, Any] | None = None) -> HttpResponse:
    """An answer that says what is wrong: `code` is stable, `detail` is for people, `facts` name the place and the cure."""
    content = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
        "facts": dict(facts or {}),
    }
    answer = HttpResponse(json.dumps(content, default=str), status=status, content_type="application/problem+json")
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    if status == 503:
        answer["Retry-After"] = WITHIN
    return answer


def not_here(request: HttpRequest) -> HttpResponse:
    """For addresses below /api/ that lead nowhere."""
    return problem(404, "not_there", "there is nothing at this address")


def set_up(api: NinjaAPI) -> None:
    """Let every error of `api` leave as a problem."""
    api.exception_handler(ComptoirError)(_ours)
    api.exception_handler(ValidationError)(_not_valid)
    api.exception_handler(HttpError)(_http)
    api.exception_handler(Http404)(lambda request, error: not_here(request))
    api.exception_handler(PermissionDenied)(lambda request, error: problem(403, "not_allowed", "not allowed"))
    api.exception_handler(DatabaseError)(_database)
    api.exception_handler(Exception)(_unforeseen)


def _ours(request: HttpRequest, error: ComptoirError) -> HttpResponse:
    status = status_of(type(error))
    return _unforeseen(request, error) if status is None else problem(status, error.code, str(error), error.facts)


def _not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """What a request holds does not fit its declared shape: each place with what is expected there."""
    places = [{"place": ".".join(str(part) for part in one["loc"]), "cure": one["msg"]} for one in error.errors]
    return problem(422, "bad_input", "; ".join(f"{one['place']}: {one['cure']}" for one in places), {"places": places})


def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
    code = {400: "bad_input", 401: "not_signed_in", 403: "not_allowed", 404: "not_there"}.get(
        error.status_code, "refused"
    )
    return problem(error.status_code, code, error.message)


def _database(request: HttpRequest, error: DatabaseError) -> HttpResponse:
    """Another transaction was in the way: the whole request is tried again outside of here, as long as it has tries."""
    if schema.explains(error):
        return problem(503, "being_upgraded", "the database is brought to this version; ask again in a moment")
    if not sql.is_passing(error):
        return _unforeseen(request, error)
    if getattr(request, "tries_left", 0) and not connection.in_atomic_block:
        raise error
    return _ours(request, InTheWay("somebody changed the same thing at this moment", cure="again"))


def _unforeseen(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("a request failed", exc_info=error, extra={"path": request.path})
    return problem(500, "unforeseen", "something went wrong here; the log of the hub says what")

"""A request that another transaction was in the way of is carried out again, as a run is: nothing is wrong with either."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.messages.storage import default_storage
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from comptoir.kit import sql
from comptoir.kit.errors import InTheWay
from comptoir.web import answers

TRIES = 3

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def repeated(get_response: GetResponse) -> GetResponse:
    """Middleware: a deadlock's victim tries again, for pages and the API. A view that fails so has changed nothing, since
    all that it changes is one transaction."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        request.tries_left = TRIES - 1  # type: ignore[attr-defined]  # read where the API words its errors
        return get_response(request)

    def process_exception(request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        while _may_repeat(request, error):
            request.tries_left -= 1  # type: ignore[attr-defined]
            _rewind(request)
            view = request.resolver_match
            assert view is not None  # noqa: S101 - it has raised
            try:
                response: HttpResponseBase = view.func(request, *view.args, **view.kwargs)
            except DatabaseError as again:
                error = again
                continue
            return response
        if not sql.is_passing(error) or request.method in ("GET", "HEAD"):
            return None
        _rewind(request)
        answers.refuse(request, InTheWay("somebody changed the same thing at this moment", cure="again"))
        return answers.back(request, "home")

    answer.process_exception = process_exception  # type: ignore[attr-defined]  # where Django looks for it
    return answer


def _may_repeat(request: HttpRequest, error: Exception) -> bool:
    has_tries = getattr(request, "tries_left", 0) > 0
    return has_tries and sql.is_passing(error) and not connection.in_atomic_block


def _rewind(request: HttpRequest) -> None:
    """As it came: files unread, and nothing said about what was rolled back."""
    for files in request.FILES.lists():
        for file in files[1]:
            file.seek(0)
    request._messages = default_storage(request)  # type: ignore[attr-defined]  # as Django's middleware made it

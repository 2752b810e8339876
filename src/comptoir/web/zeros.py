"""A zero byte is in nothing that a person types and nothing that PostgreSQL keeps: whoever sends one is refused at the door."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

_FORM = ("application/x-www-form-urlencoded", "multipart/form-data")


def refused(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: a request with a zero byte in its address or its form is no request."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if _has_zero(request):
            return HttpResponse("a zero byte is in no address and no form\n", status=400, content_type="text/plain")
        return get_response(request)

    return answer


def _has_zero(request: HttpRequest) -> bool:
    # What is searched for is any text: searches take a zero byte out by themselves.
    asked = ((name, values) for name, values in request.GET.lists() if name != "q")
    if "\0" in request.path or any(_zeros(asked)):
        return True
    return request.content_type in _FORM and any(_zeros(request.POST.lists()))


def _zeros(lists: Iterable[tuple[str, Sequence[object]]]) -> Iterable[bool]:
    return ("\0" in name or any("\0" in str(value) for value in values) for name, values in lists)

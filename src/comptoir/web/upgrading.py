"""What people read while the hub is being upgraded or its database is away, instead of “something broke here”."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from comptoir.kit import schema

AGAIN = "5"  #: seconds


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to an error that nobody foresaw: wait, where waiting helps."""
    error = sys.exc_info()[1]
    if schema.explains(error):
        page = "upgrading.html"
    elif isinstance(error, OperationalError | InterfaceError):
        page = "away.html"
    else:
        return defaults.server_error(request)
    # Without the request, and so without the frame, which asks the database.
    return HttpResponse(render_to_string(page), status=503, headers={"Retry-After": AGAIN})

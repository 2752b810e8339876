"""What every page of the frame needs."""

from __future__ import annotations

from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, object]:
    """Values of the frame around a page."""
    return {}

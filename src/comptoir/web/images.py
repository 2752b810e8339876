"""Pictures at public, unguessable addresses: feeds and marketplaces fetch them without signing in."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

from comptoir.commerce.catalog import images
from comptoir.commerce.catalog.models import Image


@require_safe
def image(request: HttpRequest, token: str) -> FileResponse:
    """The bytes, once kept never changed: the address is made from their content."""
    row = Image.objects.filter(token=token).first()
    path = images.path_of(row.sha256) if row else None
    if row is None or path is None or not path.is_file():
        raise Http404(token)
    answer = FileResponse(path.open("rb"), content_type=row.content_type)
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"  # an uploaded picture never runs anything here
    return answer

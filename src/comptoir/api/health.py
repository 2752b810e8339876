"""Whether the API answers."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Schema

import comptoir

router = Router(tags=["health"])


class Health(Schema):
    """It answers."""

    status: str
    version: str


@router.get("/health", response=Health, auth=None, summary="Whether the API answers")
def health(request: HttpRequest) -> dict[str, str]:
    return {"status": "ok", "version": comptoir.__version__}

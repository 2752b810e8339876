"""The REST API under /api/v1. Its description is at /api/v1/openapi.json; a page to read it with would load scripts from elsewhere."""

from __future__ import annotations

from django.urls import path, re_path
from ninja import NinjaAPI

import comptoir
from comptoir.api import errors, findings, health, levels, orders, purchasing, runs, tokens, variants

api = NinjaAPI(
    title="Comptoir",
    version=comptoir.__version__,
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
)
for part in (health, tokens, variants, levels, orders, purchasing, runs, findings):
    api.add_router("", part.router)
errors.set_up(api)

urlpatterns = [path("v1/", api.urls), re_path("", errors.not_here)]

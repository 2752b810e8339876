"""For machines: whether this process lives, and whether it may be sent work."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The database answers and has every migration that this code needs."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return JsonResponse({"status": "no database", "reason": type(error).__name__}, status=503)
    if missing:
        names = [f"{migration.app_label}.{migration.name}" for migration, _backwards in missing]
        return JsonResponse({"status": "migrations missing", "missing": names}, status=503)
    return JsonResponse({"status": "ok"})

"""The server entry: the webhook door and everything of Django's, on one port."""

from __future__ import annotations

import os
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIHandler

from comptoir.kit import log
from comptoir.kit.settings import settings
from comptoir.webhooks import door


def _django() -> ASGIHandler:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comptoir.config.settings")
    log.set_up(settings().log_level)
    handler = get_asgi_application()
    from comptoir.config import bootstrap  # its parts have models, which want Django set up

    bootstrap.set_up()
    return handler


_pages: Any = _django()


async def application(scope: door.Scope, receive: door.Receive, send: door.Send) -> None:
    """Deliveries and the sign of life never enter Django: both must be quick while pages are slow."""
    await (door.application if _is_for_the_door(scope) else _pages)(scope, receive, send)


def _is_for_the_door(scope: door.Scope) -> bool:
    if scope["type"] != "http":
        return True  # the server's start and end; nothing here speaks over web sockets
    path: str = scope["path"]
    return path.startswith(door.PREFIX) or path == door.HEALTH

"""Doors that lead to a simulator, in this process or on a port, at no pace: a shop bears so many calls a minute, a double any number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comptoir.channels.http import HttpDoor, Unpaced


def to(application: Callable[..., Any] | None) -> Callable[..., HttpDoor]:
    """What `channels.set_up_doors` takes; None: wherever the address of the channel leads."""

    def maker(**options: Any) -> HttpDoor:
        return HttpDoor(simulator=application, allow_private=True, **{**options, "pace": Unpaced()})

    return maker

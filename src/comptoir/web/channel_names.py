"""Channels by id, for pages about things that only know the id."""

from __future__ import annotations

from comptoir.channels.models import Channel


def all_names() -> dict[int, str]:
    """Every channel's name, archived ones too: their orders are kept."""
    return dict(Channel.objects.order_by("name").values_list("pk", "name"))


def choices() -> list[tuple[str, str]]:
    """For filters."""
    return [(str(pk), name) for pk, name in all_names().items()]

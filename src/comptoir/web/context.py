"""What every page of the frame needs: asked for only where a page draws the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from comptoir.accounts import sso
from comptoir.accounts.models import Theme
from comptoir.accounts.rights import Right, allows
from comptoir.engine import findings, runs
from comptoir.web import flow_words

NAV = (
    ("home", "home", _("Home"), Right.ENTER),
    ("orders", "shopping-bag", _("Orders"), Right.SEE_ORDERS),
    ("staging", "inbox", _("Staging"), Right.SEE_STAGING),
    ("variants", "tag", _("Products"), Right.SEE_CATALOG),
    ("inventory", "archive-box", _("Inventory"), Right.SEE_STOCK),
    ("suppliers", "truck", _("Purchasing"), Right.SEE_PURCHASING),
    ("channels", "building-storefront", _("Channels"), Right.SEE_CHANNELS),
    ("runs", "arrow-path", _("Runs"), Right.SEE_CHANNELS),
    ("findings", "exclamation-triangle", _("Findings"), Right.SEE_CHANNELS),
    ("settings", "cog-6-tooth", _("Settings"), Right.ENTER),  # only where one of the pages below may be opened
)
#: Pages of Settings, in the order of their tabs.
SETTINGS = (
    ("people", _("People"), Right.MANAGE_PEOPLE),
    ("roles", _("Roles"), Right.MANAGE_PEOPLE),
    ("tokens", _("API tokens"), Right.MANAGE_PEOPLE),
    ("alerts", _("Alerts"), Right.CHANGE_ALERTS),
    ("personal", _("Personal data"), Right.HANDLE_PERSONAL_DATA),
    ("audit", _("Audit trail"), Right.SEE_AUDIT),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Values of the frame around a page; each is a query at most, and none where the page has no frame."""
    return {
        "frame_nav": SimpleLazyObject(lambda: _nav(request)),
        "frame_errors": SimpleLazyObject(lambda: findings.bell() if allows(request.user, Right.SEE_CHANNELS) else 0),
        "frame_runs": SimpleLazyObject(lambda: runs_of(request.user)),
        "frame_languages": settings.LANGUAGES,
        "frame_themes": Theme.choices,
        "frame_sso": sso.name(),
        "settings_tabs": SimpleLazyObject(lambda: settings_tabs(request)),
    }


@dataclass(frozen=True, slots=True)
class Ongoing:
    """A run as the bar shows it."""

    pk: int
    title: str
    status: str
    seen: int
    expected: int | None


def runs_of(user: Any) -> list[Ongoing]:
    """Runs that this person started and that have not ended."""
    if not allows(user, Right.SEE_CHANNELS):
        return []
    return [
        Ongoing(one.id, f"{flow_words.title(one.kind)} · {one.channel}", one.status, one.seen, one.expected)
        for one in runs.open_of(user.pk)
    ]


def _nav(request: HttpRequest) -> list[dict[str, Any]]:
    items = []
    for page, icon, title, right in NAV:
        if page == "settings" and not settings_tabs(request):
            continue
        if allows(request.user, right):
            url = reverse(page)
            is_here = request.path == url if page == "home" else request.path.startswith(url)
            items.append({"url": url, "icon": icon, "title": title, "is_here": is_here})
    return items


def settings_tabs(request: HttpRequest) -> list[dict[str, Any]]:
    """The pages of Settings that this person may open."""
    allowed = [(reverse(page), title) for page, title, right in SETTINGS if allows(request.user, right)]
    return [{"url": url, "title": title, "is_here": request.path.startswith(url)} for url, title in allowed]

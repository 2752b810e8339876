"""Who may do what: one table of roles and rights, and the decorator that every view carries.

Rights are data and no rows: a role means the same in every hub, and one table can be read in one look.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url

from comptoir.accounts import second_factor
from comptoir.accounts.models import Role, User


class Right(StrEnum):
    """One thing a person may do."""

    ENTER = "enter"  #: sign in and see the first page
    SEE_CATALOG = "see_catalog"  #: products, variants, prices
    SEE_STOCK = "see_stock"  #: levels and movements
    CHANGE_PRICES = "change_prices"  #: what things cost, by list
    SEE_PURCHASING = "see_purchasing"  #: suppliers and what they charge
    CHANGE_PURCHASING = "change_purchasing"  #: suppliers and what they sell
    CHANGE_STOCK = "change_stock"  #: receive and adjust
    SEE_ORDERS = "see_orders"  #: orders and shipments
    SEE_BUYERS = "see_buyers"  #: names, addresses and raw sales
    SHIP = "ship"  #: book parcels
    CHANGE_ORDERS = "change_orders"  #: hold, release, cancel
    SEE_STAGING = "see_staging"  #: sales that wait
    ACCEPT_SALES = "accept_sales"  #: repair, accept, reject
    SEE_CHANNELS = "see_channels"  #: channels, flows, runs, findings
    CLOSE_FINDINGS = "close_findings"  #: say that a finding is dealt with
    RUN_FLOWS = "run_flows"  #: run now, preview, cancel a run, tell again
    CHANGE_CHANNELS = "change_channels"  #: schedules, mappings, modes
    SEE_AUDIT = "see_audit"  #: who changed what, and who signed in
    CHANGE_ALERTS = "change_alerts"  #: where alerts go
    HANDLE_PERSONAL_DATA = "handle_personal_data"  #: export and erase what is kept about a customer
    MANAGE_PEOPLE = "manage_people"  #: people and API tokens


_LOOK = frozenset({Right.ENTER, Right.SEE_CATALOG, Right.SEE_STOCK, Right.SEE_ORDERS})
_WATCH = frozenset({Right.SEE_STAGING, Right.SEE_CHANNELS})

ROLES: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.MANAGER: frozenset(Right) - {Right.MANAGE_PEOPLE},
    Role.PICKER: _LOOK | {Right.SHIP, Right.SEE_BUYERS},
    Role.BUYER: _LOOK | {Right.CHANGE_STOCK, Right.SEE_PURCHASING, Right.CHANGE_PURCHASING},
    Role.ACCOUNTANT: _LOOK | _WATCH | {Right.SEE_BUYERS, Right.SEE_PURCHASING},
    Role.SERVICE: _LOOK | _WATCH | {Right.SEE_BUYERS, Right.CHANGE_ORDERS, Right.ACCEPT_SALES, Right.CLOSE_FINDINGS},
    Role.READER: _LOOK | _WATCH | {Right.SEE_PURCHASING},
}


class Scope(StrEnum):
    """What an API token may be used for."""

    CATALOG_READ = "catalog.read"  #: variants and prices
    STOCK_READ = "stock.read"  #: levels
    ORDERS_READ = "orders.read"  #: orders with their buyers
    PURCHASING_READ = "purchasing.read"  #: suppliers and what they charge
    RUNS_READ = "runs.read"  #: flows, runs and findings
    TOKENS_MANAGE = "tokens.manage"  #: list, make and revoke tokens


def allows(user: object, right: Right) -> bool:
    """Whether `user` may; a stranger may nothing."""
    return isinstance(user, User) and user.is_active and right in ROLES.get(Role(user.role), frozenset())


class PersonRequest(HttpRequest):
    """A request behind `needs`: somebody is signed in."""

    user: User


View = Callable[..., HttpResponseBase]


def needs(right: Right, *, before_second_factor: bool = False) -> Callable[[View], View]:
    """Let a view answer only people with `right`: strangers are led to the login, others get a 403. Who must get a second
    factor first is led there by every page but those that say `before_second_factor`."""

    def around(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            if not allows(request.user, right):
                raise PermissionDenied(right.value)
            if not before_second_factor and second_factor.is_missing(cast("PersonRequest", request).user):
                return _to("second_factor_on", request)
            return view(cast("PersonRequest", request), *args, **kwargs)

        guarded.right = right  # type: ignore[attr-defined]  # read by the test that walks every address
        return guarded

    return around


def right_of(view: Any) -> Right | None:
    """The right that a view asks for; None where it never asks."""
    return getattr(view, "right", None)


def _to_login(request: HttpRequest) -> HttpResponseBase:
    if request.headers.get("HX-Request"):  # a fragment must not become a login page inside a page
        return _to("account_login", request)
    return redirect_to_login(request.get_full_path() if request.method == "GET" else resolve_url("home"))


def _to(page: str, request: HttpRequest) -> HttpResponse:
    """The whole browser goes there, also when it asked for a part of a page."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": resolve_url(page)})
    return redirect(page)

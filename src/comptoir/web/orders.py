"""Orders: the list in its tabs, and one order on one page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from comptoir.accounts.models import User
from comptoir.accounts.rights import PersonRequest, Right, allows, needs
from comptoir.commerce.catalog.records import Found
from comptoir.commerce.inventory.models import Backorder, Reservation
from comptoir.commerce.orders import actions, differences
from comptoir.commerce.orders import status as moves
from comptoir.commerce.orders.models import History, Line, LineKind, Order, Preparation, Status
from comptoir.commerce.shipments import actions as shipments
from comptoir.commerce.shipments.models import Shipment
from comptoir.engine.models import Effect, EffectState
from comptoir.kit import clock, ids
from comptoir.kit.errors import BadInput
from comptoir.kit.money import ZERO, to_minor
from comptoir.staging import accept
from comptoir.staging.models import StagedSale, State
from comptoir.web import answers, cells, channel_names, findings_words, inventory, lists, words
from comptoir.web import findings as findings_page

# Looked up for each order that is met, in the order of the list. Without the OFFSET it becomes a join, for which the planner
# takes what is promised to be all new and reads every order back to the one that has waited longest.
_PROMISED = 'EXISTS (SELECT FROM {} AS promise WHERE promise."order" = orders_order.id OFFSET 0)'
_waits = RawSQL(_PROMISED.format("inventory_backorder"), (), BooleanField())  # noqa: S611 - names of ours
_has_goods = RawSQL(_PROMISED.format("inventory_reservation"), (), BooleanField())  # noqa: S611

LATE = timedelta(days=2)  # an order that can be prepared and is older than this waits too long

TABS: dict[str, Any] = {
    "prepare": _("To prepare"),
    "partial": _("Partly in stock"),
    "backorder": _("Backorder"),
    "hold": _("On hold"),
    "changed": _("Changed at the channel"),
    "unpaid": _("Waiting for payment"),
    "all": _("All"),
}
PROBED = {"prepare", "partial", "backorder"}  # what is promised is looked up for each order


def search(text: str) -> Found:
    """Orders that a text may mean: their own number, the shop's, or who bought."""
    return lists.bounded(Order.objects.filter(search__contains=text.lower()))


def in_tab(name: str) -> QuerySet[Order]:
    """The orders of a saved tab."""
    rows = Order.objects.all()
    open_ = rows.filter(status=Status.PROCESSING, is_blocked=False)
    match name:
        case "prepare":
            return open_.filter(_has_goods, ~Q(_waits))
        case "partial":
            return open_.filter(_waits, _has_goods)  # the rarer one first
        case "backorder":
            return open_.filter(_waits, ~Q(_has_goods))
        case "hold":
            return rows.filter(status=Status.ON_HOLD)
        case "changed":
            return rows.filter(is_blocked=True)
        case _:
            return rows


def _buyer(order: Order) -> str:
    return cells.name(order.buyer.get("company") or order.buyer.get("name") or "")


def _status(order: Order) -> str:
    if order.is_blocked:
        return cells.badge("on_hold", _("Changed there"))
    return cells.badge(order.status, words.of(Status, order.status))


ORDERS = lists.Listing(
    columns=(
        lists.Column(_("Order"), lambda o: cells.link(reverse("order", args=[o.number]), o.number), "a"),
        lists.Column(_("Channel"), lambda o: cells.two(cells.name(o.channel_name), o.external_number)),
        lists.Column(_("Buyer"), _buyer, "c"),
        lists.Column(_("Placed"), lambda o: cells.moment(o.placed_at), "d"),
        lists.Column(_("Status"), _status, "b"),
        lists.Column(_("Preparation"), lambda o: words.of(Preparation, o.preparation)),
        lists.Column(_("Total"), lambda o: cells.money(o.total, o.currency), is_number=True),
    ),
    sorts=(
        lists.Sort("newest", _("Newest first"), ("-placed_at", "-id")),
        lists.Sort("oldest", _("Oldest first"), ("placed_at", "id")),
    ),
    filters=(
        lists.Filter("channel", _("Every channel"), channel_names.choices, lambda rows, v: rows.filter(channel=int(v))),
        lists.Filter("status", _("Every status"), lambda: words.choices(Status), lambda rows, v: rows.filter(status=v)),
        lists.Filter(
            "preparation",
            _("Every preparation"),
            lambda: words.choices(Preparation),
            lambda rows, v: rows.filter(preparation=v),
        ),
        lists.Filter(
            "age",
            _("Placed at any time"),
            lambda: [("late", _("More than two days ago"))],
            lambda rows, _v: rows.filter(placed_at__lt=clock.now() - LATE),
        ),
    ),
    search=search,
    search_hint=_("Order number or buyer"),
    empty=lists.Empty(
        _("No orders here"),
        _(
            "Sales of your channels become orders as soon as they are accepted. Connect a channel, or look at what waits in staging."
        ),
        "staging",
        _("Open staging"),
    ),
    fill=lambda rows: _name_channels(rows),
)

# For roles that have no need to know who bought.
ORDERS_ALONE = replace(ORDERS, columns=[c for c in ORDERS.columns if c.cell is not _buyer], search=None)


def _buyer_there(sale: StagedSale) -> str:
    return cells.name(sale.buyer)


UNPAID = lists.Listing(
    columns=(
        lists.Column(_("Sale"), lambda s: cells.link(reverse("staged", args=[s.pk]), s.number), "a"),
        lists.Column(_("Channel"), lambda s: cells.name(s.channel.name)),
        lists.Column(_("Buyer"), _buyer_there, "c"),
        lists.Column(_("Placed"), lambda s: cells.moment(s.placed_at), "d"),
        lists.Column(_("Status there"), lambda s: cells.name(s.status_name or s.external_status)),
        lists.Column(_("Looked at again"), lambda s: cells.moment(s.next_look_at)),
        lists.Column(_("Total"), lambda s: cells.money(s.total, s.currency), "b", is_number=True),
    ),
    sorts=(lists.Sort("newest", _("Newest first"), ("-placed_at", "-id")),),
    empty=lists.Empty(
        _("No sale waits for its payment"),
        _("Sales that are not paid yet stay in staging and are looked at again by themselves."),
    ),
)


# The same for them.
UNPAID_ALONE = replace(UNPAID, columns=[c for c in UNPAID.columns if c.cell is not _buyer_there])


def _name_channels(rows: Sequence[Order]) -> None:
    names = channel_names.all_names() if rows else {}
    for row in rows:
        row.channel_name = names.get(row.channel or 0, "")  # type: ignore[attr-defined]


@require_GET
@needs(Right.SEE_ORDERS)
def orders(request: PersonRequest) -> HttpResponse:
    """The list, in saved tabs."""
    tab = request.GET.get("tab", "prepare")
    tab = tab if tab in TABS else "prepare"
    if tab == "unpaid":
        listed = UNPAID if allows(request.user, Right.SEE_BUYERS) else UNPAID_ALONE
        shown = listed.show(request, StagedSale.objects.filter(state=State.RETRY).select_related("channel"))
    else:
        listed = ORDERS if allows(request.user, Right.SEE_BUYERS) else ORDERS_ALONE
        shown = listed.show(request, in_tab(tab), count_to=lists.PROBED_TO if tab in PROBED else lists.COUNT_TO)
    return render(request, "orders/list.html", {"list": shown, "tabs": TABS, "tab": tab, "tab_field": "tab"})


@require_GET
@needs(Right.SEE_ORDERS)
def order(request: PersonRequest, number: str) -> HttpResponse:
    """One order: what was bought, what has left, what waits, and what happened."""
    it = get_object_or_404(Order, number=number)
    lines = _lines(it)
    charges = list(it.charges.order_by("id"))
    lines_total = sum((line["row"].total for line in lines if line["row"].kind != LineKind.PART), ZERO)
    difference = to_minor(it.total - lines_total - sum((charge.amount for charge in charges), ZERO), it.currency)
    is_open = it.status in moves.OPEN
    staged = StagedSale.objects.filter(order=it.pk).defer("raw").first()
    changed = _changed(it, staged) if it.is_blocked and staged else None
    needs = _needs(it, request.user)
    # Whoever blocked it by hand is asked as well; what a finding has buttons of its own for needs no others.
    decides = it.is_blocked and (any((changed or {}).values()) or not any(each["ways"] for each in needs))
    context = {
        "order": it,
        "channel_name": channel_names.all_names().get(it.channel or 0, ""),
        "lines": lines,
        "lines_total": lines_total,
        "charges": charges,
        "difference": difference,
        "payments": list(it.payments.order_by("id")),
        "shipments": _shipments(it),
        "history": [{"row": row, "words": _happened(row)} for row in it.history.order_by("-id")[:200]],
        "addresses": _addresses(it),
        "staged": staged.pk if staged else None,
        "changed": changed,
        "needs": needs,
        "may_close": allows(request.user, Right.CLOSE_FINDINGS),
        "may_see_buyer": allows(request.user, Right.SEE_BUYERS),
        "may_change": allows(request.user, Right.CHANGE_ORDERS),
        "has_left": any(line["row"].shipped for line in lines),
        "may_ship": allows(request.user, Right.SHIP) and it.status == Status.PROCESSING and not it.is_blocked,
        "takes": _takes(it, lines),
        "ship_key": ids.token(9),
        "can": {
            "hold": Status.ON_HOLD in moves.MOVES[Status(it.status)],
            "release": it.status == Status.ON_HOLD,
            "cancel": is_open,
            "decide": decides,
        },
    }
    return render(request, "orders/order.html", context)


#: What may be done about a finding on the order's own page, the first first; about a change, in the head of the page.
WAYS: dict[str, tuple[str, ...]] = {
    "reopened_there": ("take_theirs", "keep_ours"),
    "cancelled_there_while_prepared": ("put_back",),
    "cancelled_there_after_leaving": ("agree",),
    "shipped_there_unbooked": ("book", "agree"),
    "shipped_there_while_held": ("agree",),
    "shipped_there_cancelled_here": ("agree",),
    "unpaid_there": ("agree",),
    "unpaid_there_after_leaving": ("agree",),
    "refunded_there": ("agree",),
}
WAY_WORDS = {
    "take_theirs": _("Take theirs"),
    "keep_ours": _("Keep ours"),
    "put_back": _("The goods are back on the shelf"),
    "agree": _("Leave it as it is"),
    "book": _("Book what left"),
}


def _needs(order: Order, user: User) -> list[dict[str, Any]]:
    """What is open about this order, each with what this person may do about it here."""
    shown = []
    for finding in findings_page.about(order.channel, f"order:{order.pk}"):
        ways = []
        for way in WAYS.get(finding.code, ()):
            if way == "put_back" and allows(user, Right.SHIP):
                ways.append((reverse("order_put_back", args=[order.number]), WAY_WORDS[way]))
            elif way != "put_back" and allows(user, Right.CHANGE_ORDERS):
                ways.append((reverse("order_do", args=[order.number, way]), WAY_WORDS[way]))
        shown.append({"finding": finding, "ways": ways})
    return shown


def _takes(order: Order, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What may go into a parcel: what is reserved, line by line and warehouse by warehouse."""
    rows = {line["row"].pk: line["row"] for line in lines}
    promises = Reservation.objects.filter(order=order.pk).select_related("warehouse").order_by("line", "warehouse")
    return [
        {"promise": p, "row": rows[p.line], "name": f"take-{p.line}-{p.warehouse_id}"}
        for p in promises
        if p.line in rows
    ]


def _lines(order: Order) -> list[dict[str, Any]]:
    reserved: dict[int, Decimal] = defaultdict(Decimal)
    for line, quantity in Reservation.objects.filter(order=order.pk).values_list("line", "quantity"):
        reserved[line] += quantity
    waiting = dict(Backorder.objects.filter(order=order.pk).values_list("line", "quantity"))
    rows = []
    for row in order.lines.select_related("variant").order_by("position"):
        open_ = row.quantity - row.cancelled - row.shipped
        has = reserved.get(row.pk, ZERO)
        rows.append(
            {
                "row": row,
                "open": open_,
                "reserved": has,
                "states": _states(row, has, waiting.get(row.pk, ZERO)),
                "is_gone": row.cancelled == row.quantity,
            }
        )
    return rows


def _states(row: Line, reserved: Decimal, waiting: Decimal) -> list[tuple[str, str]]:
    said = (
        ("done", gettext("shipped %(n)s"), row.shipped),
        ("good", gettext("reserved %(n)s"), reserved),
        ("troubled", gettext("backordered %(n)s"), waiting),
        ("closed", gettext("cancelled %(n)s"), row.cancelled),
    )
    return [(tone, words % {"n": cells.quantity(n)}) for tone, words, n in said if n]


EFFECT_WORDS = {
    EffectState.WANTED: ("retry", _("will be told")),
    EffectState.CALLED: ("running", _("being told")),
    EffectState.DONE: ("done", _("told")),
    EffectState.REFUSED: ("error", _("refused")),
    EffectState.DROPPED: ("closed", _("not needed")),
}


def _shipments(order: Order) -> list[Shipment]:
    rows = list(order.shipments.prefetch_related("lines__line").order_by("id"))
    effects = Effect.objects.filter(channel=order.channel, kind="tracking", subject=f"order:{order.pk}").order_by("id")
    told = {one.facts.get("shipment"): one.state for one in effects} if rows else {}  # the last one counts
    for row in rows:
        tone, words = (
            EFFECT_WORDS.get(EffectState(told[row.pk]), ("", ""))
            if row.pk in told
            else ("closed", _("nothing to tell"))
        )
        row.effect_tone, row.effect_words = tone, words  # type: ignore[attr-defined]
    return rows


def _changed(order: Order, staged: StagedSale) -> dict[str, Any]:
    """Both versions of what the channel changed since we last agreed."""
    found = differences.compare(order.theirs, differences.snapshot_of_sale(staged.sale))
    shipping = [_address(version or {}) for version in found.fields.get("shipping", ())]
    return {"lines": found.lines, "total": found.fields.get("total"), "shipping": shipping}


def _addresses(order: Order) -> list[tuple[Any, list[str]]]:
    is_same = order.billing == order.shipping
    said = (
        (_("Ship and bill to") if is_same else _("Ship to"), order.shipping),
        (_("Bill to"), None if is_same else order.billing),
    )
    return [(title, parts) for title, address in said if address and (parts := _address(address))]


def _address(address: Mapping[str, Any]) -> list[str]:
    town = " ".join(str(address.get(part) or "") for part in ("postcode", "city")).strip()
    parts = [address.get("company"), address.get("name"), *(address.get("lines") or ()), town, address.get("state")]
    parts += [address.get("country"), address.get("phone"), address.get("vat_number")]
    return [str(part) for part in parts if part]


WHAT = {
    "placed": _("Placed"),
    "moved": _("Moved from %(before)s to %(after)s"),
    "prepared": _("Preparation went from %(before)s to %(after)s"),
    "cancelled": _("Cancelled"),
    "line_cancelled": _("Line cancelled"),
    "shipped": _("Shipped"),
    "blocked": _("Changed at the channel: waits for a person"),
    "unblocked": _("A person has decided: preparation goes on"),
    "agreed": _("A person has seen the status there and left the order as it is"),
    "carrier_changed": _("Another carrier"),
    "address_changed": _("Address corrected"),
    "line_moved": _("A line is served from another warehouse"),
    "tracking_changed": _("Tracking number changed"),
    "took_theirs": _("The channel's version was taken"),
    "kept_ours": _("Our version was kept"),
    "followed_there": _("The channel has taken out what was cancelled here"),
    "dealt_with": _("A person has dealt with: %(finding)s"),
    "erased": _("Personal data of the customer erased"),
    "taken_over": _("When the channel went live: %(after)s"),
}
TAKEN_OVER = {"here": _("shipped here"), "left": _("had left already"), "": _("not decided")}


def _happened(row: History) -> str:
    labels = TAKEN_OVER if row.what == "taken_over" else {**words.WORDS[Status], **words.WORDS[Preparation]}
    said = str(WHAT.get(row.what) or row.what.replace("_", " ").capitalize())
    if row.what == "dealt_with":
        return said % {"finding": findings_words.title(str(row.facts.get("code", "")), {})}
    return said % {"before": labels.get(row.before, row.before), "after": labels.get(row.after, row.after)}


def _reason(request: PersonRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise BadInput(gettext("say why"), place=gettext("reason"), cure=gettext("a few words for the history"))
    return reason


def _cancel(order: Order, request: PersonRequest, **who: Any) -> None:
    """All of it, or what has not left yet."""
    has_left = order.lines.filter(shipped__gt=0).exists()
    (actions.cancel_rest if has_left else actions.cancel)(order.pk, reason=_reason(request), **who)


def _cancel_line(order: Order, request: PersonRequest, **who: Any) -> None:
    line = get_object_or_404(Line, pk=request.POST.get("line", "0"), order=order)
    actions.cancel_line(line.pk, reason=gettext("cancelled by hand"), **who)


def _take_theirs(order: Order, request: PersonRequest, **who: Any) -> None:
    staged = get_object_or_404(StagedSale.objects.select_related("channel"), order=order.pk)
    actions.take_theirs(order.pk, accept.version_there(staged, at=who["at"]), **who)


def _keep_ours(order: Order, request: PersonRequest, **who: Any) -> None:
    staged = get_object_or_404(StagedSale, order=order.pk)
    actions.keep_ours(order.pk, staged.sale, **who)


def _agree(order: Order, request: PersonRequest, **who: Any) -> None:
    actions.agree(order.pk, reason=gettext("left as it is"), **who)


def _book(order: Order, request: PersonRequest, **who: Any) -> None:
    """What left with the shop's own screen is gone, whatever is set for the channel."""
    staged = get_object_or_404(StagedSale, order=order.pk)
    shipments.book_shipped_there(order.pk, tracking=next(iter(staged.sale.get("tracking", ())), ""), **who)


# What a person may do to an order: the action, and what the page says when it is done.
DEEDS: dict[str, tuple[Any, Any]] = {
    "hold": (lambda o, r, **who: actions.hold(o.pk, reason=_reason(r), **who), _("On hold.")),
    "release": (lambda o, r, **who: actions.unhold(o.pk, **who), _("Goes on.")),
    "cancel": (_cancel, _("Cancelled.")),
    "cancel_line": (_cancel_line, _("Line cancelled.")),
    "take_theirs": (_take_theirs, _("The channel's version is taken.")),
    "keep_ours": (_keep_ours, _("Our version is kept; preparation may go on.")),
    "book": (_book, _("Booked: the goods have left.")),
    "agree": (_agree, _("Left as it is. It is asked about again if the status there changes.")),
}


@require_POST
@needs(Right.CHANGE_ORDERS)
def order_do(request: PersonRequest, number: str, deed: str) -> HttpResponse:
    """One of the deeds above."""
    if deed not in DEEDS:
        raise Http404(deed)
    it = get_object_or_404(Order, number=number)
    act, done = DEEDS[deed]
    with answers.attempt(request, done):
        act(it, request, at=clock.now(), actor=answers.actor(request.user))
    return redirect("order", number)


@require_POST
@needs(Right.SHIP)
def put_back(request: PersonRequest, number: str) -> HttpResponse:
    """Out of the basket or box, back on the shelf."""
    it = get_object_or_404(Order, number=number)
    with answers.attempt(request, gettext("The goods are on their shelf again.")):
        actions.put_back(it.pk, at=clock.now(), actor=answers.actor(request.user))
    return redirect("order", number)


@require_POST
@needs(Right.SHIP)
def ship(request: PersonRequest, number: str) -> HttpResponse:
    """One parcel leaves. The key in the form makes a button pressed twice one parcel."""
    it = get_object_or_404(Order, number=number)
    given = request.POST
    with answers.attempt(request):
        leaving = []
        for promise in Reservation.objects.filter(order=it.pk):
            text = given.get(f"take-{promise.line}-{promise.warehouse_id}", "").strip()
            quantity = inventory.parse_quantity(text, gettext("in this parcel")) if text else ZERO
            if quantity:
                leaving.append((promise.line, promise.warehouse_id, quantity))
        carrier = given.get("carrier", "").strip()
        parcel = shipments.ship(
            it.pk,
            leaving,
            key=given.get("key", ""),
            carrier=carrier,
            carrier_name="" if carrier != it.carrier else it.carrier_name,
            tracking=given.get("tracking", ""),
            at=clock.now(),
            actor=answers.actor(request.user),
        )
        answers.say(request, gettext("Parcel %(n)s has left.") % {"n": parcel.number})
    return redirect("order", number)

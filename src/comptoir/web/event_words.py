"""What events are called in the audit trail: a table of sentences with the facts of the event put in.

An event without its words shows by its name: nothing that happened is hidden because nobody has worded it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from comptoir.accounts.models import Role
from comptoir.channels.models import Mode
from comptoir.web import flow_words, words

Facts = Mapping[str, Any]

#: Parts of the hub, as the first word of an event names them.
PARTS = {
    "accounts": gettext_lazy("People and access"),
    "alerts": gettext_lazy("Alerts"),
    "personal": gettext_lazy("Personal data"),
    "channels": gettext_lazy("Channels"),
    "offers": gettext_lazy("Offers and mappings"),
    "engine": gettext_lazy("Flows and findings"),
    "staging": gettext_lazy("Sales that wait"),
    "orders": gettext_lazy("Orders"),
    "shipments": gettext_lazy("Shipments"),
    "inventory": gettext_lazy("Stock"),
    "catalog": gettext_lazy("Products"),
    "purchasing": gettext_lazy("Purchasing"),
}


def _role(value: Any) -> Any:
    return Role(value).label if value in Role.values else value


def _changed(facts: Facts) -> str:
    before = facts.get("before") or {}
    said = []
    if before.get("role") != facts.get("role"):
        said.append(_("Role: %(role)s") % {"role": _role(facts.get("role"))})
    if before.get("is_active") != facts.get("is_active"):
        said.append(_("May sign in again") if facts.get("is_active") else _("May no longer sign in"))
    return ". ".join(map(str, said)) or _("Role or access changed")


def _signed_in(facts: Facts) -> str:
    address = {"address": facts.get("address", "")}
    if facts.get("by") == "sso":
        return _("Signed in by single sign-on, from %(address)s") % address
    return _("Signed in, from %(address)s") % address


def _failed(facts: Facts) -> str:
    return _("Could not sign in as %(email)s, from %(address)s") % {
        "email": facts.get("email") or "–",
        "address": facts.get("address", ""),
    }


def _sso_refused(facts: Facts) -> str:
    why = {
        "not_verified": _("the address is not verified there"),
        "unknown": _("nobody here has this address"),
    }.get(str(facts.get("why")), _("the answer was not in order"))
    return _("Single sign-on refused for %(email)s: %(why)s") % {"email": facts.get("email") or "–", "why": why}


def _required(facts: Facts) -> str:
    roles = ", ".join(str(_role(role)) for role in facts.get("after", ()))
    return _("Must have a second factor: %(roles)s") % {"roles": roles or "–"}


def _sessions(facts: Facts) -> str:
    number = int(facts.get("sessions") or 0)
    return ngettext("%(n)d session ended", "%(n)d sessions ended", number) % {"n": number}


def _mode(facts: Facts) -> str:
    mode = facts.get("mode")
    return _("Mode: %(mode)s") % {"mode": words.of(Mode, str(mode)) if mode in Mode.values else mode}


def _schedule(facts: Facts) -> str:
    after = facts.get("after") or {}
    return _("Schedule of “%(flow)s” changed: %(schedule)s") % {
        "flow": flow_words.title(str(facts.get("kind"))),
        "schedule": after.get("words") or after.get("cron") or after.get("every") or "–",
    }


def _switched(facts: Facts) -> str:
    flow = {"flow": flow_words.title(str(facts.get("kind")))}
    return _("“%(flow)s” switched on") % flow if facts.get("on") else _("“%(flow)s” switched off") % flow


def _mapped(facts: Facts) -> str:
    what = {"what": facts.get("external_id", ""), "ours": facts.get("ours", "")}
    return _("“%(what)s” mapped to “%(ours)s”") % what if facts.get("ours") else _("“%(what)s” no longer mapped") % what


def _counted(text: Any, name: str) -> Callable[[Facts], str]:
    """A sentence that counts what is listed under `name`."""

    def said(facts: Facts) -> str:
        value = facts.get(name)
        return str(text % {"n": value if isinstance(value, int) else len(value or ())})

    return said


#: Sentences with facts put in.
WORDS: dict[str, Any] = {
    "accounts.owner.expected": gettext_lazy("The hub waits for its first owner"),
    "accounts.person.made": gettext_lazy("%(email)s may sign in, as %(role)s"),
    "accounts.person.renamed": gettext_lazy("Name changed from “%(before)s” to “%(after)s”"),
    "accounts.person.password_changed": gettext_lazy("Password changed"),
    "accounts.person.connected": gettext_lazy("Connected with single sign-on"),
    "accounts.second_factor.turned_on": gettext_lazy("Second factor turned on"),
    "accounts.second_factor.turned_off": gettext_lazy("Second factor turned off"),
    "accounts.second_factor.taken_away": gettext_lazy("Second factor taken away"),
    "accounts.second_factor.codes_made": gettext_lazy("New recovery codes made"),
    "accounts.second_factor.refused": gettext_lazy("Wrong code of the second factor"),
    "accounts.invitation.made": gettext_lazy("Invited %(email)s, as %(role)s"),
    "accounts.invitation.renewed": gettext_lazy("New link for the invitation of %(email)s"),
    "accounts.invitation.revoked": gettext_lazy("Invitation of %(email)s taken back"),
    "accounts.invitation.accepted": gettext_lazy("%(email)s accepted the invitation, as %(role)s"),
    "accounts.token.made": gettext_lazy("API token “%(name)s” made, for %(scopes)s"),
    "accounts.token.revoked": gettext_lazy("API token “%(name)s” revoked"),
    "alerts.destination.saved": gettext_lazy("Alerts to “%(name)s” (%(service)s) changed"),
    "alerts.destination.removed": gettext_lazy("No more alerts to “%(name)s” (%(service)s)"),
    "personal.customer.exported": gettext_lazy("What is kept about a customer was exported"),
    "personal.customer.erased": gettext_lazy("A customer was erased"),
    "channels.channel.connected": gettext_lazy("Channel connected"),
    "channels.channel.corrected": gettext_lazy("Credentials changed: %(fields)s"),
    "channels.channel.start_chosen": gettext_lazy("Sales come in from %(after)s"),
    "channels.channel.paused": gettext_lazy("Writes paused"),
    "channels.channel.resumed": gettext_lazy("Writes resumed"),
    "channels.channel.chosen": gettext_lazy("What happens by itself was changed"),
    "offers.prices.ruled": gettext_lazy("Rules of prices at a selling point changed"),
    "offers.limits.changed": gettext_lazy("Buffer %(buffer)s, minimum %(minimum)s, maximum %(maximum)s"),
    "engine.run.cancelled": gettext_lazy("Run %(run)s cancelled"),
    "engine.findings.dealt_with": gettext_lazy("Finding dealt with: %(note)s"),
    "engine.backup.made": gettext_lazy("Backup made: %(file)s"),
    "engine.hub.restored": gettext_lazy("Restored from the backup of %(taken_at)s"),
    "staging.line.mapped": gettext_lazy("Line of a sale mapped to a variant"),
    "staging.total.accepted": gettext_lazy("Total of a sale accepted as it is"),
    "orders.order.moved": gettext_lazy("Order %(number)s: %(before)s → %(after)s"),
    "orders.order.cancelled": gettext_lazy("Order %(number)s cancelled: %(reason)s"),
    "orders.line.cancelled": gettext_lazy("Line of order %(number)s cancelled: %(quantity)s"),
    "orders.order.served": gettext_lazy("Order %(number)s served"),
    "orders.order.decided": gettext_lazy("Order %(number)s: a change at the channel was decided"),
    "orders.order.took_theirs": gettext_lazy("Order %(number)s: the channel's version was taken"),
    "shipments.shipment.shipped": gettext_lazy("Parcel of order %(number)s booked"),
    "shipments.shipment.tracking_changed": gettext_lazy("Tracking of order %(number)s: %(tracking)s"),
    "inventory.stock.received": gettext_lazy("Goods received"),
    "inventory.stock.booked": gettext_lazy("Stock booked"),
    "inventory.stock.counted": gettext_lazy("Stock counted"),
    "inventory.stock.transferred": gettext_lazy("Stock transferred"),
    "inventory.stock.rebased": gettext_lazy("Stock initialised again"),
    "inventory.stock.shipped": gettext_lazy("Stock shipped"),
    "inventory.stock.reserved": gettext_lazy("Stock reserved"),
    "inventory.stock.released": gettext_lazy("Stock released"),
    "inventory.stock.picked": gettext_lazy("Stock picked"),
    "inventory.stock.held": gettext_lazy("Stock held"),
    "inventory.holds.released": gettext_lazy("Holds released"),
    "inventory.holds.expired": gettext_lazy("Holds expired"),
    "inventory.warehouse.created": gettext_lazy("Warehouse made"),
    "inventory.warehouse.renamed": gettext_lazy("Warehouse renamed"),
    "purchasing.supplier.created": gettext_lazy("Supplier %(code)s written down"),
    "purchasing.supplier.changed": gettext_lazy("Supplier changed: %(fields)s"),
    "purchasing.suppliers.imported": gettext_lazy("Suppliers came in: %(created)s new, %(changed)s changed"),
    "purchasing.product.linked": gettext_lazy("A supplier sells one thing more"),
    "purchasing.product.changed": gettext_lazy("What a supplier sells changed: %(fields)s"),
    "purchasing.product.unlinked": gettext_lazy("A supplier no longer sells something"),
    "purchasing.products.imported": gettext_lazy("What suppliers sell came in: %(created)s new, %(changed)s changed"),
    "catalog.page.imported": gettext_lazy("Products imported"),
    "catalog.variant.composed": gettext_lazy("Kit or alias changed"),
    "catalog.field.owned": gettext_lazy("Who decides on a field was changed"),
}
#: Those that facts decide on.
WORKED_OUT: dict[str, Callable[[Facts], str]] = {
    "accounts.person.changed": _changed,
    "accounts.person.signed_in": _signed_in,
    "accounts.person.sign_in_failed": _failed,
    "accounts.person.sso_refused": _sso_refused,
    "accounts.sessions.ended": _sessions,
    "accounts.second_factor.required": _required,
    "channels.channel.mode_changed": _mode,
    "offers.mapping.changed": _mapped,
    "offers.told.forgotten": _counted(
        ngettext_lazy("%(n)d offer is told again", "%(n)d offers are told again", "n"), "offers"
    ),
    "engine.flow.scheduled": _schedule,
    "engine.flow.switched": _switched,
    "staging.sales.approved": _counted(ngettext_lazy("%(n)d sale approved", "%(n)d sales approved", "n"), "staged"),
    "staging.sales.rejected": _counted(ngettext_lazy("%(n)d sale rejected", "%(n)d sales rejected", "n"), "staged"),
    "orders.orders.placed": _counted(ngettext_lazy("%(n)d order placed", "%(n)d orders placed", "n"), "orders"),
    "catalog.variant.created": _counted(ngettext_lazy("%(n)d variant made", "%(n)d variants made", "n"), "variants"),
    "catalog.variant.changed": _counted(
        ngettext_lazy("%(n)d variant changed", "%(n)d variants changed", "n"), "variants"
    ),
    "catalog.variant.priced": _counted(
        ngettext_lazy("Price of %(n)d variant changed", "Prices of %(n)d variants changed", "n"), "variants"
    ),
    "catalog.variant.retired": _counted(
        ngettext_lazy("%(n)d variant retired", "%(n)d variants retired", "n"), "variants"
    ),
    "catalog.variant.unretired": _counted(
        ngettext_lazy("%(n)d variant brought back", "%(n)d variants brought back", "n"), "variants"
    ),
}


class _Shown(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "–"


def told(name: str, facts: Facts) -> str:
    """The event as a sentence."""
    if worded := WORKED_OUT.get(name):
        return worded(facts)
    if name not in WORDS:
        return " ".join(part.replace("_", " ") for part in name.split(".")).capitalize()
    return str(WORDS[name]) % _Shown({key: _text(key, value) for key, value in facts.items()})


def _text(key: str, value: Any) -> str:
    if key == "role":
        return str(_role(value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value in (None, "") else str(value)

"""Findings and anomalies in words: what it is, why, and what to do, with the page where it is cured.

A finding keeps a code and facts; this table turns them into sentences in the reader's language. A code without words
here still shows, by its name and its facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from comptoir.channels import registry
from comptoir.channels.records import SaleState
from comptoir.staging.rules import Rule


@dataclass(frozen=True)
class Words:
    """`what` and `cure` may name facts as %(fact)s; `page` says where it is cured."""

    what: Any
    cure: Any = ""
    page: str = "channel"  # channel, mappings, settings, flows, staging, order, subject
    name: Any = ""  # where there are no facts; see KINDS


#: What a status of a channel makes of a sale, for forms.
RULES = (
    (Rule.VALID.value, _("Import as valid")),
    (Rule.INVOICE.value, _("Import and invoice")),
    (Rule.HOLD.value, _("Import and hold")),
    (Rule.COMPLETE.value, _("Import and complete")),
    (Rule.HISTORY.value, _("Import as history")),
    (Rule.CANCEL.value, _("Import and cancel")),
    (Rule.RETRY.value, _("Wait and look again")),
    (Rule.NONE.value, _("Do not import")),
)

WORDS: dict[str, Words] = {
    # sales that wait
    "unmapped_status": Words(
        _("The status “%(name)s” says nothing about payment"),
        _("Say what such a sale becomes. Every sale with this status goes on."),
        "staging",
    ),
    "unknown_point": Words(
        _("Sold at “%(point)s”, a place that is not connected"),
        _("Look around again at the channel, or give the place its warehouses."),
        "settings",
    ),
    "no_warehouse": Words(
        _("Its selling point has no warehouse"), _("Choose the warehouses that it sells from."), "settings"
    ),
    "unknown_currency": Words(
        _("The currency “%(currency)s” is not known"), _("Correct it at the shop, or reject the sale."), "staging"
    ),
    "no_lines": Words(_("Nothing was bought"), _("Look at the sale at the shop, or reject it."), "staging"),
    "unknown_sku": Words(
        _("No variant of yours is “%(sku)s”"),
        _("Say which variant it is. It is remembered for the next sale."),
        "staging",
    ),
    "kit_without_parts": Words(
        _("“%(sku)s” is a kit without parts: nothing would be reserved"),
        _("Give the kit its parts, then accept the sale."),
        "staging",
    ),
    "bad_quantity": Words(
        _("The quantity %(quantity)s of “%(sku)s” is not possible"),
        _("Correct the sale at the shop, or reject it."),
        "staging",
    ),
    "unbelievable_amount": Words(
        _("A price, quantity or tax is larger than one sale could hold"),
        _("Correct the sale at the shop, or reject it."),
        "staging",
    ),
    "negative_price": Words(
        _("A price is below zero"), _("Correct it at the shop; the next run reads it again."), "staging"
    ),
    "unknown_carrier": Words(
        _("No carrier of yours is mapped to the shipping method “%(name)s”"),
        _("Say which carrier it is. This sale and all others with it go on."),
        "staging",
    ),
    "total_differs": Words(
        _("Lines and charges make %(parts)s, the total says %(total)s %(currency)s"),
        _(
            "Look for what is missing. The channel's total can be taken as it is: the difference becomes a rounding line."
        ),
        "staging",
    ),
    "future_date": Words(
        _("It claims to be placed in the future"), _("Check the clock and the time zone of the shop."), "settings"
    ),
    "no_origin": Words(
        _("A cancellation or refund of %(total)s %(currency)s belongs to no sale that is known: %(goods)s"),
        _("Find out which sale it belongs to, then reject it."),
        "staging",
    ),
    "not_enough": Words(
        _("It has left there, but there is not enough here to book it out"),
        _("Receive or adjust what is missing, then accept it again."),
        "staging",
    ),
    "sale_unpaid": Words(_("Waits for its payment"), _("Nothing: it is looked at again by itself."), "staging"),
    "sale_not_imported": Words(_("Not imported, by the rule for its status"), "", "staging"),
    "sale_given_up": Words(_("Never paid: given up"), _("Nothing: a late payment opens it again."), "staging"),
    "sale_gone": Words(_("The sale is no longer at the channel"), "", "staging"),
    # orders
    "cancelled_there": Words(_("Cancelled at the channel; its units are free again"), "", "order"),
    "cancelled_there_while_prepared": Words(
        _("Cancelled at the channel while somebody prepared it"), _("Put the goods back on the shelf."), "order"
    ),
    "cancelled_there_after_leaving": Words(
        _("Cancelled at the channel after goods had left"),
        _("Take the goods back, or refuse the cancellation at the shop."),
        "order",
    ),
    "shipped_there": Words(_("Shipped with the shop's own screen; booked here"), "", "order"),
    "shipped_there_unbooked": Words(
        _("Shipped with the shop's own screen; not booked here yet"), _("Book what has left."), "order"
    ),
    "shipped_there_while_held": Words(
        _("Shipped at the shop while it was on hold here"), _("Look at why it was held."), "order"
    ),
    "shipped_there_cancelled_here": Words(
        _("Shipped at the shop although it is cancelled here"),
        _("Book what left as an adjustment, or stop the parcel."),
        "order",
    ),
    "cancelled_here_only": Words(_("Cancelled here, not at the channel"), _("Cancel it there, too."), "order"),
    "order_gone_there": Words(
        _("The channel no longer has this order"),
        _("Look for it at the shop. If it is gone for good, cancel it here, or ship it as it is."),
        "order",
    ),
    "line_cancelled_here_only": Words(
        _("Cancelled here, and still sold at the channel: %(units)s"),
        _("Take it out or refund it there, too."),
        "order",
    ),
    "reopened_there": Words(_("The channel took its cancellation back"), _("Take theirs, or keep ours."), "order"),
    "unpaid_there": Words(_("No longer paid at the channel"), _("Let it go on, or cancel it."), "order"),
    "unpaid_there_after_leaving": Words(
        _("No longer paid at the channel, and goods have left"), _("Ask for the money, or for the goods."), "order"
    ),
    "refunded_there": Words(_("Refunded at the channel"), _("Cancel it, or let it go on."), "order"),
    "refunded_after_leaving": Words(_("Refunded at the channel after it had left"), "", "order"),
    "changed_there": Words(
        _("Lines, address or amounts changed at the channel"),
        _("Compare both versions and decide; preparation waits until then."),
        "order",
    ),
    "changed_there_after_leaving": Words(_("Changed at the channel after it had left"), "", "order"),
    # channels and runs
    "not_let_in": Words(
        _("The channel refuses our key"),
        _("Correct the key or its rights at the channel, then run any flow."),
        "settings",
    ),
    "right_missing": Words(
        _("The key lacks the right “%(right)s”"), _("Give the key this right at the shop."), "settings"
    ),
    "channel_unreachable": Words(
        _("The channel does not answer"),
        _("It is tried again by itself. If it stays, ask whoever hosts the shop."),
        "flows",
    ),
    "not_understood": Words(
        _("An answer of the channel could not be understood"),
        _("The answer is kept. Tell the developers of this connector."),
        "flows",
    ),
    "writes_refused": Words(
        _("Nothing is written: the channel is in test mode or paused"), _("Preview the flow, then go live."), "settings"
    ),
    "run_failed": Words(
        _("A run stopped by an error of ours"), _("Run it again; if it stays, the run shows what broke."), "flows"
    ),
    "run_gave_up": Words(
        _("A run ended its worker again and again and was given up"), _("Look at the run, then run it again."), "flows"
    ),
    "run_unbalanced": Words(_("A run saw more or less than it accounted for"), _("Look at its balance line."), "flows"),
    "restored": Words(
        _("The hub came back from a backup: nothing is written to this channel until you resume it"),
        _("Let the orders since then come in, count what moved meanwhile, look at the preview, then resume writes."),
        "settings",
    ),
    "credentials_unreadable": Words(
        _("The credentials of this channel cannot be read with the secret key of this hub"),
        _("Bring the old secret key back, or type the credentials again."),
        "settings",
    ),
    "no_public_address": Words(
        _("Webhooks cannot come in: this hub has no public address"),
        _("Polling goes on. Set COMPTOIR_PUBLIC_URL to an address that the shop can reach."),
        "webhooks",
    ),
    "no_webhook_secret": Words(
        _("Webhooks cannot be verified: the secret that the shop signs them with is not known"),
        _("Polling goes on. Type the secret among the channel's credentials."),
        "settings",
    ),
    "webhooks_dropped": Words(
        _("The shop had stopped announcing %(topics)s"),
        _("Nothing: it was asked again, and polling went on meanwhile."),
        "webhooks",
    ),
    "webhook_refused": Words(
        _("The shop refuses to announce “%(topic)s”: %(reason)s"),
        _("Give the key this right at the shop, or see that it can reach the public address."),
        "webhooks",
    ),
    "sales_missing": Words(
        _("%(sales)s sales of the shop had never come in: %(named)s"),
        _("They were fetched. Those that the shop would not give are to be looked at there."),
        "channel",
    ),
    "clock_ahead": Words(_("The clock of the shop is wrong"), _("Set the shop's clock and time zone."), "settings"),
    "advanced_stock_management": Words(
        _("The shop manages this stock in its own warehouses"),
        _("Turn advanced stock management off for it at the shop."),
        "settings",
    ),
    # what was read
    "product_without_sku": Words(
        _("A listing has no SKU; it was linked under a made-up code"), _("Give it a SKU at the shop."), "products"
    ),
    "image_missing": Words(_("A picture is missing at the channel"), "", "products"),
    "listing_gone": Words(_("A listing is gone from the channel"), "", "products"),
    "listings_left_out": Words(
        _("%(listings)s listings match nothing of yours and were left out, first “%(sku)s”: this channel only maps"),
        _("Match them by hand or by a file, or let the channel create the rest."),
        "offers",
    ),
    "listing_shrank": Words(
        _("The list of products shrank too much to be believed"),
        _("Check the shop. If it is right, run the flow again and confirm."),
        "flows",
    ),
    "malformed_row": Words(
        _("A row could not be read"), _("Correct it at the shop; the next run reads it again."), "flows"
    ),
    "malformed_sale": Words(
        _("A sale could not be read"), _("Correct it at the shop; the next run reads it again."), "flows"
    ),
    "unreadable_answer": Words(_("An answer could not be read"), _("It is asked for again at the next run."), "flows"),
    "junk_in_answer": Words(
        _("The shop mixes other text into its answers"),
        _("Turn off error display (debug mode) at the shop."),
        "settings",
    ),
    "unsaved_draft": Words(_("A product was never saved at the shop: left out"), "", "products"),
    "stock_computed_by_shop": Words(_("The shop computes this stock itself: it is not told"), "", "products"),
    # what is told
    "level_refused": Words(
        _("The channel refuses the level %(level)s: %(reason)s"),
        _("Correct the listing at the shop; it is told again by itself, later each time."),
        "offers",
    ),
    "suspicious_levels": Words(
        _("%(levels)s of %(of)s levels would turn to or from zero, and nothing here explains it"),
        _("Preview the levels. If they are right, let them through."),
        "offers",
    ),
    "price_refused": Words(
        _("The channel refuses the price %(price)s: %(reason)s"),
        _("Correct the listing at the shop, or give the key the right; it is told again by itself, later each time."),
        "offers",
    ),
    "price_rate_missing": Words(
        _("Prices in %(from)s cannot be told in %(to)s: no rate is stated"),
        _("State the rate in the settings of the channel, or choose a list in its currency."),
        "settings",
    ),
    "price_tax_missing": Words(
        _("Prices of tax class “%(tax)s” cannot be told: its rate is not known"),
        _("State its rate in the mappings, or let the key read the shop's tax rules."),
        "mappings",
    ),
    "suspicious_prices": Words(
        _("%(prices)s of %(of)s prices would change very much, %(sku)s from %(before)s to %(after)s"),
        _("Preview the prices. If they are right, let them through."),
        "settings",
    ),
    "prices_held": Words(
        _("The rules of prices changed: %(prices)s prices wait until somebody has seen what would be told"),
        _("Preview the prices. If they are right, let them through."),
        "settings",
    ),
    "tracking_refused": Words(
        _("The channel refuses a parcel: %(reason)s"), _("Confirm it with the shop's own screen."), "order"
    ),
    "tracking_unknown": Words(
        _("Whether the channel took a parcel is not known"), _("Nothing: it is asked before the parcel is told again.")
    ),
    "cancel_refused": Words(
        _("The channel refuses a cancellation: %(reason)s"), _("Cancel it with the shop's own screen."), "order"
    ),
    "cancel_unknown": Words(
        _("Whether the channel took a cancellation is not known"), _("Nothing: it is asked before it is told again.")
    ),
    "tracking_broken": Words(
        _("A parcel could not be told: %(error)s, %(reason)s"),
        _("It is tried again by itself, later each time. If it stays, tell the developers."),
        "order",
    ),
    "cancel_broken": Words(
        _("A cancellation could not be told: %(error)s, %(reason)s"),
        _("It is tried again by itself, later each time. If it stays, tell the developers."),
        "order",
    ),
    # suppliers
    "supplier_unknown": Words(
        _("The shop says what supplier %(supplier)s sells, who is not here"),
        _("Nothing: run “Suppliers”, and it is matched the next time."),
        "flows",
    ),
    "supplied_unknown": Words(
        _("A supplier sells %(listing)s, which is not here"),
        _("Nothing: run “All products”, and it is matched the next time."),
        "flows",
    ),
    "suppliers_shrank": Words(
        _("%(missing)s of %(of)s things that suppliers sell, or suppliers, are missing from the shop's list"),
        _("Check the shop. Nothing was marked as gone."),
        "flows",
    ),
    # stock and books
    "stock_differs": Words(
        _("The channel shows %(there)s, and would be told %(ours)s"),
        _("Tell it again, or adjust the stock here."),
        "offers",
    ),
    "opening_differs": Words(
        _("Counted as %(here)s already; this channel would have made it %(there)s"), "", "products"
    ),
    "negative_figure": Words(_("The channel shows %(figure)s, which is below zero; counted as none"), "", "products"),
    "promise_taken_back": Words(
        _("%(quantity)s promised to this order are gone; they wait for goods again"),
        _("Receive goods, or tell the customer."),
        "backorders",
    ),
    "units_out_of_nowhere": Words(
        _("%(quantity)s left although nobody had counted them in"),
        _("Count this variant: the missing units were booked in as a difference."),
        "products",
    ),
    "alert_not_delivered": Words(
        _("Alerts do not arrive at “%(name)s”: %(reason)s"),
        _("Try it out under Settings, Alerts, and correct its address. It is tried again by itself."),
        "alerts",
    ),
    "books_broken": Words(
        _("%(breaches)s times something is not as it must always be; first %(first)s at %(about)s"),
        _("Keep a copy of the database and tell the developers."),
        "flows",
    ),
    "facts_failed": Words(
        _("What a flow has to do could not be read: %(text)s"), _("Tell the developers; other flows go on."), "flows"
    ),
    "version_hidden": Words(
        _("The shop hides its version and is taken for an old one"),
        _("Type the version into the settings: levels are then written many at a time."),
        "settings",
    ),
    # products that could not be read whole
    "sku_empty": Words(_("A variant has no SKU"), _("Give it a SKU at the shop."), "products"),
    "duplicate_sku": Words(
        _("Two listings of the shop have the SKU “%(sku)s”"), _("Give each its own at the shop."), "products"
    ),
    "sku_differs": Words(
        _("The SKU is “%(ours)s” here and “%(theirs)s” at the shop"),
        _("Decide which is right and change the other."),
        "products",
    ),
    "barcode_taken": Words(
        _("The barcode %(barcode)s belongs to another variant"), _("Correct it at the shop or here."), "products"
    ),
    "name_empty": Words(_("A product has no name"), _("Give it a name at the shop."), "products"),
    "unit_unknown": Words(_("The unit “%(value)s” is not known"), _("Use piece, kg, m or l."), "products"),
    "value_too_long": Words(
        _("The field %(field)s holds more than %(most)s characters"), _("Shorten it at the shop."), "products"
    ),
    "not_a_number": Words(
        _("The field %(field)s holds “%(value)s”, which is no number that can be used"),
        _("Correct it at the shop."),
        "products",
    ),
    "price_list_unknown": Words(
        _("There is no price list “%(price_list)s”"), _("Look around again at the channel."), "settings"
    ),
    "product_unknown": Words(_("The product that it was linked to is gone"), _("Run “All products”."), "flows"),
    "variant_unknown": Words(_("The variant that it was linked to is gone"), _("Run “All products”."), "flows"),
    "product_without_variants": Words(
        _("A product has nothing that could be sold"), _("Look at its combinations at the shop."), "products"
    ),
    "part_unknown": Words(
        _("A pack contains “%(part)s”, which is not here"), _("Bring that product in, or correct the pack."), "products"
    ),
    "part_is_kit": Words(
        _("A pack contains “%(part)s”, which is a pack itself"), _("Name its parts one by one at the shop."), "products"
    ),
    "became_pack": Words(
        _("“%(sku)s” has become a pack at the shop; here it is counted itself"),
        _("Move its stock to its parts and make it a kit."),
        "products",
    ),
    "no_longer_pack": Words(
        _("“%(sku)s” is no longer a pack at the shop"), _("Make it a simple variant again and count it."), "products"
    ),
}


class _Facts(defaultdict[str, Any]):
    """Facts for a sentence; one that is missing reads as a dash, not as an error."""

    def __missing__(self, key: str) -> str:
        return "–"


def _of_cards() -> dict[str, Words]:
    """What only some kinds of channel say."""
    return _of(tuple(registry.kinds()))


@cache
def _of(kinds: tuple[str, ...]) -> dict[str, Words]:
    return {
        code: Words(_(said.what), _(said.cure) if said.cure else "", said.page, _(said.name) if said.name else "")
        for kind in kinds
        for code, said in registry.find(kind).says.items()
    }


def every() -> dict[str, Words]:
    """Every finding that has words, those of connectors too."""
    return {**_of_cards(), **WORDS}


def title(code: str, facts: Mapping[str, Any]) -> str:
    """What it is. Without facts: the sentence with dashes left out would mislead, so it names the kind."""
    words = _words(code)
    if words is None:
        return code.replace("_", " ").capitalize()
    if not facts and "%(" in str(words.what):
        return str(KINDS.get(code) or words.name or code.replace("_", " ").capitalize())
    return str(words.what) % _Facts(
        str, {key: _short(value) for key, value in facts.items() if value not in ("", None)}
    )


def _words(code: str) -> Words | None:
    return WORDS.get(code) or _of_cards().get(code)


#: What findings are about, before the id of it.
SUBJECTS = {
    "sale": _("sale"),
    "order": _("order"),
    "product": _("product"),
    "listing": _("listing"),
    "image": _("picture"),
    "variant": _("variant"),
    "offer": _("offer"),
    "channel": _("channel"),
    "flow": _("flow"),
    "run": _("run"),
    "supplier": _("supplier"),
    "supplier_link": _("supplied product"),
    "shipment": _("parcel"),
    "warehouse": _("warehouse"),
    "point": _("selling point"),
    "tax": _("tax class"),
    "rate": _("rate"),
    "file": _("file"),
}


def about(subject: str) -> str:
    """What a finding is about, as people say it; a kind that has no word as it is kept."""
    kind, _colon, key = subject.partition(":")
    return f"{SUBJECTS[kind]} {key}".strip() if kind in SUBJECTS else subject


def _short(value: Any) -> Any:
    """Somebody else's words within a sentence of ours: not longer than the sentence."""
    return Truncator(value).chars(60) if isinstance(value, str) else value


#: What the connector reads from a status of the channel.
MEANINGS = {
    SaleState.UNPAID: _("not paid or not valid yet"),
    SaleState.PAID: _("paid: may be prepared"),
    SaleState.SHIPPED: _("shipped"),
    SaleState.CANCELLED: _("cancelled"),
    SaleState.REFUNDED: _("refunded"),
    SaleState.UNKNOWN: _("nothing"),
}

#: Names of kinds whose sentence needs facts, for filters and groups.
KINDS = {
    "unmapped_status": _("Status without a rule"),
    "alert_not_delivered": _("Alerts do not arrive"),
    "unknown_point": _("Selling point not connected"),
    "unknown_currency": _("Unknown currency"),
    "unknown_sku": _("Unknown SKU"),
    "bad_quantity": _("Impossible quantity"),
    "unknown_carrier": _("Carrier not mapped"),
    "total_differs": _("Total does not add up"),
    "right_missing": _("Right missing"),
    "line_cancelled_here_only": _("Line cancelled here, not at the channel"),
    "kit_without_parts": _("Kit without parts"),
    "level_refused": _("Level refused"),
    "no_origin": _("Refund of an unknown sale"),
    "suspicious_levels": _("Suspicious levels"),
    "price_refused": _("Price refused"),
    "price_rate_missing": _("Rate between currencies missing"),
    "price_tax_missing": _("Tax rate missing"),
    "suspicious_prices": _("Suspicious prices"),
    "prices_held": _("Prices by other rules"),
    "supplier_unknown": _("Supplier not here"),
    "supplied_unknown": _("Supplied product not here"),
    "suppliers_shrank": _("List of suppliers shrank"),
    "tracking_refused": _("Parcel refused"),
    "cancel_refused": _("Cancellation refused"),
    "tracking_broken": _("Parcel not told"),
    "cancel_broken": _("Cancellation not told"),
    "stock_differs": _("Stock differs at the channel"),
    "opening_differs": _("Opening stock differs at a channel"),
    "negative_figure": _("Figure below zero"),
    "promise_taken_back": _("Promised units gone"),
    "units_out_of_nowhere": _("Units that nobody had counted in"),
    "sales_missing": _("Sales never came in"),
    "webhooks_dropped": _("Webhooks dropped by the shop"),
    "webhook_refused": _("Webhook refused"),
    "books_broken": _("The books do not add up"),
    "facts_failed": _("Work of a flow could not be read"),
    "listings_left_out": _("Listings left out"),
    "duplicate_sku": _("Two listings with one SKU"),
    "sku_differs": _("SKU differs at the shop"),
    "barcode_taken": _("Barcode of another variant"),
    "unit_unknown": _("Unknown unit"),
    "value_too_long": _("Field too long"),
    "not_a_number": _("Not a usable number"),
    "price_list_unknown": _("Unknown price list"),
    "part_unknown": _("Unknown part of a pack"),
    "part_is_kit": _("Pack within a pack"),
    "became_pack": _("Has become a pack"),
    "no_longer_pack": _("No longer a pack"),
}


def cure(code: str, facts: Mapping[str, Any]) -> str:
    """What to do about it; empty where nobody needs to act."""
    words = _words(code)
    return str(words.cure) % _Facts(str, facts) if words else ""


def anomaly(one: Mapping[str, Any]) -> dict[str, Any]:
    """An anomaly of a staged sale, in words."""
    code, facts = str(one.get("code", "")), one.get("facts") or {}
    return {"code": code, "title": title(code, facts), "cure": cure(code, facts)}


def place(code: str, channel_code: str | None) -> tuple[str, str]:
    """Where it is cured: address and the words of the link."""
    known = _words(code)
    page = known.page if known is not None else "channel"
    if page == "staging":
        return f"{reverse('staging')}?anomaly={code}" if code in KINDS else reverse("staging"), gettext("Open staging")
    if page == "order":
        return f"{reverse('orders')}?tab=changed", gettext("Open orders")
    if page == "backorders":
        return f"{reverse('orders')}?tab=backorder", gettext("Open backorders")
    if page == "products":
        return reverse("variants"), gettext("Open products")
    if page == "alerts":
        return reverse("alerts"), gettext("Open alerts")
    if channel_code is None:
        return reverse("runs"), gettext("Open runs")
    if page in ("settings", "flows", "mappings", "offers", "webhooks"):
        words = {
            "webhooks": gettext("Open webhooks"),
            "offers": gettext("Open offers"),
            "settings": gettext("Open settings"),
            "flows": gettext("Open flows"),
            "mappings": gettext("Open mappings"),
        }
        return reverse(f"channel_{page}", args=[channel_code]), words[page]
    return reverse("channel", args=[channel_code]), gettext("Open the channel")

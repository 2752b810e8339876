"""Why a connection was refused, in the words of the person who typed it in, and at which field they can do something."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from comptoir.channels.addresses import AddressRefused
from comptoir.channels.connector import Connector
from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood, TryLater
from comptoir.kit.errors import BadInput, ComptoirError
from comptoir.web import answers

READING = ("GET", "HEAD")


def explain(error: ComptoirError, card: Connector) -> tuple[str, str]:
    """The field that is to blame, and what to say there."""
    address, secret = address_field(card), secret_field(card)
    match error:
        case BadInput():
            place = str(error.facts.get("place", ""))
            names = {field.name for field in card.fields}
            return (place if place in names else address), _bad_input(error, place)
        case AddressRefused():
            return address, _address_refused(error.facts)
        case NotLetIn():
            return _not_let_in(error.facts, card, address, secret)
        case Missing():
            words = _("Nothing at this address answers as %(kind)s. Is it the address of the shop's front page?")
            return address, words % {"kind": card.title}
        case NotUnderstood():
            return address, _not_understood(error, card)
        case TryLater():
            return address, _no_answer(error)
    return address, _("The shop said no: %(text)s") % {"text": _short(error.facts.get("reason") or error)}


def address_field(card: Connector) -> str:
    """Where the address is typed."""
    return next((field.name for field in card.fields if field.kind == "url"), card.fields[0].name)


def secret_field(card: Connector) -> str:
    """Where the key is typed."""
    return next((field.name for field in card.fields if field.secret), card.fields[0].name)


def lacking(rights: tuple[str, ...]) -> list[str]:
    """Rights that a key lacks, as sentences: what it may not read, and what it may not change."""
    reads = [name for name, method in map(_parted, rights) if method in READING]
    writes = [name for name, method in map(_parted, rights) if method not in READING]
    said = []
    if reads:
        said.append(_("The key may not read: %(names)s.") % {"names": ", ".join(reads)})
    if writes and not reads:
        said.append(_("The key may only read. It may not change: %(names)s.") % {"names": ", ".join(writes)})
    elif writes:
        said.append(_("The key may not change: %(names)s.") % {"names": ", ".join(writes)})
    return said


def _parted(right: str) -> tuple[str, str]:
    name, _colon, method = right.partition(": ")  # a right may have colons in its name: "Magento_Sales::ship: GET"
    return name, method.strip()


def _bad_input(error: BadInput, place: str) -> str:
    if not error.facts.get("value"):
        return _("Please fill this in.")
    facts = {name: fact for name, fact in error.facts.items() if name != "place"}
    return answers.words(BadInput(str(error), **facts)) if place else answers.words(error)


def _address_refused(facts: dict[str, Any]) -> str:
    match facts.get("why"):
        case "private":
            words = _(
                "%(host)s is at %(address)s, inside a private network. A hub calls only public addresses, unless"
                " whoever runs it allows others with COMPTOIR_ALLOW_PRIVATE_ADDRESSES."
            )
            return words % {"host": facts.get("host", ""), "address": facts.get("address", "")}
        case "credentials":
            return _("An address must not hold a user name or a password: type them into their own fields.")
        case _:
            return _("This is not a web address. It begins with https://, as in https://shop.example.")


def _not_let_in(facts: dict[str, Any], card: Connector, address: str, secret: str) -> tuple[str, str]:
    right = str(facts.get("right", ""))
    if facts.get("hint") == "authorization_dropped":
        words = _(
            "The web server of the shop takes the key away before the shop sees it: let it pass “Authorization” on."
        )
        return secret, words
    if facts.get("hint") == "bearer_refused" and right == "key":
        words = _(
            "The shop does not take this token by itself. Type in all four keys of the integration, or allow tokens alone"
            " there: Stores → Configuration → Services → OAuth → Consumer Settings."
        )
        return secret, words
    if facts.get("hint") == "permalinks_off":
        words = _(
            "The shop does not rewrite its addresses. Choose another form of permalinks there, or type %(address)s here."
        )
        return address, words % {"address": facts.get("address", "")}
    if facts.get("hint") == "firewall":
        words = _(
            "A firewall of the shop or its host answers instead of the shop: let the address of this hub through."
        )
        return address, words
    if right == "webservice":
        return address, _("The shop has its webservice switched off. Switch it on there, then try again.")
    if right == "shop":
        field = next((one.name for one in card.fields if one.name == "shops"), secret)
        return field, _("The key may not see this shop: give it the shop, or leave the shop out here.")
    if right.partition(":")[0].strip() not in ("", "key"):
        return secret, _("The key lacks the right “%(right)s”. Give it this right at the shop, then try again.") % {
            "right": right
        }
    return secret, _("The shop refuses this key. Copy it again, whole, and see that it is switched on there.")


def _not_understood(error: NotUnderstood, card: Connector) -> str:
    if location := str(error.facts.get("location", "")):
        parts = urlsplit(location)
        leads = f"{parts.scheme}://{parts.netloc}" if parts.netloc else location
        return _("This address leads on to %(address)s. If that is the shop, type that one.") % {
            "address": _short(leads)
        }
    if "status" in error.facts:
        return _("What answers at this address is not %(kind)s: the answer makes no sense.") % {"kind": card.title}
    return _("The shop answered what cannot be understood: %(text)s") % {"text": _short(error)}


def _no_answer(error: TryLater) -> str:
    facts = error.facts
    host = str(facts.get("host") or urlsplit(str(facts.get("url", ""))).hostname or "")
    status = int(facts.get("status") or 0)
    if status == 429:
        return _("The shop asks us to be slower. Try again in a minute.")
    if status:
        words = _("The shop answers with an error of its own (%(status)s). Try again when it is well.")
        return words % {"status": status}
    if "status" in facts:
        words = _("%(host)s does not answer: %(text)s. Is the shop up, and may this hub reach it?")
        return words % {"host": host, "text": _short(facts.get("text", ""))}
    if host:
        return _("There is no host called %(host)s. Look for a slip in the address.") % {"host": host}
    return _("Too many tries at once. Try again in a minute.")


def _short(text: object) -> str:
    return str(text)[:160].rstrip(".")

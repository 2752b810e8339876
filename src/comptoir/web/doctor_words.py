"""The doubts of the mapping doctor in words: what does not fit, and what it is ranked by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from comptoir.kit.money import Unit
from comptoir.offers.models import Basis, Doubt
from comptoir.web import cells, words

KINDS = {
    "same_sku": _("Two listings with one SKU"),
    "no_sku": _("No SKU there"),
    "same_barcode": _("Two listings with one barcode"),
    "barcode_elsewhere": _("SKU and barcode disagree"),
    "second_listing": _("A second listing of one variant"),
    "pack_suspected": _("Another unit or pack"),
    "only_there": _("Only there"),
    "only_here": _("Only here"),
    "currency_differs": _("Another currency"),
    "clock_differs": _("A clock that is wrong"),
}
SENTENCES = {
    "same_sku": _("“%(sku)s” is the SKU of %(other)s, too"),
    "no_sku": _("Listing %(listing)s has no SKU there"),
    "same_barcode": _("The barcode %(barcode)s is on %(other)s, too"),
    "barcode_elsewhere": _("By its SKU it is %(ours)s, by its barcode %(barcode)s it is %(other)s"),
    "second_listing": _("It would be %(ours)s, which listing %(other)s is already"),
    "only_here": _("%(sku)s is not listed there"),
    "currency_differs": _("Its prices are in %(theirs)s, yours in %(ours)s"),
    "clock_differs": _("Its clock is %(seconds)s seconds off"),
}
PACKS = {
    "words": _("It speaks of %(there)s pieces, %(ours)s of %(here)s"),
    "price": _(
        "It costs %(ratio)s times as much or as little as %(ours)s: %(price)s there, %(our_price)s here (%(currency)s)"
    ),
    "unit": _("It is sold by another unit: %(there)s there, %(here)s here"),
}


class _Facts(defaultdict[str, Any]):
    """Facts for a sentence; one that is missing reads as a dash."""

    def __missing__(self, key: str) -> str:
        return cells.NOTHING


def kind(code: str) -> Any:
    """What doubts of a code are called."""
    return KINDS.get(code, code)


def sentence(code: str, facts: Mapping[str, Any]) -> str:
    """What does not fit."""
    shown = _Facts(str, {key: _short(value) for key, value in facts.items() if value not in ("", None)})
    if code == "pack_suspected":
        if facts.get("why") == "unit":
            shown |= {name: words.WORDS[Unit].get(str(facts.get(name)), facts.get(name)) for name in ("there", "here")}
        return str(PACKS.get(str(facts.get("why")), KINDS["pack_suspected"])) % shown
    if code == "only_there":
        creates = facts.get("creates") and not facts.get("own_sku")
        return (
            gettext("Nothing of yours matches it: it will be created")
            if creates
            else gettext("Nothing of yours matches it")
        )
    return str(SENTENCES.get(code, code)) % shown


def _short(value: Any) -> Any:
    return Truncator(value).chars(60) if isinstance(value, str) else value


def basis(row: Doubt) -> str:
    """What a doubt is ranked by."""
    number = int(row.units.to_integral_value())
    figure = {"n": cells.quantity(row.units)}
    match row.basis:
        case Basis.SALES:
            return ngettext("%(n)s sold there in 90 days", "%(n)s sold there in 90 days", number) % figure
        case Basis.STOCK:
            return ngettext("%(n)s in stock", "%(n)s in stock", number) % figure
    return gettext("neither sold nor in stock")


def worded(row: Doubt) -> Doubt:
    """A doubt with its words, for pages."""
    row.kind_words = kind(row.code)  # type: ignore[attr-defined]
    row.words = sentence(row.code, row.facts)  # type: ignore[attr-defined]
    row.basis_words = basis(row)  # type: ignore[attr-defined]
    return row

"""The values of `web.cells` for templates."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django import template
from django.utils.safestring import SafeString
from heroicons.templatetags.heroicons import heroicon_outline

from comptoir.accounts.rights import Right, allows
from comptoir.channels import registry
from comptoir.web import cells, flow_words, lists, words

register = template.Library()


@register.filter
def moment(at: datetime | None) -> str:
    """A time as people say it."""
    return cells.moment(at)


@register.filter
def quantity(value: Decimal | None) -> str:
    """A quantity without trailing zeros."""
    return cells.quantity(value)


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency."""
    return cells.money(amount, currency)


@register.filter
def or_more(number: int) -> str:
    """A count as far as lists count."""
    return lists.counted(number)


@register.filter
def lasting(seconds: float) -> str:
    """A length of time."""
    return cells.duration(float(seconds))


@register.filter
def name(words: str) -> SafeString:
    """Somebody else's words, in their own direction."""
    return cells.name(words)


@register.simple_tag
@cache  # a page has a dozen, and drawing one takes as long as a row of its table
def icon(name: str, size: int) -> str:
    """A drawing beside words that say the same, hidden from people who listen."""
    return heroicon_outline(name, size=size, aria_hidden="true")


@register.simple_tag
def badge(state: str, words: Any) -> SafeString:
    """A state as a shape with its word."""
    return cells.badge(state, words)


@register.filter
def may(user: object, right: str) -> bool:
    """Whether somebody has a right: what they may not do is not shown."""
    return allows(user, Right(right))


@register.filter
def plain(value: Decimal | None) -> str:
    """A quantity as a form takes it back: no grouping, no trailing zeros."""
    return cells.plain(value)


@register.filter
def label(value: str, kind: str) -> Any:
    """The word for a state or kind."""
    return words.named(kind, value)


@register.filter
def who(row: flow_words.Acted) -> str:
    """Who did what a row tells."""
    return flow_words.who(row)


@register.filter
def planned(name: str) -> Any:
    """A kind or field of what a preview would write."""
    return words.planned(name)


@register.filter
def counted(value: int) -> str:
    """A count, its thousands set apart."""
    return cells.number(value)


@register.filter
def connector(kind: str) -> str:
    """How a kind of channel is called; one whose connector is not installed any more by its code."""
    return registry.find(kind).title if kind in registry.kinds() else kind

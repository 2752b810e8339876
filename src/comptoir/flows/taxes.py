"""Tax classes of a channel, and the rate at which the hub adds tax to a price or takes it off: as a person states it, else as
the channel says. Whoever knows neither is asked, with a proposal where there is a sensible one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from comptoir.channels.models import Channel, Seen
from comptoir.channels.records import TaxClass
from comptoir.offers import prices
from comptoir.offers.models import Mapping

#: "FR Taux standard (20%)", "USt. 5,5 %": many shops write the rate into the name.
_IN_NAME = re.compile(r"(?<![\d.,])(\d{1,2}(?:[.,]\d{1,3})?)\s?%")


@dataclass(frozen=True, slots=True)
class Row:
    """One class. Rates in percent; `proposed` only where neither a person nor the channel says one."""

    external_id: str
    name: str
    stated: Decimal | None
    told: Decimal | None
    proposed: Decimal | None

    @property
    def rate(self) -> Decimal | None:
        """The one that the hub uses; None: a price that needs it waits."""
        return self.told if self.stated is None else self.stated


def told(channel: int) -> dict[str, Decimal]:
    """What a channel last said that it charges, by class."""
    return {one.external_id: one.rate for one in _classes(channel) if one.rate is not None}


def rows(channel: Channel) -> list[Row]:
    """The classes of a channel: those without a rate first, then by name."""
    stated, said = prices.tax_rates(channel.pk), told(channel.pk)
    known = dict(Mapping.objects.filter(channel=channel, kind="tax").values_list("external_id", "name"))
    elsewhere = _elsewhere(channel) if known.keys() - stated.keys() - said.keys() else {}
    found = []
    for key, name in known.items():
        is_open = key not in stated and key not in said
        proposed = _in_name(name) if is_open else None
        if is_open and proposed is None:
            proposed = elsewhere.get(name.casefold())
        found.append(Row(key, name, stated.get(key), said.get(key), proposed))
    return sorted(found, key=lambda row: (row.rate is not None, row.name.casefold(), row.external_id))


def names(channel: int) -> dict[str, str]:
    """How a channel calls its classes."""
    found = Mapping.objects.filter(channel=channel, kind="tax").exclude(name="")
    return dict(found.values_list("external_id", "name"))


def _classes(channel: int) -> list[TaxClass]:
    content = Seen.objects.filter(channel=channel).values_list("content", flat=True).first() or {}
    return msgspec.convert(content.get("tax_classes", []), list[TaxClass])


def _in_name(name: str) -> Decimal | None:
    found = _IN_NAME.findall(name)
    return Decimal(found[0].replace(",", ".")) if len(found) == 1 else None


def _elsewhere(channel: Channel) -> dict[str, Decimal]:
    """Rates of the classes of other channels by their names: those that sell in the same currency, as far as they agree."""
    others = Channel.objects.filter(currency=channel.currency, archived_at__isnull=True).exclude(pk=channel.pk)
    rates: dict[str, set[Decimal]] = {}
    for other in others.values_list("pk", flat=True):
        known = {**told(other), **prices.tax_rates(other)}
        for key, name in names(other).items():
            if key in known:
                rates.setdefault(name.casefold(), set()).add(known[key])
    return {name: next(iter(several)) for name, several in rates.items() if len(several) == 1}

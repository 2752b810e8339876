"""The named checks that decide what a staged sale waits for. Pure: a sale and what is known go in, anomalies come out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from comptoir.channels.records import LineKind, Sale, SaleLine
from comptoir.kit.money import Unit, fits_unit
from comptoir.offers.queries import PointSources
from comptoir.staging.models import State
from comptoir.staging.rules import Rule, rule_for

MOST = Decimal(100_000_000)  # of anything in one sale; far below what a column holds, so that one row fails alone
CLOCK_SLACK = timedelta(hours=26)  # a sale from further ahead means a wrong clock or zone, not a customer

#: Every anomaly and what it means: the docs and the words of the page are held to this list.
ANOMALIES = {
    "unmapped_status": "the channel's own flags do not say what this status means",
    "unknown_point": "made at a shop or location that is not connected",
    "no_warehouse": "its selling point has no warehouse to sell from",
    "unknown_currency": "the currency is not a three-letter code",
    "no_lines": "nothing was bought",
    "unknown_sku": "a line is linked to no variant, and neither SKU nor barcode finds one",
    "kit_without_parts": "a kit was sold whose parts are not known, so that nothing could be reserved for it",
    "bad_quantity": "a quantity is not above zero, or a fraction of a piece",
    "unbelievable_amount": "a price, quantity or tax is larger than anything one sale could hold",
    "negative_price": "a line costs less than nothing",
    "unknown_carrier": "its shipping method is mapped to no carrier",
    "total_differs": "lines, charges and discounts do not make the total, and no rounding explains it",
    "future_date": "it claims to be placed in the future",
    "no_origin": "it cancels or refunds a sale that is not known",
    "not_enough": "it has left there, but we do not count enough to book it out",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a page is examined; gathered once per page by `matching`."""

    by_listing: Mapping[str, int]
    by_sku: Mapping[str, int]  # lower-case SKU
    by_barcode: Mapping[str, int]
    doubtful: Collection[str]  # listings whose SKU another listing of the same channel has too
    hollow: Collection[int]  # kits none of whose parts are known
    units: Mapping[int, str]  # variant -> unit
    points: Mapping[str, PointSources]
    counting_since: Mapping[int, datetime | None]  # point -> when its stock was initialised
    statuses: Mapping[str, str]
    carriers: Mapping[str, str]
    explain: Callable[
        [Sale], Decimal | None
    ]  # what lines and charges leave open: 0, a rounding, or None if unexplained


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of the checks. `variants` maps each line that found one; `rounding` is the counted rounding line."""

    state: State
    rule: Rule | None
    anomalies: list[dict[str, Any]]
    variants: dict[str, int]
    point: PointSources | None
    rounding: Decimal = Decimal(0)
    carrier: str = ""
    codes: set[str] = field(default_factory=set)


def match(line: SaleLine, known: Known) -> int | None:
    """By link first, then SKU, then barcode, never by name."""
    if line.listing and line.listing in known.by_listing:
        return known.by_listing[line.listing]
    if line.listing in known.doubtful:
        return None
    if line.sku and line.sku.lower() in known.by_sku:
        return known.by_sku[line.sku.lower()]
    if line.barcode and line.barcode in known.by_barcode:
        return known.by_barcode[line.barcode]
    return None


def examine(sale: Sale, known: Known, repairs: Mapping[str, Any], *, at: datetime) -> Examined:
    """Run every check on a sale that is not an order yet."""
    anomalies: list[dict[str, Any]] = []

    def odd(code: str, line: str = "", **facts: Any) -> None:
        anomalies.append({"code": code, "line": line, "facts": facts})

    point = _point(sale, known)
    if sale.origin:
        rule = rule_for(sale, known.statuses.get(sale.status), counting_since=None, was_counted=False)
        goods = ", ".join(f"{abs(line.quantity).normalize():f} × {line.sku or line.name}" for line in sale.lines)
        odd("no_origin", origin=sale.origin, total=str(sale.total), currency=sale.currency, goods=goods[:500])
        # Amounts and quantities below zero are in its nature, and nothing is reserved for it: no more than this is wrong.
        return Examined(_state(rule, anomalies), rule, anomalies, {}, point, codes={"no_origin"})
    since = known.counting_since.get(point.id) if point else None
    was_counted = bool(repairs.get("was_counted"))
    rule = rule_for(sale, known.statuses.get(sale.status), counting_since=since, was_counted=was_counted)
    if rule is None:
        odd("unmapped_status", status=sale.status, name=sale.status_name)
    if point is None:
        odd("unknown_point", point=sale.selling_point)
    elif not point.warehouses:
        odd("no_warehouse", point=point.external_id)
    if len(sale.currency) != 3 or not sale.currency.isalpha():
        odd("unknown_currency", currency=sale.currency)
    if not sale.lines:
        odd("no_lines")
    if sale.placed_at > at + CLOCK_SLACK:
        odd("future_date", placed_at=sale.placed_at.isoformat())

    variants: dict[str, int] = {}
    for line in sale.lines:
        found = match(line, known)
        if found is not None:
            variants[line.external_id] = found
        elif line.kind in (LineKind.GOODS, LineKind.KIT):
            odd(
                "unknown_sku",
                line.external_id,
                listing=line.listing,
                sku=line.sku,
                barcode=line.barcode,
                name=line.name,
            )
        if found is not None and found in known.hollow:
            odd("kit_without_parts", line.external_id, sku=line.sku, listing=line.listing)
        if line.quantity <= 0 or (
            found is not None and not fits_unit(line.quantity, known.units.get(found, Unit.PIECE))
        ):
            odd("bad_quantity", line.external_id, quantity=str(line.quantity), sku=line.sku)
        if line.unit_price < 0 or line.total < 0:
            odd("negative_price", line.external_id, price=str(line.unit_price), sku=line.sku)

    amounts = [sale.total, sale.total_tax, *(one.amount for one in sale.charges), *(one.tax for one in sale.charges)]
    for line in sale.lines:
        amounts += [line.unit_price, line.total, line.tax, line.discount, line.quantity, line.tax_rate]
    if any(amount is not None and abs(amount) >= MOST for amount in amounts):
        odd("unbelievable_amount")

    carrier = known.carriers.get(sale.carrier, "")
    if sale.carrier and not carrier and any(line.kind in (LineKind.GOODS, LineKind.KIT) for line in sale.lines):
        odd("unknown_carrier", carrier=sale.carrier, name=sale.carrier_name)

    rounding = known.explain(sale)
    if rounding is None:
        if (accepted := repairs.get("accept_total")) is not None and Decimal(accepted) == sale.total:
            rounding = sale.total - parts(sale)
        else:
            odd("total_differs", total=str(sale.total), parts=str(parts(sale)), currency=sale.currency)

    return Examined(
        _state(rule, anomalies), rule, anomalies, variants, point, rounding or Decimal(0), carrier,
        {str(one["code"]) for one in anomalies},
    )  # fmt: skip


def parts(sale: Sale) -> Decimal:
    """What lines and charges come to."""
    return sum((line.total for line in sale.lines), Decimal(0)) + sum((one.amount for one in sale.charges), Decimal(0))


def _point(sale: Sale, known: Known) -> PointSources | None:
    if sale.selling_point in known.points:
        return known.points[sale.selling_point]
    if not sale.selling_point and len(known.points) == 1:
        return next(iter(known.points.values()))
    return None


def _state(rule: Rule | None, anomalies: list[dict[str, Any]]) -> State:
    if rule is Rule.NONE:
        return State.INFORMATION
    if rule is Rule.RETRY:
        return State.RETRY
    return State.REPAIR if anomalies else State.READY

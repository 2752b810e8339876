"""What a played year came to, day by day, from the hub's own books: enough to add everything up again outside the program."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as hour
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from comptoir.cli import once
from comptoir.cli.history_shop import RetailShop
from comptoir.kit import sql
from comptoir.simulators.retail import records
from comptoir.simulators.retail.supply import SHOP_ZONE

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

PENNY = Decimal("0.01")
NOTHING = Decimal(0)


@dataclass(slots=True)
class _Document:
    """An invoice number of the file, and what the player made of it."""

    day: date
    fates: set[str]
    amount: Decimal  # as in the file
    origin: str = ""


class Report:
    """Asks the hub every evening, and once more when the year is over."""

    def __init__(self, shop: RetailShop) -> None:
        self._shop = shop
        self._documents: dict[str, _Document] = {}
        self._had_backorder: set[int] = set()  # orders
        self._filled: set[int] = set()  # lines
        self._closing = 0
        self._marks = self._mark()
        self.days: list[dict[str, Any]] = []

    def _calls(self, before: dict[str, int]) -> dict[str, int]:
        now = self._mark()
        return {name: now[name] - before[name] for name in ("reads", "writes", "effects")}

    def _mark(self) -> dict[str, int]:
        counters = self._shop.simulator.counters
        return {
            "movement": sql.value("SELECT coalesce(max(id), 0) FROM inventory_movement"),
            "event": sql.value("SELECT coalesce(max(id), 0) FROM events_event"),
            "shipment": sql.value("SELECT coalesce(max(id), 0) FROM shipments_shipment"),
            "reads": counters.reads.total(),
            "writes": counters.writes.total(),
            "effects": counters.effects.total(),
        }

    # -- each day ------------------------------------------------------------------------------------------------------

    def morning(self, day: records.Day) -> None:
        """Remember which documents the day has."""
        for event in day.events:
            self._note(event)

    def evening(self, day: records.Day, house: dict[str, Any]) -> None:
        """What the day came to."""
        start = datetime.combine(day.date, hour(), tzinfo=SHOP_ZONE)
        span = {"start": start, "end": start + timedelta(days=1)}
        before = self._marks
        waiting: dict[int, int] = house["backordered"]
        orders_waiting = set(waiting.values())
        new_backorders = orders_waiting - self._had_backorder
        self._had_backorder |= orders_waiting
        self.days.append(
            {
                "date": day.date.isoformat(),
                "file": {"invoices": day.invoices, "lines": day.lines, "amount": day.amount},
                "accepted": _accepted(span),
                "cancelled": _cancelled(span),
                "refunds": _refunds(day.events),
                "without_origin": _without_origin(span),
                "corrections": {
                    "documents": len(_documents_corrected(before["movement"])),
                    "lines": house["corrections"],
                },
                "skipped": dict(sorted(Counter(_skipped(day.events)).items())),
                "staged": _staged(),
                "units": self._units(before["movement"]),
                "orders_waiting_for_goods": len(orders_waiting),
                "backordered": len(new_backorders),
                "shipments": house["shipments"],
                "partial_shipments": sql.value(
                    "SELECT count(*) FROM shipments_shipment WHERE id > %s AND NOT completes", [before["shipment"]]
                ),
                "filled_later": self._filled_since(before["event"]),
                "decided": house["decided"],
                "simulator": self._calls(before),
            }
        )
        self._marks = self._mark()

    def _note(self, event: records.Event) -> None:
        def note(number: str, fate: str, amount: Decimal, at: datetime, origin: str = "") -> None:
            known = self._documents.setdefault(
                number, _Document(at.astimezone(SHOP_ZONE).date(), set(), NOTHING, origin)
            )
            known.fates.add(fate)
            known.amount += amount

        match event:
            case records.OrderPlaced():
                note(event.invoice, "order", event.total, event.at)
            case records.OrderCancelled():
                note(event.document, "cancellation", event.amount, event.at, event.origin)
            case records.Refund():
                note(event.document, "refund", -event.amount, event.at)
            case records.CancellationWithoutOrigin():
                note(event.document, "without_origin", event.amount, event.at)
            case records.StockCorrected():
                note(event.reference.rpartition("-")[0], "stock_correction", NOTHING, event.happened_at)
            case records.Skipped():
                note(event.document, f"skipped_{event.reason}", event.amount, event.at)
            case _:
                pass

    def _units(self, mark: int) -> dict[str, int]:
        moved: Counter[tuple[str, bool]] = Counter()
        for reason, comes_in, units in sql.rows(
            "SELECT reason, to_warehouse_id IS NOT NULL, sum(quantity) FROM inventory_movement WHERE id > %s GROUP BY 1, 2",
            [mark],
        ):
            moved[reason, comes_in] += int(units)
        opening = self._closing
        self._closing = int(sql.value("SELECT coalesce(sum(on_hand), 0) FROM inventory_level"))
        return {
            "opening": opening,
            "received": moved["reception", True],
            "found": moved["adjustment", True],
            "unknown": moved["difference", True],  # booked in so that a fact could be booked out
            "in": sum(units for (_, comes_in), units in moved.items() if comes_in),
            "shipped": moved["shipment", False],
            "written_off": moved["damage", False],
            "out": sum(units for (_, comes_in), units in moved.items() if not comes_in),
            "closing": self._closing,
        }

    def _filled_since(self, mark: int) -> dict[str, int]:
        """Lines that waited for goods and have all of them now, and the units that came to lines that waited."""
        rows = sql.rows(
            "SELECT (one->>0)::bigint, sum((one->>3)::numeric) FROM events_event,"
            " jsonb_array_elements(facts->'filled') one WHERE id > %s AND facts ? 'filled' GROUP BY 1",
            [mark],
        )
        waiting = {line for (line,) in sql.rows("SELECT line FROM inventory_backorder")}
        whole = {line for line, _ in rows} - waiting - self._filled
        self._filled |= whole
        return {"lines": len(whole), "units": int(sum((units for _, units in rows), NOTHING))}

    # -- the end -------------------------------------------------------------------------------------------------------

    def finish(self, channel: Channel, *, seconds: float) -> dict[str, Any]:
        """The whole report, with everything that does not agree in `broken`."""
        evidence = _Evidence(channel)
        by_day: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        lost: list[str] = []
        for number, document in self._documents.items():
            outcome, amount = evidence.outcome(number, document)
            if outcome == "lost":
                lost.append(number)
            row = by_day[document.day.isoformat()].setdefault(outcome, {"invoices": 0, "amount": NOTHING})
            row["invoices"] += 1
            row["amount"] += amount
        for day in self.days:
            day["outcomes"] = dict(sorted(by_day[day["date"]].items()))
        totals = self._totals()
        broken = [f"lost: {sorted(lost)[:20]}"] if lost else []
        broken += self._differences(totals) + self._shop_differs(channel) + once.books()
        return {
            "balanced": not broken,
            "seconds": round(seconds, 1),
            "broken": broken,
            "totals": totals,
            "flows": once.flows(),
            "orders": once.orders(),
            "findings": once.findings(),
            "simulator": self._shop.simulator.counters.as_dict(),
            "days": self.days,
            "after": {"simulator": self._calls(self._marks)},  # the night after the last day
        }

    def _totals(self) -> dict[str, Any]:
        outcomes: dict[str, dict[str, Any]] = {}
        for day in self.days:
            for name, row in day["outcomes"].items():
                total = outcomes.setdefault(name, {"invoices": 0, "amount": NOTHING})
                total["invoices"] += row["invoices"]
                total["amount"] += row["amount"]
        added = (
            "file",
            "accepted",
            "cancelled",
            "refunds",
            "without_origin",
            "corrections",
            "filled_later",
            "simulator",
        )
        return {
            "outcomes": dict(sorted(outcomes.items())),
            **{
                name: {
                    key: sum((day[name][key] for day in self.days), NOTHING if key == "amount" else 0) for key in row
                }
                for name, row in self.days[0].items()
                if name in added
            },
            "units": {
                name: sum(day["units"][name] for day in self.days)
                for name in self.days[0]["units"]
                if name not in ("opening", "closing")
            }
            | {"opening": self.days[0]["units"]["opening"], "closing": self.days[-1]["units"]["closing"]},
            **{
                name: sum(day[name] for day in self.days)
                for name in ("backordered", "shipments", "partial_shipments", "decided")
            },
            "staged": self.days[-1]["staged"],
            "skipped": dict(sum((Counter(day["skipped"]) for day in self.days), Counter[str]())),
        }

    def _differences(self, totals: dict[str, Any]) -> list[str]:
        broken: list[str] = []
        for day in self.days:
            of_file = (day["file"]["invoices"], day["file"]["amount"])
            counted = _sum(day["outcomes"].values())
            if counted != of_file:
                broken.append(f"{day['date']}: {counted} in the buckets, {of_file} in the file")
            units = day["units"]
            if units["opening"] + units["in"] - units["out"] != units["closing"]:
                broken.append(f"{day['date']}: units do not add up: {units}")
        accepted = totals["outcomes"].get("accepted", {"invoices": 0, "amount": NOTHING})
        by_acceptance = (totals["accepted"]["orders"], totals["accepted"]["amount"])
        if by_acceptance != (accepted["invoices"], accepted["amount"]):
            broken.append(f"accepted by day {by_acceptance}, by invoice {accepted}")
        negative = sql.value("SELECT count(*) FROM orders_order WHERE total < 0")
        if negative:
            broken.append(f"{negative} negative sales")
        seen = {
            number: int(units)
            for number, units in sql.rows(
                "SELECT split_part(number, ' ', 1), sum((line->>'refunded')::numeric) FROM staging_stagedsale,"
                " jsonb_array_elements(sale->'lines') line WHERE (line->>'refunded')::numeric > 0 GROUP BY 1"
            )
        }
        paid_back = +self._shop.refunded
        differing = {
            number: (paid_back[number], seen.get(number, 0))
            for number in paid_back.keys() | seen.keys()
            if paid_back[number] != seen.get(number, 0)
        }
        if differing:
            broken.append(f"units paid back differ by invoice (there, here): {dict(sorted(differing.items())[:10])}")
        broken += [
            f"no {name}: the year must show some"
            for name, count in (
                ("backorders", totals["backordered"]),
                ("partial shipments", totals["partial_shipments"]),
                ("later fills", totals["filled_later"]["lines"]),
            )
            if not count
        ]
        return broken

    def _shop_differs(self, channel: Channel) -> list[str]:
        """The shop's figures and orders against ours, and what every night's comparison found."""
        ours = {
            listing: int(level)
            for listing, level in sql.rows(
                "SELECT o.listing, greatest(coalesce(sum(l.on_hand - l.reserved - l.held), 0), 0) FROM offers_offer o"
                " JOIN offers_sellingpoint p ON p.id = o.point_id"
                " LEFT JOIN inventory_level l ON l.variant_id = o.variant_id"
                " WHERE p.channel_id = %s AND o.is_active GROUP BY o.listing",
                [channel.pk],
            )
        }
        there = self._shop.stock()
        differing = {
            key: (there.get(key), ours.get(key))
            for key in there.keys() | ours.keys()
            if there.get(key) != ours.get(key)
        }
        broken = [f"stock differs (there, here): {dict(list(differing.items())[:10])}"] if differing else []
        found = sql.rows(
            "SELECT subject, facts, count FROM engine_finding WHERE code = 'stock_differs' ORDER BY subject"
        )
        broken += [f"a stock check found differences: {found[:10]}"] if found else []
        waiting = sql.value("SELECT count(*) FROM offers_offer WHERE is_active AND is_waiting")
        broken += [f"{waiting} levels still wait"] if waiting else []
        here = {
            row[0] for row in sql.rows("SELECT external_id FROM staging_stagedsale WHERE channel_id = %s", [channel.pk])
        }
        missing = self._shop.orders() - here
        return broken + ([f"sales missing here: {sorted(missing)[:20]}"] if missing else [])


def _sum(rows: Iterable[dict[str, Any]]) -> tuple[int, Decimal]:
    listed = list(rows)
    return sum(row["invoices"] for row in listed), sum((row["amount"] for row in listed), NOTHING)


def _money(amount: Decimal | None) -> Decimal:
    return (amount or NOTHING).quantize(PENNY)


def _accepted(span: dict[str, datetime]) -> dict[str, Any]:
    """Orders that were accepted on a day and are not cancelled by its evening."""
    orders, amount = sql.rows(
        "SELECT count(*), sum(total) FROM orders_order WHERE accepted_at >= %(start)s AND accepted_at < %(end)s"
        " AND status <> 'cancelled'",
        span,
    )[0]
    units = sql.value(
        "SELECT coalesce(sum(l.quantity), 0) FROM orders_order o JOIN orders_line l ON l.order_id = o.id"
        " WHERE o.accepted_at >= %(start)s AND o.accepted_at < %(end)s AND o.status <> 'cancelled' AND l.kind = 'goods'",
        span,
    )
    return {"orders": orders, "amount": _money(amount), "units": int(units)}


def _cancelled(span: dict[str, datetime]) -> dict[str, Any]:
    """Sales that were seen cancelled on a day, whether they had become orders or not."""
    orders, amount, were_orders = sql.rows(
        "SELECT count(*), sum(total), count(\"order\") FROM staging_stagedsale WHERE meaning = 'cancelled'"
        " AND changed_at >= %(start)s AND changed_at < %(end)s",
        span,
    )[0]
    return {"orders": orders, "amount": _money(amount), "after_acceptance": were_orders}


def _without_origin(span: dict[str, datetime]) -> dict[str, Any]:
    documents, amount = sql.rows(
        "SELECT count(*), sum(total) FROM staging_stagedsale WHERE sale->>'origin' = '?' AND placed_at >= %(start)s"
        " AND placed_at < %(end)s AND state = 'repair'",
        span,
    )[0]
    return {"documents": documents, "amount": _money(amount)}


def _refunds(events: Iterable[records.Event]) -> dict[str, Any]:
    slips = [event for event in events if isinstance(event, records.Refund)]
    amount = sum((-event.amount for event in slips), NOTHING)
    return {"documents": len({event.document for event in slips}), "slips": len(slips), "amount": _money(amount)}


def _skipped(events: Iterable[records.Event]) -> Iterable[str]:
    return (event.reason for event in events if isinstance(event, records.Skipped))


def _documents_corrected(mark: int) -> set[str]:
    return {
        reference.removeprefix("correction:").rpartition("-")[0]
        for (reference,) in sql.rows(
            "SELECT reference FROM inventory_movement WHERE id > %s AND starts_with(reference, 'correction:')", [mark]
        )
    }


def _reason(state: str, anomalies: list[dict[str, Any]]) -> str:
    """Why a staged row waits, in one word; what was never paid and was given up still waits for money."""
    if state in ("retry", "closed"):
        return "unpaid"
    codes = [str(one["code"]) for one in anomalies]
    return "no_origin" if "no_origin" in codes else codes[0] if codes else state


def _staged() -> dict[str, int]:
    """What waits when the day closes, by reason."""
    waiting: Counter[str] = Counter()
    for state, anomalies in sql.rows(
        "SELECT state, anomalies FROM staging_stagedsale WHERE state IN ('ready', 'retry', 'closed', 'repair')"
    ):
        waiting[_reason(state, json.loads(anomalies))] += 1
    return dict(sorted(waiting.items()))


class _Evidence:
    """What the hub holds of each document of the file, however the player judged it."""

    def __init__(self, channel: Channel) -> None:
        self._sales: dict[str, tuple[str, Decimal]] = {}
        for number, state, anomalies, meaning, total, status, order_total in sql.rows(
            "SELECT split_part(s.number, ' ', 1), s.state, s.anomalies, s.meaning, s.total, o.status, o.total"
            ' FROM staging_stagedsale s LEFT JOIN orders_order o ON o.id = s."order" WHERE s.channel_id = %s',
            [channel.pk],
        ):
            if status == "cancelled" or (state == "information" and meaning == "cancelled"):
                self._sales[number] = "cancelled", _money(total)
            elif state == "accepted":
                self._sales[number] = "accepted", _money(order_total)
            else:
                self._sales[number] = f"staged_{_reason(state, json.loads(anomalies))}", _money(total)
        self._corrected = _documents_corrected(0)

    def outcome(self, number: str, document: _Document) -> tuple[str, Decimal]:
        """The one bucket of a document and its amount, as the hub has it; "lost" where the hub knows nothing of it."""
        if document.fates == {"order"}:
            return self._sales.get(number, ("lost", document.amount))
        if "without_origin" in document.fates:
            known, amount = self._sales.get(number, ("", NOTHING))
            if known != "staged_no_origin":
                return "lost", document.amount
            if "refund" in document.fates:
                return "mixed_cancellation", document.amount
            return "without_origin", amount
        if document.fates == {"cancellation"}:
            known, amount = self._sales.get(document.origin, ("", NOTHING))
            return ("cancellation", -amount) if known == "cancelled" else ("lost", document.amount)
        if document.fates == {"stock_correction"}:
            return ("stock_correction" if number in self._corrected else "lost"), document.amount
        return "+".join(sorted(document.fates)), document.amount

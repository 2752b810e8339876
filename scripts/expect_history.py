"""State, from the published retail files alone, what a hub must make of them: each line in one class, each invoice
with one fate, each day with its amounts. Standard library only; knows nothing of Comptoir, so that it can judge it.

The rules are written in docs/explanation/real-year.md; this file is one reading of that page, the player of
comptoir.simulators.retail is another, and the tests compare the two.
"""

import argparse
import csv
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]

GOODS = re.compile(r"\d{5}[A-Z]{0,3}|DCGS[A-Z0-9]*|PADS")
VOUCHER = re.compile(r"GIFT_0001_\d+")
POSTAGE = {"POST", "DOT", "C2"}
SERVICE = {"M", "S"}
CHARGE = {"BANK CHARGES", "AMAZONFEE", "CRUK"}
DISCOUNT = {"D"}

# Every name of the four partitions, so that a class nothing fell into is seen to be empty.
CLASSES = (
    "goods", "goods_free", "postage", "service", "voucher", "charge", "discount", "cancelled_goods", "cancelled_other",
    "write_off", "stock_found", "empty", "bad_debt", "waiting",
)  # fmt: skip
CANCELLING_FATES = ("cancellation", "refund", "without_origin")
FATES = ("order", *CANCELLING_FATES, "stock_correction", "skipped", "waiting")
KINDS = (
    "order", *CANCELLING_FATES, "mixed_cancellation", "stock_correction", "skipped_charge", "skipped_empty",
    "skipped_bad_debt", "waiting",
)  # fmt: skip
OUTCOMES = ("accepted", "cancelled", "staged_unpaid", "staged_unknown_sku", "skipped_no_page", *KINDS[1:])

LOOKS = ("05:10:00", "12:30:00", "24:00:00")

PENNY = Decimal("0.01")
ZERO = Decimal(0)

Money = Decimal


class BadFile(Exception):
    """The file cannot be read as promised; the message names the place."""


@dataclass(slots=True)
class Line:
    code: str  # upper case: the shop's collation does not tell cases apart
    description: str
    quantity: int
    price: Money
    kind: str  # what the code alone says
    amount: Money
    line_class: str = ""
    fate: str = ""
    left: int = 0  # units that no later cancellation has taken back
    taken: list[tuple[str, int]] = field(default_factory=list)  # when units were paid back, and how many


@dataclass(slots=True)
class Invoice:
    number: str
    time: str  # shop-local, the earliest line's
    customer: str
    country: str
    lines: list[Line] = field(default_factory=list)
    kind: str = ""
    outcome: str = ""
    amount: Money = ZERO  # rounded once
    paid_at: str | None = ""  # "" = on the spot, None = not before the files end
    abandoned: bool = False
    cancelled_at: str = ""
    seen_cancelled_on: str = ""  # the day whose looks show it
    given_back: int = 0  # units of goods paid back before the hub first saw the order ready: they are not sent
    origins: set[str] = field(default_factory=set)

    @property
    def day(self) -> str:
        return self.time[:10]


def penny(amount: Money) -> Money:
    """Half a penny goes away from zero."""
    return amount.quantize(PENNY, ROUND_HALF_UP)


@cache
def kind_of_code(code: str) -> str:
    if GOODS.fullmatch(code):
        return "goods"
    if VOUCHER.fullmatch(code):
        return "voucher"
    for kind, codes in (("postage", POSTAGE), ("service", SERVICE), ("charge", CHARGE), ("discount", DISCOUNT)):
        if code in codes:
            return kind
    return "bad_debt" if code == "B" else "unknown"


# Reading


def open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def rows_of(paths: Iterable[Path], until: str | None) -> Iterator[list[str]]:
    for path in sorted(paths, key=lambda path: path.name):
        with open_text(path) as text:
            reader = csv.reader(text)
            if next(reader, None) != COLUMNS:
                raise BadFile(f"{path}: the first line must name the columns {','.join(COLUMNS)}")
            for row in reader:
                if len(row) != len(COLUMNS):
                    raise BadFile(f"{path}, line {reader.line_num}: {len(row)} columns instead of {len(COLUMNS)}")
                if until is None or row[4][:10] <= until:
                    yield row


def read_invoices(paths: Iterable[Path], until: str | None = None) -> list[Invoice]:
    """All invoices, by the time of their earliest line; those of one minute in the order of the file."""
    invoices: dict[str, Invoice] = {}
    for number, code, description, quantity, time, price, customer, country in rows_of(paths, until):
        invoice = invoices.get(number)
        if invoice is None:
            invoice = invoices[number] = Invoice(number, time, customer, country)
        invoice.time = min(invoice.time, time)
        upper = code.upper()
        units, unit_price = int(quantity), Decimal(price)
        invoice.lines.append(
            Line(upper, description.strip(), units, unit_price, kind_of_code(upper), units * unit_price)
        )
    for invoice in invoices.values():
        invoice.amount = penny(sum((line.amount for line in invoice.lines), ZERO))
    return sorted(invoices.values(), key=lambda invoice: invoice.time)


# The partition


def classify(invoice: Invoice) -> None:
    """Give the invoice its kind and each line its class. Cancellations get their fate later, by looking back."""
    if invoice.number.startswith("A"):
        invoice.kind = "skipped_bad_debt"
        mark(invoice.lines, "bad_debt", "skipped")
        return
    if invoice.number.startswith("C"):
        invoice.kind = "cancelling"
        for line in invoice.lines:
            line.line_class = {"goods": "cancelled_goods", "discount": "discount"}.get(line.kind, "cancelled_other")
        return
    has_goods = any(line.kind == "goods" for line in invoice.lines)
    only_goods = all(line.kind == "goods" for line in invoice.lines)
    if not invoice.customer and all(line.price == 0 for line in invoice.lines):
        if only_goods:
            invoice.kind = "stock_correction"
            for line in invoice.lines:
                line.line_class = "write_off" if line.quantity < 0 else "stock_found"
                line.fate = "stock_correction"
            return
        if not has_goods:
            invoice.kind = "skipped_empty"
            mark(invoice.lines, "empty", "skipped")
            return
    if all(line.kind == "charge" for line in invoice.lines):
        invoice.kind = "skipped_charge"
        mark(invoice.lines, "charge", "skipped")
        return
    if any(cannot_be_sold(line) for line in invoice.lines):
        invoice.kind = "waiting"
        mark(invoice.lines, "waiting", "waiting")
        return
    invoice.kind = "order"
    for line in invoice.lines:
        line.line_class = "goods_free" if line.kind == "goods" and line.price == 0 else line.kind
        line.fate = "order"
        line.left = line.quantity


def mark(lines: Iterable[Line], line_class: str, fate: str) -> None:
    for line in lines:
        line.line_class, line.fate = line_class, fate


def cannot_be_sold(line: Line) -> bool:
    """A person must look: no shop sells such a line."""
    if line.kind == "discount":
        return line.amount > 0
    return line.kind in {"unknown", "bad_debt"} or line.quantity <= 0 or line.price < 0


def settle_payment(invoice: Invoice, trading_days: list[str], place: dict[str, int]) -> None:
    """One order in twenty is paid by bank wire, some trading days later; of those of guests every second never."""
    number = int(invoice.number)
    if number % 20 != 7 or invoice.amount <= 0:
        return
    if not invoice.customer and number // 20 % 2 == 0:
        invoice.paid_at, invoice.abandoned = None, True
        return
    day = place[invoice.day] + 1 + number // 20 % 3
    invoice.paid_at = f"{trading_days[day]} 09:00:00" if day < len(trading_days) else None


def sold_units(invoice: Invoice) -> list[tuple[str, Decimal, int]]:
    return sorted((line.code, line.price, line.quantity) for line in invoice.lines)


class Lookback:
    """Finds what a cancellation invoice cancels among the orders that came before it."""

    def __init__(self) -> None:
        self.orders: dict[str, list[Invoice]] = defaultdict(list)
        self.lines: dict[tuple[str, str], list[tuple[Invoice, Line]]] = defaultdict(list)

    def remember(self, invoice: Invoice) -> None:
        if invoice.customer:
            self.orders[invoice.customer].append(invoice)
            for line in invoice.lines:
                self.lines[invoice.customer, line.code].append((invoice, line))

    def decide(self, cancelling: Invoice) -> None:
        if not cancelling.customer:
            mark_fate(cancelling.lines, "without_origin")
        elif (order := self.whole_order(cancelling)) is not None:
            order.cancelled_at = cancelling.time
            order.seen_cancelled_on = cancelling.day
            for line in order.lines:
                line.left = 0
            cancelling.origins.add(order.number)
            mark_fate(cancelling.lines, "cancellation")
        else:
            for line in cancelling.lines:
                origins = self.take_back(cancelling, line)
                line.fate = "refund" if origins else "without_origin"
                cancelling.origins |= {origin.number for origin in origins}
                for origin in origins:  # what is paid back was paid
                    if origin.paid_at is None or origin.paid_at > cancelling.time:
                        origin.paid_at = cancelling.time
        fates = {line.fate for line in cancelling.lines}
        cancelling.kind = fates.pop() if len(fates) == 1 else "mixed_cancellation"

    def whole_order(self, cancelling: Invoice) -> Invoice | None:
        """The newest order of the customer that equals the cancellation line by line and has not left the house."""
        wanted = sorted((line.code, line.price, -line.quantity) for line in cancelling.lines)
        for order in reversed(self.orders[cancelling.customer]):
            still_here = order.day == cancelling.day or order.paid_at is None or order.paid_at > cancelling.time
            untouched = all(line.left == line.quantity for line in order.lines)
            if still_here and untouched and sold_units(order) == wanted:
                return order
        return None

    def take_back(self, cancelling: Invoice, line: Line) -> list[Invoice]:
        units = -line.quantity
        if units <= 0 or line.kind == "discount":
            return []
        open_lines = [
            (order, sold) for order, sold in reversed(self.lines[cancelling.customer, line.code]) if sold.left > 0
        ]
        same_price = [entry for entry in open_lines if entry[1].price == line.price]
        dearer = [entry for entry in open_lines if entry[1].price > line.price and line.kind == "goods"]
        for candidates in (same_price, dearer):
            chosen = [entry for entry in candidates if entry[1].left == units][:1]
            chosen = chosen or [entry for entry in candidates if entry[1].left > units][:1]
            if not chosen and sum(sold.left for _, sold in candidates) >= units:
                chosen = candidates
            if chosen:
                return list(take(chosen, units, cancelling.time))
        return []


def take(chosen: list[tuple[Invoice, Line]], units: int, at: str) -> Iterator[Invoice]:
    for order, sold in chosen:
        taken = min(units, sold.left)
        if taken:
            sold.left -= taken
            sold.taken.append((at, taken))
            units -= taken
            yield order


def mark_fate(lines: Iterable[Line], fate: str) -> None:
    for line in lines:
        line.fate = fate


# Product pages and goods that arrive


@dataclass(slots=True)
class Code:
    first_day: str
    untidy: bool  # first seen without a description
    first_sale: str = ""
    page_day: str = ""  # "" = the shop never makes a page
    weeks: Counter[tuple[int, int]] = field(default_factory=Counter)  # units sold
    opening: int = 0


def survey_codes(invoices: list[Invoice], trading_days: list[str], place: dict[str, int]) -> dict[str, Code]:
    codes: dict[str, Code] = {}
    for invoice in invoices:
        for line in invoice.lines:
            if line.kind != "goods":
                continue
            code = codes.get(line.code)
            if code is None:
                code = codes[line.code] = Code(invoice.day, line.description in {"", "?"})
            if invoice.kind == "order":
                code.first_sale = code.first_sale or invoice.day
                if needs_goods(invoice):
                    code.weeks[iso_week(invoice.day)] += line.quantity
    for code in codes.values():
        busiest = sorted(code.weeks.values(), reverse=True)
        code.opening = busiest[1] if len(busiest) > 2 else max(busiest, default=0)
        code.page_day = code.first_day
        if code.untidy:
            after = place[code.first_sale] + 1 if code.first_sale else len(trading_days)
            code.page_day = trading_days[after] if after < len(trading_days) else ""
    return codes


def needs_goods(invoice: Invoice) -> bool:
    """Goods are ordered again for what was sold, not for an order withdrawn on its day or never paid by a guest."""
    return not invoice.abandoned and invoice.cancelled_at[:10] != invoice.day


def receipts(
    invoices: list[Invoice], codes: dict[str, Code], trading_days: list[str], place: dict[str, int]
) -> dict[str, Counter[str]]:
    """Units that arrive per day and code: the opening with the page, then weekly what left the week before."""
    arrivals: dict[str, Counter[str]] = defaultdict(Counter)
    for name, code in codes.items():
        if code.page_day and code.opening:
            arrivals[code.page_day][name] += code.opening
    left: dict[str, Counter[str]] = defaultdict(Counter)
    for invoice in invoices:
        if invoice.kind == "order" and needs_goods(invoice):
            for line in invoice.lines:
                if line.kind == "goods":
                    left[invoice.day][line.code] += line.quantity
        elif invoice.kind == "stock_correction":
            for line in invoice.lines:
                if line.quantity < 0:
                    left[invoice.day][line.code] += min(-line.quantity, codes[line.code].opening)
    waiting: Counter[str] = Counter()
    week = iso_week(trading_days[0]) if trading_days else None
    for day in trading_days:
        if iso_week(day) != week:
            week = iso_week(day)
            ready = [name for name in waiting if "" < codes[name].page_day <= day]
            for name in ready:
                arrivals[day][name] += waiting.pop(name)
        waiting.update(left[day])
    return arrivals


@cache
def iso_week(day: str) -> tuple[int, int]:
    year, week, _ = date.fromisoformat(day).isocalendar()
    return year, week


# The answer


def count_lines(lines: Iterable[Line], by: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {name: {"lines": 0, "amount": ZERO} for name in names}
    for line in lines:
        row = table[getattr(line, by)]
        row["lines"] += 1
        row["amount"] += line.amount
    return table


def count_invoices(invoices: Iterable[Invoice], by: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {name: {"invoices": 0, "amount": ZERO} for name in names}
    for invoice in invoices:
        row = table[getattr(invoice, by)]
        row["invoices"] += 1
        row["amount"] += invoice.amount
    return table


def count_cancelling(invoices: Iterable[Invoice]) -> dict[str, dict[str, Any]]:
    """What the shop shows for cancellation invoices: a mixed one is two documents, of which each is rounded."""
    table: dict[str, dict[str, Any]] = {fate: {"documents": 0, "amount": ZERO} for fate in CANCELLING_FATES}
    for invoice in invoices:
        if invoice.number.startswith("C"):
            for fate in {line.fate for line in invoice.lines}:
                part = sum((line.amount for line in invoice.lines if line.fate == fate), ZERO)
                table[fate]["documents"] += 1
                table[fate]["amount"] += penny(part)
    return table


def looked_at(moment: str) -> str:
    """When the hub next looks: at 05:10 (pages are made at 05:00), at 12:30, and when the day's customers are gone."""
    day, time = moment[:10], moment[11:]
    return f"{day} {next(look for look in LOOKS if time <= look)}"


def paid_back_by(line: Line, look: str) -> int:
    return sum(units for at, units in line.taken if at <= look)


def count_cancelled(invoices: Iterable[Invoice]) -> dict[str, Any]:
    orders = list(invoices)
    return {"orders": len(orders), "amount": sum((invoice.amount for invoice in orders), ZERO)}


def settle_outcomes(invoices: list[Invoice], codes: dict[str, Code], trading_days: list[str]) -> dict[str, str]:
    """What each order is when the last day closes, and on which day each accepted one could be accepted."""
    accepted_on: dict[str, str] = {}
    next_day = dict(pairwise(trading_days))
    for invoice in invoices:
        invoice.outcome = invoice.kind
        if invoice.kind == "stock_correction" and any(not codes[line.code].page_day for line in invoice.lines):
            invoice.outcome = "skipped_no_page"
        if invoice.kind != "order":
            continue
        pages = [codes[line.code].page_day for line in invoice.lines if line.kind == "goods"]
        if invoice.cancelled_at:
            invoice.outcome = "cancelled"
        elif invoice.paid_at is None:
            invoice.outcome = "staged_unpaid"
        elif not all(pages):
            invoice.outcome = "staged_unknown_sku"
        else:
            look = looked_at(max([invoice.time, invoice.paid_at, *(f"{page} 05:00:00" for page in pages)]))
            rows = [line for line in invoice.lines if line.kind != "postage"]
            goods = [line for line in rows if line.kind == "goods"]
            if goods and all(paid_back_by(line, look) == line.quantity for line in rows):
                # Nothing is left of it when it comes in: the hub cancels it, and sees its own doing when it looks again.
                invoice.outcome = "cancelled"
                invoice.seen_cancelled_on = next_day.get(look[:10], "")
                continue
            invoice.outcome = "accepted"
            invoice.given_back = sum(paid_back_by(line, look) for line in goods)
            accepted_on[invoice.number] = look[:10]
    return accepted_on


def expect(paths: Iterable[Path], until: str | None = None) -> dict[str, Any]:
    invoices = read_invoices(paths, until)
    trading_days = sorted({invoice.day for invoice in invoices})
    place = {day: number for number, day in enumerate(trading_days)}
    lookback = Lookback()
    for invoice in invoices:
        classify(invoice)
        if invoice.kind == "order":
            settle_payment(invoice, trading_days, place)
            lookback.remember(invoice)
        elif invoice.kind == "cancelling":
            lookback.decide(invoice)
    codes = survey_codes(invoices, trading_days, place)
    arrivals = receipts(invoices, codes, trading_days, place)
    accepted_on = settle_outcomes(invoices, codes, trading_days)

    by_day: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        by_day[invoice.day].append(invoice)
    accepted_by_day: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.number in accepted_on:
            accepted_by_day[accepted_on[invoice.number]].append(invoice)

    def summary(of: list[Invoice], became: list[Invoice]) -> dict[str, Any]:
        lines = [line for invoice in of for line in invoice.lines]
        accepted = [invoice for invoice in of if invoice.outcome == "accepted"]
        return {
            "lines": len(lines),
            "invoices": len(of),
            "amount": sum((invoice.amount for invoice in of), ZERO),
            "unrounded_amount": sum((line.amount for line in lines), ZERO),
            "classes": count_lines(lines, "line_class", CLASSES),
            "fates": count_lines(lines, "fate", FATES),
            "kinds": count_invoices(of, "kind", KINDS),
            "outcomes": count_invoices(of, "outcome", OUTCOMES),
            "cancelling": count_cancelling(of),
            "refund_slips": sum(len(i.origins) for i in of if i.kind in {"refund", "mixed_cancellation"}),
            "units_sold": goods_units(accepted),
            "became_acceptable": {
                "orders": len(became),
                "amount": sum((invoice.amount for invoice in became), ZERO),
                "units": goods_units(became),
                "given_back": sum(invoice.given_back for invoice in became),
            },
            "units_corrected": sum(line.quantity for i in of if i.outcome == "stock_correction" for line in i.lines),
        }

    held_up = [i for i in invoices if i.kind == "waiting" or (i.kind == "order" and accepted_on.get(i.number) != i.day)]
    days = []
    for day in trading_days:
        waiting = Counter(why for invoice in held_up if (why := why_waiting(invoice, day, codes)))
        days.append(
            {"date": day}
            | summary(by_day[day], accepted_by_day[day])
            | {"seen_cancelled": count_cancelled(i for i in invoices if i.seen_cancelled_on == day)}
            | {"units_arrived": sum(arrivals[day].values()), "waiting_at_close": dict(sorted(waiting.items()))}
        )
    became = [invoice for invoice in invoices if invoice.number in accepted_on]
    return {
        "files": sorted(path.name for path in paths),
        "first_day": trading_days[0] if trading_days else None,
        "last_day": trading_days[-1] if trading_days else None,
        "codes": {
            "goods": len(codes),
            "with_page": sum(bool(code.page_day) for code in codes.values()),
            "page_after_first_sale": sum(bool(c.page_day and c.first_sale and c.untidy) for c in codes.values()),
        },
        "totals": summary(invoices, became)
        | {"units_arrived": sum(sum(arrived.values()) for arrived in arrivals.values())},
        "days": days,
    }


def goods_units(invoices: Iterable[Invoice]) -> int:
    return sum(line.quantity for invoice in invoices for line in invoice.lines if line.kind == "goods")


def why_waiting(invoice: Invoice, day: str, codes: dict[str, Code]) -> str:
    """Why an order still waits when that day closes; "" if it does not."""
    if invoice.kind == "waiting" and invoice.day <= day:
        return "needs_person"
    if invoice.kind != "order" or invoice.day > day or "" < invoice.cancelled_at[:10] <= day:
        return ""
    if invoice.paid_at is None or invoice.paid_at[:10] > day:
        return "unpaid"
    pages = [codes[line.code].page_day for line in invoice.lines if line.kind == "goods"]
    return "unknown_sku" if any(not page or page > day for page in pages) else ""


def plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value.quantize(PENNY) if value == value.quantize(PENNY) else value)
    raise TypeError(type(value).__name__)


def print_table(report: dict[str, Any]) -> None:
    totals = report["totals"]
    print(f"{totals['lines']} lines, {totals['invoices']} invoices, {plain(totals['unrounded_amount'])} GBP,")
    print(f"{plain(totals['amount'])} GBP when each invoice is rounded; {report['first_day']} to {report['last_day']}")
    for title, table in (("line class", "classes"), ("line fate", "fates"), ("invoice", "kinds"), ("end", "outcomes")):
        print()
        for name, row in totals[table].items():
            count = row.get("lines", row.get("invoices"))
            print(f"{title:11} {name:20} {count:>9} {plain(row['amount']):>16}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv.gz")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="read as if the files ended with this day")
    parser.add_argument("--json", action="store_true", help="everything, per day, as one JSON object")
    options = parser.parse_args(arguments)
    try:
        report = expect(options.files, options.until)
    except (BadFile, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        json.dump(report, sys.stdout, default=plain, indent=1)
        print()
    else:
        print_table(report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

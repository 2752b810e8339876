#!/usr/bin/env python3
"""Hold the report of a played year to what the file says of itself: prints each difference, and fails if there is any.
Standard library only; reads the report of `comptoir demo --once --json --history` and the published files, no database.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import expect_history

Row = dict[str, Any]

#: What may be left open for a person at the end: rows without origin, and shortages of the file's own.
OPEN_ERRORS = {
    "no_origin",
    "bad_quantity",
    "negative_price",
    "unknown_sku",
    "promise_taken_back",
    "units_out_of_nowhere",
}
BEGIN, END = "<!-- written by scripts/compare_history.py -->", "<!-- end of what is written -->"


def differences(report: Row, stated: Row) -> Iterator[str]:
    """Every figure that is not as the file says; nothing where all agree."""
    if not report["balanced"]:
        yield f"the report is not balanced: {report['broken']}"
    played, expected = [day["date"] for day in report["days"]], [day["date"] for day in stated["days"]]
    if played != expected:
        yield f"days played: {len(played)}, in the file: {len(expected)}; {sorted(set(played) ^ set(expected))[:5]}"
        return
    before = {"closing": 0, "without_origin": 0}
    for day, one in zip(report["days"], stated["days"], strict=True):
        before["without_origin"] += one["cancelling"]["without_origin"]["documents"]
        for what, is_there, should_be in (*_facts(day, one, before), *_units(day["units"], one, before["closing"])):
            if is_there != should_be:
                yield f"{day['date']}, {what}: {is_there} in the report, {should_be} by the file"
        before["closing"] = day["units"]["closing"]
    for what, is_there, should_be in _whole(report, stated):
        if is_there != should_be:
            yield f"the year, {what}: {is_there} in the report, {should_be} by the file"


Compared = Iterator[tuple[str, Any, Any]]


def _facts(day: Row, one: Row, before: Row) -> Compared:
    """What is counted on a day: in the report, by the file."""
    file = day["file"]
    yield (
        "the file",
        (file["invoices"], file["lines"], Decimal(file["amount"])),
        (one["invoices"], one["lines"], Decimal(one["amount"])),
    )
    # Each invoice of the day is in one bucket when the year is over.
    yield "outcomes", _filled(day["outcomes"]), _filled(one["outcomes"])
    accepted, acceptable = day["accepted"], one["became_acceptable"]
    for name in ("orders", "units"):
        yield f"accepted {name}", accepted[name], acceptable[name]
    yield "accepted amount", Decimal(accepted["amount"]), Decimal(acceptable["amount"])
    seen = one["seen_cancelled"]
    yield (
        "cancelled",
        (day["cancelled"]["orders"], Decimal(day["cancelled"]["amount"])),
        (seen["orders"], Decimal(seen["amount"])),
    )
    cancelling = one["cancelling"]
    for name, fate in (("refunds", "refund"), ("without_origin", "without_origin")):
        yield (
            name,
            (day[name]["documents"], Decimal(day[name]["amount"])),
            (cancelling[fate]["documents"], Decimal(cancelling[fate]["amount"])),
        )
    yield "credit slips", day["refunds"]["slips"], one["refund_slips"]
    yield "skipped by rule", _skipped(day["skipped"]), _named("skipped_", one["outcomes"])
    waiting = Counter(one["waiting_at_close"]) + Counter(no_origin=before["without_origin"])
    yield "waiting at close", dict(sorted(day["staged"].items())), dict(sorted(waiting.items()))


def _units(units: Row, one: Row, closing: int) -> Compared:
    yield "opening units", units["opening"], closing
    yield "closing units", units["closing"], units["opening"] + units["in"] - units["out"]
    yield "units received", units["received"], one["units_arrived"]
    yield "units in", units["in"], units["received"] + units["found"] + units["unknown"]
    yield "units out", units["out"], units["shipped"] + units["written_off"]


def _whole(report: Row, stated: Row) -> Compared:
    """What only the whole year can say."""
    totals, expected, days = report["totals"], stated["totals"], report["days"]
    yield "outcomes", _filled(totals["outcomes"]), _filled(expected["outcomes"])
    yield "units corrected", totals["units"]["found"] - totals["units"]["written_off"], expected["units_corrected"]
    yield "units accepted", totals["accepted"]["units"], expected["units_sold"]
    yield "corrections", totals["corrections"]["documents"], expected["outcomes"]["stock_correction"]["invoices"]
    yield "skipped by rule", _skipped(totals["skipped"]), _named("skipped_", expected["outcomes"])
    calls = report["simulator"]
    for name in ("reads", "writes"):
        by_day = sum(day["simulator"][name] for day in days) + report["after"]["simulator"][name]
        yield f"{name} at the shop, by day", by_day, sum(calls[name].values())
    yield "parcels the shop was told of", calls["writes"].get("order_carriers", 0), totals["shipments"]
    for name in ("backordered", "shipments", "partial_shipments", "decided"):
        yield name, totals[name], sum(day[name] for day in days)
    yield "lines filled later", totals["filled_later"]["lines"], sum(day["filled_later"]["lines"] for day in days)
    for name in ("backordered", "partial_shipments"):
        yield f"there are {name}", totals[name] > 0, True
    yield "there are lines filled later", totals["filled_later"]["lines"] > 0, True
    yield "units shipped were to be sent", totals["units"]["shipped"] <= _to_send(stated), True
    errors = {row["code"] for row in report["findings"] if row["severity"] == "error"}
    yield "open Errors of other kinds", sorted(errors - OPEN_ERRORS), []


def _to_send(stated: Row) -> int:
    """Units of accepted orders but for those paid back before they were looked at."""
    became = stated["totals"]["became_acceptable"]
    return int(became["units"] - became["given_back"])


def _filled(table: dict[str, Row]) -> dict[str, tuple[int, Decimal]]:
    return {name: (row["invoices"], Decimal(row["amount"])) for name, row in sorted(table.items()) if row["invoices"]}


def _named(start: str, table: dict[str, Row]) -> dict[str, int]:
    return {name: row["invoices"] for name, row in sorted(table.items()) if name.startswith(start) and row["invoices"]}


def _skipped(table: dict[str, int]) -> dict[str, int]:
    return {f"skipped_{rule}": count for rule, count in sorted(table.items())}


# The page


def tables(report: Row, stated: Row) -> str:
    """The figures of a report in Markdown."""
    totals = report["totals"]
    units, file = totals["units"], totals["file"]
    rows: list[tuple[str, Any]] = [
        ("trading days", len(report["days"])),
        ("minutes to play them", round(report["seconds"] / 60)),
        ("invoices in the file", file["invoices"]),
        ("their amount", _money(file["amount"])),
        ("orders accepted", totals["accepted"]["orders"]),
        ("their amount", _money(totals["accepted"]["amount"])),
        ("orders cancelled", totals["cancelled"]["orders"]),
        ("documents that paid something back", totals["refunds"]["documents"]),
        ("their credit slips", totals["refunds"]["slips"]),
        ("rows staged without an origin", totals["without_origin"]["documents"]),
        ("orders with a backorder", totals["backordered"]),
        ("shipments", totals["shipments"]),
        ("of them partial", totals["partial_shipments"]),
        ("lines filled later", totals["filled_later"]["lines"]),
        ("units that came to them", totals["filled_later"]["units"]),
        ("open orders that a person kept as they were", totals["decided"]),
        ("units received", units["received"]),
        ("units found", units["found"]),
        ("units booked in before they were booked out", units["unknown"]),
        ("units shipped", units["shipped"]),
        ("units paid back before their order was looked at", stated["totals"]["became_acceptable"]["given_back"]),
        ("units still owed at the end", _to_send(stated) - units["shipped"]),
        ("units written off", units["written_off"]),
        ("units at the end", units["closing"]),
        ("reads at the shop", totals["simulator"]["reads"] + report["after"]["simulator"]["reads"]),
        ("writes at the shop", totals["simulator"]["writes"] + report["after"]["simulator"]["writes"]),
    ]
    parts = [_table(("of the whole year", ""), rows)]
    parts.append(
        _table(
            ("month", "days", "invoices", "amount", "accepted", "amount accepted", "cancelled", "slips", "no origin"),
            [_month_of_sales(month, days) for month, days in _months(report)],
        )
    )
    parts.append(
        _table(
            ("month", "backorders", "shipments", "partial", "filled later", "units in", "units out", "closing",
             "reads", "writes"),
            [_month_of_goods(month, days) for month, days in _months(report)],
        )
    )  # fmt: skip
    parts.append(_table(("waits at the end", "rows"), sorted(totals["staged"].items())))
    parts.append(_table(("skipped by rule", "invoices"), sorted(totals["skipped"].items())))
    parts.append(
        _table(
            ("open finding", "severity", "subjects"),
            [(row["code"], row["severity"], row["subjects"]) for row in report["findings"]],
        )
    )
    parts.append(
        _table(
            ("flow", "runs that saw something", "seen"),
            [(name, row["runs"], row["seen"]) for name, row in sorted(report["flows"].items())],
        )
    )
    return "\n\n".join(parts)


def _months(report: Row) -> list[tuple[str, list[Row]]]:
    months: dict[str, list[Row]] = {}
    for day in report["days"]:
        months.setdefault(day["date"][:7], []).append(day)
    return sorted(months.items())


def _month_of_sales(month: str, days: list[Row]) -> tuple[Any, ...]:
    return (
        month,
        len(days),
        sum(day["file"]["invoices"] for day in days),
        _money(sum(Decimal(day["file"]["amount"]) for day in days)),
        sum(day["accepted"]["orders"] for day in days),
        _money(sum(Decimal(day["accepted"]["amount"]) for day in days)),
        sum(day["cancelled"]["orders"] for day in days),
        sum(day["refunds"]["slips"] for day in days),
        sum(day["without_origin"]["documents"] for day in days),
    )


def _month_of_goods(month: str, days: list[Row]) -> tuple[Any, ...]:
    return (
        month,
        *(sum(day[name] for day in days) for name in ("backordered", "shipments", "partial_shipments")),
        sum(day["filled_later"]["lines"] for day in days),
        *(sum(day["units"][name] for day in days) for name in ("in", "out")),
        days[-1]["units"]["closing"],
        *(sum(day["simulator"][name] for day in days) for name in ("reads", "writes")),
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    names = list(heads)
    lines = [names, ["---", *["---:"] * (len(names) - 1)]]
    lines += [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _money(amount: str | int | Decimal) -> str:
    return f"{Decimal(amount):,.2f}"


def write_into(page: Path, text: str) -> None:
    """Replace what an earlier report left between the two marks of a page."""
    whole = page.read_text(encoding="utf-8")
    head, begin, rest = whole.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise expect_history.BadFile(f"{page}: the marks {BEGIN} and {END} are missing")
    page.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("report", type=Path, metavar="REPORT.json")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv.gz")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="the report is of a year played until this day")
    parser.add_argument("--page", type=Path, help="where all agrees, write the report's figures into this page")
    options = parser.parse_args(arguments)
    try:
        report = json.loads(options.report.read_text(encoding="utf-8"))
        stated = json.loads(json.dumps(expect_history.expect(options.files, options.until), default=str))
    except (expect_history.BadFile, OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 2
    found = list(differences(report, stated))
    for difference in found:
        print(difference)
    if found:
        return 1
    print(f"{len(report['days'])} days and their sums agree with the file")
    if options.page:
        write_into(options.page, tables(report, stated))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Each rule of docs/explanation/real-year.md on a few lines written by hand, for the expectation and for the player."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comptoir.simulators.retail import records
from comptoir.simulators.retail.file import Kind, UnreadableHistory
from comptoir.simulators.retail.player import RetailYear

Excerpt = Callable[..., Path]
Expect = Callable[..., dict[str, Any]]

# Numbers ending in 07, 27, 47, 67, 87 are paid by wire; of guests, those with an even count of twenties never are.
WIRE, NEVER_PAID = 536427, 536407  # the wire arrives on the second trading day after


def filled(table: dict[str, dict[str, Any]], count: str) -> dict[str, tuple[int, str]]:
    return {name: (row[count], row["amount"]) for name, row in table.items() if row[count]}


def events(path: Path, of: type) -> list[Any]:
    return [event for day in RetailYear([path]).days() for event in day.events if isinstance(event, of)]


def test_goods_postage_and_manual_amounts_make_one_order(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|WHITE HEART|6|1 08:26|2.55|14911
        536365|POST|POSTAGE|1|1 08:26|18.0|14911
        536365|m|Manual|1|1 08:27|0.5|14911
        536365|gift_0001_20|Voucher|1|1 08:27|16.67|14911
    """)
    totals = expect(path)["totals"]
    assert filled(totals["classes"], "lines") == {
        "goods": (1, "15.30"),
        "postage": (1, "18.00"),
        "service": (1, "0.50"),
        "voucher": (1, "16.67"),
    }
    assert filled(totals["outcomes"], "invoices") == {"accepted": (1, "50.47")}
    assert totals["units_sold"] == 6

    (order,) = events(path, records.OrderPlaced)
    assert order.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert (order.shipping, order.discounts, order.total, order.is_paid) == (18, 0, Decimal("50.47"), True)
    assert (order.country, order.country_code) == ("EIRE", "IE")
    assert [(line.code, line.kind, line.page) for line in order.lines] == [
        ("85123A", Kind.GOODS, "85123A"),
        ("m", Kind.SERVICE, "m"),
        ("gift_0001_20", Kind.VOUCHER, "gift_0001_20"),
    ]
    assert (order.round_mode, order.round_type) == (2, 3)


def test_summer_invoices_are_an_hour_earlier_in_universal_time(tmp_path: Path) -> None:
    path = tmp_path / "sales-2011-06.csv"
    path.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "555000,85123A,HEART,1,2011-06-01 09:00:00,2.55,17850,United Kingdom\n"
    )
    assert events(path, records.OrderPlaced)[0].at == datetime(2011, 6, 1, 8, 0, tzinfo=UTC)


def test_an_invoice_is_rounded_once_and_half_a_penny_goes_up(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|1|1 08:26|1.002|17850
        536365|71053|LANTERN|1|1 08:26|1.003|17850
        536366|85123A|HEART|1|1 08:27|1.004|17850
    """)
    totals = expect(path)["totals"]
    assert (totals["amount"], totals["unrounded_amount"]) == ("3.01", "3.009")
    assert [order.total for order in events(path, records.OrderPlaced)] == [Decimal("2.01"), Decimal("1.00")]
    assert events(path, records.OrderPlaced)[0].lines[0].unit_price == Decimal("1.002000")


def test_the_time_of_an_invoice_is_its_earliest_line(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|1|1 08:26|1.00|17850
        536366|85123A|HEART|1|1 08:26|1.00|17850
        536365|71053|LANTERN|1|1 08:27|1.00|17850
    """)
    assert [(o.invoice, o.at.minute, len(o.lines)) for o in events(path, records.OrderPlaced)] == [
        ("536365", 26, 2),
        ("536366", 26, 1),
    ]
    assert expect(path)["totals"]["invoices"] == 2


def test_the_same_code_twice_stays_two_lines_and_case_stays_as_sold(excerpt: Excerpt) -> None:
    path = excerpt("""
        536365|85123A|HEART|1|1 08:26|2.55|17850
        536365|85123a|HEART|2|1 08:26|2.75|17850
        536365|85123A|HEART|3|1 08:26|2.75|17850
    """)
    (page,) = RetailYear([path]).catalogue()
    assert (page.reference, page.name, page.price, page.opening) == ("85123A", "HEART", Decimal("2.75"), 6)
    (order,) = events(path, records.OrderPlaced)
    assert [(line.code, line.quantity, line.page) for line in order.lines] == [
        ("85123A", 1, "85123A"),
        ("85123a", 2, "85123A"),
        ("85123A", 3, "85123A"),
    ]


def test_a_zero_price_beside_a_sale_is_free_goods_and_still_has_to_be_sent(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|1|1 08:26|2.55|
        536365|71053|LANTERN|2|1 08:26|0.0|
        536366|71053|LANTERN|4|1 08:30|0.0|17850
    """)
    totals = expect(path)["totals"]
    assert filled(totals["classes"], "lines") == {"goods": (1, "2.55"), "goods_free": (2, "0.00")}
    assert totals["units_sold"] == 7
    assert [order.total for order in events(path, records.OrderPlaced)] == [Decimal("2.55"), 0]


def test_zero_prices_without_customer_correct_the_stock(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|5|1 08:00|2.55|17850
        536366|85123A|damaged|-3|1 09:00|0.0|
        536367|85123A|found|2|1 10:00|0.0|
        536368|POST||1000|1 11:00|0.0|
    """)
    totals = expect(path)["totals"]
    assert filled(totals["outcomes"], "invoices") == {
        "accepted": (1, "12.75"),
        "stock_correction": (2, "0.00"),
        "skipped_empty": (1, "0.00"),
    }
    assert totals["units_corrected"] == -1
    assert [(c.reference, c.quantity, c.note) for c in events(path, records.StockCorrected)] == [
        ("536366-1", -3, "damaged"),
        ("536367-1", 2, "found"),
    ]
    assert [(s.document, s.reason) for s in events(path, records.Skipped)] == [("536368", "empty")]


def test_a_zero_invoice_with_goods_and_postage_is_an_order(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        552230|20735|TAPE MEASURE|1|1 08:00|0.0|
        552230|DOT|DOTCOM POSTAGE|1|1 08:00|0.0|
    """)
    assert filled(expect(path)["totals"]["outcomes"], "invoices") == {"accepted": (1, "0.00")}
    assert len(events(path, records.OrderPlaced)) == 1


def test_postage_billed_by_itself_is_a_row_since_an_order_needs_one(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("536365|POST|POSTAGE|2|1 08:00|18.0|12471")
    assert filled(expect(path)["totals"]["outcomes"], "invoices") == {"accepted": (1, "36.00")}
    (order,) = events(path, records.OrderPlaced)
    assert (order.shipping, [(line.page, line.quantity) for line in order.lines]) == (0, [("POST", 2)])
    (page,) = RetailYear([path]).catalogue()
    assert (page.is_virtual, page.opening) == (True, 0)


def test_charges_and_bad_debts_are_skipped_by_name(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536779|BANK CHARGES|Bank Charges|1|1 08:00|15.0|15823
        537632|AMAZONFEE|AMAZON FEE|1|1 09:00|13541.33|
        A563186|B|Adjust bad debt|1|1 10:00|-11062.06|
    """)
    assert filled(expect(path)["totals"]["outcomes"], "invoices") == {
        "skipped_charge": (2, "13556.33"),
        "skipped_bad_debt": (1, "-11062.06"),
    }
    assert [skipped.reason for skipped in events(path, records.Skipped)] == ["charge", "charge", "bad_debt"]


@pytest.mark.parametrize(
    "line",
    ["536365|85123A|HEART|1|1 08:00|-2.55|17850", "536365|85123A|HEART|-1|1 08:00|2.55|17850",
     "536365|SP-1|NEW KIND|1|1 08:00|2.55|17850"],
)  # fmt: skip
def test_what_no_shop_sells_waits_for_a_person(line: str, excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt(line)
    totals = expect(path)["totals"]
    assert totals["outcomes"]["waiting"]["invoices"] == 1
    assert totals["classes"]["waiting"]["lines"] == 1
    assert len(events(path, records.OrderPlaced)) == 1


def test_a_discount_on_a_sale_is_taken_off_the_order(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|2|1 08:00|2.50|17850
        536365|D|Discount|-1|1 08:00|0.50|17850
    """)
    assert filled(expect(path)["totals"]["classes"], "lines") == {"goods": (1, "5.00"), "discount": (1, "-0.50")}
    (order,) = events(path, records.OrderPlaced)
    assert (order.discounts, order.total, len(order.lines)) == (Decimal("0.50"), Decimal("4.50"), 1)


CANCELLING = {
    "a whole order, on its day": (
        """
        C536370|71053|LANTERN|-1|1 09:00|3.39|17850
        C536370|85123A|HEART|-6|1 09:00|2.55|17850
        """,
        {"cancellation": (1, "-18.69")},
        0,
    ),
    "a whole order, but only the next day": (
        """
        C536370|71053|LANTERN|-1|2 09:00|3.39|17850
        C536370|85123A|HEART|-6|2 09:00|2.55|17850
        """,
        {"refund": (1, "-18.69")},
        1,
    ),
    "some units": ("C536370|85123a|HEART|-2|1 09:00|2.55|17850", {"refund": (1, "-5.10")}, 1),
    "goods at a lower price": ("C536370|85123A|HEART|-2|1 09:00|2.00|17850", {"refund": (1, "-4.00")}, 1),
    "goods at a higher price": ("C536370|85123A|HEART|-2|1 09:00|3.00|17850", {"without_origin": (1, "-6.00")}, 0),
    "more units than were sold": ("C536370|85123A|HEART|-7|1 09:00|2.55|17850", {"without_origin": (1, "-17.85")}, 0),
    "another customer": ("C536370|85123A|HEART|-6|1 09:00|2.55|13047", {"without_origin": (1, "-15.30")}, 0),
    "no customer": ("C536370|85123A|HEART|-6|1 09:00|2.55|", {"without_origin": (1, "-15.30")}, 0),
    "a discount given later": ("C536370|D|Discount|-1|1 09:00|5.00|17850", {"without_origin": (1, "-5.00")}, 0),
    "before the order": ("C536370|85123A|HEART|-6|1 07:00|2.55|17850", {"without_origin": (1, "-15.30")}, 0),
    "one line of each": (
        """
        C536370|85123A|HEART|-6|1 09:00|2.55|17850
        C536370|22752|BOXES|-1|1 09:00|7.65|17850
        """,
        {"refund": (1, "-15.30"), "without_origin": (1, "-7.65")},
        1,
    ),
    "the same units twice": (
        """
        C536370|85123A|HEART|-6|1 09:00|2.55|17850
        C536371|85123A|HEART|-6|1 10:00|2.55|17850
        """,
        {"refund": (1, "-15.30"), "without_origin": (1, "-15.30")},
        1,
    ),
}


@pytest.mark.parametrize("case", CANCELLING)
def test_what_a_cancellation_invoice_becomes(case: str, excerpt: Excerpt, expect: Expect) -> None:
    lines, documents, slips = CANCELLING[case]
    path = excerpt(f"""
        536365|85123A|HEART|6|1 08:00|2.55|17850
        536365|71053|LANTERN|1|1 08:00|3.39|17850
        {lines}
        536399|22752|BOXES|1|2 10:00|7.65|13047
    """)
    totals = expect(path)["totals"]
    assert filled(totals["cancelling"], "documents") == documents
    assert totals["refund_slips"] == slips
    shown = {
        "cancellation": [(e.document, e.amount) for e in events(path, records.OrderCancelled)],
        "refund": [(e.reference, -e.amount) for e in events(path, records.Refund)],
        "without_origin": [(e.document, e.amount) for e in events(path, records.CancellationWithoutOrigin)],
    }
    assert {name: (len(found), str(sum(a for _, a in found))) for name, found in shown.items() if found} == documents
    assert all(order.total >= 0 for order in events(path, records.OrderPlaced))


def test_units_of_several_orders_are_paid_back_newest_first(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|6|1 08:00|2.55|17850
        536366|85123A|HEART|4|1 09:00|2.55|17850
        C536370|85123A|HEART|-7|2 09:00|2.55|17850
        C536371|85123A|HEART|-3|2 10:00|2.55|17850
    """)
    assert expect(path)["totals"]["refund_slips"] == 3
    assert [(e.reference, e.lines[0].quantity) for e in events(path, records.Refund)] == [
        ("C536370-536366", 4),
        ("C536370-536365", 3),
        ("C536371-536365", 3),
    ]


def test_wires_arrive_trading_days_later_and_some_never(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt(f"""
        {WIRE}|85123A|HEART|1|1 08:00|2.55|
        {NEVER_PAID}|85123A|HEART|1|1 08:00|2.55|
        536408|85123A|HEART|1|3 08:00|2.55|17850
        536409|85123A|HEART|1|6 08:00|2.55|17850
    """)
    days = expect(path)["days"]
    assert [day["waiting_at_close"] for day in days] == [{"unpaid": 2}, {"unpaid": 2}, {"unpaid": 1}]
    assert [day["became_acceptable"]["orders"] for day in days] == [0, 1, 2]
    assert [order.is_paid for order in events(path, records.OrderPlaced)] == [False, False, True, True]
    assert [(paid.origin, paid.at) for paid in events(path, records.Paid)] == [
        (str(WIRE), datetime(2010, 12, 6, 9, 0, tzinfo=UTC))
    ]


def test_an_unpaid_order_is_cancelled_days_later_and_never_paid(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt(f"""
        {WIRE}|85123A|HEART|1|1 08:00|2.55|17850
        C536400|85123A|HEART|-1|2 08:00|2.55|17850
        536408|85123A|HEART|1|3 08:00|2.55|17850
    """)
    assert filled(expect(path)["totals"]["outcomes"], "invoices") == {
        "accepted": (1, "2.55"),
        "cancelled": (1, "2.55"),
        "cancellation": (1, "-2.55"),
    }
    assert events(path, records.Paid) == []


def test_what_is_paid_back_was_paid_before(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt(f"""
        {WIRE}|85123A|HEART|2|1 08:00|2.55|17850
        C536400|85123A|HEART|-1|1 10:00|2.55|17850
        536408|85123A|HEART|1|3 08:00|2.55|17850
        536409|85123A|HEART|1|6 08:00|2.55|17850
    """)
    assert expect(path)["days"][0]["became_acceptable"]["orders"] == 1
    (day, *_), wanted = RetailYear([path]).days(), [records.OrderPlaced, records.Paid, records.Refund]
    assert [type(event) for event in day.events if not isinstance(event, records.ProductCreated)] == wanted
    assert len(events(path, records.Paid)) == 1


def test_a_code_first_seen_without_description_gets_its_page_after_its_first_sale(
    excerpt: Excerpt, expect: Expect
) -> None:
    path = excerpt("""
        536365|85123A||-4|1 08:00|0.0|
        536366|71053|?|3|1 09:00|0.0|
        536369|85123A|HEART|5|2 08:00|2.55|17850
        536370|22752|BOXES|1|3 08:00|7.65|17850
    """)
    report = expect(path)
    assert report["codes"] == {"goods": 3, "with_page": 2, "page_after_first_sale": 1}
    assert [day["waiting_at_close"] for day in report["days"]] == [{}, {"unknown_sku": 1}, {}]
    assert report["totals"]["outcomes"]["skipped_no_page"]["invoices"] == 1

    assert [line.page for order in events(path, records.OrderPlaced) for line in order.lines] == [None, "22752"]
    (corrected,) = events(path, records.StockCorrected)
    assert (corrected.happened_at.day, corrected.at.day, corrected.quantity) == (1, 3, -4)
    assert [(s.document, s.reason) for s in events(path, records.Skipped)] == [("536366", "no_page")]


def test_goods_arrive_with_the_page_and_then_what_left_the_week_before(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|85123A|HEART|10|1 08:00|2.55|17850
        536366|85123A|HEART|2000|2 08:00|2.55|17851
        C536366|85123A|HEART|-2000|2 09:00|2.55|17851
        536367|85123A|damaged|-30|3 08:00|0.0|
        536368|85123A|HEART|5|6 08:00|2.55|17850
        536369|71053|LANTERN|1200|7 08:00|3.39|17850
        536370|85123A|HEART|7|10 08:00|2.55|17850
        536371|85123A|HEART|1|13 08:00|2.55|17850
    """)
    arrivals = [(receipt.at, receipt.is_opening, receipt.units) for receipt in RetailYear([path]).receipts()]
    assert arrivals == [
        (datetime(2010, 12, 1, 5, 30, tzinfo=UTC), True, {"85123A": 10}),  # its second busiest week, 10 of 10, 12, 1
        (datetime(2010, 12, 6, 6, 0, tzinfo=UTC), False, {"85123A": 20}),  # 10 sold; of 30 lost the opening is replaced
        (datetime(2010, 12, 7, 5, 30, tzinfo=UTC), True, {"71053": 1200}),  # one week of sales: that one
        (datetime(2010, 12, 13, 6, 0, tzinfo=UTC), False, {"85123A": 12, "71053": 1200}),
    ]
    assert [day["units_arrived"] for day in expect(path)["days"]] == [10, 0, 0, 20, 1200, 0, 1212]


def test_until_reads_the_files_as_if_they_ended_there(excerpt: Excerpt, expect: Expect) -> None:
    first = excerpt("536365|85123A|HEART|6|1 08:00|2.55|17850", "sales-2010-12-a.csv")
    second = excerpt("C536370|85123A|HEART|-6|2 08:00|2.55|17850", "sales-2010-12-b.csv")
    assert expect(second, first)["totals"]["refund_slips"] == 1
    assert expect(second, first, "--until", "2010-12-01")["totals"]["invoices"] == 1
    assert [day.invoices for day in RetailYear([second, first]).days()] == [1, 1]
    assert [day.invoices for day in RetailYear([second, first], until=date(2010, 12, 1)).days()] == [1]


def test_a_file_of_another_shape_is_refused_by_name_and_line(tmp_path: Path, excerpt: Excerpt) -> None:
    strange = tmp_path / "sales-strange.csv"
    strange.write_text("Invoice,Code\n1,2\n")
    with pytest.raises(UnreadableHistory, match=r"sales-strange\.csv, line 1: expected the columns InvoiceNo"):
        RetailYear([strange]).catalogue()
    script = Path(__file__).resolve().parents[2] / "scripts/expect_history.py"
    done = subprocess.run([sys.executable, "-I", script, strange], capture_output=True, text=True, check=False)
    assert (done.returncode, "sales-strange.csv" in done.stderr, "Traceback" in done.stderr) == (1, True, False)

    short = excerpt("536365|85123A|HEART|6|1 08:00|2.55|17850")
    short.write_text(short.read_text() + "536366,85123A\n")
    with pytest.raises(UnreadableHistory, match="line 3: 2 columns, expected 8"):
        RetailYear([short]).catalogue()
    backwards = excerpt("""
        536365|85123A|HEART|6|2 08:00|2.55|17850
        536366|85123A|HEART|6|1 08:00|2.55|17850
    """)
    with pytest.raises(UnreadableHistory, match="the days must follow one another"):
        RetailYear([backwards]).catalogue()


def test_what_is_paid_back_before_the_hub_looks_is_not_sent(excerpt: Excerpt, expect: Expect) -> None:
    path = excerpt("""
        536365|23112|CABINET|2|1 16:22|7.50|17850
        536366|22171|SHELF|4|1 16:23|8.50|17850
        C536367|23112|CABINET|-2|1 16:24|7.50|17850
        C536367|22171|SHELF|-1|1 16:24|8.50|17850
        536368|23112|CABINET|3|2 10:00|7.50|17850
        536369|22171|SHELF|1|2 10:05|8.50|17850
        C536370|23112|CABINET|-3|2 13:00|7.50|17850
        C536370|22171|SHELF|-1|2 13:00|8.50|17850
    """)
    report = expect(path)
    totals = report["totals"]
    # The credit covers two orders, so it is no cancellation; yet nothing is left of the first when the hub sees it.
    assert totals["cancelling"]["cancellation"]["documents"] == 0
    assert totals["outcomes"]["cancelled"] == {"invoices": 1, "amount": "15.00"}
    assert [day["seen_cancelled"]["orders"] for day in report["days"]] == [0, 1]
    # Of the second one unit is not sent. Those of the next day were looked at before they were paid back.
    assert [day["became_acceptable"]["orders"] for day in report["days"]] == [1, 2]
    assert [day["became_acceptable"]["given_back"] for day in report["days"]] == [1, 0]
